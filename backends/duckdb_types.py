"""Which types of a Parquet file or a table can be read as a contract's: always, or if values fit.

Nothing is rounded, truncated or guessed. A value fits if a cast and a cast back return it.

| in the data | in the contract | read |
|---|---|---|
| whole number, decimal | whole number, decimal | no more digits: always; otherwise if all fit |
| whole number | float64 | up to 32 bits: always; otherwise if all fit |
| float16, float32, float64 | float64 | always |
| date | date | always |
| date | timestamp | if all fit: 290,000 years each way |
| timestamp in s, ms, us | timestamp | always |
| timestamp in ns | timestamp | if all fit: no digit is finer than a microsecond |
| timestamp | date | if all fit: midnights |
| timestamp with a zone, INT96 | timestamp of a declared zone | as local time; in ns if all fit |
| text, JSON, categories | string | always |
| boolean | boolean | always |
| nothing but nulls, without a type | anything | always |

Everything else is refused: numbers as text, fractions in floats for exact numbers, flags as
numbers, bytes for text, more than 38 digits (which DuckDB reads as floats), undeclared time zones.
"""

from __future__ import annotations

import datetime
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache

import ibis.expr.datatypes as dt
import sqlglot
import sqlglot.expressions as sge
from ibis.backends.sql.datatypes import DuckDBType

from backends.source_types import always_fits, bounds, kind_of, misfit

DIALECT = "duckdb"
MOMENT, FINE_MOMENT = "TIMESTAMPTZ", "TIMESTAMPTZ_NS"
"""DuckDB 2 reads timestamps with a zone in ns as they are; DuckDB 1 truncates them."""


@dataclass(frozen=True)
class Physical:
    """A column of a file, spelled as it is; `sql` is DuckDB's type, `type_text` is ours in words.

    A column without a type (nested, or not supported by DuckDB) has the kind "other". `is_cut` says
    that DuckDB may truncate digits of timestamps, so that a query cannot find them. `read_as` is
    the name that DuckDB gives it, if that is another one. `is_collated` says that it may compare
    texts in another way than by their characters.
    """

    name: str
    kind: str
    sql: str
    type_text: str
    is_cut: bool = False
    read_as: str = ""
    is_collated: bool = False

    @property
    def type(self) -> dt.DataType:
        """The type as Ibis has it."""
        return dt.Decimal(38, 0) if self.sql in WIDE else type_of(self.sql)

    @property
    def value(self) -> sge.Expression:
        """The column in a query."""
        column = sge.column(self.read_as or self.name, quoted=True)
        if self.is_collated and self.sql == "VARCHAR":
            return sge.Collate(this=column, expression=sge.to_identifier("binary", quoted=True))
        return column


WIDE = ("HUGEINT", "UHUGEINT")
"""Whole numbers of up to 39 digits."""


@cache
def type_of(kind: str) -> dt.DataType:
    """Return Ibis's type for the name of a DuckDB type."""
    return DuckDBType.from_string(MOMENT if kind == FINE_MOMENT else kind)


def physical(
    name: str,
    *,
    stored: str | None,
    converted: str | None,
    logical: str | None,
    digits: tuple[int | None, int | None],
    read: str | None,
) -> Physical:
    """Return a column from its row in `parquet_schema`; `read` is the type DuckDB reads it as."""
    if read is None:
        return Physical(name, "other", "", "a nested type")
    if read == '"NULL"':
        return Physical(name, "null", "INTEGER", "nulls")
    if stored == "INT96":
        # Spark writes points in time, Hive writes local times, and both look the same.
        type_text = "timestamp of type INT96, which may be in any zone"
        return Physical(name, "moment", read, type_text, is_cut=True)
    if converted == "DECIMAL" and not read.startswith("DECIMAL"):
        precision, scale = digits
        return Physical(
            name, "other", read, f"decimal({precision}, {scale}), which DuckDB does not read"
        )
    found = type_of(read)
    kind = kind_of(found)
    if kind == "moment":
        is_cut = "Nano" in (logical or "")
        type_text = "timestamp with a zone" + (" in ns" if is_cut else "")
        return Physical(name, kind, read, type_text, is_cut)
    return Physical(name, kind, read, str(found))


def column_of(name: str, kind: str, *, is_collated: bool = False) -> Physical:
    """Return a column of a table or view, by the name of its type."""
    if kind in WIDE:
        return Physical(name, "whole", kind, kind.lower())
    try:
        found = type_of(kind)
    except (ValueError, KeyError, TypeError, NotImplementedError, sqlglot.ParseError):
        found = dt.unknown
    if found.is_unknown() or found.is_nested():
        return Physical(name, "other", kind, kind.lower())
    kinds = kind_of(found)
    words = "timestamp with a zone" if kinds == "moment" else str(found)
    return Physical(name, kinds, kind, words, is_collated=is_collated)


def surely_fits(column: Physical, expected: dt.DataType, zone: str | None) -> bool:
    """Tell whether every value of a readable column fits, by its type alone."""
    # DuckDB's dates have a wider range than its timestamps.
    is_date_as_timestamp = column.kind == "date" and expected.is_timestamp()
    if column.sql in WIDE or is_date_as_timestamp:
        return False
    return always_fits(column, expected, zone)


