"""Profile what DuckDB reads: a folder of Parquet and CSV files, or a DuckDB file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import ibis.expr.datatypes as dt
import sqlglot.expressions as sge

from backends import duckdb_ddl as ddl
from backends import profile_queries as queries
from backends.duckdb_connection import DuckDBOptions, connect, translated
from backends.duckdb_footers import Footers, call_on
from backends.duckdb_moments import cut_digits
from backends.duckdb_text import as_narrowed, narrow_types, text_figures
from backends.duckdb_types import DIALECT, Physical, does_not_fit, type_of
from backends.parquet import SUFFIXES, DataFile, files_of, find_source, source_names
from backends.source_types import kind_of
from marts.core.errors import UsageError
from marts.core.run.profiling import FoundColumn, FoundTable, Names, TableFigures

SOME_ROWS = 20_000
"""Enough rows to see that most combinations of columns are no key."""
CSV = (".csv", ".tsv")
DATABASES = (".duckdb", ".ddb", ".db")
FLOATS = ("FLOAT", "DOUBLE")
ATTACHED = "marts profiled"
MAIN = "main"
CONTRACT_TYPES: Mapping[str, str] = {
    # A wider whole number is looked at again when its range is known.
    "boolean": "boolean",
    "whole": "int64",
    "float": "float64",
    "text": "string",
    "date": "date",
    "timestamp": "timestamp",
    "moment": "timestamp",
}
"""By kind of a type in a source: the contract's type that holds it."""


@dataclass(frozen=True)
class _Relation:
    """Where a table is read, and what DuckDB cannot say of its values."""

    found: FoundTable
    read: sge.Table
    unfit: Mapping[str, sge.Expr] = field(default_factory=dict)
    cut: tuple[tuple[Physical, tuple[str, ...]], ...] = ()


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
        self._relations: dict[str, _Relation] = {}
        self._made = 0
        self._sampled: dict[str, sge.Table] = {}

    def tables(self) -> Sequence[FoundTable]:
        """Return the tables, by name. Raises UsageError if the path is neither folder nor file."""
        if not self._path.exists():
            raise UsageError(
                f"there is no file or folder {self._path}",
                hint="name a folder of Parquet or CSV files, or a DuckDB file",
            )
        with translated(f"read {self._path}"):
            of_folder = self._path.is_dir()
            for each in self._in_folder() if of_folder else self._in_database():
                self._relations[each.found.name] = each
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
        """Return the combinations that the first rows do not repeat.

        Those of a fact are often sorted by its key, so that they repeat a part of it.
        """
        if not combinations:
            return ()
        if table.name not in self._sampled:
            some = sge.select("*").from_(self._relations[table.name].read).limit(SOME_ROWS)
            self._sampled[table.name] = self._named("TEMP TABLE", some)
        rows = self._sampled[table.name]
        total = self._number(sge.select(sge.Count(this=sge.Star())).from_(rows), table.name)
        return [
            columns
            for columns in combinations
            if self._number(queries.distinct_query(rows, columns), table.name) == total
        ]

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

    # What is there

    def _in_folder(self) -> Iterator[_Relation]:
        csv = {path.stem.lower(): path for path in _csv_files(self._path)}
        for name in source_names(self._path):
            if name not in csv and (path := find_source(self._path, name)):
                yield self._of_parquet(path)
        for path in csv.values():
            yield self._of_csv(path)

    def _of_parquet(self, path: Path) -> _Relation:
        name = _name_of(path)
        files = tuple(files_of(path))
        columns = Footers(name, files, self._all).columns()
        keys = list(dict.fromkeys(key for file in files for key, _ in file.keys))
        spelled = list(dict.fromkeys(c.name for found in columns.values() for c in found))
        options: dict[str, object] = {"union_by_name": True}
        if keys:
            options |= {"hive_partitioning": True, "hive_types_autocast": False}
        rows = sge.select(*(queries.column(each) for each in [*spelled, *keys])).from_(
            call_on("read_parquet", files, **options)
        )
        view = self._named("TEMP VIEW", rows)
        if keys:
            view = self._narrowed(view, only=keys)
        types = self._types(view)
        physical = {
            each: [c for found in columns.values() for c in found if c.name == each]
            for each in spelled
        }
        found = [_found(each, kind, physical.get(each, ())) for each, kind in types.items()]
        return _Relation(
            FoundTable(name=name, columns=_apart(found)),
            view,
            _unfit(types),
            tuple(_cut(files, columns)),
        )

    def _of_csv(self, path: Path) -> _Relation:
        rows = sge.select("*").from_(_read_csv(path))
        text = self._named("TEMP TABLE", rows)
        view = self._narrowed(text, only=list(self._types(text)))
        types = self._types(view)
        found = [_found(each, kind, ()) for each, kind in types.items()]
        return _Relation(FoundTable(name=path.stem, columns=_apart(found)), view, _unfit(types))

    def _narrowed(self, table: sge.Table, *, only: Sequence[str]) -> sge.Table:
        """Return a view of a table in which texts have the narrowest type that all of them fit."""
        if not only:
            return table
        (row,) = self._rows(text_figures(table, only), str(self._path))
        kinds = narrow_types(row, only)
        columns = [
            sge.alias_(as_narrowed(each, kinds[each]), each, quoted=True)
            if each in kinds
            else queries.column(each)
            for each in self._types(table)
        ]
        return self._named("TEMP VIEW", sge.select(*columns).from_(table))

    def _in_database(self) -> Iterator[_Relation]:
        self._execute(ddl.attach_read_only(str(self._path), ATTACHED))
        listed = (
            sge.select("schema_name", "table_name")
            .from_("duckdb_tables()")
            .where(f"database_name = {ddl.literal(ATTACHED)} AND NOT internal")
        )
        views = (
            sge.select("schema_name", "view_name")
            .from_("duckdb_views()")
            .where(f"database_name = {ddl.literal(ATTACHED)} AND NOT internal")
        )
        rows = [*self._rows(listed, self.where), *self._rows(views, self.where)]
        for schema, name in sorted(rows, key=lambda row: (row[0] != MAIN, *row)):
            if name in self._relations:
                continue
            read = sge.table_(name, db=schema, catalog=ATTACHED, quoted=True)
            types = self._types(read)
            location = "" if schema == MAIN else f"{self._path}:{schema}.{name}"
            columns = _apart([_found(each, kind, ()) for each, kind in types.items()])
            found = FoundTable(name=name, columns=columns, location=location)
            yield _Relation(found, read, _unfit(types))

    # Asking

    def _named(self, kind: str, query: sge.Query) -> sge.Table:
        """Create a view or table for a query, and return its name."""
        self._made += 1
        name = sge.table_(f"marts {self._made}", quoted=True)
        self._execute(ddl.create(kind, name.sql(DIALECT), query.sql(DIALECT)))
        return name

    def _types(self, table: sge.Table) -> dict[str, str]:
        """Return the types of a relation's columns, as DuckDB names them."""
        rows = self._all(ddl.describe(sge.select("*").from_(table).sql(DIALECT)))
        return {str(name): str(kind) for name, kind, *_ in rows}

    def _number(self, query: sge.Query, about: str) -> int:
        ((number,),) = self._rows(query, about)
        return int(number)

    def _rows(self, query: sge.Query, about: str) -> list[tuple[Any, ...]]:
        sql = query.sql(DIALECT)
        with translated(f"profile {about}", sql):
            return self._all(sql)

    def _execute(self, sql: str) -> None:
        with translated("read the data", sql):
            self._connection.execute(sql)

    def _all(self, sql: str) -> list[tuple[Any, ...]]:
        self.queries += 1
        rows: list[tuple[Any, ...]] = self._connection.execute(sql).fetchall()
        return rows


