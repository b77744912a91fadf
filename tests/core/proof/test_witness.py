"""Two versions of a mart on the same worlds: other rows, other columns, errors, other contracts."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from backends.factory import worlds_on_duckdb
from marts import Table, decimal, int64, mart, money, source, string
from marts.core.authoring.columns import Column
from marts.core.authoring.tables import Mart, Source
from marts.core.errors import UsageError
from marts.core.project.graph import Graph
from marts.core.proof.building import WorldBuilder
from marts.core.proof.mutant_versions import mutant_side
from marts.core.proof.shrinking import Shrinker
from marts.core.proof.versions import former_side, side_of
from marts.core.proof.witness import (
    Comparison,
    compare_versions,
    contracts_of,
    row_differences,
)
from marts.core.proof.worlds import World
from marts.core.query.contract import schema_of
from support.workshop import project_of

AS_OF = datetime.date(2025, 6, 30)
COLUMNS = (
    int64("order_id"),
    string("customer"),
    decimal("amount", 10, 2),
    string("note", null=True),
)


def orders(*columns: Column) -> Source:
    return source("orders", doc="Orders.", grain="order_id", columns=columns or COLUMNS)


def totals(*columns: Column, grain: str = "customer", least: int = 0, cast: str = "") -> Mart:
    """Return the mart as it is: with other columns, or a bug."""

    def totals(orders: Table) -> Table:
        """What each customer spent."""
        t = orders.filter(orders.amount >= least)
        if cast:
            t = t.filter(t.note.cast(cast) >= 0)
        sums = t.group_by("customer").aggregate(spent=t.amount.sum(), lines=t.count())
        return sums.mutate(customers=1, renamed=sums.spent, orders=sums.lines)

    given = columns or (string("customer"), money("spent"))
    return mart(grain=grain, columns=given, unchecked=True)(totals)


def world(*rows: tuple[int, str, str, str | None]) -> World:
    named = [
        {"order_id": n, "customer": customer, "amount": Decimal(amount), "note": note}
        for n, customer, amount, note in rows
    ]
    return World(
        {"orders": pa.Table.from_pylist(named, schema_of(COLUMNS).to_pyarrow())}, AS_OF, "given"
    )


WORLD = world(
    *((n, f"c{n % 7}", f"{n % 5}.50", "7" if n % 3 else None) for n in range(20)),
    (99, "c9", "0.00", "x"),
)


@pytest.fixture
def builders() -> Iterator[Callable[[Graph], WorldBuilder]]:
    opened = []

    def builder(graph: Graph) -> WorldBuilder:
        opened.append(worlds_on_duckdb())
        return WorldBuilder(graph, opened[-1])

    yield builder
    for engine in opened:
        engine.close()


Builders = Callable[[Graph], WorldBuilder]


def compared(
    builders: Builders,
    was: Mart,
    now: Mart | None = None,
    *,
    then: Source | None = None,
    worlds: tuple[World, ...] = (WORLD,),
) -> Comparison:
    """Compare a mart, which may have read another contract, with itself as it is."""
    here = builders(project_of(orders(), now or totals()))
    former = builders(project_of(then or orders(), was))
    return compare_versions(
        former_side("HEAD", "totals", former, here.graph),
        side_of("now", "totals", here),
        worlds,
        Shrinker(here, seconds=60),
    )


def test_the_smallest_rows_and_both_answers(builders: Builders) -> None:
    found = compared(builders, totals(least=1))
    assert found.witness is not None
    assert found.differs
    (row,) = found.witness.world.tables["orders"].to_pylist()
    assert row == {"order_id": 1, "customer": "a", "amount": 0, "note": "a"}
    assert found.witness.differences is not None
    assert found.witness.differences.only_expected == (("a",),)
    assert (found.worlds, found.incomparable) == (1, 0)
    assert found.was.reads == {"orders": {"customer", "amount"}}


def test_no_difference_in_several_worlds(builders: Builders) -> None:
    found = compared(builders, totals(), worlds=(WORLD, world()))
    assert (found.differs, found.witness, found.worlds) == (False, None, 2)


def test_a_version_that_an_engine_refuses_differs(builders: Builders) -> None:
    found = compared(builders, totals(cast="int64"))
    assert found.witness is not None
    assert found.witness.was.table is None
    assert "Could not convert string" in found.witness.was.error
    assert found.witness.now.table is not None
    (row,) = found.witness.world.tables["orders"].to_pylist()
    assert row["note"] == "a"


def test_a_world_on_which_both_fail_is_not_compared(builders: Builders) -> None:
    failing = totals(cast="int64")
    found = compared(builders, failing, failing, worlds=(WORLD, world((1, "a", "1.00", None))))
    assert (found.differs, found.worlds, found.incomparable) == (False, 1, 1)


@pytest.mark.parametrize(
    ("was", "expected"),
    [
        ((string("customer"), money("renamed")), (("renamed",), ("spent",), (), None)),
        ((string("customer"), money("spent"), int64("lines")), (("lines",), (), (), None)),
        (
            (string("customer"), decimal("spent", 20, 4)),
            ((), (), (("spent", "decimal(20, 4)", "decimal(18, 2)"),), None),
        ),
    ],
)
def test_other_columns_differ_though_no_row_does(
    was: tuple[Column, ...], expected: tuple[Any, ...], builders: Builders
) -> None:
    found = compared(builders, totals(*was))
    assert found.witness is None
    assert found.differs
    contracts = found.contracts
    assert (contracts.only_was, contracts.only_is, contracts.retyped, contracts.grains) == expected


def table(**columns: list[Any]) -> pa.Table:
    return pa.table(columns)


def test_rows_are_paired_by_all_columns_if_the_grains_differ() -> None:
    was, now = totals(), totals(grain="spent")
    one = table(customer=["a", "a", "b"], spent=[1, 1, 2])
    other = table(customer=["a", "b"], spent=[1, 2])
    assert contracts_of(was, now).grains == (("customer",), ("spent",))
    found = row_differences(was, now, one, other)
    assert found.only_actual == (("a", 1, 2),)
    assert not found.only_expected
    assert not row_differences(was, now, one, one.take([2, 0, 1]))


def test_rows_that_a_wrong_join_repeats_are_numbered() -> None:
    mart = totals()
    one = table(customer=["a", "a", "b"], spent=[2, 1, None])
    found = row_differences(mart, mart, one, table(customer=["b", "a"], spent=[None, 1]))
    assert found.grain == ("customer", "row")
    assert found.only_actual == (("a", 2),)
    assert not found.cells


def test_values_of_another_kind_are_compared_as_text() -> None:
    mart = totals()
    one, other = (
        table(customer=["a", "b"], spent=["1", "x"]),
        table(customer=["a", "b"], spent=[1, 2]),
    )
    found = row_differences(mart, mart, one, other)
    assert [(each.key, each.actual, each.expected) for each in found.cells] == [(("b",), "x", "2")]


# Contracts that were other ones


def test_a_column_that_no_mart_reads_may_be_gone_and_a_type_may_be_wider(
    builders: Builders,
) -> None:
    then = orders(
        int64("order_id"), string("customer"), decimal("amount", 8, 2), string("gone_since")
    )
    assert not compared(builders, totals(), then=then).differs
    large = world((1, "a", "9999999.00", None))
    found = compared(builders, totals(), then=then, worlds=(large, WORLD))
    assert (found.differs, found.worlds, found.incomparable) == (False, 1, 1)


@pytest.mark.parametrize(
    ("changed", "line"),
    [
        ({"name": "price"}, "source orders: it has no column price any more"),
        (
            {"type": "float64"},
            "source orders: column amount was float64, and is decimal(10, 2)",
        ),
    ],
)
def test_a_version_that_reads_what_contracts_no_longer_have_is_refused(
    changed: dict[str, Any], line: str, builders: Builders
) -> None:
    then = orders(*(replace(c, **changed) if c.name == "amount" else c for c in COLUMNS))

    def totals(orders: Table) -> Table:
        """What each customer spent."""
        return orders.mutate(spent=orders[changed.get("name", "amount")].cast("decimal(18, 2)"))

    former = mart(
        grain="customer", columns=[string("customer"), decimal("spent", 18, 2)], unchecked=True
    )(totals)
    with pytest.raises(UsageError, match="totals of HEAD reads what the sources'") as caught:
        compared(builders, former, then=then)
    assert caught.value.facts == (line,)


# Mutants


FILTER = "filter(amount >= 1)"


@pytest.mark.parametrize(
    "named", ["2", f"{FILTER} → every row", f"  {FILTER}   -> every row", "every row"]
)
def test_a_mutant_is_named_by_number_or_text(named: str, builders: Builders) -> None:
    here, there = (builders(project_of(orders(), totals(least=1))) for _ in range(2))
    was, now = mutant_side(named, "totals", there), side_of("now", "totals", here)
    found = compare_versions(was, now, [WORLD], Shrinker(here, seconds=60)).witness
    assert found is not None
    assert [row["amount"] for row in found.world.tables["orders"].to_pylist()] == [0]
    assert found.differences is not None
    assert found.differences.only_actual == (("a",),)


@pytest.mark.parametrize(
    ("named", "summary", "fact"),
    [
        ("8", "totals has no mutant 8: it has 7", "1: customers = 1 → customers = 2"),
        ("0", "totals has no mutant 0: it has 7", f"2: {FILTER} → every row"),
        ("", "totals has no mutant without a name", f"2: {FILTER} → every row"),
        ("every rows", "totals has no mutant every rows", f"2: {FILTER} → every row"),
        ("amount >= 1", "4 mutants of totals have the text amount >= 1", None),
    ],
)
def test_a_mutant_that_there_is_not_is_refused(
    named: str, summary: str, fact: str | None, builders: Builders
) -> None:
    here = builders(project_of(orders(), totals(least=1)))
    with pytest.raises(UsageError) as caught:
        mutant_side(named, "totals", here)
    assert caught.value.summary == summary
    assert fact is None or fact in caught.value.facts
