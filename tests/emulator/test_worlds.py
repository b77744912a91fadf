"""Worlds on Snowflake: marts are those of DuckDB, and nothing is left behind."""

from __future__ import annotations

import datetime
import tomllib
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal

import pyarrow as pa
import pytest
from snowflake.connector import SnowflakeConnection

from backends.duckdb_worlds import DuckDBWorlds
from backends.emulator.process import Emulator
from backends.snowflake_connection import SnowflakeOptions
from backends.snowflake_worlds import FEW_ROWS, SnowflakeWorlds
from marts.core.errors import EngineError
from marts.core.proof.building import WorldBuilder
from marts.core.proof.comparison import assert_same_table
from marts.core.proof.worlds import World
from marts.core.query.contract import schema_of
from support.workshop import AS_OF, CUSTOMERS, ORDERS, SHOP, customer, order

AWKWARD = (
    customer("o'clock", name='"Zoë"\n\\n'),
    customer("leap", joined_on=datetime.date(2024, 2, 29), city=None),
)


@pytest.fixture
def engine(adapted: Emulator, session: SnowflakeConnection) -> Iterator[SnowflakeWorlds]:
    text = (adapted.folder / "connections.toml").read_text("utf-8")
    options = SnowflakeOptions(schema="UNUSED", parameters=tomllib.loads(text)["emulator"])
    opened = SnowflakeWorlds(options, name="emulator", run_id="RUN-1")
    yield opened
    opened.close()
    schemas = session.cursor().execute("SHOW SCHEMAS").fetchall()  # type: ignore[union-attr]
    assert [name for _, name, *_ in schemas if name.startswith("MARTS_PROOF")] == []


def world(orders: int) -> World:
    at = datetime.datetime(2025, 3, 1, 23, 59, 59, 999999)  # noqa: DTZ001
    many = [order(f"m{n}", "leap", f"{n}.10", ordered_at=at) for n in range(orders)]
    rows = {
        "customers": (*CUSTOMERS, *AWKWARD),
        "orders": (*ORDERS, *many),
    }
    schemas = {name: schema_of(SHOP.project.sources[name].columns).to_pyarrow() for name in rows}
    tables = {name: pa.Table.from_pylist(list(rows[name]), schemas[name]) for name in rows}
    return World(tables, AS_OF)


def test_the_marts_are_those_of_duckdb(engine: SnowflakeWorlds) -> None:
    there, here = WorldBuilder(SHOP, engine), WorldBuilder(SHOP, DuckDBWorlds())
    # Rows are uploaded, written into a statement, and none are there at all.
    for number in (FEW_ROWS, 3, 0):
        found = world(number)
        if number == 0:
            found = replace(found, tables={n: t.slice(0, 0) for n, t in found.tables.items()})
        actual, expected = there.build(found), here.build(found)
        for name in SHOP.order:
            grain = SHOP.project.marts[name].grain
            assert_same_table(
                actual.tables[name], expected.tables[name], grain=grain, sql=actual.sql[name]
            )
    sources = engine.rows("customers").to_pylist()
    assert sources == []


def test_values_arrive_as_they_are(engine: SnowflakeWorlds) -> None:
    table = pa.table(
        {
            "text": ["a'b\\n", None],
            "number": pa.array([Decimal("-0.01"), None], pa.decimal128(10, 2)),
            "share": [0.1, 1e-300],
            "flag": [True, None],
            "day": [datetime.date(2024, 2, 29), None],
        }
    )
    engine.show({"t": table})
    assert engine.rows("t").to_pylist() == table.to_pylist()
    engine.show({})
    with pytest.raises(EngineError):
        engine.rows("t")
