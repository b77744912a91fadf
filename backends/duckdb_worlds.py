"""DuckDB in memory, handed its tables: what proofs try small data sets on."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import ibis.expr.types as ir
import pyarrow as pa

from backends import duckdb_ddl as ddl
from backends.duckdb_connection import DuckDBOptions, connect, translated
from backends.duckdb_sql import compiled, qualified_sql
from marts.core.plan.state import CompiledQuery, Materialized

SCHEMA = "main"


class DuckDBWorlds:
    """A database in memory, with sources and marts in one schema."""

    name = "duckdb"

    def __init__(self, *, threads: int = 1) -> None:
        options = DuckDBOptions(
            database=Path(":memory:"), data=None, schema=SCHEMA, threads=threads
        )
        self._connection = connect(options, read_only=False)
        self._shown: set[str] = set()
        self._built: dict[str, str] = {}

    def show(self, tables: Mapping[str, pa.Table]) -> None:
        """Let queries read these tables as the sources, and none of the earlier ones."""
        for name in self._shown - tables.keys():
            self._connection.unregister(name)
        for name, table in tables.items():
            self._connection.register(name, table)
        self._shown = set(tables)

    def compile(self, query: ir.Table) -> CompiledQuery:
        """Return a query in DuckDB's SQL, over the bare names of the tables it reads."""
        return compiled(query)

    def build(self, name: str, query: CompiledQuery, *, kind: Materialized) -> None:
        """Create a table or view, or replace it."""
        relation = ddl.qualified(SCHEMA, name).sql(ddl.DIALECT)
        word = "VIEW" if kind == "view" else "TABLE"
        sql = ddl.create(f"OR REPLACE {word}", relation, self._sql(query))
        with translated(f"build {name}", sql):
            # A table replaces no view, nor a view a table.
            if (former := self._built.get(name, word)) != word:
                self._connection.execute(f"DROP {former} {relation}")
            self._connection.execute(sql)
        self._built[name] = word

    def rows(self, query: CompiledQuery | str) -> pa.Table:
        """Return the rows of a query, or of a table by its name."""
        named = isinstance(query, str)
        sql = f"FROM {ddl.quoted(query)}" if isinstance(query, str) else self._sql(query)
        with translated(f"read {query}" if named else "run a query", sql):
            # DuckDB 2 warns of a copy that `execute` makes.
            return self._connection.sql(sql).to_arrow_table()

    def close(self) -> None:
        """Drop everything."""
        self._connection.close()

    def _sql(self, query: CompiledQuery) -> str:
        names = query.names & self._shown
        if names not in query.texts:
            shown = {name: ddl.qualified(SCHEMA, name, ddl.TEMPORARY) for name in names}
            query.texts[names] = qualified_sql(query, shown, SCHEMA)
        return query.texts[names]
