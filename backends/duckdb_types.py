"""Which types of a Parquet file can be read as those of a contract: always, or if values fit.

Nothing is rounded, cut or guessed. A value fits if it is the same when it is cast and cast back.

| in the file | in the contract | read |
|---|---|---|
| whole number, decimal | whole number, decimal | no more digits: always; else if all fit |
| whole number | float64 | up to 32 bits: always; else if all fit |
| float16, float32, float64 | float64 | always |
| date | date | always |
| date | timestamp | if all fit: a few thousand centuries |
| timestamp in s, ms, us | timestamp | always |
| timestamp in ns | timestamp | if all fit: no digit is finer than a microsecond |
| timestamp | date | if all fit: midnights |
| timestamp with a zone, INT96 | timestamp of a declared zone | as its time of day; ns if all fit |
| text, JSON, categories | string | always |
| boolean | boolean | always |
| nothing but nulls, without a type | anything | always |

All else is refused: numbers as text, fractions in floats for exact numbers, flags as numbers, bytes
for text, more than 38 digits (which DuckDB reads as floats), zones that nobody declared.
"""

from __future__ import annotations

import datetime
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cache

import ibis.expr.datatypes as dt
import sqlglot.expressions as sge
from ibis.backends.sql.datatypes import DuckDBType

from backends.source_types import bounds, is_name, kind_of

DIALECT = "duckdb"


@dataclass(frozen=True)
class Physical:
    """A column of a file, as it spells it; `sql` is the type that DuckDB reads, `said` is ours.

    A column without a type (nested, or beyond DuckDB) has the kind "other". `is_cut` tells that
    DuckDB cuts digits of a moment, and does not let us see them.
    """

    name: str
    kind: str
    sql: str
    said: str
    is_cut: bool = False

    @property
    def type(self) -> dt.DataType:
        """The type as Ibis has it."""
        return type_of(self.sql)


@cache
def type_of(kind: str) -> dt.DataType:
    """Return Ibis's type of DuckDB's words for it."""
    return DuckDBType.from_string(kind)


def physical(
    name: str,
    *,
    stored: str | None,
    converted: str | None,
    logical: str | None,
    digits: tuple[int | None, int | None],
    read: str | None,
) -> Physical:
    """Return a column from its line in `parquet_schema`; `read` is the type DuckDB gives it."""
    if read is None:
        return Physical(name, "other", "", "a nested type")
    if read == '"NULL"':
        return Physical(name, "null", "INTEGER", "nulls")
    if stored == "INT96":
        # Spark's, of moments, and Hive's, of times of day, look the same.
        said = "timestamp of type INT96, which may be in any zone"
        return Physical(name, "moment", read, said, is_cut=True)
    if converted == "DECIMAL" and not read.startswith("DECIMAL"):
        precision, scale = digits
        return Physical(
            name, "other", read, f"decimal({precision}, {scale}), which DuckDB does not read"
        )
    found = type_of(read)
    kind = kind_of(found)
    if kind == "moment":
        is_cut = "Nano" in (logical or "")
        said = "timestamp with a zone" + (" in ns" if is_cut else "")
        return Physical(name, kind, read, said, is_cut)
    return Physical(name, kind, read, str(found))


def matches(name: str, columns: Sequence[Physical]) -> tuple[Physical, ...]:
    """Return the columns that a contract's column may mean.

    Where two differ in case alone, DuckDB numbers them: what is then called `name` is not.
    """
    found = tuple(column for column in columns if is_name(name, column.name))
    stem = re.sub(r"(_\d+)+$", "", name)
    twice = tuple(column for column in columns if is_name(stem, column.name))
    return found if len(found) != 1 or len(twice) < 2 else (*found, *twice)


def proven_by_range(column: Physical, expected: dt.DataType, low: str, high: str) -> bool:
    """Tell whether all numbers between two that a file's statistics name fit."""
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
    value: sge.Expression = sge.column(column.name, quoted=True)
    if zone:
        if column.type.timezone is None:
            value = sge.AtTimeZone(this=value, zone=sge.Literal.string("UTC"))
        return sge.AtTimeZone(this=value, zone=sge.Literal.string(zone))
    is_same = column.sql == wanted.sql(DIALECT) or column.type == expected
    is_same |= column.kind == kind_of(expected) in ("text", "timestamp") and (
        column.sql in ("VARCHAR", "TIMESTAMP")
    )
    return value if is_same else sge.Cast(this=value, to=wanted)


def does_not_fit(column: Physical, expected: dt.DataType) -> sge.Expr:
    """Return a condition that holds for the values that are others once they are cast."""
    value = sge.column(column.name, quoted=True)
    there = sge.TryCast(this=value, to=DuckDBType.from_ibis(expected))
    back = sge.TryCast(this=there, to=sge.DataType.build(column.sql, dialect=DIALECT))
    return sge.and_(
        sge.Not(this=sge.Is(this=value, expression=sge.Null())),
        sge.NullSafeNEQ(this=back, expression=value),
    )


# Values in the names of folders


def _whole(text: str) -> str | None:
    return text if re.fullmatch(r"[+-]?\d+", text, re.ASCII) else None


def _number(text: str) -> str | None:
    return text if re.fullmatch(r"[+-]?\d+(\.\d+)?", text, re.ASCII) else None


def _float(text: str) -> str | None:
    # Python takes more for a number (1_0, blanks around it), and rounds what has too many digits.
    if not re.fullmatch(r"[+-]?\d+(\.\d+)?([eE][+-]?\d{1,3})?", text, re.ASCII):
        return None
    value = float(text)
    is_exact = math.isfinite(value) and Decimal(repr(value)) == Decimal(text)
    return repr(value) if is_exact else None


def _date(text: str) -> str | None:
    try:
        # Python takes a week for its Monday.
        return None if "W" in text else str(datetime.date.fromisoformat(text))
    except ValueError:
        return None


def _timestamp(text: str) -> str | None:
    try:
        found = datetime.datetime.fromisoformat(text)
    except ValueError:
        return None
    # Python cuts what is finer than a microsecond.
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
"""Of kinds in a contract: how DuckDB writes a value that a folder's name has, None for others."""


def folder_value(
    text: str | None, expected: dt.DataType, zone: str | None
) -> sge.Expression | None:
    """Return a value in the name of a folder, as its contract says; None where it does not fit."""
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
