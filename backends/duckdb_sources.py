"""The sources of DuckDB: each is found, inspected once, and read as it was found.

A source is inspected when it is first needed; what it consists of is fixed from then on.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import sqlglot.expressions as sge

from backends.data_files import DataFile, changed, digest_of, files_of
from backends.duckdb_csv import CsvFiles
from backends.duckdb_formats import Rows
from backends.duckdb_locations import Files, Locations, Relation
from backends.duckdb_parquet import ParquetFiles
from backends.duckdb_reader import Inspected, Reader
from backends.duckdb_shown import shown
from backends.duckdb_tables import Attached, DatabaseTable, states_of
from marts.core.errors import SourceError, UsageError
from marts.core.plan.state import PlannedTable, TableState
from marts.core.run.backend import Contract


@dataclass(frozen=True)
class Source:
    """A source as it was found: its files, its state, and the query that reads it.

    `shown` is what people read in place of the query. `is_attached` says that it is a table of
    another DuckDB file, so that no view can read it. `is_by_rows` says that its files do not show
    every change: only its rows do.
    """

    files: tuple[DataFile, ...]
    state: TableState
    query: sge.Query
    shown: sge.Table
    changed: Callable[[], Iterable[str]]
    fault: Callable[[], SourceError | None]
    is_table: bool = False
    is_attached: bool = False
    is_by_rows: bool = False


class DuckDBSources:
    """The sources of a project, each inspected when it is first needed.

    `schema` is that of the marts, in the connection's own database.
    """

    def __init__(
        self,
        locations: Locations,
        contracts: Mapping[str, Contract],
        rows: Rows,
        *,
        schema: str,
    ) -> None:
        self.locations = locations
        self.contracts = contracts
        self.schema = schema
        self._rows = rows
        self._attached = Attached(rows)
        self._found: dict[str, Source | None] = {}

    def describe(self, names: Iterable[str]) -> dict[str, TableState]:
        """Return the state of the sources that exist."""
        found = {name: self.found(name) for name in names}
        return {name: source.state for name, source in found.items() if source}

    def subquery(self, name: str) -> sge.Subquery | None:
        """Return the subquery that reads a source; None for other names and for absent sources.

        Raises SourceError if the source cannot be read as its contract says.
        """
        source = self.found(name)
        if source is None:
            return None
        if source.state.misfits:
            raise SourceError(f"source {name} does not fit its contract", *source.state.misfits)
        return sge.Subquery(this=source.query)

    def refuse_views(self, tables: Iterable[PlannedTable]) -> None:
        """Raise UsageError for a view over a table of another file, which readers do not open."""
        for view in (table for table in tables if table.kind == "view"):
            for name in sorted(view.query.names):
                if (source := self.found(name)) and source.is_attached:
                    raise UsageError(
                        f"{view.name} is a view, and reads {name} of another DuckDB file",
                        "readers of the published database could not open it",
                        hint='declare the mart with materialized="table"',
                    )

    def changed(self, names: Collection[str] | None = None) -> list[str]:
        """Return a line for each change of some sources, or of all, since they were inspected."""
        return [
            f"source {name}: {line}"
            for name, source in self._found.items()
            if source and (names is None or name in names)
            for line in source.changed()
        ]

    def are_by_file(self) -> bool:
        """Tell whether the files of the sources used show every change of their rows."""
        return not any(source and source.is_by_rows for source in self._found.values())

    def fault(self) -> SourceError | None:
        """Return the first column of a file that cannot be read, of the sources used; else None."""
        found = (source.fault() for source in self._found.values() if source)
        return next((fault for fault in found if fault), None)

    def found(self, name: str) -> Source | None:
        """Return a source as it was found; None for other names and for absent sources."""
        if name not in self.contracts:
            return None
        if name not in self._found:
            self._found[name] = self._inspected(name, self.contracts[name])
        return self._found[name]

    def _inspected(self, name: str, contract: Contract) -> Source | None:
        match self.locations.find(name, contract):
            case Files(path):
                return self._of_files(name, path, contract)
            case Relation() as relation:
                return self._of_relation(name, relation, contract)
            case None:
                return None

    def _of_files(self, name: str, path: Path, contract: Contract) -> Source:
        # Their sizes and times are taken before anything is read from them.
        files = tuple(files_of(path))
        data: ParquetFiles | CsvFiles
        if files[0].is_csv:
            wanted = [contract.names.get(column, column) for column in contract.schema]
            data = CsvFiles(name, files, self._rows, wanted=wanted)
        else:
            data = ParquetFiles(name, files, self._rows)
        reader = Reader(name, path, files, data, contract, self._rows)
        found = reader.read()
        state = replace(found.state, version=digest_of(files, *found.how))
        return Source(
            files,
            state,
            found.query,
            shown(Files(path)),
            partial(changed, files),
            partial(reader.fault, found.parts),
        )

    def _of_relation(self, name: str, relation: Relation, contract: Contract) -> Source | None:
        is_own = self._attached.is_own(relation.file)
        if is_own and relation.schema.lower() == self.schema.lower():
            raise UsageError(
                f"source {name} is in schema {self.schema} of {relation.file}, where the marts are",
                hint="move the source to another schema, or pass another --schema",
            )
        states = states_of(relation.file)
        table = self._attached.find(name, relation)
        if table is None:
            return None
        data = DatabaseTable(name, table, states[0], self._rows)
        reader = Reader(name, relation.file, states[:1], data, contract, self._rows)
        found = reader.read()
        is_by_rows = is_own or table.is_view or table.is_shared
        version, look = _by_rows(data, found) if is_by_rows else _by_file(relation.file, states)
        version = digest_of((), table.name.db, table.name.name, version, *found.how)
        return Source(
            states,
            replace(found.state, version=version),
            found.query,
            shown(relation),
            look,
            partial(reader.fault, found.parts),
            is_table=True,
            is_attached=not is_own,
            is_by_rows=is_by_rows,
        )


def _by_file(file: Path, states: tuple[DataFile, ...]) -> tuple[str, Callable[[], Iterable[str]]]:
    """Return the version of a table of another file, and what finds out if it has changed."""

    def look() -> Iterable[str]:
        try:
            return () if states_of(file) == states else (f"{file} changed",)
        except SourceError:
            return (f"{file} is gone",)

    return digest_of(states), look


def _by_rows(data: DatabaseTable, found: Inspected) -> tuple[str, Callable[[], Iterable[str]]]:
    """Return the version of rows of which nobody knows where they are from, and the same."""
    if not found.is_readable:
        return "", tuple
    version = data.digest(found.query)

    def look() -> Iterable[str]:
        return () if data.digest(found.query) == version else (f"{data.found.name.name} changed",)

    return version, look
