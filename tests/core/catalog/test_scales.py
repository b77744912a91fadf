"""Scales: their ranges cover what they must, by steps that people like, and are named rightly."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marts.core.catalog.scales import (
    BARS,
    MOST_MONTHS,
    scale_of_months,
    scale_of_numbers,
)

NUMBERS = st.floats(-1e15, 1e15, allow_subnormal=False)


@pytest.mark.parametrize(
    ("low", "high", "is_whole", "first", "last", "count"),
    [
        (0, 3, True, "0", "3", 4),
        (1, 18, True, "1", "18", 18),
        (0, 60, True, "0 to 5", "60 to 65", 13),
        (-7, 100, True, "-10 to 0", "100 to 110", 12),
        (0, 1, False, "0 to 0.05", "1 to 1.05", 21),
        (0.0, 47_800.5, False, "0 to 2,500", "47,500 to 50,000", 20),
        (5.0, 5.0, False, "5 to 5.25", "5 to 5.25", 1),
        (0, 0, True, "0", "0", 1),
        (1e18, 3e18, True, "1e+18 to 1.1e+18", "3e+18 to 3.1e+18", 21),
    ],
)
def test_ranges_of_numbers(
    low: float, high: float, first: str, last: str, count: int, *, is_whole: bool
) -> None:
    scale = scale_of_numbers(low, high, is_whole=is_whole)
    assert (scale.labels[0], scale.labels[-1], len(scale.labels)) == (first, last, count)


def test_outliers_have_labels() -> None:
    scale = scale_of_numbers(-7, 100, is_whole=True)
    assert (scale.below, scale.above) == ("under -10", "110 or more")


@given(NUMBERS, NUMBERS, st.booleans())
def test_ranges_of_numbers_cover_what_is_between(one: float, other: float, is_whole: bool) -> None:
    low, high = sorted((round(one), round(other)) if is_whole else (one, other))
    scale = scale_of_numbers(low, high, is_whole=is_whole)
    assert scale.bounds[0] <= Decimal(repr(low))
    assert Decimal(repr(high)) < scale.bounds[-1]
    assert len(scale.labels) == len(scale.bounds) - 1 <= BARS + 2
    assert len({*scale.labels}) == len(scale.labels)
    assert len({b - a for a, b in pairwise(scale.bounds)}) == 1
    if is_whole:
        assert all(bound == int(bound) for bound in scale.bounds)


def months(text: str) -> int:
    year, month = map(int, text.split("-"))
    return year * 12 + month - 1


@pytest.mark.parametrize(
    ("low", "high", "first", "last", "count"),
    [
        ("2025-02", "2025-02", "2025-02", "2025-02", 1),
        ("2023-12", "2025-01", "2023-12", "2025-01", 14),
        ("2020-02", "2025-07", "2020 Q1", "2025 Q3", 23),
        ("1999-05", "2025-07", "1999", "2025", 27),
        ("1930-05", "2025-07", "1930 to 1934", "2025 to 2029", 20),
        ("0001-01", "9999-12", "0 to 499", "9500 to 9999", 20),
    ],
)
def test_ranges_of_months(low: str, high: str, first: str, last: str, count: int) -> None:
    scale = scale_of_months(months(low), months(high))
    assert (scale.labels[0], scale.labels[-1], len(scale.labels)) == (first, last, count)
    assert len(scale.labels) <= MOST_MONTHS
    assert scale.bounds[0] <= months(low)
    assert months(high) < scale.bounds[-1]


def test_dates_that_are_outliers_have_labels() -> None:
    scale = scale_of_months(months("2024-11"), months("2025-01"))
    assert (scale.below, scale.above) == ("before 2024-11", "2025-02 or later")
