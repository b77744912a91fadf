"""What an incremental run could save: the work on the customers of a day, beside that on all."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import duckdb

FACTS, CUSTOMERS = "int_approved_transactions", "int_customers"
SUMMARY, MONTHS = "int_customer_transaction_summary", "metric_mom_spend_change"
TOUCHED = f"""
    CREATE TEMP TABLE touched AS
    SELECT DISTINCT customer_number, customer_id
    FROM {FACTS} JOIN {CUSTOMERS} USING (customer_number)
    WHERE transaction_date = (SELECT max(transaction_date) FROM {FACTS})
"""
THEIRS = f"(FROM {FACTS} SEMI JOIN touched USING (customer_number))"


@dataclass(frozen=True)
class NextDay:
    """Seconds for the tables that read transactions: made anew, and for a day's customers alone.

    `of_all` includes reading the facts. `of_touched` does not: to append a day is as good as free.
    Medians and months of its customers come from all their transactions, other customers' rows are
    copied.
    """

    customers: int
    share_of_rows: float
    of_all: float
    of_touched: float


def measure(database: Path, results: Path, *, rounds: int) -> NextDay:
    """Take turns on a published database, with the SQL that a run reported; nothing is changed."""
    tables = json.loads(results.read_text("utf-8"))["tables"]
    temporary = [table["name"] for table in tables if table["kind"] == "temporary"]
    built = [table for table in tables if table["sql"]]
    sql = {table["name"]: _of_temporaries(table["sql"], temporary) for table in built}
    with duckdb.connect(str(database), read_only=True) as connection:
        connection.execute("SET enable_progress_bar = false")
        for name in temporary:
            connection.execute(f"CREATE TEMP TABLE {name} AS {sql[name]}")
        connection.execute(TOUCHED)
        customers, share = connection.execute(
            f"SELECT (SELECT count(*) FROM touched), (SELECT count(*) FROM {THEIRS}) / count(*)"
            f" FROM {FACTS}"
        ).fetchall()[0]
        turns = [
            [
                _seconds(connection, [sql[FACTS], sql[SUMMARY], sql[MONTHS]]),
                _seconds(connection, _of_touched(sql)),
            ]
            for _ in range(rounds)
        ]
    of_all, of_touched = (median(each) for each in zip(*turns, strict=True))
    return NextDay(customers, share, of_all, of_touched)


def _of_temporaries(sql: str, names: Iterable[str]) -> str:
    """Return SQL that reads temporary marts where they are here: not among what is published."""
    for name in names:
        sql = sql.replace(f'"gold"."{name}"', f'"{name}"')
    return sql


def _of_touched(sql: Mapping[str, str]) -> Iterator[str]:
    for table, location in ((SUMMARY, SUMMARY), (MONTHS, f"gold.{MONTHS}")):
        theirs = sql[table].replace(f'"{FACTS}"', THEIRS)
        yield f"""
            SELECT * FROM ({theirs}) SEMI JOIN touched USING (customer_id)
            UNION ALL
            SELECT * FROM {location} ANTI JOIN touched USING (customer_id)
        """


def _seconds(connection: duckdb.DuckDBPyConnection, queries: Iterable[str]) -> float:
    started = time.perf_counter()
    for query in queries:
        connection.execute(f"CREATE OR REPLACE TEMP TABLE made AS {query}")
    return time.perf_counter() - started
