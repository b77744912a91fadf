"""Plan a run: which tables are built, checked and published, and in which order."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

import ibis.expr.types as ir

from marts.core.analysis.personal import declared
from marts.core.authoring.checks import Check, UniqueCheck, is_fused, tables_read
from marts.core.authoring.columns import personal_in
from marts.core.authoring.expressions import FixedAsOf
from marts.core.authoring.tables import Mart, Source, checks_of, column_comments
from marts.core.errors import SourceError, UsageError
from marts.core.plan.queries import Queries, fused_checks
from marts.core.plan.source_checks import SourceChecks
from marts.core.plan.state import ColumnStatistics, EngineState
from marts.core.plan.statistics import deciding_column, is_proven, is_sorted, middle_of
from marts.core.plan.steps import Build, CheckTable, Plan, PlannedPublication, SkippedCheck, Step
from marts.core.project.graph import Graph
from marts.core.project.loading import Declarations
from marts.core.query.checks import ascending_query, fused_query, hashed_query, query_by_value
from marts.core.query.contract import mismatches

NOT_REACHED = "no column of the mart depends on what the invariant changes"


def plan_run(
    graph: Graph,
    selected: Collection[str],
    state: EngineState,
    as_of: FixedAsOf,
    *,
    source_checks: bool | SourceChecks = False,
    outdated: Collection[str] = (),
    queries: Queries | None = None,
) -> Plan:
    """Plan to build, check and publish marts, given in build order.

    The sources are checked first: with all declared checks, or with the derived ones. Temporary
    marts that the marts and their checks read are built, too. Checks that read `outdated` marts are
    skipped. `queries` are queries that exist already; by default they are made now, and not
    compiled. Raises SourceError if a source does not fit its contract, UsageError if an upstream
    mart is neither selected nor published.
    """
    plan = _planned(
        graph,
        state,
        queries or Queries(graph.project, state, as_of),
        as_of,
        built=graph.built_with(selected),
        outdated=outdated,
        source_checks=source_checks,
    )
    published = tuple(step.mart for step in plan.builds if not step.mart.is_temporary)
    return replace(plan, publication=PlannedPublication(published) if published else None)


def plan_checks(
    graph: Graph,
    selected: Collection[str],
    state: EngineState,
    as_of: FixedAsOf,
    *,
    source_checks: bool = False,
) -> Plan:
    """Plan to check the selected marts as they are published, or the sources; publish nothing.

    Temporary marts that are selected or that a check reads are built and checked. Raises
    SourceError if a source does not fit its contract, UsageError if a selected mart is not
    published.
    """
    marts = graph.project.marts
    published = [name for name in selected if not marts[name].is_temporary]
    if unpublished := [name for name in published if name not in state.published]:
        raise UsageError(
            f"not published: {', '.join(unpublished)}",
            hint="`marts run` builds, checks and publishes them",
        )
    for name in published:
        wrong = mismatches(marts[name].columns, state.published[name].types)
        if wrong:
            raise UsageError(
                f"{name} as published does not fit its contract",
                *wrong,
                hint=f"build it again: marts run -s {name}",
            )
    return _planned(
        graph,
        state,
        Queries(graph.project, state, as_of),
        as_of,
        built=graph.built_to_check(selected),
        published=published,
        source_checks=source_checks,
    )


def exempted(
    graph: Graph, selected: Iterable[str], unreached: Collection[tuple[str, str]] = ()
) -> Iterator[SkippedCheck]:
    """Yield the invariants that would be tested on marts if these were not exempt, or unreached."""
    for name in selected:
        for invariant, reason in graph.project.marts[name].exempt.items():
            yield SkippedCheck(name, invariant, exempt=reason)
        for mart, invariant in sorted(unreached):
            if mart == name:
                yield SkippedCheck(name, invariant, exempt=NOT_REACHED)


def _planned(
    graph: Graph,
    state: EngineState,
    queries: Queries,
    as_of: FixedAsOf,
    *,
    built: Collection[str],
    published: Collection[str] = (),
    outdated: Collection[str] = (),
    source_checks: bool | SourceChecks,
) -> Plan:
    """Plan to check sources, then to build and check marts, then to check published marts."""
    project, checked = graph.project, (*built, *published)
    building = [project.marts[name] for name in built]
    needed = _sources_read(graph, built=built, checked=checked, source_checks=source_checks is True)
    of_sources = _checks_of_sources(project, state, source_checks)
    needed |= _looked_up(project, source_checks)
    _refuse_unfit_sources([each for name, each in project.sources.items() if name in needed], state)
    checker = _Checker(queries, present={*needed, *_fitting(project, state), *of_sources})
    steps = list(checker.steps_for_sources(project, of_sources, state))
    checker.pending += graph.wide_checks(checked)
    _refuse_unpublished_inputs(graph, building, state, as_of)
    checker.present -= {*built, *outdated}
    for mart in building:
        steps.append(Build(mart, queries.of(mart), column_comments(mart), queries.compiled(mart)))
        steps += checker.steps_for(mart)
    for name in published:
        steps += checker.steps_for(project.marts[name])
    return Plan(
        project.package,
        as_of,
        tuple(steps),
        queries.tables,
        checker.skipped(),
        source_checks=source_checks if isinstance(source_checks, SourceChecks) else None,
        state=state,
        personal=frozenset(declared(project)),
    )


def _sources_read(
    graph: Graph, *, built: Collection[str], checked: Collection[str], source_checks: bool
) -> set[str]:
    project = graph.project
    read = {name for mart in built for name in project.marts[mart].inputs}
    read |= {name for _, check in graph.wide_checks(checked) for name in tables_read(check)}
    return {name for name in project.sources if source_checks or name in read}


def _looked_up(project: Declarations, source_checks: bool | SourceChecks) -> set[str]:
    """Return the sources that checks of others must read, unless they may be absent."""
    if not isinstance(source_checks, SourceChecks):
        return set()
    checks = [each for several in source_checks.by_source.values() for each in several]
    read = {n for c in checks if c.severity == "error" for n in tables_read(c)}
    return {n for n in read & project.sources.keys() if not project.sources[n].optional}


def _fitting(project: Declarations, state: EngineState) -> Iterator[str]:
    """Yield the sources, and the marts as they are published, that fit their contracts."""
    for name, found in state.published.items():
        if name in project.marts and not mismatches(project.marts[name].columns, found.types):
            yield name
    for name, found in state.sources.items():
        if not found.misfits and not mismatches(project.sources[name].columns, found.types):
            yield name


def _checks_of_sources(
    project: Declarations, state: EngineState, source_checks: bool | SourceChecks
) -> Mapping[str, tuple[Check, ...]]:
    """Return the checks to make of each source that exists."""
    if isinstance(source_checks, SourceChecks):
        return source_checks.by_source
    if not source_checks:
        return {}
    found = [source for name, source in project.sources.items() if name in state.sources]
    return {source.name: checks_of(source) for source in found}


class _Checker:
    """Schedules each check after the last of the tables that it reads."""

    def __init__(self, queries: Queries, *, present: set[str]) -> None:
        self.queries = queries
        self.present = present
        self.pending: list[tuple[Source | Mart, Check]] = []

    def steps_for(self, mart: Mart) -> Iterator[Step]:
        """Yield the checks that can be made once a mart exists."""
        self.present.add(mart.name)
        if checks := fused_checks(mart):
            yield CheckTable(mart, checks, self.queries.fused(mart))
        yield from self._ready()

    def steps_for_sources(
        self, project: Declarations, checks: Mapping[str, tuple[Check, ...]], state: EngineState
    ) -> Iterator[Step]:
        """Yield the checks of sources, all of which exist."""
        self.pending += [
            (project.sources[name], check)
            for name, several in checks.items()
            for check in several
            if not is_fused(check)
        ]
        for name, several in checks.items():
            source, found = project.sources[name], state.sources[name]
            known, rows = found.columns, found.rows
            alone = [check for check in several if is_sorted(check, rows, known)]
            fused = [check for check in several if is_fused(check) and check not in alone]
            by_column: dict[str | None, list[Check]] = {None: []}
            for check in fused:
                column = deciding_column(check, source, rows, known)
                by_column.setdefault(column, []).append(check)
            for column, these in by_column.items():
                if these:
                    query = self._fused(source, these, column, known)
                    yield CheckTable(source, tuple(these), query)
            for check in alone:
                yield self._sorted(source, check, rows, known)
            yield from self._ready()

    def _fused(
        self,
        source: Source,
        checks: Sequence[Check],
        column: str | None,
        known: Mapping[str, ColumnStatistics],
    ) -> ir.Table:
        rows = self.queries.tables[source.name]
        if column:
            return query_by_value(source, rows, column, checks)
        proven = [check for check in checks if is_proven(check, source, known)]
        return fused_query(source, rows, checks, proven=proven)

    def _sorted(
        self,
        source: Source,
        check: Check,
        rows: int | None,
        known: Mapping[str, ColumnStatistics],
    ) -> CheckTable:
        step, table = self._alone(source, check), self.queries.tables[source.name]
        if not isinstance(check, UniqueCheck):
            return step
        (name,) = check.columns
        its = known[name]
        # A statement may be quoted in a message, and must have no value of a personal column in it.
        is_personal = name in personal_in(source.columns)
        middle = None if is_personal else middle_of(table[name].type(), rows, its)
        quick = [ascending_query(table, name, middle)] if its.is_ascending else []
        return replace(step, quick=(*quick, hashed_query(table, name)))

    def _ready(self) -> Iterator[Step]:
        ready = [pair for pair in self.pending if not self._missing(*pair)]
        self.pending = [pair for pair in self.pending if pair not in ready]
        yield from (self._alone(owner, check) for owner, check in ready)

    def _alone(self, owner: Source | Mart, check: Check) -> CheckTable:
        return CheckTable(owner, (check,), self.queries.of_check(owner, check))

    def skipped(self) -> tuple[SkippedCheck, ...]:
        """Return the checks that could not be scheduled."""
        return tuple(
            SkippedCheck(owner.name, check.name, self._missing(owner, check))
            for owner, check in self.pending
        )

    def _missing(self, owner: Source | Mart, check: Check) -> tuple[str, ...]:
        return tuple(sorted({owner.name, *tables_read(check)} - self.present))


def unfit_sources(sources: Iterable[Source], state: EngineState) -> Iterator[str]:
    """Yield what keeps sources from being read: a missing table, columns that do not fit."""
    for source in sources:
        table = state.sources.get(source.name)
        if table is not None:
            wrong = [*mismatches(source.columns, table.types), *table.misfits]
            yield from (f"source {source.name}, {line}" for line in wrong)
        elif not source.optional:
            yield f"source {source.name}: found no such table"


def _refuse_unfit_sources(sources: Iterable[Source], state: EngineState) -> None:
    found, misfits = list[str](), set[str]()
    for source in sources:
        if fault := state.faults.get(source.name):
            raise fault
        found += unfit_sources([source], state)
        table = state.sources.get(source.name)
        if table is None:
            continue
        misfits |= {f"source {source.name}, {line}" for line in table.misfits}
        if table.rows == 0 and not source.optional:
            found.append(f"source {source.name}: the table has no rows")
    if found:
        raise SourceError(
            "the sources do not fit their contracts; nothing was built",
            *found,
            # A value that does not fit is in the right place.
            *([] if {*found} <= misfits else [f"looked in {state.source_location}"]),
        )


def _refuse_unpublished_inputs(
    graph: Graph, building: Collection[Mart], state: EngineState, as_of: FixedAsOf
) -> None:
    project, built = graph.project, {mart.name for mart in building}
    for mart in building:
        for name in mart.inputs:
            if name in project.sources or name in built:
                continue
            table = state.published.get(name)
            wrong = mismatches(project.marts[name].columns, table.types) if table else []
            if table is None or wrong:
                how = "as published does not fit its contract" if table else "is not published"
                raise UsageError(
                    f"{mart.name} reads {name}, which is not selected and {how}",
                    *wrong,
                    hint=f"select +{mart.name}, which includes what it reads",
                )
            day = state.recorded[name].as_of if name in state.recorded else as_of.day
            if day != as_of.day:
                raise UsageError(
                    f"{mart.name} as of {as_of.day} reads {name},"
                    f" which is not selected and published as of {day}",
                    hint=f"select +{mart.name}, or pass --as-of {day}",
                )
