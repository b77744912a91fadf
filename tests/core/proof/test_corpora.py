"""Authors add what they know: a corpus gives rows of some sources or all, a strategy draws them."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, find, given, settings
from hypothesis import strategies as st

from backends.factory import worlds_on_duckdb
from marts import corpus, strategy
from marts.core.analysis.thresholds import Thresholds
from marts.core.errors import DefinitionError, MartsError
from marts.core.proof.building import WorldBuilder
from marts.core.proof.corpora import worlds_of
from marts.core.proof.drawing import drawn_worlds
from marts.core.proof.source_checks import SourceChecker
from marts.core.proof.worlds import World
from support.workshop import CUSTOMERS, ORDERS, SHOP, customer, order

DAY = datetime.date(2025, 6, 30)
ENGINE = worlds_on_duckdb()


def first_world(function: Callable[..., Any]) -> World:
    world, *_ = worlds_of(WorldBuilder(SHOP, ENGINE), [corpus(as_of=DAY)(function)])
    return world


def test_a_corpus_gives_a_whole_world() -> None:
    world = first_world(lambda: {"customers": CUSTOMERS, "orders": ORDERS, "reviews": None})
    assert (world.as_of, world.origin) == (DAY, "corpus <lambda>")
    assert {*world.tables} == {"customers", "orders"}
    assert world.tables["orders"].to_pylist() == list(map(dict, ORDERS))


def test_generic_rows_refer_to_those_of_a_corpus_or_are_referred_to() -> None:
    for given_rows, other in (("customers", "orders"), ("orders", "customers")):
        rows = {"customers": CUSTOMERS, "orders": ORDERS}[given_rows]
        tables = first_world(lambda name=given_rows, its=rows: {name: its}).tables
        assert tables[given_rows].num_rows == len(rows)
        asked = {*tables["orders"]["customer_id"].to_pylist()}
        known = {*tables["customers"]["customer_id"].to_pylist()}
        assert {row["customer_id"] for row in rows} <= asked & known | {"gone"}
        assert tables[other].num_rows >= len(rows)


def test_a_corpus_is_told_the_thresholds_and_the_date() -> None:
    told: list[object] = []

    def noted(thresholds: Thresholds, as_of: datetime.date) -> dict[str, Any]:
        told.extend((thresholds.numbers, as_of))
        return {}

    first_world(noted)
    assert told == [(Decimal(1000),), DAY]


@pytest.mark.parametrize(
    ("returned", "words"),
    [
        (lambda: [CUSTOMERS], r"the corpus <lambda> returns list, not the rows of sources by name"),
        (lambda: {"order": []}, r"gives rows of order, which is not a source(.|\n)*mean orders"),
        (lambda: {"orders": None}, r"leaves out orders, which is not optional"),
        (lambda: {"orders": [{"amount": "a"}]}, r"gives rows of orders that do not fit"),
        (lambda: {"orders": 1}, r"gives rows of orders that do not fit its contract"),
        (lambda: 1 / 0, r"the corpus <lambda> failed\n  ZeroDivisionError"),
        (
            lambda: {"customers": [customer("c1"), customer("c1")]},
            r"gives for customers break the check customer_id_unique of customers",
        ),
        (lambda: {"orders": [order("o1", "c1", "-1")]}, r"break the check amount_at_least_0"),
    ],
)
def test_a_wrong_corpus_is_refused(returned: Callable[[], object], words: str) -> None:
    with pytest.raises(MartsError, match=words):
        first_world(returned)


@pytest.mark.parametrize("declare", [corpus, strategy("orders")])
def test_unknown_parameters_are_refused(declare: Callable[[Any], object]) -> None:
    with pytest.raises(DefinitionError, match=r"asks for threshold, (.|\n)*mean thresholds"):
        declare(lambda threshold: threshold)


def test_a_strategy_names_its_source() -> None:
    with pytest.raises(DefinitionError, match=r'@strategy\("orders"\)'):
        strategy(lambda: st.just({}))  # type: ignore[arg-type]
    unknown = strategy("order")(lambda: st.just({}))
    with pytest.raises(DefinitionError, match="did you mean orders"):
        drawn_worlds(SHOP, ENGINE, [unknown])
    twice = [strategy("orders")(lambda: st.just({})) for _ in range(2)]
    with pytest.raises(DefinitionError, match="source orders has two strategies"):
        drawn_worlds(SHOP, ENGINE, twice)


DRAWN = settings(
    max_examples=60,
    database=None,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)


@DRAWN
@given(drawn_worlds(SHOP, ENGINE, dates=[DAY]))
def test_the_checks_that_stop_a_run_hold_in_drawn_worlds(world: World) -> None:
    assert SourceChecker(WorldBuilder(SHOP, ENGINE)).broken_by(world) == ()


def test_a_strategy_has_its_way() -> None:
    @strategy("orders")
    def expensive(as_of: datetime.date) -> st.SearchStrategy[dict[str, Any]]:
        at = datetime.datetime.combine(as_of, datetime.time(1))
        return st.just({"model": "tandem", "ordered_at": at})

    def has_orders(world: World) -> bool:
        return world.origin == "drawn" and world.tables["orders"].num_rows > 0

    drawn = drawn_worlds(SHOP, ENGINE, [expensive], dates=[DAY])
    (row,) = find(drawn, has_orders, settings=DRAWN).tables["orders"].to_pylist()
    assert (row["model"], row["ordered_at"].date()) == ("tandem", DAY)


def test_a_failing_world_shrinks_to_a_few_rows() -> None:
    builder = WorldBuilder(SHOP, ENGINE)

    def has_gold(world: World) -> bool:
        rows = builder.build(world, ["customer_totals"]).tables["customer_totals"]
        return "gold" in rows["tier"].to_pylist()

    many = settings(DRAWN, max_examples=300)
    found = find(drawn_worlds(SHOP, ENGINE, dates=[DAY]), has_gold, settings=many)
    assert found.rows <= 10
    assert len(repr(found).splitlines()) == found.rows + 1
