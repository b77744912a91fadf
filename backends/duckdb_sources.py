"""How DuckDB reads sources: the columns of a contract from a fixed list of Parquet files, by name.

A source is inspected once, when it is first needed; its list of files is fixed from then on. In a
query it is a subquery that selects the contract's columns, and casts those whose type in a file
differs. Files with different types are read separately. Columns outside the contract are never
read.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial, reduce
from pathlib import Path
from typing import Any, cast

import duckdb
import ibis
import sqlglot.expressions as sge

from backends.duckdb_footers import Footers, Rows, call_on, first_line
from backends.duckdb_moments import cut_digits
from backends.duckdb_statistics import combined
from backends.duckdb_types import (
    DIALECT,
    Physical,
    does_not_fit,
    folder_value,
    matches,
    proven_by_range,
    reading,
)
from backends.parquet import DataFile, changed, digest_of, files_of, find_source, pattern_of
from backends.source_types import always_fits, is_name, misfit, values_that_do_not_fit
from marts.core.errors import SourceError
from marts.core.plan.state import ColumnStatistics, TableState
from marts.core.run.backend import Contract

FILE, FOLDER_OF = "marts: file", "marts: folder of"
"""The columns that join files with the values in the names of their folders."""

UNREADABLE = (duckdb.Error, OSError, ValueError)
"""What DuckDB and pyarrow raise for values that they cannot read."""

Columns = tuple[tuple[Physical, ...], ...]
"""For each column of a contract, the columns of a file that match its name."""


@dataclass(frozen=True)
class Source:
    """A source as it was found: its files, its state, and the query that reads it."""

    path: Path
    files: tuple[DataFile, ...]
    state: TableState
    query: sge.Query
    fault: Callable[[], SourceError | None]


@dataclass(frozen=True)
class Part:
    """Files of one source that are read by one query."""

    files: tuple[DataFile, ...]
    columns: Columns


class ParquetSources:
    """The sources in a folder, each inspected when it is first needed."""

    def __init__(self, folder: Path, contracts: Mapping[str, Contract], rows: Rows) -> None:
        self.folder = folder
        self.contracts = contracts
        self._rows = rows
        self._found: dict[str, Source | None] = {}

    def describe(self, names: Iterable[str]) -> dict[str, TableState]:
        """Return the state of the sources that exist."""
        found = {name: self._source(name) for name in names}
        return {name: source.state for name, source in found.items() if source}

    def subquery(self, name: str) -> sge.Subquery | None:
        """Return the subquery that reads a source; None for other names and for absent sources.

        Raises SourceError if the source cannot be read as its contract says.
        """
        source = self._source(name)
        if source is None:
            return None
        if source.state.misfits:
            raise SourceError(f"source {name} does not fit its contract", *source.state.misfits)
        return sge.Subquery(this=source.query)

    def pattern(self, name: str) -> str | None:
        """Return a source's file, or a pattern for its folder, for people to read."""
        source = self._source(name)
        return pattern_of(source.path) if source else None

    def changed(self, names: Collection[str] | None = None) -> list[str]:
        """Return a line for each file of some sources, or of all, that has changed meanwhile."""
        return [
            f"source {name}: {line}"
            for name, source in self._found.items()
            if source and (names is None or name in names)
            for line in changed(source.files)
        ]

    def fault(self) -> SourceError | None:
        """Return the first column of a file that cannot be read, of the sources used; else None."""
        found = (source.fault() for source in self._found.values() if source)
        return next((fault for fault in found if fault), None)

    def _source(self, name: str) -> Source | None:
        if name not in self.contracts:
            return None
        if name not in self._found:
            path = find_source(self.folder, name)
            reader = path and _Reader(name, path, self.contracts[name], self._rows)
            self._found[name] = reader.read() if reader else None
        return self._found[name]


