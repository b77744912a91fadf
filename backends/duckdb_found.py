"""The tables that DuckDB can read in a place: files in a folder, or relations of its own file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import ibis.expr.datatypes as dt
import sqlglot.expressions as sge

from backends import duckdb_ddl as ddl
from backends import profile_queries as queries
from backends.data_files import (
    CSV_SUFFIXES,
    SUFFIXES,
    DataFile,
    files_of,
    find_source,
    source_names,
)
from backends.duckdb_csv import CsvFiles
from backends.duckdb_locations import DEFAULT_SCHEMA, written
from backends.duckdb_parquet import ParquetFiles, call_on
from backends.duckdb_tables import Attached
from backends.duckdb_text import MOMENT, as_narrowed, narrow_types, text_figures
from backends.duckdb_types import DIALECT, Physical, column_of, does_not_fit
from backends.source_types import NANOSECONDS, contract_type
from marts.core.run.profiling import FoundColumn, FoundTable

TWICE = "a file has several columns of this name, whatever their case"
Rows = Callable[[str], list[tuple[Any, ...]]]


@dataclass(frozen=True)
class Relation:
    """A table that was found, and what to read; `unfit` has conditions of values by column.

    `cut` has the timestamps of which DuckDB cuts digits, with the files that have them.
    """

    found: FoundTable
    read: sge.Table
    unfit: Mapping[str, sge.Expr] = field(default_factory=dict)
    cut: tuple[tuple[Physical, tuple[str, ...]], ...] = ()


class Place:
    """Finds tables, and makes a temporary view or table for each that is in files."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self._made = 0

    def in_folder(self, folder: Path) -> Iterator[Relation]:
        """Yield the tables in a folder, by the rules by which a run finds them."""
        for name in source_names(folder):
            path = find_source(folder, name) if _may_be_data(folder, name) else None
            if path is not None:
                files = tuple(files_of(path))
                read = self._csv if files[0].is_csv else self._parquet
                yield read(_table_named(path), files)

    def in_database(self, file: Path) -> Iterator[Relation]:
        """Yield the tables and views of a DuckDB file, those of its default schema first."""
        catalog = Attached(self._rows).catalog(file)
        rows = self._rows(ddl.relations_of(catalog))
        met = set[str]()
        for schema, name, *_ in sorted(rows, key=lambda row: (row[0] != DEFAULT_SCHEMA, *row[:2])):
            # Two schemas may have a table of one name: the location says which is meant.
            shown = name if name.lower() not in met else f"{schema}_{name}"
            met.add(name.lower())
            read = sge.table_(name, db=schema, catalog=catalog, quoted=True)
            is_usual = schema == DEFAULT_SCHEMA
            location = "" if is_usual else written(schema, name)
            yield self._relation(shown, read, {}, location=location)

    def _parquet(self, name: str, files: Sequence[DataFile]) -> Relation:
        columns = ParquetFiles(name, files, self._rows).columns()
        spelled, twice = _spellings(columns)
        keys = [key for key in _keys(files) if key.lower() not in {*spelled, *twice}]
        options: dict[str, object] = {"union_by_name": True, "hive_partitioning": bool(keys)}
        if keys:
            options["hive_types_autocast"] = False
        wanted = map(queries.column, [*spelled.values(), *keys])
        rows = sge.select(*wanted).from_(call_on("read_parquet", files, **options))
        view = self._named("TEMP VIEW", rows)
        if keys:
            view = self._narrowed(view, keys, but=(MOMENT,))
        in_files: dict[str, list[Physical]] = {}
        for found in columns.values():
            for each in found:
                in_files.setdefault(each.name.lower(), []).append(each)
        relation = self._relation(name, view, in_files, twice=twice)
        return replace(relation, cut=tuple(_cut(columns)))

    def _csv(self, name: str, files: Sequence[DataFile]) -> Relation:
        data = CsvFiles(name, files, self._rows, wanted=())
        # It refuses a row with more or fewer fields than the header.
        data.row_counts()
        columns = data.columns()
        spelled, twice = _spellings(columns)
        parts: list[sge.Query] = []
        for file in files:
            there = [c for c in columns[file.path] if c.name.lower() in spelled]
            read = [sge.alias_(c.value, spelled[c.name.lower()], quoted=True) for c in there]
            keys = [sge.alias_(sge.convert(value), key, quoted=True) for key, value in file.keys]
            parts.append(sge.select(*read, *keys).from_(data.table([file])))
        query = parts[0]
        for part in parts[1:]:
            query = sge.Union(this=query, expression=part, distinct=False, by_name=True)
        text = self._named("TEMP TABLE", query)
        view = self._narrowed(text, list(self._types(text)))
        return self._relation(name, view, {}, twice=twice)

    def _relation(
        self,
        name: str,
        read: sge.Table,
        in_files: Mapping[str, Sequence[Physical]],
        *,
        twice: Mapping[str, str] = MappingProxyType({}),
        location: str = "",
    ) -> Relation:
        there = {each: column_of(each, kind) for each, kind in self._types(read).items()}
        found = [_found(column, in_files.get(each.lower(), ())) for each, column in there.items()]
        found += [FoundColumn(name=each, type="", found=TWICE) for each in twice.values()]
        table = FoundTable(name=name, columns=tuple(found), location=location)
        return Relation(table, read, _unfit(there.values()))

    def _narrowed(
        self, table: sge.Table, only: Sequence[str], *, but: Sequence[str] = ()
    ) -> sge.Table:
        """Return a view of a table in which texts have the narrowest type that all of them fit."""
        (row,) = self._rows(text_figures(table, only).sql(DIALECT))
        kinds = {name: kind for name, kind in narrow_types(row, only).items() if kind not in but}
        columns = [
            sge.alias_(as_narrowed(each, kinds[each]), each, quoted=True)
            if each in kinds
            else queries.column(each)
            for each in self._types(table)
        ]
        return self._named("TEMP VIEW", sge.select(*columns).from_(table))

    def _named(self, kind: str, query: sge.Query) -> sge.Table:
        """Create a view or table for a query, and return its name."""
        self._made += 1
        name = sge.table_(f"marts {self._made}", quoted=True)
        self._rows(ddl.create(kind, name.sql(DIALECT), query.sql(DIALECT)))
        return name

    def _types(self, table: sge.Table) -> dict[str, str]:
        """Return the types of a relation's columns, as DuckDB names them."""
        return {str(name): str(kind) for name, kind, *_ in self._rows(ddl.described(_sql(table)))}


