"""What Snowflake's catalog says of tables and columns, as facts; pure functions."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

import ibis
import ibis.expr.datatypes as dt

from marts.core.plan.state import TableState

VERSION = ("CREATED", "LAST_ALTERED", "ROW_COUNT", "BYTES")
"""What the catalog says of a table that changes with its rows."""
PUBLISHED_VERSION = ("CREATED", "ROW_COUNT")
"""What it says of a mart that stays as long as nobody touches it; the others change by upkeep."""


def described(
    tables: Mapping[str, Mapping[str, Any]], columns: Iterable[Mapping[str, Any]]
) -> dict[str, TableState]:
    """Return what the rows of TABLES, by name, and of COLUMNS say of each published relation.

    Names are in lower case; versions change with the columns, too.
    """
    types: dict[str, dict[str, dt.DataType]] = {name: {} for name in tables}
    for row in columns:
        found = types.setdefault(row["TABLE_NAME"], {})
        found[row["COLUMN_NAME"].lower()] = _data_type(row)
    return {
        name.lower(): _described(ibis.schema(schema), tables.get(name, {}))
        for name, schema in types.items()
    }


def _described(schema: ibis.Schema, table: Mapping[str, Any]) -> TableState:
    text = " ".join(str(table.get(column)) for column in PUBLISHED_VERSION)
    columns = hashlib.sha256(str(list(schema.items())).encode()).hexdigest()
    return TableState(schema, table.get("ROW_COUNT"), f"{text} {columns}")


def source_version(table: Mapping[str, Any]) -> str | None:
    """Return what changes whenever a source's rows do; None for a view.

    What a view shows changes while the catalog says nothing of it.
    """
    is_dated = table["TABLE_TYPE"] == "BASE TABLE" and table["LAST_ALTERED"]
    return " ".join(str(table[column]) for column in VERSION) if is_dated else None


TYPES: Mapping[str, dt.DataType] = {
    "TEXT": dt.string,
    "FLOAT": dt.float64,
    "DATE": dt.date,
    "BOOLEAN": dt.boolean,
    "TIMESTAMP_NTZ": dt.timestamp,
    "TIMESTAMP_LTZ": dt.Timestamp(timezone="UTC"),
    "TIMESTAMP_TZ": dt.Timestamp(timezone="UTC"),
}


def _data_type(row: Mapping[str, Any]) -> dt.DataType:
    """Return Ibis's type of a column in the catalog; every whole number is an int64."""
    if row["DATA_TYPE"] != "NUMBER":
        return TYPES.get(row["DATA_TYPE"], dt.unknown)
    if row["NUMERIC_SCALE"] == 0:
        return dt.int64
    return dt.Decimal(row["NUMERIC_PRECISION"], row["NUMERIC_SCALE"])
