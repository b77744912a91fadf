"""Tracing: a value is computed again from the rows behind it; rows that do not matter are not."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

import ibis
import pyarrow as pa
import pytest
from ibis.expr.types import Table

from marts import int64, mart, source, string
from marts.core.analysis.tracing import Extent, Trace, Untraceable
from marts.core.operations.proof_engines import on_duckdb
from marts.core.project.graph import Graph
from marts.core.proof.building import WorldBuilder
from marts.core.proof.comparison import same_value
from marts.core.proof.corpus import Generator
from marts.core.proof.worlds import World
from marts.core.query.contract import schema_of
from support.data_sets import drawn
from support.engines import GRAPH
from support.tracing import Traces
from support.workshop import SHOP, project_of

AS_OF = datetime.date(2024, 6, 15)
EXTENTS = {"behind": Extent(), "looked at": Extent(filtered=False)}

# Definitions of all kinds, over two small tables

sales = source(
    "sales",
    doc="Sales.",
    grain="id",
    columns=[
        int64("id"),
        string("shop", null=True),
        int64("day"),
        int64("amount", null=True),
        string("buyer"),
    ],
)
shops = source(
    "shops",
    doc="Shops.",
    grain="shop",
    columns=[string("shop"), string("region", null=True), int64("rent")],
)
SALES = [
    *((1, "a", 1, 10, "x"), (2, "a", 2, 20, "x"), (3, "a", 3, None, "y"), (4, "b", 1, 40, "y")),
    *((5, "b", 2, 50, "x"), (6, "c", 2, 60, "z"), (7, None, 1, 70, "z"), (8, "gone", 3, 80, "y")),
    *((9, None, 2, 90, "x"), (10, "c", 3, 5, "z")),
]
SHOPS = [("a", "north", 1), ("b", "north", 2), ("c", None, 3), ("d", None, 4), ("e", "south", 5)]


@mart(grain="k", columns=[string("k"), int64("v", null=True)], unchecked=True)
def toy(sales: Table, shops: Table) -> Table:  # noqa: ARG001  (a definition may read it)
    """A mart that is given another definition in each test."""
    return sales.select(k=sales.shop, v=sales.amount * 1)


def table_of(graph: Graph, name: str, rows: list[Any]) -> pa.Table:
    """Return a source's table of some rows; columns that are left out are null."""
    schema = schema_of(graph.project.sources[name].columns)
    named = [
        row if isinstance(row, Mapping) else dict(zip(schema.names, row, strict=True))
        for row in rows
    ]
    return pa.Table.from_pylist(named, schema.to_pyarrow())


def _dense(sales: Table, _: Table) -> Table:
    numbers = sales.select("id", n=ibis.dense_rank().over(order_by=sales.buyer))
    totals = sales.inner_join(numbers, "id").group_by("n").aggregate(v=lambda t: t.amount.sum())
    named = sales.inner_join(numbers, "id").select("n", k="buyer").distinct()
    return named.inner_join(totals, "n")


def _other_numbers(sales: Table, shops: Table) -> Table:
    here = sales.select("amount", "buyer", n=ibis.row_number().over(order_by=sales.id))
    there = shops.select("shop", n=ibis.row_number().over(order_by=shops.shop))
    return here.inner_join(there, "n").select(k="shop", v="amount")


