"""The account that end-to-end tests build marts in: the emulator, or a real one when asked to.

`pytest --backend snowflake --connection NAME [--database DB]` takes a connection of the caller's
connections.toml. There every schema begins with a name made for this run, and is dropped after it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Unpack

import pyarrow as pa
import pytest
from snowflake import connector

from backends.emulator.faults import Told
from backends.emulator.process import Emulator
from emulator.fixtures import write_connections
from marts.core.kit.emulated import DATABASE
from marts.core.plan.runs import RUNS_TABLE
from support import grammar
from support.processes import Process, Result, call_marts, marts_process, started

Row = tuple[Any, ...]

CATALOG = {"tables": ("TABLE_NAME",), "columns": ("TABLE_NAME", "ORDINAL_POSITION")}


@dataclass(frozen=True)
class Account:
    """A connection's name, and what tests ask of the account behind it."""

    name: str
    database: str
    session: connector.SnowflakeConnection
    emulator: Emulator | None = None
    prefix: str = ""
    schemas: set[str] = field(default_factory=set)

    def schema(self, name: str) -> str:
        """Return the name of a schema for tests, which is dropped after them."""
        self.schemas.add(self.prefix + name)
        return self.prefix + name

    def load_words(self, sources: str) -> list[str]:
        """Return the words that load data into a schema."""
        location = ["--connection", self.name, "--database", self.database]
        return ["load", *location, "--source-schema", self.schema(sources)]

    def words(self, *, schema: str, sources: str | None = None) -> list[str]:
        """Return the options that name connection, database and schemas."""
        location = ["--connection", self.name, "--database", self.database]
        location += ["--schema", self.schema(schema)]
        return [*location, "--source-schema", self.schema(sources)] if sources else location

    def run_words(self, *, schema: str, sources: str) -> list[str]:
        """Return the options of commands that can choose their engine."""
        return ["--backend", "snowflake", *self.words(schema=schema, sources=sources)]

    def process(self, *words: object, cwd: Path, **environment: str) -> Result:
        """Run `marts …` as a user would, in a process."""
        return marts_process(*words, cwd=cwd, **self.environment() | environment)

    def call(self, *words: object, cwd: Path, **environment: str) -> Result:
        """Run `marts …` in this process, which has loaded already what takes seconds to load."""
        return call_marts(*words, cwd=cwd, **self.environment() | environment)

    def environment(self) -> dict[str, str]:
        """Return the variables by which this process, or another one, finds the connection."""
        return self.emulator.environment if self.emulator else {}

    def started(
        self, *words: object, cwd: Path, **environment: str
    ) -> AbstractContextManager[Process]:
        """Start `marts …` as a process group of its own; kill what is left of it."""
        return started(*words, cwd=cwd, **self.environment() | environment)

    def rows(self, sql: str) -> list[Row]:
        """Return a query's rows."""
        return self.session.cursor().execute(sql).fetchall()  # type: ignore[union-attr]

    def table(self, schema: str, name: str) -> pa.Table:
        """Return a table's rows, names in lower case, times in microseconds."""
        cursor = self.session.cursor().execute(f"SELECT * FROM {self.location(schema, name)}")
        rows = cursor.fetch_arrow_all(force_return_table=True)  # type: ignore[union-attr]
        rows = rows.rename_columns([column.lower() for column in rows.column_names])
        times = [each for each in rows.schema if pa.types.is_timestamp(each.type)]
        for each in times:
            number = rows.schema.get_field_index(each.name)
            values = rows.column(number).cast(pa.timestamp("us"))
            rows = rows.set_column(number, each.name, values)
        return rows

    def location(self, schema: str, name: str) -> str:
        """Return a relation's qualified name."""
        return f'"{self.database}"."{self.schema(schema)}"."{name.upper()}"'

    def catalog(self, view: str, schema: str, *columns: str) -> list[Row]:
        """Return columns of INFORMATION_SCHEMA's view for a schema, in order."""
        return self.rows(
            f'SELECT {", ".join(columns)} FROM "{self.database}".INFORMATION_SCHEMA.{view.upper()}'
            f" WHERE TABLE_SCHEMA = '{self.schema(schema)}' ORDER BY {', '.join(CATALOG[view])}"
        )

    def tables(self, schema: str) -> list[str]:
        """Return the names of a schema's tables and views, but not of the table of runs."""
        names = [name for (name,) in self.catalog("tables", schema, "TABLE_NAME")]
        return [name for name in names if name != RUNS_TABLE.upper()]

    @contextmanager
    def left_as_found(self) -> Iterator[None]:
        """Drop the schemas that are made in the emulator meanwhile."""
        known = self._all_schemas()
        yield
        if self.emulator:
            for schema in self._all_schemas() - known:
                self.rows(f'DROP SCHEMA "{self.database}"."{schema}"')

    def _all_schemas(self) -> set[str]:
        sql = f'SELECT SCHEMA_NAME FROM "{self.database}".INFORMATION_SCHEMA.SCHEMATA'
        return {name for (name,) in self.rows(sql)}

    def contents(self, schema: str) -> dict[str, list[Row]]:
        """Return all rows of every such relation of a schema, in an order of their own."""
        return {
            name: sorted(self.rows(f"SELECT * FROM {self.location(schema, name)}"), key=repr)
            for name in self.tables(schema)
        }

    @contextmanager
    def told(self, **what: Unpack[Told]) -> Iterator[Emulator]:
        """Let the emulator fail, lose or stall statements, or lines go dead, for a while."""
        assert self.emulator
        self.emulator.control(**what)
        try:
            yield self.emulator
        finally:
            self.emulator.control()

    @contextmanager
    def recorded(self, kind: str = "statement") -> Iterator[list[dict[str, Any]]]:
        """Give what arrives meanwhile, once that is over."""
        assert self.emulator
        events: list[dict[str, Any]] = []
        before = len(self.emulator.events(kind))
        yield events
        events += self.emulator.events(kind)[before:]


