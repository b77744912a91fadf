"""Where nulls can be: the columns that contracts declare not null, and what queries make of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

import ibis.expr.operations as ops

from marts.core.authoring.tables import Mart, Source
from marts.core.project.loading import Project

Filled = Mapping[str, frozenset[str]]
"""The columns of each table, by its name, that are never null."""

NOTHING_FILLED: Filled = MappingProxyType({})


def declared_filled(project: Project) -> Filled:
    """Return the columns that each source and mart declares not null."""
    tables: list[Source | Mart] = [*project.sources.values(), *project.marts.values()]
    return {
        table.name: frozenset(column.name for column in table.columns if not column.null)
        for table in tables
    }


def may_be_null(op: ops.Value, filled: Filled) -> bool:
    """Tell whether a value may be null, as far as is known; in doubt it may."""
    for kinds, rule in VALUES:
        if isinstance(op, kinds):
            return rule(op, filled)
    return True


def _any(values: Iterable[ops.Value], filled: Filled) -> bool:
    return any(may_be_null(each, filled) for each in values)


def _strict(op: ops.Node, filled: Filled) -> bool:
    return _any((each for each in op.__children__ if isinstance(each, ops.Value)), filled)


def _field(field: ops.Field, filled: Filled) -> bool:
    return _column(field.rel, field.name, filled)


def _window(window: ops.WindowFunction, filled: Filled) -> bool:
    if isinstance(window.func, ops.RankBase):
        return False
    is_framed = window.start is not None or window.end is not None
    return is_framed or _of_rows(window.func, filled)


def _of_rows(reduction: ops.Value, filled: Filled) -> bool:
    """Tell whether what is aggregated of rows, of which there is one at least, may be null."""
    if isinstance(reduction, COUNTS):
        return False
    if not isinstance(reduction, OF_ITS_ARGUMENT) or reduction.where is not None:
        return True
    return may_be_null(reduction.arg, filled)


COUNTS = (ops.Count, ops.CountStar, ops.CountDistinct, ops.CountDistinctStar)
OF_ITS_ARGUMENT = (ops.Sum, ops.Mean, ops.Min, ops.Max, ops.Any, ops.All, ops.Median)

STRICT = (
    *(ops.Negate, ops.Abs, ops.Not, ops.Floor, ops.Ceil, ops.Round, ops.Cast),
    *(ops.Add, ops.Subtract, ops.Multiply, ops.Comparison, ops.LogicalBinary, ops.Between),
    *(ops.InValues, ops.Greatest, ops.Least, ops.StringConcat, ops.StringUnary, ops.Substring),
    *(ops.ExtractYear, ops.ExtractMonth, ops.ExtractDay, ops.DateTruncate, ops.TimestampTruncate),
    *(ops.DateDelta, ops.TimestampDelta),
)
"""Null where an argument is, and never otherwise."""

VALUES: tuple[tuple[tuple[type[ops.Value], ...], Callable[[Any, Filled], bool]], ...] = (
    ((ops.Literal,), lambda op, _: op.value is None),
    ((ops.Field,), _field),
    ((ops.IsNull, ops.NotNull, ops.IdenticalTo, *COUNTS), lambda *_: False),
    ((ops.Coalesce,), lambda op, filled: all(may_be_null(each, filled) for each in op.arg)),
    ((ops.IfElse,), lambda op, filled: _any((op.true_expr, op.false_null_expr), filled)),
    (
        (ops.SearchedCase, ops.SimpleCase),
        lambda op, filled: _any((*op.results, op.default), filled),
    ),
    ((ops.WindowFunction,), _window),
    (STRICT, _strict),
)


def _column(rel: ops.Relation, name: str, filled: Filled) -> bool:
    """Tell whether a relation's column may be null."""
    for kinds, rule in RELATIONS:
        if isinstance(rel, kinds):
            return rule(rel, name, filled)
    return name not in rel.values or may_be_null(rel.values[name], filled)


def _joined(chain: ops.JoinChain, name: str, filled: Filled) -> bool:
    """Tell whether a join's column may be null: as it is, or for want of a row to join."""
    before, outer = {chain.first}, set[ops.Relation]()
    for link in chain.rest:
        if link.how in ("left", "any_left", "outer", "asof"):
            outer.add(link.table)
        if link.how in ("right", "outer"):
            outer |= before
        before.add(link.table)
    value = chain.values[name]
    return bool(outer.intersection(value.relations)) or may_be_null(value, filled)


def _aggregated(rel: ops.Aggregate, name: str, filled: Filled) -> bool:
    value = rel.values[name]
    # Without groups there may be no row to aggregate.
    if name in rel.groups or isinstance(value, COUNTS):
        return may_be_null(value, filled)
    return not rel.groups or _of_rows(value, filled)


def _filtered(rel: ops.Filter, name: str, filled: Filled) -> bool:
    return name not in _tested(rel.predicates) and _column(rel.parent, name, filled)


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


def _dropped(rel: ops.DropNull, name: str, filled: Filled) -> bool:
    is_tested = not rel.subset or any(each.name == name for each in rel.subset)
    return not (is_tested and rel.how == "any") and _column(rel.parent, name, filled)


def _refilled(rel: ops.FillNull, name: str, filled: Filled) -> bool:
    given = rel.replacements
    value = given.get(name) if isinstance(given, Mapping) else given
    return value is None and _column(rel.parent, name, filled)


RELATIONS: tuple[tuple[tuple[type[ops.Relation], ...], Callable[[Any, str, Filled], bool]], ...] = (
    # A view is a table to Ibis: so it comes first.
    (
        (ops.Reference, ops.AliasedRelation),
        lambda rel, name, filled: _column(rel.parent, name, filled),
    ),
    (
        (ops.PhysicalTable,),
        lambda rel, name, filled: name not in filled.get(rel.name, ()),
    ),
    (
        (ops.Set,),
        lambda rel, name, filled: any(_column(e, name, filled) for e in (rel.left, rel.right)),
    ),
    ((ops.JoinChain,), _joined),
    ((ops.Aggregate,), _aggregated),
    ((ops.Filter,), _filtered),
    ((ops.DropNull,), _dropped),
    ((ops.FillNull,), _refilled),
)