DEFINITIONS: dict[str, tuple[Callable[[Table, Table], Table], str | None, set[int] | None]] = {
    "a sum": (
        lambda s, _: s.group_by(k="shop").aggregate(v=s.amount.sum()),
        "a",
        {1, 2, 3},
    ),
    "rows that a filter keeps": (
        lambda s, _: s.filter(s.day > 1).group_by(k="shop").aggregate(v=s.amount.sum()),
        "a",
        {2, 3},
    ),
    "a group by what is computed": (
        lambda s, _: s.group_by(k=ibis.ifelse(s.day > 1, "late", "early")).aggregate(
            v=s.amount.sum()
        ),
        "early",
        {1, 4, 7},
    ),
    "a join": (
        lambda s, h: (
            s.inner_join(h, "shop").group_by(k="region").aggregate(v=lambda t: t.amount.sum())
        ),
        "north",
        {1, 2, 3, 4, 5},
    ),
    "a join that keeps rows without a match": (
        lambda s, h: h.left_join(s.group_by("shop").aggregate(v=s.amount.sum()), "shop").select(
            k="shop", v="v"
        ),
        "c",
        {6, 10},
    ),
    "no match": (
        lambda s, h: h.left_join(s.group_by("shop").aggregate(v=s.amount.sum()), "shop").select(
            k="shop", v="v"
        ),
        "d",
        set(),
    ),
    "a label of what may be missing": (
        lambda s, h: (
            h.left_join(s.group_by("shop").aggregate(v=s.amount.sum()), "shop")
            .mutate(k=lambda t: ibis.cases((t.v < 50, "few"), (t.v >= 50, "many"), else_="none"))
            .group_by("k")
            .aggregate(v=lambda t: t.rent.sum())
        ),
        "many",
        {4, 5, 6, 10},
    ),
    "the rows without a match": (
        lambda s, h: (
            s.left_join(h, "shop")
            .filter(lambda t: t.rent.isnull())
            .group_by(k="buyer")
            .aggregate(v=lambda t: t.amount.sum())
        ),
        "y",
        {3, 4, 8},
    ),
    "groups of groups": (
        lambda s, _: (
            s.group_by("shop")
            .aggregate(n=s.count(), most=s.amount.max())
            .group_by(k=lambda t: t.n.cast("string"))
            .aggregate(v=lambda t: t.most.sum())
        ),
        "2",
        {4, 5, 6, 7, 9, 10},
    ),
    "groups that are many enough": (
        lambda s, _: (
            s.group_by(k="shop").aggregate(n=s.count(), v=s.amount.sum()).filter(lambda t: t.n > 1)
        ),
        "a",
        {1, 2, 3},
    ),
    "the row before": (
        lambda s, _: s.mutate(
            k=s.id.cast("string"), v=s.amount.lag().over(group_by=s.buyer, order_by=s.day)
        ),
        "2",
        {1, 2, 5, 9},
    ),
    "the last row of each": (
        lambda s, _: (
            s.mutate(n=ibis.row_number().over(group_by=s.buyer, order_by=[s.day.desc(), s.id]))
            .filter(lambda t: t.n == 0)
            .select(k="buyer", v="amount")
        ),
        "z",
        {6, 7, 10},
    ),
    "a column beside a window": (
        lambda s, _: s.mutate(
            n=s.amount.lag().over(group_by=s.buyer, order_by=s.day), k=s.id.cast("string")
        ).mutate(v=lambda t: t.amount + 0),
        "2",
        {2},
    ),
    "numbers in place of keys": (_dense, "x", {1, 2, 5, 9}),
    "numbers of other rows": (_other_numbers, "a", None),
    "a share of all": (
        lambda s, _: (
            s.group_by(k="shop")
            .aggregate(n=s.amount.sum())
            .mutate(v=lambda t: (t.n * 100 / t.n.sum()).floor().cast("int64"))
        ),
        "a",
        None,
    ),
    "the first ones": (
        lambda s, _: s.order_by(s.amount.desc(), s.id).limit(3).select(k="buyer", v="amount"),
        "x",
        None,
    ),
    "more than the average": (
        lambda s, _: (
            s.filter(s.amount > s.amount.mean().as_scalar())
            .group_by(k="shop")
            .aggregate(v=lambda t: t.count())
        ),
        "c",
        None,
    ),
    "rows that an inner join drops": (
        lambda s, h: (
            s.inner_join(h.filter(h.rent < 2), "shop")
            .group_by(k="buyer")
            .aggregate(v=lambda t: t.amount.sum())
        ),
        "x",
        {1, 2},
    ),
    "rows of another table": (
        lambda s, h: (
            s.filter(s.shop.isin(h.filter(h.rent < 3).shop))
            .group_by(k="shop")
            .aggregate(v=lambda t: t.amount.sum())
        ),
        "b",
        {4, 5},
    ),
    "rows of no other table": (
        lambda s, h: (
            s.filter(s.shop.notin(h.filter(h.rent < 3).shop))
            .group_by(k="shop")
            .aggregate(v=lambda t: t.amount.sum())
        ),
        "c",
        {6, 10},
    ),
    "a union": (
        lambda s, _: (
            s.filter(s.day == 1)
            .union(s.filter(s.day == 2))
            .group_by(k="buyer")
            .aggregate(v=lambda t: t.amount.sum())
        ),
        "x",
        {1, 2, 5, 9},
    ),
    "without repeated rows": (
        lambda s, _: (
            s.select("shop", "buyer")
            .distinct()
            .group_by(k="buyer")
            .aggregate(v=lambda t: t.count())
        ),
        "z",
        {6, 7, 10},
    ),
    "one table twice": (
        lambda s, _: s.inner_join(
            (o := s.view()), [s.buyer == o.buyer, s.day == o.day + 1], rname="{name}_before"
        ).select(k=s.id.cast("string"), v=o.amount),
        "2",
        {1, 2},
    ),
    "any day before": (
        lambda s, h: (
            s.inner_join(h, [s.shop == h.shop, s.day > h.rent])
            .group_by(k=h.shop)
            .aggregate(v=lambda t: t.count())
        ),
        "a",
        {2, 3},
    ),
    "a join to a table that may be missing": (
        lambda s, h: (
            s.left_join(h, "shop").group_by(k="region").aggregate(v=lambda t: t.amount.sum())
        ),
        "north",
        {1, 2, 3, 4, 5},
    ),
    "both sides of a join": (
        lambda s, h: (
            s.outer_join(h, "shop", rname="{name}_there")
            .select(k=lambda t: ibis.coalesce(t.shop, t.shop_there), v="amount")
            .group_by("k")
            .aggregate(v=lambda t: t.v.sum())
        ),
        "b",
        {4, 5},
    ),
    "null as zero": (
        lambda s, _: (
            s.select("shop", "amount")
            .fill_null({"amount": 0})
            .group_by(k="shop")
            .aggregate(v=lambda t: t.amount.min())
        ),
        "a",
        {1, 2, 3},
    ),
}


