"""Inspect an engine: read the state that planning needs."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from marts.core.authoring.checks import tables_read
from marts.core.errors import EngineError, MartsError, SourceError
from marts.core.plan.state import Elsewhere, EngineState, RecordedTable, TableState
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
    isolates: bool = False,
) -> EngineState:
    """Return the engine state that planning needs, including the sources `also`; change nothing.

    If there are `also`, it includes those that the declared checks of any source read: one of them
    that cannot be described is a fault in the state, not an error. With `isolates`, so is every
    source.
    """
    project = graph.project
    related = graph.related(selected)
    read = graph.sources_read(related)
    needed = [name for name in project.sources if source_checks or name in {*read, *also}]
    rows = backend.state()
    versions = [row.name for row in rows if _is_own(row, project) and row.name in related]
    published = backend.describe_published(versions)
    faults: dict[str, MartsError] = {}
    # Views that are built because of the selected marts may rely on any of the sources needed.
    looked_up = _looked_up(project, needed) - {*needed} if also else set[str]()
    sources = _described(backend, needed, sorted(looked_up), faults, isolates=isolates)
    there = backend.elsewhere
    state = EngineState(
        sources=sources,
        faults=faults,
        source_location=backend.source_location,
        elsewhere=_elsewhere(there, project, related) if there else None,
    )
    return _with_published(state, project, rows, published).of_group(graph.own_group)


def inspect_again(
    graph: Graph, before: EngineState, backend: Backend, *, anew: Collection[str]
) -> EngineState:
    """Return the engine state for the next group of a run: sources as before, marts as of now.

    `anew` are the marts that the run has published; versions of others are not read again.
    """
    found = backend.describe_published(anew)
    published = {
        name: state
        if state.version or name not in before.published
        else replace(state, version=before.published[name].version)
        for name, state in found.items()
    }
    state = _with_published(before, graph.project, backend.state(), published)
    return state.of_group(graph.own_group)


def _looked_up(project: Declarations, names: Collection[str]) -> set[str]:
    """Return the sources that the declared checks of some sources read."""
    checks = (check for name in names for check in project.sources[name].checks)
    return {table for check in checks for table in tables_read(check)} & project.sources.keys()


def _described(
    backend: Backend,
    needed: Sequence[str],
    looked_up: Sequence[str],
    faults: dict[str, MartsError],
    *,
    isolates: bool,
) -> Mapping[str, TableState]:
    """Return the state of the sources that exist; add those that cannot be described to faults.

    A source that is needed is not added unless the caller `isolates` it: the error is raised.
    """
    alone = [*needed, *looked_up] if isolates else looked_up
    try:
        # An engine may read all that are described at once as of one moment.
        return backend.describe_sources([*needed, *looked_up])
    except (SourceError, EngineError):
        if not alone or not backend.go_on():
            raise
    found = {} if isolates else dict(backend.describe_sources(needed))
    for name in alone:
        try:
            found |= backend.describe_sources([name])
        except (SourceError, EngineError) as error:
            faults[name] = error
    return found


def _with_published(
    state: EngineState,
    project: Declarations,
    rows: Sequence[RecordedTable],
    published: Mapping[str, TableState],
) -> EngineState:
    """Return a state with what is recorded and published."""
    package = project.package
    own = recorded_by(rows, project)
    return replace(
        state,
        published={name: found for name, found in published.items() if name in project.marts},
        recorded={
            name: row for name, row in own.items() if name in published or name in project.marts
        },
        foreign={
            row.name: row.package
            for row in rows
            if row.package and row.package != package and row.kind != "source"
        },
        source_rows=tuple(row for row in rows if row.kind == "source" and row.package == package),
    )


def _elsewhere(found: Published, project: Declarations, related: Collection[str]) -> Elsewhere:
    """Return what the package has published in another environment."""
    recorded = recorded_by(found.state(), project)
    wanted = [name for name in recorded if name in related]
    published = found.describe_published(wanted)
    return Elsewhere(
        found.environment,
        found.where,
        {name: state for name, state in published.items() if name in wanted},
        # Which group has published a mart there does not matter here.
        {
            name: replace(row, group=project.marts[name].group)
            for name, row in recorded.items()
            if name in wanted
        },
    )


def recorded_by(rows: Sequence[RecordedTable], project: Declarations) -> dict[str, RecordedTable]:
    """Return the row of each table that the project's package made."""
    found: dict[str, RecordedTable] = {}
    for row in rows:
        if not _is_own(row, project):
            continue
        other = found.get(row.name)
        if other is None or other.as_of is None:
            found[row.name] = row
        elif row.as_of is not None:
            # Versions of the project that group a mart differently have published it, and nobody
            # can tell whose rows it has.
            found[row.name] = replace(max(row, other, key=lambda each: each.run_id), origin=None)
    return found


def _is_own(row: RecordedTable, project: Declarations) -> bool:
    """Tell whether a recorded table was made by the project's package."""
    # An earlier version did not record the package: its tables are adopted by name.
    is_earlier = row.package is None and row.name in project.marts
    return row.kind != "source" and (row.package == project.package or is_earlier)
