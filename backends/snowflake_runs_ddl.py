"""The SQL statements of the tables of runs and of proofs on Snowflake; pure functions."""

from __future__ import annotations

from collections.abc import Mapping

from backends.snowflake_ddl import identifier, value

WHO = {"user_name": "CURRENT_USER()", "role_name": "CURRENT_ROLE()"}
"""The columns that the session fills in when the row is inserted."""


def insert_record(relation: str, row: Mapping[str, object]) -> str:
    """Insert a row, with the session's user and role in it."""
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
