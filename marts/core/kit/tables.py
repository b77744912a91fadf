"""Worlds from what a test gives: Arrow tables, DataFrames, or rows as dictionaries, by source."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from operator import methodcaller
from typing import Any, TypeAlias

import pyarrow as pa

from marts.core.authoring.columns import Column
from marts.core.authoring.tables import Source
from marts.core.errors import MartsError, UsageError, did_you_mean
from marts.core.proof.cells import UnfitError, converter_of
from marts.core.proof.comparison import AnyTable
from marts.core.proof.completion import Given, completed
from marts.core.proof.worlds import World
from marts.core.query.contract import schema_of

Row: TypeAlias = Mapping[str, Any]
Rows: TypeAlias = "AnyTable | Sequence[Row]"
"""The rows of a source, as a test gives them."""
Day: TypeAlias = "datetime.date | str"

ORIGIN = "given by a test"
GIVEN = {
    "string": "a text, a Python str",
    "int64": "a whole number",
    "float64": "a number",
    "decimal": "a Decimal that the type holds exactly, such as Decimal('0.10'), or a whole number",
    "boolean": "True or False",
    "date": "a datetime.date",
    "timestamp": "a datetime.datetime without a zone",
}
"""What a test gives for a type."""
# A test's author wants to see the test's own line.
__tracebackhide__ = methodcaller("errisinstance", MartsError)


def world_of(sources: Mapping[str, Source], given: Mapping[str, Rows], as_of: Day) -> World:
    """Return a world with what is given, in the types of the contracts, without any rounding.

    Columns and sources that are not given are made up, as those of an example are. Columns that no
    contract has are left out, if all others are there. Raises UsageError for an unknown source or
    column, for a value that is not one of its column's type, and for null where a column has none.
    """
    _refuse_unknown(given, sources, "source", "the sources are")
    day = day_of(as_of)
    tables = {name: _read(sources[name], rows) for name, rows in given.items()}
    if all(name in tables or source.optional for name, source in sources.items()) and all(
        table.num_columns == len(sources[name].columns) for name, table in tables.items()
    ):
        return World(tables, day, ORIGIN)
    partial = {
        name: Given(tuple(table.column_names), tuple(table.to_pylist()))
        for name, table in tables.items()
    }
    return World(completed(sources, partial, day).tables, day, ORIGIN)


def _refuse_unknown(
    names: Mapping[str, Any], known: Mapping[str, Any], what: str, all_: str
) -> None:
    for name in names:
        if name not in known:
            raise UsageError(
                f"{name} is not a {what}",
                hint=did_you_mean(name, known) or f"{all_}: {', '.join(known)}",
            )


def day_of(as_of: Day) -> datetime.date:
    """Return a date, which may be written as text; raise UsageError if it is not one."""
    if isinstance(as_of, str):
        try:
            return datetime.date.fromisoformat(as_of)
        except ValueError as error:
            raise UsageError(
                f"as_of is {as_of!r}", hint='write a date like this: as_of="2024-06-30"'
            ) from error
    return as_of.date() if isinstance(as_of, datetime.datetime) else as_of


def _read(source: Source, rows: Rows) -> pa.Table:
    """Return rows of a source with those columns of its contract that they have, in its types."""
    columns = _columns(rows)
    schema = schema_of(source.columns).to_pyarrow()
    if missing := [name for name in schema.names if name not in columns]:
        others = dict.fromkeys(name for name in columns if name not in schema.names)
        what = f"column of {source.name}"
        _refuse_unknown(others, dict.fromkeys(missing), what, "it has")
    return pa.table(
        {
            column.name: _converted(source, column, columns[column.name], kind)
            for column, kind in zip(source.columns, schema.types, strict=True)
            if column.name in columns
        }
    )


def _columns(rows: Rows) -> Mapping[str, Any]:
    """Return the cells of each column; those of an Arrow table as they are."""
    if isinstance(rows, pa.Table):
        return dict(zip(rows.column_names, rows.columns, strict=True))
    if isinstance(rows, Sequence):
        return _columns_of(rows)
    from marts.core.proof.references import is_null

    return {
        str(name): [None if is_null(cell) else _plain(cell) for cell in rows[name].tolist()]
        for name in rows.columns
    }


def _columns_of(rows: Sequence[Row]) -> Mapping[str, Any]:
    names = dict.fromkeys(name for row in rows for name in row)
    for number, row in enumerate(rows, 1):
        if missing := [name for name in names if name not in row]:
            raise UsageError(
                f"row {number} has no {', '.join(missing)}, which another row has",
                hint="give all rows of a source the same columns",
            )
    return {name: [row[name] for row in rows] for name in names}


def _plain(cell: Any) -> Any:
    """Return a cell without NumPy's types."""
    return cell.item() if type(cell).__module__ == "numpy" else cell


def _converted(source: Source, column: Column, cells: Any, kind: pa.DataType) -> Any:
    """Return the cells of a column in its contract's type."""
    if isinstance(cells, pa.ChunkedArray):
        if cells.type == kind and (column.null or not cells.null_count):
            return cells
        cells = cells.to_pylist()
    convert, found = converter_of(kind), []
    for number, cell in enumerate(cells, 1):
        if cell is None and not column.null:
            raise UsageError(
                f"{source.name}.{column.name} is null in row {number}",
                f"its contract has no null: {source.location}",
                hint="give a value, or leave the column out of all rows",
            )
        try:
            found.append(None if cell is None else convert(cell))
        except UnfitError:
            raise UsageError(
                f"{source.name}.{column.name} is {cell!r} in row {number},"
                f" which is not a value of {column.type}",
                hint=f"give {GIVEN[column.type.partition('(')[0]]}",
            ) from None
    return pa.array(found, kind)
