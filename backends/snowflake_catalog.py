"""What Snowflake's catalog says of tables and columns, as facts; pure functions."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import ibis
import ibis.expr.datatypes as dt

from backends.protocol import Contract, Described

VERSION = ("CREATED", "LAST_ALTERED", "ROW_COUNT", "BYTES")
"""What the catalog says of a table that changes with its rows."""
PUBLISHED_VERSION = ("CREATED", "ROW_COUNT")
"""What it says of a mart that stays as long as nobody touches it; the others change by upkeep."""


def described(
    tables: Mapping[str, Mapping[str, Any]],
    columns: Iterable[Mapping[str, Any]],
    version: tuple[str, ...] | None,
) -> dict[str, Described]:
    """Return what the rows of TABLES, by name, and of COLUMNS say of each relation.

    Names are in lower case; versions are made of some of TABLES' columns, by default a source's.
    """
    types: dict[str, dict[str, dt.DataType]] = {name: {} for name in tables}
    for row in columns:
        found = types.setdefault(row["TABLE_NAME"], {})
        found[row["COLUMN_NAME"].lower()] = _data_type(row)
    return {
        name.lower(): _described(ibis.schema(schema), tables.get(name, {}), version)
        for name, schema in types.items()
    }


def _described(
    schema: ibis.Schema, table: Mapping[str, Any], version: tuple[str, ...] | None
) -> Described:
    """Return what the catalog says of a relation; a view that is a source has no version.

    What a view shows changes while the catalog says nothing of it. That of a mart changes with its
    columns, too.
    """
    text = " ".join(str(table.get(column)) for column in version or VERSION)
    if version:
        columns = hashlib.sha256(str(list(schema.items())).encode()).hexdigest()
        return Described(schema, table.get("ROW_COUNT"), f"{text} {columns}")
    is_dated = table.get("TABLE_TYPE") == "BASE TABLE" and table["LAST_ALTERED"]
    return Described(schema, table.get("ROW_COUNT"), text if is_dated else None)


def read_in_zones(table: Described, contract: Contract | None) -> Described:
    """Return a source with its moments as the time of day in their zones; misfits for others."""
    types, misfits = dict(table.schema.items()), []
    for name, zone in (contract.zones if contract else {}).items():
        if getattr(types.get(name), "timezone", None) is not None:
            types[name] = dt.timestamp
        elif name in types:
            misfits.append(
                f"column {name}: expected timestamp with a zone, to read in {zone},"
                f" found {types[name]}"
            )
    return replace(table, schema=ibis.schema(types), misfits=tuple(misfits))


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
