"""Data to be loaded that are not Parquet: written as Parquet, as the sources are declared."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import cast

import ibis
import sqlglot.expressions as sge

from backends.data_files import SUFFIXES, files_of, find_source, source_names
from backends.duckdb import DuckDBBackend
from backends.duckdb_connection import DuckDBOptions
from backends.duckdb_ddl import DIALECT, copy_to_parquet
from backends.duckdb_locations import is_database
from backends.source_types import label
from marts.core.errors import SourceError, UsageError
from marts.core.run.backend import Contract


@contextmanager
def loadable(data: Path, contracts: Callable[[], Mapping[str, Contract] | None]) -> Iterator[Path]:
    """Give a directory of Parquet files with the tables of some data.

    It is the data's own unless a source is in CSV or the data are a DuckDB file. Then the declared
    columns of the sources are written to a temporary one, under the names that they have in the
    source, and Parquet files are taken as they are. The `contracts` are asked for only if it has
    other data than Parquet; None if no package is named.
    """
    others = [] if is_database(data) else [n for n in source_names(data) if _is_csv(data, n)]
    known = contracts() if others or is_database(data) else None
    if known is None and is_database(data):
        raise UsageError(
            f"{data} has no types to be loaded with, since no package is named",
            hint='name it in pyproject.toml:\n  [tool.marts]\n  package = "NAME"',
        )
    names = {(contract.source_name or name).lower() for name, contract in (known or {}).items()}
    if known is None or not (is_database(data) or names & {*others}):
        yield data
        return
    with TemporaryDirectory(prefix="marts_load_") as name:
        folder = Path(name).resolve()
        as_they_are = list[Path]()
        if not is_database(data):
            found = (find_source(data, n) for n in source_names(data) if n not in others)
            as_they_are = [path for path in found if path]
        for table in as_they_are:
            (folder / table.name).symlink_to(table)
        _write(data, folder, known, but=_files(as_they_are))
        yield folder


def _is_csv(data: Path, name: str) -> bool:
    try:
        path = find_source(data, name)
        return path is not None and files_of(path)[0].is_csv
    except SourceError:
        # Whoever loads it says so, with all other problems.
        return False


def _write(
    data: Path, folder: Path, contracts: Mapping[str, Contract], *, but: Collection[str]
) -> None:
    options = DuckDBOptions(database=Path(":memory:"), data=data, schema="gold")
    stored = {name: _as_stored(contract) for name, contract in contracts.items()}
    backend = DuckDBBackend(options, sources=stored, read_only=True)
    try:
        states = backend.describe_sources(stored)
        for name, state in states.items():
            contract, source = stored[name], backend.sources.found(name)
            if source is None or any(file.path in but for file in source.files):
                continue
            if missing := [each for each in contract.schema if each not in state.types]:
                raise SourceError(f"source {name}, {label(contract, missing[0])}: it is not there")
            rows = backend.sources.subquery(name)
            query = _under_their_names(contract).from_(cast("sge.Subquery", rows))
            file = folder / f"{contract.source_name or name}{SUFFIXES[0]}"
            backend.execute(copy_to_parquet(query.sql(DIALECT), str(file)))
    finally:
        backend.close()


def _files(tables: list[Path]) -> set[str]:
    return {file.path for table in tables for file in files_of(table)}


def _as_stored(contract: Contract) -> Contract:
    """Return a contract in which each column of the source occurs once, and moments are in UTC."""
    spelled: dict[str, str] = {}
    for column in contract.schema:
        spelled.setdefault(contract.names.get(column, column), column)
    schema = ibis.schema({each: contract.schema[each] for each in spelled.values()})
    zones = {each: "UTC" for each in spelled.values() if each in contract.zones}
    return replace(contract, schema=schema, zones=zones)


def _under_their_names(contract: Contract) -> sge.Select:
    """Return a query of a contract's columns, under the names that they have in the source."""
    columns = []
    for column in contract.schema:
        value: sge.Expression = sge.column(column, quoted=True)
        if column in contract.zones:
            value = sge.AtTimeZone(this=value, zone=sge.Literal.string("UTC"))
        columns.append(sge.alias_(value, contract.names.get(column, column), quoted=True))
    return sge.select(*columns)
