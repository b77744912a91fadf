"""Mutations of values: conditions, functions, arithmetic, cases and literals."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise
from typing import Any

import ibis.expr.datatypes as dt
import ibis.expr.operations as ops

from marts.core.analysis.formatting import DELTAS
from marts.core.proof.operators import (
    Mutation,
    Operator,
    literals_of,
    moved,
    slots_of,
    without_each,
)
from marts.core.query.difference import ABSOLUTE

SHIFTED: Mapping[type[ops.Comparison], type[ops.Comparison]] = {
    ops.Greater: ops.GreaterEqual,
    ops.GreaterEqual: ops.Greater,
    ops.Less: ops.LessEqual,
    ops.LessEqual: ops.Less,
}


NEGATED: Mapping[type[ops.Comparison], type[ops.Comparison]] = {
    ops.Equals: ops.NotEquals,
    ops.NotEquals: ops.Equals,
    ops.Greater: ops.LessEqual,
    ops.GreaterEqual: ops.Less,
    ops.Less: ops.GreaterEqual,
    ops.LessEqual: ops.Greater,
}


COMPARED: Mapping[type[ops.Comparison], Callable[[float, float], bool]] = {
    ops.Equals: operator.eq,
    ops.NotEquals: operator.ne,
    ops.Greater: operator.gt,
    ops.GreaterEqual: operator.ge,
    ops.Less: operator.lt,
    ops.LessEqual: operator.le,
}


def _bound_shifted(op: ops.Comparison) -> Iterator[Mutation]:
    kind = SHIFTED.get(type(op))
    if kind and not _is_stepped(op):
        yield Mutation(kind(op.left, op.right))


def _is_stepped(op: ops.Comparison) -> bool:
    """Tell whether changing the literal has the same effect: `days < 31` is `days <= 30`."""
    sides = (op.left, op.right)
    whole = (
        all(side.dtype.is_integer() for side in sides),
        all(side.dtype.is_date() for side in sides),
    )
    return any(whole) and any(isinstance(side, ops.Literal) for side in sides)


def _end_excluded(op: ops.Between) -> Iterator[Mutation]:
    low, high = ops.GreaterEqual(op.arg, op.lower_bound), ops.LessEqual(op.arg, op.upper_bound)
    yield Mutation(ops.And(ops.Greater(low.left, low.right), high))
    yield Mutation(ops.And(low, ops.Less(high.left, high.right)))


def _negated(op: ops.Comparison | ops.Not) -> Iterator[Mutation]:
    if isinstance(op, ops.Not):
        yield Mutation(op.arg)
    # A negated join condition is an unlikely mistake, and gives more rows than an engine can hold.
    elif (kind := NEGATED.get(type(op))) and len(op.relations) <= 1:
        yield Mutation(kind(op.left, op.right))


def _null_test_exchanged(op: ops.IsNull | ops.NotNull) -> Iterator[Mutation]:
    yield Mutation((ops.NotNull if isinstance(op, ops.IsNull) else ops.IsNull)(op.arg))


def _and_or_exchanged(op: ops.And | ops.Or) -> Iterator[Mutation]:
    yield Mutation((ops.Or if isinstance(op, ops.And) else ops.And)(op.left, op.right))


def _operand_dropped(op: ops.And | ops.Or) -> Iterator[Mutation]:
    yield Mutation(op.left)
    yield Mutation(op.right)


def _where_dropped(op: ops.Reduction) -> Iterator[Mutation]:
    if getattr(op, "where", None) is not None:
        yield Mutation(op.copy(where=None))


def _option_dropped(op: ops.InValues) -> Iterator[Mutation]:
    for _, rest in without_each(op.options) if len(op.options) > 1 else ():
        yield Mutation(op.copy(options=rest))


EXCHANGED: Mapping[type[ops.Value], tuple[type[ops.Value], ...]] = {
    ops.Sum: (ops.Max, ops.Mean),
    ops.Mean: (ops.Median, ops.Max),
    ops.Median: (ops.Mean,),
    ops.Min: (ops.Max,),
    ops.Max: (ops.Min,),
    ops.Count: (ops.CountDistinct,),
    ops.CountDistinct: (ops.Count,),
    ops.Any: (ops.All,),
    ops.All: (ops.Any,),
    ops.First: (ops.Last,),
    ops.Last: (ops.First,),
    ops.Greatest: (ops.Least,),
    ops.Least: (ops.Greatest,),
    ops.Lag: (ops.Lead,),
    ops.Lead: (ops.Lag,),
}


def _exchanged(op: ops.Value) -> Iterator[Mutation]:
    for kind in EXCHANGED.get(type(op), ()):
        # Only the mean of floats can be compiled.
        if kind is not ops.Mean or op.arg.dtype.is_floating():
            yield Mutation(kind(**dict(zip(op.__argnames__, op.__args__, strict=True))))


def _population_exchanged(op: ops.StandardDev | ops.Variance) -> Iterator[Mutation]:
    yield Mutation(op.copy(how="pop" if op.how == "sample" else "sample"))


def _operands_exchanged(op: Any) -> Iterator[Mutation]:
    yield Mutation(op.copy(left=op.right, right=op.left))


def _ratio_exchanged(op: ops.Divide) -> Iterator[Mutation]:
    left, right = op.left, op.right
    if isinstance(right, ops.NullIf):
        # An author who exchanges the two would still guard the denominator.
        left, right = right.copy(arg=left), right.arg
    yield Mutation(op.copy(left=right, right=left))


def _plus_to_minus(op: ops.Add) -> Iterator[Mutation]:
    yield Mutation(ops.Subtract(op.left, op.right))


def _branch_dropped(op: ops.SearchedCase | ops.SimpleCase) -> Iterator[Mutation]:
    for number, (case, result) in enumerate(zip(op.cases, op.results, strict=True)):
        cases = op.cases[:number] + op.cases[number + 1 :]
        results = op.results[:number] + op.results[number + 1 :]
        kept = op.copy(cases=cases, results=results) if cases else op.default
        yield Mutation(kept, (result, " if ", case), ("no such branch",), case)


def _condition_never_met(op: ops.IfElse) -> Iterator[Mutation]:
    before = (op.true_expr, " if ", op.bool_expr)
    yield Mutation(op.false_null_expr, before, ("no such branch",))


def _branches_exchanged(op: ops.SearchedCase) -> Iterator[Mutation]:
    """Yield the case with neighbouring branches exchanged, if both conditions can hold at once."""
    branches = list(zip(op.cases, op.results, strict=True))
    for n, (first, second) in enumerate(pairwise(branches)):
        if _exclude_each_other(first[0], second[0]):
            continue
        cases, results = zip(*branches[:n], second, first, *branches[n + 2 :], strict=True)
        yield Mutation(
            op.copy(cases=cases, results=results),
            (first[0], " before ", second[0]),
            (second[0], " before ", first[0]),
            second[0],
        )


def _exclude_each_other(first: ops.Value, second: ops.Value) -> bool:
    """Tell whether two conditions clearly exclude each other: `x > 0` and `x < 0`, `x is null`."""
    for test, other in ((first, second), (second, first)):
        if isinstance(test, ops.IsNull) and isinstance(other, ops.Comparison):
            return bool(test.arg == other.left)
    if not (_is_bound(first) and _is_bound(second) and first.left == second.left):
        return False
    low, high = sorted(float(each.right.value) for each in (first, second))
    samples = (low - 1, low, (low + high) / 2, high, high + 1)
    return not any(_holds(first, value) and _holds(second, value) for value in samples)


def _is_bound(op: ops.Value) -> bool:
    is_literal = type(op) in COMPARED and isinstance(op.right, ops.Literal)
    return is_literal and op.right.dtype.is_numeric() and op.right.value is not None


def _holds(bound: ops.Comparison, value: float) -> bool:
    return COMPARED[type(bound)](value, float(bound.right.value))


def _fallback_removed(op: ops.Coalesce) -> Iterator[Mutation]:
    for each, rest in without_each(op.arg):
        if each != op.arg[0]:
            yield Mutation(op.copy(arg=rest) if len(rest) > 1 else rest[0])


def _nullif_removed(op: ops.NullIf) -> Iterator[Mutation]:
    yield Mutation(op.arg)


def _cast_dropped(op: ops.Node) -> Iterator[Mutation]:
    """Yield the operation without each cast that changes values or the operation's type."""
    for slot in slots_of(op):
        cast = slot.value
        if not isinstance(cast, ops.Cast | ops.Date) or isinstance(cast.arg, ops.Literal):
            continue
        if _makes_exact(cast):
            continue
        for mutation in slot.with_operand(cast.arg):
            computes = isinstance(op, ops.Binary | ops.Reduction)
            if _narrows(cast) or (computes and mutation.op.dtype != op.dtype):
                yield mutation


