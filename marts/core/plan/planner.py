"""The plan of a run: which tables are built, checked and published, in which order; pure data."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import cast

import ibis.expr.types as ir

from marts.core.authoring.checks import Check, UniqueCheck, is_fused, tables_read
from marts.core.authoring.expressions import AsOf, FixedAsOf
from marts.core.authoring.tables import Mart, Source, checks_of, column_comments
from marts.core.errors import SourceError, UsageError
from marts.core.plan.source_checks import SourceChecks
from marts.core.plan.state import ColumnFacts, Facts
from marts.core.plan.statistics import decided_by, is_proven, is_sorted_out
from marts.core.plan.steps import Build, CheckAcross, CheckRows, Plan, Publish, SkippedCheck, Step
from marts.core.project.graph import Graph
from marts.core.project.loading import Project
from marts.core.query.checks import (
    ascending_query,
    count_query,
    fused_query,
    hashed_query,
    query_by_value,
)
from marts.core.query.contract import mismatches
from marts.core.query.definition import defining_query, logical_tables
from marts.core.query.nulls import declared_filled


def sources_needed(
    graph: Graph, selected: Iterable[str], *, source_checks: bool = False
) -> tuple[str, ...]:
    """Return the sources that building and checking the selected marts reads."""
    building = built_with(graph, selected)
    return _sources_read(graph, built=building, checked=building, source_checks=source_checks)


def _sources_read(
    graph: Graph, *, built: Collection[str], checked: Collection[str], source_checks: bool
) -> tuple[str, ...]:
    project = graph.project
    read = {name for mart in built for name in project.marts[mart].inputs}
    read |= {name for _, check in across(graph, checked) for name in tables_read(check)}
    return tuple(name for name in project.sources if source_checks or name in read)


class Queries:
    """The queries of a project's marts and checks as of a date, each made once."""

    def __init__(self, project: Project, facts: Facts, as_of: AsOf) -> None:
        self.tables = logical_tables(project, present=facts.sources)
        self.as_of = as_of
        self._filled = declared_filled(project)
        self._marts: dict[str, ir.Table] = {}
        self._checks: dict[tuple[str, str], CheckRows | CheckAcross] = {}

    def of(self, mart: Mart) -> ir.Table:
        """Return the query that defines a mart."""
        if mart.name not in self._marts:
            self._marts[mart.name] = defining_query(
                mart, self.tables, self.as_of, filled=self._filled
            )
        return self._marts[mart.name]

    def rows(self, table: Source | Mart) -> CheckRows | None:
        """Return the step that makes all checks of a table which one query can; None without."""
        checks = tuple(check for check in checks_of(table) if is_fused(check))
        if checks and (table.name, "") not in self._checks:
            query = fused_query(table, self.tables[table.name], checks)
            self._checks[table.name, ""] = CheckRows(table, checks, query)
        return cast("CheckRows | None", self._checks.get((table.name, "")))

    def across(self, table: Source | Mart, check: Check) -> CheckAcross:
        """Return the step that makes a check with a query of its own."""
        if (table.name, check.name) not in self._checks:
            query = count_query(table, check, self.tables, self.as_of)
            self._checks[table.name, check.name] = CheckAcross(table, check, query)
        return cast("CheckAcross", self._checks[table.name, check.name])


def plan_run(
    graph: Graph,
    selected: Collection[str],
    facts: Facts,
    as_of: FixedAsOf,
    *,
    source_checks: bool | SourceChecks = False,
    outdated: Collection[str] = (),
    queries: Queries | None = None,
) -> Plan:
    """Plan to build, check and publish marts, given in build order.

    Before that, the sources are checked: all that is declared, or what was derived. The temporary
    marts that they and their checks read are built with them. Checks that read `outdated` marts are
    skipped. Raises SourceError where a source does not fit its contract, UsageError where an
    upstream mart is neither selected nor published.
    """
    project = graph.project
    names = built_with(graph, selected)
    building = [project.marts[name] for name in names]
    needed = sources_needed(graph, selected, source_checks=source_checks is True)
    queries = queries or Queries(project, facts, as_of)
    checker, steps = _begin(
        graph, names, facts, needed=needed, source_checks=source_checks, queries=queries
    )
    _refuse_unpublished_inputs(graph, building, facts, as_of)
    checker.present -= {mart.name for mart in building}.union(outdated)
    for mart in building:
        steps.append(Build(mart, checker.queries.of(mart), column_comments(mart)))
        steps += checker.steps_for(mart)
    if published := tuple(mart for mart in building if not mart.is_temporary):
        steps.append(Publish(published))
    return Plan(
        project.package,
        as_of,
        tuple(steps),
        checker.queries.tables,
        checker.skipped(),
        source_checks=source_checks if isinstance(source_checks, SourceChecks) else None,
        facts=facts,
    )


