"""Forms of arithmetic that all engines compute alike."""

from __future__ import annotations

import datetime
from abc import ABC, abstractmethod
from dataclasses import dataclass
from decimal import Decimal

import ibis
import ibis.expr.datatypes as dt
import ibis.expr.operations as ops
import ibis.expr.types as ir


def ratio(numerator: ir.NumericValue, denominator: ir.NumericValue) -> ir.FloatingValue:
    """Divide in float64; null where the denominator is 0 or an operand is null.

    Differences of money belong into the numerator as they are: they are exact in decimals.
    """
    return numerator.cast("float64") / denominator.cast("float64").nullif(0)


def percent(numerator: ir.NumericValue, denominator: ir.NumericValue) -> ir.FloatingValue:
    """Divide in float64, then multiply by 100; null as in `ratio`."""
    return ratio(numerator, denominator) * 100


COUNT_DIGITS = 8
"""The digits that a sum over 100 million rows has more than what is added up."""


def sum_of_squares(amount: ir.DecimalColumn) -> ir.DecimalScalar:
    """Add up the squares of a decimal column, exactly, whatever the order of its rows.

    For decimals with twice their digits less those behind the point at most 18, such as
    decimal(10, 2); the result has twice the digits behind the point. Null over no rows. Raises
    TypeError for any other column.
    """
    precision, scale = _digits(amount)
    unit = 10**scale
    whole, units = amount.cast("int64"), (amount * unit).cast("int64")
    # Products of 64 bits, which engines multiply fast and a square would not fit. It is
    # u² = unit u w + u (u - unit w), however the wholes w of the units u are rounded.
    total = (units * whole).sum() * unit + (units * (units - whole * unit)).sum()
    squared = ibis.literal(Decimal(1).scaleb(-2 * scale), dt.Decimal(2 * scale + 1, 2 * scale))
    return _cast(total * squared, 2 * precision + COUNT_DIGITS, 2 * scale)


def sample_stddev(amount: ir.DecimalColumn) -> ir.FloatingScalar:
    """Compute the sample standard deviation from exact sums: sqrt((n Σx² - (Σx)²) / (n (n - 1))).

    So that a label at a threshold does not depend on the order of rows. Null for fewer than two
    rows. Takes the columns that `sum_of_squares` does.
    """
    precision, scale = _digits(amount)
    count, total = amount.count(), _cast(amount.sum(), precision + COUNT_DIGITS, scale)
    # Wide first: DuckDB multiplies decimals of up to 18 digits in 18 digits.
    squared_total = _cast(total, 2 * precision + COUNT_DIGITS, scale) * total
    spread = _cast(count, COUNT_DIGITS + 2, 0) * sum_of_squares(amount) - squared_total
    return ratio(spread, count * (count - 1)).sqrt()


def _digits(amount: ir.DecimalColumn) -> tuple[int, int]:
    kind = amount.type()
    precision, scale = getattr(kind, "precision", None), getattr(kind, "scale", None)
    if not precision or scale is None or 2 * precision - scale > 18:
        raise TypeError(f"squares of {kind} cannot be added up exactly in 64 bits")
    return precision, scale


def _cast(value: ir.NumericValue, precision: int, scale: int) -> ir.DecimalValue:
    # An operation of its own: what Ibis believes of decimals is wrong for sums and products.
    return ops.Cast(value, dt.Decimal(precision, scale)).to_expr()


AS_OF = "as_of"
"""The parameter by which a mart or a table check asks for the run's date."""


class AsOf(ABC):
    """The date of a run, as expressions use it; no expression asks the engine what day it is."""

    @abstractmethod
    def minus(self, *, days: int) -> ir.DateScalar:
        """Return the day so many days earlier."""

    def plus(self, *, days: int) -> ir.DateScalar:
        """Return the day so many days later."""
        return self.minus(days=-days)

    @property
    def date(self) -> ir.DateScalar:
        """The day itself."""
        return self.minus(days=0)


@dataclass(frozen=True)
class FixedAsOf(AsOf):
    """An as-of date that is known when the SQL is compiled: every bound is a constant in it."""

    day: datetime.date

    def minus(self, *, days: int) -> ir.DateScalar:
        """Return the day so many days earlier, as a date literal."""
        return ibis.date(self.day - datetime.timedelta(days=days))
