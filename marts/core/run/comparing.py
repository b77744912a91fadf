"""Compare two tables of a mart on an engine that has both."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

import ibis
import ibis.expr.datatypes as dt
import ibis.expr.types as ir

from marts.core.errors import masked
from marts.core.query import comparison as queries
from marts.core.query.comparison import AFTER, BEFORE, Comparison
from marts.core.run.backend import Backend
from marts.core.run.compared import Change, ColumnDifference, Key, MartDifference

PAIRS = "pairs"
"""The candidate with the pairs of rows that differ."""
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
    if not sides.comparison.key:
        sides = _keyless(sides, backend)
    tables, how = (sides.before, sides.after), sides.comparison
    unique, notes = _unique(sides, backend)
    first, second = (_row(queries.totals(table, how), sides, backend) for table in tables)
    found = queries.pairs(unique.before, unique.after, how)
    try:
        backend.begin(PAIRS, [PAIRS])
        query = backend.compile(found)
        backend.build(PAIRS, query, kind="temporary", comment="", column_comments={})
        pairs = ibis.table(found.schema(), name=PAIRS)
        counts = _row(queries.counts(pairs, how), sides, backend)
        return MartDifference(
            mart=sides.mart,
            grain=how.key,
            rows=(int(first["rows"]), int(second["rows"])),
            added=int(counts["added"]),
            removed=int(counts["removed"]),
            changed=int(counts["changed"]),
            notes=(*sides.notes, *notes),
            columns=tuple(
                _column(sides, pairs, number, int(counts[f"c{number}"]), (first, second), backend)
                for number in range(len(how.columns))
            ),
            only={
                side: _keys(sides, queries.only(pairs, how, side, limit=sides.shown), backend)
                for side, count in ((BEFORE, counts["removed"]), (AFTER, counts["added"]))
                if count
            },
        )
    finally:
        backend.discard()


def _keyless(sides: Sides, backend: Backend) -> Sides:
    """Return sides of which equal rows are paired; if each has one row, these are."""
    tables, how = (sides.before, sides.after), sides.comparison
    if all(_row(queries.totals(table, how), sides, backend)["rows"] == 1 for table in tables):
        return sides
    (before, number), (after, _) = map(queries.numbered, tables)
    types = {**how.types, number: dt.int64}
    comparison = queries.Comparison((*how.types, number), {}, types)
    return replace(sides, comparison=comparison, before=before, after=after)


def _unique(sides: Sides, backend: Backend) -> tuple[Sides, list[str]]:
    """Return sides without the rows whose key repeats on either side, and notes that say so."""
    key, tables = sides.comparison.key, (sides.before, sides.after)
    if not key:
        return sides, []
    found = [_row(queries.repeated(table, key), sides, backend) for table in tables]
    notes = [
        f"{int(row['rows']):,} rows in {side} share their key with another: {int(row['keys']):,}"
        " keys, whose rows are not compared"
        for side, row in zip(queries.SIDES, found, strict=True)
        if row["keys"]
    ]
    if not notes:
        return sides, []
    before, after = (queries.without_repeated(table, key, tables) for table in tables)
    return replace(sides, before=before, after=after), notes


def _row(query: ir.Table, sides: Sides, backend: Backend) -> Mapping[str, Any]:
    (row,) = backend.fetch(query, about=sides.mart)
    return row


def _column(
    sides: Sides,
    pairs: ir.Table,
    number: int,
    changed: int,
    totals: tuple[Mapping[str, Any], Mapping[str, Any]],
    backend: Backend,
) -> ColumnDifference:
    how = sides.comparison
    name, kind = list(how.columns.items())[number]
    is_personal = name in sides.personal
    largest = tuple[Change, ...]()
    if changed:
        query = queries.changes(pairs, how, number, limit=sides.shown)
        largest = tuple(
            Change(
                _key(sides, row),
                masked(row[BEFORE], is_personal=is_personal),
                masked(row[AFTER], is_personal=is_personal),
            )
            for row in backend.fetch(query, about=sides.mart)
        )
    is_summed = queries.is_summed(kind) and not is_personal
    before, after = (row.get(f"s{number}") for row in totals)
    return ColumnDifference(
        name, str(kind), changed, (before, after) if is_summed else None, largest
    )


def _keys(sides: Sides, query: ir.Table, backend: Backend) -> tuple[Key, ...]:
    return tuple(_key(sides, row) for row in backend.fetch(query, about=sides.mart))


def _key(sides: Sides, row: Mapping[str, Any]) -> Key:
    return tuple(
        masked(row[f"key_{number}"], is_personal=name in sides.personal)
        for number, name in enumerate(sides.comparison.key)
    )
