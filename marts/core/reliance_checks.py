"""Checks that follow from what marts rely on: of sources, beside those that these declare.

A source's declared and implied checks are made where its columns are read, its grain's always.
What marts compare a text column with gives two more: how it is spelt, and whether it occurs; what
they look up in a whole source gives a relationship, where none is declared.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Protocol

import ibis
import ibis.expr.types as ir

from marts.core.checked import SourceChecks
from marts.core.checks import checks_of, fused_query, is_fused, offending_rows, tables_read
from marts.core.contract import mismatches
from marts.core.definition import declared_facts, logical_tables
from marts.core.folding import equals_folded, folded
from marts.core.graph import Graph
from marts.core.model import (
    Check,
    FixedAsOf,
    Mart,
    RelationshipCheck,
    Source,
    SpellingCheck,
    TableCheck,
    UniqueCheck,
    WholeCheck,
)
from marts.core.origin import columns_read, signature
from marts.core.reliance import ANY_DAY, Condition, Lookup, Reliance
from marts.core.state import CheckedSource, Facts
from marts.core.text_values import Seen
from marts.core.tolerance import Acknowledgement, Rate

SPELLINGS_SAID = 3

DIGITS = 16
"""So many of a digest's tell checks of one name apart."""


class Made(Protocol):
    """A check that was made."""

    @property
    def check(self) -> Check:
        """Which."""

    @property
    def sample(self) -> Sequence[Mapping[str, object]]:
        """Some of the offending rows."""

    @property
    def rows(self) -> int:
        """How many it looked at."""

    @property
    def violations(self) -> int:
        """How many of these are offending."""

    @property
    def outcome(self) -> str:
        """How it counts."""

    @property
    def acknowledgement(self) -> Acknowledgement | None:
        """Who knows of it."""


@dataclass(frozen=True)
class Wanted:
    """What a caller says of the checks of sources: to leave them out, to let sources shrink."""

    source_checks: bool = True
    accept_shrink: bool = False


def source_checks(
    graph: Graph,
    reliance: Reliance,
    facts: Facts,
    wanted: Wanted,
    names: Collection[str],
) -> SourceChecks:
    """Return the checks of sources that building some marts relies on, but those remembered."""
    read = reliance.columns_of_sources(names)
    sources = {
        name: source
        for name, source in graph.project.sources.items()
        if name in read and name in facts.sources
    }
    if not wanted.source_checks:
        return SourceChecks(tuple(sources), is_left_out=True)
    deriving = Deriving(graph, reliance)
    needed = {
        name: deriving.checks(source, read[name], names, facts)
        for name, source in sources.items()
        # What does not fit its contract is refused, or read by marts alone that are not built.
        if not (
            facts.sources[name].misfits or mismatches(source.columns, facts.sources[name].types)
        )
    }
    digests = {
        (name, check.name): deriving.digest(name, check, facts)
        for name, checks in needed.items()
        for check in checks
    }
    remembered = {name: _remembered(name, facts) for name in needed}
    by_source: dict[str, tuple[Check, ...]] = {}
    for name, checks in needed.items():
        due = [c for c in checks if digests[name, c.name] not in remembered[name]]
        if not wanted.accept_shrink:
            due += _shrink(facts.checked.get(name), facts.source_version(name))
        if due:
            by_source[name] = tuple(due)
    orphans = {
        (name, check.name)
        for name, checks in needed.items()
        for check in checks
        if check.name in deriving.orphans.get(name, ())
    }
    return SourceChecks(tuple(sources), by_source, digests, remembered, frozenset(orphans))


def _remembered(name: str, facts: Facts) -> frozenset[str]:
    """Return the digests of the checks that held of the very version that is there."""
    known, version = facts.checked.get(name), facts.source_version(name)
    return known.checks if known and version and known.version == version else frozenset()


def _shrink(known: CheckedSource | None, version: str | None) -> list[WholeCheck]:
    if known is None or not known.rows or (version and known.version == version):
        return []
    least = (known.rows + 1) // 2
    return [
        WholeCheck(
            name="not_shrunk",
            fails=lambda t: t.count() < least,
            because=f"less than half of the {known.rows:,} rows of the last published run;"
            " --accept-shrink publishes all the same",
        )
    ]


def derived_checks(graph: Graph, reliance: Reliance) -> dict[str, tuple[Check, ...]]:
    """Return all checks that can be derived for each source, whatever is selected."""
    project = graph.project
    deriving, facts = Deriving(graph, reliance), declared_facts(project, sources=project.sources)
    read = reliance.columns_of_sources(graph.order)
    return {
        name: deriving.checks(project.sources[name], columns, graph.order, facts)
        for name, columns in read.items()
    }


