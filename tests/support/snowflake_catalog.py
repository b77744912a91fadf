"""Rows of Snowflake's INFORMATION_SCHEMA, for tests without an account."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

TYPES: Mapping[str, tuple[str, int | None, int | None]] = {
    "INT": ("NUMBER", 38, 0),
    **{word: (word, None, None) for word in ("TEXT", "FLOAT", "DATE", "BOOLEAN", "VARIANT")},
    **{word: (word, None, None) for word in ("TIMESTAMP_NTZ", "TIMESTAMP_LTZ", "TIMESTAMP_TZ")},
}


def row(table: str, column: str, kind: str) -> dict[str, Any]:
    """Return a line of COLUMNS."""
    if kind.startswith("NUMBER"):
        precision, scale = map(int, kind[len("NUMBER(") : -1].split(","))
        typed: tuple[Any, ...] = ("NUMBER", precision, scale)
    else:
        typed = TYPES.get(kind, (kind, None, None))
    names = ("TABLE_NAME", "COLUMN_NAME", "DATA_TYPE", "NUMERIC_PRECISION", "NUMERIC_SCALE")
    return dict(zip(names, (table, column, *typed), strict=True))
