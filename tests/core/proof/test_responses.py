"""A mart that stays as it was is told without a query, and never where the query would object."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import ibis
import pyarrow as pa
import pytest
from ibis.expr.types import Table

from backends.duckdb_worlds import DuckDBWorlds
from marts import float64, int64, invariant, mart, source, string
from marts.core.authoring.invariants import Invariant
from marts.core.authoring.tables import Mart
from marts.core.proof.building import WorldBuilder
from marts.core.proof.responses import Responses
from marts.core.proof.worlds import World
from marts.core.query.contract import schema_of
from support.workshop import AS_OF, Row, project_of

SALES = source(
    "sales",
    doc="Sales of shops.",
    grain=(),
    columns=[
        string("shop", doc="The shop."),
        int64("day", doc="The day."),
        float64("amount", varies_with="sum", doc="The amount."),
    ],
)
ROWS = ({"shop": "a", "day": 1, "amount": 1.5}, {"shop": "b", "day": 2, "amount": 2.0})


def copied(grain: Sequence[str]) -> Mart:
    @mart(grain=tuple(grain), columns=SALES.columns)
    def totals(sales: Table) -> Table:
        """Return all sales."""
        return sales

    return totals


def changing(**keywords: object) -> Invariant:
    @invariant(changes="sales", **keywords)  # type: ignore[arg-type]
    def changed(sales: Table) -> Table:
        """Nothing, or the order of the rows."""
        return sales.order_by(ibis.desc("day"))

    return changed


class Counting(DuckDBWorlds):
    """An engine that counts the queries that compare a mart with itself."""

    compared = 0

    def show(self, tables: Mapping[str, pa.Table]) -> None:
        """Count what is shown before and after a change."""
        self.compared += any(name.startswith("marts__") for name in tables)
        super().show(tables)


def wrong(rows: Sequence[Row], grain: Sequence[str], **keywords: object) -> tuple[int, int]:
    """Return in how many rows a copy of the sales responds wrongly, and the number of queries."""
    graph, engine = project_of(SALES, copied(grain)), Counting()
    table = pa.Table.from_pylist(list(rows), schema_of(SALES.columns).to_pyarrow())
    responses = Responses(WorldBuilder(graph, engine))
    world = World({"sales": table}, AS_OF)
    (found,) = responses.to(changing(**keywords), ["totals"], world)
    return found.wrong, engine.compared


@pytest.mark.parametrize("grain", [("shop",), ("shop", "day")])
def test_a_mart_that_stays_needs_no_query(grain: Sequence[str]) -> None:
    assert wrong(ROWS, grain) == (0, 0)
    assert wrong(ROWS[::-1], grain) == (0, 0)
    assert wrong(ROWS, grain, varies_with={"sum": None}) == (0, 0)


def test_a_key_that_repeats_is_wrong_though_the_mart_stays() -> None:
    twice = (*ROWS, {**ROWS[0], "day": 3})
    assert wrong(twice, ["shop"]) == (1, 1)
    assert wrong(twice, ["day"]) == (0, 0)
    unknown = tuple({**row, "shop": None} for row in ROWS)
    assert wrong(unknown, ["shop"]) == (1, 1)


@pytest.mark.parametrize(
    "keywords",
    [
        {"varies_with": {"sum": 4}},
        {"keeps": lambda totals: totals.shop != "a"},
        {"adds": {"shop": 1}},
        {"offending": lambda totals: totals.amount > 1},
    ],
    ids=["multiplies", "drops rows", "adds rows", "looks for rows"],
)
def test_a_mart_that_stays_is_wrong_where_it_must_not(keywords: dict[str, object]) -> None:
    found, compared = wrong(ROWS, ["shop"], **keywords)
    assert found
    assert compared == 1


def test_a_query_tells_of_what_is_not_equal_to_itself() -> None:
    assert wrong([{**ROWS[0], "amount": float("nan")}], ["shop"]) == (0, 1)


def test_the_marts_of_a_world_are_its_own() -> None:
    graph, engine = project_of(SALES, copied(["shop"])), DuckDBWorlds()
    responses = Responses(WorldBuilder(graph, engine))
    schema = schema_of(SALES.columns).to_pyarrow()
    first = World({"sales": pa.Table.from_pylist(list(ROWS), schema)}, AS_OF)
    others = [first, replace(first, tables={"sales": first.tables["sales"][:1]}), first]
    multiplied = changing(varies_with={"sum": 4})
    found = [next(responses.to(multiplied, ["totals"], world)).wrong for world in others]
    assert found == [2, 1, 2]
