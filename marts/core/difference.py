"""The difference of two tables of one shape, as a query: the rows that are not as expected."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import reduce
from operator import add, or_

import ibis
import ibis.expr.types as ir

DIFFERS_IN = "differs_in"
"""The column that says what differs: columns with both values, or which side lacks the row."""

RELATIVE, ABSOLUTE = 1e-9, 1e-12
"""How far floats may be apart: engines and threads add them up in different orders."""


def difference(
    left: ir.Table,
    right: ir.Table,
    grain: Iterable[str],
    *,
    expected: Mapping[str, int | None] | None = None,
) -> ir.Table:
    """Return the rows, paired by grain, in which `right` is not what `left` makes expect.

    One row for each: the grain's key, and `differs_in`. `expected` has the factor of columns that
    must be a multiple of the left side's, None for those that may be anything; others must be
    equal, nulls to nulls. A key that repeats pairs with each of its namesakes.
    """
    keys = tuple(grain)
    factors = {name: (expected or {}).get(name, 1) for name in left.columns if name not in keys}
    theirs = right.rename({_other(name): name for name in right.columns})
    pairs = left.outer_join(theirs, [left[key].identical_to(theirs[_other(key)]) for key in keys])
    only_left, only_right = (pairs[_other(keys[0])].isnull(), pairs[keys[0]].isnull())
    differs = {
        name: _differs(pairs[name], pairs[_other(name)], factor)
        for name, factor in factors.items()
        if factor is not None
    }
    both = reduce(or_, differs.values(), ibis.literal(value=False))
    said = ibis.cases(
        (only_left, "no such row"),
        (only_right, "a new row"),
        else_=reduce(
            add,
            [
                ibis.ifelse(differ, _said(name, pairs[name], pairs[_other(name)]), "")
                for name, differ in differs.items()
            ],
            ibis.literal(""),
        ),
    )
    names = {key: ibis.coalesce(pairs[key], pairs[_other(key)]) for key in keys}
    return pairs.filter(only_left | only_right | both).select(**names, **{DIFFERS_IN: said})


def _other(name: str) -> str:
    return f"{name}__right"


def _differs(left: ir.Value, right: ir.Value, factor: int) -> ir.BooleanValue:
    if factor != 1:
        left = left * factor
    same_null = left.isnull() & right.isnull()
    if not left.type().is_floating():
        return ~left.identical_to(right)
    near = (left - right).abs() <= ibis.greatest(left.abs(), right.abs()) * RELATIVE + ABSOLUTE
    return ~(same_null | near.fill_null(False))


def _said(name: str, left: ir.Value, right: ir.Value) -> ir.StringValue:
    before, after = (value.cast("string").fill_null("null") for value in (left, right))
    return ibis.literal(f"{name} ") + before + " → " + after + "; "
