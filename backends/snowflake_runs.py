"""The table of runs on Snowflake.

The row of a run is inserted, which waits for no other run; from then on it is updated.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from backends import snowflake_runs_ddl as ddl
from backends.snowflake_catalog import Catalog
from backends.snowflake_ddl import DIALECT, add_own_column, create_own, create_schema
from backends.snowflake_sql import Namespace
from backends.sql import RUNS, columns_to_add
from marts.core.plan.state import RUNS_COLUMNS, RUNS_TABLE, RecordedRun


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

    def write(self, run: RecordedRun) -> None:
        """Write the row of a run, and commit it."""
        if not self._is_ready:
            self._prepare()
            self._is_ready = True
        if run.run_id in self._begun:
            # An insert that was interrupted may or may not have taken effect.
            (updated, *_), *_ = self._rows(ddl.update_run(self.qualified, asdict(run)))
            if updated:
                return
        self._begun.add(run.run_id)
        self._rows(ddl.insert_record(self.qualified, asdict(run)))

    def _prepare(self) -> None:
        if not self.exists():
            if not self._catalog.has_schema(self._namespace):
                self._rows(create_schema(self._namespace.sql))
            self._rows(create_own(self.qualified, RUNS_COLUMNS))
            return
        columns = self._catalog.columns(self._namespace)
        found = [row["COLUMN_NAME"] for row in columns if row["TABLE_NAME"] == RUNS_TABLE.upper()]
        for column, kind in columns_to_add(RUNS, [name.lower() for name in found]).items():
            self._rows(add_own_column(self.qualified, column, kind))


def described(run: RecordedRun) -> str:
    """Return who announced a publication and when, in a line; it may have been killed since."""
    who = f"run {run.run_id} of user {run.user_name or 'unknown'} on {run.host_name or 'unknown'}"
    since = f"{run.publishing_since:%Y-%m-%d %H:%M:%S} UTC" if run.publishing_since else "unknown"
    return f"{who} announced its publication at {since} (as of {run.as_of})"