def _makes_exact(cast: ops.Cast | ops.Date) -> bool:
    """Tell whether a cast makes a decimal of a float that is rounded to as many digits or fewer.

    The number is the same, but for what no float can tell.
    """
    rounded = cast.arg
    digits = rounded.digits if isinstance(rounded, ops.Round) else None
    return (
        rounded.dtype.is_floating()
        and isinstance(digits, ops.Literal)
        and digits.value <= (getattr(cast.dtype, "scale", None) or 0)
    )


def _narrows(cast: ops.Cast | ops.Date) -> bool:
    """Tell whether a cast may change a value: the day of a timestamp, the number in a text."""
    found, to = cast.arg.dtype, cast.dtype
    if found.is_numeric() and to.is_numeric():
        return _digits(to) < _digits(found)
    return not (found.is_date() and to.is_timestamp())


def _digits(kind: dt.DataType) -> float:
    """Return how many digits a numeric type has after the decimal point."""
    return float("inf") if kind.is_floating() else getattr(kind, "scale", 0) or 0


UNITS: Mapping[str, str] = {
    "second": "minute",
    "minute": "hour",
    "hour": "day",
    "day": "month",
    "week": "month",
    "month": "quarter",
    "quarter": "month",
    "year": "month",
}


def _delta_unit_changed(op: Any) -> Iterator[Mutation]:
    if other := UNITS.get(getattr(op.part, "value", "")):
        yield Mutation(op.copy(part=other))


