"""Conditions on the rows of a relation, and relations with the rows that meet them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, reduce

import ibis.expr.operations as ops

from marts.core.analysis.casts import unwrapped
from marts.core.analysis.known_values import Context
from marts.core.analysis.needed_columns import origin, shortened
from marts.core.analysis.readable import wording
from marts.core.query.nulls import NotNull, may_be_null


@dataclass(frozen=True)
class Condition:
    """What holds for the wanted rows of a relation, over its columns.

    One that `is_key` comes from the key of the traced row: it says which values a column has, and
    holds for no null unless `allows_null`.
    """

    value: ops.Value
    is_key: bool = False
    allows_null: bool = False

    @cached_property
    def fields(self) -> frozenset[ops.Field]:
        """The columns in it."""
        return frozenset(self.value.find(ops.Field, filter=ops.Value))


Conditions = Sequence[Condition]
"""Conditions that all hold."""


def on(
    conditions: Conditions, rel: ops.Relation, values: Mapping[str, ops.Value]
) -> tuple[Condition, ...]:
    """Return conditions on a relation over the values that its columns are computed from."""
    return tuple(
        Condition(
            replaced(
                each.value, {f: unwrapped(values[f.name]) for f in each.fields if f.rel == rel}
            ),
            each.is_key,
            each.allows_null,
        )
        for each in conditions
    )


def is_impossible(conditions: Iterable[Condition]) -> bool:
    """Tell whether no row meets some conditions: one says that a constant is another one."""
    for each in conditions:
        match each.value:
            case ops.Equals(left=value, right=ops.Literal(value=wanted)):
                found = origin(value)
                if isinstance(found, ops.Literal) and (
                    found.value is None
                    or (type(found.value) is type(wanted) and found.value != wanted)
                ):
                    return True
    return False


def replaced(value: ops.Value, known: Mapping[ops.Node, ops.Value]) -> ops.Value:
    """Return a value with columns replaced, in no relation below it."""
    if value in known:
        return known[value]
    return value.replace(dict(known), filter=ops.Value) if known else value


def subject(condition: Condition) -> ops.Value | None:
    """Return the value of which a condition of the key says which values it has."""
    match condition.value:
        case ops.Equals(left=left):
            return unwrapped(left)
        case ops.InSubquery(needle=needle):
            return unwrapped(needle)
        case ops.Or(left=ops.InSubquery(needle=needle)):
            return unwrapped(needle)
    return None


def windows_in(value: ops.Value) -> list[ops.WindowFunction]:
    """Return the windows in a value."""
    return list(value.find(ops.WindowFunction, filter=ops.Value))


def text_of(window: ops.WindowFunction, rel: ops.Relation, not_null: NotNull) -> str:
    """Return a window of a relation in words."""
    return wording(Context(shortened(rel), not_null), "").said(shortened(window))


def all_of(values: Iterable[ops.Value], sign: type[ops.LogicalBinary] = ops.And) -> ops.Value:
    """Return a condition that holds where all do; with `ops.Or`, where any does."""
    return reduce(sign, values)


def any_of(rel: ops.Relation, alternatives: Iterable[Conditions]) -> ops.Relation:
    """Return the rows of a relation that meet all conditions of at least one alternative."""
    found = [tuple(dict.fromkeys(each.value for each in one)) for one in alternatives]
    if () in found:
        return rel
    if len(found) == 1:
        return ops.Filter(rel, found[0])
    return ops.Filter(rel, (all_of(map(all_of, found), ops.Or),))


def chosen(rel: ops.Relation, conditions: Conditions, value: ops.Value) -> ops.Relation:
    """Return one value over a relation's columns, for the rows that meet some conditions."""
    rows = any_of(rel, [conditions])
    moved = {field: ops.Field(rows, field.name) for field in value.find(ops.Field, ops.Value)}
    return ops.Project(rows, {"key_of_rows": replaced(value, moved)})


def member(value: ops.Value, rows: ops.Relation, not_null: NotNull) -> Condition:
    """Return the condition that a value is that of some rows, null being equal to null."""
    among = ops.InSubquery(rel=rows, needle=value)
    if not may_be_null(value, not_null):
        return Condition(among, is_key=True)
    key = ops.Field(rows, "key_of_rows")
    nulls = ops.Filter(rows, (ops.IsNull(key),))
    one = ops.Literal(1, "int8")
    some = ops.InSubquery(rel=ops.Project(nulls, {"one": one}), needle=one)
    return Condition(ops.Or(among, ops.And(ops.IsNull(value), some)), is_key=True, allows_null=True)


def equal_to(value: ops.Value, rows: ops.Relation) -> Condition:
    """Return the condition that a value equals that of some rows; null equals nothing."""
    return Condition(ops.InSubquery(rel=rows, needle=value), is_key=True)
