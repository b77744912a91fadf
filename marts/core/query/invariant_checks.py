"""Invariants as checks: each compares a mart with the same mart made from changed sources.

Such a check is one query over the mart and the sources, with the definitions of the marts between
them inlined; nothing is built for it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import replace
from functools import partial

import ibis.expr.types as ir

from marts.core.authoring.checks import THIS, TableCheck
from marts.core.authoring.expressions import AS_OF, AsOf
from marts.core.authoring.invariants import Invariant
from marts.core.authoring.signature import BOOLEAN_COLUMN, TABLE, call
from marts.core.authoring.tables import Mart
from marts.core.project.graph import Graph
from marts.core.query.contract import conform
from marts.core.query.definition import inlined
from marts.core.query.difference import difference


def with_invariants(graph: Graph, *, without: Collection[tuple[str, str]] = frozenset()) -> Graph:
    """Return the graph with a check in each mart for every invariant that must hold for it.

    Pairs of a mart and an invariant that are `without` have no check.
    """
    project = graph.project
    marts = {
        name: replace(mart, checks=(*mart.checks, *invariant_checks(graph, mart, without=without)))
        for name, mart in project.marts.items()
    }
    return replace(graph, project=replace(project, marts=marts))


def invariant_checks(
    graph: Graph, mart: Mart, *, without: Collection[tuple[str, str]] = frozenset()
) -> Iterator[TableCheck]:
    """Yield the checks of a mart that its project's invariants imply."""
    for invariant in graph.project.invariants.values():
        if concerns(invariant, mart, graph) and (mart.name, invariant.name) not in without:
            rows, count = (
                partial(unexpected, invariant, mart),
                partial(_miscounted, invariant, mart),
            )
            yield _check(graph, mart, invariant, invariant.name, rows)
            if invariant.offending is None and invariant.adds.get(mart.grain):
                yield _check(graph, mart, invariant, f"{invariant.name}_rows", count)


def concerns(invariant: Invariant, mart: Mart, graph: Graph) -> bool:
    """Tell whether an invariant must hold for a mart: it is about the mart, which is not exempt."""
    return invariant.name not in mart.exempt and graph.is_concerned(mart, invariant)


def changed_sources(
    invariant: Invariant, graph: Graph, tables: Mapping[str, ir.Table], as_of: AsOf
) -> dict[str, ir.Table]:
    """Return the sources among some tables as the invariant changes them, cast to their contracts.

    Those that the invariant reads must be there.
    """
    # A source may have more columns than its contract, and Ibis writes all of them as `*`.
    sources = {
        source.name: conform(
            tables[source.name], source.columns, what=source.name, location=source.location
        )
        for source in graph.project.sources.values()
        if source.name in tables
    }
    what = f"invariant {invariant.name}"
    given = [as_of if name == AS_OF else sources[name] for name in invariant.parameters]
    location = invariant.location
    table = call(invariant.change, *given, what=what, location=location, expected=TABLE)
    contract = graph.project.sources[invariant.source].columns
    return sources | {invariant.source: conform(table, contract, what=what, location=location)}


def unexpected(invariant: Invariant, mart: Mart, before: ir.Table, after: ir.Table) -> ir.Table:
    """Return the rows in which a mart does not respond to the invariant's change as it must."""
    if invariant.offending is not None:
        return after.filter(_predicate(invariant, invariant.offending, after))
    if invariant.keeps is not None:
        before = before.filter(_predicate(invariant, invariant.keeps, before))
    if mart.grain in invariant.adds:
        after = after.semi_join(before, list(mart.grain)).view()
    return difference(before, after, mart.grain, expected=_factors(invariant, mart))


def may_stay(invariant: Invariant, mart: Mart) -> bool:
    """Tell whether a mart that stays as it was responds to the invariant's change as it must."""
    factors = _factors(invariant, mart)
    return (
        invariant.offending is None
        and invariant.keeps is None
        and mart.grain not in invariant.adds
        and factors.keys().isdisjoint(mart.grain)
        and {*factors.values()} <= {1, None}
    )


def _factors(invariant: Invariant, mart: Mart) -> dict[str, int | None]:
    """Return what the columns are multiplied by that need not stay the same."""
    return {
        column.name: _expected(column.varies_with, invariant)
        for column in mart.columns
        if any(word in invariant.varies_with for word in column.varies_with)
    }


def _predicate(
    invariant: Invariant, function: Callable[[ir.Table], ir.BooleanColumn], table: ir.Table
) -> ir.BooleanColumn:
    what, location = f"invariant {invariant.name}", invariant.location
    found: ir.BooleanColumn = call(
        function, table, what=what, location=location, expected=BOOLEAN_COLUMN
    )
    return found


def _miscounted(
    invariant: Invariant, mart: Mart, before: ir.Table, after: ir.Table
) -> ir.BooleanScalar:
    added = invariant.adds[mart.grain] or 0
    return after.count().as_scalar() != before.count().as_scalar() * (1 + added)


def _expected(words: tuple[str, ...], invariant: Invariant) -> int | None:
    factors = [invariant.varies_with[word] for word in words if word in invariant.varies_with]
    return factors[0] if len(set(factors)) == 1 else None


def _check(
    graph: Graph,
    mart: Mart,
    invariant: Invariant,
    name: str,
    wrong: Callable[[ir.Table, ir.Table], ir.Table | ir.BooleanScalar],
) -> TableCheck:
    """Return the check that `wrong` finds nothing between a mart and its response.

    It reads the sources that the mart or the invariant reads, and no others.
    """
    behind = {mart.name, *graph.upstream(mart.name)}
    upstream = replace(graph, order=tuple(name for name in graph.order if name in behind))
    tables = (table for name in behind for table in graph.project.marts[name].inputs)
    read = {*invariant.inputs, invariant.source, *tables}
    sources = tuple(name for name in graph.project.sources if name in read)

    def offending(this: ir.Table, as_of: AsOf, *tables: ir.Table) -> ir.Table | ir.BooleanScalar:
        given = dict(zip(sources, tables, strict=True))
        changed = changed_sources(invariant, graph, given, as_of)
        return wrong(this, inlined(upstream, changed, as_of)[mart.name])

    return TableCheck(name=name, offending=offending, parameters=(THIS, AS_OF, *sources))
