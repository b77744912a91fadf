"""Simple values that a contract allows, and which of two values is simpler to read."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

import ibis.expr.datatypes as dt

from marts.core.authoring.columns import Column, type_of

Value = Any
FEW_DIGITS = range(1, 4)


def simple_values(column: Column, as_of: datetime.date) -> tuple[Value, ...]:
    """Return values that say nothing, the simplest first; none for a type without any."""
    kind = type_of(column.type)
    make = next((make for test, make in _SIMPLE if test(kind)), None)
    return tuple(value for value in make(column, as_of) if fits(column, value)) if make else ()


def simpler_values(column: Column, value: Value, as_of: datetime.date) -> Iterator[Value]:
    """Yield values near a value that are simpler than it, the simplest first."""
    if value is None:
        return
    near = next((near for kind, near in _NEAR.items() if type(value) is kind), None)
    found = [*simple_values(column, as_of), *(near(value, as_of) if near else ())]
    for each in sorted(dict.fromkeys(found), key=lambda each: _effort(each, as_of)):
        if _effort(each, as_of) < _effort(value, as_of) and fits(column, each):
            yield each


def fits(column: Column, value: Value) -> bool:
    """Tell whether a value that is not null is one that a column's contract allows."""
    if column.values and value not in column.values:
        return False
    if isinstance(value, Decimal) and not _has_digits_for(value, type_of(column.type)):
        return False
    low, high = column.at_least, column.at_most
    return not (low is not None and value < low) and not (high is not None and value > high)


def _has_digits_for(value: Decimal, kind: dt.DataType) -> bool:
    return not kind.is_decimal() or abs(value) < Decimal(10) ** (
        (kind.precision or 38) - (kind.scale or 0)
    )


def _texts(column: Column, _: datetime.date) -> Sequence[str]:
    return column.values or ("a", "b")


def _numbers(column: Column, _: datetime.date) -> Sequence[Value]:
    bounds = (each for each in (column.at_least, column.at_most) if each is not None)
    kind = type_of(column.type)
    return [_number(each, kind) for each in (1, 0, *bounds)]


def _number(value: float | Decimal, kind: dt.DataType) -> Value:
    if kind.is_floating():
        return float(value)
    if kind.is_decimal():
        return Decimal(value).quantize(Decimal(1).scaleb(-(kind.scale or 0)))
    return int(value)


def _days(_: Column, as_of: datetime.date) -> Sequence[datetime.date]:
    return (_new_year(as_of), as_of)


def _moments(column: Column, as_of: datetime.date) -> Sequence[datetime.datetime]:
    return [_midnight(each) for each in _days(column, as_of)]


_SIMPLE: Sequence[
    tuple[Callable[[dt.DataType], bool], Callable[[Column, datetime.date], Sequence[Value]]]
] = (
    (lambda kind: kind.is_string(), _texts),
    (lambda kind: kind.is_boolean(), lambda *_: (True, False)),
    (lambda kind: kind.is_numeric(), _numbers),
    (lambda kind: kind.is_date(), _days),
    (lambda kind: kind.is_timestamp(), _moments),
)


def _new_year(day: datetime.date) -> datetime.date:
    return datetime.date(day.year, 1, 1)


def _midnight(day: datetime.date) -> datetime.datetime:
    return datetime.datetime(day.year, day.month, day.day)  # noqa: DTZ001  (no zone, by contract)


def _rounder(value: Value, _: datetime.date) -> Iterator[Value]:
    """Yield powers of ten, and the number with fewer digits."""
    exact = Decimal(str(value))
    if not exact.is_finite():
        return
    scale = exact.as_tuple().exponent
    kind = type(value)
    for power in (1, 10, 100, 1000, -1):
        yield kind(power)
    if not isinstance(scale, int):
        return
    for digits in FEW_DIGITS:
        rounded = exact.quantize(Decimal(1).scaleb(exact.adjusted() + 1 - digits))
        yield kind(rounded) if kind is not Decimal else rounded.quantize(Decimal(1).scaleb(scale))


def _rounder_day(value: datetime.date, as_of: datetime.date) -> Iterator[datetime.date]:
    yield from (as_of, value.replace(day=1), _new_year(value))


def _rounder_moment(value: datetime.datetime, as_of: datetime.date) -> Iterator[datetime.datetime]:
    yield from (_midnight(each) for each in (*_rounder_day(value.date(), as_of), value.date()))
    yield value.replace(second=0, microsecond=0)


_NEAR: Mapping[type, Callable[[Any, datetime.date], Iterator[Value]]] = {
    int: _rounder,
    float: _rounder,
    Decimal: _rounder,
    datetime.date: _rounder_day,
    datetime.datetime: _rounder_moment,
}


def _effort(value: Value, as_of: datetime.date) -> tuple[float, ...]:
    """Return what grows with the effort of reading a value, comparable within a type."""
    match value:
        case bool():
            return (not value,)
        case int() | float() | Decimal():
            return _effort_of_number(Decimal(str(value)))
        case datetime.datetime():
            clock = value.time()
            parts = (clock != datetime.time(), bool(clock.second or clock.microsecond))
            return (*_effort_of_day(value.date(), as_of), *parts)
        case datetime.date():
            return _effort_of_day(value, as_of)
        case str():
            return (len(value),)
        case _:
            return ()


def _effort_of_number(value: Decimal) -> tuple[float, ...]:
    if not value.is_finite():
        return (3,)
    digits = value.normalize().as_tuple()
    decimals = max(-int(digits.exponent), 0)
    rank = {Decimal(1): 0, Decimal(0): 1}.get(value, 2)
    return (rank, decimals, len(digits.digits), value < 0, abs(float(value)))


def _effort_of_day(day: datetime.date, as_of: datetime.date) -> tuple[float, ...]:
    simple = (day == _new_year(as_of), day == as_of, day == _new_year(day), day.day == 1)
    return (simple.index(True) if True in simple else len(simple),)
