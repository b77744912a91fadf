"""Slots for dates that derive from the run's date, found by comparing what two dates give."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator, Sequence
from typing import Any

import sqlglot.expressions as sge

Days = tuple[datetime.date, datetime.date]
"""Two different dates of a run."""

DATE_IN_LINE = re.compile(r"datetime\.date\((\d+), (\d+), (\d+)\)")
"""A date in a line of an expression's signature."""
LONGEST = 60


class OtherwiseDatedError(Exception):
    """Something besides dates at a fixed distance from the run's date depends on that date."""


def slotted_tree(one: sge.Query, other: sge.Query, days: Days) -> sge.Query:
    """Return a query with a slot such as `{as_of - 90}` for each date that derives from its day.

    `one` and `other` are the same query, compiled as of two days. Raises OtherwiseDatedError if
    they differ in anything but dates at the same distance from their days.
    """
    tree = one.copy()
    for node, distance in list(_slots(tree, other, days)):
        node.replace(sge.Var(this=_slot(distance)))
    return tree


def slotted_lines(one: Sequence[str], other: Sequence[str], days: Days) -> list[str]:
    """Do the same with the lines of an expression's signature."""
    if len(one) != len(other):
        raise OtherwiseDatedError(f"it has {len(one)} operations, and {len(other)}")
    return [_slotted_line(*lines, days) for lines in zip(one, other, strict=True)]


def _slotted_line(one: str, other: str, days: Days) -> str:
    if one == other:
        return one
    dates = [
        [datetime.date(*map(int, found.groups())) for found in DATE_IN_LINE.finditer(line)]
        for line in (one, other)
    ]
    if DATE_IN_LINE.sub("", one) != DATE_IN_LINE.sub("", other):
        raise OtherwiseDatedError(_difference(one, other))
    texts = iter([_text_of(here, there, days) for here, there in zip(*dates, strict=True)])
    return DATE_IN_LINE.sub(lambda _: next(texts), one)


def _text_of(one: datetime.date, other: datetime.date, days: Days) -> str:
    return repr(one) if one == other else _slot(_distance(one, other, days))


def _slots(tree: sge.Expr, other: sge.Expr, days: Days) -> Iterator[tuple[sge.Expr, int]]:
    """Yield the dates of a tree that are others in the other tree, with their distances."""
    waiting: list[tuple[Any, Any]] = [(tree, other)]
    while waiting:
        one, two = waiting.pop()
        if isinstance(one, list) and isinstance(two, list) and len(one) == len(two):
            waiting += zip(one, two, strict=True)
        elif not isinstance(one, sge.Expr) or type(one) is not type(two):
            if one != two:
                raise OtherwiseDatedError(_difference(_text(one), _text(two)))
        elif (date := _date_of(one)) and (there := _date_of(two)):
            if date != there:
                yield one, _distance(date, there, days)
        else:
            names = sorted(one.args.keys() | two.args.keys())
            waiting += [(one.args.get(name), two.args.get(name)) for name in names]


def _date_of(node: sge.Expr) -> datetime.date | None:
    """Return the date that a node of a tree is, None if it is anything else."""
    match node:
        case sge.DateFromParts():
            parts = [node.args.get(name) for name in ("year", "month", "day")]
        case sge.Cast(this=sge.Literal(is_string=True, this=text)) if node.to.is_type("date"):
            parts = [sge.Literal.number(part) for part in text.split("-")]
        case _:
            return None
    try:
        return datetime.date(*(int(part.this) for part in parts if isinstance(part, sge.Literal)))
    except (TypeError, ValueError):
        return None


def _distance(one: datetime.date, other: datetime.date, days: Days) -> int:
    here, there = (one - days[0]).days, (other - days[1]).days
    if here != there:
        raise OtherwiseDatedError(
            f"a date is {_slot(here)} as of {days[0]}, and {_slot(there)} as of {days[1]}"
        )
    return here


def _slot(distance: int) -> str:
    sign = "-" if distance < 0 else "+"
    return f"{{as_of {sign} {abs(distance)}}}" if distance else "{as_of}"


def _difference(one: str, other: str) -> str:
    return f"{_shortened(one)} for one date is {_shortened(other)} for another"


def _text(value: object) -> str:
    return value.sql() if isinstance(value, sge.Expr) else repr(value)


def _shortened(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…"