def proven_by_range(column: Physical, expected: dt.DataType, low: str, high: str) -> bool:
    """Tell whether all numbers between the least and the greatest in a file's statistics fit."""
    if column.kind not in ("whole", "decimal"):
        return False
    least, most, scale = bounds(expected)
    in_range = least <= Decimal(low) and Decimal(high) <= most
    return in_range and bounds(column.type)[2] <= scale


def reading(column: Physical, expected: dt.DataType, zone: str | None) -> sge.Expression:
    """Return the expression that reads a column as its contract says."""
    wanted = DuckDBType.from_ibis(expected)
    if column.kind == "null":
        return sge.Cast(this=sge.Null(), to=wanted)
    value = column.value
    if zone:
        if column.sql == FINE_MOMENT:
            value = sge.Cast(this=value, to=sge.DataType.build(MOMENT, dialect=DIALECT))
        if column.type.timezone is None:
            value = sge.AtTimeZone(this=value, zone=sge.Literal.string("UTC"))
        return sge.AtTimeZone(this=value, zone=sge.Literal.string(zone))
    is_same = column.sql == wanted.sql(DIALECT)
    # An ENUM is a text, too, but it compares with nothing but its own values.
    is_same |= column.type == expected and column.kind != "text"
    is_same |= column.kind == kind_of(expected) in ("text", "timestamp") and (
        column.sql in ("VARCHAR", "TIMESTAMP")
    )
    return value if is_same else sge.Cast(this=value, to=wanted)


def does_not_fit(column: Physical, expected: dt.DataType, _zone: str | None) -> sge.Expr:
    """Return a condition that holds for the values that a cast changes."""
    value = column.value
    there = sge.TryCast(this=value, to=DuckDBType.from_ibis(expected))
    back = sge.TryCast(this=there, to=sge.DataType.build(column.sql, dialect=DIALECT))
    return sge.and_(
        sge.Not(this=sge.Is(this=value, expression=sge.Null())),
        sge.NullSafeNEQ(this=back, expression=value),
    )


@dataclass(frozen=True)
class Rules:
    """How the values of one kind of data are read as a contract's types.

    Each function has a column, the contract's type, and the zone of its moments.
    """

    misfit: Callable[[Physical, dt.DataType, str | None], str | None]
    """Why a column of this type cannot be read at all; None if it may be."""
    surely_fits: Callable[[Physical, dt.DataType, str | None], bool]
    does_not_fit: Callable[[Physical, dt.DataType, str | None], sge.Expr]
    reading: Callable[[Physical, dt.DataType, str | None], sge.Expression]


TYPED = Rules(misfit, surely_fits, does_not_fit, reading)
"""The rules of data that have types."""


# Values in the names of folders


def _whole(text: str) -> str | None:
    return text if re.fullmatch(r"[+-]?\d+", text, re.ASCII) else None


def _number(text: str) -> str | None:
    return text if re.fullmatch(r"[+-]?\d+(\.\d+)?", text, re.ASCII) else None


def _float(text: str) -> str | None:
    # Python also accepts 1_0 and blanks around a number, and rounds those with too many digits.
    if not re.fullmatch(r"[+-]?\d+(\.\d+)?([eE][+-]?\d{1,3})?", text, re.ASCII):
        return None
    value = float(text)
    is_exact = math.isfinite(value) and Decimal(repr(value)) == Decimal(text)
    return repr(value) if is_exact else None


def _date(text: str) -> str | None:
    try:
        # Python accepts a week as its Monday.
        return None if "W" in text else str(datetime.date.fromisoformat(text))
    except ValueError:
        return None


def _timestamp(text: str) -> str | None:
    try:
        found = datetime.datetime.fromisoformat(text)
    except ValueError:
        return None
    # Python truncates digits finer than a microsecond.
    return None if found.tzinfo or re.search(r"[.,]\d{7}|W", text) else str(found)


def _text(text: str) -> str | None:
    try:
        text.encode()
    except UnicodeEncodeError:
        return None
    return text


def _boolean(text: str) -> str | None:
    return text.lower() if text.lower() in ("true", "false") else None


PARSERS: Mapping[str, Callable[[str], str | None]] = {
    "boolean": _boolean,
    "whole": _whole,
    "decimal": _number,
    "float": _float,
    "text": _text,
    "date": _date,
    "timestamp": _timestamp,
}
"""By kind in a contract: how DuckDB writes a folder's value, None if it is not of that kind."""


def folder_value(
    text: str | None, expected: dt.DataType, zone: str | None
) -> sge.Expression | None:
    """Return the value in a folder's name with its contract's type, None if it does not fit."""
    wanted = DuckDBType.from_ibis(expected)
    if text is None:
        return sge.Cast(this=sge.Null(), to=wanted)
    parse = PARSERS.get(kind_of(expected))
    written = parse(text) if parse and not zone else None
    if written is None or not _is_within(written, expected):
        return None
    return sge.Cast(this=sge.Literal.string(written), to=wanted)


def _is_within(written: str, expected: dt.DataType) -> bool:
    if kind_of(expected) not in ("whole", "decimal"):
        return True
    low, high, scale = bounds(expected)
    value = Decimal(written)
    digits = len(written.partition(".")[2].rstrip("0"))
    return low <= value <= high and digits <= scale
