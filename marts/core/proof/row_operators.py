"""Mutations of rows: filters, joins, sets, orders and windows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import ibis.expr.operations as ops

from marts.core.proof.operators import Mutation, Operator, Shown, without_each


def _filter_dropped(op: ops.Filter) -> Iterator[Mutation]:
    for each, rest in without_each(op.predicates):
        kept = op.copy(predicates=rest) if rest else op.parent
        yield Mutation(kept, ("filter(", each, ")"), ("every row",), each)


def _join_condition_dropped(op: ops.JoinChain) -> Iterator[Mutation]:
    for number, link in enumerate(op.rest):
        for each, rest in without_each(link.predicates) if len(link.predicates) > 1 else ():
            joined = _with_link(op, number, link.copy(predicates=rest))
            yield Mutation(joined, _join_words(link, link.how), ("… without ", each), link)


JOINS: Mapping[str, tuple[str, ...]] = {
    "inner": ("left",),
    "left": ("inner",),
    "right": ("inner",),
    "outer": ("left", "right"),
    "semi": ("anti", "left"),
    "anti": ("semi", "left"),
    "any_inner": ("any_left",),
    "any_left": ("any_inner",),
}


def _join_exchanged(op: ops.JoinChain) -> Iterator[Mutation]:
    for number, link in enumerate(op.rest):
        for how in JOINS.get(link.how, ()):
            joined = _with_link(op, number, link.copy(how=how))
            yield Mutation(joined, _join_words(link, link.how), _join_words(link, how), link)


def _join_words(link: ops.JoinLink, how: str) -> Shown:
    conditions = [part for each in link.predicates for part in (" and ", each)]
    return (f"{how} join ", link.table, " on ", *conditions[1:])


def _with_link(chain: ops.JoinChain, number: int, link: ops.JoinLink) -> ops.JoinChain:
    return chain.copy(rest=(*chain.rest[:number], link, *chain.rest[number + 1 :]))


def _set_changed(op: ops.Set) -> Iterator[Mutation]:
    both = (f"{type(op).__name__.lower()} of ", op.left, " and ", op.right)
    yield Mutation(op.left, both, ("the first alone",))
    if isinstance(op, ops.Union):
        rows = ("distinct rows",), ("all rows",)
        before, after = rows if op.distinct else rows[::-1]
        yield Mutation(op.right, both, ("the second alone",))
        yield Mutation(op.copy(distinct=not op.distinct), (*both, ", ", *before), after)


def _distinct_dropped(op: ops.Distinct) -> Iterator[Mutation]:
    yield Mutation(op.parent, ("distinct ", op), ("all rows",))


def _window_reversed(op: ops.WindowFunction) -> Iterator[Mutation]:
    for keys in _each_reversed(op.order_by):
        yield Mutation(op.copy(order_by=keys))


ORDERED = (ops.Sort, ops.Project, ops.Filter, ops.DropColumns)
"""The relations that may be between an order and a limit, because they keep the order."""


def _limit_reversed(op: ops.Limit) -> Iterator[Mutation]:
    for sort in op.parent.find(ops.Sort, filter=ORDERED)[:1]:
        for keys in _each_reversed(sort.keys):
            limit = op.replace({sort: sort.copy(keys=keys)})
            yield Mutation(limit, _order_words(sort.keys), _order_words(keys))


def _each_reversed(keys: tuple[ops.SortKey, ...]) -> Iterator[tuple[ops.SortKey, ...]]:
    for number, key in enumerate(keys):
        turned = key.copy(ascending=not key.ascending)
        yield (*keys[:number], turned, *keys[number + 1 :])


def _order_words(keys: tuple[ops.SortKey, ...]) -> Shown:
    return ("order by ", *[part for key in keys for part in (", ", key)][1:])


def _partition_dropped(op: ops.WindowFunction) -> Iterator[Mutation]:
    for _, rest in without_each(op.group_by):
        yield Mutation(op.copy(group_by=rest))


ROW_OPERATORS = (
    Operator("condition dropped", (ops.Filter,), _filter_dropped),
    Operator("condition dropped", (ops.JoinChain,), _join_condition_dropped),
    Operator("join", (ops.JoinChain,), _join_exchanged),
    Operator("set", (ops.Set,), _set_changed),
    Operator("distinct dropped", (ops.Distinct,), _distinct_dropped),
    Operator("order reversed", (ops.WindowFunction,), _window_reversed),
    Operator("order reversed", (ops.Limit,), _limit_reversed),
    Operator("partition dropped", (ops.WindowFunction,), _partition_dropped),
)
