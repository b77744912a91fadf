"""On which columns a value depends, from its operands: a rule for each kind of operation."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import ibis.expr.operations as ops
from ibis.expr.operations.reductions import Orderable

from marts.core.analysis.casts import keeps_values
from marts.core.analysis.kinds import (
    COUNTED,
    MADE,
    NO_COLUMN,
    ROWS,
    Edges,
    Kind,
    merged,
    used,
)


class RelationEdges(NamedTuple):
    """On what a relation depends: each of its columns, which rows it has, and their order.

    What its rows depend on is not repeated in its columns.
    """

    columns: dict[str, Edges]
    rows: Edges
    order: Edges


class Known:
    """What is known of the operations below one: on what they depend."""

    def __init__(self) -> None:
        self.values: dict[ops.Value, Edges] = {}
        self.relations: dict[ops.Relation, RelationEdges] = {}

    def is_new(self, op: ops.Node) -> bool:
        """Tell whether nothing is known of an operation yet."""
        return op not in self.values and op not in self.relations

    def used(self, kind: Kind, values: Iterable[ops.Node | None]) -> Edges:
        """Return on what a result depends that uses some values in a way of one kind."""
        return used(kind, merged(self.values[op] for op in values if isinstance(op, ops.Value)))

    def whole(self, kind: Kind, rel: ops.Relation) -> Edges:
        """Return on what a result depends that uses all columns of a relation, and its rows."""
        found = self.relations[rel]
        return merged([used(kind, merged(found.columns.values())), found.rows])


def _cast(op: ops.Cast, known: Known) -> Edges:
    is_same = keeps_values(op.arg.dtype, op.to)
    return known.used(Kind.IDENTITY if is_same else Kind.TRANSFORMATION, [op.arg])


def _chosen(deciding: Iterable[ops.Value], values: Iterable[ops.Value], known: Known) -> Edges:
    return merged([known.used(Kind.TRANSFORMATION, values), known.used(Kind.CONDITIONAL, deciding)])


def _coalesce(op: ops.Coalesce, known: Known) -> Edges:
    # With nothing but constants after it, a value is only changed, and decides about no other.
    last = max((n for n, each in enumerate(op.arg) if {*known.values[each]} - {MADE}), default=0)
    return _chosen(op.arg[:last], op.arg, known)


def _reduction(op: ops.Reduction, known: Known) -> Edges:
    """Return on what an aggregate depends, apart from the rows that it sums up."""
    parts = []
    for name, arg in zip(op.__argnames__, op.__args__, strict=True):
        kind = Kind.AGGREGATION
        if name == "where":
            kind = Kind.FILTER
        elif (name == "order_by" and isinstance(op, Orderable)) or (
            name == "key" and isinstance(op, ops.ArgMax | ops.ArgMin)
        ):
            kind = Kind.SORT
        parts.append(_used_argument(kind, arg, known))
    return merged(parts)


def _used_argument(kind: Kind, arg: object, known: Known) -> Edges:
    """Return on what a result depends that uses an argument, whatever it consists of."""
    match arg:
        case ops.Value():
            return known.used(kind, [arg])
        case ops.Relation():
            return known.whole(kind, arg)
        case ops.Node():
            return merged(_used_argument(kind, each, known) for each in arg.__children__)
        case tuple() | frozenset():
            return merged(_used_argument(kind, each, known) for each in arg)
        case _:
            return {}


def _count(op: ops.CountStar, known: Known) -> Edges:
    rows = known.relations[op.arg].rows
    counted = {
        (table, COUNTED): frozenset({Kind.AGGREGATION})
        for table, name in rows
        if name == ROWS and Kind.IDENTITY in rows[table, name]
    }
    return merged([rows, counted, known.used(Kind.FILTER, [op.where]), NO_COLUMN])


def _window(op: ops.WindowFunction, known: Known) -> Edges:
    around = [*op.group_by, *op.order_by, op.start, op.end]
    return merged([known.values[op.func], known.used(Kind.WINDOW, around)])


def _in_subquery(op: ops.InSubquery, known: Known) -> Edges:
    both = [known.used(Kind.TRANSFORMATION, [op.needle]), known.whole(Kind.TRANSFORMATION, op.rel)]
    return merged(both)


def _part(op: ops.StructField, known: Known) -> Edges:
    """Return on what a part of a struct depends: on that part alone where the struct is made."""
    if isinstance(op.arg, ops.StructColumn):
        return known.values[op.arg.values[op.arg.names.index(op.field)]]
    return known.used(Kind.TRANSFORMATION, [op.arg])


def _other(op: ops.Value, known: Known) -> Edges:
    """Return on what any other operation depends: on all that it is made of."""
    return merged(_used_argument(Kind.TRANSFORMATION, each, known) for each in op.__args__)


RULES: tuple[tuple[tuple[type[ops.Value], ...], Callable[[Any, Known], Edges]], ...] = (
    ((ops.Field,), lambda op, known: known.relations[op.rel].columns[op.name]),
    ((ops.Alias, ops.SortKey), lambda op, known: known.values[op.arg]),
    ((ops.WindowBoundary,), lambda op, known: known.values[op.value]),
    ((ops.Cast,), _cast),
    (
        (ops.IfElse,),
        lambda op, known: _chosen([op.bool_expr], [op.true_expr, op.false_null_expr], known),
    ),
    (
        (ops.SearchedCase,),
        lambda op, known: _chosen(op.cases, [*op.results, op.default], known),
    ),
    (
        (ops.SimpleCase,),
        lambda op, known: _chosen([op.base, *op.cases], [*op.results, op.default], known),
    ),
    ((ops.NullIf,), lambda op, known: _chosen([op.null_if_expr], [op.arg], known)),
    ((ops.Coalesce,), _coalesce),
    ((ops.WindowFunction,), _window),
    ((ops.CountStar,), _count),
    ((ops.Reduction,), _reduction),
    ((ops.ExistsSubquery,), lambda op, known: merged([known.relations[op.rel].rows, NO_COLUMN])),
    ((ops.InSubquery,), _in_subquery),
    ((ops.StructField,), _part),
    ((ops.RowID,), lambda op, known: merged([known.relations[op.table].rows, NO_COLUMN])),
)
"""How a value depends on its operands; the first kind that fits applies."""


def edges_of_value(op: ops.Value, known: Known) -> Edges:
    """Return on what a value depends, apart from which rows its relation has."""
    rule = next((rule for kinds, rule in RULES if isinstance(op, kinds)), _other)
    return rule(op, known) or NO_COLUMN


IN_ORDER = (ops.First, ops.Last, ops.ArrayCollect, ops.GroupConcat, ops.Arbitrary)
"""Aggregates that depend on the order of rows, unless they are given one."""


def depends_on_order(op: ops.Value) -> bool:
    """Tell whether a value depends on the order in which rows happen to be."""
    return any(_without_order(op))


def _without_order(op: ops.Value) -> Iterator[bool]:
    for each in op.find((ops.WindowFunction, *IN_ORDER), filter=ops.Value):
        yield not getattr(each, "order_by", ())
