"""The narrowest contract type that all texts of a column fit, as CSV and folders' names have them.

A number with leading zeros stays a text, and no number becomes a float that an exact type can hold.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import sqlglot.expressions as sge

WHOLE = r"^-?(0|[1-9][0-9]*)$"
EXACT = r"^-?(0|[1-9][0-9]*)([.][0-9]+)?$"
FLOAT = r"^-?(0|[1-9][0-9]*)([.][0-9]+)?([eE][+-]?[0-9]{1,3})?$"
BOOLEAN = "^(true|false)$"
DATE = "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"
TIME = "[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]{1,6})?"
LOCAL, ZONED = f"^{TIME}$", f"^{TIME} ?(Z|[+-][0-9]{{2}}(:?[0-9]{{2}})?)$"
MOMENT = "TIMESTAMPTZ"
SHORT, LONG = 18, 38
"""Digits that an int64 always holds, and the most that a decimal does."""
FINEST = 6
"""Digits after the point; numbers with more are floats."""
EXACT_DIGITS = 15
"""As many digits any float64 holds."""


def text_figures(table: sge.Table, columns: Sequence[str]) -> sge.Select:
    """Return one query of how many values of each text column have which form."""
    asked = [figure for name in columns for figure in _figures(_filled(name))]
    named = [sge.alias_(each, f"F{number}", quoted=True) for number, each in enumerate(asked)]
    return sge.select(*named).from_(table)


def _filled(name: str) -> sge.Expr:
    """Return a text column without blanks around its values; nothing is left of an empty one."""
    return sge.Nullif(this=sge.Trim(this=sge.column(name, quoted=True)), expression=_text(""))


def _figures(text: sge.Expr) -> list[sge.Expr]:
    has_all = "REGEXP_MATCHES"

    def counted(pattern: str, kind: str | None = None) -> sge.Expr:
        holds: sge.Expr = sge.func(has_all, text.copy(), _text(pattern))
        if kind:
            there = sge.TryCast(this=text.copy(), to=sge.DataType.build(kind, dialect="duckdb"))
            holds = sge.and_(holds, sge.Not(this=sge.Is(this=there, expression=sge.Null())))
        return sge.Count(this=sge.Case(ifs=[sge.If(this=holds, true=sge.Literal.number(1))]))

    def longest(pattern: str, left_out: str) -> sge.Expr:
        """Return the most characters that are left of the values of a form."""
        rest = [text.copy(), _text(left_out), _text(""), _text("g")]
        length = sge.Length(this=sge.Anonymous(this="REGEXP_REPLACE", expressions=rest))
        is_so = sge.func(has_all, text.copy(), _text(pattern))
        return sge.Max(this=sge.Case(ifs=[sge.If(this=is_so, true=length)]))

    return [
        sge.Count(this=text.copy()),
        counted(BOOLEAN),
        counted(WHOLE),
        counted(EXACT),
        counted(FLOAT, "DOUBLE"),
        counted(DATE, "DATE"),
        counted(LOCAL, "TIMESTAMP"),
        counted(ZONED, MOMENT),
        longest(EXACT, "[-]|[.].*"),
        longest(EXACT, "^[^.]*[.]?"),
        longest(FLOAT, "[eE].*|[^0-9]|^[-]?0[.]0*"),
    ]


def _text(value: str) -> sge.Literal:
    return sge.Literal.string(value)


@dataclass(frozen=True)
class _Forms:
    """How many values of a text column have which form; the most digits of exact numbers."""

    values: int
    flags: int
    wholes: int
    exacts: int
    floats: int
    dates: int
    times: int
    moments: int
    digits: int
    scale: int
    precise: int

    @property
    def type(self) -> str | None:
        """DuckDB's narrowest type that all values fit; None if that is a text."""
        if not self.values:
            return None
        if self.values == self.wholes and self.digits <= LONG:
            return "BIGINT" if self.digits <= SHORT else f"DECIMAL({LONG}, 0)"
        digits = self.digits + self.scale
        if self.values == self.exacts and self.scale <= FINEST and digits <= LONG:
            return f"DECIMAL({SHORT if digits <= SHORT else LONG}, {self.scale})"
        is_float = self.precise <= EXACT_DIGITS and self.values != self.wholes
        if self.values == self.floats and is_float:
            return "DOUBLE"
        others = {
            "BOOLEAN": self.flags,
            "DATE": self.dates,
            "TIMESTAMP": self.times,
            MOMENT: self.moments,
        }
        return next((kind for kind, count in others.items() if count == self.values), None)


PER_COLUMN = len(fields(_Forms))


def narrow_types(row: Sequence[Any], columns: Sequence[str]) -> dict[str, str]:
    """Return the DuckDB type of each column that is narrower than a text, from its figures."""
    found = {}
    for number, name in enumerate(columns):
        figures = row[number * PER_COLUMN : (number + 1) * PER_COLUMN]
        if kind := _Forms(*(int(each or 0) for each in figures)).type:
            found[name] = kind
    return found


def as_narrowed(name: str, kind: str) -> sge.Expr:
    """Return a text column as a column of its narrow type."""
    return sge.cast(_filled(name), sge.DataType.build(kind, dialect="duckdb"))