class Deriving:
    """Derives the checks of one project's sources."""

    def __init__(self, graph: Graph, reliance: Reliance) -> None:
        self.project = graph.project
        self.reliance = reliance
        facts = declared_facts(self.project, sources=self.project.sources)
        self.tables = logical_tables(self.project, facts)
        self.as_of = FixedAsOf(ANY_DAY)
        self.orphans: dict[str, set[str]] = {}
        """The names of the derived relationships of each source."""

    def checks(
        self, source: Source, columns: frozenset[str], names: Collection[str], facts: Facts
    ) -> tuple[Check, ...]:
        """Return the checks of a source of which these marts read these columns."""
        below = [self.reliance.by_mart[name] for name in self.reliance.below(names)]
        conditions = [c for r in below for c in r.conditions if c.seen.table == source.name]
        lookups = [each for r in below for each in r.lookups if each.source == source.name]
        known = facts.checked.get(source.name)
        return (
            *self._declared(source, columns),
            *spellings(source, columns, conditions),
            *absences(conditions),
            *self._relationships(source, lookups, known, facts),
        )

    def _declared(self, source: Source, columns: frozenset[str]) -> Iterator[Check]:
        """Yield the declared checks, and those that columns imply, of what is read or a key."""
        for check in checks_of(source):
            looked_at = self._looked_at(source, check)
            own = looked_at.pop(source.name, frozenset())
            if own <= columns | set(source.grain) and not looked_at.keys() & self.project.marts:
                yield check

    def _looked_at(self, source: Source, check: Check) -> dict[str, frozenset[str]]:
        match check:
            case UniqueCheck(columns=names, where=None):
                return {source.name: frozenset(names)}
            case _:
                return columns_read(offending_rows(source, check, self.tables, self.as_of).op())

    def _relationships(
        self,
        source: Source,
        lookups: Iterable[Lookup],
        known: CheckedSource | None,
        facts: Facts,
    ) -> Iterator[Check]:
        """Yield the lookups that nobody declared as a relationship, each once."""
        found = self.orphans.setdefault(source.name, set())
        for lookup in dict.fromkeys(replace(each, mart="") for each in lookups):
            if self._is_declared(lookup) or lookup.to_source not in facts.sources:
                continue
            check = relationship_of(lookup, source)
            last = known.orphans.get(check.name) if known else None
            if last:
                percent = Decimal(str(last)) * 200
                check = replace(check, threshold=Rate(min(percent, Decimal(100))))
            found.add(check.name)
            yield check

    def _is_declared(self, lookup: Lookup) -> bool:
        """Tell whether a source or a mart declares the relationship that a lookup is."""
        tables: list[Source | Mart] = [*self.project.sources.values(), *self.project.marts.values()]
        copies = self.reliance.copies
        for table in tables:
            for check in table.checks:
                if isinstance(check, RelationshipCheck):
                    at, to = (table.name, check.column), (check.to_table, check.to_column)
                    ends = copies.get(at, at), copies.get(to, to)
                    if ends in zip(
                        _names(lookup.source, lookup.columns),
                        _names(lookup.to_source, lookup.to_columns),
                        strict=True,
                    ):
                        return True
        return False

    def digest(self, source: str, check: Check, facts: Facts) -> str:
        """Return what changes whenever a check of a source asks another question.

        The version of another source that it reads is part of the question; a threshold that is
        remembered is not.
        """
        owner = self.project.sources[source]
        table = self.tables[source]
        if is_fused(check):
            query = fused_query(owner, table, [check])
        else:
            query = offending_rows(owner, check, self.tables, self.as_of)
        is_derived = check.name in self.orphans.get(source, ())
        tolerance = "" if is_derived else f"{check.severity} {check.threshold}"
        others = [f"{name} {facts.source_version(name)}" for name in sorted(tables_read(check))]
        return " ".join([check.name, tolerance, *others, signature(query.op())[:DIGITS]])


def _names(table: str, columns: Sequence[str]) -> list[tuple[str, str]]:
    return [(table, column) for column in columns]


