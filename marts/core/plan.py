"""The plan of a run: which tables are built, checked and published, in which order; pure data."""

from __future__ import annotations

import datetime
import traceback
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import ibis
import ibis.expr.datatypes as dt
import ibis.expr.types as ir

from marts.core.checked import CheckedSource, SourceChecks
from marts.core.checks import (
    ascending_query,
    checks_of,
    count_query,
    fused_query,
    hashed_query,
    is_fused,
    query_by_value,
    tables_read,
)
from marts.core.contract import conform, empty_table, mismatches, schema_of
from marts.core.errors import DefinitionError, SourceError, UsageError, attribute_hint
from marts.core.graph import Graph
from marts.core.model import AS_OF, AsOf, Check, FixedAsOf, Mart, Source, UniqueCheck
from marts.core.project import Project
from marts.core.statistics import ColumnFacts, decided_by, is_proven, is_sorted_out


@dataclass(frozen=True)
class TableFacts:
    """What an engine says of a table that exists; `rows` is None where counting costs a scan.

    `version` changes whenever the rows of a source do; None where the engine does not say.
    `columns` is what it knows of columns without a look at their rows.
    """

    types: Mapping[str, dt.DataType]
    rows: int | None = None
    version: str | None = None
    columns: Mapping[str, ColumnFacts] = field(default_factory=dict)


@dataclass(frozen=True)
class Recorded:
    """What is recorded of a published mart: its date and run, and what it was made from."""

    as_of: datetime.date
    run_id: str
    origin: str | None = None


@dataclass(frozen=True)
class Facts:
    """What an engine says of the sources and the published marts; absent tables are absent."""

    sources: Mapping[str, TableFacts] = field(default_factory=dict)
    published: Mapping[str, TableFacts] = field(default_factory=dict)
    recorded: Mapping[str, Recorded] = field(default_factory=dict)
    checked: Mapping[str, CheckedSource] = field(default_factory=dict)
    """What the last published run found of the sources."""
    searched: str = "nowhere"
    """Where the sources were looked for, in words."""

    def source_version(self, name: str) -> str | None:
        """Return what changes whenever a source does, also when it appears or vanishes."""
        return self.sources[name].version if name in self.sources else "absent"


@dataclass(frozen=True)
class Build:
    """Build a candidate of a mart."""

    mart: Mart
    query: ir.Table
    column_comments: Mapping[str, str]


@dataclass(frozen=True)
class CheckRows:
    """Make all checks of a table that one aggregate query can make."""

    table: Source | Mart
    checks: tuple[Check, ...]
    query: ir.Table


@dataclass(frozen=True)
class CheckAcross:
    """Make one check that needs a query of its own."""

    table: Source | Mart
    check: Check
    query: ir.Table
    quick: tuple[ir.Table, ...] = ()
    """What to ask before, one after the other: where one finds nothing, there is nothing."""


@dataclass(frozen=True)
class Publish:
    """Let readers see all candidates, at once."""

    marts: tuple[Mart, ...]


Step = Build | CheckRows | CheckAcross | Publish


@dataclass(frozen=True)
class SkippedCheck:
    """A check that is not made, because it reads marts that are neither built nor published."""

    table: str
    check: str
    missing: tuple[str, ...]


@dataclass(frozen=True)
class Plan:
    """The ordered steps of a run, and the tables that their expressions read, by name."""

    as_of: FixedAsOf
    steps: tuple[Step, ...]
    tables: Mapping[str, ir.Table]
    skipped: tuple[SkippedCheck, ...]
    reasons: Mapping[str, str] = field(default_factory=dict)
    """Why each mart is built."""
    unchanged: tuple[str, ...] = ()
    """The selected marts that need not be built."""
    source_checks: SourceChecks | None = None
    """Which checks of sources were derived; None where that is not the question."""


def sources_needed(
    graph: Graph, selected: Iterable[str], *, source_checks: bool = False
) -> tuple[str, ...]:
    """Return the sources that building and checking the selected marts reads."""
    project, chosen = graph.project, set(selected)
    read = {name for mart in chosen for name in project.marts[mart].inputs}
    for _, check in _across(project, chosen):
        read |= tables_read(check)
    return tuple(name for name in project.sources if source_checks or name in read)


def declared_facts(project: Project, *, sources: Collection[str]) -> Facts:
    """Return the facts of an engine that holds just what is declared: to compile without one.

    `sources` are those that are there.
    """
    return Facts(
        sources={
            name: TableFacts(schema_of(source.columns))
            for name, source in project.sources.items()
            if name in sources
        },
        published={name: TableFacts(schema_of(m.columns)) for name, m in project.marts.items()},
    )


