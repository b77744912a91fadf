"""Compare two tables of one mart: counts, sums and the largest changes, as Ibis queries."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import or_

import ibis
import ibis.expr.datatypes as dt
import ibis.expr.operations as ops
import ibis.expr.types as ir

from marts.core.query.checks import free_name
from marts.core.query.difference import is_same

BEFORE, AFTER = SIDES = "before", "after"
WIDEST = 38
"""The most digits of a decimal."""
EXACT_DIGITS = 28
"""The most digits of values of which ten billion have an exact sum."""


@dataclass(frozen=True)
class Comparison:
    """Which columns of two tables are compared, as values of which type, and how rows are paired.

    Without a key, equal rows are paired, and so are the rows of tables of one row.
    """

    key: tuple[str, ...]
    columns: Mapping[str, dt.DataType]
    """The columns besides the key, and the types of all in which they are compared."""
    types: Mapping[str, dt.DataType]

    def table(self, side: str) -> ir.Table:
        """Return one of the tables."""
        return ibis.table(ibis.schema(dict(self.types)), name=side)


def repeated(table: ir.Table, key: Sequence[str]) -> ir.Table:
    """Return how many keys a table has several times, and how many rows these are: one row."""
    count = free_name("count", table.columns)
    several = _repeated_keys(table, key, count)
    return several.aggregate(keys=several.count(), rows=_total(several[count]))


def _repeated_keys(table: ir.Table, key: Sequence[str], count: str) -> ir.Table:
    found = table.group_by(list(key)).aggregate(**{count: table.count()})
    return found.filter(found[count] > 1)


def without_repeated(table: ir.Table, key: Sequence[str], among: Iterable[ir.Table]) -> ir.Table:
    """Return the rows of a table whose keys no table has several times."""
    for other in among:
        keys = _repeated_keys(other, key, free_name("count", other.columns))
        keys = keys.select(**{f"repeated_{name}": keys[name] for name in key})
        same = [table[name].identical_to(keys[f"repeated_{name}"]) for name in key]
        table = table.anti_join(keys, same)
    return table


def joined(before: ir.Table, after: ir.Table, key: Sequence[str]) -> ir.Table:
    """Pair the rows of two tables by key: columns `before_…`, `after_…`, `in_before`, `in_after`.

    Null is paired with null. Without a key, each row is paired with each.
    """
    sides = [
        table.select(
            **{f"{side}_{name}": table[name] for name in table.columns},
            **{f"in_{side}": ibis.literal(True)},
        )
        for side, table in zip(SIDES, (before, after), strict=True)
    ]
    first, second = sides
    same = [first[f"{BEFORE}_{name}"].identical_to(second[f"{AFTER}_{name}"]) for name in key]
    return first.outer_join(second, same or [first.in_before == second.in_after])


def pairs(before: ir.Table, after: ir.Table, comparison: Comparison) -> ir.Table:
    """Return the pairs of rows that differ, and the rows without a partner.

    The n-th column has `before_{n}`, `after_{n}` and, for whether they differ, `differs_{n}`; the
    n-th of the key has `key_{n}`. `in_before` and `in_after` are null for a side without the row.
    """
    both = joined(before, after, comparison.key)
    in_both = both.in_before.notnull() & both.in_after.notnull()
    differ = {
        f"differs_{number}": in_both & ~is_same(both[f"{BEFORE}_{name}"], both[f"{AFTER}_{name}"])
        for number, name in enumerate(comparison.columns)
    }
    found = both.filter(reduce(or_, differ.values(), ~in_both))
    return found.select(
        **{
            f"key_{number}": ibis.coalesce(found[f"{AFTER}_{name}"], found[f"{BEFORE}_{name}"])
            for number, name in enumerate(comparison.key)
        },
        **{
            f"{side}_{number}": found[f"{side}_{name}"]
            for number, name in enumerate(comparison.columns)
            for side in SIDES
        },
        in_before=found.in_before,
        in_after=found.in_after,
        **differ,
    )


def counts(found: ir.Table, comparison: Comparison) -> ir.Table:
    """Return in one row how many pairs differ, and how many in the n-th column: `c{n}`."""
    in_both = found.in_before.notnull() & found.in_after.notnull()
    return found.aggregate(
        added=_count(found.in_before.isnull()),
        removed=_count(found.in_after.isnull()),
        changed=_count(in_both),
        **{f"c{number}": _count(found[f"differs_{number}"]) for number in _numbers(comparison)},
    )


def totals(table: ir.Table, comparison: Comparison) -> ir.Table:
    """Return in one row how many rows a table has, and the sum of each n-th column: `s{n}`."""
    sums = {
        f"s{number}": _sum(table[name], kind)
        for number, (name, kind) in enumerate(comparison.columns.items())
        if is_summed(kind)
    }
    return table.aggregate(rows=table.count(), **sums)


def changes(found: ir.Table, comparison: Comparison, number: int, *, limit: int) -> ir.Table:
    """Return the pairs with the largest changes of the n-th column: the key, `before`, `after`.

    A number that appears or disappears is a larger change than any other. What has no size is
    ordered by key.
    """
    kind = list(comparison.columns.values())[number]
    rows = found.filter(found[f"differs_{number}"])
    sides = [rows[f"{side}_{number}"] for side in SIDES]
    order: list[ir.Value] = [rows[name].asc() for name in _keys(comparison)]
    if is_summed(kind):
        before, after = (cast(value, dt.float64) for value in sides)
        size = (after - before).abs()
        order = [size.isnull().desc(), size.desc(), *order]
    shown = {name: rows[name] for name in _keys(comparison)}
    rows = rows.order_by(order)
    return rows.select(*shown, before=sides[0], after=sides[1]).limit(limit)


def only(found: ir.Table, comparison: Comparison, side: str, *, limit: int) -> ir.Table:
    """Return keys of rows that only one side has, the least first."""
    rows = found.filter(found[f"in_{AFTER if side == BEFORE else BEFORE}"].isnull())
    names = _keys(comparison)
    return rows.order_by(names).select(*names).limit(limit)


def numbered(table: ir.Table) -> tuple[ir.Table, str]:
    """Return a table in which equal rows are numbered, and the name of that column.

    With it, all columns are a key.
    """
    number = free_name("number", table.columns)
    window = ibis.window(group_by=list(table.columns), order_by=list(table.columns))
    return table.mutate(**{number: ibis.row_number().over(window)}), number


def is_summed(kind: dt.DataType) -> bool:
    """Tell whether the values of a column are summed: they are numbers."""
    return bool(kind.is_numeric() and not kind.is_boolean())


def _keys(comparison: Comparison) -> list[str]:
    return [f"key_{number}" for number in range(len(comparison.key))]


def _numbers(comparison: Comparison) -> range:
    return range(len(comparison.columns))


def _count(condition: ir.BooleanValue) -> ir.IntegerValue:
    return ibis.ifelse(condition, 1, ibis.null("int64")).count()


def _sum(values: ir.Value, kind: dt.DataType) -> ir.Value:
    """Return the sum of numbers: exact, unless they are floats or have too many digits."""
    if kind.is_floating() or (kind.is_decimal() and (kind.precision or WIDEST) > EXACT_DIGITS):
        return cast(cast(values, dt.float64).sum(), dt.float64)
    return cast(values.sum(), dt.Decimal(WIDEST, kind.scale if kind.is_decimal() else 0))


def _total(values: ir.Value) -> ir.Value:
    return cast(values.sum(), dt.int64)


def cast(value: ir.Value, kind: dt.DataType) -> ir.Value:
    """Cast a value, whatever type Ibis infers for it."""
    # An explicit operation: .cast() compiles to nothing if Ibis infers the type already.
    return ops.Cast(value, kind).to_expr()
