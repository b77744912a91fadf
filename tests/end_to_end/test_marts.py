"""The marts of the bundled data: their shape, what readers ask of them, and what a run leaves."""

from __future__ import annotations

import csv
import io
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pytest

from support.compare import assert_same_table
from support.engines import GRAPH
from support.paths import BUNDLED
from support.processes import Marts

MONEY = "DECIMAL(18,2)"
COLUMNS = {
    "metric_customer_ltv": {
        "customer_id": "VARCHAR",
        "customer_key": "VARCHAR",
        "customer_segment": "VARCHAR",
        "lifetime_value": MONEY,
        "total_transactions": "BIGINT",
        "first_transaction_date": "DATE",
        "last_transaction_date": "DATE",
        "customer_age_days": "BIGINT",
        "avg_spend_per_day": "DOUBLE",
        "metric_calculated_date": "DATE",
    },
    "metric_mom_spend_change": {
        "customer_id": "VARCHAR",
        "month": "DATE",
        "monthly_spend": MONEY,
        "prior_month_spend": MONEY,
        "mom_change_pct": "DOUBLE",
        "month_number": "BIGINT",
        "months_since_prior": "BIGINT",
        "mom_trend_category": "VARCHAR",
        "metric_calculated_date": "DATE",
    },
    "metric_avg_transaction_value": {
        "customer_id": "VARCHAR",
        "customer_key": "VARCHAR",
        "customer_segment": "VARCHAR",
        "avg_transaction_value": "DOUBLE",
        "transaction_value_stddev": "DOUBLE",
        "min_transaction_value": MONEY,
        "max_transaction_value": MONEY,
        "transaction_count": "BIGINT",
        "median_transaction_value": "DOUBLE",
        "spending_consistency": "VARCHAR",
        "metric_calculated_date": "DATE",
    },
    "customer_segments": {
        "customer_id": "VARCHAR",
        "customer_key": "VARCHAR",
        "customer_segment": "VARCHAR",
        "segment_assigned_date": "DATE",
        "total_transactions": "BIGINT",
        "lifetime_value": MONEY,
        "avg_transaction_value": "DOUBLE",
        "first_transaction_date": "DATE",
        "last_transaction_date": "DATE",
        "tenure_months": "BIGINT",
        "spend_last_90_days": MONEY,
        "spend_prior_90_days": MONEY,
        "spend_change_pct": "DOUBLE",
        "avg_monthly_spend": "DOUBLE",
        "travel_spend_pct": "DOUBLE",
        "necessities_spend_pct": "DOUBLE",
    },
    "customer_360_profile": {
        "customer_id": "VARCHAR",
        "customer_key": "VARCHAR",
        "full_name": "VARCHAR",
        "first_name": "VARCHAR",
        "last_name": "VARCHAR",
        "email": "VARCHAR",
        "age": "BIGINT",
        "state": "VARCHAR",
        "city": "VARCHAR",
        "employment_status": "VARCHAR",
        "card_type": "VARCHAR",
        "credit_limit": MONEY,
        "account_open_date": "DATE",
        "account_age_days": "BIGINT",
        "customer_segment": "VARCHAR",
        "segment_assigned_date": "DATE",
        "tenure_months": "BIGINT",
        "lifetime_value": MONEY,
        "total_transactions": "BIGINT",
        "customer_age_days": "BIGINT",
        "avg_spend_per_day": "DOUBLE",
        "ltv_tier": "VARCHAR",
        "avg_transaction_value": "DOUBLE",
        "transaction_value_stddev": "DOUBLE",
        "min_transaction_value": MONEY,
        "max_transaction_value": MONEY,
        "median_transaction_value": "DOUBLE",
        "spending_consistency": "VARCHAR",
        "spend_last_90_days": MONEY,
        "spend_prior_90_days": MONEY,
        "spend_change_pct": "DOUBLE",
        "avg_monthly_spend": "DOUBLE",
        "active_months": "BIGINT",
        "latest_month": "DATE",
        "latest_month_spend": MONEY,
        "latest_mom_change_pct": "DOUBLE",
        "latest_mom_trend_category": "VARCHAR",
        "first_transaction_date": "DATE",
        "last_transaction_date": "DATE",
        "days_since_last_transaction": "BIGINT",
        "recency_status": "VARCHAR",
        "travel_spend_pct": "DOUBLE",
        "necessities_spend_pct": "DOUBLE",
        "spending_profile": "VARCHAR",
        "credit_utilization_pct": "DOUBLE",
        "churn_risk_score": "DOUBLE",
        "churn_risk_category": "VARCHAR",
        "eligible_for_retention_campaign": "BOOLEAN",
        "eligible_for_onboarding_campaign": "BOOLEAN",
        "eligible_for_premium_campaign": "BOOLEAN",
        "profile_updated_date": "DATE",
    },
}
MARTS = list(COLUMNS)
CAMPAIGNS = {
    "eligible_for_retention_campaign": "Declining",
    "eligible_for_onboarding_campaign": "New & Growing",
    "eligible_for_premium_campaign": "High-Value Travelers",
}
SEGMENTS = {*CAMPAIGNS.values(), "Budget-Conscious", "Stable Mid-Spenders"}
TRAVEL = ["Travel", "Airlines", "Hotels"]
NECESSITIES = ["Grocery", "Gas", "Utilities"]
FLOOR = 10_000
LIST = ["customer_id", "full_name", "email", "lifetime_value", "spend_change_pct"]


