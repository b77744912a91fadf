"""The SQL statements of the table of runs on Snowflake; pure functions."""

from __future__ import annotations

from collections.abc import Mapping

import ibis

from backends.snowflake_ddl import column_type, identifier, value
from marts.core.plan.state import RUNS_COLUMNS

WHO = {"user_name": "CURRENT_USER()", "role_name": "CURRENT_ROLE()"}
"""The columns that the session fills in when the row is inserted."""


def add_run_column(relation: str, name: str) -> str:
    """Add a column that an earlier version's table of runs lacks."""
    return f"ALTER TABLE {relation} ADD COLUMN IF NOT EXISTS {identifier(name)} {_type_of(name)}"


def _type_of(name: str) -> str:
    return column_type(ibis.dtype(RUNS_COLUMNS[name]))


def insert_run(relation: str, row: Mapping[str, object]) -> str:
    """Insert the row of a run, with the session's user and role in it."""
    names = ", ".join(map(identifier, row))
    values = ", ".join(WHO.get(name) or value(each) for name, each in row.items())
    return f"INSERT INTO {relation} ({names})\nSELECT {values}"


def update_run(relation: str, row: Mapping[str, object]) -> str:
    """Update the row of a run, if there is one; its user and role stay."""
    sets = ", ".join(
        f"{identifier(name)} = {value(each)}"
        for name, each in row.items()
        if name not in WHO and name != "run_id"
    )
    return f"UPDATE {relation} SET {sets}\nWHERE {identifier('run_id')} = {value(row['run_id'])}"
