"""Inspect an engine: read the state that planning needs."""

from __future__ import annotations

from collections.abc import Collection

from marts.core.plan.state import CheckedSource, Elsewhere, EngineState, RecordedTable
from marts.core.project.graph import Graph
from marts.core.project.loading import Declarations
from marts.core.run.backend import Backend, Published


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
    there = backend.elsewhere
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
        elsewhere=_elsewhere(there, project, related) if there else None,
    )


def _elsewhere(found: Published, project: Declarations, related: Collection[str]) -> Elsewhere:
    """Return what the package has published in another environment."""
    recorded = {row.name: row for row in found.state() if _is_own(row, project)}
    wanted = [name for name in recorded if name in related]
    published = found.describe_published(wanted)
    return Elsewhere(
        found.environment,
        found.where,
        {name: state for name, state in published.items() if name in wanted},
        {name: row for name, row in recorded.items() if name in wanted},
    )


def _is_own(row: RecordedTable, project: Declarations) -> bool:
    """Tell whether a recorded table was made by the project's package."""
    # An earlier version did not record the package: its tables are adopted by name.
    is_earlier = row.package is None and row.name in project.marts
    return row.kind != "source" and (row.package == project.package or is_earlier)
