"""How one value of a mart is computed, step by step, and queries for what it is computed from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from typing import Any

import ibis.expr.datatypes as dt
import ibis.expr.operations as ops
import ibis.expr.types as ir

from marts.core.analysis.casts import keeps_values
from marts.core.analysis.words import branches_of as cases_of

SEVERAL = (ops.Aggregate, ops.Set, ops.Distinct)
"""Relations of which a row may come from several rows."""


@dataclass(frozen=True)
class Definition:
    """Where and how a column of a query is computed.

    `value` is the expression, over the columns of the relations below the last one of `path`, which
    begins with the query itself. It is a column of a table if the column is a copy.
    """

    value: ops.Value
    path: tuple[ops.Relation, ...]
    name: str = ""
    """The name of the column."""
    default: ops.Value | None = None
    """What replaces null."""
    unchanged: tuple[ops.Value, tuple[ops.Relation, ...]] | None = None
    """The value before a cast or a default that may change it, and the path to where it is read.

    It is None if nothing has changed the value.
    """

    @property
    def is_aggregated(self) -> bool:
        """Tell whether it is computed from several rows."""
        return isinstance(self.path[-1], SEVERAL)

    @property
    def table(self) -> str | None:
        """The table of which it is a column, None if it is computed."""
        value = self.value
        return str(value.rel.name) if isinstance(value, ops.Field) and is_table(value.rel) else None


def is_table(rel: ops.Relation) -> bool:
    """Tell whether a relation is a table that a query reads."""
    return isinstance(rel, ops.PhysicalTable) and not isinstance(rel, ops.AliasedRelation)


def definition_of(field: ops.Field, above: tuple[ops.Relation, ...] = ()) -> Definition:
    """Return how a column is computed, through selections, joins and filters that only pass it on.

    `above` is the path from the query to the relation of which it is a column.
    """
    path, default, unchanged = above, None, None
    value: ops.Value = field
    while isinstance(value, ops.Field) and not is_table(value.rel):
        rel = value.rel
        if isinstance(rel, SEVERAL):
            found = _copied(rel.values.get(value.name, value))
            return Definition(found, (*path, rel), field.name, default, unchanged)
        path = (*path, rel)
        if isinstance(rel, ops.Reference | ops.AliasedRelation):
            value = ops.Field(rel.parent, value.name)
            continue
        if value.name not in rel.values:
            break
        given = rel.values[value.name]
        value = bare(given)
        if isinstance(value, ops.Coalesce) and _is_filled(value):
            default, value = value.arg[1], bare(value.arg[0])
        if _may_change(given):
            unchanged = value, path
    return Definition(value, path, field.name, default, unchanged)


def _copied(value: ops.Value) -> ops.Value:
    """Return the column that a value copies, from as far below as it does; else the value."""
    while not _may_change(value):
        value = bare(value)
        if not isinstance(value, ops.Field) or is_table(value.rel):
            return value
        rel = value.rel
        if isinstance(rel, ops.Reference | ops.AliasedRelation):
            below: ops.Value = ops.Field(rel.parent, value.name)
        elif isinstance(rel, ops.Intersection | ops.Difference):
            below = ops.Field(rel.left, value.name)
        else:
            below = rel.values.get(value.name, value)
        if below == value or _may_change(below):
            return value
        value = below
    return value


def _may_change(value: ops.Value) -> bool:
    """Tell whether a column is more than a copy: a cast may round it, a default may replace it."""
    match value:
        case ops.Alias(arg=arg):
            return _may_change(arg)
        case ops.Cast(arg=arg, to=to):
            return not keeps_values(arg.dtype, to) or _may_change(arg)
    return not isinstance(value, ops.Field)


def bare(value: ops.Value) -> ops.Value:
    """Return a value without names and casts."""
    while isinstance(value, ops.Alias | ops.Cast):
        value = value.arg
    return value


def _is_filled(value: ops.Coalesce) -> bool:
    return len(value.arg) == 2 and isinstance(value.arg[1], ops.Literal)


def operands(value: ops.Value) -> list[ops.Field]:
    """Return the columns in an expression, in the order in which they are written.

    Those of other rows, in a window, are left out.
    """
    found: list[ops.Field] = []

    def walk(op: ops.Node) -> None:
        if isinstance(op, ops.Field):
            found.append(op)
        elif isinstance(op, ops.Value) and not isinstance(op, ops.WindowFunction):
            for below in op.__children__:
                walk(below)

    walk(value)
    return list(dict.fromkeys(found))


def with_operands(
    query: ir.Table, path: Sequence[ops.Relation], extra: Mapping[str, ops.Value]
) -> ir.Table:
    """Return a query with more columns: values over what the last relation of a path reads.

    Every relation of the path passes its rows on, one by one, and selections are written as such
    (see `as_selections`).
    """
    last, above = path[-1], dict(pairwise(path))
    made: dict[ops.Node, Any] = {}

    def rebuilt(op: ops.Node, given: Mapping[str, Any] | None) -> ops.Node:
        arguments = dict(given) if given else dict(zip(op.__argnames__, op.__args__, strict=True))
        if op == last:
            arguments["values"] = {**arguments["values"], **extra}
        elif op in above and isinstance(op, ops.Project | ops.JoinChain):
            below = made[above[op]]
            passed = {name: ops.Field(below, name) for name in extra}
            arguments["values"] = {**arguments["values"], **passed}
        elif not given:
            return op
        made[op] = type(op)(**arguments)
        return made[op]

    return query.op().replace(rebuilt).to_expr()


def in_part(
    query: ops.Relation, union: ops.Union, part: ops.Relation
) -> Mapping[ops.Node, ops.Relation]:
    """Return a query, and each relation in it, with one part of a union in the union's place."""
    made: dict[ops.Node, Any] = {}

    def rebuilt(op: ops.Node, given: Mapping[str, Any] | None) -> ops.Node:
        made[op] = part if op == union else type(op)(**given) if given else op
        return made[op]

    query.replace(rebuilt)
    return made


