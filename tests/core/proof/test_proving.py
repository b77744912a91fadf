"""A prover finds what does not hold: a twin, another engine, a refusal, an invariant."""

from __future__ import annotations

from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from ibis.expr.types import Table

from backends.duckdb_worlds import DuckDBWorlds
from marts import invariant
from marts.core.errors import DefinitionError, EngineError
from marts.core.plan.state import CompiledQuery, Materialized
from marts.core.project.graph import Graph, link
from marts.core.proof.building import WorldBuilder
from marts.core.proof.proving import Keys, Prover, Smallest, as_it_is
from marts.core.proof.worlds import World
from marts.core.query.contract import schema_of
from support.workshop import AS_OF, CUSTOMERS, ORDERS, SHOP, Row

TOTALS = "customer_totals"


class Other(DuckDBWorlds):
    """An engine that adds a cent to what one customer has spent, and can refuse a mart."""

    name = "other"

    def __init__(self, *, refused: str = "") -> None:
        super().__init__()
        self.refused = refused

    def build(self, name: str, query: CompiledQuery, *, kind: Materialized) -> None:
        """Refuse one mart."""
        if name == self.refused:
            raise EngineError(f"other could not build {name}", "an amount is too large")
        super().build(name, query, kind=kind)

    def rows(self, query: CompiledQuery | str) -> pa.Table:
        """Return the rows, wrong ones for one mart."""
        found = super().rows(query)
        return one_cent_more(found) if query == TOTALS else found


def one_cent_more(table: pa.Table) -> pa.Table:
    cent = pa.scalar("0.01").cast(pa.decimal128(18, 2))
    at = table.schema.get_field_index("spend")
    is_first = pc.equal(table.column("customer_id"), "c1")
    spend = pc.if_else(is_first, pc.add(table.column("spend"), cent), table.column("spend"))
    return table.set_column(at, "spend", spend.cast(pa.decimal128(18, 2)))


def world(*orders: Row) -> World:
    rows = {"customers": CUSTOMERS, "orders": orders or ORDERS}
    schemas = {n: schema_of(SHOP.project.sources[n].columns).to_pyarrow() for n in rows}
    tables = {n: pa.Table.from_pylist(list(rows[n]), schemas[n]) for n in rows}
    return World(tables, AS_OF, "a world")


def prover(
    graph: Graph = SHOP,
    *,
    twin: bool = False,
    other: Other | None = None,
    smallest: Smallest = as_it_is,
) -> Prover:
    """Return a prover whose twin of the customers' totals is a cent off."""
    own = WorldBuilder(graph, DuckDBWorlds())
    twins = {TOTALS: lambda w: one_cent_more(own.build(w, [TOTALS]).tables[TOTALS])}
    return Prover(
        graph,
        graph.order,
        twins if twin else {},
        WorldBuilder(graph, DuckDBWorlds()),
        [WorldBuilder(graph, other)] if other else [],
        smallest=smallest,
    )


def test_what_holds_is_counted() -> None:
    tried = prover(other=Other())
    tried.try_world(world(), on_others=True)
    tried.try_world(world(ORDERS[2]), on_others=False)
    assert tried.worlds == dict.fromkeys(SHOP.order, 2)
    assert {kind for _, kind in tried.failures} == {"engines"}
    agreed = {name for name in SHOP.order if tried.agreed[name]["other"] == 1}
    assert agreed == {*SHOP.order} - {TOTALS}


@pytest.mark.parametrize("kind", ["twin", "engines"])
def test_a_difference_is_shown_on_the_smallest_world(kind: str) -> None:
    seen: list[World] = []

    def smallest(found: World, differs: object, *, mart: str, keys: Keys) -> World:
        assert (mart, [*keys]) == (TOTALS, [("c1",)])
        smaller = replace(found, tables={**found.tables, "orders": found.tables["orders"][:1]})
        assert callable(differs)
        assert differs(smaller)
        assert not differs(replace(found, tables={n: t[:0] for n, t in found.tables.items()}))
        seen.append(smaller)
        return smaller

    tried = prover(
        twin=kind == "twin", other=Other() if kind == "engines" else None, smallest=smallest
    )
    tried.try_world(world(), on_others=True)
    tried.try_world(world(), on_others=True)
    (failure,) = tried.failures.values()
    assert (failure.mart, failure.kind, [failure.world]) == (TOTALS, kind, seen)
    assert failure.differences
    (cell,) = failure.differences.cells
    assert (cell.key, cell.column) == (("c1",), "spend")
    assert cell.expected - cell.actual == pc.cast("0.01", pa.decimal128(3, 2)).as_py()


def test_a_twin_that_fails_is_shown_on_a_smallest_world() -> None:
    def fails(found: World) -> pa.Table:
        if found.tables["orders"].num_rows > 1:
            raise DefinitionError("the twin failed", "ZeroDivisionError")
        return found.tables["orders"]

    def smallest(found: World, differs: object, *, mart: str, keys: Keys) -> World:
        assert (mart, [*keys]) == (TOTALS, [])
        assert callable(differs)
        few = [
            replace(found, tables={**found.tables, "orders": found.tables["orders"][:n]})
            for n in (1, 2)
        ]
        assert [differs(each) for each in few] == [False, True]
        return few[1]

    tried = prover(smallest=smallest)
    tried.twins = {TOTALS: fails}
    tried.try_world(world(), on_others=False)
    (failure,) = tried.failures.values()
    assert (failure.kind, failure.sides[0], failure.world.tables["orders"].num_rows) == (
        "twin",
        "twin",
        2,
    )
    assert "ZeroDivisionError" in str(failure.error)


def test_a_refusal_is_that_of_the_mart_itself() -> None:
    tried = prover(other=Other(refused="int_paid_orders"))
    tried.try_world(world(), on_others=True)
    refused = [failure for (_, kind), failure in tried.failures.items() if kind == "query"]
    assert [(each.mart, each.sides[0]) for each in refused] == [("int_paid_orders", "other")]
    assert "too large" in str(refused[0].error)
    assert tried.agreed["model_sales"]["other"] == 0
    assert tried.agreed["model_sales"]["duckdb"] == 1


@invariant(changes="orders")
def an_order_more_changes_nothing(orders: Table) -> Table:
    """Every order occurs twice: wrong of every mart that adds up orders."""
    return orders.union(orders.mutate(order_id=orders.order_id + "'"))


def test_an_invariant_that_does_not_hold_is_found() -> None:
    invariants = {an_order_more_changes_nothing.name: an_order_more_changes_nothing}
    tried = prover(link(replace(SHOP.project, invariants=invariants)))
    tried.try_invariants(world())
    assert (TOTALS, "invariant") in tried.failures
    assert "does not hold" in str(tried.failures[TOTALS, "invariant"].error)
    tried = prover(link(replace(SHOP.project, invariants=invariants)))
    tried.try_invariants(replace(world(), tables={n: t[:0] for n, t in world().tables.items()}))
    assert not tried.failures
    assert tried.held[TOTALS] == {an_order_more_changes_nothing.name}


def test_time_that_is_over_ends_a_try_between_two_marts() -> None:
    invariants = {an_order_more_changes_nothing.name: an_order_more_changes_nothing}
    graph = link(replace(SHOP.project, invariants=invariants))
    empty = replace(world(), tables={n: t[:0] for n, t in world().tables.items()})
    left = [False, False, True]
    tried = prover(graph)
    tried.try_invariants(empty, is_over=lambda: left.pop(0))
    assert len(tried.held) == 2
    assert not left
    every = prover(graph)
    every.try_invariants(empty)
    assert len(every.held) > 2
