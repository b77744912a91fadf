"""What DuckDB's catalog says about the relations in one schema, and their versions."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Mapping
from typing import Any

import ibis
import sqlglot.expressions as sge

from backends import duckdb_ddl as ddl
from backends.duckdb_connection import translated
from backends.duckdb_types import type_of
from backends.duckdb_views import words_of
from marts.core.plan.state import TableState

Rows = Callable[[str], list[tuple[Any, ...]]]
"""Runs a statement and returns its rows."""


def spelled(schema: str, rows: Rows, database: str | None = None) -> str:
    """Return the name of a schema as it is spelled there, or as given if there is no such schema.

    DuckDB finds a schema by its name in any case, but its catalog has the name as it was created.
    """
    found = rows(ddl.schemas_named(schema, database))
    return str(found[0][0]) if found else schema


class Catalog:
    """The relations in one schema, read again for each call: reading them is cheap.

    It is in the database that is open, or in an attached one.
    """

    def __init__(self, schema: str, rows: Rows, *, database: str | None = None) -> None:
        self.schema = schema
        self.rows = rows
        self.database = database

    def describe(self, versions: Collection[str]) -> dict[str, TableState]:
        """Return the columns of every relation in the schema, and the versions of those named."""
        columns = self.columns()
        found = self.versions({n: self.name_of(n) for n in versions if n in columns}, columns)
        return {
            name: TableState(
                ibis.schema({column: type_of(kind) for column, kind in kinds.items()}),
                version=found.get(name),
            )
            for name, kinds in columns.items()
        }

    def name_of(self, name: str) -> str:
        """Return the qualified name of a relation in the schema."""
        return self.qualified(name).sql(ddl.DIALECT)

    def qualified(self, name: str) -> sge.Table:
        """Return the qualified name of a relation in the schema, as a tree."""
        return ddl.qualified(self.schema, name, self.database)

    def kinds(self) -> dict[str, str]:
        """Return whether each relation is a table or a view, in the catalog's words."""
        return dict(self._view("tables", "table_name", "table_type"))

    def columns(self) -> dict[str, dict[str, str]]:
        """Return the columns of every relation, with DuckDB's types."""
        found: dict[str, dict[str, str]] = {}
        for table, column, kind in self._view("columns", "table_name", "column_name", "data_type"):
            found.setdefault(table, {})[column] = kind
        return found

    def versions(
        self, qualified: Mapping[str, str], columns: Mapping[str, Mapping[str, str]]
    ) -> dict[str, str]:
        """Return the version of each relation; `qualified` maps its name to where its rows are.

        The version of a table is a digest of all its rows; of a view, a digest of its definition.
        """
        found = {}
        for name, table in qualified.items():
            with translated(f"read {name}"):
                view = self.rows(ddl.definition_of_view(self.schema, name, self.database))
                rows = words_of(*view[0]) if view else self.rows(ddl.digest_of_rows(table))
            found[name] = hashlib.sha256(f"{columns[name]} {rows}".encode()).hexdigest()
        return found

    def _view(self, view: str, *columns: str) -> list[tuple[Any, ...]]:
        """Read the rows of an information schema view that belong to this schema."""
        database = self.database or sge.func("current_database")
        query = (
            sge.select(*columns)
            .from_(sge.table_(view, db="information_schema"))
            .where(sge.column("table_catalog").eq(database))
            .where(sge.column("table_schema").eq(self.schema))
        )
        if view == "columns":
            query = query.order_by("ordinal_position")
        with translated("read the catalog"):
            return self.rows(query.sql(ddl.DIALECT))