@dataclass(frozen=True)
class Answers:
    """What spec.md says of the bundled data: a row a customer, and a row a customer's month."""

    customers: pd.DataFrame
    months: pd.DataFrame

    def campaign(self, segment: str) -> pd.DataFrame:
        """Return the first ten of a campaign's list, those whose spend fell most in front."""
        rows = self.customers
        rows = rows[(rows["customer_segment"] == segment) & (rows["lifetime_value"] >= FLOOR)]
        return rows.sort_values(["spend_change_pct", "customer_id"])[LIST].head(10)


@pytest.fixture(scope="module")
def answers() -> Answers:
    as_of = pd.Timestamp(json.loads((BUNDLED / "dataset.json").read_text())["as_of"])
    versions = pd.read_parquet(BUNDLED / "dim_customer.parquet")
    opened = pd.to_datetime(versions["account_open_date"])
    customers = versions[versions["is_current"] & (opened <= as_of)].reset_index(drop=True)
    spend = _approved_spend(versions, as_of)
    spend = spend[spend["customer_id"].isin(customers["customer_id"])]
    customers = customers.join(_totals(spend, as_of), on="customer_id")
    filled = customers.select_dtypes("number").columns.difference(["tenure_months"])
    customers[filled] = customers[filled].fillna(0)
    customers["lifetime_value"] = [
        value if isinstance(value, Decimal) else Decimal("0.00")
        for value in customers["lifetime_value"]
    ]
    customers["full_name"] = customers["first_name"] + " " + customers["last_name"]
    customers["customer_segment"] = customers.apply(_segment, axis=1)
    return Answers(customers, _months(spend))


def _approved_spend(versions: pd.DataFrame, as_of: pd.Timestamp) -> pd.DataFrame:
    """Return approved transactions up to as_of, with customer_id (of all versions) and category."""
    spend = pd.read_parquet(BUNDLED / "fct_transactions.parquet")
    categories = pd.read_parquet(BUNDLED / "dim_merchant_category.parquet")
    spend["day"] = spend["transaction_date"].dt.normalize()
    spend = spend[(spend["status"] == "approved") & (spend["day"] <= as_of)]
    spend = spend.merge(versions[["customer_key", "customer_id"]], on="customer_key")
    names = categories.set_index("category_key")["category_name"]
    spend["category"] = spend["merchant_category_key"].map(names)
    return spend


