"""Scales: the ranges into which the numbers and dates of a column are counted."""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise

BARS = 20
"""About how many ranges of numbers there are."""
MOST_MONTHS = 36
"""The most ranges of dates."""
STEPS, WHOLE_STEPS = ("1", "2", "2.5", "5"), ("1", "2", "5")
MONTHS = (1, 3, 12, 60, 120, 600, 1_200, 6_000)
"""The months that a range of dates may have."""


@dataclass(frozen=True)
class Scale:
    """The bounds of ranges, ascending, and a label for each range between two of them.

    `below` and `above` are the labels of what is less than the first bound, or not less than the
    last one: outliers.
    """

    bounds: tuple[Decimal, ...]
    labels: tuple[str, ...]
    below: str
    above: str


def scale_of_numbers(low: float, high: float, *, is_whole: bool) -> Scale:
    """Return ranges that cover the numbers from `low` to `high`, by steps that people like."""
    step = _step((high - low) / BARS, low, is_whole=is_whole)
    first = math.floor(Decimal(repr(low)) / step)
    last = max(first, math.floor(Decimal(repr(high)) / step)) + 1
    bounds = [step * n for n in range(first, last + 1)]
    if is_whole and step == 1:
        labels = [_number(bound) for bound in bounds[:-1]]
    else:
        labels = [f"{_number(a)} to {_number(b)}" for a, b in pairwise(bounds)]
    return Scale(
        tuple(bounds),
        tuple(labels),
        f"under {_number(bounds[0])}",
        f"{_number(bounds[-1])} or more",
    )


def _step(least: float, low: float, *, is_whole: bool) -> Decimal:
    """Return the smallest such step that is not less than another one."""
    if least <= 0:
        # All numbers are the same, or nearly all: one range has them.
        least = abs(low) / BARS or 1.0
    exponent = math.floor(math.log10(least))
    if is_whole:
        exponent = max(exponent, 0)
    for power in (exponent, exponent + 1):
        for digits in WHOLE_STEPS if is_whole else STEPS:
            step = Decimal(digits).scaleb(power)
            if step >= Decimal(repr(least)):
                return step
    raise AssertionError(least)


def _number(value: Decimal) -> str:
    """Return a number with as many digits as it needs."""
    plain = value.normalize()
    return f"{plain:,f}" if plain.adjusted() < 15 else f"{plain:e}"


def scale_of_months(low: float, high: float) -> Scale:
    """Return ranges of months that cover `low` to `high`, both as months since the year 0."""
    first, last = math.floor(low), math.floor(high)
    fitting = (each for each in MONTHS if (last // each - first // each) < MOST_MONTHS)
    step = next(fitting, MONTHS[-1])
    bounds = [step * n for n in range(first // step, last // step + 2)]
    return Scale(
        tuple(map(Decimal, bounds)),
        tuple(_months(bound, step) for bound in bounds[:-1]),
        f"before {_month(bounds[0])}",
        f"{_month(bounds[-1])} or later",
    )


def _months(first: int, step: int) -> str:
    year, month = divmod(first, 12)
    if step == 1:
        return _month(first)
    if step < 12:
        return f"{year} Q{month // 3 + 1}"
    return str(year) if step == 12 else f"{year} to {year + step // 12 - 1}"


def _month(months: int) -> str:
    return f"{months // 12}-{months % 12 + 1:02}"
