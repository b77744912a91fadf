"""The marts of another environment on DuckDB: in another file, or in another schema of this one."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import sqlglot.expressions as sge

from backends import duckdb_ddl as ddl
from backends.duckdb_catalog import Catalog, Rows, spelled
from backends.duckdb_connection import DuckDBOptions, ElsewhereOptions, opening_another
from backends.duckdb_sql import compiled, qualified_sql
from backends.sql import own_place, recorded
from marts.core.errors import UsageError
from marts.core.plan.state import Query, RecordedTable, TableState

Fetch = Callable[[str], list[dict[str, Any]]]
"""Runs a query, and returns its rows."""


class Elsewhere:
    """The schema of another environment, only to be read.

    Nobody can write to it meanwhile: this process holds its own file, and has opened the other one
    for reading, which keeps writers out.
    """

    def __init__(self, options: ElsewhereOptions, catalog: Catalog, fetch: Fetch) -> None:
        self.environment = options.environment
        self.where = f"{options.database}, schema {options.schema}"
        self.catalog = catalog
        self._fetch = fetch

    def describe_published(self, versions: Collection[str] = ()) -> Mapping[str, TableState]:
        """Return the state of every relation there, with the versions of those named."""
        return self.catalog.describe(versions)

    def state(self) -> Sequence[RecordedTable]:
        """Return what any package has recorded of the relations there."""
        return recorded(self, self.catalog.kinds())

    def fetch(self, query: Query, *, about: str) -> list[dict[str, Any]]:  # noqa: ARG002
        """Run a query over the relations there, and return its rows."""
        found = compiled(query)
        known: dict[str, sge.Table | sge.Subquery] = {
            name: self.catalog.qualified(name) for name in found.names
        }
        return self._fetch(qualified_sql(found, known, self.catalog.schema))


def elsewhere(
    options: DuckDBOptions, rows: Rows, fetch: Fetch, execute: Callable[[str], None]
) -> Elsewhere | None:
    """Return the other environment of the options; attach its file if it is another one.

    Raises UsageError if it is the place that marts are published to or does not exist, EngineError
    if another process has the file open for writing.
    """
    there = options.elsewhere
    if there is None:
        return None
    if not there.database.exists():
        raise UsageError(
            f"nothing is published in {there.environment}: there is no {there.database}",
            hint=f"publish its marts: marts run --env {there.environment}",
        )
    if options.database.exists() and options.database.samefile(there.database):
        # DuckDB does not distinguish their case.
        if there.schema.lower() == options.schema.lower():
            raise own_place(there.environment, f"{there.database}, schema {there.schema}")
        return Elsewhere(there, Catalog(spelled(there.schema, rows), rows), fetch)
    # No schema can have this name by accident.
    name = f"environment {there.environment}"
    with opening_another(there.database, "--defer"):
        execute(ddl.attach_read_only(str(there.database), name))
    schema = spelled(there.schema, rows, name)
    return Elsewhere(there, Catalog(schema, rows, database=name), fetch)


def names_there(there: Elsewhere | None, names: Collection[str]) -> dict[str, sge.Table]:
    """Return the qualified names of marts that are read in the other environment."""
    return {name: there.catalog.qualified(name) for name in names} if there else {}
