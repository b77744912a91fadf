"""Plans: which steps, in which order; what is refused before anything is built."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import ibis
import ibis.expr.datatypes as dt
import pytest

from marts import Table, mart, relationship, source, string
from marts.core.analysis.declared_keys import declared_keys
from marts.core.authoring.expressions import FixedAsOf
from marts.core.errors import SourceError, UsageError
from marts.core.plan.planner import plan_checks, plan_run
from marts.core.plan.state import EngineState, TableState, declared_state
from marts.core.plan.steps import Build, CheckTable, Plan, SkippedCheck
from marts.core.project.selection import select
from support.workshop import AS_OF, SHOP, project_of

PAID, TOTALS, MODELS, OVERVIEW = SHOP.order
BIKES = source("bikes", doc="Bikes.", grain="bike", columns=[string("bike")])


def state(*, published: Mapping[str, Any] | None = None, **sources: Any) -> EngineState:
    """Return the state of an engine with the shop's required sources, and nothing published.

    A keyword replaces the source of its name by a schema, by a TableState, or by None.
    """
    declared = declared_state(SHOP.project, sources=["customers", "orders"])
    found = {**declared.sources, **sources}
    return EngineState(
        sources={
            name: table if isinstance(table, TableState) else TableState(table)
            for name, table in found.items()
            if table
        },
        published={
            name: declared.published[name] if kind is ... else TableState(kind)
            for name, kind in (published or {}).items()
        },
        source_location="the till",
    )


def planned(*selectors: str, given: EngineState | None = None, source_checks: bool = False) -> Plan:
    """Plan a run of the shop."""
    return plan_run(
        SHOP,
        select(SHOP, selectors),
        given or state(),
        FixedAsOf(AS_OF),
        source_checks=source_checks,
    )


def words(plan: Plan) -> list[str]:
    """Return a plan's steps, a few words for each."""
    found = []
    for step in plan.steps:
        match step:
            case Build(of):
                found.append(f"build {of.name}")
            case CheckTable(of, checks):
                which = "" if step.is_fused else f".{checks[0].name}"
                found.append(f"check {of.name}{which}")
    if plan.publication:
        found.append(f"publish {' '.join(of.name for of in plan.publication.marts)}")
    return found


def without(table: Mapping[str, dt.DataType], column: str) -> dict[str, dt.DataType]:
    return {name: kind for name, kind in table.items() if name != column}


ORDERS = state().sources["orders"].types
CUSTOMERS = state().sources["customers"].types


# Steps


def test_every_mart_is_built_then_checked_and_all_are_published_last() -> None:
    assert SHOP.order == ("int_paid_orders", "customer_totals", "model_sales", "shop_overview")
    assert words(planned()) == [
        "build int_paid_orders",
        "check int_paid_orders",
        "build customer_totals",
        "check customer_totals",
        "check customer_totals.customer_id_in_customers",
        "check customer_totals.every_active_customer",
        "build model_sales",
        "check model_sales",
        "check model_sales.month_and_model_unique",
        "check model_sales.no_more_than_was_paid",
        "check model_sales.some_revenue",
        "build shop_overview",
        "check shop_overview",
        "check shop_overview.best_customer_in_customer_totals",
        "publish int_paid_orders customer_totals model_sales shop_overview",
    ]


def test_sources_are_checked_before_anything_is_built() -> None:
    plan = planned(PAID, source_checks=True)
    assert sorted(words(plan)[: words(plan).index("build int_paid_orders")]) == [
        "check customers",
        "check orders",
        "check orders.customer_id_in_customers",
    ]


def test_a_plan_of_checks_builds_and_publishes_nothing() -> None:
    given = state(published={TOTALS: ..., PAID: ...})
    plan = plan_checks(SHOP, [PAID, TOTALS], given, FixedAsOf(AS_OF))
    assert sorted(words(plan)) == [
        "check customer_totals",
        "check customer_totals.customer_id_in_customers",
        "check customer_totals.every_active_customer",
        "check int_paid_orders",
    ]
    assert {skipped.check: skipped.missing for skipped in plan.skipped} == {
        "no_more_than_was_paid": (MODELS,),
        "best_customer_in_customer_totals": (OVERVIEW,),
    }


def test_a_plan_of_checks_of_sources_alone() -> None:
    plan = plan_checks(SHOP, [], state(), FixedAsOf(AS_OF), source_checks=True)
    assert sorted(words(plan)) == [
        "check customers",
        "check orders",
        "check orders.customer_id_in_customers",
    ]


def test_an_unchecked_mart_is_built_and_published_all_the_same() -> None:
    # Its rows need no name; and of no name there is no check that it is unique.
    @mart(grain=(), columns=[string("bike")], materialized="view", unchecked=True)
    def all_bikes(bikes: Table) -> Table:
        """Bikes."""
        return bikes

    graph = project_of(BIKES, all_bikes)
    plan = plan_run(
        graph, graph.order, declared_state(graph.project, sources=["bikes"]), FixedAsOf(AS_OF)
    )
    assert words(plan) == ["build all_bikes", "publish all_bikes"]
    assert declared_keys(graph.project).of_all_rows["all_bikes"] == frozenset()


