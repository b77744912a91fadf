"""Which checks column statistics prove, and which queries make others faster."""

from __future__ import annotations

from collections.abc import Mapping

import ibis
import ibis.expr.datatypes as dt
import ibis.expr.types as ir

from marts.core.authoring.checks import Check, RowCheck, SpellingCheck, UniqueCheck, WholeCheck
from marts.core.authoring.columns import Column, type_of
from marts.core.authoring.tables import Mart, Source
from marts.core.plan.state import ColumnStatistics

MANY_ROWS = 1_000_000
"""The number of rows from which sorting hashes finds repeated values faster than grouping."""

ROWS_TO_HALVE = 4_000_000
"""The number of rows from which a second core gains more than a longer query costs."""

DIGITS = 15
"""The number of digits of a decimal that a float represents exactly."""


def is_proven(check: Check, table: Source | Mart, columns: Mapping[str, ColumnStatistics]) -> bool:
    """Tell whether the statistics of a column prove a check that the column implies."""
    return isinstance(check, RowCheck) and any(
        check.name in _proven(column, columns[column.name])
        for column in table.columns
        if column.name in columns
    )


def _proven(column: Column, known: ColumnStatistics) -> set[str]:
    """Return the names of the checks that a column implies and its statistics prove."""
    name, low, high = column.name, column.at_least, column.at_most
    found = set()
    if not column.null and known.nulls == 0:
        found.add(f"{name}_not_null")
    if _is_exact_as_float(type_of(column.type)):
        if low is not None and known.low is not None and known.low >= low:
            found.add(f"{name}_at_least_{low}")
        if high is not None and known.high is not None and known.high <= high:
            found.add(f"{name}_at_most_{high}")
    return found


def _is_exact_as_float(kind: dt.DataType) -> bool:
    # Statistics of floats may leave NaN out.
    if isinstance(kind, dt.Decimal):
        return (kind.precision or DIGITS + 1) <= DIGITS
    return bool(kind.is_integer())


def deciding_column(
    check: Check, source: Source, rows: int | None, columns: Mapping[str, ColumnStatistics]
) -> str | None:
    """Return the text column whose distinct values decide a check faster than its rows, if any."""
    if (rows or 0) < MANY_ROWS:
        return None
    if isinstance(check, SpellingCheck | WholeCheck):
        return check.column if check.column in columns else None
    accepted = {f"{c.name}_accepted_values": c.name for c in source.columns if c.values}
    name = accepted.get(check.name)
    return name if name in columns else None


def middle_of(kind: dt.DataType, rows: int | None, known: ColumnStatistics) -> ir.Scalar | None:
    """Return a guess of a value that half of a column's rows do not exceed; none may be null."""
    if known.middle is None or known.nulls != 0 or (rows or 0) < ROWS_TO_HALVE:
        return None
    if kind.is_string():
        return ibis.literal(known.middle)
    if kind.is_integer() and known.middle.removeprefix("-").isdecimal():
        number = int(known.middle)
        return ibis.literal(number, kind) if number in kind.bounds else None
    return None


def is_sorted(check: Check, rows: int | None, columns: Mapping[str, ColumnStatistics]) -> bool:
    """Tell whether sorting makes a uniqueness check faster: on an engine that reads files."""
    return (
        isinstance(check, UniqueCheck)
        and check.where is None
        and len(check.columns) == 1
        and check.columns[0] in columns
        and (rows or 0) >= MANY_ROWS
    )
