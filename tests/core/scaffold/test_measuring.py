"""Which keys and references are found, and which are not taken for any."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from backends.duckdb_profile import DuckDBProfiler
from marts.core.scaffold.measuring import Measured, measure

N = range(300)
TABLES = {
    "customers": {"id": [*N], "name": [f"name {n}" for n in N], "mail": [f"m{n}@x" for n in N]},
    "loyalty": {"customer_id": [n for n in N if n % 3], "points": [n for n in N if n % 3]},
    "dim_airport": {"iata": [f"A{n}" for n in range(40)], "size": [n % 5 for n in range(40)]},
    "orders": {
        "order_no": [f"o{n}" for n in N],
        "customer": [n % 100 for n in N],
        "billing_customer_id": [n % 50 for n in N],
        "quantity": [n % 7 for n in N],
        "origin": [f"A{n % 30}" for n in N],
        "status": [f"A{n % 3}" for n in N],
        "parent_id": [n // 2 for n in N],
    },
    "stays": {
        "customer_id": [n // 3 for n in N],
        "comment": [f"comment {n}" for n in N],
        "line": [n % 3 for n in N],
    },
    "refunds": {"refund_id": [max(n, 1) for n in N], "order_no": [f"o{n // 2}" for n in N]},
    "log": {"customer_id": [n % 10 for n in N], "day": [n % 5 for n in N]},
}


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Measured]:
    """Return what is measured of these tables, by name."""
    folder = tmp_path_factory.mktemp("tables")
    for name, columns in TABLES.items():
        pq.write_table(pa.table(columns), folder / f"{name}.parquet")
    profiler = DuckDBProfiler(folder)
    try:
        return {each.table.name: each for each in measure(profiler, doing=lambda _: None)}
    finally:
        profiler.close()


@pytest.mark.parametrize(
    ("table", "key"),
    [
        ("customers", ("id",)),
        ("loyalty", ("customer_id",)),
        ("dim_airport", ("iata",)),
        ("orders", ("order_no",)),
        # A comment that happens to be unique is not a key where there is a better one.
        ("stays", ("customer_id", "line")),
        ("log", ()),
    ],
)
def test_keys(found: dict[str, Measured], table: str, key: tuple[str, ...]) -> None:
    assert found[table].key == key


@pytest.mark.parametrize(
    ("table", "references"),
    [
        ("customers", {}),
        ("loyalty", {"customer_id": "customers.id"}),
        ("dim_airport", {}),
        # Neither small numbers nor a few labels show anything.
        (
            "orders",
            {
                "customer": "customers.id",
                "billing_customer_id": "customers.id",
                "origin": "dim_airport.iata",
            },
        ),
        ("stays", {"customer_id": "customers.id"}),
        ("log", {"customer_id": "customers.id"}),
    ],
)
def test_references(found: dict[str, Measured], table: str, references: dict[str, str]) -> None:
    there = {each.column: f"{each.to_table}.{each.to_column}" for each in found[table].references}
    assert there == references


def test_a_column_that_is_almost_unique_is_told(found: dict[str, Measured]) -> None:
    # Half of the orders' numbers are different: nobody takes that for a key.
    assert found["refunds"].repeated == {"refund_id": 299}
    assert "refund_id" not in found["refunds"].unique
    assert found["customers"].repeated == {}
