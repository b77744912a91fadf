"""Our example queries: what they answer on the bundled data, calculated again from the marts."""

from __future__ import annotations

import datetime
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from pathlib import Path
from statistics import fmean
from typing import Any

import duckdb
import pytest

from backends.factory import offline_compiler
from marts.core.authoring.expressions import FixedAsOf
from marts.core.operations.wiring import contracts_of
from marts.core.plan.queries import compiled_examples
from marts.core.project.settings import Settings
from marts.core.proof.comparison import same_value
from support.account import Account
from support.engines import GRAPH
from support.grammar import check

QUERIES = GRAPH.project.queries
PUBLIC = [
    name
    for name, mart in GRAPH.project.marts.items()
    if not mart.is_temporary and not mart.is_intermediate
]
AS_OF = FixedAsOf(datetime.date(2025, 6, 30))
Row = dict[str, Any]
Rows = list[tuple[Any, ...]]
Answer = Callable[[list[Row]], Rows]


def taken(rows: Iterable[Row], *columns: str) -> Rows:
    return [tuple(row[column] for column in columns) for row in rows]


def grouped(rows: Iterable[Row], *keys: str) -> list[tuple[Row, list[Row]]]:
    """Return the rows by their keys, in order."""
    groups: dict[tuple[Any, ...], list[Row]] = defaultdict(list)
    for row in rows:
        groups[tuple(row[key] for key in keys)].append(row)
    return [(dict(zip(keys, key, strict=True)), groups[key]) for key in sorted(groups)]


def falling(value: str) -> Callable[[Row], tuple[Any, str]]:
    return lambda row: (-row[value], row["customer_id"])


def rising(value: str) -> Callable[[Row], tuple[Any, str]]:
    return lambda row: (row[value], row["customer_id"])


def highest_lifetime_values(rows: list[Row]) -> Rows:
    columns = "customer_id customer_segment lifetime_value total_transactions"
    best = sorted(rows, key=falling("lifetime_value"))[:100]
    return taken(best, *columns.split(), "customer_age_days", "avg_spend_per_day")


def spend_per_day_by_segment(rows: list[Row]) -> Rows:
    known = [row for row in rows if row["customer_age_days"] > 0]
    return [
        (key["customer_segment"], len(group), fmean(row["avg_spend_per_day"] for row in group))
        for key, group in grouped(known, "customer_segment")
    ]


def spend_by_month(rows: list[Row]) -> Rows:
    return [
        (key["month"], len(group), sum(row["monthly_spend"] for row in group))
        for key, group in grouped(rows, "month")
    ]


def sharp_declines(rows: list[Row]) -> Rows:
    latest = max(row["month"] for row in rows)
    found = [
        row
        for row in rows
        if row["month"] == latest
        and row["months_since_prior"] == 1
        and row["mom_change_pct"] is not None
        and row["mom_change_pct"] <= -30
    ]
    found.sort(key=rising("mom_change_pct"))
    columns = "customer_id month monthly_spend prior_month_spend mom_change_pct"
    return taken(found, *columns.split())


def large_and_unsteady(rows: list[Row]) -> Rows:
    found = [
        row
        for row in rows
        if row["transaction_value_stddev"] >= 200
        and row["transaction_count"]
        and row["median_transaction_value"] >= 2000
    ]
    found.sort(key=falling("transaction_value_stddev"))
    columns = "customer_id customer_segment median_transaction_value avg_transaction_value"
    return taken(found, *columns.split(), "transaction_value_stddev", "max_transaction_value")


def consistency_by_segment(rows: list[Row]) -> Rows:
    return [
        (*key.values(), len(group), fmean(row["avg_transaction_value"] for row in group))
        for key, group in grouped(rows, "customer_segment", "spending_consistency")
    ]


def first_of_each_campaign(rows: list[Row]) -> Rows:
    found = [row for row in rows if row["priority_rank"] <= 50]
    found.sort(key=lambda row: (row["campaign"], row["priority_rank"]))
    columns = "campaign priority_rank customer_id full_name email customer_segment"
    return taken(found, *columns.split())


def size_of_audiences(rows: list[Row]) -> Rows:
    return [
        (key["campaign"], len(group), sum(row["lifetime_value"] for row in group))
        for key, group in grouped(rows, "campaign")
    ]


def one_customer(rows: list[Row]) -> Rows:
    return [tuple(row.values()) for row in rows if row["customer_id"] == "C000042"]


def retention_list(rows: list[Row]) -> Rows:
    found = [
        row
        for row in rows
        if row["customer_segment"] == "Declining" or (row["churn_risk_score"] or 0) >= 70
        if row["lifetime_value"] >= 10_000
    ]
    found.sort(key=rising("spend_change_pct"))
    columns = "customer_id full_name email customer_segment lifetime_value spend_change_pct"
    return taken(found[:1000], *columns.split())


def valuable_and_inactive(rows: list[Row]) -> Rows:
    found = [
        row
        for row in rows
        if (row["days_since_last_transaction"] or 0) > 90 and row["lifetime_value"] >= 50_000
    ]
    return [
        (key["card_type"], len(group), sum(row["lifetime_value"] for row in group))
        for key, group in grouped(found, "card_type")
    ]


