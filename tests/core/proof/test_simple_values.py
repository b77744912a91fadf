"""Simple values: those that a contract allows, and which are simpler than others."""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import Any

import pytest

from marts import boolean, date, decimal, float64, int64, string, timestamp
from marts.core.authoring.columns import Column
from marts.core.proof.simple_values import fits, simple_values, simpler_values

AS_OF = datetime.date(2025, 6, 30)
NEW_YEAR = datetime.date(2025, 1, 1)


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (string("a"), ("a", "b")),
        (string("a", values=["x", "y"]), ("x", "y")),
        (int64("a"), (1, 0)),
        (int64("a", at_least=5, at_most=9), (5, 9)),
        (decimal("a", 3, 1, at_most=0), (Decimal("0.0"), Decimal("0.0"))),
        (float64("a", at_least=1), (1.0, 1.0)),
        (boolean("a"), (True, False)),
        (date("a"), (NEW_YEAR, AS_OF)),
        (timestamp("a"), (datetime.datetime(2025, 1, 1), datetime.datetime(2025, 6, 30))),  # noqa: DTZ001
    ],
)
def test_the_simplest_value_comes_first(column: Column, expected: tuple[Any, ...]) -> None:
    assert simple_values(column, AS_OF) == expected
    assert {type(value) for value in simple_values(column, AS_OF)} == {type(expected[0])}


@pytest.mark.parametrize(
    ("column", "value", "expected"),
    [
        (int64("a"), 1, []),
        (int64("a"), 4567, [1, 0, 10, 100, 1000, 5000, -1, 4600, 4570]),
        (int64("a", at_least=4000), 4567, [4000, 5000, 4600, 4570]),
        (
            decimal("a", 4, 2),
            Decimal("12.34"),
            ["1.00", "0.00", "10.00", "-1.00", "12.00", "12.30"],
        ),
        (float64("a"), float("nan"), [1.0, 0.0]),
        (string("a"), "b", []),
        (string("a"), "other", ["a", "b"]),
        (string("a", values=["long", "s"]), "long", ["s"]),
        (boolean("a"), False, [True]),
        (date("a"), AS_OF, [NEW_YEAR]),
        (
            date("a"),
            datetime.date(2024, 2, 29),
            [NEW_YEAR, AS_OF, datetime.date(2024, 1, 1), datetime.date(2024, 2, 1)],
        ),
        (date("a", null=True), None, []),
    ],
)
def test_simpler_values_end_where_nothing_is_simpler(
    column: Column, value: Any, expected: list[Any]
) -> None:
    found = list(simpler_values(column, value, AS_OF))
    kind = type(value)
    assert found == [kind(each) if kind is Decimal else each for each in expected]
    assert all(fits(column, each) for each in found)


def test_the_time_of_day_is_left_out_first() -> None:
    value = datetime.datetime(2024, 2, 29, 23, 59, 59)  # noqa: DTZ001
    found = list(simpler_values(timestamp("a"), value, AS_OF))
    assert found[-2:] == [
        datetime.datetime(2024, 2, 29),  # noqa: DTZ001
        datetime.datetime(2024, 2, 29, 23, 59),  # noqa: DTZ001
    ]
