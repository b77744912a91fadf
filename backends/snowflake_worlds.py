"""Snowflake, handed its tables in a schema of its own, which is dropped: what proofs try there."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import ibis
import ibis.expr.types as ir
import pyarrow as pa
import pyarrow.parquet as pq
import sqlglot.expressions as sge

from backends import snowflake_ddl as ddl
from backends.snowflake_connection import SnowflakeOptions
from backends.snowflake_parameters import FIXED, SHOW_SESSION, refuse_others
from backends.snowflake_session import Result
from backends.snowflake_sql import Namespace, compiled, qualified_sql
from backends.snowflake_statements import Statements
from marts.core.errors import EngineError, UsageError
from marts.core.plan.state import CompiledQuery, Materialized

FEW_ROWS = 500
"""As many rows are written into the statement that creates their table; more are uploaded."""


class SnowflakeWorlds:
    """A scratch schema with sources and marts, by the real connector; dropped at the end."""

    def __init__(self, options: SnowflakeOptions, *, name: str, run_id: str) -> None:
        self.name = name
        self._statements = Statements(options)
        self._statements.run_id = run_id
        refuse_others(FIXED, self._execute(SHOW_SESSION, "session").fetchall())
        database = options.database or self._statements.sessions.current().connection.database
        if database is None:
            raise UsageError(
                "no database is named", hint="pass --database, or set it in connections.toml"
            )
        self._namespace = Namespace(f"MARTS_PROOF_{run_id.replace('-', '_')}", database)
        self._shown: set[str] = set()
        self._uploads = 0
        self._stage = self._qualified("MARTS_PROOF_FILES")
        self._execute(ddl.create_candidates_schema(self._namespace.sql), "begin")
        self._execute(ddl.create_temporary_stage(self._stage), "begin")

    def show(self, tables: Mapping[str, pa.Table]) -> None:
        """Let queries read these tables as the sources, and none of the earlier ones."""
        for name in self._shown - tables.keys():
            self._execute(ddl.drop("table", self._qualified(name)), "load", name)
        self._shown = set(tables)
        for name, table in tables.items():
            relation, types = self._qualified(name), ibis.Schema.from_pyarrow(table.schema)
            self._execute(ddl.create_empty(relation, types), "load", name)
            if table.num_rows > FEW_ROWS:
                self._upload(name, table)
            elif rows := table.to_pylist():
                sql = ddl.insert(relation, [row.values() for row in rows])
                self._execute(sql, "load", name)

    def compile(self, query: ir.Table) -> CompiledQuery:
        """Return a query in Snowflake's SQL, over the bare names of the tables it reads."""
        return compiled(query)

    def build(self, name: str, query: CompiledQuery, *, kind: Materialized) -> None:
        """Create a table or view, or replace it."""
        relation, sql = self._qualified(name), qualified_sql(query, {}, self._namespace)
        if kind == "view":
            sql = ddl.create_view(
                relation, sql, columns=query.columns, comment="", column_comments={}
            )
        else:
            sql = ddl.create_table_as(relation, sql)
        self._execute(sql, "build", name)

    def rows(self, query: CompiledQuery | str) -> pa.Table:
        """Return the rows of a query, or of a table by its name."""
        if isinstance(query, str):
            sql = sge.select("*").from_(self._namespace.qualified(query)).sql(ddl.DIALECT)
        else:
            sql = qualified_sql(query, {}, self._namespace)
        found = self._execute(sql, "query").fetch_arrow_all()
        found = found.rename_columns([name.lower() for name in found.column_names])
        for number, field in enumerate(found.schema):
            if pa.types.is_timestamp(field.type):
                times = found.column(number).cast(pa.timestamp("us"))
                found = found.set_column(number, field.name, times)
        return found

    def close(self) -> None:
        """Drop the schema."""
        with suppress(EngineError):
            self._execute(ddl.drop("schema", self._namespace.sql), "discard")
        self._statements.sessions.close()

    def _upload(self, name: str, table: pa.Table) -> None:
        self._uploads += 1
        there = ddl.stage_folder(self._stage, f"{self._uploads}")
        with tempfile.TemporaryDirectory(prefix="marts_proof_") as folder:
            file = Path(folder, "rows.parquet")
            pq.write_table(table, file)
            self._execute(ddl.put(file, there), "load", name)
        sql = ddl.copy_into(self._qualified(name), there)
        (loaded,) = self._execute(sql, "load", name).records()
        if loaded.get("rows_loaded") != table.num_rows:
            raise EngineError(
                f"Snowflake has not loaded all rows of {name}",
                f"{table.num_rows:,} rows were uploaded; {loaded.get('rows_loaded')} arrived",
            )

    def _qualified(self, name: str) -> str:
        return self._namespace.qualified(name).sql(ddl.DIALECT)

    def _execute(self, sql: str, step: str, about: str = "") -> Result:
        return self._statements.execute(sql, about=about, step=step)
