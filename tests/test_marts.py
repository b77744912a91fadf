"""Every public mart equals its pandas twin, whatever the world."""

from __future__ import annotations

import datetime
from collections.abc import Mapping

import pyarrow as pa
import pytest
from hypothesis import given

from compare import assert_same_table
from data_sets import bundled
from engines import GRAPH, DuckDBEngine
from marts.core.contract import schema_of
from reference.all_marts import GRAINS, TWINS
from reference.example import star
from worlds import World, scripted_world, worlds


@pytest.fixture(scope="module")
def engine() -> DuckDBEngine:
    return DuckDBEngine()


def assert_marts_equal_twins(
    engine: DuckDBEngine, tables: Mapping[str, pa.Table], as_of: datetime.date
) -> None:
    built, statements = engine.build(tables, as_of)
    for name, twin in TWINS.items():
        assert_same_table(
            built[name], twin(tables, as_of), grain=GRAINS[name], sql=statements[name]
        )


@given(world=worlds())
def test_marts_equal_their_twins(engine: DuckDBEngine, world: World) -> None:
    assert_marts_equal_twins(engine, world.tables, world.as_of)


@pytest.mark.parametrize("as_of", ["2025-06-30", "2024-02-29", "2024-03-01"])
def test_marts_equal_their_twins_at_every_edge(engine: DuckDBEngine, as_of: str) -> None:
    world = scripted_world(datetime.date.fromisoformat(as_of))
    assert_marts_equal_twins(engine, world.tables, world.as_of)


def test_marts_equal_their_twins_for_the_largest_amounts(engine: DuckDBEngine) -> None:
    days = [f"2025-06-{day:02}" for day in range(1, 13)]
    amounts = ["99999999.99", "0.01", "99999999.98"] * 4
    world = star({"c1": list(zip(days, amounts, strict=True))})
    assert_marts_equal_twins(engine, world, datetime.date(2025, 6, 30))


def test_marts_equal_their_twins_on_the_bundled_data_as_of_a_past_day(engine: DuckDBEngine) -> None:
    assert_marts_equal_twins(engine, bundled().tables, datetime.date(2024, 12, 31))


def test_marts_have_the_types_of_their_contracts(engine: DuckDBEngine) -> None:
    built, _ = engine.build(scripted_world().tables, scripted_world().as_of)
    for name, mart in GRAPH.project.marts.items():
        assert built[name].schema == schema_of(mart.columns).to_pyarrow(), name


def test_every_public_mart_has_a_twin() -> None:
    public = {name for name in GRAPH.project.marts if not name.startswith("int_")}
    assert public == set(TWINS)
    assert all(GRAPH.project.marts[name].grain == grain for name, grain in GRAINS.items())