@pytest.fixture(scope="module")
def engine() -> Iterator[Any]:
    with on_duckdb() as opened:
        yield opened


def toy_traces(engine: Any, name: str) -> Traces:
    define, _, _ = DEFINITIONS[name]
    graph = project_of(sales, shops, replace(toy, define=define))
    tables = {"sales": table_of(graph, "sales", SALES), "shops": table_of(graph, "shops", SHOPS)}
    return Traces(WorldBuilder(graph, engine), World(tables, AS_OF))


@pytest.mark.parametrize("name", DEFINITIONS)
def test_the_rows_behind_a_value_are_those_that_matter(name: str, engine: Any) -> None:
    _, key, expected = DEFINITIONS[name]
    traces = toy_traces(engine, name)
    found = traces.of("toy", "v", {"k": key}, Extent())
    if expected is None:
        assert isinstance(found, Untraceable)
        assert found.reason
        return
    assert isinstance(found, Trace)
    assert {*traces.rows(found)["sales"].column("id").to_pylist()} == expected


@pytest.mark.parametrize("name", DEFINITIONS)
def test_every_value_is_computed_again_from_the_rows_behind_it(name: str, engine: Any) -> None:
    traces = toy_traces(engine, name)
    rows = traces.marts["toy"].to_pylist()
    keys = [row["k"] for row in rows]
    assert keys
    for row in rows:
        if row["k"] is not None and keys.count(row["k"]) == 1:
            assert_recomputed(traces, "toy", {"k": row["k"]})


def assert_recomputed(traces: Traces, name: str, key: Mapping[str, Any]) -> int:
    """Assert that a row's columns are computed again, or not traced; return how many are traced."""
    (row,) = (
        row
        for row in traces.marts[name].to_pylist()
        if all(row[column] == value for column, value in key.items())
    )
    again: dict[Any, Mapping[str, Any]] = {}
    traced = 0
    for column in row:
        for extent in EXTENTS.values():
            found = traces.of(name, column, key, extent)
            if isinstance(found, Untraceable):
                assert found.reason
                continue
            traced += 1
            rows = traces.rows(found)
            known = tuple((each, id(table)) for each, table in rows.items() if table.num_rows)
            if known not in again:
                again[known] = traces.recomputed(name, key, rows)
            assert same_value(again[known][column], row[column]), (name, column, key, extent)
    return traced


# Our marts and the toy shop, on worlds that lean to thresholds

NOT_TRACED = {
    ("campaign_audiences", "priority_rank"),
    *(("segment_summary", n) for n in ("customers_pct", "latest_month", "avg_mom_change_pct")),
    *((name, "customer_number") for name in ("int_customers", "int_customer_numbers")),
}
"""Our columns that depend on all rows."""


@pytest.fixture(scope="module")
def ours(engine: Any) -> Traces:
    scored = (world for world in drawn(AS_OF, 12) if "churn_predictions" in world.tables)
    return Traces(WorldBuilder(GRAPH, engine), World(next(scored).tables, AS_OF))


