"""Format an expression in a line, as its author might have written it: no aliases, no engine."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

import ibis.expr.datatypes as dt
import ibis.expr.operations as ops

INFIX: Mapping[type[ops.Node], str] = {
    ops.Equals: "==",
    ops.NotEquals: "!=",
    ops.Greater: ">",
    ops.GreaterEqual: ">=",
    ops.Less: "<",
    ops.LessEqual: "<=",
    ops.Add: "+",
    ops.Subtract: "-",
    ops.Multiply: "*",
    ops.Divide: "/",
    ops.FloorDivide: "//",
    ops.Modulus: "%",
    ops.StringConcat: "+",
    ops.And: "and",
    ops.Or: "or",
    ops.Xor: "xor",
}
DELTAS = (ops.DateDelta, ops.TimestampDelta, ops.TimeDelta)
TRUNCATES = (ops.DateTruncate, ops.TimestampTruncate, ops.TimeTruncate)


@dataclass(frozen=True)
class Formatter:
    """Formats operations; days that a mart computes from its as-of date as such.

    So a text is the same for every date. A day next to one of `as_of_days` is a mutated one.
    """

    as_of: datetime.date | None = None
    as_of_days: Collection[datetime.date] = ()

    def __call__(self, op: object) -> str:
        """Return the text of an operation, a type, a unit or a plain value."""
        for kind, formatter in FORMS.items():
            if isinstance(op, kind):
                return formatter(self, op)
        return _plain(op)

    def inner(self, op: object) -> str:
        """Return the text of an operand, in parentheses where it has operands itself."""
        bare = not isinstance(op, (*INFIX, ops.Not, ops.Between, ops.InValues))
        return self(op) if bare else f"({self(op)})"

    def several(self, values: Collection[object]) -> str:
        """Return the texts of several operations, with commas between."""
        return ", ".join(map(self, values))

    def day(self, day: datetime.date) -> str:
        """Return the text of a day: `as_of - 90 days`, or itself."""
        if self.as_of is None or not any(abs((day - each).days) <= 1 for each in self.as_of_days):
            return str(day)
        days = (day - self.as_of).days
        if days == 0:
            return "as_of"
        return f"as_of {'+' if days > 0 else '-'} {abs(days)} day{'s' if abs(days) > 1 else ''}"


Form = Callable[[Formatter, Any], str]


def _infix(formatter: Formatter, op: ops.Binary | ops.StringConcat) -> str:
    operands = op.arg if isinstance(op, ops.StringConcat) else (op.left, op.right)
    texts = [formatter.inner(operand) for operand in operands]
    fields = [operand for operand in operands if isinstance(operand, ops.Field)]
    if len(fields) == len({each.rel for each in fields}) > 1 == len(set(texts)):
        texts = [
            f"{table_of(operand.rel)}.{text}" for operand, text in zip(operands, texts, strict=True)
        ]
    sign = next(sign for kind, sign in INFIX.items() if isinstance(op, kind))
    return f" {sign} ".join(texts)


def table_of(rel: ops.Relation) -> str:
    """Return the name of the table that a relation is computed from, the first of several."""
    for found in rel.find(ops.PhysicalTable, filter=ops.Relation):
        return str(found.name)
    return "a table"


def _call(formatter: Formatter, op: ops.Node) -> str:
    """Format an operation without a form of its own: `quantile(amount, quantile=0.9)`."""
    words = []
    for name, value in zip(op.__argnames__, op.__args__, strict=True):
        if value is None or value == () or (isinstance(value, bool) and not value):
            continue
        if isinstance(op, ops.CountStar | ops.CountDistinctStar) and name == "arg":
            continue
        text = formatter.several(value) if isinstance(value, tuple) else formatter(value)
        is_first = name in ("arg", "left", "right", "base", "value")
        words.append(text if is_first else f"{name}={text}")
    name = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", type(op).__name__).lower()
    return f"{NAMES.get(type(op), name)}({', '.join(words)})"


NAMES: Mapping[type[ops.Node], str] = {
    ops.CountStar: "count",
    ops.CountDistinct: "count_distinct",
    ops.StandardDev: "std",
    ops.Variance: "var",
}


def _literal(formatter: Formatter, op: ops.Literal) -> str:
    return formatter.day(op.value) if op.dtype.is_date() else _plain(op.value)


def _case(formatter: Formatter, op: ops.SearchedCase | ops.SimpleCase) -> str:
    base = f"{formatter(op.base)}, " if isinstance(op, ops.SimpleCase) else ""
    pairs = zip(op.cases, op.results, strict=True)
    branches = "".join(f"{formatter(case)}: {formatter(result)}, " for case, result in pairs)
    return f"case({base}{branches}else {formatter(op.default)})"


def _window(formatter: Formatter, op: ops.WindowFunction) -> str:
    keys = [
        f"{word} {formatter.several(values)}"
        for word, values in (("partition by", op.group_by), ("order by", op.order_by))
        if values
    ]
    keys += [
        f"{word} {formatter(bound)}"
        for word, bound in (("from", op.start), ("to", op.end))
        if bound
    ]
    return f"{formatter(op.func)} over ({', '.join(keys)})"


FORMS: Mapping[type[Any] | tuple[type[Any], ...], Form] = {
    tuple(INFIX): _infix,
    ops.Literal: _literal,
    ops.Field: lambda _, op: str(op.name),
    ops.Alias: lambda formatter, op: formatter(op.arg),
    ops.Not: lambda formatter, op: f"not {formatter.inner(op.arg)}",
    ops.IsNull: lambda formatter, op: f"{formatter.inner(op.arg)} is null",
    ops.NotNull: lambda formatter, op: f"{formatter.inner(op.arg)} is not null",
    ops.InValues: lambda formatter, op: (
        f"{formatter(op.value)} in ({formatter.several(op.options)})"
    ),
    ops.InSubquery: lambda formatter, op: f"{formatter(op.needle)} in {formatter(op.rel)}",
    ops.Between: lambda formatter, op: (
        f"{formatter(op.arg)} between {formatter(op.lower_bound)} and {formatter(op.upper_bound)}"
    ),
    ops.Cast: lambda formatter, op: f"cast({formatter(op.arg)}, {op.to})",
    ops.NullIf: lambda formatter, op: f"nullif({formatter(op.arg)}, {formatter(op.null_if_expr)})",
    ops.IfElse: lambda formatter, op: (
        f"ifelse({formatter.several((op.bool_expr, op.true_expr, op.false_null_expr))})"
    ),
    (ops.SearchedCase, ops.SimpleCase): _case,
    DELTAS: lambda formatter, op: f"delta({formatter.several((op.left, op.right, op.part))})",
    TRUNCATES: lambda formatter, op: f"truncate({formatter(op.arg)}, {op.unit.name.lower()!r})",
    ops.WindowFunction: _window,
    ops.WindowBoundary: lambda formatter, op: (
        f"{formatter(op.value)} {'preceding' if op.preceding else 'following'}"
    ),
    ops.SortKey: lambda formatter, op: formatter(op.arg) + ("" if op.ascending else " desc"),
    ops.PhysicalTable: lambda _, op: str(op.name),
    ops.JoinReference: lambda formatter, op: formatter(op.parent),
    ops.Relation: lambda _, op: f"(from {table_of(op)})",
    ops.Value: _call,
}
"""How each kind of operation is formatted; the first that fits counts."""


def _plain(value: object) -> str:
    if isinstance(value, Enum):
        return value.name.lower()
    if isinstance(value, dt.DataType) or not isinstance(value, str):
        return "null" if value is None else str(value)
    return repr(value)
