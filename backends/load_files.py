"""The Parquet files of tables to be loaded: whether they fit together, and what is in them."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ibis
import ibis.expr.datatypes as dt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from backends.data_files import LAYOUT, DataFile, files_of, find_source, source_names
from marts.core.errors import SourceError

EPOCH = datetime.datetime(1970, 1, 1)  # noqa: DTZ001  (UTC)
NANOSECONDS = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}
SCALES = {"s": 0, "ms": 3, "us": 6, "ns": 9}
LARGEST_PRECISION = 38


@dataclass(frozen=True)
class LoadFile:
    """A Parquet file; `shown` is its path relative to the directory of all tables."""

    file: DataFile
    shown: str
    rows: int
    columns: tuple[tuple[str, dt.DataType | None, str], ...]
    """Name, type, and type in words; the type is None where it cannot be loaded."""


@dataclass(frozen=True)
class LoadTable:
    """A table and its files, which all have its columns, in any order."""

    name: str
    files: tuple[LoadFile, ...]
    schema: ibis.Schema

    @property
    def rows(self) -> int:
        """The number of rows of all files."""
        return sum(file.rows for file in self.files)


@dataclass(frozen=True)
class Content:
    """What a column has: how many values, nulls not counted, the least and the greatest of them.

    The bounds are None without values, and of texts, floats and booleans. Timestamps are in UTC, in
    whole microseconds.
    """

    values: int
    least: Any = None
    greatest: Any = None


def find_tables(folder: Path) -> list[LoadTable]:
    """Return the tables in a directory, by the footers of their files.

    Raises one SourceError for all that is wrong with any of them: files that cannot be read, or
    whose columns differ from the first file's, and types that cannot be loaded.
    """
    tables, problems = [], []
    for name in source_names(folder):
        try:
            path = find_source(folder, name)
            there = [] if path is None else files_of(path)
            files = [_read(each, folder) for each in there if not each.is_csv]
        except SourceError as error:
            problems.append("\n  ".join([f"{name}: {error.summary}", *error.facts]))
            continue
        wrong = [*dict.fromkeys(_problems(files))]
        problems += [f"{name}: {problem}" for problem in wrong]
        if files and not wrong:
            columns = {column: kind for column, kind, _ in files[0].columns}
            tables.append(LoadTable(name, tuple(files), ibis.schema(columns)))
    _refuse(problems)
    if not tables:
        raise SourceError(f"{folder} has no tables to load", hint=f"put {LAYOUT} into it")
    return tables


def _refuse(problems: Sequence[str]) -> None:
    if problems:
        raise SourceError("these files cannot be loaded; nothing was uploaded", *problems)


def _read(file: DataFile, folder: Path) -> LoadFile:
    shown = str(Path(file.path).relative_to(folder.resolve()))
    try:
        with pq.ParquetFile(file.path) as parquet:
            schema, rows = parquet.schema_arrow, parquet.metadata.num_rows
    except (pa.ArrowException, OSError) as error:
        raise _unreadable(shown, error) from error
    columns = tuple((each.name, kind_of(each.type), str(each.type)) for each in schema)
    return LoadFile(file, shown, rows, columns)


def _unreadable(shown: str, error: Exception) -> SourceError:
    first, *_ = str(error).strip().splitlines() or [type(error).__name__]
    return SourceError(f"{shown} is not a readable Parquet file", first)


KINDS: tuple[tuple[Callable[[Any], bool], Callable[[Any], dt.DataType]], ...] = (
    (pa.types.is_boolean, lambda _: dt.boolean),
    (pa.types.is_integer, lambda t: dt.dtype(str(t))),
    (pa.types.is_float32, lambda _: dt.float32),
    (pa.types.is_float64, lambda _: dt.float64),
    (
        lambda t: pa.types.is_decimal(t) and 0 <= t.scale <= t.precision <= LARGEST_PRECISION,
        lambda t: dt.Decimal(t.precision, t.scale),
    ),
    (pa.types.is_string, lambda _: dt.string),
    (pa.types.is_large_string, lambda _: dt.string),
    (pa.types.is_string_view, lambda _: dt.string),
    (pa.types.is_date, lambda _: dt.date),
    # Parquet does not state the zone: it says whether the value is a moment, in UTC.
    (
        pa.types.is_timestamp,
        lambda t: dt.Timestamp("UTC" if t.tz else None, scale=SCALES[t.unit]),
    ),
)


def kind_of(arrow: pa.DataType) -> dt.DataType | None:
    """Return the type of a column of a file, None if Snowflake would not read it as it is.

    Those are binary, nested, times of day, durations, half floats and large decimals.
    """
    if pa.types.is_dictionary(arrow):
        return kind_of(arrow.value_type)
    return next((make(arrow) for holds, make in KINDS if holds(arrow)), None)


def _problems(files: Sequence[LoadFile]) -> Iterator[str]:
    for file in files:
        yield from _problems_within(file)
    for file in files[1:]:
        yield from _differences(files[0], file) if file.columns else ()


def _problems_within(file: LoadFile) -> Iterator[str]:
    if not file.columns:
        yield f"{file.shown} has no columns"
    seen: dict[str, str] = {}
    for name, kind, type_text in file.columns:
        if (other := seen.setdefault(name.upper(), name)) is not name:
            yield f"{file.shown} has the columns {other} and {name}, which are one on Snowflake"
        if kind is None:
            yield f"{file.shown}: column {name} has the type {type_text}, which cannot be loaded"


def _differences(first: LoadFile, file: LoadFile) -> Iterator[str]:
    ours = {name: (kind, text) for name, kind, text in first.columns}
    theirs = {name: (kind, text) for name, kind, text in file.columns}
    folded = {name.upper(): name for name in theirs}
    spelled = {name: folded.get(name.upper()) for name in ours}
    for name, (kind, text) in ours.items():
        found = spelled[name]
        if found is None:
            yield f"{file.shown} has no column {name}, which {first.shown} has"
        elif found != name and name not in theirs:
            yield f"column {name} of {first.shown} is {found} in {file.shown}"
        elif name in theirs and theirs[name][0] != kind:
            there = theirs[name][1]
            yield f"column {name} is {text} in {first.shown}, {there} in {file.shown}"
    known = {name.upper() for name in ours}
    for name in theirs:
        if name.upper() not in known:
            yield f"{first.shown} has no column {name}, which {file.shown} has"


def keys_not_loaded(table: LoadTable) -> list[str]:
    """Return the keys of partition folders that no column has: `year` of `year=2024/`."""
    columns = {name.lower() for name in table.schema.names}
    keys = {key for each in table.files for key, _ in each.file.keys}
    return sorted(key for key in keys if key.lower() not in columns)


def read_contents(tables: Sequence[LoadTable]) -> dict[str, dict[str, Content]]:
    """Read all values of all files, and return what each column of each table has.

    Raises one SourceError for all files that cannot be read.
    """
    contents: dict[str, dict[str, Content]] = {}
    problems = []
    for table in tables:
        contents[table.name] = dict.fromkeys(table.schema.names, Content(0))
        for file in table.files:
            try:
                for name, content in _contents(file):
                    contents[table.name][name] = _both(contents[table.name][name], content)
            except (pa.ArrowException, OSError, OverflowError, ValueError) as error:
                found = _unreadable(file.shown, error)
                problems.append("\n  ".join([f"{table.name}: {found.summary}", *found.facts]))
    _refuse(problems)
    return contents


def _contents(file: LoadFile) -> Iterator[tuple[str, Content]]:
    with pq.ParquetFile(file.file.path) as parquet:
        for batch in parquet.iter_batches():
            for name, column in zip(batch.schema.names, batch.columns, strict=True):
                yield name, _content(column)


def _content(column: pa.Array) -> Content:
    values = len(column) - column.null_count
    kind = kind_of(column.type)
    if not values or kind is None or pa.types.is_dictionary(column.type):
        return Content(values)
    if kind.is_integer() or kind.is_decimal() or kind.is_date():
        least, greatest = pc.min_max(column).values()
        return Content(values, least.as_py(), greatest.as_py())
    if kind.is_timestamp():
        least, greatest = pc.min_max(column).values()
        return Content(values, _moment(least), _moment(greatest))
    return Content(values)


def _moment(value: pa.TimestampScalar) -> datetime.datetime:
    # Not as_py, which has no nanoseconds.
    microseconds = value.value * NANOSECONDS[value.type.unit] // 1_000
    return EPOCH + datetime.timedelta(microseconds=microseconds)


def _both(one: Content, other: Content) -> Content:
    bounded = [each for each in (one, other) if each.least is not None]
    return Content(
        one.values + other.values,
        min((each.least for each in bounded), default=None),
        max((each.greatest for each in bounded), default=None),
    )


def loaded_as(schema: ibis.Schema) -> Mapping[str, dt.DataType]:
    """Return the types of the columns on Snowflake, which has no unsigned numbers."""
    return {name: UNSIGNED.get(str(kind), kind) for name, kind in schema.items()}


UNSIGNED: Mapping[str, dt.DataType] = {
    **dict.fromkeys(("uint8", "uint16", "uint32"), dt.int64),
    "uint64": dt.Decimal(20, 0),
}
