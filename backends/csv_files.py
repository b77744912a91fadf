"""CSV files: their header, whether all rows have its fields, and on which line a row is.

This is RFC 4180 in UTF-8: fields may be in double quotes, and then have delimiters, line breaks and
doubled quotes. Nothing is skipped but blank lines and a byte-order mark.
"""

from __future__ import annotations

import csv
import gzip
import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from backends.source_types import is_name
from marts.core.errors import SourceError

DELIMITERS = (",", ";", "\t", "|")
BLOCK = 1 << 24
"""No row may have more bytes."""


@dataclass(frozen=True)
class Layout:
    """How the files of one header are read: the delimiter, and the names of all columns.

    `ends_in_lf` says that the header's line ends in a line feed alone.
    """

    delimiter: str
    names: tuple[str, ...]
    ends_in_lf: bool = True


def layout_of(file: str, wanted: Collection[str]) -> Layout:
    """Return the layout of a file, by its header.

    The delimiter is the one that finds most of the wanted names, then the one that finds most
    columns. Raises SourceError for a file without a header, and for one that is not UTF-8.
    """
    try:
        found = [*filter(None, (_layout(file, each) for each in DELIMITERS))]
    except (UnicodeDecodeError, EOFError, OSError) as error:
        raise _unreadable(file, _reason(error)) from error
    if not found:
        raise _unreadable(file, "it has no header: its first line must name the columns")
    return max(found, key=lambda layout: (_matching(layout, wanted), len(layout.names)))


def _layout(file: str, delimiter: str) -> Layout | None:
    """Return the layout of a file with a delimiter; None if it has no such header."""
    with _opened(file) as binary:
        try:
            lines = _Lines(binary)
            names = next(csv.reader(lines, delimiter=delimiter, strict=True), [])
        except csv.Error:
            return None
    ends_in_lf = lines.last.endswith("\n") and not lines.last.endswith("\r\n")
    return Layout(delimiter, tuple(names), ends_in_lf) if any(names) else None


def _matching(layout: Layout, wanted: Collection[str]) -> int:
    return sum(any(is_name(name, each) for each in layout.names) for name in wanted)


def rows_of(file: str, layout: Layout, wanted: Iterable[int]) -> int:
    """Return the number of rows, all of which have as many fields as the header.

    Raises SourceError, with the line, for the first row that has not, and for a text that is not
    UTF-8 in one of the wanted columns. DuckDB would accept a row that ends in one delimiter too
    many, and so read a text with a bare delimiter as two fields.
    """
    import pyarrow as pa
    import pyarrow.csv as reader

    columns = {f"f{number}": pa.string() for number in wanted} or {"f0": pa.binary()}
    try:
        batches = reader.open_csv(
            pa.input_stream(file, compression=_compression(file)),
            reader.ReadOptions(use_threads=False, block_size=BLOCK, autogenerate_column_names=True),
            reader.ParseOptions(delimiter=layout.delimiter, newlines_in_values=True),
            reader.ConvertOptions(
                include_columns=list(columns), column_types=columns, strings_can_be_null=False
            ),
        )
        return int(sum(batch.num_rows for batch in batches)) - 1
    except (pa.ArrowException, OSError, ValueError) as error:
        flaw = first_flaw(file, layout)
        raise _unreadable(file, flaw or _without_row(str(error))) from error


def _without_row(message: str) -> str:
    """Return the first line of an error of pyarrow, without the row or value that it quotes."""
    line = re.sub(r"(got \d+): .*", r"\1", message.strip().partition("\n")[0])
    return re.sub(r"(invalid value ).*", r"\1…", line)


def first_flaw(file: str, layout: Layout) -> str | None:
    """Return the line of the first row that cannot be read, and why; None if none is found."""
    width = len(layout.names)
    try:
        for line, fields in _rows(file, layout):
            if len(fields) != width:
                words = "1 field" if len(fields) == 1 else f"{len(fields)} fields"
                return f"line {line} has {words}, and the header {width}"
    except (UnicodeDecodeError, csv.Error, OSError, EOFError) as error:
        return _reason(error)
    return None


def line_of(file: str, layout: Layout, position: int, text: str) -> int | None:
    """Return the line of the first row that has a text in a column; None if there is none."""
    try:
        for line, fields in _rows(file, layout, errors="replace"):
            if position < len(fields) and fields[position] == text:
                return line
    except (ValueError, csv.Error, OSError, EOFError):
        return None
    return None


def _rows(file: str, layout: Layout, *, errors: str = "strict") -> Iterator[tuple[int, list[str]]]:
    """Yield each row below the header, with the number of its first line."""
    line = 1
    with _opened(file) as binary:
        reader = csv.reader(_Lines(binary, errors), delimiter=layout.delimiter, strict=True)
        try:
            for number, fields in enumerate(reader):
                if number and fields:
                    yield line, fields
                line = reader.line_num + 1
        except csv.Error as error:
            raise csv.Error(f"line {line}: {error}") from error


class _Lines:
    """Decodes lines, so that an error of decoding tells the line; keeps the last one."""

    def __init__(self, binary: IO[bytes], errors: str = "strict") -> None:
        self.binary = binary
        self.errors = errors
        self.last = ""

    def __iter__(self) -> Iterator[str]:
        for number, line in enumerate(self.binary, 1):
            try:
                encoding = "utf-8-sig" if number == 1 else "utf-8"
                self.last = line.decode(encoding, self.errors)
            except UnicodeDecodeError as error:
                error.reason = f"line {number} is not UTF-8"
                raise
            yield self.last


def _opened(file: str) -> IO[bytes]:
    if _compression(file):
        return cast("IO[bytes]", gzip.open(file))
    return Path(file).open("rb")


def _compression(file: str) -> str | None:
    return "gzip" if file.lower().endswith(".gz") else None


def _reason(error: Exception) -> str:
    if isinstance(error, UnicodeDecodeError):
        return error.reason
    return (isinstance(error, OSError) and error.strerror) or str(error)


def _unreadable(file: str, reason: str) -> SourceError:
    return SourceError(f"cannot read {file}", reason, hint="correct the file, or export it again")
