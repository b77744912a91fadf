"""Forms of arithmetic that all engines compute alike."""

from __future__ import annotations

import ibis.expr.types as ir


def ratio(numerator: ir.NumericValue, denominator: ir.NumericValue) -> ir.FloatingValue:
    """Divide in float64; null where the denominator is 0 or an operand is null.

    Differences of money belong into the numerator as they are: they are exact in decimals.
    """
    return numerator.cast("float64") / denominator.cast("float64").nullif(0)


def percent(numerator: ir.NumericValue, denominator: ir.NumericValue) -> ir.FloatingValue:
    """Divide in float64, then multiply by 100; null as in `ratio`."""
    return ratio(numerator, denominator) * 100
