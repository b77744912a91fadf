"""Values of the contract's types, made from what Python has calculated, without any rounding."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

import pyarrow as pa

EXACT_FLOATS = 2**53
"""Below this size, every whole number is a float."""

Convert = Callable[[Any], Any]


class UnfitError(ValueError):
    """A value is not one of a column's type; the hint says what is."""

    def __init__(self, hint: str) -> None:
        super().__init__(hint)
        self.hint = hint


def array_of(cells: Sequence[Any], kind: pa.DataType) -> pa.Array | None:
    """Return cells as values of a type, where each is None or of the type's own class in Python.

    NaN is null. Returns None for other cells, and for values that do not fit: `converter_of` tells
    which of them can be converted, and what is wrong with the others.
    """
    classes = {type(cell) for cell in cells} - {type(None)}
    own = next((own for fits, own in CLASSES if fits(kind)), None)
    if not classes <= {own}:
        return None
    try:
        return pa.array(cells, kind, from_pandas=True)
    except (pa.ArrowException, OverflowError):
        return None


def converter_of(kind: pa.DataType) -> Convert:
    """Return what makes values of a type of the same values of other types.

    It raises UnfitError for a value that is not one of the type's. Nulls are not for it.
    """
    if pa.types.is_decimal(kind):
        return lambda value: _decimal(value, kind.precision, kind.scale)
    for fits, convert in CONVERTERS:
        if fits(kind):
            return convert
    return lambda value: value


def _decimal(value: Any, precision: int, scale: int) -> Decimal:
    number = _number(value)
    if isinstance(number, float):
        raise UnfitError("a float is not exact: calculate with Decimal from the source's cells")
    exact = Decimal(number)
    if not exact.is_finite():
        raise UnfitError("give None for null")
    unit = Decimal(1).scaleb(-scale)
    fitted = exact.quantize(unit) if abs(exact) < Decimal(10) ** (precision - scale) else None
    if fitted is None:
        raise UnfitError(f"it has more than {precision - scale} digits before the point")
    if fitted != exact:
        raise UnfitError(
            f"round it as the mart does, for example with .quantize(Decimal('{unit}'))"
        )
    return fitted


def _whole(value: Any) -> int:
    number = _number(value)
    if number != number // 1 or (isinstance(number, float) and abs(number) >= EXACT_FLOATS):
        raise UnfitError("give a whole number")
    whole = int(number)
    if not -(2**63) <= whole < 2**63:
        raise UnfitError("it has more than 64 bits")
    return whole


def _float(value: Any) -> float:
    return float(_number(value))


def _number(value: Any) -> int | float | Decimal:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise UnfitError("give a number")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise UnfitError("give a text, a Python str")
    return value


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise UnfitError("give True or False")
    return value


def _date(value: Any) -> datetime.date:
    if isinstance(value, datetime.datetime):
        moment = _moment(value)
        if moment.time() != datetime.time():
            raise UnfitError("give a datetime.date: use .date(), or .dt.date")
        return moment.date()
    if not isinstance(value, datetime.date):
        raise UnfitError("give a datetime.date")
    return value


def _moment(value: Any) -> datetime.datetime:
    nanoseconds = getattr(value, "nanosecond", 0)
    if not isinstance(value, datetime.datetime) or value.tzinfo is not None or nanoseconds:
        raise UnfitError("give a timestamp without a zone, to the microsecond")
    # A Timestamp of pandas is a datetime, too.
    return datetime.datetime.fromisoformat(value.isoformat())


CONVERTERS: tuple[tuple[Callable[[pa.DataType], bool], Convert], ...] = (
    (pa.types.is_integer, _whole),
    (pa.types.is_floating, _float),
    (pa.types.is_string, _text),
    (pa.types.is_boolean, _flag),
    (pa.types.is_date, _date),
    (pa.types.is_timestamp, _moment),
)
CLASSES: tuple[tuple[Callable[[pa.DataType], bool], type], ...] = (
    (pa.types.is_integer, int),
    (pa.types.is_floating, float),
    (pa.types.is_decimal, Decimal),
    (pa.types.is_string, str),
    (pa.types.is_boolean, bool),
    (pa.types.is_date, datetime.date),
)
"""The class of values that need no conversion. A datetime may have a zone, so it is not here."""