def _truncate_unit_changed(op: ops.DateTruncate | ops.TimestampTruncate) -> Iterator[Mutation]:
    if other := UNITS.get(op.unit.name.lower()):
        yield Mutation(op.copy(unit=type(op.unit)[other.upper()]))


BOUNDS = (ops.Comparison, ops.Between)


def _literal_moved(op: ops.Node) -> Iterator[Mutation]:
    """Yield the operation with each number and date changed by a step; bounds in both directions.

    For any other value, one direction reveals a mistake as well as the other.
    """
    steps = (1, -1) if isinstance(op, BOUNDS) else (1,)
    for slot, literal in literals_of(op) if not _lists_values(op) else ():
        if slot.argument == "digits" and 10.0**-literal.value < ABSOLUTE:
            # No comparison sees so small a difference.
            continue
        for other in dict.fromkeys(moved(literal, step) for step in steps):
            yield from slot.with_operand(other) if other else ()
    if isinstance(op, ops.Limit) and isinstance(op.n, int):
        yield Mutation(op.copy(n=op.n + 1), (f"limit {op.n}",), (f"limit {op.n + 1}",))


def _label_changed(op: ops.Node) -> Iterator[Mutation]:
    for slot, literal in literals_of(op) if not _lists_values(op) else ():
        if literal.dtype.is_string() and slot.argument != "part":
            yield from slot.with_operand(literal.copy(value=f"{literal.value}?"))


def _lists_values(op: ops.Node) -> bool:
    """Tell whether other operators cover the literals, as options or as values that become null."""
    return isinstance(op, ops.NullIf) or (isinstance(op, ops.InValues) and len(op.options) > 1)


VALUE_OPERATORS = (
    Operator("comparison", (ops.Comparison,), _bound_shifted),
    Operator("comparison", (ops.Between,), _end_excluded),
    Operator("negation", (ops.Comparison, ops.Not), _negated),
    Operator("null test", (ops.IsNull, ops.NotNull), _null_test_exchanged),
    Operator("and for or", (ops.And, ops.Or), _and_or_exchanged),
    Operator("condition dropped", (ops.And, ops.Or), _operand_dropped),
    Operator("condition dropped", (ops.Reduction,), _where_dropped),
    Operator("value dropped", (ops.InValues,), _option_dropped),
    Operator("function", tuple(EXCHANGED), _exchanged),
    Operator("function", (ops.StandardDev, ops.Variance), _population_exchanged),
    Operator("operands exchanged", (ops.Subtract, *DELTAS), _operands_exchanged),
    Operator("operands exchanged", (ops.Divide,), _ratio_exchanged),
    Operator("minus for plus", (ops.Add,), _plus_to_minus),
    Operator("branch dropped", (ops.SearchedCase, ops.SimpleCase), _branch_dropped),
    Operator("branch dropped", (ops.IfElse,), _condition_never_met),
    Operator("branches exchanged", (ops.SearchedCase,), _branches_exchanged),
    Operator("fallback removed", (ops.Coalesce,), _fallback_removed),
    Operator("null guard removed", (ops.NullIf,), _nullif_removed),
    Operator("cast dropped", (ops.Node,), _cast_dropped),
    Operator("unit", DELTAS, _delta_unit_changed),
    Operator("unit", (ops.DateTruncate, ops.TimestampTruncate), _truncate_unit_changed),
    Operator("literal", (ops.Node,), _literal_moved),
    Operator("label", (ops.Node,), _label_changed),
)
