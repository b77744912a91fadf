"""The table of runs on Snowflake.

The row of a run is inserted, which waits for no other run; from then on it is updated.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from backends import snowflake_runs_ddl as ddl
from backends.snowflake_candidates import LEFT_OVER_AFTER
from backends.snowflake_catalog import Catalog
from backends.snowflake_ddl import DIALECT, add_own_column, create_own, create_schema
from backends.snowflake_sql import Namespace
from backends.sql import RUNS, OwnTable, columns_to_add, publishing_runs
from marts.core.plan.runs import RUNS_TABLE, RecordedRun
from marts.core.run.backend import Backend


class RunsTable:
    """The table of runs in one schema; it is looked at once. `rows` runs a statement."""

    def __init__(
        self, namespace: Namespace, catalog: Catalog, rows: Callable[[str], list[tuple[Any, ...]]]
    ) -> None:
        self._namespace = namespace
        self._catalog = catalog
        self._rows = rows
        self._is_ready = False
        self._begun: set[str] = set()

    @property
    def qualified(self) -> str:
        """The qualified name of the table, as SQL."""
        return self._namespace.qualified(RUNS_TABLE).sql(DIALECT)

    def exists(self) -> bool:
        """Tell whether there is a table of runs."""
        return self._is_ready or RUNS_TABLE.upper() in self._catalog.kinds(self._namespace)

    def publishing(self, backend: Backend, *, but: str) -> list[RecordedRun]:
        """Return the runs of a day that are publishing, the most recent first, `but` one.

        Runs that were killed while they published are among them.
        """
        if not self.exists():
            return []
        since = datetime.datetime.now(datetime.UTC).replace(tzinfo=None) - LEFT_OVER_AFTER
        return publishing_runs(backend, but=but, since=since)

    def write(self, run: RecordedRun) -> None:
        """Write the row of a run, and commit it."""
        if not self._is_ready:
            prepare(RUNS, self._namespace, self._catalog, self._rows)
            self._is_ready = True
        if run.run_id in self._begun:
            # An insert that was interrupted may or may not have taken effect.
            (updated, *_), *_ = self._rows(ddl.update_run(self.qualified, asdict(run)))
            if updated:
                return
        self._begun.add(run.run_id)
        self._rows(ddl.insert_record(self.qualified, asdict(run)))


def prepare(
    own: OwnTable, namespace: Namespace, catalog: Catalog, execute: Callable[[str], object]
) -> None:
    """Create a table of marts' own if it does not exist; add columns that it lacks.

    Raises UsageError if marts did not make it.
    """
    name, table = own.name.upper(), namespace.qualified(own.name).sql(DIALECT)
    if name not in catalog.kinds(namespace):
        if not catalog.has_schema(namespace):
            execute(create_schema(namespace.sql))
        execute(create_own(table, own.columns))
        return
    rows = (row for row in catalog.columns(namespace) if row["TABLE_NAME"] == name)
    found = [row["COLUMN_NAME"].lower() for row in rows]
    for column, kind in columns_to_add(own, found).items():
        execute(add_own_column(table, column, kind))


def described(run: RecordedRun) -> str:
    """Return who announced a publication and when, in a line; it may have been killed since."""
    who = f"run {run.run_id} of user {run.user_name or 'unknown'} on {run.host_name or 'unknown'}"
    since = f"{run.publishing_since:%Y-%m-%d %H:%M:%S} UTC" if run.publishing_since else "unknown"
    return f"{who} announced its publication at {since} (as of {run.as_of})"
