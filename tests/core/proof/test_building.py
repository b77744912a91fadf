"""Marts of a world in memory are those that a run publishes, from one world after another."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from backends.duckdb_worlds import DuckDBWorlds
from marts.core.authoring.tables import checked_key
from marts.core.errors import EngineError
from marts.core.proof.building import WorldBuilder
from marts.core.proof.comparison import assert_same_table
from marts.core.proof.worlds import World
from marts.core.query.contract import schema_of
from support.workshop import AS_OF, CUSTOMERS, ORDERS, SHOP, shop_in

SOURCES = SHOP.project.sources


def world(**rows: object) -> World:
    tables = {"customers": CUSTOMERS, "orders": ORDERS} | rows
    return World(
        {
            name: pa.Table.from_pylist(list(rows), schema_of(SOURCES[name].columns).to_pyarrow())  # type: ignore[call-overload]
            for name, rows in tables.items()
        },
        AS_OF,
    )


def test_the_marts_are_those_that_a_run_publishes(tmp_path: Path) -> None:
    shop = shop_in(tmp_path)
    assert shop.run().status == "published"
    builder = WorldBuilder(SHOP, DuckDBWorlds())
    builder.build(world(orders=ORDERS[:1]))
    built = builder.build(world())
    assert shop.published().keys() <= built.tables.keys() == {*SHOP.order}
    with duckdb.connect(str(shop.database), read_only=True) as reader:
        for name in shop.published():
            assert_same_table(
                built.tables[name],
                reader.sql(f"FROM gold.{name}").to_arrow_table(),
                grain=checked_key(SHOP.project.marts[name]),
                sql=built.sql[name],
            )


def test_a_source_of_an_earlier_world_is_not_read() -> None:
    engine = DuckDBWorlds()
    builder = WorldBuilder(SHOP, engine)
    builder.build(world())
    without = replace(world(), tables={"orders": world().tables["orders"]})
    engine.show(without.tables)
    with pytest.raises(EngineError, match="customers"):
        engine.rows("customers")


def test_worlds_with_the_same_query_share_its_sql_and_no_others_do() -> None:
    builder = WorldBuilder(SHOP, DuckDBWorlds())
    one, other = world(), replace(world(), as_of=AS_OF.replace(year=AS_OF.year - 1))
    dated = 0
    for mart in SHOP.project.marts.values():
        made = [builder.queries(each).compiled(mart) for each in (one, other)]
        fresh = WorldBuilder(SHOP, DuckDBWorlds()).queries(other).compiled(mart)
        assert made[1] is not None
        assert fresh is not None
        assert made[1].sql == fresh.sql
        assert (made[0] is made[1]) == ("as_of" not in mart.parameters)
        dated += "as_of" in mart.parameters
    assert 0 < dated < len(SHOP.project.marts)
