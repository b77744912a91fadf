"""How fast the marts are read, and how often a run reads the facts."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from statistics import median

import duckdb
import sqlglot
from sqlglot import expressions as sge

FACTS = "fct_transactions"
REPEATS = 25
DASHBOARD = """
    SELECT customer_segment, count(*), avg(lifetime_value), avg(avg_transaction_value)
    FROM gold.customer_360_profile
    GROUP BY ALL
"""


def seconds_to_read(database: Path) -> dict[str, float]:
    """Return the median seconds of each read, in an open connection."""
    with duckdb.connect(str(database), read_only=True) as connection:
        ids = connection.execute(
            f"SELECT customer_id FROM gold.customer_360_profile USING SAMPLE {REPEATS} ROWS"
        ).fetchall()
        one = [
            _seconds(
                connection, "FROM gold.customer_360_profile WHERE customer_id = ?", (customer_id,)
            )
            for (customer_id,) in ids
        ]
        dashboard = [_seconds(connection, DASHBOARD) for _ in range(REPEATS)]
    return {"one customer's profile": median(one), "the segment dashboard": median(dashboard)}


def _seconds(
    connection: duckdb.DuckDBPyConnection, sql: str, values: tuple[str, ...] = ()
) -> float:
    started = time.perf_counter()
    connection.execute(sql, values).fetchall()
    return time.perf_counter() - started


def scans_of_facts(run_results: Path) -> dict[str, int]:
    """Return how often what builds each mart reads the facts, directly or through views."""
    tables = json.loads(run_results.read_text("utf-8"))["tables"]
    views: dict[str, int] = {}
    scans: dict[str, int] = {}
    # Sources are checked, not built.
    for table in (table for table in tables if table["sql"]):
        known = views if table["kind"] == "view" else scans
        known[table["name"]] = sum(_scans(table["sql"], views))
    return {name: count for name, count in scans.items() if count}


def _scans(sql: str, views: Mapping[str, int]) -> Iterator[int]:
    """Yield the scans of the facts that each table in a statement stands for."""
    for table in sqlglot.parse_one(sql, dialect="duckdb").find_all(sge.Table):
        is_facts = isinstance(table.this, sge.ReadParquet) and FACTS in table.sql("duckdb")
        yield 1 if is_facts else views.get(table.name, 0)
