"""Three ways to the same number: Snowflake's SQL, DuckDB's and the pandas twins."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from marts.core.proof.comparison import assert_same_table
from support.account import Account
from support.data_sets import DATA_SETS
from support.engines import GRAPH, our_marts
from support.twins import GRAINS, TWINS
from support.worlds import World

PUBLISHED = [name for name, mart in GRAPH.project.marts.items() if not mart.is_temporary]
"""The others show in what is made from them."""


@dataclass(frozen=True)
class Built:
    """The marts of a data set, by who built it; `sql` is DuckDB's."""

    on_snowflake: Mapping[str, pa.Table]
    on_duckdb: Mapping[str, pa.Table]
    twins: Mapping[str, pa.Table]
    sql: Mapping[str, str]
    is_scored: bool


@pytest.fixture(scope="module", params=DATA_SETS)
def built(
    request: pytest.FixtureRequest, account: Account, tmp_path_factory: pytest.TempPathFactory
) -> Built:
    data = DATA_SETS[request.param]()
    schema = f"THREE_WAYS_{list(DATA_SETS).index(request.param)}"
    on_duckdb = our_marts().build(data.tables, data.as_of)
    return Built(
        on_snowflake=build_on_snowflake(account, schema, tmp_path_factory.mktemp("data"), data),
        on_duckdb=on_duckdb,
        twins={name: twin(data.tables, data.as_of) for name, twin in TWINS.items()},
        sql=on_duckdb.sql,
        is_scored="churn_predictions" in data.tables,
    )


def build_on_snowflake(
    account: Account, schema: str, folder: Path, data: World
) -> Mapping[str, pa.Table]:
    """Load a data set by way of an empty folder, run all marts beside it, and return these."""
    for name, table in data.tables.items():
        pq.write_table(table, folder / f"{name}.parquet")
    location = account.words(schema=schema)
    loaded = account.call(*account.load_words(schema), "--data", folder, cwd=folder)
    assert loaded.returncode == 0, loaded.stderr
    words = ("run", "--backend", "snowflake", *location, "--as-of", data.as_of)
    done = account.call(*words, cwd=folder)
    assert done.returncode == 0, done.stderr + done.stdout
    return {name: account.table(schema, name) for name in PUBLISHED}


@pytest.mark.parametrize("mart", TWINS)
def test_snowflake_equals_the_twin(mart: str, built: Built) -> None:
    actual, expected = built.on_snowflake[mart], built.twins[mart]
    assert_same_table(actual, expected, grain=GRAINS[mart], sql=built.sql[mart])


@pytest.mark.parametrize("mart", TWINS)
def test_duckdb_equals_the_twin(mart: str, built: Built) -> None:
    actual, expected = built.on_duckdb[mart], built.twins[mart]
    assert_same_table(actual, expected, grain=GRAINS[mart], sql=built.sql[mart])


@pytest.mark.parametrize("mart", PUBLISHED)
def test_snowflake_equals_duckdb(mart: str, built: Built) -> None:
    actual, expected = built.on_snowflake[mart], built.on_duckdb[mart]
    grain = GRAPH.project.marts[mart].grain
    assert_same_table(actual, expected, grain=grain, sql=built.sql[mart])


def test_the_data_reach_every_segment_and_score(built: Built) -> None:
    profile = built.twins["customer_360_profile"]
    assert len(set(profile["customer_segment"].to_pylist())) == 5
    assert len(set(profile["churn_risk_category"].to_pylist())) == (4 if built.is_scored else 1)
