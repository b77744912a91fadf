"""What `marts compile` warns of in a plan: in marts, in checks, and in public views of sources."""

from __future__ import annotations

import datetime
from dataclasses import replace
from itertools import chain

import ibis
import pytest
from ibis.expr.types import Table

from marts import float64, mart, money, source, string, table_check
from marts.core.analysis.lint import lint
from marts.core.analysis.trace import Trace
from marts.core.authoring.expressions import FixedAsOf
from marts.core.authoring.signature import location_of
from marts.core.plan.findings import findings_of, findings_of_views
from marts.core.plan.planner import (
    plan_run,
)
from marts.core.plan.state import declared_state
from marts.core.plan.steps import Build
from marts.core.project.graph import link
from marts.core.project.loading import Declarations
from marts.core.query.invariant_checks import with_invariants
from support import statements
from support.engines import GRAPH
from support.workshop import project_of


@pytest.mark.slow
def test_no_mart_and_no_check_of_the_project_has_a_finding() -> None:
    assert findings_of(GRAPH.project, statements.plan()) == ()


def test_the_findings_of_a_plan_name_the_mart_the_check_and_the_lines() -> None:
    def costly(this: Table) -> Table:
        return this.filter(this.amount > this.amount.mean())

    @mart(
        grain="key",
        columns=[string("key"), money("amount"), float64("half")],
        checks=[table_check("costly", offending=costly)],
    )
    def half(sales: Table) -> Table:
        """Half of each amount."""
        return sales.select("key", "amount", half=sales.amount / 2)

    sales = source("sales", doc="Sales.", grain="key", columns=[string("key"), money("amount")])
    graph = link(Declarations("toy", {"sales": sales}, {"half": half}))
    facts = declared_state(graph.project, sources=["sales"])
    plan = plan_run(graph, ["half"], facts, FixedAsOf(datetime.date(2025, 6, 30)))
    found = findings_of(graph.project, plan)
    assert [(finding.table, finding.rule, finding.location) for finding in found] == [
        ("half", "division", location_of(__file__, half.define.__code__.co_firstlineno + 7)),
        ("half", "statistic", location_of(__file__, costly.__code__.co_firstlineno + 1)),
    ]


@pytest.mark.slow
def test_of_two_versions_of_a_mart_engines_skip_no_null_to_compare_them() -> None:
    # One mart has columns of every type; the other has few, and meets all invariants.
    profile, months = "customer_360_profile", "metric_mom_spend_change"
    one, marts = "four_times_the_amounts", GRAPH.project.marts
    others = GRAPH.project.invariants.keys() - {one}
    kinds = {
        name: {str(column.type).partition("(")[0] for column in mart.columns}
        for name, mart in marts.items()
    }
    assert kinds[profile] == {*chain.from_iterable(kinds.values())}
    graph = with_invariants(GRAPH, without={(profile, each) for each in others})
    facts = declared_state(graph.project, sources=graph.project.sources)
    plan = plan_run(graph, [profile, months], facts, FixedAsOf(datetime.date(2025, 6, 30)))
    found = findings_of(graph.project, plan)
    assert {finding.table for finding in found} == {profile, months}
    # What differs is shown to people, be it with other digits.
    assert {finding.rule for finding in found} == {"text_of_a_number"}


def test_a_run_is_linted_as_if_it_had_been_traced() -> None:
    @mart(grain="key", columns=[string("key"), money("amount")])
    def dropped(sales: Table) -> Table:
        """Sums."""
        sums = sales.group_by("key").aggregate(amount=sales.amount.sum().cast("decimal(38, 2)"))
        return sums.mutate(amount=sums.amount)

    sales = source("sales", doc="Sales.", grain="key", columns=[string("key"), money("amount")])
    graph = link(Declarations("toy", {"sales": sales}, {"dropped": dropped}))
    facts = declared_state(graph.project, sources=["sales"])
    with Trace() as trace:
        plan = plan_run(graph, ["dropped"], facts, FixedAsOf(datetime.date(2025, 6, 30)))
    cast = ibis.expr.types.Value.cast
    (found,) = findings_of(graph.project, plan)
    assert (found.rule, found.location.rpartition(":")[2]) == (
        "dropped_cast",
        str(dropped.define.__code__.co_firstlineno + 3),
    )
    query = next(step.query for step in plan.steps if isinstance(step, Build))
    assert lint(dropped, query, trace=trace) == (found,)
    assert ibis.expr.types.Value.cast is cast


def test_a_public_view_of_a_source_is_reported() -> None:
    @mart(grain="key", materialized="view", columns=[string("key")])
    def seen(things: Table) -> Table:
        """Things."""
        return things

    @mart(grain="key", materialized="view", columns=[string("key")])
    def behind(kept: Table) -> Table:
        """Things."""
        return kept

    things = source("things", doc="T.", grain="key", columns=[string("key")])
    kept = replace(seen, name="kept", materialized="table")
    between = replace(seen, name="int_seen")
    graph = project_of(things, seen, behind, kept, between)
    facts = declared_state(graph.project, sources=["things"])
    plan = plan_run(graph, graph.order, facts, FixedAsOf(datetime.date(2025, 6, 30)))
    (found,) = findings_of_views(graph.project, plan)
    assert (found.table, found.rule) == ("seen", "view_of_a_source")
    assert "a view of things" in found.message
