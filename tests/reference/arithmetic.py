"""The numeric conventions of the project, on exact operands.

Money stays Decimal. A quotient casts its exact operands to float once each and divides
then; a percentage multiplies the quotient by 100 last.

>>> percentage(Decimal("-30.00"), Decimal("100.00"))  # -30/100 = -0.3
-30.0
>>> quotient(Decimal("20.00"), 8)
2.5
>>> quotient(Decimal("20.00"), 0)  # an average over nothing is 0 in every mart
0.0
"""

from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal
from fractions import Fraction
from math import sqrt

ZERO = Decimal("0.00")


def total(amounts: Iterable[Decimal]) -> Decimal:
    """Sum exactly; 0.00 for none.

    >>> total([Decimal("0.10"), Decimal("0.20")])
    Decimal('0.30')
    """
    return sum(amounts, ZERO)


def quotient(numerator: Decimal | int, denominator: Decimal | int) -> float:
    """Divide in float; 0 where the denominator is 0."""
    if denominator == 0:
        return 0.0
    return float(numerator) / float(denominator)


def percentage(numerator: Decimal, denominator: Decimal) -> float:
    """Give `numerator / denominator * 100` in float; 0 where the denominator is 0."""
    return quotient(numerator, denominator) * 100


def sample_deviation(amounts: Sequence[Decimal]) -> float:
    """Give the sample standard deviation from exact moments; 0 for fewer than two.

    0, 50, 100: n = 3, sum = 150, sum of squares = 0 + 2,500 + 10,000 = 12,500;
    3 x 12,500 - 150 x 150 = 15,000; 15,000 / (3 x 2) = 2,500; its root is 50.

    >>> sample_deviation([Decimal("0.00"), Decimal("50.00"), Decimal("100.00")])
    50.0
    >>> sample_deviation([Decimal("7.00")])
    0.0
    """
    count = len(amounts)
    if count < 2:
        return 0.0
    cents = [int(amount * 100) for amount in amounts]
    moments = count * sum(value * value for value in cents) - sum(cents) ** 2
    squared_money = Fraction(moments, 100 * 100)
    return sqrt(float(squared_money) / float(count * (count - 1)))


def median(amounts: Sequence[Decimal]) -> float:
    """Give the middle value, or the mean of the two middle ones; 0 for none.

    >>> median([Decimal("9.00"), Decimal("1.00"), Decimal("2.00")])  # 1, 2, 9
    2.0
    >>> median([Decimal("9.00"), Decimal("1.00")])  # (1 + 9) / 2
    5.0
    >>> median([])
    0.0
    """
    if not amounts:
        return 0.0
    ordered = sorted(amounts)
    upper = len(ordered) // 2
    if len(ordered) % 2 == 1:
        return float(ordered[upper])
    return (float(ordered[upper - 1]) + float(ordered[upper])) / 2


def months_between(earlier: date, later: date) -> int:
    """Count the month boundaries crossed.

    >>> months_between(date(2025, 1, 31), date(2025, 2, 1))
    1
    >>> months_between(date(2025, 1, 1), date(2025, 1, 31))
    0
    >>> months_between(date(2023, 11, 5), date(2025, 2, 28))  # 2 x 12 + 2 - 11
    15
    """
    return (later.year - earlier.year) * 12 + later.month - earlier.month
