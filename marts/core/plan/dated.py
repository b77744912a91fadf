"""A query with the run's date as a parameter, found by compiling it as of several dates.

A date literal that moves with the run's date becomes a parameter. Everything else must be the same
for each date: a definition that takes the date apart in Python has it baked into its SQL.
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher

import ibis.expr.types as ir
import sqlglot.expressions as sge

from marts.core.authoring.expressions import AsOf, FixedAsOf
from marts.core.errors import DefinitionError
from marts.core.plan.schedule import PARAMETER
from marts.core.plan.state import CompiledQuery

DAYS = (datetime.date(2025, 7, 30), datetime.date(2024, 2, 29), datetime.date(2030, 11, 5))
"""They differ in year, quarter, month, day, day of the week, and in the length of the year."""
AROUND = 60


@dataclass(frozen=True)
class UndatedAsOf(AsOf):
    """One of `DAYS`, of which a definition can make expressions, but which it cannot look at."""

    known: datetime.date

    @property
    def day(self) -> datetime.date:
        """Raise AttributeError: the date is not known when a scheduled query is compiled."""
        raise AttributeError(
            "as_of.day is not known when a scheduled query is compiled: a run gets its date when it"
            " begins, so use as_of.date, as_of.minus(days=…) and expressions of them"
        )

    def minus(self, *, days: int) -> ir.DateScalar:
        """Return the day this many days earlier, as a date literal."""
        return FixedAsOf(self.known).minus(days=days)


def dated(queries: Sequence[CompiledQuery], *, what: str, location: str) -> CompiledQuery:
    """Return one query of those that are the same one as of `DAYS`, in which the date is a call.

    Raises DefinitionError, with `what` the query defines, if they differ in more than the date.
    """
    trees = [query.tree.copy() for query in queries]
    found = [_literals(tree) for tree in trees]
    for dates in zip(*found, strict=False):
        offsets = {(_day(each) - day).days for each, day in zip(dates, DAYS, strict=True)}
        if len(offsets) == 1:
            for each in dates:
                each.replace(_parameter(*offsets))
    texts = [tree.sql(queries[0].dialect) for tree in trees]
    if len({*texts}) > 1:
        raise DefinitionError(
            f"{what} takes the run's date apart in Python, so that it is a constant in its SQL",
            *_difference(texts),
            location,
            hint="a scheduled query gets its date when it runs: use as_of.date, as_of.minus(days=…)"
            " and expressions of them, such as as_of.date.truncate('M') or as_of.date.year()",
        )
    return replace(queries[0], tree=trees[0], texts={})


def _parameter(days: int) -> sge.Expr:
    return sge.Anonymous(this=PARAMETER, expressions=[sge.convert(days)])


def _literals(tree: sge.Query) -> list[sge.DateFromParts]:
    return [each for each in tree.find_all(sge.DateFromParts) if _is_literal(each)]


def _is_literal(date: sge.DateFromParts) -> bool:
    parts = [date.args.get(part) for part in ("year", "month", "day")]
    return all(isinstance(part, sge.Literal) and not part.is_string for part in parts)


def _day(date: sge.DateFromParts) -> datetime.date:
    return datetime.date(*(int(date.args[part].name) for part in ("year", "month", "day")))


def _difference(texts: Sequence[str]) -> list[str]:
    """Return the first place in which two of some texts differ, with the dates."""
    one, number = texts[0], next(n for n, text in enumerate(texts) if text != texts[0])
    other = texts[number]
    match = SequenceMatcher(None, one[:2_000], other[:2_000], autojunk=False)
    at = next((op for op in match.get_opcodes() if op[0] != "equal"), ("", 0, 0, 0, 0))
    shown = ((one, at[1], at[2]), (other, at[3], at[4]))
    return [
        f"as of {day}: … {' '.join(text[max(0, low - AROUND) : high + AROUND].split())} …"
        for (text, low, high), day in zip(shown, (DAYS[0], DAYS[number]), strict=True)
    ]
