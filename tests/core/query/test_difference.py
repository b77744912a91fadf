"""Difference: which rows of two tables differ, and in what, as DuckDB executes it."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

import duckdb
import ibis
import pyarrow as pa
import pytest

from backends.duckdb_sql import compile_query
from marts.core.query.difference import difference

COLUMNS = {
    "k": "string",
    "amount": "decimal(18, 2)",
    "rate": "float64",
    "label": "string",
    "day": "date",
    "number": "int64",
}
ROW: Mapping[str, Any] = {
    "k": "a",
    "amount": Decimal("1.25"),
    "rate": 0.1,
    "label": "x",
    "day": datetime.date(2025, 6, 30),
    "number": 3,
}
Rows = Iterable[Mapping[str, Any]]


def row(**changes: Any) -> Mapping[str, Any]:
    return {**ROW, **changes}


def differences(
    left: Rows,
    right: Rows,
    *,
    grain: tuple[str, ...] = ("k",),
    expected: Mapping[str, int | None] | None = None,
) -> list[tuple[Any, ...]]:
    """Return the rows of the difference, sorted: the key, and what is said of it."""
    schema = ibis.schema(COLUMNS)
    tables = {name: ibis.table(schema, name=name) for name in ("left_rows", "right_rows")}
    left_table, right_table = tables.values()
    query = difference(left_table, right_table, grain, expected=expected)
    with duckdb.connect() as connection:
        for name, rows in zip(tables, (left, right), strict=True):
            connection.register(name, pa.Table.from_pylist(list(rows), schema.to_pyarrow()))
        return sorted(
            connection.execute(compile_query(query, sources={}, schema="main")).fetchall()
        )


def test_tables_of_the_same_rows_in_any_order_do_not_differ() -> None:
    rows = [row(), row(k="b", rate=None, label=None, amount=None), row(k="c", number=4)]
    assert differences(rows, rows[::-1]) == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"amount": Decimal("1.26")}, "amount: 1.25 → 1.26"),
        ({"rate": 0.2}, "rate: 0.1 → 0.2"),
        ({"label": "y"}, "label: x → y"),
        ({"label": None}, "label: x → null"),
        ({"day": datetime.date(2025, 7, 1)}, "day: 2025-06-30 → 2025-07-01"),
        ({"number": 4, "label": "y"}, "label: x → y; number: 3 → 4"),
        ({"rate": None}, "rate: 0.1 → null"),
    ],
)
def test_it_names_each_column_that_differs_with_both_values(
    changes: Mapping[str, Any], words: str
) -> None:
    rows = [row(k="same")]
    assert differences([*rows, row()], [*rows, row(**changes)]) == [("a", words)]


def test_a_row_may_be_missing_on_either_side() -> None:
    assert differences([row(), row(k="b")], [row(), row(k="c")]) == [
        ("b", "missing on the right"),
        ("c", "missing on the left"),
    ]


def test_a_key_that_repeats_is_a_difference_even_on_both_sides() -> None:
    twice, once = [row(k="b"), row(k="b", number=4)], [row(k="b")]
    assert differences(twice, once) == [("b", "several rows on the left")]
    assert differences(once, twice) == [("b", "several rows on the right")]
    assert differences(twice, twice) == [("b", "several rows on the left")]


def test_rows_without_a_key_meet() -> None:
    assert differences([row(k=None)], [row(k=None)]) == []
    assert differences([row(k=None)], [row(k=None, number=4)]) == [(None, "number: 3 → 4")]


def test_several_columns_are_one_key() -> None:
    left = [row(number=1), row(number=2)]
    right = [row(number=1), row(number=2, label="y"), row(number=3)]
    assert differences(left, right, grain=("k", "number")) == [
        ("a", 2, "label: x → y"),
        ("a", 3, "missing on the left"),
    ]


@pytest.mark.parametrize(
    ("left", "right", "is_same"),
    [
        (1e6, 1e6 + 0.0009, True),
        (1e6, 1e6 + 0.0011, False),
        (-1e6, -1e6 - 0.0009, True),
        (1.0, -1.0, False),
        (0.0, 1e-12, True),
        (0.0, 2e-12, False),
        (float("nan"), float("nan"), True),
        (float("nan"), 1.0, False),
        (float("inf"), float("inf"), True),
        (float("inf"), float("-inf"), False),
        (float("inf"), 1e308, False),
        (None, 0.0, False),
        (None, None, True),
    ],
)
def test_floats_may_differ_by_a_little(
    left: float | None, right: float | None, is_same: bool
) -> None:
    for one, other in ((left, right), (right, left)):
        assert (differences([row(rate=one)], [row(rate=other)]) == []) is is_same


def test_decimals_may_not() -> None:
    large = Decimal("9999999999999999.99")
    found = differences([row(amount=large)], [row(amount=large - Decimal("0.01"))])
    assert found == [("a", "amount: 9999999999999999.99 → 9999999999999999.98")]


def test_columns_may_be_expected_to_be_multiples() -> None:
    large = Decimal("3000000000000000.01")
    left = [row(amount=large), row(k="b")]
    right = [
        row(amount=3 * large, rate=0.3, number=9),
        row(k="b", amount=Decimal("3.75"), rate=0.1, number=9),
    ]
    expected = {"amount": 3, "rate": 3, "number": 3}
    assert differences(left, right, expected=expected) == [
        ("b", "rate: 0.1 → 0.1, which is not 3 times as much")
    ]


def test_columns_may_be_expected_to_be_anything() -> None:
    assert differences([row()], [row(label="y")], expected={"label": None}) == []
    found = differences([row()], [row(label="y", number=4)], expected={"label": None})
    assert found == [("a", "number: 3 → 4")]


def test_a_column_may_have_any_name() -> None:
    table = ibis.memtable(pa.table({"differs_in": ["a"], "rows": [1], "left_rows": [2]}))
    other = ibis.memtable(pa.table({"differs_in": ["a"], "rows": [1], "left_rows": [3]}))
    query = difference(table, other, ["differs_in"])
    assert query.columns == ("differs_in", "differs_in_")


@pytest.mark.parametrize(
    ("expected", "message"),
    [
        ({"numbers": 2}, "no such columns: .'numbers'."),
        ({"k": 2}, "k is in the grain"),
        ({"label": 2}, "label is string, which has no multiples"),
    ],
)
def test_what_cannot_be_expected_raises(expected: Mapping[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        differences([], [], expected=expected)


def test_tables_of_different_columns_raise() -> None:
    left, right = ibis.table({"k": "string", "x": "int64"}), ibis.table({"k": "string"})
    with pytest.raises(ValueError, match=r"columns of the left: .*'x'"):
        difference(left, right, ["k"])


def test_without_a_grain_the_nth_rows_meet() -> None:
    rows = [row(), row(), row(k=None), row(number=None)]
    assert differences(rows, rows[::-1], grain=()) == []
    assert differences(rows, rows[1:], grain=()) != []
    assert differences(rows, [*rows, row()], grain=()) != []
    ((_, says),) = differences(rows, [*rows[:3], row(number=7)], grain=())
    assert says == "number: null → 7"
    with pytest.raises(ValueError, match="columns of the left"):
        difference(ibis.table({"a": "int64"}, "l"), ibis.table({"b": "int64"}, "r"), ())