@pytest.mark.parametrize("name", [n for n, m in GRAPH.project.marts.items() if m.grain])
def test_our_values_are_computed_again(name: str, ours: Traces) -> None:
    keys = [*ours.keys(GRAPH.project.marts[name])]
    for key in keys[len(keys) // 3 :][:1]:
        assert assert_recomputed(ours, name, key)


@pytest.mark.parametrize("name", [n for n, m in GRAPH.project.marts.items() if m.grain])
def test_our_columns_are_traced(name: str, ours: Traces) -> None:
    mart_ = GRAPH.project.marts[name]
    (key, *_) = ours.keys(mart_)
    traced = {c.name: ours.of(name, c.name, key, Extent()) for c in mart_.columns}
    not_traced = {(name, n) for n, found in traced.items() if isinstance(found, Untraceable)}
    assert not_traced == {each for each in NOT_TRACED if each[0] == name}


@pytest.fixture(scope="module")
def toys(engine: Any) -> Traces:
    generator = Generator(WorldBuilder(SHOP, engine))
    return Traces(WorldBuilder(SHOP, engine), [*generator.worlds(AS_OF)][1])


@pytest.mark.parametrize("name", SHOP.project.marts)
def test_the_shops_values_are_computed_again(name: str, toys: Traces) -> None:
    for key in [*toys.keys(SHOP.project.marts[name])][:4]:
        assert bool(assert_recomputed(toys, name, key)) == (name != "shop_overview")


# A customer with two versions, worked out by hand

VERSIONS = [("k1", "c1", False), ("k2", "c1", True), ("k3", "c2", True)]
PAYMENTS = [
    ("t1", "k1", "2024-01-10", "100.00", "approved"),
    ("t2", "k1", "2024-01-11", "900.00", "declined"),
    ("t3", "k2", "2024-05-20", "50.00", "approved"),
    ("t4", "k2", "2024-06-16", "70.00", "approved"),
    ("t5", "k3", "2024-05-20", "10.00", "approved"),
]


@pytest.fixture(scope="module")
def two_versions(engine: Any) -> Traces:
    day = datetime.date.fromisoformat
    person = {
        "age": 40,
        "credit_limit": Decimal("5000.00"),
        "account_open_date": day("2020-01-01"),
        "card_type": "Standard",
    }
    texts = ("first_name", "last_name", "email", "state", "city", "employment_status")
    customers = [
        {
            **dict.fromkeys(texts, "-"),
            **person,
            "customer_key": k,
            "customer_id": c,
            "is_current": w,
        }
        for k, c, w in VERSIONS
    ]
    payments = [
        {
            "transaction_key": key,
            "transaction_id": key,
            "customer_key": version,
            "merchant_category_key": 1,
            "transaction_date": datetime.datetime.fromisoformat(when),
            "transaction_amount": Decimal(amount),
            "status": status,
        }
        for key, version, when, amount, status in PAYMENTS
    ]
    tables = {
        "dim_customer": table_of(GRAPH, "dim_customer", customers),
        "fct_transactions": table_of(GRAPH, "fct_transactions", payments),
        "dim_merchant_category": table_of(GRAPH, "dim_merchant_category", [(1, "Travel")]),
    }
    return Traces(WorldBuilder(GRAPH, engine), World(tables, AS_OF))


C1 = {"customer_id": "c1"}
MAY = C1 | {"month": datetime.date(2024, 5, 1)}


@pytest.mark.parametrize(
    ("column", "key", "extent", "payments", "versions", "categories"),
    [
        ("metric_customer_ltv.lifetime_value", C1, Extent(), "t1 t3", "k1 k2", 0),
        ("customer_360_profile.ltv_tier", C1, Extent(), "t1 t3", "k1 k2", 0),
        (
            *("metric_customer_ltv.lifetime_value", C1, Extent(filtered=False)),
            *("t1 t2 t3 t4", "k1 k2", 0),
        ),
        (
            *("customer_segments.spend_last_90_days", C1, Extent(narrowed=True)),
            *("t3", "k2", 0),
        ),
        ("customer_360_profile.age", C1, Extent(), "", "k2", 0),
        ("customer_segments.travel_spend_pct", C1, Extent(), "t1 t3", "k1 k2", 1),
        ("metric_mom_spend_change.monthly_spend", MAY, Extent(), "t3", "k2", 0),
        ("metric_mom_spend_change.mom_change_pct", MAY, Extent(), "t1 t3", "k1 k2", 0),
    ],
)
def test_a_customer_with_two_versions(
    column: str,
    key: Mapping[str, Any],
    extent: Extent,
    payments: str,
    versions: str,
    categories: int,
    two_versions: Traces,
) -> None:
    name, _, of = column.partition(".")
    found = two_versions.of(name, of, key, extent)
    assert isinstance(found, Trace)
    rows = two_versions.rows(found)
    assert [*rows["fct_transactions"].column("transaction_key").to_pylist()] == payments.split()
    assert {*rows["dim_customer"].column("customer_key").to_pylist()} == {*versions.split()}
    assert rows["dim_merchant_category"].num_rows == categories