def built_with(graph: Graph, selected: Iterable[str]) -> tuple[str, ...]:
    """Return the given marts and the temporary ones that they and the checks made read."""
    chosen = set(selected)
    read = {table for _, check in across(graph, chosen) for table in tables_read(check)}
    wanted = chosen | {name for name in read if name in graph.project.marts}
    temporary = graph.temporaries(wanted) | {
        name for name in read & graph.project.marts.keys() if graph.project.marts[name].is_temporary
    }
    return tuple(name for name in graph.order if name in chosen | temporary)


def built_to_check(graph: Graph, selected: Iterable[str]) -> tuple[str, ...]:
    """Return the temporary marts without which the given marts cannot be checked."""
    chosen, marts = set(selected), graph.project.marts
    read = {table for _, check in across(graph, chosen) for table in tables_read(check)}
    temporary = {name for name in chosen | (read & marts.keys()) if marts[name].is_temporary}
    temporary |= graph.temporaries(temporary)
    return tuple(name for name in graph.order if name in temporary)


def reads_of(graph: Graph, selected: Collection[str]) -> dict[str, str]:
    """Return the marts that a run reads as they are published: each, and what reads it.

    What the checks of marts that it does not build read is not among them.
    """
    marts, building = graph.project.marts, built_with(graph, selected)
    found: dict[str, str] = {}
    for name in building:
        read = [(each, name) for each in marts[name].inputs]
        for check in checks_of(marts[name]):
            read += [(each, f"the check {name}.{check.name}") for each in tables_read(check)]
        for each, reader in read:
            if each in marts and each not in building:
                found.setdefault(each, reader)
    return {name: found[name] for name in graph.order if name in found}


def plan_checks(
    graph: Graph,
    selected: Collection[str],
    facts: Facts,
    as_of: FixedAsOf,
    *,
    source_checks: bool = False,
) -> Plan:
    """Plan to check the selected marts as they are published, or the sources; nothing is published.

    Of temporary marts, those that are selected or that a check reads are built, and checked. Raises
    SourceError where a source does not fit its contract, UsageError where a selected mart is not
    published.
    """
    marts = graph.project.marts
    published = [name for name in selected if not marts[name].is_temporary]
    if unpublished := [name for name in published if name not in facts.published]:
        raise UsageError(
            f"not published: {', '.join(unpublished)}",
            hint="`marts run` builds, checks and publishes them",
        )
    for name in published:
        wrong = mismatches(marts[name].columns, facts.published[name].types)
        if wrong:
            raise UsageError(
                f"{name} as published does not fit its contract",
                *wrong,
                hint=f"build it again: marts run -s {name}",
            )
    built = built_to_check(graph, selected)
    temporary, checked = [marts[name] for name in built], (*built, *published)
    needed = _sources_read(graph, built=built, checked=checked, source_checks=source_checks)
    queries = Queries(graph.project, facts, as_of)
    checker, steps = _begin(
        graph, checked, facts, needed=needed, source_checks=source_checks, queries=queries
    )
    _refuse_unpublished_inputs(graph, temporary, facts, as_of)
    checker.present -= {mart.name for mart in temporary}
    for mart in temporary:
        steps.append(Build(mart, checker.queries.of(mart), column_comments(mart)))
        steps += checker.steps_for(mart)
    for name in published:
        steps += checker.steps_for(marts[name])
    return Plan(
        graph.project.package, as_of, tuple(steps), checker.queries.tables, checker.skipped()
    )


def _begin(
    graph: Graph,
    checked: Collection[str],
    facts: Facts,
    *,
    needed: Collection[str],
    source_checks: bool | SourceChecks,
    queries: Queries,
) -> tuple[_Checker, list[Step]]:
    """Refuse unfit sources; return what places checks, and the steps that check sources."""
    project = graph.project
    of_sources = _checks_of_sources(project, facts, source_checks)
    _refuse_unfit_sources([project.sources[name] for name in needed], facts)
    fitting = {
        name
        for name, found in facts.published.items()
        if name in project.marts and not mismatches(project.marts[name].columns, found.types)
    }
    checker = _Checker(queries, present={*needed, *fitting, *of_sources})
    steps = list(checker.steps_for_sources(project, of_sources, facts))
    checker.pending += across(graph, checked)
    return checker, steps


def _checks_of_sources(
    project: Project, facts: Facts, source_checks: bool | SourceChecks
) -> Mapping[str, tuple[Check, ...]]:
    """Return the checks to make of each source that is there."""
    if isinstance(source_checks, SourceChecks):
        return source_checks.by_source
    if not source_checks:
        return {}
    found = [source for name, source in project.sources.items() if name in facts.sources]
    return {source.name: checks_of(source) for source in found}


