"""Domains: the values that a source's column takes in a world, from its contract and thresholds."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from typing import Any

import ibis.expr.datatypes as dt
import ibis.expr.operations as ops

from marts.core.analysis.lineage import Name
from marts.core.analysis.thresholds import Threshold, around
from marts.core.authoring.columns import Column, type_of
from marts.core.errors import MartsError
from marts.core.project.graph import Graph
from marts.core.proof import amounts
from marts.core.proof.expected_values import Narrowed, refused_values, searched_texts


@dataclass(frozen=True)
class Domain:
    """The values of a column, the plainest one first; what is met more often occurs more often.

    `groups` are values of rows that marts sum up together, and that meet a threshold together.
    `new` returns the n-th of the values that are all different, None after the last one.
    """

    column: Column
    values: tuple[Any, ...]
    new: Callable[[int], Any]
    groups: tuple[tuple[Any, ...], ...] = ()
    labels: tuple[str, ...] = ()
    """For texts: those that marts compare with."""
    spots: tuple[Any, ...] = ()
    """For days: one within each interval between thresholds, in their order."""

    @property
    def null(self) -> bool:
        """Tell whether a value may be null."""
        return self.column.null


def domains_of(
    graph: Graph,
    queries: Mapping[str, ops.Relation],
    thresholds: Iterable[Threshold],
    as_of: datetime.date,
) -> dict[Name, Domain]:
    """Return the domain of each column of the sources, as of a day."""
    narrowed = Narrowed(graph, queries)
    thresholds = (*thresholds, *searched_texts(queries.values()))
    refused = refused_values(queries.values())
    found = {}
    for source in graph.project.sources.values():
        for column in source.columns:
            name = source.name, column.name
            own = sorted(
                (each for each in thresholds if name in each.sources),
                key=lambda each: (each.kind, str(each.at)),
            )
            domain = _domain(narrowed(name, column), own, as_of, source.location)
            # The plainest value is one with which a row counts.
            refusing = refused.get(name, set())
            found[name] = replace(
                domain, values=tuple(sorted(domain.values, key=refusing.__contains__))
            )
    return found


def _domain(
    column: Column, thresholds: list[Threshold], as_of: datetime.date, location: str
) -> Domain:
    kind = type_of(column.type)
    for is_of_kind, make in KINDS:
        if is_of_kind(kind):
            return make(column, thresholds, as_of)
    raise MartsError(
        f"there are no generic values of {column.type}, the type of {column.name}",
        location,
        hint="give the rows of the source in a corpus function",
    )


# Texts and flags


def _texts(column: Column, thresholds: list[Threshold], _: datetime.date) -> Domain:
    compared = dict.fromkeys(
        text for each in thresholds if each.kind == "texts" for text in each.at
    )
    if column.values:
        labels = tuple(each for each in compared if each in column.values)
        values = tuple(dict.fromkeys((*labels, *column.values)))
        new: Callable[[int], Any] = lambda n: values[n] if n < len(values) else None  # noqa: E731
        return Domain(column, values, new, labels=labels)
    values = (*compared, "other") if compared else ("a", "b", "c", "Zoë O'Hara")
    first = values if compared else ()
    return Domain(
        column,
        values,
        new=lambda n: first[n] if n < len(first) else f"{column.name[0]}{n}",
        labels=tuple(compared),
    )


def _flags(column: Column, _: list[Threshold], __: datetime.date) -> Domain:
    values = (True, False)
    return Domain(column, values, new=lambda n: values[n] if n < 2 else None)


# Numbers


def _numbers(column: Column, thresholds: list[Threshold], _: datetime.date) -> Domain:
    kind = type_of(column.type)
    at: dict[str, list[Fraction]] = {"values": [], "numbers": [], "shares": []}
    for each in thresholds:
        if each.kind in at and (each.kind != "values" or each.column == column.name):
            at[each.kind].append(Fraction(each.at))
    unit = _unit(kind, at["values"] + at["numbers"])
    low, high = _bounds(column, kind, unit)
    exact = [each + step * unit for each in at["values"] for step in (0, -1, 1)]
    ends = [Fraction(each) for each in (column.at_least, column.at_most) if each is not None]
    simple = [Fraction(each) for each in ("100", "1", "0", "2", "10", "33.33", "3", "-1")]
    if column.at_least and column.at_least > 1:
        simple = [Fraction(column.at_least + each) for each in (1, 0, 2, 10)]
    elif high is not None and high < 100:
        simple = [Fraction(0), high / 10, high / 2, Fraction(1), high / 4]
    if at["numbers"] or not exact:
        exact = [*simple, *exact]
    groups = amounts.groups(at["numbers"], at["shares"], unit) if at["numbers"] else ()
    fits = _fitting(low, high)
    kept = [group for group in groups if all(map(fits, group))]
    near = [each for group in kept if len(group) == 1 for each in group]
    made = [each // unit * unit for each in (*exact, *ends, *near)]
    values = tuple(dict.fromkeys(each for each in made if fits(each)))
    shown = _shown(kind)
    first = low if low is not None and low >= 1 else Fraction(1)
    specials = tuple(each for each in exact if fits(each)) if at["values"] else ()
    return Domain(
        column,
        tuple(map(shown, values or (first,))),
        new=lambda n: _fitted(specials[n] if n < len(specials) else first + n, fits, shown),
        groups=tuple(tuple(map(shown, group)) for group in kept),
    )


def _unit(kind: dt.DataType, thresholds: Iterable[Fraction]) -> Fraction:
    """Return the smallest step between two numbers: for floats, a tenth of the thresholds' own."""
    if isinstance(kind, dt.Decimal):
        return Fraction(1, 10 ** (kind.scale or 0))
    if kind.is_integer():
        return Fraction(1)
    return Fraction(1, 10 * max((each.denominator for each in thresholds), default=1))


