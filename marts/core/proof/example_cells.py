"""Cells of examples: values of the contract's types as text that people read and write."""

from __future__ import annotations

import datetime
import json
import math
import re
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any

import pyarrow as pa

from marts.core.authoring.columns import Column, type_of
from marts.core.errors import did_you_mean
from marts.core.proof.cells import UnfitError, converter_of

NULL = "null"
WHOLE = re.compile(r"[+-]?\d{1,40}")
NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?", re.IGNORECASE)
NOT_FINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
"""The floats that are no numbers, as JSON writers of Python name them."""
FLAGS = {"true": True, "false": False}


def arrow_type(column: Column) -> pa.DataType:
    """Return the Arrow type of a column's values."""
    return type_of(column.type).to_pyarrow()


def read_cell(text: str, column: Column) -> Any:
    """Return the value of a cell.

    Raises UnfitError, with what to write instead, for a text that is not a value of the column's
    type, for null where the contract has none, and for one that its values or bounds exclude.
    """
    if not text:
        choices = ["a value"]
        choices += [NULL] if column.null else []
        choices += ['"" for an empty text'] if column.type == "string" else []
        raise UnfitError(f"write {' or '.join(choices)}")
    if text == NULL:
        if not column.null:
            raise UnfitError(f"write a value: {column.name} is declared not null")
        return None
    kind = arrow_type(column)
    value = _parsed(text, kind)
    if column.values and value not in column.values:
        guess = did_you_mean(value, column.values)
        raise UnfitError(guess or f"its values are: {', '.join(column.values)}")
    if column.at_least is not None and value < column.at_least:
        raise UnfitError(f"it is at least {column.at_least}")
    if column.at_most is not None and value > column.at_most:
        raise UnfitError(f"it is at most {column.at_most}")
    return value


def _parsed(text: str, kind: pa.DataType) -> Any:
    for fits, read, _ in KINDS:
        if fits(kind):
            value = read(text)
            if isinstance(value, Decimal) and value.as_tuple().exponent < -kind.scale:
                raise UnfitError(f"write at most {kind.scale} digits after the point")
            return converter_of(kind)(value)
    raise UnfitError(f"examples have no values of {kind}")


def written(value: Any, kind: pa.DataType) -> str:
    """Return a value as the text of a cell, which `read_cell` reads as the same value."""
    if value is None:
        return NULL
    write = next(write for fits, _, write in KINDS if fits(kind))
    return write(value)


def _read_whole(text: str) -> int:
    if not WHOLE.fullmatch(text):
        raise UnfitError("write a whole number, such as 12")
    return int(text)


def _read_decimal(text: str) -> Decimal:
    try:
        exact = Decimal(text if NUMBER.fullmatch(text) else "none")
    except InvalidOperation:
        raise UnfitError("write a number, such as 10.00") from None
    return exact


def _read_float(text: str) -> float:
    if text in NOT_FINITE:
        return NOT_FINITE[text]
    if not NUMBER.fullmatch(text):
        raise UnfitError("write a number, such as 12.5")
    return float(text)


def _write_float(value: float) -> str:
    return json.dumps(value)


def _read_flag(text: str) -> bool:
    if text not in FLAGS:
        raise UnfitError("write true or false")
    return FLAGS[text]


def _read_date(text: str) -> datetime.date:
    try:
        return datetime.date.fromisoformat(text)
    except ValueError:
        raise UnfitError("write a date, such as 2025-06-30") from None


def _read_moment(text: str) -> datetime.datetime:
    try:
        moment = datetime.datetime.fromisoformat(text)
    except ValueError:
        raise UnfitError("write a timestamp, such as 2025-06-30 12:30:00") from None
    if moment.tzinfo is not None:
        raise UnfitError("write the local time, without a zone")
    return moment


def _read_text(text: str) -> str:
    if not text.startswith('"'):
        return text
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, str):
        raise UnfitError('end it with a " as it begins, and write \\" and \\\\ within')
    return found


def _write_text(value: str) -> str:
    is_plain = value.isprintable() and value == value.strip() and not re.search(r"[|\\]", value)
    if value and is_plain and value != NULL and not value.startswith('"'):
        return value
    # A bar would end the cell.
    quoted = json.dumps(value, ensure_ascii=not value.isprintable())
    return quoted.replace("|", "\\u007c")


def _write_flag(value: bool) -> str:
    return "true" if value else "false"


Kind = tuple[Callable[[pa.DataType], bool], Callable[[str], Any], Callable[[Any], str]]
KINDS: tuple[Kind, ...] = (
    (pa.types.is_string, _read_text, _write_text),
    (pa.types.is_integer, _read_whole, str),
    (pa.types.is_decimal, _read_decimal, lambda value: format(value, "f")),
    (pa.types.is_floating, _read_float, _write_float),
    (pa.types.is_boolean, _read_flag, _write_flag),
    (pa.types.is_date, _read_date, str),
    (pa.types.is_timestamp, _read_moment, str),
)
"""For each kind of type: how its values are read and written."""


def is_number(kind: pa.DataType) -> bool:
    """Tell whether values of a type are numbers, which people align to the right."""
    return bool(
        pa.types.is_integer(kind) or pa.types.is_decimal(kind) or pa.types.is_floating(kind)
    )
