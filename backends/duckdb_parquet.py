"""Parquet files as DuckDB reads them, and what their footers say without reading their rows."""

from __future__ import annotations

import glob
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import sqlglot.expressions as sge

from backends.data_files import DataFile
from backends.duckdb_errors import first_line
from backends.duckdb_formats import Rows
from backends.duckdb_statistics import statistics_of
from backends.duckdb_types import DIALECT, TYPED, Physical, physical
from marts.core.errors import SourceError
from marts.core.plan.state import ColumnStatistics


class ParquetFiles:
    """The Parquet files of one source."""

    rules = TYPED

    def __init__(self, source: str, files: Sequence[DataFile], rows: Rows) -> None:
        self.source = source
        self.files = files
        self._rows = rows

    def columns(self) -> dict[str, list[Physical]]:
        """Return the top-level columns of each file."""
        words = ("name", "type", "converted_type", "logical_type", "precision", "scale")
        rows = self._read(
            "parquet_schema", "file_name", "num_children", *words, "duckdb_type", by="column_id"
        )
        found: dict[str, list[Physical]] = {file.path: [] for file in self.files}
        below = Counter[str]()
        for file, children, name, stored, converted, logical, precision, scale, read in rows:
            if file not in below:
                below[file] = 0  # the root
                continue
            if below[file]:
                below[file] += (children or 0) - 1
                continue
            below[file] = children or 0
            found[file].append(
                physical(
                    name,
                    stored=stored,
                    converted=converted,
                    logical=logical,
                    digits=(precision, scale),
                    read=None if children else read,
                )
            )
        return {file: self._as_read(file, columns) for file, columns in found.items()}

    def _as_read(self, file: str, columns: list[Physical]) -> list[Physical]:
        """Return a file's columns with the names that DuckDB gives those that differ in case."""
        if len({column.name.lower() for column in columns}) == len(columns):
            return columns
        (this,) = (each for each in self.files if each.path == file)
        query = sge.select("*").from_(self.table([this]))
        names = [name for name, *_ in self._rows(f"DESCRIBE {query.sql(DIALECT)}")]
        pairs = zip(columns, names, strict=True)
        return [replace(each, read_as=name if name != each.name else "") for each, name in pairs]

    def layout(self, file: DataFile) -> None:
        """Return nothing: a file says itself how it is read."""

    def table(self, files: Iterable[DataFile], *, path_as: str | None = None) -> sge.Table:
        """Return the call that reads some files; `path_as` is a column for their paths."""
        more = {"filename": path_as} if path_as else {}
        return call_on("read_parquet", files, hive_partitioning=False, **more)

    def why(self, file: DataFile, error: Exception) -> str:  # noqa: ARG002
        """Return why a file cannot be read."""
        return first_line(error)

    def place_of(self, files: Iterable[DataFile], column: Physical, text: str) -> str:  # noqa: ARG002
        """Return nothing: rows of Parquet have no lines."""
        return ""

    def row_counts(self) -> dict[str, int]:
        """Return the number of rows of each file."""
        return dict(self._read("parquet_file_metadata", "file_name", "num_rows"))

    def statistics(self, files: Iterable[DataFile]) -> dict[str, ColumnStatistics]:
        """Return what the footers of some files say of their columns."""
        query = statistics_of(call_on("parquet_metadata", files).sql(DIALECT))
        return {name: ColumnStatistics(*known) for name, *known in self._known(query) or ()}

    def ranges(
        self, files: Iterable[DataFile], columns: Collection[str]
    ) -> list[tuple[Any, ...]] | None:
        """Return, per column chunk: name, least and greatest value, counts of nulls and of values.

        Returns None if DuckDB cannot read the statistics.
        """
        words = ("path_in_schema", "stats_min_value", "stats_max_value")
        counts = ("stats_null_count", "num_values")
        query = sge.select(*words, *counts).from_(call_on("parquet_metadata", files))
        return self._known(query.where(sge.column("path_in_schema").isin(*columns)).sql(DIALECT))

    def _known(self, query: str) -> list[tuple[Any, ...]] | None:
        """Return the rows of a query of statistics, None if DuckDB cannot read them.

        One statistic that is out of its type's range is enough, in any column. That is not an
        error: the column may not be needed, and values can be read instead.
        """
        try:
            return self._rows(query)
        except duckdb.Error:
            return None

    def _read(self, function: str, *columns: str, by: str | None = None) -> list[tuple[Any, ...]]:
        """Read all files' footers; the first column is the file, to see that none is missing."""

        def read(files: Sequence[DataFile]) -> list[tuple[Any, ...]]:
            query = sge.select(*columns).from_(call_on(function, files))
            return self._rows((query.order_by(by) if by else query).sql(DIALECT))

        try:
            rows = read(self.files)
        except duckdb.Error:
            for file in self.files:
                try:
                    read([file])
                except duckdb.Error as error:
                    name = Path(file.path).name
                    raise SourceError(
                        f"source {self.source}: {name} is not a readable Parquet file",
                        first_line(error),
                        file.path,
                    ) from error
            raise
        if {row[0] for row in rows} != {file.path for file in self.files}:
            raise SourceError(f"source {self.source}: its files changed while they were read")
        return rows


def call_on(function: str, files: Iterable[DataFile], **settings: object) -> sge.Table:
    """Return the call of a table function on files; their names are escaped, not patterns."""
    paths = [sge.Literal.string(glob.escape(file.path)) for file in files]
    words = [
        sge.EQ(this=sge.to_identifier(word), expression=sge.convert(value))
        for word, value in settings.items()
    ]
    return sge.Table(this=sge.func(function, sge.Array(expressions=paths), *words, dialect=DIALECT))
