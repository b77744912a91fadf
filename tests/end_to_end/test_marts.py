"""The marts of the bundled data: equal to the twins, and what a run leaves."""

from __future__ import annotations

import csv
import datetime
import io
import json
import shutil
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pytest

from marts.core.proof.comparison import assert_same_table
from support.data_sets import bundled
from support.engines import GRAPH
from support.paths import BUNDLED
from support.processes import call_marts
from support.twins import GRAINS, TWINS, as_returned

TYPES = {
    str: "VARCHAR",
    int: "BIGINT",
    Decimal: "DECIMAL(18,2)",
    float: "DOUBLE",
    datetime.date: "DATE",
    bool: "BOOLEAN",
}
MARTS = list(TWINS)
SEGMENTS = {
    "High-Value Travelers",
    "Declining",
    "New & Growing",
    "Budget-Conscious",
    "Stable Mid-Spenders",
}
LIST = ["customer_id", "full_name", "email", "lifetime_value", "spend_change_pct"]


@pytest.fixture(scope="module")
def twins() -> Mapping[str, pd.DataFrame]:
    """Return what spec.md says of the bundled data."""
    world = bundled()
    return {name: as_returned(name, world.tables, world.as_of) for name in TWINS}


def assert_same_marts(one: Path, other: Path) -> None:
    """Compare the five marts of two databases row by row."""
    tables = []
    for database in (one, other):
        with duckdb.connect(str(database), read_only=True) as reader:
            tables.append({n: reader.table(f"gold.{n}").to_arrow_table() for n in MARTS})
    for name in MARTS:
        here, there = (each[name] for each in tables)
        assert_same_table(here, there, grain=GRAINS[name], tolerance=0)


@pytest.fixture(scope="module")
def results(finished_run: Path) -> dict[str, Any]:
    return dict(json.loads((finished_run / "target/run_results.json").read_text("utf-8")))


@pytest.fixture(scope="module")
def sql(results: dict[str, Any]) -> Mapping[str, str]:
    return {table["name"]: table["sql"] for table in results["tables"]}


@pytest.fixture(scope="module")
def manifest(finished_run: Path) -> dict[str, Any]:
    return dict(json.loads((finished_run / "target/manifest.json").read_text("utf-8")))


@pytest.mark.parametrize("mart", MARTS)
def test_what_is_published_equals_the_twin(
    mart: str,
    published: duckdb.DuckDBPyConnection,
    twins: Mapping[str, pd.DataFrame],
    sql: Mapping[str, str],
) -> None:
    """Whatever readers ask of these tables, then, is answered as by the spec."""
    actual = published.table(f"gold.{mart}").to_arrow_table()
    assert_same_table(actual, twins[mart], grain=GRAINS[mart], sql=sql[mart])


@pytest.mark.parametrize("mart", MARTS)
def test_each_kind_of_value_has_one_type(
    mart: str, published: duckdb.DuckDBPyConnection, twins: Mapping[str, pd.DataFrame]
) -> None:
    described = published.execute(f"DESCRIBE gold.{mart}").fetchall()
    kinds = {name: {type(cell) for cell in cells} for name, cells in twins[mart].items()}
    # Nobody is scored in the bundled data.
    kinds |= {name: {float} for name in kinds if name == "churn_risk_score"}
    expected = {name: {TYPES[kind] for kind in of - {type(None)}} for name, of in kinds.items()}
    assert {name: {kind} for name, kind, *_ in described} == expected


def test_no_temporary_mart_is_public(published: duckdb.DuckDBPyConnection) -> None:
    rows = published.execute(
        "SELECT table_name FROM information_schema.tables WHERE table_schema = 'gold'"
    ).fetchall()
    public = {name for name in GRAPH.order if not GRAPH.project.marts[name].is_temporary}
    assert {name for (name,) in rows} == {*public, "marts_state", "marts_runs"}
    assert public >= set(MARTS)


def test_all_five_segments_appear(published: duckdb.DuckDBPyConnection) -> None:
    rows = published.execute("SELECT DISTINCT customer_segment FROM gold.customer_segments")
    assert {segment for (segment,) in rows.fetchall()} == SEGMENTS


