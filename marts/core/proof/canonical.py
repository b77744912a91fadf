"""The canonical form of a mart: what decides its numbers, whatever the date, place or comments.

It is made by compiling for two dates, and so shows that the date of a run enters the SQL only as
dates at a fixed distance. The date of a run must give the same again: `refuse_other_sql`.
"""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence
from itertools import combinations
from types import MappingProxyType
from typing import Any, Protocol, TypeAlias

import ibis.expr.operations as ops
import ibis.expr.types as ir

from marts.core.analysis.lineage import signature_lines
from marts.core.authoring.checks import Check, FreshCheck, TableCheck
from marts.core.authoring.columns import Column
from marts.core.authoring.expressions import AS_OF, FixedAsOf
from marts.core.authoring.signature import naming
from marts.core.authoring.tables import Mart, Source
from marts.core.errors import DefinitionError
from marts.core.plan.proofs import Canonical
from marts.core.plan.queries import Queries
from marts.core.plan.state import CompiledQuery, declared_state
from marts.core.project.graph import Graph
from marts.core.proof.slots import Days, OtherwiseDatedError, slotted_lines, slotted_tree

DAYS: Days = datetime.date(2019, 2, 16), datetime.date(2024, 5, 31)
"""The dates compared: a Saturday and a Friday, in different months, quarters and kinds of year, so
that hardly anything can depend on a date without a difference between them. The second is that of
the generic worlds, whose queries are compiled already."""

MOST_COMBINED = 4
"""Up to so many optional sources of a mart, every set of them may be absent."""

KnownQueries: TypeAlias = Mapping[tuple[str, ops.Node], CompiledQuery]
"""Queries that were compiled before, by dialect and expression."""
NONE_KNOWN: KnownQueries = MappingProxyType({})


class Dialect(Protocol):
    """How an engine's SQL is made, and the parameters of its sessions that change results."""

    @property
    def name(self) -> str:
        """The name of the engine."""

    @property
    def compile(self) -> Callable[[ir.Table], CompiledQuery]:
        """Compiles a query over bare names."""

    @property
    def parameters(self) -> Mapping[str, str]:
        """The parameters, by name."""


