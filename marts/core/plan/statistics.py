"""What an engine knows of a column without looking at its rows, and which checks that proves."""

from __future__ import annotations

from collections.abc import Mapping

import ibis.expr.datatypes as dt

from marts.core.authoring.checks import Check, RowCheck, SpellingCheck, UniqueCheck, WholeCheck
from marts.core.authoring.columns import Column, type_of
from marts.core.authoring.tables import Mart, Source
from marts.core.plan.state import ColumnStatistics

MANY_ROWS = 1_000_000
"""From so many rows, an engine finds what repeats faster by sorting hashes than among values."""

DIGITS = 15
"""So many digits of a decimal a float tells apart."""


def is_proven(check: Check, table: Source | Mart, columns: Mapping[str, ColumnStatistics]) -> bool:
    """Tell whether a check that a column implies holds by what is known of the column."""
    return isinstance(check, RowCheck) and any(
        check.name in _proven(column, columns[column.name])
        for column in table.columns
        if column.name in columns
    )


def _proven(column: Column, known: ColumnStatistics) -> set[str]:
    """Return the names of the checks that a column implies and that hold."""
    name, low, high = column.name, column.at_least, column.at_most
    found = set()
    if not column.null and known.nulls == 0:
        found.add(f"{name}_not_null")
    if _is_told_apart(type_of(column.type)):
        if low is not None and known.low is not None and known.low >= low:
            found.add(f"{name}_at_least_{low}")
        if high is not None and known.high is not None and known.high <= high:
            found.add(f"{name}_at_most_{high}")
    return found


def _is_told_apart(kind: dt.DataType) -> bool:
    # Floats may hide NaN from statistics.
    if isinstance(kind, dt.Decimal):
        return (kind.precision or DIGITS + 1) <= DIGITS
    return bool(kind.is_integer())


def decided_by(
    check: Check, source: Source, rows: int | None, columns: Mapping[str, ColumnStatistics]
) -> str | None:
    """Return the text column whose different values are quicker to check than all its rows."""
    if (rows or 0) < MANY_ROWS:
        return None
    if isinstance(check, SpellingCheck | WholeCheck):
        return check.column if check.column in columns else None
    accepted = {f"{c.name}_accepted_values": c.name for c in source.columns if c.values}
    name = accepted.get(check.name)
    return name if name in columns else None


def is_sorted_out(check: Check, rows: int | None, columns: Mapping[str, ColumnStatistics]) -> bool:
    """Tell whether a uniqueness is proven faster by sorting: on an engine beside its files."""
    return (
        isinstance(check, UniqueCheck)
        and check.where is None
        and len(check.columns) == 1
        and check.columns[0] in columns
        and (rows or 0) >= MANY_ROWS
    )
