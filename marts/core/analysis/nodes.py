"""Parts of Ibis operations that several analyses need: conditions, alternatives and parents."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import ibis.expr.operations as ops

DECIDING: Mapping[type[ops.Relation], Callable[[Any], Iterable[ops.Value]]] = {
    ops.Project: lambda _: (),
    ops.DropColumns: lambda _: (),
    ops.JoinReference: lambda _: (),
    ops.Filter: lambda op: op.predicates,
    ops.Sort: lambda op: op.keys,
    ops.Aggregate: lambda op: op.groups.values(),
    ops.JoinChain: lambda op: [each for link in op.rest for each in link.predicates],
}


def deciding_values(rel: ops.Relation) -> tuple[ops.Value, ...] | None:
    """Return the values that decide which rows a relation has, and in which order.

    None for a relation whose rows depend on something else, such as a limit or a union.
    """
    return tuple(DECIDING[type(rel)](rel)) if type(rel) in DECIDING else None


def first_below(rel: ops.Relation, kinds: tuple[type[ops.Relation], ...]) -> ops.Relation:
    """Return a relation, or the nearest one below it that is not of these kinds."""
    while isinstance(rel, kinds):
        rel = rel.parent
    return rel


def predicates_of(rel: ops.Filter) -> Iterator[ops.Value]:
    """Yield the conditions that all hold for each row of a filter."""
    for predicate in rel.predicates:
        yield from conjuncts(predicate)


def conjuncts(op: ops.Value) -> Iterator[ops.Value]:
    """Yield the conditions that an expression joins with `and`, or else the expression itself."""
    if isinstance(op, ops.And):
        yield from conjuncts(op.left)
        yield from conjuncts(op.right)
    else:
        yield op


def alternatives(op: ops.Value) -> tuple[ops.Value, ...]:
    """Return the operands from which a conditional expression takes its value; none for others."""
    match op:
        case ops.Alias() | ops.NullIf():
            return (op.arg,)
        case ops.Coalesce():
            return tuple(op.arg)
        case ops.IfElse():
            return (op.true_expr, op.false_null_expr)
        case ops.SearchedCase() | ops.SimpleCase():
            return (*op.results, op.default)
        case _:
            return ()