class _Reader:
    """Inspects one source."""

    def __init__(self, name: str, path: Path, contract: Contract, rows: Rows) -> None:
        self.name = name
        self.path = path
        self.schema = contract.schema
        self.zones = contract.zones
        self._rows = rows
        self.files = tuple(files_of(path))
        """Their sizes and times, taken before anything is read from them."""
        self.footers = Footers(name, self.files, rows)

    def read(self) -> Source:
        """Read the footers, and values where the footers do not suffice."""
        parts = self._parts()
        folders = self._folders(parts)
        misfits = [*self._misfits(parts), *self._unreadable_folders(folders)]
        if not misfits:
            misfits = [line for part in parts for line in self._values_that_do_not_fit(part)]
        missing = [
            name
            for number, name in enumerate(self.schema)
            if name not in folders and not any(part.columns[number] for part in parts)
        ]
        found = ibis.schema({n: kind for n, kind in self.schema.items() if n not in missing})
        query = self._query(parts, folders) if not misfits and not missing else sge.select("*")
        rows = self.footers.row_counts()
        state = TableState(
            found,
            sum(rows.values()),
            digest_of(self.files, sorted(rows.items()), *self._expressions(parts, folders)),
            tuple(misfits),
            {} if misfits else self._statistics(parts),
        )
        return Source(self.path, self.files, state, query, partial(self.fault, parts))

    def _parts(self) -> list[Part]:
        """Group the files by how they spell and type the contract's columns."""
        columns = self.footers.columns()
        groups: defaultdict[Columns, list[DataFile]] = defaultdict(list)
        for file in self.files:
            found = columns[file.path]
            groups[tuple(matches(name, found) for name in self.schema)].append(file)
        return [Part(tuple(files), matches) for matches, files in groups.items()]

    def _statistics(self, parts: Sequence[Part]) -> dict[str, ColumnStatistics]:
        """Return what the footers say of the contract's columns; casts do not change values."""
        found: dict[str, ColumnStatistics] = {}
        for part in parts:
            by_column = self.footers.statistics(part.files)
            for (name, _), (column,) in self._read_from_files(part):
                here = by_column.get(column.name, ColumnStatistics())
                found[name] = combined(found[name], here) if name in found else here
        return found

    # What does not fit

    def _misfits(self, parts: Sequence[Part]) -> Iterator[str]:
        """Yield a line for each column whose name or type does not fit."""
        for number, (name, kind) in enumerate(self.schema.items()):
            is_somewhere = any(part.columns[number] for part in parts)
            for part in parts:
                match part.columns[number]:
                    case ():
                        if is_somewhere:
                            where = self._where(part)
                            yield f"column {name}: expected {kind}, found no such column{where}"
                    case (column,):
                        if line := misfit(column, kind, self.zones.get(name)):
                            yield f"column {name}: {line}{self._where(part)}"
                    case several:
                        spelled = " and ".join(column.name for column in several)
                        yield f"column {name}: found {spelled}{self._where(part, always=True)}"

    def _where(self, part: Part, *, always: bool = False) -> str:
        """Return words for which files are meant, empty if a source has only one."""
        if len(self.files) == 1 and not always:
            return ""
        first, *others = part.files
        relative = Path(first.path).relative_to(self.path.parent).as_posix()
        return f" in {relative}" + (f" and {len(others)} more" if others else "")

    def _values_that_do_not_fit(self, part: Part) -> Iterator[str]:
        """Yield a line for each column with values that a cast would change."""
        doubtful = [
            (name, column, kind)
            for (name, kind), (column,) in self._read_from_files(part)
            # DuckDB's dates have a wider range than its timestamps.
            if (column.kind == "date" and kind.is_timestamp())
            or not always_fits(column, kind, self.zones.get(name))
        ]
        proven = self._proven(part, doubtful)
        doubtful = [each for each in doubtful if each[0] not in proven]
        try:
            counts = list(self._counted(part, doubtful)) + [
                (name, column, kind, *cut_digits([file.path for file in part.files], column))
                for (name, kind), (column,) in self._read_from_files(part)
                if column.is_cut
            ]
        except UNREADABLE:
            if fault := self.fault([part]):
                raise fault from None
            raise
        for name, column, kind, count, example in counts:
            if count:
                line = values_that_do_not_fit(column, kind, count, str(example))
                yield f"column {name}: {line}{self._where(part)}"

    def _read_from_files(
        self, part: Part
    ) -> Iterator[tuple[tuple[str, Any], tuple[Physical, ...]]]:
        pairs = zip(self.schema.items(), part.columns, strict=True)
        return ((column, matches) for column, matches in pairs if len(matches) == 1)

    def _proven(self, part: Part, doubtful: Sequence[tuple[str, Physical, Any]]) -> set[str]:
        """Return the columns whose values all fit, according to the files' statistics."""
        if not doubtful:
            return set()
        by_name = {column.name: (name, column, kind) for name, column, kind in doubtful}
        rows = self.footers.ranges(part.files, by_name)
        if rows is None:
            return set()
        doubted = set()
        for path, low, high, nulls, values in rows:
            name, column, kind = by_name[path]
            is_known = low is not None and high is not None
            if nulls != values and not (is_known and proven_by_range(column, kind, low, high)):
                doubted.add(name)
        return {name for name, _, _ in doubtful} - doubted

    def _counted(
        self, part: Part, doubtful: Sequence[tuple[str, Physical, Any]]
    ) -> Iterator[tuple[str, Physical, Any, int, object]]:
        """Count, in one scan, the values of each column that do not fit, with an example."""
        if not doubtful:
            return
        found = list[sge.Expr]()
        for _, column, kind in doubtful:
            value = sge.column(column.name, quoted=True)
            condition = sge.Where(this=does_not_fit(column, kind))
            count, least = (
                sge.Filter(this=aggregate, expression=condition.copy())
                for aggregate in (sge.Count(this=sge.Star()), sge.Min(this=value))
            )
            found += [count, sge.Cast(this=least, to=_TEXT)]
        (row,) = self._rows(sge.select(*found).from_(_read(part.files)).sql(DIALECT))
        for number, (name, column, kind) in enumerate(doubtful):
            yield name, column, kind, row[2 * number], row[2 * number + 1]

    def fault(self, parts: Sequence[Part]) -> SourceError | None:
        """Return the first column of a file that cannot be read, and why; None if all can."""
        for part in parts:
            columns = [column for _, (column,) in self._read_from_files(part)]
            for file in part.files:
                if not self._why_unreadable(file, columns):
                    continue
                for column in columns:
                    if why := self._why_unreadable(file, [column]):
                        return SourceError(
                            f"source {self.name}: cannot read column {column.name}"
                            f" of {Path(file.path).name}",
                            why,
                            file.path,
                        )
        return None

    def _why_unreadable(self, file: DataFile, columns: Sequence[Physical]) -> str | None:
        # A count alone would not read the values.
        values = [
            sge.func("max", sge.Cast(this=sge.column(column.name, quoted=True), to=_TEXT))
            for column in columns
        ]
        try:
            self._rows(sge.select(*values).from_(_read([file])).sql(DIALECT))
        except duckdb.Error as error:
            return first_line(error)
        return None

    # Folders whose names have values

    def _folders(self, parts: Sequence[Part]) -> dict[str, dict[str, str | None]]:
        """Return the values, by file, of columns that are in the names of folders, not in files."""
        found: dict[str, dict[str, str | None]] = {}
        for number, name in enumerate(self.schema):
            if any(part.columns[number] for part in parts):
                continue
            values = {
                file.path: [value for key, value in file.keys if is_name(name, key)]
                for file in self.files
            }
            if any(values.values()):
                found[name] = {path: each[0] for path, each in values.items() if len(each) == 1}
        return found

    def _unreadable_folders(self, folders: Mapping[str, Mapping[str, str | None]]) -> Iterator[str]:
        for name, values in folders.items():
            kind = self.schema[name]
            for file in self.files:
                folder = Path(file.path).relative_to(self.path.parent).parent.as_posix()
                if file.path not in values:
                    yield f"column {name}: not one folder {name}=… above {file.path}"
                elif folder_value(values[file.path], kind, self.zones.get(name)) is None:
                    yield f"column {name}: expected {kind}, found the folder {folder}"

    # The query

    def _query(
        self, parts: Sequence[Part], folders: Mapping[str, Mapping[str, str | None]]
    ) -> sge.Query:
        read = [self._query_of(part, folders) for part in parts]
        return reduce(lambda one, other: sge.union(one, other, distinct=False, copy=False), read)

    def _query_of(self, part: Part, folders: Mapping[str, Mapping[str, str | None]]) -> sge.Query:
        selected = [
            _named(reading(matches[0], kind, self.zones.get(name)), name)
            if matches
            else sge.column(name, quoted=True)
            for (name, kind), matches in zip(self.schema.items(), part.columns, strict=True)
        ]
        if not folders:
            return sge.select(*selected).from_(_read(part.files))
        rows = [
            (
                sge.Literal.string(file.path),
                *(self._folder_value(name, values[file.path]) for name, values in folders.items()),
            )
            for file in part.files
        ]
        columns = [sge.to_identifier(name, quoted=True) for name in (FOLDER_OF, *folders)]
        values = sge.Values(
            expressions=[sge.Tuple(expressions=list(row)) for row in rows],
            alias=sge.TableAlias(this=sge.to_identifier("folders"), columns=columns),
        )
        paths = (sge.column(name, quoted=True) for name in (FILE, FOLDER_OF))
        return (
            sge.select(*selected)
            .from_(_read(part.files, with_path=True))
            .join(values, on=sge.EQ(this=next(paths), expression=next(paths)))
        )

    def _folder_value(self, name: str, text: str | None) -> sge.Expression:
        return cast("sge.Expression", folder_value(text, self.schema[name], self.zones.get(name)))

    def _expressions(
        self, parts: Sequence[Part], folders: Mapping[str, object]
    ) -> Iterator[object]:
        """Yield how columns are read: with another contract, the version changes, too."""
        yield [(name, str(kind), self.zones.get(name)) for name, kind in self.schema.items()]
        yield [part.columns for part in parts]
        yield sorted(folders)


_TEXT = sge.DataType.build("TEXT", dialect=DIALECT)


def _named(value: sge.Expr, name: str) -> sge.Expr:
    if isinstance(value, sge.Column) and value.name == name:
        return value
    return sge.alias_(value, name, quoted=True)


def _read(files: Iterable[DataFile], *, with_path: bool = False) -> sge.Table:
    more = {"filename": FILE} if with_path else {}
    return call_on("read_parquet", files, hive_partitioning=False, **more)
