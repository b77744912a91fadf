"""Compare two tables of a mart on an engine that has both."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from typing import Any, TypeAlias

import ibis
import ibis.expr.datatypes as dt
import ibis.expr.types as ir

from marts.core.errors import masked
from marts.core.query import comparison as queries
from marts.core.query.alignment import NOT_COMPARED
from marts.core.query.comparison import AFTER, BEFORE, Comparison
from marts.core.run.backend import Backend
from marts.core.run.compared import Change, ColumnDifference, Key, MartDifference

Fetch: TypeAlias = Callable[[ir.Table], list[dict[str, Any]]]
"""Runs a query and returns its rows."""

PAIRS = "pairs"
"""The candidate with the pairs of rows that differ."""
LARGEST_SHARE = 10**300
SHOWN = 5
"""How many of the largest changes of a column, and of the rows of one side, are shown."""


@dataclass(frozen=True)
class Sides:
    """The two tables of a mart, and how they are compared; `notes` are differences known before.

    No value of the columns `personal` is reported.
    """

    mart: str
    comparison: Comparison
    before: ir.Table
    after: ir.Table
    personal: Collection[str] = ()
    notes: tuple[str, ...] = ()
    shown: int = SHOWN


def compared(sides: Sides, backend: Backend) -> MartDifference:
    """Return the differences of two tables; rows whose key repeats are counted, not compared.

    The pairs that differ are a candidate of the backend, which is dropped at the end.
    """
    fetch = partial(backend.fetch, about=sides.mart)
    sides = sides if sides.comparison.key else _keyless(sides, fetch)
    how, (unique, notes) = sides.comparison, _unique(sides, fetch)
    found = queries.pairs(unique.before, unique.after, how)
    try:
        backend.begin(PAIRS, [PAIRS])
        query = backend.compile(found)
        backend.build(PAIRS, query, kind="temporary", comment="", column_comments={})
        pairs = ibis.table(found.schema(), name=PAIRS)
        return _counted(replace(sides, notes=(*sides.notes, *notes)), pairs, fetch)
    finally:
        backend.discard()


def reviewed(sides: Sides, fetch: Fetch) -> MartDifference:
    """Return the same, without the largest changes and keys, where nothing can be built."""
    sides = sides if sides.comparison.key else _keyless(sides, fetch)
    unique, notes = _unique(sides, fetch)
    pairs = queries.pairs(unique.before, unique.after, sides.comparison)
    return _counted(replace(sides, notes=(*sides.notes, *notes), shown=0), pairs, fetch)


def _counted(sides: Sides, pairs: ir.Table, fetch: Fetch) -> MartDifference:
    how = sides.comparison
    first, second = (_row(queries.totals(t, how), fetch) for t in (sides.before, sides.after))
    counts = _row(queries.counts(pairs, how), fetch)
    only = {}
    for side, count in ((BEFORE, counts["removed"]), (AFTER, counts["added"])):
        if count and sides.shown:
            keys = fetch(queries.only(pairs, how, side, limit=sides.shown))
            only[side] = tuple(_key(sides, row) for row in keys)
    return MartDifference(
        mart=sides.mart,
        grain=how.key,
        rows=(int(first["rows"]), int(second["rows"])),
        added=int(counts["added"]),
        removed=int(counts["removed"]),
        changed=int(counts["changed"]),
        notes=sides.notes,
        columns=tuple(
            _column(sides, pairs, number, int(counts[f"c{number}"]), (first, second), fetch)
            for number in range(len(how.columns))
        ),
        only=only,
    )


def _keyless(sides: Sides, fetch: Fetch) -> Sides:
    """Return sides of which equal rows are paired; if each has one row, these are."""
    tables, how = (sides.before, sides.after), sides.comparison
    if all(_row(queries.totals(table, how), fetch)["rows"] == 1 for table in tables):
        return sides
    (before, number), (after, _) = map(queries.numbered, tables)
    types = {**how.types, number: dt.int64}
    comparison = queries.Comparison((*how.types, number), {}, types)
    return replace(sides, comparison=comparison, before=before, after=after)


def _unique(sides: Sides, fetch: Fetch) -> tuple[Sides, list[str]]:
    """Return sides without the rows whose key repeats on either side, and notes that say so."""
    key, tables = sides.comparison.key, (sides.before, sides.after)
    if not key:
        return sides, []
    found = [_row(queries.repeated(table, key), fetch) for table in tables]
    notes = [
        f"{int(row['rows']):,} rows in {side} share their key with another: {int(row['keys']):,}"
        f" keys, whose rows are {NOT_COMPARED}"
        for side, row in zip(queries.SIDES, found, strict=True)
        if row["keys"]
    ]
    if not notes:
        return sides, []
    before, after = (queries.without_repeated(table, key, tables) for table in tables)
    return replace(sides, before=before, after=after), notes


def _row(query: ir.Table, fetch: Fetch) -> Mapping[str, Any]:
    (row,) = fetch(query)
    return row


def _column(
    sides: Sides,
    pairs: ir.Table,
    number: int,
    changed: int,
    totals: tuple[Mapping[str, Any], Mapping[str, Any]],
    fetch: Fetch,
) -> ColumnDifference:
    how = sides.comparison
    name, kind = list(how.columns.items())[number]
    is_personal = name in sides.personal
    largest = tuple[Change, ...]()
    if changed and sides.shown:
        query = queries.changes(pairs, how, number, limit=sides.shown)
        largest = tuple(
            Change(
                _key(sides, row),
                masked(row[BEFORE], is_personal=is_personal),
                masked(row[AFTER], is_personal=is_personal),
            )
            for row in fetch(query)
        )
    is_summed = queries.is_summed(kind) and not is_personal
    before, after = (row.get(f"s{number}") for row in totals)
    return ColumnDifference(
        name,
        str(kind),
        changed,
        (before, after) if is_summed else None,
        largest,
        share_of(before, after) if queries.is_summed(kind) else None,
    )


def share_of(before: Any, after: Any) -> float:
    """Return by which share of a number it changes; infinity from zero, or to no number."""
    left, right = before or 0, after or 0
    if left == right or (math.isnan(left) and math.isnan(right)):
        return 0.0
    if not left or not (math.isfinite(left) and math.isfinite(right)):
        return math.inf
    # Exact, so that a change by just the share that is allowed is not more than it.
    share = abs(Fraction(right) - Fraction(left)) / abs(Fraction(left))
    return float(share) if share < LARGEST_SHARE else math.inf


def _key(sides: Sides, row: Mapping[str, Any]) -> Key:
    return tuple(
        masked(row[f"key_{number}"], is_personal=name in sides.personal)
        for number, name in enumerate(sides.comparison.key)
    )
