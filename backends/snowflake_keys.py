"""The grain of published tables as PRIMARY KEY … RELY.

Snowflake does not enforce a key, but its optimizer relies on one that says RELY: so a key that is
not the new grain is dropped before the new rows are visible, and the right one is declared after
that. https://docs.snowflake.com/en/user-guide/join-elimination
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from backends.snowflake_ddl import identifier
from backends.snowflake_governance import Records
from backends.snowflake_sql import Namespace


@dataclass(frozen=True)
class Key:
    """A declared primary key: its columns as the catalog spells them, in order."""

    columns: tuple[str, ...]
    is_relied_on: bool = True


def keys(namespace: Namespace, records: Records) -> dict[str, Key]:
    """Return the primary keys of a schema's tables, by table."""
    rows = records(f"SHOW PRIMARY KEYS IN SCHEMA {namespace.sql}", "keys")
    columns: dict[str, list[str]] = {}
    relied: dict[str, bool] = {}
    for row in sorted(rows, key=lambda row: int(row["key_sequence"])):
        columns.setdefault(row["table_name"], []).append(row["column_name"])
        relied[row["table_name"]] = str(row["rely"]).lower() == "true"
    return {table: Key(tuple(found), relied[table]) for table, found in columns.items()}


def same_columns(found: Key, grain: Sequence[str]) -> bool:
    """Tell whether a key has the columns of a grain, in whatever order."""
    return sorted(found.columns) == sorted(name.upper() for name in grain)


def drop_key(relation: str, found: Key | None, grain: Sequence[str]) -> list[str]:
    """Return the statement that drops a key other than the grain, to be run before publishing.

    Foreign keys that refer to it are dropped as well, since they are wrong, too.
    """
    if found is None or same_columns(found, grain):
        return []
    return [f"ALTER TABLE {relation} DROP PRIMARY KEY"]


def declare_key(relation: str, found: Key | None, grain: Sequence[str]) -> list[str]:
    """Return the statement that declares the grain, to be run after publishing.

    `found` is the key from before `drop_key`. There is none for a table without a checked grain.
    The columns become NOT NULL.
    """
    if not grain or (found and found.is_relied_on and same_columns(found, grain)):
        return []
    if found and same_columns(found, grain):
        return [f"ALTER TABLE {relation} MODIFY PRIMARY KEY RELY"]
    columns = ", ".join(map(identifier, grain))
    return [f"ALTER TABLE {relation} ADD PRIMARY KEY ({columns}) RELY"]
