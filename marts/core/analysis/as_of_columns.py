"""Which columns of marts are the as-of date, or a day or an age that is counted from it."""

from __future__ import annotations

import datetime
from collections.abc import Collection, Mapping

import ibis.expr.operations as ops

from marts.core.analysis.column_lineage import ANY_DAY
from marts.core.analysis.lineage import Name, resolved
from marts.core.authoring.expressions import FixedAsOf
from marts.core.project.graph import Graph
from marts.core.query.definition import defining_query, logical_tables
from marts.core.query.nulls import declared_not_null

ANOTHER_DAY = ANY_DAY + datetime.timedelta(days=400)
CALCULATIONS = (
    *(ops.Alias, ops.Cast, ops.Coalesce, ops.Greatest, ops.Least, ops.Max, ops.Min),
    *(ops.DateAdd, ops.DateSub, ops.DateDiff, ops.DateDelta, ops.DateTruncate, ops.Strftime),
    *(ops.TimestampAdd, ops.TimestampSub, ops.TimestampDiff, ops.TimestampDelta),
    *(ops.TimestampTruncate, ops.ExtractTemporalField, ops.Add, ops.Subtract),
)
"""What makes a day, or an age, of a day. A condition on the date makes another kind of value."""
MIXTURES = (ops.Add, ops.Subtract, ops.Coalesce, ops.Greatest, ops.Least)
"""With other numbers among their operands, they make a measure, which responds to the data."""


def as_of_columns(graph: Graph) -> Mapping[str, frozenset[str]]:
    """Return the columns of each mart that change with every as-of date, whatever the data are.

    They are the date itself, and days, ages and months that are counted from it, also where another
    mart copies them. A sum of a time window that ends at the date is not one of them, nor is the
    sum of an age and another number.
    """
    project = graph.project
    tables, not_null = logical_tables(project), declared_not_null(project)
    known = set[Name]()
    found = dict[str, frozenset[str]]()
    for name in graph.order:
        mart = project.marts[name]
        one, other = (
            defining_query(mart, tables, FixedAsOf(day), not_null=not_null).op()
            for day in (ANY_DAY, ANOTHER_DAY)
        )
        found[name] = frozenset(
            column.name
            for column in mart.columns
            if _is_counted(ops.Field(one, column.name), ops.Field(other, column.name), known)
        )
        known |= {(name, column) for column in found[name]}
    return found


def _is_counted(one: object, other: object, known: set[Name]) -> bool:
    """Tell whether a value is counted from the date; the other is the same for another date."""
    if not (isinstance(one, ops.Value) and isinstance(other, ops.Value)):
        return False
    one, other = resolved(one), resolved(other)
    if isinstance(one, ops.Literal) and isinstance(other, ops.Literal):
        return bool(one.value != other.value)
    if isinstance(one, ops.Field):
        table = one.rel
        return isinstance(table, ops.UnboundTable) and (table.name, one.name) in known
    if not isinstance(one, CALCULATIONS) or type(one) is not type(other):
        return False
    if isinstance(one, MIXTURES) and any(_is_measured(each, known) for each in _operands(one)):
        return False
    return any(
        _is_counted(each, its, known)
        for each, its in zip(_operands(one), _operands(other), strict=True)
    )


def _is_measured(value: ops.Value, known: Collection[Name]) -> bool:
    """Tell whether a value is a number that is not counted from dates alone.

    Which of two numbers it is may depend on a condition.
    """
    value = resolved(value)
    if value.dtype.is_boolean():
        return False
    if isinstance(value, ops.Field):
        table = value.rel
        is_known = isinstance(table, ops.UnboundTable) and (table.name, value.name) in known
        return bool(value.dtype.is_numeric()) and not is_known
    if isinstance(value, ops.Count | ops.CountStar | ops.CountDistinct):
        return True
    return any(_is_measured(each, known) for each in _operands(value))


def _operands(value: ops.Value) -> list[ops.Value]:
    return [each for each in value.__children__ if isinstance(each, ops.Value)]