def segment_dashboard(rows: list[Row]) -> Rows:
    found = sorted(rows, key=lambda row: (-row["customers"], row["customer_segment"]))
    columns = "customer_segment customers customers_pct avg_lifetime_value avg_transaction_value"
    return taken(found, *columns.split())


def latest_change_by_segment(rows: list[Row]) -> Rows:
    found = [row for row in rows if row["avg_mom_change_pct"] is not None]
    found.sort(key=lambda row: (row["avg_mom_change_pct"], row["customer_segment"]))
    return taken(found, "customer_segment", "latest_month", "avg_mom_change_pct", "active_pct")


def portfolio_at_a_glance(rows: list[Row]) -> Rows:
    (row,) = rows
    columns = ("summary_date", "customers", "total_lifetime_value", "avg_lifetime_value")
    return [(*(row[name] for name in columns), 100 * row["active_customers"] / row["customers"])]


def frequent_travelers(rows: list[Row]) -> Rows:
    found = [row for row in rows if row["travel_spend_pct"] >= 50 and row["spend_last_90_days"]]
    found.sort(key=falling("travel_spend_pct"))
    columns = "customer_id customer_segment travel_spend_pct avg_monthly_spend"
    return taken(found, *columns.split())


def almost_declining(rows: list[Row]) -> Rows:
    found = [
        row
        for row in rows
        if row["spend_prior_90_days"] >= 2000 and -30 < row["spend_change_pct"] <= -20
    ]
    found.sort(key=rising("spend_change_pct"))
    columns = "customer_id customer_segment spend_prior_90_days spend_last_90_days spend_change_pct"
    return taken(found, *columns.split())


ANSWERS: Mapping[str, Answer] = {
    each.__name__: each
    for each in (
        almost_declining,
        consistency_by_segment,
        first_of_each_campaign,
        frequent_travelers,
        highest_lifetime_values,
        large_and_unsteady,
        latest_change_by_segment,
        one_customer,
        portfolio_at_a_glance,
        retention_list,
        segment_dashboard,
        sharp_declines,
        size_of_audiences,
        spend_by_month,
        spend_per_day_by_segment,
        valuable_and_inactive,
    )
}


def statements(**settings: Any) -> Mapping[str, str]:
    """Return the SQL of each example query as the catalogue shows it."""
    engine = offline_compiler(Settings(**settings), data=None, sources=contracts_of(GRAPH))
    return compiled_examples(GRAPH, AS_OF, engine.compile)


def test_every_question_has_an_answer_here_and_every_mart_a_question() -> None:
    assert ANSWERS.keys() == QUERIES.keys()
    asked = [name for query in QUERIES.values() for name in query.inputs]
    assert {*PUBLIC} == {*asked}
    assert max(map(asked.count, PUBLIC)) <= 3
    questions = [query.question for query in QUERIES.values()]
    assert len({*questions}) == len(questions)
    assert all(question.endswith("?") for question in questions)


@pytest.fixture
def answered(published: duckdb.DuckDBPyConnection) -> Mapping[str, Rows]:
    """Return what each question's SQL answers on DuckDB."""
    return {name: published.sql(sql).fetchall() for name, sql in statements().items()}


def test_the_bundled_data_answer_every_question(
    published: duckdb.DuckDBPyConnection, answered: Mapping[str, Rows]
) -> None:
    for name, answer in ANSWERS.items():
        (mart,) = QUERIES[name].inputs
        rows = published.table(f"gold.{mart}").to_arrow_table().to_pylist()
        assert_same_rows(name, answered[name], answer(rows))


def assert_same_rows(name: str, actual: Rows, expected: Rows) -> None:
    assert actual, f"{name} has no rows"
    assert len(actual) == len(expected), name
    for one, other in zip(actual, expected, strict=True):
        assert len(one) == len(other), name
        assert all(map(same_value, one, other)), f"{name}: {one} is not {other}"


def test_snowflakes_grammar_has_the_example_queries() -> None:
    found = statements(backend="snowflake")
    assert found.keys() == QUERIES.keys()
    check(found.values())


def test_snowflake_answers_the_same(
    account: Account, answered: Mapping[str, Rows], tmp_path: Path
) -> None:
    loaded = account.call(*account.load_words("RAW"), cwd=tmp_path)
    assert loaded.returncode == 0, loaded.stderr
    words = account.run_words(schema="GOLD", sources="RAW")
    done = account.call("run", *words, "--as-of", "2025-06-30", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    there = statements(
        backend="snowflake", database=account.database, schema=account.schema("GOLD")
    )
    for name, sql in there.items():
        rows = [tuple(map(as_on_duckdb, row)) for row in account.rows(sql)]
        assert_same_rows(name, rows, [tuple(map(as_on_duckdb, row)) for row in answered[name]])


def as_on_duckdb(cell: object) -> object:
    """Return a number of either engine as one kind: Snowflake's integers have digits, too."""
    return float(cell) if isinstance(cell, int | Decimal) and not isinstance(cell, bool) else cell
