"""Groups of numbers whose sums, averages, deviations and changes meet thresholds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from itertools import permutations

Group = tuple[Fraction, ...]
"""The numbers of the rows that a mart sums up, in the order of their days."""

BASE = Fraction(100)
"""The amount of which shares are taken, besides the thresholds."""


def groups(
    numbers: Iterable[Fraction], shares: Iterable[Fraction], unit: Fraction
) -> tuple[Group, ...]:
    """Return groups of numbers at and next to thresholds; one is next to another by one unit.

    A sum, an average, a median or a deviation of some group is exactly each number, and a quotient
    of two parts or of two successive numbers exactly each share.
    """
    shares = sorted(set(shares))
    bases = dict.fromkeys([BASE, *sorted(each for each in numbers if each > 0)])
    found = [(BASE,), (Fraction(0),), (BASE, Fraction(0)), (Fraction(0), BASE), (BASE, BASE)]
    found += [(BASE, 2 * BASE, 2 * BASE - unit), (unit, 2 * unit), (unit,)]
    for base in bases:
        found += _at(base, unit)
        for share in shares:
            found += _changed(base, share, unit)
            found += _shared(base, share, unit)
    found += _pairs(shares)
    return tuple(dict.fromkeys(tuple(_rounded(each, unit) for each in group) for group in found))


def _rounded(number: Fraction, unit: Fraction) -> Fraction:
    return number // unit * unit


def _at(base: Fraction, unit: Fraction) -> Iterator[Group]:
    for total in (base, base - unit, base + unit):
        half, third = _rounded(total / 2, unit), _rounded(total / 3, unit)
        yield (total,)
        yield (half, total - half)
        yield (third, total - third)
        # The sample deviation of x, x + d and x + 2 d is d.
        yield (Fraction(0), base, total + base)
    yield (unit, base + unit, 2 * base + unit)
    yield (2 * base, base, Fraction(0))
    yield (base, base, base)
    yield (base - unit, base + unit)


def _changed(base: Fraction, share: Fraction, unit: Fraction) -> Iterator[Group]:
    """Yield a number and then one changed by a share.

    If the change is at its threshold, the number is, too; if the number is next to it, the change
    is clearly on one side of its threshold.
    """
    after = base * (1 + share)
    for one, other in ((0, 0), (0, -1), (0, 1), (-1, -100), (-1, 100), (1, -100), (1, 100)):
        yield (base + one * unit, after + other * unit)
    yield (Fraction(0), base, after)
    yield (base, Fraction(0))


def _shared(base: Fraction, share: Fraction, unit: Fraction) -> Iterator[Group]:
    if 0 < share < 1:
        part = base * share
        yield (part, base - part)
        yield (part - unit, base - part + unit)
        yield (part + unit, base - part)
        yield (part, base - part - unit)
        yield (2 * part, 2 * (base - part) + unit)


def _pairs(shares: Iterable[Fraction]) -> Iterator[Group]:
    for one, other in permutations([each for each in shares if 0 < each < 1], 2):
        yield (BASE * one, BASE * other, max(Fraction(0), BASE * (1 - one - other)))
