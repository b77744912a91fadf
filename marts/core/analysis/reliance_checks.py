"""Checks of sources: the declared ones that marts need, and those derived from what marts rely on.

A declared or implied check is needed if marts read its columns, or if they belong to the grain. The
texts that marts compare a column with give two checks (see `text_checks`), and a lookup in a whole
source gives a relationship, unless one is declared.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from decimal import Decimal
from types import MappingProxyType

import ibis.expr.types as ir

from marts.core.analysis.column_lineage import ANY_DAY, columns_read
from marts.core.analysis.lineage import signature
from marts.core.analysis.reliance import Lookup, Reliance
from marts.core.analysis.text_checks import occurrence_checks, spelling_checks
from marts.core.authoring.checks import (
    Check,
    FreshCheck,
    RelationshipCheck,
    TableCheck,
    UniqueCheck,
    is_fused,
    tables_read,
)
from marts.core.authoring.expressions import FixedAsOf
from marts.core.authoring.tables import Mart, Source, checks_of
from marts.core.authoring.tolerance import Rate
from marts.core.project.graph import Graph
from marts.core.query.checks import fused_query, offending_rows
from marts.core.query.definition import logical_tables

DIGITS = 16
"""How many digits of a digest distinguish checks of the same name."""


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
        """Return the checks of a source for the marts `names`, which read its `columns`.

        `present` are the sources that exist. `shares` has, by the name of the check, the share of
        rows without a match in each lookup when it was last checked.
        """
        found = [self.reliance.by_mart[name] for name in self.reliance.upstream(names)]
        conditions = [c for r in found for c in r.conditions if c.column.table == source.name]
        lookups = [each for r in found for each in r.lookups if each.source == source.name]
        return (
            *self._declared(source, columns),
            *spelling_checks(source, columns, conditions),
            *occurrence_checks(conditions),
            *self._relationships(source, lookups, present, shares),
        )

    def _declared(self, source: Source, columns: frozenset[str]) -> Iterator[Check]:
        """Yield the declared and implied checks of columns that marts read, and of the grain."""
        for check in checks_of(source):
            if isinstance(check, FreshCheck):
                # It is about the source as a whole, whichever of its columns are read.
                yield check
                continue
            read = self._columns_read(source, check)
            own = read.pop(source.name, frozenset())
            if own <= columns | set(source.grain) and not read.keys() & self.project.marts:
                yield check

    def _columns_read(self, source: Source, check: Check) -> dict[str, frozenset[str]]:
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
        """Yield a check for each lookup that is not declared as a relationship, each once."""
        found = self.orphans.setdefault(source.name, set())
        for lookup in dict.fromkeys(replace(each, mart="") for each in lookups):
            if self._is_declared(lookup) or lookup.to_source not in present:
                continue
            check = _relationship_of(lookup, source)
            if last := shares.get(check.name):
                percent = Decimal(str(last)) * 200
                check = replace(check, threshold=Rate(min(percent, Decimal(100))))
            found.add(check.name)
            yield check

    def _is_declared(self, lookup: Lookup) -> bool:
        """Tell whether a source or a mart declares a lookup as a relationship."""
        tables: list[Source | Mart] = [*self.project.sources.values(), *self.project.marts.values()]
        copies = self.reliance.copies
        pairs = {
            ((lookup.source, column), (lookup.to_source, to_column))
            for column, to_column in zip(lookup.columns, lookup.to_columns, strict=True)
        }
        for table in tables:
            for check in table.checks:
                if isinstance(check, RelationshipCheck):
                    one, other = (table.name, check.column), (check.to_table, check.to_column)
                    if (copies.get(one, one), copies.get(other, other)) in pairs:
                        return True
        return False

    def digest(self, source: str, check: Check, version_of: Callable[[str], str | None]) -> str:
        """Return a text that changes whenever a check of a source computes something else.

        It includes the versions of other sources that the check reads, from `version_of`, but not a
        threshold that depends on an earlier run.
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


def _relationship_of(lookup: Lookup, source: Source) -> RelationshipCheck | TableCheck:
    """Return the check that every row of a source has a match in a mart's lookup."""
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
