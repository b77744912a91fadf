"""Functional dependencies: columns that determine a value, or are determined by one."""

from __future__ import annotations

from collections.abc import Iterator

import ibis.expr.operations as ops

from marts.core.analysis.casts import is_injective
from marts.core.analysis.lineage import resolved_operation

Key = frozenset[str]
"""Columns that together identify a row, by name."""


def injective_column(value: ops.Value) -> ops.Field | None:
    """Return the column of which a value is an injective function; None for any other value."""
    match value:
        case ops.Field():
            return value
        case ops.Alias():
            return injective_column(value.arg)
        case ops.Cast(arg=arg, to=to) if is_injective(arg.dtype, to):
            return injective_column(arg)
        case _:
            return None


def determinants(value: ops.Value) -> Key | None:
    """Return the columns that determine a value; None if rows with equal columns may differ."""
    if value.find(ops.Impure, filter=ops.Value):
        return None
    if isinstance(value, ops.WindowFunction):
        is_ordered = value.order_by or value.start is not None or value.end is not None
        if is_ordered or not isinstance(value.func, ops.Reduction):
            return None
        return _partition_of(value)
    if value.find(ops.WindowFunction, filter=ops.Value):
        return None
    return frozenset(field.name for field in value.find(ops.Field, filter=ops.Value))


def functional_dependencies(predicate: ops.Value) -> Iterator[tuple[str, Key]]:
    """Yield each column that a condition makes depend on other columns, with these columns."""
    match predicate:
        case ops.Field() | ops.Not(arg=ops.Field()):
            field = predicate if isinstance(predicate, ops.Field) else predicate.arg
            yield field.name, frozenset()
        case ops.InValues(value=ops.Field() as field, options=(_,)):
            yield field.name, frozenset()
        case ops.Equals() | ops.IdenticalTo():
            sides = (predicate.left, predicate.right)
            for one, other in (sides, sides[::-1]):
                column, by = injective_column(one), determinants(other)
                if column is not None and by is not None:
                    yield column.name, by
        case (
            ops.Less(left=ops.Field() as field, right=ops.Literal(value=1))
            | ops.LessEqual(left=ops.Field() as field, right=ops.Literal(value=0))
        ) if isinstance(resolved_operation(field), ops.RowNumber):
            yield field.name, frozenset()


def row_number_partition(value: ops.Value) -> Key | None:
    """Return the partition of a row number; None for any other value.

    Rows with the same values in these columns have different numbers.
    """
    match value:
        case (
            ops.Add(left=number, right=ops.Literal())
            | ops.Subtract(left=number, right=ops.Literal())
        ):
            return row_number_partition(number)
        case ops.Cast(arg=number, to=to) if to.is_integer():
            return row_number_partition(number)
        case ops.WindowFunction(func=ops.RowNumber()):
            return _partition_of(value)
        case _:
            return None


def single_row_partition(predicate: ops.Value) -> Key | None:
    """Return the columns for which a condition on a row number keeps one row per value."""
    match predicate:
        case (
            ops.Equals(left=number, right=ops.Literal())
            | ops.Equals(left=ops.Literal(), right=number)
        ):
            return row_number_partition(number)
        case (
            ops.Less(left=number, right=ops.Literal(value=1))
            | ops.LessEqual(left=number, right=ops.Literal(value=0))
        ) if isinstance(resolved_operation(number), ops.RowNumber):
            return row_number_partition(number)
        case _:
            return None


def _partition_of(window: ops.WindowFunction) -> Key | None:
    fields = [injective_column(each) for each in window.group_by]
    return None if None in fields else frozenset(field.name for field in fields if field)
