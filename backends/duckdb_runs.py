"""The table of runs on DuckDB, written within a transaction that the caller begins and commits."""

from __future__ import annotations

from dataclasses import asdict, replace

from backends import duckdb_ddl as ddl
from backends.duckdb_catalog import Catalog
from backends.duckdb_publication import Execute
from backends.process_user import user_of_process
from backends.sql import RUNS, OwnTable, columns_to_add
from marts.core.plan.runs import RUNS_TABLE, RecordedRun


class RunsTable:
    """The table of runs in one schema."""

    def __init__(self, catalog: Catalog, execute: Execute) -> None:
        self._catalog = catalog
        self._execute = execute
        self._begun: set[str] = set()

    def write(self, run: RecordedRun) -> None:
        """Write the row of a run, with the user of this process in it.

        It fails if the table is not as it must be: then `prepare` it in another transaction.
        """
        table = self._catalog.name_of(RUNS_TABLE)
        if run.run_id in self._begun:
            self._execute(ddl.forget_run(table, run.run_id))
        self._begun.add(run.run_id)
        self._execute(ddl.insert_record(table, asdict(replace(run, user_name=user_of_process()))))

    def prepare(self) -> None:
        """Create the table if it does not exist; add columns that an earlier version's lacks.

        Raises UsageError if marts did not make it.
        """
        prepare(RUNS, self._catalog, self._execute)


def prepare(own: OwnTable, catalog: Catalog, execute: Execute) -> None:
    """Create a table of marts' own if it does not exist; add columns that it lacks.

    Raises UsageError if marts did not make it.
    """
    table, found = catalog.name_of(own.name), catalog.columns().get(own.name)
    if found is None:
        execute(f"CREATE SCHEMA IF NOT EXISTS {ddl.quoted(catalog.schema)}")
        execute(ddl.create_own(table, own.columns))
        return
    for column, kind in columns_to_add(own, found).items():
        execute(ddl.add_own_column(table, column, kind))