def _bounds(
    column: Column, kind: dt.DataType, unit: Fraction
) -> tuple[Fraction | None, Fraction | None]:
    low = None if column.at_least is None else Fraction(column.at_least)
    high = None if column.at_most is None else Fraction(column.at_most)
    if isinstance(kind, dt.Decimal) and kind.precision:
        largest = (10**kind.precision - 1) * unit
        high = largest if high is None else min(high, largest)
    return low, high


def _fitting(low: Fraction | None, high: Fraction | None) -> Callable[[Fraction], bool]:
    return lambda each: (low is None or low <= each) and (high is None or each <= high)


def _fitted(
    number: Fraction, fits: Callable[[Fraction], bool], shown: Callable[[Fraction], Any]
) -> Any:
    return shown(number) if fits(number) else None


def _shown(kind: dt.DataType) -> Callable[[Fraction], Any]:
    if isinstance(kind, dt.Decimal):
        scale = kind.scale or 0
        return lambda each: Decimal(int(each * 10**scale)).scaleb(-scale)
    return int if kind.is_integer() else float


def with_greatest(domain: Domain) -> Domain:
    """Return a domain with the greatest number that fits its type, if its contract allows it."""
    kind = type_of(domain.column.type)
    if not isinstance(kind, dt.Decimal) or domain.column.at_most is not None:
        return replace(domain, groups=())
    greatest = Decimal(10 ** (kind.precision or 0) - 1).scaleb(-(kind.scale or 0))
    return replace(domain, groups=(), values=(greatest, *domain.values))


# Days


def days_before(thresholds: Iterable[Threshold], as_of: datetime.date) -> tuple[int, ...]:
    """Return days before as_of, the plainest first: those near thresholds occur most often."""
    thresholds = tuple(thresholds)
    days = {each.at for each in thresholds if each.kind == "days"}
    months = {each.at for each in thresholds if each.kind == "months"}
    spots = days_between(thresholds)[::-1]
    near = (*around(days | {0}), *_month_ends(as_of, around(months)))
    others = (*_month_ends(as_of, range(14)), 365, 366, 730, 2000)
    return (*spots, *(near * 3), *spots, *others)


def days_between(thresholds: Iterable[Threshold]) -> tuple[int, ...]:
    """Return days before as_of, the earliest first: one between each two thresholds, one beyond."""
    past = sorted({0, *(each.at for each in thresholds if each.kind == "days" and each.at > 0)})
    between = ((one + other) // 2 for one, other in reversed([*pairwise(past)]))
    return (past[-1] + 100, *between)


def _month_ends(as_of: datetime.date, months: Iterable[int]) -> Iterator[int]:
    """Yield the days before as_of on which some months before it began and ended."""
    for each in months:
        number = as_of.year * 12 + as_of.month - 1 - each
        for months_later, days in ((0, 0), (1, 1)):
            year, month = divmod(number + months_later, 12)
            day = (as_of - datetime.date(year, month + 1, 1)).days + days
            if day > 0 or each < 0:
                yield day


def _dates(column: Column, thresholds: list[Threshold], as_of: datetime.date) -> Domain:
    days = days_before(thresholds, as_of)
    return Domain(
        column,
        tuple(as_of - datetime.timedelta(days=each) for each in days),
        new=lambda n: as_of - datetime.timedelta(days=n),
        spots=tuple(as_of - datetime.timedelta(days=each) for each in days_between(thresholds)),
    )


CLOCKS = (datetime.time(12), datetime.time.min, datetime.time.max)


def _moments(column: Column, thresholds: list[Threshold], as_of: datetime.date) -> Domain:
    dates = _dates(column, thresholds, as_of)
    at = datetime.datetime.combine
    return Domain(
        column,
        tuple(at(day, clock) for day in dates.values for clock in CLOCKS),
        new=lambda n: at(dates.new(n), CLOCKS[0]),
        spots=tuple(at(day, CLOCKS[0]) for day in dates.spots),
    )


KINDS: tuple[
    tuple[
        Callable[[dt.DataType], bool],
        Callable[[Column, list[Threshold], datetime.date], Domain],
    ],
    ...,
] = (
    (dt.DataType.is_string, _texts),
    (dt.DataType.is_boolean, _flags),
    (lambda kind: kind.is_integer() or kind.is_decimal() or kind.is_floating(), _numbers),
    (dt.DataType.is_date, _dates),
    (dt.DataType.is_timestamp, _moments),
)