def _totals(spend: pd.DataFrame, as_of: pd.Timestamp) -> pd.DataFrame:
    """Return the numbers behind the segments, for each customer with a transaction."""
    amount = spend["transaction_amount"].astype(float)
    last_90 = spend["day"] >= as_of - pd.Timedelta(days=90)
    prior_90 = (spend["day"] >= as_of - pd.Timedelta(days=180)) & ~last_90

    def spent(rows: pd.Series) -> pd.Series:
        return amount.where(rows, 0.0).groupby(spend["customer_id"]).sum()

    by_customer = spend.groupby("customer_id")
    first = by_customer["day"].min()
    last, prior, total = spent(last_90), spent(prior_90), spent(amount.notna())
    return pd.DataFrame(
        {
            "lifetime_value": by_customer["transaction_amount"].sum(),
            "total_transactions": by_customer.size(),
            "avg_transaction_value": total / by_customer.size(),
            "tenure_months": (as_of.year - first.dt.year) * 12 + as_of.month - first.dt.month,
            "spend_prior_90_days": prior,
            "spend_change_pct": ((last - prior) / prior.where(prior > 0) * 100).fillna(0),
            "avg_monthly_spend": last / 3,
            "travel_spend_pct": spent(spend["category"].isin(TRAVEL)) / total * 100,
            "necessities_spend_pct": spent(spend["category"].isin(NECESSITIES)) / total * 100,
        }
    )


def _segment(customer: pd.Series) -> str:
    monthly, change = customer["avg_monthly_spend"], customer["spend_change_pct"]
    if monthly >= 5000 and customer["travel_spend_pct"] >= 25:
        return "High-Value Travelers"
    if change <= -30 and customer["spend_prior_90_days"] >= 2000:
        return "Declining"
    if customer["tenure_months"] <= 6 and change >= 50:
        return "New & Growing"
    if monthly < 1500 and customer["necessities_spend_pct"] >= 60:
        return "Budget-Conscious"
    return "Stable Mid-Spenders"


def _months(spend: pd.DataFrame) -> pd.DataFrame:
    """Return each customer's active months, with the change from the active month before."""
    month = spend["day"].dt.to_period("M").rename("month")
    amount = spend["transaction_amount"].astype(float)
    months = amount.groupby([spend["customer_id"], month]).sum().rename("spend").reset_index()
    prior = months.groupby("customer_id")["spend"].shift()
    months["change"] = (months["spend"] - prior) / prior.where(prior > 0) * 100
    return months


def _of_segments(rows: pd.DataFrame, **columns: pd.Series) -> pd.DataFrame:
    """Return one row for each segment, with its number of customers and what else is given."""
    sizes = rows.groupby("customer_segment").size()
    return pd.DataFrame({"customers": sizes, **columns}).reset_index()


def assert_same_marts(one: Path, other: Path) -> None:
    """Compare the five marts of two databases row by row, both ways."""
    with duckdb.connect() as connection:
        for name, database in (("one", one), ("other", other)):
            connection.execute(f"ATTACH '{database}' AS {name} (READ_ONLY)")
        for mart in MARTS:
            here, there = f"FROM one.gold.{mart}", f"FROM other.gold.{mart}"
            assert connection.execute(f"{here} EXCEPT ALL {there}").fetchall() == [], mart
            assert connection.execute(f"{there} EXCEPT ALL {here}").fetchall() == [], mart


@pytest.fixture(scope="module")
def results(finished_run: Path) -> dict[str, Any]:
    return dict(json.loads((finished_run / "target/run_results.json").read_text("utf-8")))


@pytest.fixture(scope="module")
def manifest(finished_run: Path) -> dict[str, Any]:
    return dict(json.loads((finished_run / "target/manifest.json").read_text("utf-8")))


@pytest.mark.parametrize("mart", MARTS)
def test_columns_types_and_order_are_those_of_the_spec(
    mart: str, published: duckdb.DuckDBPyConnection
) -> None:
    described = published.execute(f"DESCRIBE gold.{mart}").fetchall()
    assert [(name, kind) for name, kind, *_ in described] == list(COLUMNS[mart].items())


