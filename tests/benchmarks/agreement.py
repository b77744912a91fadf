"""Compare the tables of two databases: the benchmark's rivals compute what the marts do."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pyarrow as pa

from marts.core.proof.comparison import assert_same_table
from support.twins import GRAINS

TABLES = (
    "customer_segments",
    "metric_customer_ltv",
    "metric_avg_transaction_value",
    "metric_mom_spend_change",
    "customer_360_profile",
)
"""What every rival builds."""
PARTS = 20
"""A part of the customers at a time: the comparer holds all its rows in Python."""


def disagreements(marts: Path, rival: Path) -> list[str]:
    """Return where a rival's tables differ from the marts', in words; nothing where they agree.

    A rival's values are compared after a cast to the mart's types.
    """
    with duckdb.connect() as connection:
        connection.execute(f"ATTACH '{marts}' AS marts (READ_ONLY)")
        # By the name of its file, which SQLMesh's views contain.
        connection.execute(f"ATTACH '{rival}' (READ_ONLY)")
        return [line for name in TABLES for line in _differences(connection, rival.stem, name)]


def _differences(connection: duckdb.DuckDBPyConnection, rival: str, name: str) -> Iterator[str]:
    for part in range(PARTS):
        actual = _part(connection, f"{rival}.main.{name}", part)
        expected = _part(connection, f"marts.gold.{name}", part)
        if actual.column_names == expected.column_names:
            actual = actual.cast(expected.schema)
        try:
            assert_same_table(actual, expected, grain=GRAINS[name])
        except AssertionError as error:
            yield f"{name}: {' '.join(str(error).splitlines()[:3])}"
            return


def _part(connection: duckdb.DuckDBPyConnection, table: str, part: int) -> pa.Table:
    of_part = f"hash(customer_id) % {PARTS} = {part}"
    return connection.sql(f"FROM {table} WHERE {of_part}").to_arrow_table()
