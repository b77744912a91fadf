"""The catalogue of a project without an engine: what is declared, and what follows from that."""

from __future__ import annotations

import datetime
from dataclasses import replace
from pathlib import Path

import pytest

from marts import Table, boolean, int64, mart, row_check, source, string, table_check
from marts.core.analysis.column_lineage import project_lineage
from marts.core.analysis.reliance_checks import derived_checks
from marts.core.analysis.reliance_errors import relied_on
from marts.core.authoring.queries import example_query
from marts.core.catalog.facts import RESULTS_SHOWN, Facts
from marts.core.catalog.gathering import Declared, gather, location_in_project
from marts.core.catalog.pages import Site, TablePage
from marts.core.catalog.site import by_urgency, standing
from marts.core.plan.runs import TableResult
from marts.core.plan.state import RecordedTable
from marts.core.project.graph import Graph, link
from marts.core.run.history import PastRun
from support.workshop import SHOP, project_of

NOON = datetime.datetime(2025, 7, 1, 12)  # noqa: DTZ001  (UTC)


def site_of(graph: Graph, facts: Facts | None = None) -> Site:
    declared = Declared(
        graph=graph,
        lineage=project_lineage(graph),
        sql={name: {"duckdb": f"SELECT {name}"} for name in graph.order},
        examples={name: {"duckdb": name} for name in graph.project.queries},
        derived=derived_checks(graph, relied_on(graph)),
    )
    return gather(declared, facts or Facts(), version="1")


def page(site: Site, name: str) -> TablePage:
    return next(table for table in site.tables if table.name == name)


def test_a_project_without_an_engine_has_a_page_for_each_table() -> None:
    site = site_of(SHOP)
    assert [table.name for table in site.tables][:3] == ["customers", "orders", "reviews"]
    assert [table.name for table in site.tables][3:] == [*SHOP.order]
    totals, reviews = page(site, "customer_totals"), page(site, "reviews")
    assert (totals.kind, totals.grain, totals.tags) == (
        "table",
        ("customer_id",),
        ("sales", "by_customer"),
    )
    assert (totals.inputs, totals.read_by) == (
        ("customers", "int_paid_orders", "reviews"),
        ("shop_overview",),
    )
    assert (totals.group, totals.build, totals.proof, totals.sql) == (
        None,
        None,
        None,
        {"duckdb": "SELECT customer_totals"},
    )
    assert (reviews.kind, reviews.optional, reviews.read_by) == (
        "source",
        True,
        ("customer_totals",),
    )
    columns = {column.name: column for column in totals.columns}
    assert columns["tier"].values == ("gold", "plain")
    assert columns["tier"].expression == "if spend >= 1000: gold\nelse: plain"
    assert (columns["customer_id"].unique, columns["city"].null) == (True, True)
    assert page(site, "orders").columns[0].expression is None
    assert "orders" in page(site, "int_paid_orders").rows


def test_checks_are_described_in_words() -> None:
    site = site_of(SHOP)
    found = {check.name: check for check in page(site, "customer_totals").checks}
    wanted = {
        "name_not_null": "`name` is never null.",
        "stars_at_most_5": "`stars` is at most 5.",
        "tier_accepted_values": "`tier` is `gold` or `plain`.",
        "customer_id_unique": "No two rows have the same `customer_id`.",
        "average_within_spend": "No row has `average_order > spend`,"
        " among the rows with `orders_paid > 1`.",
        "has_stars": "No row has `stars is null`; up to 100 may break this.",
        "customer_id_in_customers": "Each `customer_id` is a `customer_id` of `customers`,"
        " among its rows with `customers.active`.",
        "every_active_customer": "There must be none of these: the active customers without a row.",
        "not_empty": "The table has rows if its sources have some.",
    }
    assert wanted.items() <= {name: check.description for name, check in found.items()}.items()
    assert found["average_within_spend"].columns == ("average_order", "spend")
    assert found["has_stars"].severity == "warn"
    orders = {check.name for check in page(site, "orders").checks}
    # Runs make it, since a mart compares the column with a text.
    assert "status_spelling" in orders