@contextmanager
def account(request: pytest.FixtureRequest) -> Iterator[Account]:
    """Open the account of pytest's options, by default the emulator of the kit."""
    config = request.config
    name, database = config.getoption("--connection"), config.getoption("--database")
    if (config.getoption("--backend") is None) != (name is None):
        raise pytest.UsageError("a real account needs both: --backend snowflake --connection NAME")
    if name is None:
        opened = emulated_account(request.getfixturevalue("snowflake_emulator"))
    else:
        opened = real_account(name, database)
    with opened as found:
        yield found


@contextmanager
def emulated_account(running: Emulator) -> Iterator[Account]:
    """Open an account in an emulator; check the statements it was sent, at the end."""
    write_connections(running.folder, running.port)
    with running.connect(**SESSION) as session:
        yield Account(running.connection, DATABASE, session, running)
        grammar.check(grammar.sent_by_marts(running.events("statement")))


@contextmanager
def real_account(name: str, database: str | None) -> Iterator[Account]:
    """Open an account by a connection of connections.toml; drop our schemas at the end."""
    given = {"database": database} if database else {}
    with connector.connect(connection_name=name, **given, **SESSION) as session:
        if session.database is None:
            raise pytest.UsageError("name a database: --database DB, or in connections.toml")
        prefix = f"MARTS_TEST_{os.urandom(4).hex()}_".upper()
        opened = Account(name, session.database, session, prefix=prefix)
        try:
            yield opened
        finally:
            for schema in [each + end for each in opened.schemas for end in ("_CANDIDATES", "")]:
                session.cursor().execute(f'DROP SCHEMA IF EXISTS "{session.database}"."{schema}"')


SESSION: Mapping[str, Any] = {
    "arrow_number_to_decimal": True,
    "session_parameters": {"TIMEZONE": "UTC", "QUERY_TAG": "marts, tests"},
}