def plan_run(
    graph: Graph,
    selected: Collection[str],
    facts: Facts,
    as_of: FixedAsOf,
    *,
    source_checks: bool | SourceChecks = False,
) -> Plan:
    """Plan to build, check and publish the selected marts, given in build order.

    Before that, the sources are checked: all that is declared, or what was derived.

    Raises SourceError where a source does not fit its contract, UsageError where an upstream mart
    is neither selected nor published.
    """
    project = graph.project
    marts = [project.marts[name] for name in selected]
    checker, steps = _begin(graph, selected, facts, as_of, source_checks=source_checks)
    _refuse_unpublished_inputs(marts, project, facts, as_of)
    checker.present -= set(selected)
    for mart in marts:
        query = defining_query(mart, checker.tables, as_of)
        steps.append(Build(mart, query, column_comments(mart, project)))
        steps += checker.steps_for(mart)
    if marts:
        steps.append(Publish(tuple(marts)))
    derived = source_checks if isinstance(source_checks, SourceChecks) else None
    return Plan(as_of, tuple(steps), checker.tables, checker.skipped(), source_checks=derived)


def plan_checks(
    graph: Graph,
    selected: Collection[str],
    facts: Facts,
    as_of: FixedAsOf,
    *,
    source_checks: bool = False,
) -> Plan:
    """Plan to check the selected marts as they are published, or the sources, building nothing.

    Raises SourceError where a source does not fit its contract, UsageError where a selected mart
    is not published.
    """
    if unpublished := [name for name in selected if name not in facts.published]:
        raise UsageError(
            f"not published: {', '.join(unpublished)}",
            hint="`marts run` builds, checks and publishes them",
        )
    for name in selected:
        wrong = mismatches(graph.project.marts[name].columns, facts.published[name].types)
        if wrong:
            raise UsageError(
                f"{name} as published does not fit its contract",
                *wrong,
                hint=f"build it again: marts run -s {name}",
            )
    checker, steps = _begin(graph, selected, facts, as_of, source_checks=source_checks)
    for name in selected:
        steps += checker.steps_for(graph.project.marts[name])
    return Plan(as_of, tuple(steps), checker.tables, checker.skipped())


def _begin(
    graph: Graph,
    selected: Collection[str],
    facts: Facts,
    as_of: FixedAsOf,
    *,
    source_checks: bool | SourceChecks,
) -> tuple[_Checker, list[Step]]:
    """Refuse unfit sources; return what places checks, and the steps that check sources."""
    project = graph.project
    needed = sources_needed(graph, selected, source_checks=source_checks is True)
    of_sources = _checks_of_sources(project, facts, source_checks)
    _refuse_unfit_sources([project.sources[name] for name in needed], facts)
    tables = logical_tables(project, facts)
    fitting = {
        name
        for name, found in facts.published.items()
        if not mismatches(project.marts[name].columns, found.types)
    }
    checker = _Checker(tables, as_of, present={*needed, *fitting, *of_sources})
    steps = list(checker.steps_for_sources(project, of_sources, facts))
    checker.pending += _across(project, set(selected))
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


def logical_tables(project: Project, facts: Facts) -> dict[str, ir.Table]:
    """Return every table of a project by name; an absent source has its columns and no row."""
    tables = {
        name: ibis.table(schema_of(source.columns), name=name)
        if name in facts.sources
        else empty_table(source.columns)
        for name, source in project.sources.items()
    }
    for name, mart in project.marts.items():
        tables[name] = ibis.table(schema_of(mart.columns), name=name)
    return tables


def defining_query(mart: Mart, tables: Mapping[str, ir.Table], as_of: AsOf) -> ir.Table:
    """Call a mart's function with its inputs; return what it returns, cast to its contract.

    Raises DefinitionError, with file and line, for whatever the function raises.
    """
    table = defined_table(mart, tables, as_of)
    return conform(table, mart.columns, what=f"mart {mart.name}", place=mart.place)


def defined_table(mart: Mart, tables: Mapping[str, ir.Table], as_of: AsOf) -> ir.Table:
    """Call a mart's function with its inputs; return what it returns, as the author left it."""
    try:
        table = mart.define(*(as_of if name == AS_OF else tables[name] for name in mart.parameters))
    except Exception as error:  # any slip of the author's, with the cause chained
        file, own = mart.define.__code__.co_filename, traceback.extract_tb(error.__traceback__)
        line = [frame.lineno for frame in own if frame.filename == file][-1:]
        raise DefinitionError(
            f"mart {mart.name} is no valid expression",
            f"{type(error).__name__}: {error}",
            f"{mart.place.rpartition(':')[0]}:{line[0]}" if line else mart.place,
            hint=attribute_hint(
                error, (name for each in mart.inputs for name in tables[each].columns)
            ),
        ) from error
    if not isinstance(table, ir.Table):
        raise DefinitionError(
            f"mart {mart.name} returns a {type(table).__name__}, not an Ibis table", mart.place
        )
    return table


