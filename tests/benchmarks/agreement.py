"""Compare the tables of two databases, in SQL: the benchmark's rivals compute what the marts do."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import duckdb

GRAINS: Mapping[str, tuple[str, ...]] = {
    "customer_segments": ("customer_id",),
    "metric_customer_ltv": ("customer_id",),
    "metric_avg_transaction_value": ("customer_id",),
    "metric_mom_spend_change": ("customer_id", "month"),
    "customer_360_profile": ("customer_id",),
}
TOLERANCE = 1e-9


def disagreements(marts: Path, rival: Path) -> list[str]:
    """Return where a rival's tables differ from the marts', in words; nothing where they agree.

    Columns must have the same names and order, and rows pair by grain. Floats are equal within a
    relative 1e-9, all else exactly, after a cast to the mart's type.
    """
    with duckdb.connect() as connection:
        connection.execute(f"ATTACH '{marts}' AS marts (READ_ONLY)")
        connection.execute(f"ATTACH '{rival}' AS rival (READ_ONLY)")
        return [line for name in GRAINS for line in _differences(connection, name)]


def _differences(connection: duckdb.DuckDBPyConnection, name: str) -> list[str]:
    types = _columns(connection, f"marts.gold.{name}")
    found = list(_columns(connection, f"rival.main.{name}"))
    if found != list(types):
        return [f"{name} has the columns {', '.join(found)}"]
    grain = GRAINS[name]
    counts = {
        column: f"count(*) FILTER ({_differs(column, kind)})"
        for column, kind in types.items()
        if column not in grain
    }
    lonely = "count(*) FILTER (m.customer_id IS NULL OR r.customer_id IS NULL)"
    row = connection.execute(
        f"SELECT {lonely}, {', '.join(counts.values())} FROM marts.gold.{name} AS m"
        f" FULL JOIN rival.main.{name} AS r USING ({', '.join(grain)})"
    ).fetchone()
    rows = dict(zip(["rows on one side alone", *counts], row or (), strict=True))
    return [f"{name}, {what}: {count}" for what, count in rows.items() if count]


def _columns(connection: duckdb.DuckDBPyConnection, table: str) -> dict[str, str]:
    return {name: kind for name, kind, *_ in connection.execute(f"DESCRIBE {table}").fetchall()}


def _differs(column: str, kind: str) -> str:
    mine, theirs = f"m.{column}", f"CAST(r.{column} AS {kind})"
    if kind != "DOUBLE":
        return f"{mine} IS DISTINCT FROM {theirs}"
    apart = f"abs({mine} - {theirs}) > {TOLERANCE} * greatest(abs({mine}), abs({theirs}), 1e-3)"
    return f"({mine} IS NULL) <> ({theirs} IS NULL) OR {apart}"
