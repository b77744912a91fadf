"""CSV files as DuckDB reads them: all columns as texts, by their position."""

from __future__ import annotations

import glob
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

import duckdb
import sqlglot.expressions as sge

from backends.csv_files import Layout, first_flaw, layout_of, line_of, rows_of
from backends.data_files import DataFile
from backends.duckdb_csv_types import RULES, column_of
from backends.duckdb_errors import first_line
from backends.duckdb_formats import Rows
from backends.duckdb_types import DIALECT, Physical
from backends.source_types import is_name
from marts.core.errors import SourceError
from marts.core.plan.state import ColumnStatistics


class CsvFiles:
    """The CSV files of one source."""

    rules = RULES

    def __init__(
        self, source: str, files: Sequence[DataFile], rows: Rows, *, wanted: Collection[str]
    ) -> None:
        self.source = source
        self.files = files
        self._rows = rows
        self._wanted = wanted
        self._layouts = {file.path: layout_of(file.path, wanted) for file in files}

    def columns(self) -> dict[str, list[Physical]]:
        """Return the columns of each file's header."""
        return {
            path: [column_of(name, _name(n)) for n, name in enumerate(layout.names)]
            for path, layout in self._layouts.items()
        }

    def layout(self, file: DataFile) -> Layout:
        """Return a file's delimiter and header."""
        return self._layouts[file.path]

    def row_counts(self) -> Mapping[str, int]:
        """Return the number of rows of each file, after a look at the structure of each row.

        Raises SourceError for a row with more or fewer fields than the header. Two parsers read
        the files: where they do not find the same rows, neither is believed.
        """
        counts = {file.path: self._rows_of(file) for file in self.files}
        for file in self.files:
            query = sge.select(sge.Count(this=sge.Star())).from_(self.table([file]))
            try:
                ((found,),) = self._rows(query.sql(DIALECT))
            except duckdb.Error as error:
                raise self._unreadable(file, self.why(file, error)) from error
            if found != counts[file.path]:
                reason = f"{counts[file.path]:,} rows, or {found:,}: that is ambiguous"
                raise self._unreadable(file, reason)
        return counts

    def _rows_of(self, file: DataFile) -> int:
        layout = self.layout(file)
        wanted = (
            number
            for number, name in enumerate(layout.names)
            if any(is_name(each, name) for each in self._wanted)
        )
        try:
            return rows_of(file.path, layout, wanted)
        except SourceError as error:
            raise self._unreadable(file, *error.facts) from error

    def _unreadable(self, file: DataFile, reason: str) -> SourceError:
        name = Path(file.path).name
        hint = "correct the file, or export it again: blank lines, quotes and line ends matter"
        return SourceError(
            f"source {self.source}: {name} cannot be read", reason, file.path, hint=hint
        )

    def statistics(self, _files: Iterable[DataFile]) -> dict[str, ColumnStatistics]:
        """Return nothing: a CSV file has no statistics."""
        return {}

    def ranges(self, _files: Iterable[DataFile], _columns: Collection[str]) -> None:
        """Return nothing."""

    def table(self, files: Iterable[DataFile], *, path_as: str | None = None) -> sge.Table:
        """Return the call that reads files of one layout; `path_as` is a column for their paths."""
        files = list(files)
        layout = self.layout(files[0])
        columns = {_name(number): "VARCHAR" for number in range(len(layout.names))}
        more = {"filename": path_as} if path_as else {}
        words = {
            "columns": _struct(columns),
            **dict.fromkeys(("auto_detect", "allow_quoted_nulls", "null_padding"), False),
            **dict.fromkeys(("header", "strict_mode"), True),
            "hive_partitioning": False,
            "delim": layout.delimiter,
            **dict.fromkeys(("quote", "escape"), '"'),
            "nullstr": "",
            # Else it may take a carriage return in a header's quotes for the end of the line.
            **({"new_line": r"\n"} if layout.ends_in_lf else {}),
            **more,
        }
        paths = [sge.Literal.string(glob.escape(file.path)) for file in files]
        settings = [
            sge.EQ(this=sge.to_identifier(word), expression=sge.convert(value))
            for word, value in words.items()
        ]
        call = sge.Anonymous(this="READ_CSV", expressions=[sge.Array(expressions=paths), *settings])
        return sge.Table(this=call)

    def why(self, file: DataFile, error: Exception) -> str:
        """Return why a file cannot be read, with the line if it is found."""
        return first_flaw(file.path, self.layout(file)) or first_line(error)

    def place_of(self, files: Iterable[DataFile], column: Physical, text: str) -> str:
        """Return the file and the line of the first row that has a text in a column."""
        for file in files:
            names = [_name(number) for number in range(len(self.layout(file).names))]
            position = names.index(column.read_as)
            if line := line_of(file.path, self.layout(file), position, text):
                return f" on line {line} of {file.path}"
        return ""


def _name(number: int) -> str:
    return f"c{number}"


def _struct(types: Mapping[str, str]) -> sge.Struct:
    return sge.Struct(
        expressions=[
            sge.PropertyEQ(this=sge.to_identifier(name, quoted=True), expression=sge.convert(kind))
            for name, kind in types.items()
        ]
    )
