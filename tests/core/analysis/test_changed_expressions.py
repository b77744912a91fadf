"""What was changed in a definition is found behind the columns that it feeds, and no others."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from pathlib import Path

import ibis
import ibis.expr.types as ir
import pytest

from marts import int64, mart, money, source, string
from marts.core.analysis.changed_expressions import Traced, changed_expressions
from marts.core.authoring.columns import Column
from marts.core.authoring.expressions import FixedAsOf
from marts.core.project.graph import Graph
from support.workshop import project_of

DAY = FixedAsOf(datetime.date(2025, 6, 30))
SALES = source(
    "sales",
    doc="Sales.",
    grain="sale_id",
    columns=[string("sale_id"), string("shop"), money("price"), int64("pieces")],
)
Define = Callable[[ir.Table], ir.Table]


def project(define: Define, *more: Column) -> Graph:
    columns = [string("shop"), money("total"), int64("pieces"), *more]

    @mart(grain="shop", columns=columns)
    def shops(sales: ir.Table) -> ir.Table:
        """Shops."""
        return define(sales)

    @mart(grain="shop", columns=[string("shop"), money("double")])
    def doubles(shops: ir.Table) -> ir.Table:
        """Shops twice."""
        return shops.select("shop", double=shops.total * 2)

    return project_of(SALES, shops, doubles)


def was(sales: ir.Table) -> ir.Table:
    kept = sales.filter(sales.price > 0)
    return kept.group_by("shop").aggregate(total=kept.price.sum(), pieces=kept.pieces.sum())


def another_filter(sales: ir.Table) -> ir.Table:
    kept = sales.filter(sales.price > 5)
    return kept.group_by("shop").aggregate(total=kept.price.sum(), pieces=kept.pieces.sum())


def no_filter(sales: ir.Table) -> ir.Table:
    return sales.group_by("shop").aggregate(total=sales.price.sum(), pieces=sales.pieces.sum())


def another_sum(sales: ir.Table) -> ir.Table:
    kept = sales.filter(sales.price > 0)
    return kept.group_by("shop").aggregate(total=(kept.price * 3).sum(), pieces=kept.pieces.sum())


CASES: dict[str, tuple[Define, dict[str, set[str]]]] = {
    "nothing": (was, {"total": set(), "pieces": set()}),
    "a filter": (
        another_filter,
        {name: {"price > 5", "no longer price > 0"} for name in ("shop", "total", "pieces")},
    ),
    "a filter that is gone": (no_filter, {"pieces": {"no longer price > 0"}}),
    "one column": (
        another_sum,
        {"total": {"price * 3", "no longer sum(price)"}, "pieces": set(), "shop": set()},
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_change_is_behind_the_columns_that_it_feeds(case: str) -> None:
    define, expected = CASES[case]
    before, after = Traced(project(was), DAY), Traced(project(define), DAY)
    lineage = after.lineage()
    for column, texts in expected.items():
        found = changed_expressions(before, after, lineage, "shops", column)
        assert {f"{'no longer ' if e.is_gone else ''}{e.text}" for e in found} == texts
        assert all(
            Path(each.location.partition(":")[0]).name == Path(__file__).name for each in found
        )
    through = changed_expressions(before, after, lineage, "doubles", "double")
    assert {each.mart for each in through} == ({"shops"} if case != "nothing" else set())


def test_what_is_new_is_said_to_be_new() -> None:
    def define(sales: ir.Table) -> ir.Table:
        return was(sales).mutate(label=ibis.literal("x"))

    before, after = Traced(project(was), DAY), Traced(project(define, string("label")), DAY)
    (found,) = changed_expressions(before, after, after.lineage(), "shops", "label")
    assert found.text == "column label is new"