def relationship_of(lookup: Lookup, source: Source) -> RelationshipCheck | TableCheck:
    """Return the check that all rows of a source find what a mart looks up."""
    if len(lookup.columns) == 1:
        return RelationshipCheck(
            column=lookup.columns[0],
            to_table=lookup.to_source,
            to_column=lookup.to_columns[0],
            severity="warn",
        )

    def offending(this: ir.Table, known: ir.Table) -> ir.Table:
        pairs = list(zip(lookup.columns, lookup.to_columns, strict=True))
        rows = this.filter([this[column].notnull() for column in lookup.columns])
        values = known.select(**{f"known_{n}": known[to] for n, (_, to) in enumerate(pairs)})
        values = values.distinct()
        joined = rows.left_join(
            values, [rows[column] == values[f"known_{n}"] for n, (column, _) in enumerate(pairs)]
        )
        unknown = joined.filter(joined.known_0.isnull())
        return unknown.select(*dict.fromkeys([*source.grain, *lookup.columns]))

    return TableCheck(
        name=f"{'_and_'.join(lookup.columns)}_in_{lookup.to_source}",
        offending=offending,
        parameters=("this", lookup.to_source),
        severity="warn",
    )


# Texts


def spellings(
    source: Source, columns: frozenset[str], conditions: Iterable[Condition]
) -> Iterator[SpellingCheck]:
    """Yield for each text column the check that nothing is spelt almost as what is meant."""
    groups: dict[str, list[tuple[Seen, tuple[str, ...]]]] = {
        column.name: [(Seen(source.name, column.name), column.values)]
        for column in source.columns
        if column.values and column.name in columns
    }
    declared = {seen for pairs in groups.values() for seen, _ in pairs}
    for condition in conditions:
        # What is declared, a mart compares with nothing else.
        if condition.seen not in declared:
            groups.setdefault(condition.seen.column, []).append((condition.seen, condition.texts))
    for name, pairs in groups.items():
        yield spelling_check(name, tuple(dict.fromkeys(pairs)))


def spelling_check(column: str, meant: tuple[tuple[Seen, tuple[str, ...]], ...]) -> SpellingCheck:
    """Return the check of a column that is compared with texts, each group as it is seen."""

    def offending(t: ir.Table) -> ir.BooleanColumn:
        found = [_almost(t[column], seen, texts) for seen, texts in meant]
        bad = found[0]
        for each in found[1:]:
            bad = bad | each
        return bad

    return SpellingCheck(
        name=f"{column}_spelling",
        offending=offending,
        column=column,
        meant={folded(text): text for _, texts in meant for text in texts},
    )


def _almost(value: ir.Value, seen: Seen, texts: tuple[str, ...]) -> ir.BooleanValue:
    """Tell which texts equal one of those that are meant but for case, blanks or form."""
    exact = _as_seen(value, seen).isin(texts)
    # The rare texts alone are folded.
    return ibis.ifelse(exact, False, equals_folded(value, texts))


def _as_seen(value: ir.Value, seen: Seen) -> ir.StringValue:
    for name in seen.functions:
        value = getattr(value, name)()
    return value


def absences(conditions: Iterable[Condition]) -> Iterator[WholeCheck]:
    """Yield for each condition the check that some row has one of its texts."""
    names: dict[str, int] = {}
    for condition in {(c.seen, frozenset(c.texts)): c for c in reversed([*conditions])}.values():
        name = f"{condition.seen.column}_compared_in_{condition.mart}"
        names[name] = names.get(name, 0) + 1
        yield WholeCheck(
            name=name if names[name] == 1 else f"{name}_{names[name]}",
            fails=_never(condition),
            column=condition.seen.column,
            severity="warn",
            because=f"{condition.mart}: {shortened(condition.words)}, and no row has"
            f" {' or '.join(map(repr, condition.texts))}",
        )


def _never(condition: Condition) -> Callable[[ir.Table], ir.BooleanScalar]:
    def fails(t: ir.Table) -> ir.BooleanScalar:
        is_one = _as_seen(t[condition.seen.column], condition.seen).isin(condition.texts)
        return (t.count() > 0) & (is_one.sum().fill_null(0) == 0)

    return fails


def shortened(words: str, length: int = 100) -> str:
    """Return words, cut where they are long."""
    return words if len(words) <= length else f"{words[: length - 1]}…"


# What they say


def explained(made: Made) -> Iterator[str]:
    """Yield what is worth saying of a check that does not hold, beside how often."""
    if isinstance(made.check, SpellingCheck):
        yield from _spelt(made.check, made.sample)
    if made.check.because:
        yield made.check.because
    if isinstance(made.check.threshold, Rate) and made.outcome != "pass":
        yield f"more than {made.check.threshold} of {made.rows:,} rows"
    if made.acknowledgement and made.outcome == "warn":
        yield f"acknowledged until {made.acknowledgement.until}: {made.acknowledgement.reason}"


def _spelt(check: SpellingCheck, sample: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for row in sample[:SPELLINGS_SAID]:
        text, count = row.values()
        meant = check.meant.get(folded(str(text)), "another text")
        yield f"{text!r} for {meant!r} in {count:,} row{'s' * (count != 1)}"