@pytest.mark.parametrize("form", ["csv", "json"])
def test_a_campaign_list_is_exported_by_show(
    form: str, finished_run: Path, twins: Mapping[str, pd.DataFrame]
) -> None:
    words = ["--where", "eligible_for_retention_campaign and lifetime_value >= 10000"]
    words += ["--order-by", "spend_change_pct, customer_id", "--limit", "10"]
    words += ["--columns", ",".join(LIST), "--format", form]
    shown = call_marts("show", "customer_360_profile", *words, cwd=finished_run)
    assert shown.returncode == 0, shown.stderr
    rows = (
        json.loads(shown.stdout)
        if form == "json"
        else list(csv.DictReader(io.StringIO(shown.stdout)))
    )
    expected = twins["customer_360_profile"]
    expected = expected[expected["customer_segment"] == "Declining"]
    expected = expected[expected["lifetime_value"] >= 10_000]
    expected = expected.sort_values(["spend_change_pct", "customer_id"])[LIST].head(10)
    assert [list(row) for row in rows] == [LIST] * 10
    for row, customer in zip(rows, expected.to_dict("records"), strict=True):
        assert [row[name] for name in LIST[:3]] == [customer[name] for name in LIST[:3]]
        assert Decimal(str(row["lifetime_value"])) == customer["lifetime_value"]
        assert float(row["spend_change_pct"]) == pytest.approx(customer["spend_change_pct"])