# Checks that read other marts


def test_checks_that_read_what_is_neither_built_nor_published_are_skipped_with_the_reason() -> None:
    plan = planned(PAID)
    assert words(plan) == [
        "build int_paid_orders",
        "check int_paid_orders",
        "publish int_paid_orders",
    ]
    assert plan.skipped == (SkippedCheck(MODELS, "no_more_than_was_paid", (MODELS,)),)


def test_checks_of_published_marts_that_read_a_selected_one_are_made() -> None:
    plan = planned(PAID, given=state(published={MODELS: ...}))
    assert words(plan) == [
        "build int_paid_orders",
        "check int_paid_orders",
        "check model_sales.no_more_than_was_paid",
        "publish int_paid_orders",
    ]
    assert plan.skipped == ()


def test_checks_of_a_mart_published_with_an_older_schema_are_skipped() -> None:
    # Its own query would not even bind; nobody asked for that mart to be built.
    older = without(declared_state(SHOP.project, sources=[]).published[MODELS].types, "revenue")
    plan = planned(PAID, given=state(published={MODELS: older}))
    assert words(plan) == [
        "build int_paid_orders",
        "check int_paid_orders",
        "publish int_paid_orders",
    ]
    assert [skipped.table for skipped in plan.skipped] == [MODELS]


def test_a_check_waits_for_the_last_mart_it_reads() -> None:
    later = relationship("bike", to="second.bike")

    @mart(grain="bike", columns=[string("bike")], checks=[later])
    def first(bikes: Table) -> Table:
        """Bikes."""
        return bikes

    @mart(grain="bike", columns=[string("bike")])
    def second(first: Table) -> Table:
        """Bikes."""
        return first

    graph = project_of(BIKES, first, second)
    # Both are published: yet the check must read what this run builds.
    given = declared_state(graph.project, sources=["bikes"])
    plan = plan_run(graph, graph.order, given, FixedAsOf(AS_OF))
    assert words(plan) == [
        "build first",
        "check first",
        "build second",
        "check second",
        "check first.bike_in_second",
        "publish first second",
    ]


# Upstream marts that are not selected


def test_an_upstream_mart_that_is_not_selected_is_read_as_published() -> None:
    plan = planned(TOTALS, given=state(published={PAID: ...}))
    assert words(plan)[0] == "build customer_totals"
    assert not any(word.endswith(" int_paid_orders") for word in words(plan))


def test_an_upstream_mart_that_is_not_published_is_refused_with_the_selector() -> None:
    with pytest.raises(UsageError) as caught:
        planned(TOTALS)
    assert str(caught.value).splitlines() == [
        "customer_totals reads int_paid_orders, which is not selected and is not published",
        "hint: select +customer_totals, which includes what it reads",
    ]


def test_an_upstream_mart_with_an_older_schema_is_refused_with_what_differs() -> None:
    older = {"order_id": dt.string, "customer_id": dt.int64, "model": dt.string}
    with pytest.raises(UsageError) as caught:
        planned(TOTALS, given=state(published={PAID: older}))
    summary, *differences, hint = str(caught.value).splitlines()
    assert summary.endswith("which is not selected and as published does not fit its contract")
    assert differences == [
        "  column customer_id: expected string, found int64",
        "  column ordered_at: expected timestamp, found no such column",
        "  column amount: expected decimal(18, 2), found no such column",
    ]
    assert hint == "hint: select +customer_totals, which includes what it reads"


def test_checking_what_is_not_published_is_refused() -> None:
    with pytest.raises(UsageError, match="not published: customer_totals, shop_overview"):
        plan_checks(
            SHOP, [TOTALS, MODELS, OVERVIEW], state(published={MODELS: ...}), FixedAsOf(AS_OF)
        )


def test_checking_what_is_published_with_an_older_schema_is_refused_with_what_differs() -> None:
    given = state(published={MODELS: {"month": dt.date, "model": dt.string, "sold": dt.int64}})
    with pytest.raises(UsageError, match="column revenue: expected"):
        plan_checks(SHOP, [MODELS], given, FixedAsOf(AS_OF))


PAID_IS_TEMPORARY = replace(
    SHOP,
    project=replace(
        SHOP.project,
        marts=SHOP.project.marts
        | {PAID: replace(SHOP.project.marts[PAID], materialized="temporary")},
    ),
)


def test_checking_what_is_published_builds_no_temporary_mart_that_it_was_made_from() -> None:
    given = state(published={TOTALS: ...}, orders=None)
    plan = plan_checks(PAID_IS_TEMPORARY, [TOTALS], given, FixedAsOf(AS_OF))
    assert words(plan) == [
        f"check {TOTALS}",
        f"check {TOTALS}.customer_id_in_customers",
        f"check {TOTALS}.every_active_customer",
    ]


SALES = ["", ".month_and_model_unique", ".no_more_than_was_paid", ".some_revenue"]


