"""How DuckDB reads one source: the columns of a contract from fixed data, by name.

In a query a source is a subquery that selects the contract's columns, and casts those whose type in
the data differs. Files with different types are read separately. Columns outside the contract are
never read.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Any, cast

import duckdb
import ibis
import sqlglot.expressions as sge

from backends.data_files import DataFile
from backends.duckdb_formats import Format, Rows
from backends.duckdb_moments import cut_digits
from backends.duckdb_statistics import combined
from backends.duckdb_types import DIALECT, Physical, folder_value, proven_by_range
from backends.source_types import (
    columns_named,
    is_name,
    label,
    named,
    read_twice,
    values_that_do_not_fit,
)
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
class Part:
    """Files of one source that are read by one query."""

    files: tuple[DataFile, ...]
    columns: Columns


@dataclass(frozen=True)
class Inspected:
    """What was found of a source: its state but for a version, and the query that reads it.

    `how` changes with the way in which the columns are read.
    """

    state: TableState
    query: sge.Query
    parts: Sequence[Part]
    how: tuple[object, ...]

    @property
    def is_readable(self) -> bool:
        """Whether the source can be read as its contract says."""
        return not self.state.misfits and len(self.query.selects) == len(self.state.types)


class Reader:
    """Inspects one source: files below a path, in one format."""

    def __init__(
        self,
        name: str,
        path: Path,
        files: Sequence[DataFile],
        data: Format,
        contract: Contract,
        rows: Rows,
    ) -> None:
        self.name = name
        self.path = path
        self.files = files
        self.data = data
        self.contract = contract
        self.schema = contract.schema
        self.zones = contract.zones
        self._rows = rows

    def read(self) -> Inspected:
        """Read what the data says of its columns, and values where that does not suffice."""
        parts = self._parts()
        rows = self.data.row_counts()
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
        state = TableState(
            found,
            sum(rows.values()),
            None,
            tuple(misfits),
            {} if misfits else self._statistics(parts),
        )
        how = (sorted(rows.items()), *self._expressions(parts, folders))
        return Inspected(state, query, parts, how)

    def _parts(self) -> list[Part]:
        """Group the files by how they spell and type the contract's columns."""
        columns = self.data.columns()
        others = {name: self._others(name, columns.values()) for name in self.schema}
        groups: defaultdict[tuple[Hashable, Columns], list[DataFile]] = defaultdict(list)
        for file in self.files:
            found = columns[file.path]
            matches = tuple(
                tuple(
                    column
                    for column in columns_named(self.contract, name, found)
                    if column.name not in others[name]
                )
                for name in self.schema
            )
            groups[self.data.layout(file), matches].append(file)
        return [Part(tuple(files), matches) for (_, matches), files in groups.items()]

    def _others(self, name: str, files: Iterable[Sequence[Physical]]) -> set[str]:
        """Return the names, spelled almost like a column's, that are other columns in a file."""
        wanted = self.contract.names.get(name)
        if wanted is None:
            return set()
        spelled = ({column.name for column in found} for found in files)
        both = (names - {wanted} for names in spelled if wanted in names)
        return {other for names in both for other in names if is_name(wanted, other)}

    def _statistics(self, parts: Sequence[Part]) -> dict[str, ColumnStatistics]:
        """Return what the footers say of the contract's columns; casts do not change values."""
        found: dict[str, ColumnStatistics] = {}
        for part in parts:
            by_column = self.data.statistics(part.files)
            for (name, _), (column,) in self._read_from_files(part):
                here = by_column.get(column.name, ColumnStatistics())
                found[name] = combined(found[name], here) if name in found else here
        return found

    # What does not fit

    def _misfits(self, parts: Sequence[Part]) -> Iterator[str]:
        """Yield a line for each column whose name or type does not fit."""
        for number, (name, kind) in enumerate(self.schema.items()):
            is_somewhere = any(part.columns[number] for part in parts)
            what = label(self.contract, name)
            for part in parts:
                match part.columns[number]:
                    case ():
                        if is_somewhere:
                            where = self._where(part)
                            yield f"{what}: expected {kind}, found no such column{where}"
                    case (column,):
                        if line := self.data.rules.misfit(column, kind, self.zones.get(name)):
                            yield f"{what}: {line}{self._where(part)}"
                    case several:
                        spelled = " and ".join(column.name for column in several)
                        yield f"{what}: found {spelled}{self._where(part, always=True)}"
        for part in parts:
            found = [
                (name, column.name, (kind, self.zones.get(name)))
                for (name, kind), (column,) in self._read_from_files(part)
            ]
            yield from (f"{line}{self._where(part)}" for line in read_twice(found))

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
            if not self.data.rules.surely_fits(column, kind, self.zones.get(name))
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
                is_personal = name in self.contract.personal
                line = values_that_do_not_fit(
                    column, kind, count, str(example), is_personal=is_personal
                )
                place = self.data.place_of(part.files, column, str(example)) or self._where(part)
                yield f"{label(self.contract, name)}: {line}{place}"

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
        rows = self.data.ranges(part.files, by_name)
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
        for name, column, kind in doubtful:
            value = column.value
            wrong = self.data.rules.does_not_fit(column, kind, self.zones.get(name))
            condition = sge.Where(this=wrong)
            count, least = (
                sge.Filter(this=aggregate, expression=condition.copy())
                for aggregate in (sge.Count(this=sge.Star()), sge.Min(this=value))
            )
            found += [count, sge.Cast(this=least, to=_TEXT)]
        (row,) = self._rows(sge.select(*found).from_(self.data.table(part.files)).sql(DIALECT))
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
        values = [sge.func("max", sge.Cast(this=column.value, to=_TEXT)) for column in columns]
        try:
            self._rows(sge.select(*values).from_(self.data.table([file])).sql(DIALECT))
        except duckdb.Error as error:
            return self.data.why(file, error)
        return None

    # Folders whose names have values

    def _folders(self, parts: Sequence[Part]) -> dict[str, dict[str, str | None]]:
        """Return the values, by file, of columns that are in the names of folders, not in files."""
        found: dict[str, dict[str, str | None]] = {}
        for number, name in enumerate(self.schema):
            if any(part.columns[number] for part in parts):
                continue
            values = {file.path: self._keys(name, file) for file in self.files}
            if any(values.values()):
                found[name] = {path: each[0] for path, each in values.items() if len(each) == 1}
        return found

    def _keys(self, name: str, file: DataFile) -> list[str | None]:
        """Return the values of a column in the names of the folders of a file."""
        wanted, as_spelled = self.contract.names.get(name, name), name in self.contract.names
        found = named(wanted, [key for key, _ in file.keys], as_spelled=as_spelled)
        return [file.keys[number][1] for number in found]

    def _unreadable_folders(self, folders: Mapping[str, Mapping[str, str | None]]) -> Iterator[str]:
        for name, values in folders.items():
            kind, what = self.schema[name], label(self.contract, name)
            wanted = self.contract.names.get(name, name)
            for file in self.files:
                folder = Path(file.path).relative_to(self.path.parent).parent.as_posix()
                if file.path not in values:
                    yield f"{what}: not one folder {wanted}=… above {file.path}"
                elif folder_value(values[file.path], kind, self.zones.get(name)) is None:
                    yield f"{what}: expected {kind}, found the folder {folder}"

    # The query

    def _query(
        self, parts: Sequence[Part], folders: Mapping[str, Mapping[str, str | None]]
    ) -> sge.Query:
        read = [self._query_of(part, folders) for part in parts]
        return reduce(lambda one, other: sge.union(one, other, distinct=False, copy=False), read)

    def _query_of(self, part: Part, folders: Mapping[str, Mapping[str, str | None]]) -> sge.Query:
        selected = [
            _aliased(self.data.rules.reading(matches[0], kind, self.zones.get(name)), name)
            if matches
            else sge.column(name, quoted=True)
            for (name, kind), matches in zip(self.schema.items(), part.columns, strict=True)
        ]
        if not folders:
            return sge.select(*selected).from_(self.data.table(part.files))
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
            .from_(self.data.table(part.files, path_as=FILE))
            .join(values, on=sge.EQ(this=next(paths), expression=next(paths)))
        )

    def _folder_value(self, name: str, text: str | None) -> sge.Expression:
        return cast("sge.Expression", folder_value(text, self.schema[name], self.zones.get(name)))

    def _expressions(
        self, parts: Sequence[Part], folders: Mapping[str, object]
    ) -> Iterator[object]:
        """Yield how columns are read: with another contract, the version changes, too."""
        yield [(name, str(kind), self.zones.get(name)) for name, kind in self.schema.items()]
        yield [(self.data.layout(part.files[0]), part.columns) for part in parts]
        yield sorted(folders)


_TEXT = sge.DataType.build("TEXT", dialect=DIALECT)


def _aliased(value: sge.Expr, name: str) -> sge.Expr:
    if isinstance(value, sge.Column) and value.name == name:
        return value
    return sge.alias_(value, name, quoted=True)