def _csv_files(folder: Path) -> list[Path]:
    found = (path for path in sorted(folder.iterdir()) if path.suffix.lower() in CSV)
    return [path for path in found if path.is_file() and path.name[0] not in "._"]


def _read_csv(path: Path) -> sge.Table:
    file = DataFile(str(path), 0, 0, 0, 0)
    return call_on("read_csv", [file], all_varchar=True, header=True)


def _name_of(path: Path) -> str:
    """Return the name of a table as its file or folder spells it."""
    return path.name.rpartition(".")[0] if path.name.lower().endswith(SUFFIXES) else path.name


def _found(name: str, kind: str, files: Sequence[Physical]) -> FoundColumn:
    """Return a column from its type in DuckDB, and from what the footers of its files say."""
    for each in files:
        if each.kind == "other":
            return FoundColumn(name=name, type="", found=each.type_text)
    if kind == '"NULL"':
        return FoundColumn(name=name, type="string", found="nothing but nulls")
    try:
        found = type_of(kind)
    except (ValueError, KeyError, NotImplementedError):
        return FoundColumn(name=name, type="", found=kind.lower())
    if any(each.kind == "moment" for each in files):
        return FoundColumn(name=name, type="timestamp", found=str(found), is_moment=True)
    return FoundColumn(
        name=name,
        type=_contract_type(found),
        found=str(found),
        is_moment=kind_of(found) == "moment",
    )


def _contract_type(found: dt.DataType) -> str:
    if isinstance(found, dt.Decimal) and found.scale:
        return f"decimal({found.precision}, {found.scale})"
    return "int64" if found.is_decimal() else CONTRACT_TYPES.get(kind_of(found), "")


def _apart(columns: Sequence[FoundColumn]) -> tuple[FoundColumn, ...]:
    """Return columns; those whose names differ in case alone have no type: engines take one."""
    folded = Counter(each.name.lower() for each in columns)
    return tuple(
        replace(each, type="", found="another column has this name, in another case")
        if folded[each.name.lower()] > 1
        else each
        for each in columns
    )


def _unfit(types: Mapping[str, str]) -> dict[str, sge.Expr]:
    """Return which values of floats and of timestamps in ns no contract holds, as conditions."""
    found: dict[str, sge.Expr] = {}
    for name, kind in types.items():
        value = queries.column(name)
        if kind in FLOATS:
            # A comparison would not do: the statistics of Parquet files leave NaN out, and DuckDB
            # takes them for the bounds of all values.
            found[name] = sge.or_(sge.func("ISNAN", value), sge.func("ISINF", value.copy()))
        elif kind == "TIMESTAMP_NS":
            column = Physical(name, "timestamp", kind, str(type_of(kind)))
            found[name] = does_not_fit(column, dt.timestamp)
    return found


def _cut(
    files: Sequence[DataFile], columns: Mapping[str, Sequence[Physical]]
) -> Iterator[tuple[Physical, tuple[str, ...]]]:
    """Yield each column of which DuckDB cuts digits, with the files that have it."""
    cut = {each.name: each for found in columns.values() for each in found if each.is_cut}
    for name, column in cut.items():
        where = [file.path for file in files if any(c.name == name for c in columns[file.path])]
        yield column, tuple(where)
