"""What a test gives becomes marts: in any form, on both engines, by the fixtures of the plugin."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

from marts import Project, assert_same_table, build
from marts.core.errors import SourceError, UsageError
from marts.core.kit.building import MartsBuilder
from marts.core.query.contract import schema_of
from support.paths import TESTS
from support.workshop import AS_OF, CUSTOMERS, ORDERS, SHOP, customer, order

TOTALS = "customer_totals"
REVIEWS = ({"customer_id": "c1", "stars": 4.5}, {"customer_id": "c2", "stars": 2.0})
ROWS: dict[str, Any] = {"customers": CUSTOMERS, "orders": ORDERS, "reviews": REVIEWS}


@pytest.fixture(scope="session")
def marts_project() -> Project:
    """Return the bicycle shop's project, in place of that of the root folder."""
    return Project.load(TESTS, package="toy_shop")


def as_arrow(project: Project) -> dict[str, pa.Table]:
    sources = project.linked.graph.project.sources
    return {
        name: pa.Table.from_pylist(list(rows), schema_of(sources[name].columns).to_pyarrow())
        for name, rows in ROWS.items()
    }


def totals(project: Project, **changes: Any) -> list[dict[str, Any]]:
    rows = build(project, ROWS | changes, AS_OF, marts=TOTALS)[TOTALS].to_pylist()
    return sorted(rows, key=lambda row: str(row["customer_id"]))


def test_both_engines_build_what_a_test_gives(
    duckdb_marts: MartsBuilder, snowflake_marts: MartsBuilder, marts_project: Project
) -> None:
    here, there = (each.build(ROWS, AS_OF) for each in (duckdb_marts, snowflake_marts))
    assert list(here) == list(marts_project.linked.graph.order)
    for name, mart in marts_project.linked.graph.project.marts.items():
        assert_same_table(there[name], here[name], grain=mart.grain, sql=there.sql[name])
    assert {row["customer_id"]: row["spend"] for row in here[TOTALS].to_pylist()} == {
        "c1": Decimal("1280.55"),
        "c2": Decimal("45.25"),
        "c3": Decimal(0),
    }


def test_all_forms_are_the_same_rows(marts_project: Project) -> None:
    expected = totals(marts_project)
    arrow = as_arrow(marts_project)
    frames = {name: table.to_pandas() for name, table in arrow.items()}
    binary = frames["orders"].assign(nobody_knows_it=1)
    for given in (arrow, frames, {"orders": binary}):
        assert totals(marts_project, **given) == expected
    assert expected[0]["stars"] == 4.5


def test_what_is_not_given_is_made_up_as_in_an_example(marts_project: Project) -> None:
    orders = [{"customer_id": "c9", "amount": 12, "status": "paid"}]
    built = build(marts_project, {"orders": orders}, str(AS_OF), marts=[TOTALS])
    assert list(built) == [TOTALS]
    (row,) = built[TOTALS].to_pylist()
    assert (row["customer_id"], row["spend"], row["stars"]) == ("c9", Decimal(12), None)
    assert build(marts_project, {}, AS_OF, marts=TOTALS)[TOTALS].num_rows == 0


FLOATS = pd.DataFrame(list(ORDERS)).assign(amount=0.1)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"order": ORDERS}, ["order is not a source", "hint: did you mean orders?"]),
        (
            {"orders": [{"customer": "c1"}]},
            ["customer is not a column of orders", "hint: did you mean customer_id?"],
        ),
        (
            {"orders": [{"amount": 1, "status": "paid"}, {"amount": 1}]},
            ["row 2 has no status, which another row has", "the same columns"],
        ),
        ({"orders": [order("o1", "c1", "0.001")]}, ["orders.amount is Decimal('0.001') in row 1"]),
        (
            {"orders": FLOATS},
            ["orders.amount is 0.1 in row 1, which is not a value of decimal(10, 2)", "a Decimal"],
        ),
        (
            {"customers": [customer("c1"), customer("c2", joined_on=None)]},
            ["joined_on is null in row 2"],
        ),
        (
            {"customers": [{"joined_on": "2024-01-05"}]},
            ["joined_on is '2024-01-05'", "datetime.date"],
        ),
    ],
    ids=str,
)
def test_what_does_not_fit_its_contract_is_refused(
    given: Mapping[str, Any], words: list[str], marts_project: Project
) -> None:
    with pytest.raises(UsageError) as refused:
        build(marts_project, given, AS_OF)
    for word in words:
        assert word in str(refused.value)


def test_rows_that_no_run_would_publish_are_refused(marts_project: Project) -> None:
    twice = {"orders": (*ORDERS, ORDERS[0])}
    with pytest.raises(SourceError, match=r"orders: order_id_unique"):
        build(marts_project, ROWS | twice, AS_OF)
    assert build(marts_project, ROWS | twice, AS_OF, source_checks=False).keys() == {*SHOP.order}


def test_other_slips_are_refused(marts_project: Project) -> None:
    with pytest.raises(UsageError, match=r"there is no mart totals[\s\S]*customer_totals"):
        build(marts_project, ROWS, AS_OF, marts="totals")
    with pytest.raises(UsageError, match=r"as_of is '30\.6\.2025'"):
        build(marts_project, ROWS, "30.6.2025")


def test_this_process_knows_the_connection_during_a_test(snowflake_connection: str) -> None:
    project = Project.load(
        TESTS, package="toy_shop", backend="snowflake", connection=snowflake_connection
    )
    with pytest.raises(SourceError, match=r"looked in MARTS\.GOLD"):
        project.run()