class _Checker:
    """Places each check behind the last of the tables it reads."""

    def __init__(self, queries: Queries, *, present: set[str]) -> None:
        self.queries = queries
        self.present = present
        self.pending: list[tuple[Source | Mart, Check]] = []

    def steps_for(self, mart: Mart) -> Iterator[Step]:
        """Yield the checks that can be made now that a mart is there."""
        self.present.add(mart.name)
        if step := self.queries.rows(mart):
            yield step
        yield from self._ready()

    def steps_for_sources(
        self, project: Project, checks: Mapping[str, tuple[Check, ...]], facts: Facts
    ) -> Iterator[Step]:
        """Yield the checks of sources, which are all there."""
        self.pending += [
            (project.sources[name], check)
            for name, several in checks.items()
            for check in several
            if not is_fused(check)
        ]
        for name, several in checks.items():
            source, found = project.sources[name], facts.sources[name]
            known, rows = found.columns, found.rows
            alone = [check for check in several if is_sorted_out(check, rows, known)]
            fused = [check for check in several if is_fused(check) and check not in alone]
            by_column: dict[str | None, list[Check]] = {None: []}
            for check in fused:
                column = decided_by(check, source, rows, known)
                by_column.setdefault(column, []).append(check)
            for column, these in by_column.items():
                if these:
                    yield CheckRows(source, tuple(these), self._fused(source, these, column, known))
            for check in alone:
                yield self._sorted_out(source, check, known)
            yield from self._ready()

    def _fused(
        self,
        source: Source,
        checks: Sequence[Check],
        column: str | None,
        known: Mapping[str, ColumnFacts],
    ) -> ir.Table:
        rows = self.queries.tables[source.name]
        if column:
            return query_by_value(source, rows, column, checks)
        proven = [check for check in checks if is_proven(check, source, known)]
        return fused_query(source, rows, checks, proven=proven)

    def _sorted_out(
        self, source: Source, check: Check, known: Mapping[str, ColumnFacts]
    ) -> CheckAcross:
        step, table = self.queries.across(source, check), self.queries.tables[source.name]
        if not isinstance(check, UniqueCheck):
            return step
        (name,) = check.columns
        quick = [ascending_query(table, name)] if known[name].is_ascending else []
        return replace(step, quick=(*quick, hashed_query(table, name)))

    def _ready(self) -> Iterator[Step]:
        ready = [pair for pair in self.pending if not self._missing(*pair)]
        self.pending = [pair for pair in self.pending if pair not in ready]
        yield from (self.queries.across(owner, check) for owner, check in ready)

    def skipped(self) -> tuple[SkippedCheck, ...]:
        """Return the checks that found no place."""
        return tuple(
            SkippedCheck(owner.name, check.name, self._missing(owner, check))
            for owner, check in self.pending
        )

    def _missing(self, owner: Source | Mart, check: Check) -> tuple[str, ...]:
        return tuple(sorted({owner.name, *tables_read(check)} - self.present))


def across(graph: Graph, building: Collection[str]) -> list[tuple[Mart, Check]]:
    """Return the checks with a query of their own that a run makes.

    They are those of the marts that it builds, and those of other marts that read one of these; a
    temporary mart that is built for a reader changes nothing that others read.
    """
    marts = graph.project.marts
    changed = {name for name in building if not marts[name].is_temporary}
    return [
        (owner, check)
        for owner in marts.values()
        if owner.name in building or not owner.is_temporary
        for check in checks_of(owner)
        if not is_fused(check) and (owner.name in building or changed & tables_read(check))
    ]


def _refuse_unfit_sources(sources: Iterable[Source], facts: Facts) -> None:
    found = []
    for source in sources:
        table = facts.sources.get(source.name)
        if table is None:
            if not source.optional:
                found.append(f"source {source.name}: found no such table")
            continue
        wrong = [*mismatches(source.columns, table.types), *table.misfits]
        found += [f"source {source.name}, {line}" for line in wrong]
        if table.rows == 0 and not source.optional:
            found.append(f"source {source.name}: the table has no rows")
    if found:
        raise SourceError(
            "the sources do not fit their contracts; nothing was built",
            *found,
            f"looked in {facts.searched}",
        )


def _refuse_unpublished_inputs(
    graph: Graph, building: Collection[Mart], facts: Facts, as_of: FixedAsOf
) -> None:
    project, built = graph.project, {mart.name for mart in building}
    for mart in building:
        for name in mart.inputs:
            if name in project.sources or name in built:
                continue
            table = facts.published.get(name)
            wrong = mismatches(project.marts[name].columns, table.types) if table else []
            if table is None or wrong:
                state = "as published does not fit its contract" if table else "is not published"
                raise UsageError(
                    f"{mart.name} reads {name}, which is not selected and {state}",
                    *wrong,
                    hint=f"select +{mart.name}, which includes what it reads",
                )
            day = facts.recorded[name].as_of if name in facts.recorded else as_of.day
            if day != as_of.day:
                raise UsageError(
                    f"{mart.name} as of {as_of.day} reads {name},"
                    f" which is not selected and published as of {day}",
                    hint=f"select +{mart.name}, or pass --as-of {day}",
                )
