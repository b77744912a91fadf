"""Tests of an author prove marts, and draw worlds of their own for them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, find, given, settings

from marts import Project, assert_proven, build, worlds
from marts.core.errors import UsageError
from marts.core.kit.building import MartsBuilder, on_duckdb
from marts.core.proof.worlds import World
from support.paths import TESTS

SHOP = Project.load(TESTS, package="toy_shop")

MART = '''
"""Revenue of orders, and how it is calculated in pandas."""

from marts import date, mart, money, source, string, twin

orders = source(
    "orders", doc="Orders.", grain="order_id",
    columns=[string("order_id"), date("ordered_on"), money("amount", at_least=0)],
)


@mart(grain="day", columns=[date("day"), money("revenue")])
def revenue(orders):
    """What was sold, by day."""
    days = orders.group_by(day="ordered_on")
    return days.agg(revenue=orders.amount.sum())


@twin("revenue")
def revenue_in_pandas(orders):
    sums = orders.groupby("ordered_on")["amount"].FUNCTION().reset_index()
    return sums.rename(columns={"ordered_on": "day", "amount": "revenue"})
'''


@pytest.fixture(scope="module")
def builder() -> Iterator[MartsBuilder]:
    opened = on_duckdb(SHOP.linked.graph)
    yield opened
    opened.close()


@settings(max_examples=10, suppress_health_check=[HealthCheck.too_slow])
@given(world=worlds(SHOP, dates=["2025-06-30"]))
def test_the_marts_of_drawn_worlds_are_built(builder: MartsBuilder, world: World) -> None:
    built = builder.build(world.tables, world.as_of)
    paid = {row["customer_id"] for row in built["int_paid_orders"].to_pylist()}
    assert paid <= {row["customer_id"] for row in world.tables["orders"].to_pylist()}


def test_a_drawn_world_shrinks_to_rows_that_people_read() -> None:
    drawn = worlds(SHOP, dates=["2025-06-30"])
    found = find(drawn, lambda world: world.tables["orders"].num_rows > 0)
    lines = repr(found).splitlines()
    assert lines[0].startswith("World(as_of=2025-06-30, ")
    assert len([line for line in lines if line.startswith("    orders: order_id ")]) == 1


def project(folder: Path, function: str) -> Project:
    """Write a project whose mart has a twin, and load it."""
    package = folder / "daily_marts"
    package.mkdir()
    (folder / "pyproject.toml").write_text('[tool.marts]\npackage = "daily_marts"\n', "utf-8")
    (package / "__init__.py").touch()
    (package / "revenue.py").write_text(MART.replace("FUNCTION", function), "utf-8")
    return Project.load(folder)


def test_what_differs_from_its_twin_is_not_proven(tmp_path: Path) -> None:
    with pytest.raises(AssertionError) as failed:
        assert_proven(project(tmp_path, "max"), "revenue", quick=True)
    assert "revenue: duckdb differs from twin" in str(failed.value)
    assert "orders: 2 rows" in str(failed.value)


def test_what_equals_its_twin_is(tmp_path: Path) -> None:
    assert_proven(project(tmp_path, "sum"), quick=True)
    with pytest.raises(UsageError, match="order_id is null in row 1"):
        build(Project.load(tmp_path), {"orders": [{"order_id": None}]}, "2024-06-30")
