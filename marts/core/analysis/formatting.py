"""Format an expression on one line, much as its author wrote it, without aliases or SQL."""

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
    # Before division: in Ibis, this is one, too.
    ops.FloorDivide: "//",
    ops.Divide: "/",
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
    """Formats operations; days computed from the as-of date are written relative to it.

    So the text is the same for every date. A day next to one of `as_of_days` is such a day,
    mutated.
    """

    as_of: datetime.date | None = None
    as_of_days: Collection[datetime.date] = ()

    def __call__(self, op: object) -> str:
        """Return the text of an operation, a type, a unit or a plain value."""
        for kind, form in FORMS.items():
            if isinstance(op, kind):
                return form(self, op)
        return _plain(op)

    def inner(self, op: object) -> str:
        """Return the text of an operand, in parentheses if it has operands itself."""
        bare = not isinstance(op, (*INFIX, ops.Not, ops.Between, ops.InValues))
        return self(op) if bare else f"({self(op)})"

    def several(self, values: Collection[object]) -> str:
        """Return the texts of several operations, separated by commas."""
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


def _infix(fmt: Formatter, op: ops.Binary | ops.StringConcat) -> str:
    operands = op.arg if isinstance(op, ops.StringConcat) else (op.left, op.right)
    texts = [fmt.inner(operand) for operand in operands]
    fields = [operand for operand in operands if isinstance(operand, ops.Field)]
    if len(fields) == len({each.rel for each in fields}) > 1 == len(set(texts)):
        texts = [
            f"{table_of(operand.rel)}.{text}" for operand, text in zip(operands, texts, strict=True)
        ]
    sign = next(sign for kind, sign in INFIX.items() if isinstance(op, kind))
    return f" {sign} ".join(texts)


def table_of(rel: ops.Relation) -> str:
    """Return the name of the table that a relation is computed from, or of the first one."""
    for found in rel.find(ops.PhysicalTable, filter=ops.Relation):
        return str(found.name)
    return "a table"


def _call(fmt: Formatter, op: ops.Node) -> str:
    """Format an operation without a form of its own: `quantile(amount, quantile=0.9)`."""
    words = []
    for name, value in zip(op.__argnames__, op.__args__, strict=True):
        if value is None or value == () or (isinstance(value, bool) and not value):
            continue
        if isinstance(op, ops.CountStar | ops.CountDistinctStar) and name == "arg":
            continue
        text = fmt.several(value) if isinstance(value, tuple) else fmt(value)
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


def _literal(fmt: Formatter, op: ops.Literal) -> str:
    return fmt.day(op.value) if op.dtype.is_date() else _plain(op.value)


def _case(fmt: Formatter, op: ops.SearchedCase | ops.SimpleCase) -> str:
    base = f"{fmt(op.base)}, " if isinstance(op, ops.SimpleCase) else ""
    pairs = zip(op.cases, op.results, strict=True)
    branches = "".join(f"{fmt(case)}: {fmt(result)}, " for case, result in pairs)
    return f"case({base}{branches}else {fmt(op.default)})"


def _window(fmt: Formatter, op: ops.WindowFunction) -> str:
    keys = [
        f"{word} {fmt.several(values)}"
        for word, values in (("partition by", op.group_by), ("order by", op.order_by))
        if values
    ]
    keys += [
        f"{word} {fmt(bound)}" for word, bound in (("from", op.start), ("to", op.end)) if bound
    ]
    return f"{fmt(op.func)} over ({', '.join(keys)})"


FORMS: Mapping[type[Any] | tuple[type[Any], ...], Form] = {
    tuple(INFIX): _infix,
    ops.Literal: _literal,
    ops.Field: lambda _, op: str(op.name),
    ops.Alias: lambda fmt, op: fmt(op.arg),
    ops.Not: lambda fmt, op: f"not {fmt.inner(op.arg)}",
    ops.IsNull: lambda fmt, op: f"{fmt.inner(op.arg)} is null",
    ops.NotNull: lambda fmt, op: f"{fmt.inner(op.arg)} is not null",
    ops.InValues: lambda fmt, op: f"{fmt(op.value)} in ({fmt.several(op.options)})",
    ops.InSubquery: lambda fmt, op: f"{fmt(op.needle)} in {fmt(op.rel)}",
    ops.Between: lambda fmt, op: (
        f"{fmt(op.arg)} between {fmt(op.lower_bound)} and {fmt(op.upper_bound)}"
    ),
    ops.Cast: lambda fmt, op: f"cast({fmt(op.arg)}, {op.to})",
    ops.NullIf: lambda fmt, op: f"nullif({fmt(op.arg)}, {fmt(op.null_if_expr)})",
    ops.IfElse: lambda fmt, op: (
        f"ifelse({fmt.several((op.bool_expr, op.true_expr, op.false_null_expr))})"
    ),
    (ops.SearchedCase, ops.SimpleCase): _case,
    DELTAS: lambda fmt, op: f"delta({fmt.several((op.left, op.right, op.part))})",
    TRUNCATES: lambda fmt, op: f"truncate({fmt(op.arg)}, {op.unit.name.lower()!r})",
    ops.WindowFunction: _window,
    ops.WindowBoundary: lambda fmt, op: (
        f"{fmt(op.value)} {'preceding' if op.preceding else 'following'}"
    ),
    ops.SortKey: lambda fmt, op: fmt(op.arg) + ("" if op.ascending else " desc"),
    ops.PhysicalTable: lambda _, op: str(op.name),
    ops.JoinReference: lambda fmt, op: fmt(op.parent),
    ops.Relation: lambda _, op: f"(from {table_of(op)})",
    ops.Value: _call,
}
"""How each kind of operation is formatted; the first kind that fits applies."""


def _plain(value: object) -> str:
    if isinstance(value, Enum):
        return value.name.lower()
    if isinstance(value, dt.DataType) or not isinstance(value, str):
        return "null" if value is None else str(value)
    return repr(value)
