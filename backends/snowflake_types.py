"""Which columns on Snowflake can be read as those of a contract: always, or if values fit.

The rules are those of backends.duckdb_types, so that both engines read and refuse the same. A
NUMBER without digits after the point is a whole number, whatever its precision. The catalog does
not state the precision of timestamps: any may have nanoseconds, until its values are read. No whole
number beyond 2^53 fits a float64; DuckDB accepts those that are exact after a cast back, but
Snowflake does not specify how such a cast rounds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from typing import Any

import ibis.expr.datatypes as dt
import sqlglot.expressions as sge
from ibis.backends.sql.datatypes import SnowflakeType

from backends.snowflake_ddl import DIALECT
from backends.source_types import NANOSECONDS, bounds, kind_of

NESTED = ("VARIANT", "OBJECT", "ARRAY", "MAP")
EXACT = Context(prec=80)


@dataclass(frozen=True)
class Physical:
    """A column as the catalog spells and types it; `type_text` is its type in words."""

    name: str
    kind: str
    type: dt.DataType
    type_text: str


# By the catalog's word: kind, type, words.
PLAIN: Mapping[str, tuple[str, dt.DataType, str]] = {
    "TEXT": ("text", dt.string, "string"),
    "FLOAT": ("float", dt.float64, "float64"),
    "DATE": ("date", dt.date, "date"),
    "BOOLEAN": ("boolean", dt.boolean, "boolean"),
    "TIMESTAMP_NTZ": ("timestamp", dt.Timestamp(scale=NANOSECONDS), "timestamp"),
    **{
        word: ("moment", dt.Timestamp("UTC", scale=NANOSECONDS), "timestamp with a zone")
        for word in ("TIMESTAMP_LTZ", "TIMESTAMP_TZ")
    },
}


def physical(row: Mapping[str, Any]) -> Physical:
    """Return a column from its row in INFORMATION_SCHEMA.COLUMNS."""
    name, word = row["COLUMN_NAME"], row["DATA_TYPE"]
    if word == "NUMBER":
        number = dt.Decimal(row["NUMERIC_PRECISION"], row["NUMERIC_SCALE"])
        return Physical(name, "decimal" if number.scale else "whole", number, str(number))
    if word in PLAIN:
        return Physical(name, *PLAIN[word])
    type_text = word.lower() + (", a nested type" if word in NESTED else "")
    return Physical(name, "other", dt.unknown, type_text)


def assumed(name: str, expected: dt.DataType, zone: str | None) -> Physical:
    """Return the column of this name that a source has if it is as its contract says."""
    if zone:
        return Physical(name, *PLAIN["TIMESTAMP_TZ"])
    return Physical(name, kind_of(expected), expected, str(expected))


def reading(
    column: Physical, expected: dt.DataType, zone: str | None, value: sge.Column
) -> sge.Expression:
    """Return the expression that reads a column as its contract says: the column if possible."""
    if zone:
        there = sge.func("CONVERT_TIMEZONE", sge.Literal.string(zone), value, dialect=DIALECT)
        return sge.Cast(this=there, to=sge.DataType.build("TIMESTAMPNTZ", dialect=DIALECT))
    # All whole numbers have one type: an int64 is a NUMBER of 38 digits, too.
    is_same = column.kind == kind_of(expected) != "decimal" or column.type == expected
    return value if is_same else sge.Cast(this=value, to=_type(expected))


def _type(kind: dt.DataType) -> sge.DataType:
    # The account's TIMESTAMP_TYPE_MAPPING decides what a bare TIMESTAMP means.
    if kind.is_timestamp():
        return sge.DataType.build("TIMESTAMPNTZ", dialect=DIALECT)
    found: sge.DataType = SnowflakeType.from_ibis(kind)
    return found


def does_not_fit(column: Physical, expected: dt.DataType, value: sge.Column) -> sge.Expr:
    """Return a condition that holds for the values that a cast would change or refuse."""
    return sge.or_(*_reasons(column, expected, value))


def _reasons(column: Physical, expected: dt.DataType, value: sge.Column) -> Iterator[sge.Expr]:
    if column.kind in ("timestamp", "moment"):
        unit = sge.var("DAY" if kind_of(expected) == "date" else "MICROSECOND")
        yield sge.NEQ(this=value, expression=sge.TimestampTrunc(this=value.copy(), unit=unit))
        return
    (least, most, digits), (low, high, scale) = bounds(column.type), bounds(expected)
    if digits > scale:
        whole = sge.Trunc(this=value.copy(), decimals=sge.Literal.number(scale))
        yield sge.NEQ(this=value, expression=whole)
    # Bounds have no more digits than the column: Snowflake compares numbers at one scale.
    if least < low:
        yield sge.LT(this=value.copy(), expression=_number(low, digits, ROUND_CEILING))
    if high < most:
        yield sge.GT(this=value.copy(), expression=_number(high, digits, ROUND_FLOOR))


def _number(value: Decimal, digits: int, rounding: str) -> sge.Expr:
    unit = Decimal((0, (1,), -digits))
    if int(value.as_tuple().exponent) < -digits:
        value = value.quantize(unit, rounding, EXACT)
    return sge.Literal.number(format(value, "f"))


def as_text(column: Physical, value: sge.Expr) -> sge.Expr:
    """Return a value as text, whatever the session's formats are."""
    if column.kind in ("timestamp", "moment"):
        pattern = sge.Literal.string("YYYY-MM-DD HH24:MI:SS.FF9")
        return sge.ToChar(this=value, format=pattern)
    return sge.Cast(this=value, to=sge.DataType.build("VARCHAR", dialect=DIALECT))
