"""Tables and views of DuckDB files as sources: attached for reading, or in the marts' own file.

While a file is attached, DuckDB lets no other process write it. A table of another file has the
version of its file. The rows of a view may come from anywhere, and a file with marts, of whatever
environment, changes with each run: their version is a digest of their rows.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import duckdb
import sqlglot.expressions as sge

from backends.data_files import DataFile, data_file
from backends.duckdb_ddl import (
    attach_read_only,
    described,
    digest_of_rows,
    relations_of,
    rows_of,
)
from backends.duckdb_errors import first_line
from backends.duckdb_formats import Rows
from backends.duckdb_locations import Relation, written
from backends.duckdb_types import DIALECT, TYPED, Physical, column_of
from backends.source_types import named
from marts.core.errors import EngineError, SourceError, did_you_mean
from marts.core.plan.state import ColumnStatistics, group_of_state

SOURCE = "source "
"""The names under which sources are attached begin with it."""
LOCKED = re.compile(r"held in (.+? \(PID \d+\))")


@dataclass(frozen=True)
class Attached:
    """The DuckDB files that a connection reads, each attached once."""

    rows: Rows

    @cached_property
    def own(self) -> Path | None:
        """The connection's own file, None if it is in memory."""
        ((path,),) = self.rows(
            "SELECT path FROM duckdb_databases() WHERE database_name = current_database()"
        )
        return Path(path) if path else None

    def catalog(self, file: Path) -> str:
        """Return the name under which a file is attached.

        Raises EngineError if another process holds it, SourceError if it cannot be opened.
        """
        real = os.path.realpath(file)
        if self.is_own(file):
            ((name,),) = self.rows("SELECT current_database()")
            return str(name)
        # Connections of one process share what is attached; another file may have the same path.
        name = f"{SOURCE}{real} {data_file(file).inode}"
        there = self.rows("SELECT database_name, path FROM duckdb_databases()")
        for other, path in there:
            if path and os.path.realpath(path) == real and not other.startswith(SOURCE):
                return str(other)
        if not any(other == name for other, _ in there):
            try:
                self.rows(attach_read_only(real, name))
            except duckdb.Error as error:
                raise _not_opened(file, error) from error
        return name

    def is_own(self, file: Path) -> bool:
        """Tell whether a file is the connection's own."""
        return self.own is not None and os.path.realpath(self.own) == os.path.realpath(file)

    def find(self, source: str, relation: Relation) -> Table | None:
        """Return a table or view as the catalog spells it, None if there is none.

        Raises SourceError if it has been named and is absent, or is in another schema.
        """
        catalog = self.catalog(relation.file)
        rows = self.rows(relations_of(catalog))
        there = [row for row in rows if row[0].lower() == relation.schema.lower()]
        found = named(relation.name, [row[1] for row in there], as_spelled=True)
        if found:
            schema, name, is_view, is_collated = there[found[0]]
            table = sge.table_(name, db=schema, catalog=catalog, quoted=True)
            is_shared = any(group_of_state(row[1].lower()) is not None for row in rows)
            return Table(table, is_view=is_view, is_collated=is_collated, is_shared=is_shared)
        elsewhere = [written(s, n) for s, n, *_ in rows if n.lower() == relation.name.lower()]
        if not relation.is_given and not elsewhere:
            return None
        known = [written(*row[:2]) for row in rows]
        near = did_you_mean(f"{relation.schema}.{relation.name}", known)
        location = f'{source} = "{relation.file}:{elsewhere[0]}"' if elsewhere else ""
        raise SourceError(
            f"source {source}: {relation.file} has no {relation.schema}.{relation.name}",
            f"it has: {', '.join(known) or 'nothing'}",
            hint=f"write into [tool.marts.sources]: {location}"
            if location
            else near or "correct its location in [tool.marts.sources]",
        )


def _not_opened(file: Path, error: duckdb.Error) -> EngineError | SourceError:
    message = first_line(error)
    if "Could not set lock" in message:
        holder = LOCKED.search(message)
        return EngineError(
            f"another process has {file} open for writing",
            *([f"held in {holder[1]}"] if holder else [message]),
            hint="close it there, or copy the file, and read the copy",
        )
    return SourceError(f"cannot open {file}", message)


@dataclass(frozen=True)
class Table:
    """A table or view, with its qualified name; `is_shared` says that marts are in its file."""

    name: sge.Table
    is_view: bool
    is_collated: bool
    is_shared: bool = False


def states_of(file: Path) -> tuple[DataFile, ...]:
    """Return a DuckDB file, and its log of what is not in it yet, as they are now."""
    # Resolved, as files of data are: a version must not depend on the current folder.
    real = file.resolve()
    log = Path(f"{real}.wal")
    return (data_file(real), *([data_file(log)] if log.exists() else []))


class DatabaseTable:
    """A table or view that is a source."""

    rules = TYPED

    def __init__(self, source: str, found: Table, file: DataFile, rows: Rows) -> None:
        self.source = source
        self.found = found
        self.file = file
        self._rows = rows

    def columns(self) -> Mapping[str, Sequence[Physical]]:
        """Return the columns, under the path of the file."""
        rows = self._read(described(self.found.name.sql(DIALECT)))
        return {
            self.file.path: [
                column_of(name, kind, is_collated=self.found.is_collated) for name, kind, *_ in rows
            ]
        }

    def layout(self, file: DataFile) -> None:
        """Return nothing: there is one table."""

    def row_counts(self) -> Mapping[str, int]:
        """Return the number of rows."""
        ((count,),) = self._read(rows_of(self.found.name.sql(DIALECT)))
        return {self.file.path: count}

    def digest(self, query: sge.Query) -> str:
        """Return text that changes with any row of a query of this table."""
        return str(self._read(digest_of_rows(f"({query.sql(DIALECT)})")))

    def _read(self, sql: str) -> list[tuple[Any, ...]]:
        try:
            return self._rows(sql)
        except duckdb.Error as error:
            raise SourceError(
                f"source {self.source}: cannot read {self.found.name.name} of {self.file.path}",
                first_line(error),
            ) from error

    def statistics(self, _files: Iterable[DataFile]) -> dict[str, ColumnStatistics]:
        """Return nothing."""
        return {}

    def ranges(self, _files: Iterable[DataFile], _columns: Collection[str]) -> None:
        """Return nothing."""

    def table(self, _files: Iterable[DataFile], *, path_as: str | None = None) -> sge.Table:  # noqa: ARG002
        """Return the table's qualified name."""
        return self.found.name.copy()

    def why(self, _file: DataFile, error: Exception) -> str:
        """Return why the table cannot be read."""
        return first_line(error)

    def place_of(self, _files: Iterable[DataFile], _column: Physical, _text: str) -> str:
        """Return nothing: rows have no place."""
        return ""
