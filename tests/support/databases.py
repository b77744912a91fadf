"""What a reader sees in a database of published marts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb

Contents = dict[str, Any]
STATE = "gold.marts_state"
RUNS = "gold.marts_runs"


def contents(database: Path) -> Contents:
    """Return all that a reader sees, as count and hash of each table's rows, and each view's SQL.

    Of the table of state, which has the run's id, only names and dates; of the table of runs, to
    which every run adds a row, nothing.
    """
    with duckdb.connect(str(database), read_only=True) as connection:
        tables = connection.execute(
            "SELECT schema_name || '.' || table_name FROM duckdb_tables()"
        ).fetchall()
        views = connection.execute(
            "SELECT schema_name || '.' || view_name, sql FROM duckdb_views() WHERE NOT internal"
        ).fetchall()
        rows: Contents = {
            name: connection.execute(f"SELECT count(*), sum(hash(t)) FROM {name} AS t").fetchone()
            for (name,) in tables
            if name not in (STATE, RUNS)
        }
        state = connection.execute(
            f"SELECT name, as_of FROM {STATE} WHERE kind <> 'source' ORDER BY name"
        ).fetchall()
    return rows | dict(views) | {STATE: state}