def inlined(graph: Graph, sources: Mapping[str, ir.Table], as_of: AsOf) -> dict[str, ir.Table]:
    """Return every mart as a query over the sources alone, and the sources, by name."""
    tables = dict(sources)
    for name in graph.order:
        # A view of its own: Ibis would take columns of an expression read twice for one another's.
        tables[name] = defining_query(graph.project.marts[name], tables, as_of).alias(
            f"{name}_here"
        )
    return tables


def column_comments(mart: Mart, project: Project) -> dict[str, str]:
    """Return a comment for each documented column: the mart's own words, else its inputs'."""
    words: dict[str, str] = {}
    for name in reversed(mart.inputs):
        if name in project.marts:
            words |= column_comments(project.marts[name], project)
        else:
            words |= project.sources[name].column_docs
    words |= mart.column_docs
    return {column.name: words[column.name] for column in mart.columns if column.name in words}


class _Checker:
    """Places each check behind the last of the tables it reads."""

    def __init__(self, tables: Mapping[str, ir.Table], as_of: AsOf, *, present: set[str]) -> None:
        self.tables = tables
        self.as_of = as_of
        self.present = present
        self.pending: list[tuple[Source | Mart, Check]] = []

    def steps_for(self, mart: Mart) -> Iterator[Step]:
        """Yield the checks that can be made now that a mart is there."""
        self.present.add(mart.name)
        yield from self._rows(mart, tuple(check for check in checks_of(mart) if is_fused(check)))
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
                yield from self._rows(source, tuple(these), facts=found, column=column)
            for check in alone:
                yield self._across(source, check, known)
            yield from self._ready()

    def _rows(
        self,
        table: Source | Mart,
        checks: tuple[Check, ...],
        *,
        facts: TableFacts | None = None,
        column: str | None = None,
    ) -> Iterator[Step]:
        if not checks:
            return
        rows, known = self.tables[table.name], facts.columns if facts else {}
        if column:
            query = query_by_value(table, rows, column, checks)
        else:
            proven = [check for check in checks if is_proven(check, table, known)]
            query = fused_query(table, rows, checks, proven=proven)
        yield CheckRows(table, checks, query)

    def _ready(self) -> Iterator[Step]:
        ready = [pair for pair in self.pending if not self._missing(*pair)]
        self.pending = [pair for pair in self.pending if pair not in ready]
        for owner, check in ready:
            yield self._across(owner, check)

    def _across(
        self,
        owner: Source | Mart,
        check: Check,
        columns: Mapping[str, ColumnFacts] | None = None,
    ) -> CheckAcross:
        query = count_query(owner, check, self.tables, self.as_of)
        if not isinstance(check, UniqueCheck) or columns is None:
            return CheckAcross(owner, check, query)
        name, table = check.columns[0], self.tables[owner.name]
        quick = [ascending_query(table, name)] if columns[name].is_ascending else []
        return CheckAcross(owner, check, query, (*quick, hashed_query(table, name)))

    def skipped(self) -> tuple[SkippedCheck, ...]:
        """Return the checks that found no place."""
        return tuple(
            SkippedCheck(owner.name, check.name, self._missing(owner, check))
            for owner, check in self.pending
        )

    def _missing(self, owner: Source | Mart, check: Check) -> tuple[str, ...]:
        return tuple(sorted({owner.name, *tables_read(check)} - self.present))


def _across(project: Project, chosen: set[str]) -> list[tuple[Mart, Check]]:
    """Return the checks with a query of their own that read one of the chosen marts."""
    return [
        (owner, check)
        for owner in project.marts.values()
        for check in checks_of(owner)
        if not is_fused(check) and chosen & {owner.name, *tables_read(check)}
    ]


def _refuse_unfit_sources(sources: Iterable[Source], facts: Facts) -> None:
    found = []
    for source in sources:
        table = facts.sources.get(source.name)
        if table is None:
            if not source.optional:
                found.append(f"source {source.name}: found no such table")
            continue
        found += [f"source {source.name}, {m}" for m in mismatches(source.columns, table.types)]
        if table.rows == 0 and not source.optional:
            found.append(f"source {source.name}: the table has no rows")
    if found:
        raise SourceError(
            "the sources do not fit their contracts; nothing was built",
            *found,
            f"looked in {facts.searched}",
        )


def _refuse_unpublished_inputs(
    marts: Collection[Mart], project: Project, facts: Facts, as_of: FixedAsOf
) -> None:
    selected = {mart.name for mart in marts}
    for mart in marts:
        for name in mart.inputs:
            if name in project.sources or name in selected:
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