def test_a_rerun_gives_equal_tables(finished_run: Path, tmp_path: Path) -> None:
    database = finished_run / "target/marts.duckdb"
    rerun = tmp_path / "rerun.duckdb"
    shutil.copy(database, rerun)
    done = call_marts("run", "--force", "--database", rerun, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert f"published {len(MARTS)} marts" in done.stdout
    assert_same_marts(database, rerun)


def test_a_run_for_an_earlier_day_is_a_run_on_data_cut_at_that_day(tmp_path: Path) -> None:
    day = "2024-12-31"
    cut = tmp_path / "cut"
    cut.mkdir()
    for file in BUNDLED.glob("dim_*.parquet"):
        shutil.copy(file, cut)
    with duckdb.connect() as connection:
        connection.execute(
            f"COPY (FROM '{BUNDLED}/fct_transactions.parquet'"
            f" WHERE transaction_date::DATE <= DATE '{day}')"
            f" TO '{cut}/fct_transactions.parquet'"
        )
    for name, data in (("whole", BUNDLED), ("cut", cut)):
        words = ("--data", data, "--as-of", day, "--database", tmp_path / f"{name}.duckdb")
        done = call_marts("run", *words, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith(f"as of {day} ")
    assert_same_marts(tmp_path / "whole.duckdb", tmp_path / "cut.duckdb")


def test_comments_are_the_docstrings(
    published: duckdb.DuckDBPyConnection, manifest: dict[str, Any]
) -> None:
    comments = dict(
        published.execute(
            "SELECT table_name, comment FROM duckdb_tables() WHERE schema_name = 'gold'"
        ).fetchall()
    )
    assert comments["metric_customer_ltv"].startswith("Customer lifetime value: all approved")
    declared = {mart["name"]: mart["comment"] for mart in manifest["marts"]}
    for mart in MARTS:
        assert comments[mart] == declared[mart]


def test_documented_columns_have_their_words(
    published: duckdb.DuckDBPyConnection, manifest: dict[str, Any]
) -> None:
    comments = {
        (table, column): comment
        for table, column, comment in published.execute(
            "SELECT table_name, column_name, comment FROM duckdb_columns()"
            " WHERE schema_name = 'gold'"
        ).fetchall()
    }
    documented = [
        (mart["name"], column["name"], column["comment"])
        for mart in manifest["marts"]
        if mart["materialized"] == "table"
        for column in mart["columns"]
        if column["comment"]
    ]
    assert {mart for mart, _, _ in documented} >= set(MARTS)
    for mart, column, comment in documented:
        assert comments[mart, column] == comment


def test_run_results_say_what_happened(
    published: duckdb.DuckDBPyConnection, results: dict[str, Any]
) -> None:
    as_of = json.loads((BUNDLED / "dataset.json").read_text())["as_of"]
    assert (results["schema_version"], results["status"]) == (1, "published")
    assert (results["as_of"], results["backend"]) == (as_of, "duckdb")
    assert results["versions"].keys() >= {"marts", "duckdb", "ibis"}
    assert results.keys() >= {"run_id", "started_at", "seconds", "error", "skipped_checks"}
    documented = {"name", "kind", "rows", "build_seconds", "check_seconds", "sql", "checks"}
    tables = {table["name"]: table for table in results["tables"]}
    assert tables.keys() >= set(MARTS)
    for table in tables.values():
        assert table.keys() >= documented
        assert (table["build_seconds"] > 0) == (table["kind"] != "source")
    for mart in MARTS:
        assert tables[mart]["rows"] == len(published.table(f"gold.{mart}"))
        assert tables[mart]["kind"] == "table"


def test_run_results_have_every_check_with_its_violations(results: dict[str, Any]) -> None:
    made = [
        (table["name"], check)
        for table in results["tables"]
        if table["name"] in MARTS
        for check in table["checks"]
    ]
    assert len(made) >= 110
    documented = {"name", "severity", "threshold", "violations", "outcome", "sample"}
    assert all(check.keys() >= documented for _, check in made)
    violated = [(mart, check["name"]) for mart, check in made if check["violations"]]
    assert violated == [("customer_360_profile", "churn_scores_are_there")]
    assert {check["outcome"] for _, check in made} == {"pass", "acknowledged"}


def test_the_manifest_has_all_declarations(
    manifest: dict[str, Any], twins: Mapping[str, pd.DataFrame]
) -> None:
    assert manifest["schema_version"] == 1
    sources = ["churn_predictions", "dim_customer", "dim_merchant_category", "fct_transactions"]
    assert sorted(source["name"] for source in manifest["sources"]) == sources
    marts = {mart["name"]: mart for mart in manifest["marts"]}
    for name, twin in twins.items():
        assert [column["name"] for column in marts[name]["columns"]] == list(twin.columns)
        assert {column["null"] for column in marts[name]["columns"]} <= {True, False}
        assert marts[name].keys() >= {"comment", "grain", "checks", "tags", "inputs"}
    assert marts["metric_mom_spend_change"]["grain"] == ["customer_id", "month"]


@pytest.fixture(scope="module")
def with_temporaries(
    finished_run: Path, results: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[duckdb.DuckDBPyConnection]:
    """Return a connection to a copy of the marts, with the temporary ones beside them."""
    database = tmp_path_factory.mktemp("temporaries") / "marts.duckdb"
    shutil.copy(finished_run / "target/marts.duckdb", database)
    with duckdb.connect(str(database)) as connection:
        for table in results["tables"]:
            if table["kind"] == "temporary":
                connection.execute(f"CREATE TABLE gold.{table['name']} AS {table['sql']}")
        yield connection


@pytest.mark.parametrize("mart", MARTS)
def test_the_recorded_sql_gives_the_published_rows(
    mart: str, with_temporaries: duckdb.DuckDBPyConnection, sql: Mapping[str, str]
) -> None:
    made = with_temporaries.sql(sql[mart]).to_arrow_table()
    there = with_temporaries.table(f"gold.{mart}").to_arrow_table()
    assert_same_table(made, there, grain=GRAINS[mart], sql=sql[mart], tolerance=0)


def test_the_report_names_temporary_marts_as_such(results: dict[str, Any]) -> None:
    kinds = {table["name"]: table["kind"] for table in results["tables"]}
    assert {name for name, kind in kinds.items() if kind == "table"} >= set(MARTS)
    assert {name for name, kind in kinds.items() if kind == "temporary"} >= {
        "int_customer_numbers",
        "int_customers",
        "int_approved_transactions",
        "int_customer_transaction_summary",
    }
