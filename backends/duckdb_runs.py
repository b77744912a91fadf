"""The table of runs on DuckDB, written within a transaction that the caller begins and commits."""

from __future__ import annotations

import os
import pwd
from dataclasses import asdict, replace

from backends import duckdb_ddl as ddl
from backends.duckdb_catalog import Catalog
from backends.duckdb_publication import Execute
from backends.sql import columns_to_add
from marts.core.plan.state import RUNS_TABLE, RecordedRun


class RunsTable:
    """The table of runs in one schema; it is looked at once."""

    def __init__(self, catalog: Catalog, execute: Execute) -> None:
        self._catalog = catalog
        self._execute = execute
        self._is_ready = False

    def write(self, run: RecordedRun) -> None:
        """Write the row of a run, with the user of this process in it."""
        table = self._catalog.name_of(RUNS_TABLE)
        if not self._is_ready:
            self._prepare(table)
        row = asdict(replace(run, user_name=_user()))
        self._execute(ddl.forget_run(table, run.run_id))
        self._execute(ddl.insert_run(table, row))

    def committed(self) -> None:
        """Remember that the table is as it must be."""
        self._is_ready = True

    def _prepare(self, table: str) -> None:
        found = self._catalog.columns().get(RUNS_TABLE)
        if found is None:
            self._execute(f"CREATE SCHEMA IF NOT EXISTS {ddl.quoted(self._catalog.schema)}")
            self._execute(ddl.create_runs(table))
            return
        for column in columns_to_add(found):
            self._execute(ddl.add_run_column(table, column))


def _user() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        # In a container, a process may have a number only.
        return str(os.getuid())
