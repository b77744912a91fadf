"""Inspect an engine: read the state that planning needs."""

from __future__ import annotations

from collections.abc import Collection

from marts.core.plan.state import CheckedSource, EngineState, RecordedTable
from marts.core.project.graph import Graph
from marts.core.project.loading import Declarations
from marts.core.run.backend import Backend


def inspect_engine(
    graph: Graph,
    selected: Collection[str],
    backend: Backend,
    *,
    source_checks: bool = False,
    also: Collection[str] = (),
) -> EngineState:
    """Return the engine state that planning needs, including the sources `also`; change nothing."""
    project = graph.project
    related = graph.related(selected)
    read = graph.sources_read(related)
    needed = [name for name in project.sources if source_checks or name in {*read, *also}]
    rows = backend.state()
    own = {row.name: row for row in rows if _is_own(row, project)}
    published = backend.describe_published([name for name in own if name in related])
    return EngineState(
        sources=backend.describe_sources(needed),
        published={name: found for name, found in published.items() if name in project.marts},
        recorded={
            name: row for name, row in own.items() if name in published or name in project.marts
        },
        foreign={
            row.name: row.package
            for row in rows
            if row.package and row.package != project.package and row.kind != "source"
        },
        checked={
            row.name: found
            for row in rows
            if row.kind == "source" and row.package == project.package
            if (found := CheckedSource.from_text(row.origin))
        },
        source_location=backend.source_location,
    )


def _is_own(row: RecordedTable, project: Declarations) -> bool:
    """Tell whether a recorded table was made by the project's package."""
    # An earlier version did not record the package: its tables are adopted by name.
    is_earlier = row.package is None and row.name in project.marts
    return row.kind != "source" and (row.package == project.package or is_earlier)