def test_a_catalogue_shows_who_is_asked_and_what_is_personal() -> None:
    people = source(
        "people",
        doc="People.",
        grain="person",
        columns=[string("person"), string("name", doc="as on the card", personal="name")],
        owner="crm@shop.example",
    )

    @mart(
        grain="person",
        columns=[
            string("person"),
            string("name", personal="name"),
            boolean("has_name", not_personal="only whether there is one"),
        ],
        checks=[
            row_check("named", offending=lambda t: ~t.has_name, threshold="0.5%"),
            table_check("some", offending=lambda this: this.count() == 0),
        ],
        group="crm",
        owner="crm",
    )
    def persons(people: Table) -> Table:
        """One row per person."""
        return people.mutate(has_name=people.name != "")

    @mart(grain="persons", columns=[int64("persons")], group="sums")
    def number(persons: Table) -> Table:
        """How many there are."""
        return persons.aggregate(persons=persons.count())

    @example_query("How many persons have a name?")
    def named(persons: Table) -> Table:
        return persons.filter(persons.has_name).aggregate(n=persons.count())

    project = project_of(people, persons, number).project
    site = site_of(link(replace(project, queries={"named": named})))
    found = page(site, "persons")
    assert (found.owner, found.group, page(site, "people").owner) == (
        "crm",
        "crm",
        "crm@shop.example",
    )
    assert [(column.personal, column.not_personal) for column in found.columns] == [
        (None, ""),
        ("name", ""),
        (None, "only whether there is one"),
    ]
    assert [(q.question, q.sql) for q in found.queries] == [
        ("How many persons have a name?", {"duckdb": "named"})
    ]
    words = {check.name: check.description for check in found.checks}
    assert words["named"] == "No row has `not has_name`; up to 0.5% of the rows may break this."
    assert words["some"].startswith("A calculation over this table finds nothing")


def run(number: int, outcome: str = "pass", **changes: object) -> PastRun:
    result = TableResult(rows=number, seconds=0.5, checks={"check": (outcome, 0)})
    made = PastRun(
        run_id=f"R{number}",
        status="published",
        started_at=NOON - datetime.timedelta(days=number),
        results={"table": result},
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def test_the_history_of_a_check_has_the_latest_results_first() -> None:
    facts = Facts(runs=[run(0, "fail", status="failed"), *(run(n) for n in range(1, 40))])
    found = facts.history("table", "check")
    assert [each.run_id for each in found] == [f"R{n}" for n in range(RESULTS_SHOWN)]
    assert [(each.outcome, each.run_status) for each in found[:2]] == [
        ("fail", "failed"),
        ("pass", "published"),
    ]
    assert (facts.history("table", "other"), facts.history("other", "check")) == ((), ())


def test_a_check_that_is_not_declared_now_is_shown_and_not_counted() -> None:
    checks = {"renamed": ("warn", 3), "name_not_null": ("pass", 0), "spelled": ("fail", 1)}
    results = {"customer_totals": TableResult(rows=4, seconds=0.5, checks=checks)}
    totals = page(site_of(SHOP, Facts(runs=[run(0, results=results)])), "customer_totals")
    former = [check for check in totals.checks if not check.is_declared]
    assert [(check.name, check.history[0].outcome) for check in former] == [
        ("renamed", "warn"),
        ("spelled", "fail"),
    ]
    assert standing(former).words == "no checks"
    found = standing(totals.checks)
    assert (found.worst, found.counts["pass"]) == ("pass", 1)
    assert found.unknown == len(totals.checks) - len(former) - 1
    first, *_, last, latest = by_urgency(totals.checks)
    assert (first.name, last.name, latest.name) == ("name_not_null", "spelled", "renamed")


def test_a_build_is_that_of_the_run_that_published_the_mart() -> None:
    recorded = {
        "table": RecordedTable("toy", "table", "table", "R3", datetime.date(2025, 6, 30)),
        "old": RecordedTable("toy", "old", "table", "20250301T040506-AB", None),
    }
    facts = Facts(runs=[run(n) for n in range(9)], recorded=recorded, rows={"old": 7})
    build, old = facts.build("table"), facts.build("old")
    assert build
    assert (build.run_id, build.rows, build.seconds) == ("R3", 3, 0.5)
    # The table of runs does not know it.
    assert old
    assert (old.at, old.rows) == (datetime.datetime(2025, 3, 1, 4, 5, 6), 7)  # noqa: DTZ001
    assert facts.build("never") is None


@pytest.mark.parametrize(
    ("location", "shown"),
    [
        ("shop/sales/x.py:7", "shop/sales/x.py:7"),
        ("/home/jane/lib/shop/sales/x.py:7", "shop/sales/x.py:7"),
        ("/home/shop/lib/python/shop/x.py:7", "shop/x.py:7"),
        ("/home/jane/other/x.py:7", "x.py:7"),
    ],
)
def test_a_location_does_not_tell_of_a_machine(location: str, shown: str) -> None:
    assert location_in_project(location, "shop") == str(Path(shown))