def _sql(table: sge.Table) -> str:
    return table.sql(DIALECT)


def _may_be_data(folder: Path, name: str) -> bool:
    """Tell whether a name in a folder is that of a file of data, or of a folder."""
    suffixes = ("", *SUFFIXES, *CSV_SUFFIXES)
    there = {path.name.lower(): path for path in folder.iterdir()}
    files = [there[name + suffix] for suffix in suffixes if name + suffix in there]
    return any(path.is_dir() or path.name.lower() != name for path in files)


def _table_named(path: Path) -> str:
    """Return the name of a table as its file or folder spells it."""
    suffixes = sorted(SUFFIXES + CSV_SUFFIXES, key=len, reverse=True)
    suffix = next((each for each in suffixes if path.name.lower().endswith(each)), "")
    return path.name[: len(path.name) - len(suffix)]


def _found(column: Physical, in_files: Sequence[Physical]) -> FoundColumn:
    """Return a column by its type in DuckDB, and by what the footers of its files say."""
    for each in in_files:
        if each.kind == "other":
            return FoundColumn(name=each.name, type="", found=each.type_text)
    if any(each.kind == "moment" for each in in_files):
        found = "timestamp with a zone"
        return FoundColumn(name=column.name, type="timestamp", found=found, is_moment=True)
    if in_files and all(each.kind == "null" for each in in_files):
        return FoundColumn(name=column.name, type="string")
    return FoundColumn(
        name=column.name,
        type=contract_type(column),
        found=column.type_text,
        is_moment=column.kind == "moment",
    )


def _spellings(
    columns: Mapping[str, Sequence[Physical]],
) -> tuple[dict[str, str], dict[str, str]]:
    """Return the first spelling of each column of some files, by its name in lower case.

    Those come apart that one file has twice: a run reads none of them without more words.
    """
    first: dict[str, str] = {}
    twice: dict[str, str] = {}
    for found in columns.values():
        folded = Counter(each.name.lower() for each in found)
        for each in found:
            if each.name:
                first.setdefault(each.name.lower(), each.name)
        twice |= {name: first[name] for name, times in folded.items() if name and times > 1}
    return {name: spelled for name, spelled in first.items() if name not in twice}, twice


def _keys(files: Sequence[DataFile]) -> list[str]:
    """Return the keys that the names of folders have."""
    return list(dict.fromkeys(key for file in files for key, _ in file.keys))


def _unfit(columns: Iterable[Physical]) -> dict[str, sge.Expr]:
    """Return which values of floats, dates and timestamps no contract holds, as conditions."""
    found: dict[str, sge.Expr] = {}
    for column in columns:
        value = queries.column(column.name)
        if column.kind == "float":
            # A comparison would not do: the statistics of Parquet files leave NaN out, and DuckDB
            # takes them for the bounds of all values.
            found[column.name] = sge.or_(sge.func("ISNAN", value), sge.func("ISINF", value.copy()))
        elif column.kind in ("date", "timestamp", "moment"):
            found[column.name] = _out_of_range(value)
            if column.kind == "timestamp" and getattr(column.type, "scale", 0) == NANOSECONDS:
                too_fine = does_not_fit(column, dt.timestamp, None)
                found[column.name] = sge.or_(found[column.name], too_fine)
    return found


def _out_of_range(value: sge.Expr) -> sge.Expr:
    """Return the condition that a date or time is infinite, or of a year outside 1 to 9999."""
    year = sge.func("YEAR", value.copy())
    years = sge.Between(this=year, low=sge.convert(1), high=sge.convert(9999))
    return sge.or_(sge.not_(sge.func("ISFINITE", value)), sge.not_(years))


def _cut(
    columns: Mapping[str, Sequence[Physical]],
) -> Iterator[tuple[Physical, tuple[str, ...]]]:
    """Yield each column of which DuckDB cuts digits, with the files that have it."""
    cut = {each.name: each for found in columns.values() for each in found if each.is_cut}
    for name, column in cut.items():
        where = [path for path, found in columns.items() if any(c.name == name for c in found)]
        yield column, tuple(where)
