"""Many worlds in one load: Snowflake builds what DuckDB builds and the pandas twins calculate."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, Phase, given, settings

from account import Account
from account import account as open_account
from compare import assert_same_table
from engines import GRAPH, DuckDBEngine
from reference.all_marts import GRAINS, TWINS
from reference.example import SCHEMAS, UNKNOWN_CUSTOMER_KEY
from worlds import World, scripted_world, worlds

WORLDS = 40
DATES = (datetime.date(2024, 6, 15), datetime.date(2024, 2, 29))
# Columns that name a customer, a version or a transaction: of one world alone, then.
KEYS = {"customer_key", "customer_id", "transaction_key", "transaction_id"}


def drawn(as_of: datetime.date) -> Sequence[World]:
    """Return the same worlds in every run, and the one that meets every edge."""
    found: list[World] = []

    @settings(
        max_examples=WORLDS,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(world=worlds(as_of_dates=(as_of,)))
    def collect(world: World) -> None:
        found.append(world)

    collect()
    return [*found, scripted_world(as_of)]


def packed(several: Sequence[World]) -> dict[str, pa.Table]:
    """Return the tables of several worlds as one world's, with names that tell them apart."""
    return {
        name: pa.concat_tables(
            _renamed(world.tables[name], f"w{number}-")
            for number, world in enumerate(several)
            if name in world.tables
        )
        for name in SCHEMAS
        if name != "dim_merchant_category"
    } | {"dim_merchant_category": several[0].tables["dim_merchant_category"]}


def _renamed(table: pa.Table, prefix: str) -> pa.Table:
    for number, column in enumerate(table.schema):
        if column.name in KEYS:
            values = table.column(number)
            named = pc.binary_join_element_wise(prefix, values, "")
            known = pc.not_equal(values, UNKNOWN_CUSTOMER_KEY)
            table = table.set_column(number, column, pc.if_else(known, named, values))
    return table


@dataclass(frozen=True)
class Built:
    """Every mart of many worlds, by who built it."""

    on_snowflake: Mapping[str, pa.Table]
    on_duckdb: Mapping[str, pa.Table]
    twins: Mapping[str, pd.DataFrame]
    statements: Mapping[str, str]
    worlds: int


@pytest.fixture(scope="module")
def account(
    pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Account]:
    with open_account(pytestconfig, tmp_path_factory.mktemp("account")) as opened:
        yield opened


@pytest.fixture(scope="module", params=DATES, ids=str)
def built(
    request: pytest.FixtureRequest, account: Account, tmp_path_factory: pytest.TempPathFactory
) -> Built:
    as_of: datetime.date = request.param
    several = drawn(as_of)
    tables, folder = packed(several), tmp_path_factory.mktemp("worlds")
    for name, table in tables.items():
        pq.write_table(table, folder / f"{name}.parquet")
    schema = f"WORLDS_{as_of:%Y%m%d}"
    on_duckdb, statements = DuckDBEngine().build(tables, as_of)
    return Built(
        on_snowflake=build_on_snowflake(account, schema, folder, as_of),
        on_duckdb=on_duckdb,
        twins={name: twin(tables, as_of) for name, twin in TWINS.items()},
        statements=statements,
        worlds=len(several),
    )


def build_on_snowflake(
    account: Account, schema: str, data: Path, as_of: datetime.date
) -> Mapping[str, pa.Table]:
    """Load Parquet files, run all marts beside them, and return these."""
    place = account.words(schema=schema)
    loaded = account.call("load", *place, "--fixtures", data, cwd=data)
    assert loaded.returncode == 0, loaded.stderr
    words = ("run", "--backend", "snowflake", *place, "--as-of", as_of)
    done = account.call(*words, cwd=data)
    assert done.returncode == 0, done.stderr + done.stdout
    return {name: account.table(schema, name) for name in GRAPH.project.marts}


@pytest.mark.parametrize("mart", TWINS)
def test_snowflake_equals_the_twin(mart: str, built: Built) -> None:
    assert_same_table(
        built.on_snowflake[mart],
        built.twins[mart],
        grain=GRAINS[mart],
        sql=built.statements[mart],
    )


@pytest.mark.parametrize("mart", GRAPH.project.marts)
def test_snowflake_equals_duckdb(mart: str, built: Built) -> None:
    assert_same_table(
        built.on_snowflake[mart],
        built.on_duckdb[mart],
        grain=GRAPH.project.marts[mart].grain,
        sql=built.statements[mart],
    )


def test_the_worlds_are_many_and_apart(built: Built) -> None:
    customers = built.on_snowflake["customer_segments"].column("customer_id").to_pylist()
    assert built.worlds >= WORLDS
    assert len({name.partition("-")[0] for name in customers}) > WORLDS * 0.8


def test_the_worlds_reach_every_segment_and_score(built: Built) -> None:
    profile = built.on_snowflake["customer_360_profile"]
    assert len(set(profile.column("customer_segment").to_pylist())) == 5
    assert len(set(profile.column("churn_risk_category").to_pylist())) == 4