@pytest.mark.parametrize(
    ("selected", "checks"),
    [(PAID, []), (MODELS, [f"{MODELS}{check}" for check in SALES])],
    ids=["selected", "read by a check"],
)
def test_a_temporary_mart_is_built_to_be_checked(selected: str, checks: list[str]) -> None:
    given = state(published={MODELS: ...})
    plan = plan_checks(PAID_IS_TEMPORARY, [selected], given, FixedAsOf(AS_OF))
    expected = [f"build {PAID}", *(f"check {name}" for name in [PAID, *checks])]
    assert words(plan)[:2] == expected[:2]
    assert sorted(words(plan)) == sorted(expected)


def test_a_temporary_mart_over_one_that_is_not_published_is_not_checked() -> None:
    marts = SHOP.project.marts
    overview = replace(marts[OVERVIEW], materialized="temporary")
    graph = replace(SHOP, project=replace(SHOP.project, marts=marts | {OVERVIEW: overview}))
    with pytest.raises(UsageError, match=f"{OVERVIEW} reads {TOTALS}, which is .* not published"):
        plan_checks(graph, [OVERVIEW], state(), FixedAsOf(AS_OF))


# Sources


@pytest.mark.parametrize(
    ("selected", "source_checks", "expected"),
    [
        ([MODELS], False, ()),
        ([PAID], False, ("orders",)),
        ([TOTALS], False, ("customers", "reviews")),
        ([], True, ("customers", "orders", "reviews")),
        ([PAID], True, ("customers", "orders", "reviews")),
    ],
)
def test_only_the_sources_that_are_read_must_fit_their_contracts(
    selected: list[str], source_checks: bool, expected: tuple[str, ...]
) -> None:
    unfit = {name: TableState({}) for name in SHOP.project.sources}
    given = state(published=dict.fromkeys(SHOP.order, ...), **unfit)
    with pytest.raises(SourceError) if expected else nullcontext() as caught:
        plan_run(SHOP, selected, given, FixedAsOf(AS_OF), source_checks=source_checks)
    found = caught.value.facts if caught else ()
    assert {name for name in unfit if any(f"source {name}," in fact for fact in found)} == {
        *expected
    }


def test_values_that_do_not_fit_are_not_looked_for_elsewhere() -> None:
    line = "column amount: expected decimal(10, 2), found float64 with 1 value that does not fit"
    with pytest.raises(SourceError) as caught:
        planned(given=state(orders=TableState(ORDERS, misfits=(line,))))
    assert caught.value.facts == (f"source orders, {line}",)


def test_all_that_does_not_fit_of_all_sources_is_listed() -> None:
    given = state(
        orders=without(ORDERS, "status") | {"amount": dt.float64},
        customers=TableState(CUSTOMERS, rows=0),
        reviews={"customer_id": dt.string},
    )
    with pytest.raises(SourceError) as caught:
        planned(given=given)
    summary, *found = str(caught.value).splitlines()
    assert summary == "the sources do not fit their contracts; nothing was built"
    assert sorted(line.strip() for line in found) == [
        "looked in the till",
        "source customers: the table has no rows",
        "source orders, column amount: expected decimal(10, 2), found float64",
        "source orders, column status: expected string, found no such column",
        "source reviews, column stars: expected float64, found no such column",
    ]


def test_a_missing_source_is_refused() -> None:
    with pytest.raises(SourceError, match="source orders: found no such table"):
        planned(given=state(orders=None))


def test_a_source_that_nobody_reads_may_be_missing() -> None:
    given = state(customers=None, reviews=None)
    assert words(planned(PAID, given=given)) == words(planned(PAID))


def test_a_source_whose_rows_are_not_counted_is_taken() -> None:
    given = state(orders=TableState(ORDERS, rows=None))
    assert words(planned(given=given)) == words(planned())


def reads_a_table(plan: Plan, mart_name: str, source_name: str) -> bool:
    (query,) = (s.query for s in plan.steps if isinstance(s, Build) and s.mart.name == mart_name)
    sql = ibis.to_sql(query, dialect="duckdb")
    return f'"{source_name}"' in sql


@pytest.mark.parametrize("rows", [0, 3])
def test_an_optional_source_may_be_empty(rows: int) -> None:
    stars = {"customer_id": dt.string, "stars": dt.float64}
    plan = planned(given=state(reviews=TableState(stars, rows=rows)))
    assert reads_a_table(plan, TOTALS, "reviews")


def test_an_absent_optional_source_is_not_asked_for() -> None:
    assert not reads_a_table(planned(), TOTALS, "reviews")


def test_as_of_is_what_the_plan_says() -> None:
    later = replace(FixedAsOf(AS_OF), day=datetime.date(2030, 1, 1))
    plan = plan_run(SHOP, SHOP.order, state(), later)
    assert plan.as_of is later
    (query,) = (s.query for s in plan.steps if isinstance(s, Build) and s.mart.name == PAID)
    assert "MAKE_DATE(2030, 1, 2)" in ibis.to_sql(query, dialect="duckdb")