def test_no_temporary_mart_is_public(published: duckdb.DuckDBPyConnection) -> None:
    rows = published.execute(
        "SELECT table_name FROM information_schema.tables WHERE table_schema = 'gold'"
    ).fetchall()
    public = {name for name in GRAPH.order if not GRAPH.project.marts[name].is_temporary}
    assert {name for (name,) in rows} == {*public, "marts_state"}
    assert public >= set(MARTS)


def test_all_five_segments_appear(published: duckdb.DuckDBPyConnection) -> None:
    rows = published.execute("SELECT DISTINCT customer_segment FROM gold.customer_segments")
    assert {segment for (segment,) in rows.fetchall()} == SEGMENTS


def test_a_single_customer_has_the_history_of_all_versions(
    published: duckdb.DuckDBPyConnection, answers: Answers
) -> None:
    versions = pd.read_parquet(BUNDLED / "dim_customer.parquet")["customer_id"].value_counts()
    active = answers.customers.set_index("customer_id")["total_transactions"]
    customer_id = active[versions[versions == 3].index.intersection(active.index)].idxmax()
    columns = [*LIST, "customer_segment", "total_transactions", "avg_transaction_value"]
    actual = published.execute(
        f"SELECT {', '.join(columns)} FROM gold.customer_360_profile WHERE customer_id = ?",
        [customer_id],
    ).to_arrow_table()
    expected = answers.customers
    expected = expected[expected["customer_id"] == customer_id][columns]
    assert_same_table(actual, expected.astype({"total_transactions": int}), grain=("customer_id",))


def test_the_segment_dashboard(published: duckdb.DuckDBPyConnection, answers: Answers) -> None:
    actual = published.execute(
        "SELECT customer_segment, count(*) AS customers,"
        " avg(lifetime_value) AS lifetime_value, avg(avg_transaction_value) AS transaction_value"
        " FROM gold.customer_360_profile GROUP BY ALL"
    ).to_arrow_table()
    rows = answers.customers.astype({"lifetime_value": float}).groupby("customer_segment")
    expected = _of_segments(
        answers.customers,
        lifetime_value=rows["lifetime_value"].mean(),
        transaction_value=rows["avg_transaction_value"].mean(),
    )
    assert_same_table(actual, expected, grain=("customer_segment",))


@pytest.mark.parametrize(("eligible", "segment"), CAMPAIGNS.items())
def test_a_campaign_list(
    eligible: str, segment: str, published: duckdb.DuckDBPyConnection, answers: Answers
) -> None:
    actual = published.execute(
        f"SELECT {', '.join(LIST)} FROM gold.customer_360_profile"
        f" WHERE {eligible} AND lifetime_value >= {FLOOR}"
        " ORDER BY spend_change_pct, customer_id LIMIT 10"
    ).to_arrow_table()
    expected = answers.campaign(segment)
    assert len(expected) > 0
    assert actual["customer_id"].to_pylist() == expected["customer_id"].tolist()
    assert_same_table(actual, expected, grain=("customer_id",))


@pytest.mark.parametrize("form", ["csv", "json"])
def test_a_campaign_list_is_exported_by_show(
    form: str, finished_run: Path, marts: Marts, answers: Answers
) -> None:
    words: tuple[str, ...] = (
        "--where",
        f"eligible_for_retention_campaign and lifetime_value >= {FLOOR}",
    )
    words += ("--order-by", "spend_change_pct, customer_id", "--limit", "10")
    words += ("--columns", ",".join(LIST), "--format", form)
    database = finished_run / "target/marts.duckdb"
    shown = marts("show", "customer_360_profile", *words, "--database", database)
    assert shown.returncode == 0, shown.stderr
    rows = (
        json.loads(shown.stdout)
        if form == "json"
        else list(csv.DictReader(io.StringIO(shown.stdout)))
    )
    expected = answers.campaign("Declining")
    assert [list(row) for row in rows] == [LIST] * len(expected)
    for row, customer in zip(rows, expected.to_dict("records"), strict=True):
        assert [row[name] for name in LIST[:3]] == [customer[name] for name in LIST[:3]]
        assert Decimal(str(row["lifetime_value"])) == customer["lifetime_value"]
        assert float(row["spend_change_pct"]) == pytest.approx(customer["spend_change_pct"])


