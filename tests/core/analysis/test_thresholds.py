"""Thresholds: what marts compare with constants, resolved to what was measured."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

import ibis
import pytest
from ibis.expr.types import Table

from marts import AsOf, boolean, date, float64, int64, mart, money, ratio, source, string, timestamp
from marts.core.analysis.thresholds import (
    Thresholds,
    around,
    cents_around,
    measured_thresholds,
    thresholds_of,
)
from marts.core.query.contract import schema_of
from support.engines import GRAPH
from support.workshop import SHOP, project_of

AS_OF = datetime.date(2024, 6, 15)

SALES = source(
    "sales",
    doc="Sales.",
    grain="key",
    columns=[
        string("key"),
        string("shop"),
        date("day"),
        timestamp("moment"),
        money("amount"),
        money("cost"),
        int64("pieces"),
        float64("weight"),
        boolean("paid"),
    ],
)
OPTIONAL = source("hints", doc="Hints.", grain="key", columns=[string("key")], optional=True)


@mart(grain="x", columns=[boolean("x")])
def toy(sales: Table, as_of: AsOf) -> Table:
    """A mart that is given another definition in each test."""
    return sales.select(x=as_of.date == sales.day)


Define = Callable[[Table, AsOf], Table]


def of(*columns: Callable[[Table, AsOf], ibis.expr.types.Value]) -> Define:
    """Return a definition of a mart that selects a boolean."""

    def define(sales: Table, as_of: AsOf) -> Table:
        (column,) = columns
        return sales.select(x=column(sales, as_of))

    return define


def thresholds(define: Define) -> Thresholds:
    return thresholds_of(project_of(SALES, OPTIONAL, replace(toy, define=define)), AS_OF)


def number(text: str) -> Thresholds:
    return Thresholds(numbers=(Decimal(text),))


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        # dates, however they are written
        (lambda t, as_of: t.day >= as_of.minus(days=90), Thresholds(days=(90,))),
        (lambda t, as_of: as_of.minus(days=90) <= t.day, Thresholds(days=(90,))),
        (lambda t, as_of: t.moment < as_of.plus(days=1), Thresholds(days=(-1,))),
        (lambda t, as_of: t.moment < as_of.plus(days=1).cast("timestamp"), Thresholds(days=(-1,))),
        (lambda t, _: t.moment < ibis.timestamp("2024-06-05 12:00:00"), Thresholds(days=(10,))),
        (
            lambda t, as_of: t.day.between(as_of.minus(days=7), as_of.date),
            Thresholds(days=(0, 7)),
        ),
        # differences, to as_of or to another day
        (lambda t, as_of: as_of.date.delta(t.day, unit="day") <= 30, Thresholds(days=(30,))),
        (lambda t, as_of: t.day.delta(as_of.date, unit="day") > -30, Thresholds(days=(30,))),
        (
            lambda t, as_of: as_of.minus(days=10).delta(t.day, unit="day") == 5,
            Thresholds(days=(15,)),
        ),
        (
            lambda t, _: t.day.delta(t.moment.cast("date"), unit="day").fill_null(0) < 3,
            Thresholds(days=(3,)),
        ),
        (lambda t, as_of: as_of.date.delta(t.day, unit="month") <= 6, Thresholds(months=(6,))),
        (
            lambda t, as_of: (
                as_of.minus(days=15).cast("timestamp").delta(t.moment, unit="month") > 2
            ),
            Thresholds(months=(3,)),
        ),
        (lambda t, as_of: as_of.date.delta(t.day, unit="year") < 1, Thresholds()),
        # amounts, with what was done to them undone
        (lambda t, _: t.amount.sum().over() >= 5000, number("5000")),
        (lambda t, _: t.amount.sum().over().cast("float64") / 3 >= 5000, number("15000")),
        (lambda t, _: 3 * t.amount.sum().over() - 1 < 5, number("2")),
        (lambda t, _: t.amount.max().over() + t.cost > Decimal("0.05"), number("0.05")),
        (lambda t, _: t.amount.cast("float64").std().over() < 200, number("200")),
        (
            lambda t, _: ratio(t.amount.sum().over(), t.count().over()).fill_null(0) > 7.5,
            Thresholds(counts=(0,), numbers=(Decimal("7.5"),)),
        ),
        # quotients
        (
            lambda t, _: ratio(t.cost, t.amount) * 100 >= 25,
            Thresholds(shares=(Decimal("0.25"),), values={"amount": (Decimal(0),)}),
        ),
        (
            lambda t, _: (t.cost - t.amount).cast("float64") / t.amount.cast("float64") <= -0.3,
            Thresholds(shares=(Decimal("-0.3"),)),
        ),
        (
            lambda t, _: ibis.ifelse(t.paid, t.cost / t.weight, ibis.null()) > 1,
            Thresholds(shares=(Decimal(1),)),
        ),
        # counts
        (lambda t, _: t.count().over() == 0, Thresholds(counts=(0,))),
        (
            lambda t, _: ibis.row_number().over(order_by=t.key) + 1 == 1,
            Thresholds(counts=(0,)),
        ),
        (lambda t, _: t.paid.sum().over() > 2, Thresholds(counts=(2,))),
        # columns of sources
        (lambda t, _: t.weight >= 70, Thresholds(values={"weight": (Decimal(70),)})),
        (
            lambda t, _: t.weight.isin([1.5, 2]),
            Thresholds(values={"weight": (Decimal("1.5"), Decimal(2))}),
        ),
        (lambda t, _: t.weight.nullif(0) > t.cost, Thresholds(values={"weight": (Decimal(0),)})),
        (lambda t, _: t.shop == "Aachen", Thresholds(texts={"shop": (("Aachen",),)})),
        (
            lambda t, _: t.shop.isin(["Köln", "Bonn"]),
            Thresholds(texts={"shop": (("Köln", "Bonn"),)}),
        ),
        (
            lambda t, _: t.shop.cases(("Bonn", 1), ("Köln", 2), else_=3) == 3,
            Thresholds(texts={"shop": (("Bonn",), ("Köln",))}),
        ),
        # without a constant, or with a label of the mart's own
        (lambda t, _: t.amount > t.cost, Thresholds()),
        (lambda t, _: t.paid == True, Thresholds()),  # noqa: E712  (Ibis)
        (lambda t, _: t.shop.lower() == "bonn", Thresholds()),
        (
            lambda t, _: ibis.cases((t.weight > 1, "heavy"), else_="light") == "heavy",
            Thresholds(values={"weight": (Decimal(1),)}),
        ),
        (lambda t, _: t.weight == ibis.literal(float("inf")), Thresholds()),
        (lambda t, _: t.weight == ibis.null("float64"), Thresholds()),
    ],
)
def test_a_threshold_is_found(
    column: Callable[..., ibis.expr.types.Value], expected: Thresholds
) -> None:
    assert thresholds(of(column)) == expected


def test_columns_are_followed_through_tables_joins_and_marts() -> None:
    def define(sales: Table, as_of: AsOf) -> Table:
        each = sales.group_by("shop").aggregate(spent=sales.amount.sum(), last=sales.day.max())
        joined = sales.inner_join(each.view(), "shop").mutate(third=lambda t: t.spent / 3)
        return joined.filter(joined.last > as_of.minus(days=5)).select(x=joined.third > 10)

    @mart(grain="y", columns=[boolean("y")])
    def further(toy: Table) -> Table:
        """A mart that reads another one."""
        return toy.select(y=toy.x & ibis.literal(True))

    graph = project_of(SALES, replace(toy, define=define), further)
    assert thresholds_of(graph, AS_OF) == Thresholds(days=(5,), numbers=(Decimal(30),))


def test_thresholds_of_the_toy_shop() -> None:
    assert thresholds_of(SHOP, AS_OF) == Thresholds(
        days=(-1, 0), numbers=(Decimal(1000),), texts={"status": (("paid",),)}
    )


def test_thresholds_of_the_marts() -> None:
    amounts = (0, 50, 200, 2_000, 4_500, 10_000, 15_000, 50_000, 100_000)
    assert thresholds_of(GRAPH, AS_OF) == Thresholds(
        days=(-1, 0, 30, 60, 90, 180),
        months=(6,),
        counts=(0,),
        numbers=tuple(map(Decimal, amounts)),
        shares=tuple(map(Decimal, ("-0.3", "0", "0.25", "0.5", "0.6"))),
        texts={
            "category_name": (("Grocery", "Gas", "Utilities"), ("Travel", "Airlines", "Hotels")),
            "status": (("approved",),),
        },
        values={"churn_risk_score": (Decimal(40), Decimal(70)), "credit_limit": (Decimal(0),)},
    )


@pytest.mark.parametrize("as_of", ["2024-02-29", "2025-01-01"])
def test_thresholds_do_not_depend_on_the_day(as_of: str) -> None:
    assert thresholds_of(GRAPH, datetime.date.fromisoformat(as_of)) == thresholds_of(GRAPH, AS_OF)


def test_neighbours() -> None:
    assert around([90, 0, 1]) == (-1, 0, 1, 2, 89, 90, 91)
    assert cents_around([Decimal(0), Decimal("1.005")]) == (0, 1, 99, 100, 101)


MEASURED: dict[str, tuple[Callable[[Table], ibis.expr.types.Value], set[str], set[str]]] = {
    "what decides between values": (
        lambda t: ibis.ifelse(t.pieces > t.weight, t.amount, t.cost) + t.cost,
        {"amount", "cost"},
        set(),
    ),
    "the order and the groups of a window": (
        lambda t: t.amount.sum().over(ibis.window(group_by=t.shop, order_by=t.day)),
        {"amount"},
        {"shop"},
    ),
    "which rows are summed up": (
        lambda t: t.amount.sum(where=t.paid).over(group_by=t.shop),
        {"amount"},
        {"shop"},
    ),
}


@pytest.mark.parametrize(("value", "sources", "keys"), MEASURED.values(), ids=MEASURED)
def test_a_threshold_is_about_what_the_compared_value_is_made_of(
    value: Callable[[Table], ibis.expr.types.Value], sources: set[str], keys: set[str]
) -> None:
    sales = ibis.table(schema_of(SALES.columns), name="sales")
    (found,) = measured_thresholds([sales.select(x=value(sales) > 7).op()], AS_OF)
    assert {column for _, column in found.sources} == sources
    assert {column for _, column in found.keys} == keys
