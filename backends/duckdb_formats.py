"""What a format of data is to the reader of sources: Parquet files, CSV files, a table."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from typing import Any, Protocol

import sqlglot.expressions as sge

from backends.data_files import DataFile
from backends.duckdb_types import Physical, Rules
from marts.core.plan.state import ColumnStatistics

Rows = Callable[[str], list[tuple[Any, ...]]]
"""Runs a statement and returns its rows."""


class Format(Protocol):
    """The data of one source, in files of one format; a table is in the file of its database."""

    @property
    def rules(self) -> Rules:
        """How values are read as a contract's types."""

    def columns(self) -> Mapping[str, Sequence[Physical]]:
        """Return the columns of each file."""

    def layout(self, file: DataFile) -> Hashable:
        """Return what files must have in common to be read by one query, besides columns."""

    def row_counts(self) -> Mapping[str, int]:
        """Return the number of rows of each file."""

    def statistics(self, files: Iterable[DataFile]) -> Mapping[str, ColumnStatistics]:
        """Return what is known of columns without reading rows."""

    def ranges(
        self, files: Iterable[DataFile], columns: Collection[str]
    ) -> list[tuple[Any, ...]] | None:
        """Return, per chunk of a column: its name, least and greatest value, nulls, values."""

    def table(self, files: Iterable[DataFile], *, path_as: str | None = None) -> sge.Table:
        """Return what reads some files of one layout; `path_as` is a column for their paths."""

    def why(self, file: DataFile, error: Exception) -> str:
        """Return why a file cannot be read, given DuckDB's error."""

    def place_of(self, files: Iterable[DataFile], column: Physical, text: str) -> str:
        """Return where a value is, in words; empty if that cannot be told."""
