"""The thresholds of a project: the constants that its marts compare values with.

Comparisons are read from the marts' queries over the sources, so that an operand is traced to the
expression that computes it, whichever mart it is in.
"""

from __future__ import annotations

import datetime
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from math import floor, isfinite
from typing import Any, TypeAlias

import ibis.expr.operations as ops

from marts.core.analysis.lineage import Name, definitions, resolved_operation
from marts.core.analysis.nodes import alternatives
from marts.core.analysis.relation_lineage import Lineage
from marts.core.authoring.expressions import FixedAsOf
from marts.core.project.graph import Graph
from marts.core.query.definition import inlined, logical_tables


@dataclass(frozen=True, kw_only=True)
class Thresholds:
    """The thresholds of a project by what is compared with them, sorted and without duplicates.

    `days` and `months` count back from as_of. `counts` bound numbers of rows; `numbers` bound
    amounts, their sums, averages and deviations; `shares` bound quotients of these. Constant
    factors are undone: sum / 3 >= 5000 gives 15000, and 25 % gives 0.25. For each source column,
    `texts` has groups of strings, one for each comparison, and `values` has numbers.
    """

    days: tuple[int, ...] = ()
    months: tuple[int, ...] = ()
    counts: tuple[int, ...] = ()
    numbers: tuple[Decimal, ...] = ()
    shares: tuple[Decimal, ...] = ()
    texts: Mapping[str, tuple[tuple[str, ...], ...]] = field(default_factory=dict)
    values: Mapping[str, tuple[Decimal, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Threshold:
    """A constant that a value is compared with, by its kind, and what the value is computed from.

    `kind` is the name of a field of `Thresholds`. `column` is that of a source if its values are
    compared as they are. `sources` are the columns of sources of which the value is made, `keys`
    those by which the rows are grouped that it sums up.
    """

    kind: str
    column: str
    at: Any
    sources: frozenset[Name] = frozenset()
    keys: frozenset[Name] = frozenset()


def around(thresholds: Iterable[int]) -> tuple[int, ...]:
    """Return whole numbers and their neighbours, sorted and without duplicates."""
    return tuple(sorted({each + step for each in thresholds for step in (-1, 0, 1)}))


def cents_around(amounts: Iterable[Decimal]) -> tuple[int, ...]:
    """Return amounts in cents, and those one cent lower and higher, sorted; none is negative.

    A fraction of a cent is rounded down.
    """
    return tuple(cents for cents in around(floor(each * 100) for each in amounts) if cents >= 0)


def thresholds_of(graph: Graph, as_of: datetime.date) -> Thresholds:
    """Collect the constants that the marts of a project compare values with, as of a day.

    Comparisons of two columns, of a flag, of computed text, with a label that a mart makes itself,
    and of differences in units other than days and months have no threshold.
    """
    found: dict[tuple[str, str], set[Any]] = defaultdict(set)
    for each in measured_thresholds(queries_over_sources(graph, as_of).values(), as_of):
        found[each.kind, each.column].add(each.at)
    return _thresholds(found)


def queries_over_sources(graph: Graph, as_of: datetime.date) -> dict[str, ops.Relation]:
    """Return the query of each mart over the sources alone, in the order of the marts."""
    declared = logical_tables(graph.project)
    sources = {name: declared[name] for name in graph.project.sources}
    queries = inlined(graph, sources, FixedAsOf(as_of))
    return {name: queries[name].op() for name in graph.order}


def measured_thresholds(
    queries: Iterable[ops.Relation], as_of: datetime.date
) -> frozenset[Threshold]:
    """Collect the constants that queries over sources compare values with, as of a day."""
    lineage = Lineage()
    return frozenset(
        Threshold(
            kind,
            column,
            at,
            lineage.made_of(measure),
            frozenset(name for key in _group_keys(value) for name in lineage.made_of(key)),
        )
        for op in {op for query in queries for op in query.find(ops.Value)}
        for value, constant in comparisons(op)
        for measure, threshold in _measures(value, constant)
        for kind, column, at in _thresholds_at(measure, threshold, as_of)
    )


def _group_keys(value: ops.Value) -> Iterator[ops.Value]:
    """Yield the values by which the rows are grouped that a value sums up, also in windows."""
    met, waiting = set[ops.Value](), [value]
    while waiting:
        op = waiting.pop()
        if op in met:
            continue
        met.add(op)
        for window in op.find(ops.WindowFunction, filter=ops.Value):
            yield from window.group_by
        for each in op.find(ops.Field, filter=ops.Value):
            if isinstance(each.rel, ops.Aggregate) and each.name in each.rel.metrics:
                yield from each.rel.groups.values()
            waiting += definitions(each)


def _thresholds(found: Mapping[tuple[str, str], set[Any]]) -> Thresholds:
    def by_column(kind: str) -> dict[str, tuple[Any, ...]]:
        return {name: tuple(sorted(at)) for (its, name), at in sorted(found.items()) if its == kind}

    whole = ("days", "months", "counts", "numbers", "shares")
    return Thresholds(
        **{kind: by_column(kind).get("", ()) for kind in whole},
        texts=by_column("texts"),
        values=by_column("values"),
    )


Constant: TypeAlias = Fraction | datetime.date | tuple[str, ...]


def _constant(op: ops.Node) -> Constant | None:
    """Return the value of a constant expression; None for null, flags and other expressions."""
    while isinstance(op, ops.Cast):
        op = op.arg
    match op.value if isinstance(op, ops.Literal) else None:
        case None | bool():
            return None
        case str() as text:
            return (text,)
        case datetime.datetime() as moment:
            return moment.date()
        case datetime.date() as day:
            return day
        case int() | float() | Decimal() as number if isfinite(number):
            return Fraction(str(number))
        case _:
            return None


def comparisons(op: ops.Value) -> Iterator[tuple[ops.Value, Constant]]:
    """Yield the values that an operation compares with constants, each with its constant."""
    match op:
        case ops.Comparison():
            pairs = [(op.left, op.right), (op.right, op.left)]
        case ops.Between():
            pairs = [(op.arg, op.lower_bound), (op.arg, op.upper_bound)]
        case ops.NullIf():
            pairs = [(op.arg, op.null_if_expr)]
        case ops.SimpleCase():
            pairs = [(op.base, case) for case in op.cases]
        case ops.InValues():
            pairs = [(op.value, option) for option in op.options]
        case _:
            pairs = []
    found = [
        (value, constant) for value, each in pairs if (constant := _constant(each)) is not None
    ]
    texts = [text for _, constant in found if isinstance(constant, tuple) for text in constant]
    yield from [(op.value, tuple(texts))] if isinstance(op, ops.InValues) and texts else found


def _measures(op: ops.Value, threshold: Constant) -> Iterator[tuple[ops.Value, Constant]]:
    """Yield the measured values: without casts, defaults, cases and constant factors."""
    op = resolved_operation(op)
    match op:
        case ops.Literal():
            return
        case ops.Cast():
            yield from _measures(op.arg, threshold)
        case ops.Add() | ops.Subtract() | ops.Multiply() | ops.Divide():
            yield from _undone(op, threshold)
        case _ if found := alternatives(op):
            for each in found:
                yield from _measures(each, threshold)
        case _:
            yield op, threshold


UNDONE = {
    ops.Add: Fraction.__sub__,
    ops.Subtract: Fraction.__add__,
    ops.Multiply: Fraction.__truediv__,
    ops.Divide: Fraction.__mul__,
}


def _undone(op: ops.Binary, threshold: Constant) -> Iterator[tuple[ops.Value, Constant]]:
    """Yield the operand that is combined with a constant, or else the operation itself."""
    commutes = isinstance(op, ops.Add | ops.Multiply)
    for operand, other in [(op.left, op.right), (op.right, op.left)][: 1 + commutes]:
        constant = _constant(other)
        if isinstance(constant, Fraction) and isinstance(threshold, Fraction) and constant != 0:
            yield from _measures(operand, UNDONE[type(op)](threshold, constant))
            return
    yield op, threshold


def _thresholds_at(
    measure: ops.Value, threshold: Constant, as_of: datetime.date
) -> Iterator[tuple[str, str, object]]:
    """Yield the kind of a threshold, its column (if it is a source's), and the threshold."""
    match measure, threshold:
        case ops.Field(), tuple():
            yield "texts", measure.name, threshold
        case _, tuple():
            pass
        case _, datetime.date():
            yield "days", "", (as_of - threshold).days
        case ((ops.DateDelta() | ops.TimestampDelta()), Fraction()):
            yield from _spans(measure, threshold, as_of)
        case ops.Field(), Fraction():
            yield "values", measure.name, _decimal(threshold)
        case ops.Divide(), Fraction() if not _is_whole(measure.right):
            yield "shares", "", _decimal(threshold)
        case _, Fraction() if _is_whole(measure):
            yield "counts", "", floor(threshold)
        case _:
            yield "numbers", "", _decimal(threshold)


# The units of differences: the kind of their thresholds, and the number of a day in the unit.
UNITS: Mapping[str, tuple[str, Callable[[datetime.date], int]]] = {
    "day": ("days", datetime.date.toordinal),
    "month": ("months", lambda day: day.year * 12 + day.month),
}


def _spans(
    delta: ops.TemporalDelta, threshold: Fraction, as_of: datetime.date
) -> Iterator[tuple[str, str, int]]:
    """Yield how long before as_of a difference of dates reaches its threshold, in its unit."""
    if (unit := getattr(delta.part, "value", "")) not in UNITS:
        return
    kind, number_of = UNITS[unit]
    left, right = _constant(delta.left), _constant(delta.right)
    if isinstance(left, datetime.date):
        yield kind, "", number_of(as_of) - number_of(left) + floor(threshold)
    elif isinstance(right, datetime.date):
        yield kind, "", number_of(as_of) - number_of(right) - floor(threshold)
    else:
        yield kind, "", floor(threshold)


def _is_whole(op: ops.Value) -> bool:
    """Tell whether a value is a count, whatever it was cast to."""
    return any(measure.dtype.is_integer() for measure, _ in _measures(op, Fraction(1)))


def _decimal(number: Fraction) -> Decimal:
    return Decimal(number.numerator) / Decimal(number.denominator)
