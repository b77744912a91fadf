"""The run's date, and arithmetic that all engines compute alike."""

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
    """Divide in float64; null if the denominator is 0 or an operand is null.

    Pass a difference of decimals as it is: it is exact, and cast to float64 afterwards.
    """
    return numerator.cast("float64") / denominator.cast("float64").nullif(0)


def percent(numerator: ir.NumericValue, denominator: ir.NumericValue) -> ir.FloatingValue:
    """Divide in float64 and multiply by 100; null if the denominator is 0 or an operand is null."""
    return ratio(numerator, denominator) * 100


MEAN_DIGITS = 14
"""How many digits after the point the terms of a mean have."""


def mean(value: ir.FloatingColumn) -> ir.FloatingScalar:
    """Compute the mean of floats, whatever the order of their rows.

    A sum of floats depends on it in its last digits, and so would differ from run to run. Here they
    are summed as decimals, rounded to 14 digits after the point. Nulls are left out; null over no
    other rows. An engine raises an error for a sum of more than 24 digits before the point.
    """
    exact = _cast(value.round(MEAN_DIGITS), 38, MEAN_DIGITS)
    return ratio(exact.sum(), value.count())


COUNT_DIGITS = 8
"""How many more digits a sum over 100 million rows may have than its terms."""


def sum_of_squares(amount: ir.DecimalColumn) -> ir.DecimalScalar:
    """Sum the squares of a decimal column exactly, whatever the order of its rows.

    Twice the column's precision less its scale must be at most 18, as for decimal(10, 2). The
    result has twice its scale. Null over no rows. Raises TypeError for any other column.
    """
    precision, scale = _digits(amount)
    unit = 10**scale
    whole, units = amount.cast("int64"), (amount * unit).cast("int64")
    # Engines multiply 64-bit integers fast, but the square of an amount in units u (cents) may not
    # fit. So it is the sum of two products that do: u² = unit u w + u (u - unit w), which holds
    # however the whole amounts w (dollars) are rounded.
    total = (units * whole).sum() * unit + (units * (units - whole * unit)).sum()
    squared = ibis.literal(Decimal(1).scaleb(-2 * scale), dt.Decimal(2 * scale + 1, 2 * scale))
    return _cast(total * squared, 2 * precision + COUNT_DIGITS, 2 * scale)


def sample_stddev(amount: ir.DecimalColumn) -> ir.FloatingScalar:
    """Compute the sample standard deviation from exact sums: sqrt((n Σx² - (Σx)²) / (n (n - 1))).

    The result does not depend on the order of rows, so neither does a label with a threshold on it.
    Null for fewer than two rows. Raises TypeError for a column that `sum_of_squares` does not take.
    """
    precision, scale = _digits(amount)
    count, total = amount.count(), _cast(amount.sum(), precision + COUNT_DIGITS, scale)
    # Widen one operand first: DuckDB multiplies decimals of up to 18 digits within 18 digits.
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
    # Not `value.cast(…)`: Ibis infers wrong types for sums and products of decimals, and leaves out
    # a cast to the type that it inferred.
    return ops.Cast(value, dt.Decimal(precision, scale)).to_expr()


AS_OF = "as_of"
"""The parameter by which a mart or a table check asks for the run's date."""


class AsOf(ABC):
    """The date of a run, for expressions, which must not ask the engine what day it is."""

    @abstractmethod
    def minus(self, *, days: int) -> ir.DateScalar:
        """Return the day this many days earlier, as a date expression."""

    def plus(self, *, days: int) -> ir.DateScalar:
        """Return the day this many days later, as a date expression."""
        return self.minus(days=-days)

    @property
    def date(self) -> ir.DateScalar:
        """The run's date, as an expression."""
        return self.minus(days=0)


@dataclass(frozen=True)
class FixedAsOf(AsOf):
    """An as-of date that is known when the SQL is compiled, so every bound is a constant in it."""

    day: datetime.date

    def minus(self, *, days: int) -> ir.DateScalar:
        """Return the day this many days earlier, as a date literal."""
        return ibis.date(self.day - datetime.timedelta(days=days))
