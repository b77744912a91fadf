"""The comparer notices each kind of difference, and nothing else."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from math import inf, nan
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

from marts.core.proof.comparison import assert_same_table, compared_rows, same_value
from support.workshop import SHOP

GRAIN = ("id",)
COLUMNS: Mapping[str, Sequence[Any]] = {
    "id": ["c1", "c2"],
    "spend": [Decimal("1.50"), Decimal("0.00")],
    "rate": [0.1, None],
    "count": [3, 0],
    "day": [date(2024, 2, 29), None],
    "active": [True, False],
}


MART = replace(next(iter(SHOP.project.marts.values())), grain=GRAIN)


def arrow(**changed: Sequence[Any]) -> pa.Table:
    return pa.table({**COLUMNS, **changed})


def frame(**changed: Sequence[Any]) -> pd.DataFrame:
    return pd.DataFrame({**COLUMNS, **changed}, dtype=object)


def test_the_same_table_passes_as_arrow_and_as_frame() -> None:
    assert_same_table(arrow(), arrow(), grain=GRAIN)
    assert_same_table(arrow(), frame(), grain=GRAIN)


def test_row_order_does_not_matter() -> None:
    backwards = arrow().take([1, 0])
    assert_same_table(backwards, frame(), grain=GRAIN)
    assert_same_table(arrow(), backwards, grain=GRAIN)


def test_two_empty_tables_are_the_same() -> None:
    assert_same_table(arrow().slice(0, 0), frame().iloc[:0], grain=GRAIN)


def test_a_grain_of_several_columns_may_hold_nulls() -> None:
    table = pa.table({"id": ["a", "a", None], "n": [None, 1, 1], "x": [1, 2, 3]})
    assert_same_table(table.take([2, 1, 0]), table, grain=("id", "n"))


def test_without_a_grain_rows_are_paired_in_order() -> None:
    table = pa.table({"id": ["b", None, "a", "a"], "n": [1, 1, 2, 2]})
    assert_same_table(table.take([3, 1, 0, 2]), table, grain=())
    with pytest.raises(AssertionError, match="rows only in actual"):
        assert_same_table(table, table.slice(0, 3), grain=())
    with pytest.raises(AssertionError, match="actual 2, expected 1"):
        assert_same_table(table, table.take([0, 1, 2, 0]), grain=())


@pytest.mark.parametrize(
    ("column", "cells"),
    [
        ("spend", [Decimal("1.51"), Decimal("0.00")]),
        ("rate", [0.1000001, None]),
        ("rate", [0.1, 0.0]),
        ("rate", [0.1, nan]),
        ("rate", [inf, None]),
        ("rate", [None, None]),
        ("count", [4, 0]),
        ("count", [3.0, 0.0]),
        ("count", [Decimal(3), Decimal(0)]),
        ("day", [date(2024, 3, 1), None]),
        ("day", [datetime(2024, 2, 29), None]),  # noqa: DTZ001 - no zone
        ("active", [True, True]),
        ("active", [1, 0]),
        ("id", ["c1", "c3"]),
        ("id", ["c1", None]),
    ],
)
def test_a_differing_cell_is_noticed_from_both_sides(column: str, cells: Sequence[Any]) -> None:
    assert compared_rows(MART, arrow(**{column: cells}), arrow())
    assert compared_rows(MART, arrow(), arrow(**{column: cells}))
    with pytest.raises(AssertionError, match=r"the tables differ"):
        assert_same_table(arrow(**{column: cells}), frame(), grain=GRAIN)
    with pytest.raises(AssertionError, match=r"the tables differ"):
        assert_same_table(arrow(), frame(**{column: cells}), grain=GRAIN)


@pytest.mark.parametrize(
    ("actual", "expected", "same"),
    [
        (1.0, 1.0 + 1e-10, True),
        (1.0, 1.0 + 1e-8, False),
        (1e9, 1e9 + 0.5, True),
        (1e9, 1e9 + 2.0, False),
        (0.0, 1e-13, True),
        (0.0, -0.0, True),
        (0.0, 1e-11, False),
        (-1.0, 1.0, False),
        (nan, nan, True),
        (nan, 0.0, False),
        (nan, None, False),
        (inf, inf, True),
        (inf, -inf, False),
        (inf, 1e308, False),
        (None, None, True),
        (None, 0, False),
        (Decimal("1.5"), Decimal("1.50"), True),
        (Decimal("0.10"), 0.1, False),
        (1, True, False),
        (1, 1.0, False),
        ("a", "A", False),
    ],
)
def test_same_value_knows_kinds_and_tolerance(
    actual: object, expected: object, *, same: bool
) -> None:
    assert same_value(actual, expected) is same
    assert same_value(expected, actual) is same


def test_the_tolerance_can_be_chosen() -> None:
    close = arrow(rate=[0.101, None])
    assert_same_table(close, frame(), grain=GRAIN, tolerance=0.1)


def test_numpy_and_missing_pandas_values_are_plain_values() -> None:
    typed = frame().astype({"rate": "Float64", "count": "int64", "active": "bool"})
    assert_same_table(arrow(), typed, grain=GRAIN)


@pytest.mark.parametrize(
    "names",
    [
        ["id", "spend", "rate", "count", "day"],
        ["id", "rate", "spend", "count", "day", "active"],
        ["ID", "spend", "rate", "count", "day", "active"],
    ],
)
def test_missing_moved_and_renamed_columns_are_noticed(names: list[str]) -> None:
    renamed = arrow().append_column("ID", [["c1", "c2"]]).select(names)
    with pytest.raises(AssertionError, match="the columns differ") as failure:
        assert_same_table(renamed, frame(), grain=GRAIN, sql="select 1")
    assert str(failure.value).endswith("sql:\nselect 1")


def test_a_missing_row_is_noticed() -> None:
    with pytest.raises(AssertionError, match=r"rows only in expected \(1\):\n  \('c2'\)"):
        assert_same_table(arrow().slice(0, 1), frame(), grain=GRAIN)
    with pytest.raises(AssertionError, match=r"rows only in actual \(1\):\n  \('c2'\)"):
        assert_same_table(arrow(), frame().iloc[:1], grain=GRAIN)


def test_a_repeated_grain_is_noticed_even_on_both_sides() -> None:
    twice = arrow().take([0, 0, 1])
    with pytest.raises(AssertionError, match="not unique in actual"):
        assert_same_table(twice, frame(), grain=GRAIN)
    with pytest.raises(AssertionError, match="not unique in expected"):
        assert_same_table(arrow(), twice, grain=GRAIN)
    with pytest.raises(AssertionError, match=r"\('c1'\): 2 rows"):
        assert_same_table(twice, twice, grain=GRAIN)


def test_the_message_names_cells_then_both_sides_then_the_sql() -> None:
    wrong = arrow(spend=[Decimal("9.99"), Decimal("0.00")])
    with pytest.raises(AssertionError) as failure:
        assert_same_table(wrong, frame(), grain=GRAIN, sql="select * from gold")
    assert str(failure.value).splitlines() == [
        "the tables differ (rows by id)",
        "differing cells (1):",
        "  ('c1')  spend: actual Decimal('9.99'), expected Decimal('1.50')",
        "actual, rows (2):",
        "  id='c1', spend=9.99, rate=0.1, count=3, day=2024-02-29, active=True",
        "  id='c2', spend=0.00, rate=None, count=0, day=None, active=False",
        "expected, rows (2):",
        "  id='c1', spend=1.50, rate=0.1, count=3, day=2024-02-29, active=True",
        "  id='c2', spend=0.00, rate=None, count=0, day=None, active=False",
        "sql:",
        "select * from gold",
    ]


def test_the_message_shows_twenty_of_many() -> None:
    many = pa.table({"id": range(50), "x": [0] * 50})
    other = pa.table({"id": range(50), "x": [1] * 50})
    with pytest.raises(AssertionError) as failure:
        assert_same_table(many, other, grain=GRAIN)
    message = str(failure.value)
    assert message.count(": actual 0, expected 1") == 20
    assert message.count("  … 30 more") == 3


@pytest.mark.parametrize(
    ("actual", "expected", "is_same"),
    [
        (arrow(), arrow().take([1, 0]), True),
        (arrow(rate=[0.1, nan]), arrow(rate=[0.1, nan]), True),
        (arrow(rate=[0.1 + 1e-12, 0.0]), arrow(rate=[0.1, 1e-13]), True),
        (arrow(rate=[0.1, 0.0]), arrow(rate=[0.1, 1e-11]), False),
        # Numbers that differ by less than the tolerance are two keys.
        (arrow(id=[1.0, 2.0]), arrow(id=[1.0, 2.0 + 1e-12]), False),
        (arrow(id=["c1", "c1"]), arrow(id=["c1", "c1"]).take([1, 0]), True),
        (arrow(id=["c1", "c1"]), arrow(), False),
        (arrow(), arrow(id=["c1", "c1"]), False),
        (arrow(), arrow().slice(1), False),
    ],
)
def test_rows_are_the_same_exactly_where_none_differs(
    actual: pa.Table, expected: pa.Table, is_same: bool
) -> None:
    assert bool(compared_rows(MART, actual, expected)) is not is_same