def test_the_latest_months_change_by_segment(
    published: duckdb.DuckDBPyConnection, answers: Answers
) -> None:
    actual = published.execute(
        "SELECT customer_segment, count(*) AS customers, avg(mom_change_pct) AS change"
        " FROM gold.metric_mom_spend_change JOIN gold.customer_segments USING (customer_id)"
        " WHERE month = (SELECT max(month) FROM gold.metric_mom_spend_change) GROUP BY ALL"
    ).to_arrow_table()
    latest = answers.months[answers.months["month"] == answers.months["month"].max()]
    latest = latest.merge(answers.customers[["customer_id", "customer_segment"]])
    change = latest.groupby("customer_segment")["change"].mean()
    assert_same_table(actual, _of_segments(latest, change=change), grain=("customer_segment",))


def test_the_top_customers(published: duckdb.DuckDBPyConnection, answers: Answers) -> None:
    columns = ["customer_id", "lifetime_value", "total_transactions"]
    actual = published.execute(
        f"SELECT {', '.join(columns)} FROM gold.metric_customer_ltv"
        " ORDER BY lifetime_value DESC, customer_id LIMIT 10"
    ).to_arrow_table()
    ordered = answers.customers.sort_values(["lifetime_value", "customer_id"], ascending=False)
    expected = ordered[columns].head(10).astype({"total_transactions": int})
    assert actual["customer_id"].to_pylist() == expected["customer_id"].tolist()
    assert_same_table(actual, expected, grain=("customer_id",))


def test_a_rerun_gives_equal_tables(finished_run: Path, marts: Marts, tmp_path: Path) -> None:
    database = finished_run / "target/marts.duckdb"
    rerun = tmp_path / "rerun.duckdb"
    shutil.copy(database, rerun)
    assert marts("run", "--database", rerun).returncode == 0
    assert_same_marts(database, rerun)


def test_a_run_for_an_earlier_day_is_a_run_on_data_cut_at_that_day(
    marts: Marts, tmp_path: Path
) -> None:
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
        words = ("--fixtures", data, "--as-of", day, "--database", tmp_path / f"{name}.duckdb")
        done = marts("run", *words)
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
        assert table["build_seconds"] >= 0
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


def test_the_manifest_has_all_declarations(manifest: dict[str, Any]) -> None:
    assert manifest["schema_version"] == 1
    sources = ["churn_predictions", "dim_customer", "dim_merchant_category", "fct_transactions"]
    assert sorted(source["name"] for source in manifest["sources"]) == sources
    marts = {mart["name"]: mart for mart in manifest["marts"]}
    for name, columns in COLUMNS.items():
        assert [column["name"] for column in marts[name]["columns"]] == list(columns)
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
    mart: str, with_temporaries: duckdb.DuckDBPyConnection, results: dict[str, Any]
) -> None:
    (sql,) = [table["sql"] for table in results["tables"] if table["name"] == mart]
    for pair in (f"({sql}) EXCEPT ALL FROM gold.{mart}", f"FROM gold.{mart} EXCEPT ALL ({sql})"):
        assert with_temporaries.execute(pair).fetchall() == []


def test_the_report_names_temporary_marts_as_such(results: dict[str, Any]) -> None:
    kinds = {table["name"]: table["kind"] for table in results["tables"]}
    assert {name for name, kind in kinds.items() if kind == "table"} >= set(MARTS)
    assert {name for name, kind in kinds.items() if kind == "temporary"} >= {
        "int_customer_numbers",
        "int_customers",
        "int_approved_transactions",
        "int_customer_transaction_summary",
    }