class Canon:
    """The canonical forms of a project's marts, each made once and when it is asked for."""

    def __init__(
        self, graph: Graph, dialects: Collection[Dialect], known: KnownQueries = NONE_KNOWN
    ) -> None:
        self.graph = graph
        self.dialects = {each.name: each for each in dialects}
        self._known = known
        self._queries: dict[tuple[datetime.date, frozenset[str]], Queries] = {}
        self._trees: dict[tuple[str, str, datetime.date, frozenset[str]], CompiledQuery] = {}
        self._checks: dict[str, Mapping[str, Any]] = {}
        self._found: dict[str, Canonical] = {}

    def of(self, name: str) -> Canonical:
        """Return the canonical form of a mart.

        Raises DefinitionError for a mart, one that it reads or a check that depends on the date in
        another way than by dates at a fixed distance from it.
        """
        if name not in self._found:
            behind = {name, *self.graph.upstream(name)} - self._found.keys()
            for each in (each for each in self.graph.order if each in behind):
                self._found[each] = self._made(self.graph.project.marts[each])
        return self._found[name]

    def refuse_other_sql(
        self, name: str, query: CompiledQuery, day: datetime.date, present: Collection[str]
    ) -> None:
        """Raise DefinitionError unless a run's query is the canonical one, as of its day.

        `query` was compiled by one of the engines; `present` are the sources that exist.
        """
        mart = self.graph.project.marts[name]
        absent = frozenset(self._optional(mart)) - {*present}
        expected = self.of(name).sql[query.dialect].get(absence(absent))
        other = next(each for each in DAYS if each != day)
        text = self._slotted(
            mart, query, self._tree(mart, query.dialect, other, absent), (day, other)
        )
        if expected is None:
            raise DefinitionError(
                f"mart {name}: no proof is about its SQL {absence(absent)}", mart.location
            )
        if text != expected:
            raise DefinitionError(
                f"mart {name}: its SQL as of {day} is not the one of other dates",
                mart.location,
                hint="let the date enter it only as as_of.date, as_of.minus(…) or as_of.plus(…)",
            )

    def _made(self, mart: Mart) -> Canonical:
        project = self.graph.project
        return Canonical(
            sql={name: self._sql(mart, name) for name in self.dialects},
            contract=_contract(mart),
            checks=self._checks_of(mart),
            sources={
                name: {**_contract(source), "checks": self._checks_of(source)}
                for name, source in project.sources.items()
                if name in mart.inputs
            },
            marts={name: self._found[name].digest for name in mart.inputs if name in project.marts},
            parameters={name: dict(each.parameters) for name, each in self.dialects.items()},
        )

    def _sql(self, mart: Mart, dialect: str) -> dict[str, str]:
        """Return a mart's SQL in a dialect, for each set of optional sources that may be absent."""
        found = {}
        for absent in absences(self._optional(mart)):
            one, other = (self._tree(mart, dialect, day, absent) for day in DAYS)
            found[absence(absent)] = self._slotted(mart, one, other, DAYS)
        return found

    def _optional(self, mart: Mart) -> list[str]:
        sources = self.graph.project.sources
        return [name for name in mart.inputs if name in sources and sources[name].optional]

    def _slotted(self, mart: Mart, one: CompiledQuery, other: CompiledQuery, days: Days) -> str:
        with naming(f"mart {mart.name}", mart.location):
            try:
                tree = slotted_tree(one.tree, other.tree, days)
            except OtherwiseDatedError as error:
                raise _otherwise_dated(f"mart {mart.name}", mart.location, error) from error
            return tree.sql(one.dialect, pretty=True)

    def _tree(
        self, mart: Mart, dialect: str, day: datetime.date, absent: frozenset[str]
    ) -> CompiledQuery:
        key = mart.name, dialect, day, absent
        if key not in self._trees:
            query = self._queries_of(day, absent).of(mart)
            with naming(f"mart {mart.name} on {dialect}", mart.location):
                known = self._known.get((dialect, query.op()))
                self._trees[key] = known or self.dialects[dialect].compile(query)
        return self._trees[key]

    def _queries_of(self, day: datetime.date, absent: frozenset[str] = frozenset()) -> Queries:
        if (day, absent) not in self._queries:
            project = self.graph.project
            state = declared_state(project, sources=project.sources.keys() - absent)
            self._queries[day, absent] = Queries(project, state, FixedAsOf(day))
        return self._queries[day, absent]

    def _checks_of(self, table: Source | Mart) -> Mapping[str, Any]:
        """Return the declared checks of a table as data; the others follow from its contract."""
        if table.name not in self._checks:
            self._checks[table.name] = {
                check.name: {
                    "severity": check.severity,
                    "threshold": str(check.threshold),
                    "counts": f"newer than {check.hours} hours: {check.column}"
                    if isinstance(check, FreshCheck)
                    else self._counted(table, check),
                }
                for check in table.checks
            }
        return self._checks[table.name]

    def _counted(self, table: Source | Mart, check: Check) -> str:
        """Return a digest of the expression by which a check counts violations."""
        what = f"check {check.name} of {table.name}"
        is_dated = isinstance(check, TableCheck) and AS_OF in check.parameters
        with naming(what, table.location):
            one, other = (
                signature_lines(self._queries_of(day).of_check(table, check).op())
                for day in (DAYS if is_dated else DAYS[:1] * 2)
            )
            try:
                lines = slotted_lines(one, other, DAYS)
            except OtherwiseDatedError as error:
                raise _otherwise_dated(what, table.location, error) from error
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def case_of(graph: Graph, name: str, present: Collection[str]) -> str:
    """Return the name of the case of a mart in which some sources exist: which others are absent.

    Only the optional sources count that the mart reads, directly or through other marts.
    """
    return absence(optional_behind(graph, name) - {*present})


def optional_behind(graph: Graph, name: str) -> frozenset[str]:
    """Return the optional sources that a mart reads, directly or through other marts."""
    project, behind = graph.project, {name, *graph.upstream(name)}
    read = {each for mart in behind for each in project.marts[mart].inputs}
    sources = (project.sources[each] for each in read & project.sources.keys())
    return frozenset(each.name for each in sources if each.optional)


def absence(absent: Collection[str]) -> str:
    """Return the name of the case in which some optional sources are absent; empty for none."""
    return f"without {', '.join(sorted(absent))}" if absent else ""


def absences(optional: Sequence[str]) -> list[frozenset[str]]:
    """Return the sets of optional sources that may be absent: all sets, unless these are many."""
    sizes = range(len(optional) + 1) if len(optional) <= MOST_COMBINED else (0, 1, len(optional))
    return [frozenset(found) for size in sizes for found in combinations(optional, size)]


def _contract(table: Source | Mart) -> dict[str, Any]:
    """Return what a table's declaration says of its rows, without texts and places."""
    own: dict[str, Any] = {"grain": list(table.grain), "columns": list(map(_column, table.columns))}
    match table:
        case Source():
            return {**own, "optional": table.optional, "source_name": table.source_name}
        case Mart():
            return {**own, "materialized": table.materialized, "unchecked": table.unchecked}


def _column(column: Column) -> dict[str, Any]:
    """Return what a column's declaration says of its values, and how it is read."""
    return {
        "name": column.name,
        "type": column.type,
        "null": column.null,
        "default": column.default,
        "unique": column.unique,
        "values": list(column.values),
        "at_least": column.at_least,
        "at_most": column.at_most,
        "zone": column.zone,
        "source_name": column.source_name,
    }


def _otherwise_dated(what: str, location: str, error: OtherwiseDatedError) -> DefinitionError:
    return DefinitionError(
        f"{what} depends on as_of in another way than by dates: it cannot be proven",
        str(error),
        location,
        hint="let the date enter it only as as_of.date, as_of.minus(…) or as_of.plus(…)",
    )
