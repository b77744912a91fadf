"""Compare two tables of the same grain: the rows in which they differ, as an Ibis query."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce
from operator import add, or_

import ibis
import ibis.expr.datatypes as dt
import ibis.expr.types as ir

from marts.core.query.checks import free_name

DIFFERS_IN = "differs_in"

RELATIVE, ABSOLUTE = 1e-9, 1e-12
LARGEST = 1e290
"""The size from which the tolerance of floats no longer grows: infinity equals only itself."""


def difference(
    left: ir.Table,
    right: ir.Table,
    grain: Sequence[str],
    *,
    expected: Mapping[str, int | None] | None = None,
) -> ir.Table:
    """Return the rows in which two tables differ: the grain's key, and `differs_in` in words.

    Rows are matched by key, and null matches null; a key that repeats on a side differs. Without a
    grain all rows are sorted, and the n-th rows of both sides are matched. Floats differ if they
    are more than 1e-9 of the larger and more than 1e-12 apart; other values differ unless they are
    identical, as null is to null. `expected` maps columns to the multiple of the left's value that
    the right must have, instead of 1; None allows any value. Raises ValueError if the tables do not
    have the same columns, or `expected` is not possible.
    """
    if not grain and set(left.columns) == set(right.columns):
        grain = [free_name("row", left.columns)]
        left, right = (_numbered(table, left.columns, *grain) for table in (left, right))
    factors = {name: 1 for name in left.columns if name not in grain} | dict(expected or {})
    _refuse(left, right, grain, factors)
    both = _joined(left, right, grain)
    differing = {
        name: ~is_same(_times(both[f"left_{name}"], factor), both[f"right_{name}"])
        for name, factor in factors.items()
        if factor is not None
    }
    missing = [
        (both.rows_left.isnull(), "missing on the left"),
        (both.rows_right.isnull(), "missing on the right"),
        (both.rows_left > 1, "several rows on the left"),
        (both.rows_right > 1, "several rows on the right"),
    ]
    details = [
        ibis.ifelse(differs, _words(both, name, factors[name]), "")
        for name, differs in differing.items()
    ]
    says = ibis.cases(*missing, else_=reduce(add, details, ibis.literal("")).substr(2))
    offending = reduce(or_, [*(bad.fill_null(False) for bad, _ in missing), *differing.values()])
    keys = {name: both[f"left_{name}"].fill_null(both[f"right_{name}"]) for name in grain}
    found = both.filter(offending).select(**keys, **{free_name(DIFFERS_IN, grain): says})
    return found.distinct()


def _numbered(table: ir.Table, columns: Sequence[str], number: str) -> ir.Table:
    return table.mutate({number: ibis.row_number().over(ibis.window(order_by=list(columns)))})


def _refuse(
    left: ir.Table, right: ir.Table, grain: Sequence[str], factors: Mapping[str, int | None]
) -> None:
    if set(left.columns) != set(right.columns):
        raise ValueError(f"columns of the left: {left.columns}; of the right: {right.columns}")
    if unknown := [name for name in (*grain, *factors) if name not in left.columns]:
        raise ValueError(f"no such columns: {unknown}; there are {left.columns}")
    for name, factor in factors.items():
        if name in grain:
            raise ValueError(f"{name} is in the grain, by which rows are matched")
        if factor not in (1, None) and not left[name].type().is_numeric():
            raise ValueError(f"{name} is {left[name].type()}, which has no multiples")


def _joined(left: ir.Table, right: ir.Table, grain: Sequence[str]) -> ir.Table:
    """Join both sides by key; `rows_left` and `rows_right` count the rows of the key."""
    sides = []
    for side, table in (("left", left), ("right", right)):
        rows = table.count().over(ibis.window(group_by=list(grain)))
        columns = {f"{side}_{name}": table[name] for name in left.columns}
        sides.append(table.select(**columns, **{f"rows_{side}": rows}))
    first, second = sides
    keys = [first[f"left_{name}"].identical_to(second[f"right_{name}"]) for name in grain]
    return first.outer_join(second, keys)


def _times(value: ir.Value, factor: int) -> ir.Value:
    if factor == 1:
        return value
    kind = value.type()
    # Widen first: the product of narrow decimals would overflow in some engines.
    return (value.cast(dt.Decimal(38, kind.scale)) if kind.is_decimal() else value) * factor


def is_same(left: ir.Value, right: ir.Value) -> ir.BooleanValue:
    """Tell whether two values are the same; never null."""
    same = left.identical_to(right)
    if not (left.type().is_floating() or right.type().is_floating()):
        return same
    # Engines disagree on the greatest of a null, so nulls are filled; the sides differ anyway.
    larger = ibis.least(ibis.greatest(left.abs().fill_null(0), right.abs().fill_null(0)), LARGEST)
    tolerance = ibis.greatest(larger * RELATIVE, ABSOLUTE)
    return same | ((left - right).abs() <= tolerance).fill_null(False)


def _words(both: ir.Table, name: str, factor: int | None) -> ir.StringValue:
    left, right = (
        both[f"{side}_{name}"].cast("string").fill_null("null") for side in ("left", "right")
    )
    words = ibis.literal(f"; {name}: ") + left + " → " + right
    return words if factor == 1 else words + f", which is not {factor} times as much"
