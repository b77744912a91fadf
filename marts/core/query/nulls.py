"""Nullability: which values of a query may be null, derived from the declared columns."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

import ibis.expr.operations as ops

from marts.core.authoring.tables import Mart, Source
from marts.core.project.loading import Declarations

NotNull = Mapping[str, frozenset[str]]
"""The columns of each table, by its name, that are never null."""

NOTHING_DECLARED: NotNull = MappingProxyType({})


def declared_not_null(project: Declarations) -> NotNull:
    """Return the columns that each source and mart declares not null."""
    tables: list[Source | Mart] = [*project.sources.values(), *project.marts.values()]
    return {
        table.name: frozenset(column.name for column in table.columns if not column.null)
        for table in tables
    }


def may_be_null(op: ops.Value, not_null: NotNull) -> bool:
    """Tell whether a value may be null; if nothing is known about it, it may."""
    for kinds, rule in VALUES:
        if isinstance(op, kinds):
            return rule(op, not_null)
    return True


def _any(values: Iterable[ops.Value], not_null: NotNull) -> bool:
    return any(may_be_null(each, not_null) for each in values)


def _strict(op: ops.Node, not_null: NotNull) -> bool:
    return _any((each for each in op.__children__ if isinstance(each, ops.Value)), not_null)


def _field(field: ops.Field, not_null: NotNull) -> bool:
    return _column(field.rel, field.name, not_null)


def _window(window: ops.WindowFunction, not_null: NotNull) -> bool:
    if isinstance(window.func, ops.RankBase):
        return False
    is_framed = window.start is not None or window.end is not None
    return is_framed or _of_rows(window.func, not_null)


def _of_rows(reduction: ops.Value, not_null: NotNull) -> bool:
    """Tell whether an aggregate of at least one row may be null."""
    if isinstance(reduction, COUNTS):
        return False
    if not isinstance(reduction, OF_ITS_ARGUMENT) or reduction.where is not None:
        return True
    return may_be_null(reduction.arg, not_null)


COUNTS = (ops.Count, ops.CountStar, ops.CountDistinct, ops.CountDistinctStar)
OF_ITS_ARGUMENT = (ops.Sum, ops.Mean, ops.Min, ops.Max, ops.Any, ops.All, ops.Median)

STRICT = (
    *(ops.Negate, ops.Abs, ops.Not, ops.Floor, ops.Ceil, ops.Round, ops.Cast),
    *(ops.Add, ops.Subtract, ops.Multiply, ops.Comparison, ops.LogicalBinary, ops.Between),
    *(ops.InValues, ops.Greatest, ops.Least, ops.StringConcat, ops.StringUnary, ops.Substring),
    *(ops.ExtractYear, ops.ExtractMonth, ops.ExtractDay, ops.DateTruncate, ops.TimestampTruncate),
    *(ops.DateDelta, ops.TimestampDelta),
)
"""Operations that are null exactly if an argument is."""

VALUES: tuple[tuple[tuple[type[ops.Value], ...], Callable[[Any, NotNull], bool]], ...] = (
    ((ops.Literal,), lambda op, _: op.value is None),
    ((ops.Field,), _field),
    ((ops.IsNull, ops.NotNull, ops.IdenticalTo, *COUNTS), lambda *_: False),
    ((ops.Coalesce,), lambda op, not_null: all(may_be_null(each, not_null) for each in op.arg)),
    ((ops.IfElse,), lambda op, not_null: _any((op.true_expr, op.false_null_expr), not_null)),
    (
        (ops.SearchedCase, ops.SimpleCase),
        lambda op, not_null: _any((*op.results, op.default), not_null),
    ),
    ((ops.WindowFunction,), _window),
    (STRICT, _strict),
)


def _column(rel: ops.Relation, name: str, not_null: NotNull) -> bool:
    """Tell whether a relation's column may be null."""
    for kinds, rule in RELATIONS:
        if isinstance(rel, kinds):
            return rule(rel, name, not_null)
    return name not in rel.values or may_be_null(rel.values[name], not_null)


def _joined(chain: ops.JoinChain, name: str, not_null: NotNull) -> bool:
    """Tell whether a join's column may be null: in its table, or where no row matches."""
    before, outer = {chain.first}, set[ops.Relation]()
    for link in chain.rest:
        if link.how in ("left", "any_left", "outer", "asof"):
            outer.add(link.table)
        if link.how in ("right", "outer"):
            outer |= before
        before.add(link.table)
    value = chain.values[name]
    return bool(outer.intersection(value.relations)) or may_be_null(value, not_null)


def _aggregated(rel: ops.Aggregate, name: str, not_null: NotNull) -> bool:
    value = rel.values[name]
    # Without groups there may be no row to aggregate.
    if name in rel.groups or isinstance(value, COUNTS):
        return may_be_null(value, not_null)
    return not rel.groups or _of_rows(value, not_null)


def _of_filter(rel: ops.Filter, name: str, not_null: NotNull) -> bool:
    return name not in _tested(rel.predicates) and _column(rel.parent, name, not_null)


def _tested(predicates: Iterable[ops.Value]) -> Iterator[str]:
    """Yield the columns that are not null in the rows for which predicates hold."""
    for each in predicates:
        match each:
            case ops.And():
                yield from _tested((each.left, each.right))
            case ops.NotNull(arg=ops.Field(name=name)):
                yield name
            case ops.Comparison() if not isinstance(each, ops.IdenticalTo):
                sides = (each.left, each.right)
                yield from (side.name for side in sides if isinstance(side, ops.Field))


def _dropped(rel: ops.DropNull, name: str, not_null: NotNull) -> bool:
    is_tested = not rel.subset or any(each.name == name for each in rel.subset)
    return not (is_tested and rel.how == "any") and _column(rel.parent, name, not_null)


def _refilled(rel: ops.FillNull, name: str, not_null: NotNull) -> bool:
    given = rel.replacements
    value = given.get(name) if isinstance(given, Mapping) else given
    return value is None and _column(rel.parent, name, not_null)


RELATIONS: tuple[
    tuple[tuple[type[ops.Relation], ...], Callable[[Any, str, NotNull], bool]], ...
] = (
    # Before tables: in Ibis, a view is one, too.
    (
        (ops.Reference, ops.AliasedRelation),
        lambda rel, name, not_null: _column(rel.parent, name, not_null),
    ),
    (
        (ops.PhysicalTable,),
        lambda rel, name, not_null: name not in not_null.get(rel.name, ()),
    ),
    (
        (ops.Set,),
        lambda rel, name, not_null: any(_column(e, name, not_null) for e in (rel.left, rel.right)),
    ),
    ((ops.JoinChain,), _joined),
    ((ops.Aggregate,), _aggregated),
    ((ops.Filter,), _of_filter),
    ((ops.DropNull,), _dropped),
    ((ops.FillNull,), _refilled),
)
