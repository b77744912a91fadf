r"""How texts of a CSV file are read as a contract's types; nothing is rounded, cut or guessed.

| in the contract | texts |
|---|---|
| string | any, as it is |
| int64 | `12`, `-7`, `12.00`: no digit but 0 after the point |
| decimal(p, s) | `12`, `-7.50`: no more digits, other than zeros, than it has |
| float64 | `1.5`, `2e-3`: no more digits than a float64 holds |
| date | `2025-03-30`, also with a time of 00:00:00 |
| timestamp | `2025-03-30`, `2025-03-30 01:02:03.5`, with a blank or a `T`: up to microseconds |
| timestamp with a zone | the same, ending in `Z`, `+01`, `+0100` or `+01:00` |
| boolean | `true`, `false`, `t`, `f`, `1`, `0`, in any case |

An empty field is null. In quotes it is an empty text, and null for all other types. Blanks around a
text that is not for a string do not matter.
"""

from __future__ import annotations

from collections.abc import Mapping

import ibis.expr.datatypes as dt
import sqlglot.expressions as sge
from ibis.backends.sql.datatypes import DuckDBType

from backends.duckdb_types import DIALECT, Physical, Rules
from backends.source_types import kind_of

WRITTEN = "csv"
"""The kind of all columns of CSV files."""
TIME = r"([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{1,6}0*)?"
SHORT = r"[+-]?\d{1,8}(\.\d{1,7})?"
OFFSET = r"(Z|[+-](0\d|1[0-5])(:?[0-5]\d)?)"
MIDNIGHT = r"([ T]00:00(:00(\.0+)?)?)?"


def column_of(name: str, read_as: str) -> Physical:
    """Return a column of a CSV file, and the name under which a query reads it."""
    return Physical(name, WRITTEN, "VARCHAR", "text", read_as=read_as)


def _pattern(kind: str, expected: dt.DataType) -> str:
    """Return the pattern of the texts that are of a kind."""
    if isinstance(expected, dt.Decimal):
        scale = expected.scale or 0
        return (
            rf"[+-]?(\d+(\.\d{{0,{scale}}}0*)?|\.\d{{1,{scale}}}0*)" if scale else PATTERNS["whole"]
        )
    return PATTERNS[kind]


PATTERNS: Mapping[str, str] = {
    "whole": r"[+-]?\d+(\.0*)?",
    "float": r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?",
    "date": rf"\d{{4}}-\d\d-\d\d{MIDNIGHT}",
    "timestamp": rf"\d{{4}}-\d\d-\d\d([ T]{TIME})?",
    "moment": rf"\d{{4}}-\d\d-\d\d[ T]{TIME}{OFFSET}",
    "boolean": r"(?i)true|false|t|f|1|0",
}


def _misfit(_column: Physical, _expected: dt.DataType, _zone: str | None) -> None:
    """Return nothing: texts are looked at one by one."""


def _surely_fits(_column: Physical, expected: dt.DataType, _zone: str | None) -> bool:
    return bool(expected.is_string())


def _does_not_fit(column: Physical, expected: dt.DataType, zone: str | None) -> sge.Expr:
    """Return a condition that holds for the texts that are no value of a type."""
    kind, text = "moment" if zone else kind_of(expected), _text(column)
    is_written_so = _matches(text, _pattern(kind, expected))
    value = sge.TryCast(this=_castable(kind, text), to=_type(expected, zone))
    fits: list[sge.Expr] = [is_written_so, sge.Not(this=sge.Is(this=value, expression=sge.Null()))]
    if kind == "float":
        written = sge.Cast(this=value.copy(), to=_TEXT)
        fits.append(sge.EQ(this=_digits(text), expression=_digits(written)))
        # Up to 15 digits are always exact, and most numbers have no more.
        is_short = _matches(text, SHORT)
        fits = [sge.Case(ifs=[sge.If(this=is_short, true=sge.true())], default=sge.and_(*fits))]
    is_given = sge.Not(this=sge.Is(this=text.copy(), expression=sge.Null()))
    return sge.and_(is_given, sge.not_(sge.and_(*fits)))


def _reading(column: Physical, expected: dt.DataType, zone: str | None) -> sge.Expression:
    if expected.is_string():
        return column.value
    kind = "moment" if zone else kind_of(expected)
    value = sge.Cast(this=_castable(kind, _text(column)), to=_type(expected, zone))
    return sge.AtTimeZone(this=value, zone=sge.Literal.string(zone)) if zone else value


def _text(column: Physical) -> sge.Expr:
    """Return a column's text without blanks around it, null if nothing is left."""
    return sge.Nullif(this=sge.Trim(this=column.value), expression=sge.Literal.string(""))


def _castable(kind: str, text: sge.Expr) -> sge.Expr:
    # DuckDB rounds a text such as 1.5 to a whole number, so nothing is left to round.
    return _call("split_part", text, ".", 1) if kind == "whole" else text.copy()


def _type(expected: dt.DataType, zone: str | None) -> sge.DataType:
    if zone:
        return sge.DataType.build("TIMESTAMPTZ", dialect=DIALECT)
    found: sge.DataType = DuckDBType.from_ibis(expected)
    return found


def _digits(text: sge.Expr) -> sge.Expr:
    """Return the digits of a number, without its sign, point, exponent and outer zeros."""
    # This is several times as fast as regular expressions.
    lower = sge.Lower(this=text.copy())
    digits = _call("translate", _call("split_part", lower, "e", 1), ".+-", "")
    return sge.Trim(this=digits, expression=sge.Literal.string("0"))


def _matches(text: sge.Expr, pattern: str) -> sge.Expr:
    return _call("regexp_full_match", text, pattern)


def _call(function: str, text: sge.Expr, *words: object) -> sge.Expr:
    return sge.Anonymous(this=function, expressions=[text.copy(), *map(sge.convert, words)])


_TEXT = sge.DataType.build("TEXT", dialect=DIALECT)
RULES = Rules(_misfit, _surely_fits, _does_not_fit, _reading)
"""The rules of CSV files."""
