"""Forms of arithmetic that all engines compute alike."""

from __future__ import annotations

import datetime
from abc import ABC, abstractmethod
from dataclasses import dataclass

import ibis
import ibis.expr.types as ir


def ratio(numerator: ir.NumericValue, denominator: ir.NumericValue) -> ir.FloatingValue:
    """Divide in float64; null where the denominator is 0 or an operand is null.

    Differences of money belong into the numerator as they are: they are exact in decimals.
    """
    return numerator.cast("float64") / denominator.cast("float64").nullif(0)


def percent(numerator: ir.NumericValue, denominator: ir.NumericValue) -> ir.FloatingValue:
    """Divide in float64, then multiply by 100; null as in `ratio`."""
    return ratio(numerator, denominator) * 100


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
