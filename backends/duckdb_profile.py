"""Profile what DuckDB reads: a folder of Parquet and CSV files, or a DuckDB file."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import sqlglot.expressions as sge

from backends import profile_queries as queries
from backends.data_files import CSV_SUFFIXES, SUFFIXES
from backends.duckdb_connection import DuckDBOptions, connect, translated
from backends.duckdb_found import Place, Relation
from backends.duckdb_locations import is_database
from backends.duckdb_moments import cut_digits
from backends.duckdb_types import DIALECT
from marts.core.errors import UsageError
from marts.core.run.profiling import FoundTable, Names, TableFigures


class DuckDBProfiler:
    """Profiles one folder or one database file; all it writes is in memory."""

    def __init__(
        self, path: Path, *, threads: int | None = None, memory_limit: str | None = None
    ) -> None:
        self.where = str(path)
        self.queries = 0
        self._path = path
        self._connection = connect(
            DuckDBOptions(
                database=Path(":memory:"),
                data=path,
                schema="",
                threads=threads,
                memory_limit=memory_limit,
            ),
            read_only=False,
        )
        self._relations: dict[str, Relation] = {}
        self._place = Place(self._all)

    def tables(self) -> Sequence[FoundTable]:
        """Return the tables, by name. Raises UsageError if the path is neither folder nor file."""
        if self._path.is_dir():
            found = self._place.in_folder(self._path)
        elif is_database(self._path):
            found = self._place.in_database(self._path)
        else:
            is_data = self._path.name.lower().endswith(SUFFIXES + CSV_SUFFIXES)
            folder = f"the folder that it is in: {self._path.parent}"
            raise UsageError(
                f"{self._path} is neither a folder nor a DuckDB file",
                hint=f"name {folder if is_data else 'a folder of Parquet or CSV files'}",
            )
        with translated(f"read {self._path}"):
            self._relations = {each.found.name: each for each in found}
        return [self._relations[name].found for name in sorted(self._relations)]

    def figures(self, table: FoundTable) -> TableFigures:
        """Return the figures of a table's columns, from one query."""
        relation = self._relations[table.name]
        columns = [each for each in table.columns if each.type]
        query = queries.figures_query(relation.read, columns, relation.unfit)
        (row,) = self._rows(query, table.name)
        found = queries.figures_of(row, columns)
        cut = {
            column.name: replace(found.columns[column.name], unfit=cut_digits(files, column)[0])
            for column, files in relation.cut
            if column.name in found.columns
        }
        return replace(found, columns={**found.columns, **cut})

    def may_be_unique(
        self, table: FoundTable, combinations: Collection[Names]
    ) -> Collection[Names]:
        """Return the combinations that some rows do not repeat."""
        if not combinations:
            return ()
        query = queries.sample_query(self._relations[table.name].read, combinations)
        (row,) = self._rows(query, table.name)
        return queries.unrepeated(row, combinations)

    def distinct(self, table: FoundTable, columns: Names) -> int:
        """Return how many different combinations of values the columns have."""
        read = self._relations[table.name].read
        return self._number(queries.distinct_query(read, columns), table.name)

    def values(self, table: FoundTable, column: str, *, limit: int) -> Sequence[str]:
        """Return up to `limit` different texts of a column."""
        query = queries.values_query(self._relations[table.name].read, column, limit)
        return [str(value) for (value,) in self._rows(query, table.name)]

    def contained(
        self, table: FoundTable, column: str, other: FoundTable, key: str
    ) -> tuple[int, int]:
        """Return how many rows have a value, and how many of these values are in the key."""
        here, there = self._relations[table.name].read, self._relations[other.name].read
        query = queries.contained_query(here, column, there, key)
        ((rows, found),) = self._rows(query, table.name)
        return int(rows or 0), int(found or 0)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    # Asking

    def _number(self, query: sge.Query, about: str) -> int:
        ((number,),) = self._rows(query, about)
        return int(number)

    def _rows(self, query: sge.Query, about: str) -> list[tuple[Any, ...]]:
        sql = query.sql(DIALECT)
        with translated(f"profile {about}", sql):
            return self._all(sql)

    def _all(self, sql: str) -> list[tuple[Any, ...]]:
        self.queries += 1
        rows: list[tuple[Any, ...]] = self._connection.execute(sql).fetchall()
        return rows
