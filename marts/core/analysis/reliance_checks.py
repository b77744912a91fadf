"""Checks that follow from what marts rely on: of sources, beside those that these declare.

A source's declared and implied checks are made where its columns are read, its grain's always.
What marts compare a text column with gives two more: how it is spelt, and whether it occurs; what
they look up in a whole source gives a relationship, where none is declared.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from types import MappingProxyType

import ibis
import ibis.expr.types as ir

from marts.core.analysis.lineage import columns_read, signature
from marts.core.analysis.reliance import ANY_DAY, Condition, Lookup, Reliance
from marts.core.analysis.text_values import TextColumn
from marts.core.authoring.checks import (
    Check,
    RelationshipCheck,
    SpellingCheck,
    TableCheck,
    UniqueCheck,
    WholeCheck,
    is_fused,
    tables_read,
)
from marts.core.authoring.expressions import FixedAsOf
from marts.core.authoring.tables import Mart, Source, checks_of
from marts.core.authoring.tolerance import Rate
from marts.core.project.graph import Graph
from marts.core.query.checks import fused_query, offending_rows
from marts.core.query.definition import logical_tables
from marts.core.query.folding import equals_folded, folded

DIGITS = 16
"""So many of a digest's tell checks of one name apart."""


def derived_checks(graph: Graph, reliance: Reliance) -> dict[str, tuple[Check, ...]]:
    """Return all checks that can be derived for each source, whatever is selected."""
    project = graph.project
    deriving = Deriving(graph, reliance)
    read = reliance.columns_of_sources(graph.order)
    return {
        name: deriving.checks(project.sources[name], columns, graph.order, present=project.sources)
        for name, columns in read.items()
    }


class Deriving:
    """Derives the checks of one project's sources."""

    def __init__(self, graph: Graph, reliance: Reliance) -> None:
        self.project = graph.project
        self.reliance = reliance
        self.tables = logical_tables(self.project)
        self.as_of = FixedAsOf(ANY_DAY)
        self.orphans: dict[str, set[str]] = {}
        """The names of the derived relationships of each source."""

    def checks(
        self,
        source: Source,
        columns: frozenset[str],
        names: Collection[str],
        *,
        present: Collection[str],
        shares: Mapping[str, float] = MappingProxyType({}),
    ) -> tuple[Check, ...]:
        """Return the checks of a source of which these marts read these columns.

        Of the sources, those are `present`; `shares` are what part of the rows found nothing in
        each lookup when it was last checked, by the name of the check.
        """
        below = [self.reliance.by_mart[name] for name in self.reliance.below(names)]
        conditions = [c for r in below for c in r.conditions if c.seen.table == source.name]
        lookups = [each for r in below for each in r.lookups if each.source == source.name]
        return (
            *self._declared(source, columns),
            *spellings(source, columns, conditions),
            *absences(conditions),
            *self._relationships(source, lookups, present, shares),
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
        present: Collection[str],
        shares: Mapping[str, float],
    ) -> Iterator[Check]:
        """Yield the lookups that nobody declared as a relationship, each once."""
        found = self.orphans.setdefault(source.name, set())
        for lookup in dict.fromkeys(replace(each, mart="") for each in lookups):
            if self._is_declared(lookup) or lookup.to_source not in present:
                continue
            check = relationship_of(lookup, source)
            if last := shares.get(check.name):
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

    def digest(self, source: str, check: Check, version_of: Callable[[str], str | None]) -> str:
        """Return what changes whenever a check of a source asks another question.

        The version of another source that it reads is part of the question (`version_of` names
        it); a threshold that is remembered is not.
        """
        owner = self.project.sources[source]
        table = self.tables[source]
        if is_fused(check):
            query = fused_query(owner, table, [check])
        else:
            query = offending_rows(owner, check, self.tables, self.as_of)
        is_derived = check.name in self.orphans.get(source, ())
        tolerance = "" if is_derived else f"{check.severity} {check.threshold}"
        others = [f"{name} {version_of(name)}" for name in sorted(tables_read(check))]
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
    groups: dict[str, list[tuple[TextColumn, tuple[str, ...]]]] = {
        column.name: [(TextColumn(source.name, column.name), column.values)]
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


def spelling_check(
    column: str, meant: tuple[tuple[TextColumn, tuple[str, ...]], ...]
) -> SpellingCheck:
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


def _almost(value: ir.Value, seen: TextColumn, texts: tuple[str, ...]) -> ir.BooleanValue:
    """Tell which texts equal one of those that are meant but for case, blanks or form."""
    exact = _as_seen(value, seen).isin(texts)
    # The rare texts alone are folded.
    return ibis.ifelse(exact, False, equals_folded(value, texts))


def _as_seen(value: ir.Value, seen: TextColumn) -> ir.StringValue:
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
