"""A fourth way to the same number: Databend runs Snowflake's SQL of every mart."""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from marts.core.proof.comparison import assert_same_table
from nightly.databend_engine import (
    ADAPTATIONS,
    Adaptation,
    DatabendEngine,
    adapted,
    date_from_parts,
    number_within,
    timestamp_without_zone,
)
from support.data_sets import DATA_SETS, worlds_of
from support.engines import GRAPH, our_marts
from support.twins import GRAINS, TWINS
from support.worlds import AS_OF_DATES

pytestmark = pytest.mark.nightly

NEEDED = (
    "needs the engine `databend`, which needs Python 3.12 or later: "
    "uv run --isolated --python 3.12 --group nightly pytest -m nightly"
)
NIGHTLY_SETS = {**DATA_SETS, **worlds_of(AS_OF_DATES, number=400)}


@dataclass(frozen=True)
class Built:
    """Every mart of a data set, by who built it; `sql` is Databend's."""

    on_databend: Mapping[str, pa.Table]
    on_duckdb: Mapping[str, pa.Table]
    twins: Mapping[str, pa.Table]
    sql: Mapping[str, str]


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> DatabendEngine:
    databend = pytest.importorskip("databend", reason=NEEDED)
    return DatabendEngine(databend.connect(str(tmp_path_factory.mktemp("databend"))))


@pytest.fixture(scope="module", params=NIGHTLY_SETS)
def built(request: pytest.FixtureRequest, engine: DatabendEngine) -> Built:
    data = NIGHTLY_SETS[request.param]()
    on_databend, sql = engine.build(data.tables, data.as_of)
    on_duckdb = our_marts().build(data.tables, data.as_of)
    twins = {name: twin(data.tables, data.as_of) for name, twin in TWINS.items()}
    return Built(on_databend, on_duckdb, twins, sql)


@pytest.mark.parametrize("mart", GRAPH.project.marts)
def test_databend_equals_duckdb(mart: str, built: Built) -> None:
    actual, expected = built.on_databend[mart], built.on_duckdb[mart]
    grain = GRAPH.project.marts[mart].grain
    assert_same_table(actual, expected, grain=grain, sql=built.sql[mart])


@pytest.mark.parametrize("mart", TWINS)
def test_databend_equals_the_twin(mart: str, built: Built) -> None:
    actual, expected = built.on_databend[mart], built.twins[mart]
    assert_same_table(actual, expected, grain=GRAINS[mart], sql=built.sql[mart])


def answer(engine: DatabendEngine, sql: str) -> list[Any] | str:
    """Return the only column of the rows, or the name of the error."""
    try:
        return [value for (value,) in engine.connection.sql(sql).fetchall()]
    except RuntimeError as error:
        found = re.search(r"(\w+)\. Code: \d+", str(error))
        return found[1] if found else str(error)


ADAPTED: Mapping[Adaptation, tuple[str, Any, Any]] = {
    date_from_parts: (
        "SELECT DATE_FROM_PARTS(2024, 2, 29)",
        "UnknownFunction",
        datetime.date(2024, 2, 29),
    ),
    timestamp_without_zone: (
        "SELECT CAST('2024-02-29 23:59:59' AS TIMESTAMPNTZ)",
        "SyntaxException",
        datetime.datetime(2024, 2, 29, 23, 59, 59),  # noqa: DTZ001  (without a zone, as it says)
    ),
    number_within: (
        "SELECT SUM(X) FROM (SELECT CAST(9223372036854775807 AS BIGINT) AS X FROM NUMBERS(2))",
        [-2],
        Decimal(18446744073709551614),
    ),
}


def test_every_adaptation_has_a_case() -> None:
    assert tuple(ADAPTED) == ADAPTATIONS


@pytest.mark.parametrize("adaptation", ADAPTATIONS, ids=lambda each: each.__name__)
def test_an_adaptation_is_needed_and_answers_as_snowflake(
    engine: DatabendEngine, adaptation: Adaptation
) -> None:
    sql, wrong, right = ADAPTED[adaptation]
    assert answer(engine, sql) == wrong
    assert answer(engine, adapted(sql)) == [right]


@pytest.mark.parametrize(
    ("sql", "right"),
    [
        ('SELECT "x" FROM (SELECT 1 AS "X")', "SemanticError"),
        ("SELECT 1e0 / 0", "BadArguments"),
        ("SELECT CAST(2.5e0 AS BIGINT)", [3]),
        ("SELECT CAST(1 AS DECIMAL(10, 2)) / 3", [Decimal("0.33333333")]),
    ],
)
def test_it_answers_as_snowflake_where_duckdb_does_not(
    engine: DatabendEngine, sql: str, right: Any
) -> None:
    assert answer(engine, sql) == right
    assert [value for (value,) in duckdb.execute(sql).fetchall()] != right


@dataclass(frozen=True)
class Difference:
    """A statement that no mart makes, and what each engine answers."""

    sql: str
    databend: Any
    snowflake: Any


DIFFERENCES = {
    "division of integers": Difference("SELECT 1 / 3", [1 / 3], [Decimal("0.333333")]),
    "nulls in a descending order": Difference(
        "SELECT X FROM (SELECT 1 AS X UNION ALL SELECT NULL) ORDER BY X DESC", [1, None], [None, 1]
    ),
    "median of decimals": Difference(
        "SELECT MEDIAN(CAST(1 + NUMBER / 100 AS DECIMAL(10, 2))) FROM NUMBERS(2)",
        [Decimal("1.00")],
        [Decimal("1.005")],
    ),
    "sum of decimals past 18 digits": Difference(
        "SELECT SUM(CAST(9999999999999999.99 AS DECIMAL(18, 2))) FROM NUMBERS(10)",
        [Decimal("-84467440737095516.26")],
        [Decimal("99999999999999999.90")],
    ),
    "a name without quotes": Difference('SELECT X FROM (SELECT 1 AS "X")', "SemanticError", [1]),
    "CLONE": Difference(
        'CREATE TABLE "GOLD"."COPY" CLONE "GOLD"."INT_CUSTOMERS"',
        "SyntaxException",
        ["Table COPY successfully created."],
    ),
    "parameters of a session": Difference(
        "ALTER SESSION SET TIMEZONE = 'UTC'",
        "SyntaxException",
        ["Statement executed successfully."],
    ),
}


@pytest.mark.parametrize("name", DIFFERENCES)
def test_it_differs_from_snowflake_where_no_mart_goes(engine: DatabendEngine, name: str) -> None:
    difference = DIFFERENCES[name]
    assert answer(engine, difference.sql) == difference.databend != difference.snowflake