@dataclass(frozen=True)
class Test:
    """A comparison of a value with a constant."""

    value: ops.Value
    sign: str
    at: ops.Literal
    whole: ops.Value


@dataclass(frozen=True)
class CaseBranch:
    """A branch of a case: its condition (None for the last one, which needs none), its result."""

    condition: ops.Value | None
    result: ops.Value

    @property
    def tests(self) -> tuple[Test, ...]:
        """The comparisons with constants in its condition."""
        return tuple(tests_in(self.condition)) if self.condition is not None else ()


def branches_of(value: ops.Value) -> tuple[CaseBranch, ...]:
    """Return the branches of a case, in order; none if an expression is not a case."""
    if not isinstance(value, ops.SearchedCase | ops.SimpleCase | ops.IfElse):
        return ()
    branches, default = cases_of(value)
    found = [CaseBranch(condition, bare(result)) for condition, result in branches]
    return (*found, CaseBranch(None, bare(default)))


SIGNS: Mapping[type[ops.Comparison], tuple[str, str]] = {
    ops.Less: ("<", ">"),
    ops.LessEqual: ("<=", ">="),
    ops.Greater: (">", "<"),
    ops.GreaterEqual: (">=", "<="),
    ops.Equals: ("==", "=="),
    ops.NotEquals: ("!=", "!="),
}
"""The signs of comparisons, and what they are with the sides exchanged."""


def tests_in(condition: ops.Value) -> Iterator[Test]:
    """Yield the comparisons with constants in a condition, in order."""
    if isinstance(condition, ops.And | ops.Or):
        yield from tests_in(condition.left)
        yield from tests_in(condition.right)
    elif isinstance(condition, ops.Not):
        yield from tests_in(condition.arg)
    elif isinstance(condition, ops.Coalesce):
        yield from tests_in(condition.arg[0])
    elif isinstance(condition, ops.Between):
        for sign, bound in ((">=", condition.lower_bound), ("<=", condition.upper_bound)):
            if at := _constant(bound):
                yield Test(condition.arg, sign, at, condition)
    elif type(condition) in SIGNS:
        sign, turned = SIGNS[type(condition)]
        left, right = condition.left, condition.right
        if at := _constant(right):
            yield Test(left, sign, at, condition)
        elif at := _constant(left):
            yield Test(right, turned, at, condition)


def _constant(value: ops.Value) -> ops.Literal | None:
    """Return the constant that a value is, None if it is none, or a cast might change it."""
    if isinstance(value, ops.Alias):
        return _constant(value.arg)
    if isinstance(value, ops.Cast):
        found = _constant(value.arg)
        return found if found and _keeps(found.value, value.to) else None
    return value if isinstance(value, ops.Literal) else None


def _keeps(value: object, to: dt.DataType) -> bool:
    """Tell whether a cast keeps a constant."""
    scale = 0 if to.is_integer() else to.scale if to.is_decimal() else None
    if scale is None or isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return True
    exact = Decimal(str(value))
    return exact.is_finite() and round(exact, scale) == exact
