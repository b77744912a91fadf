"""Marts answer changes of their sources as the invariants say; wrong marts do not."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

import duckdb
import ibis
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backends.duckdb_sql import compile_query
from marts import Table
from marts.core.authoring.expressions import FixedAsOf
from marts.core.kit.building import on_duckdb
from marts.core.plan.state import declared_state
from marts.core.project.graph import Graph
from marts.core.proof.comparison import assert_same_table
from marts.core.query.contract import schema_of
from marts.core.query.definition import logical_tables
from marts.core.query.invariant_checks import changed_sources, concerns, unexpected
from support.engines import GRAPH
from support.worlds import World, corpus_world, worlds

RELATIONS = sorted(GRAPH.project.invariants)

COMPARISONS: dict[tuple[object, ...], str] = {}


class Invariants:
    """Changes worlds as invariants say, and compares the marts before and after."""

    def __init__(self, graph: Graph = GRAPH) -> None:
        self.graph = graph
        self.marts = on_duckdb(graph)
        self.connection = duckdb.connect()

    def comparison(self, mart: str, invariant: str) -> str:
        """Return the SQL that finds a mart's unexpected rows: that of its columns."""
        declared = self.graph.project.marts[mart]
        key = (mart, invariant, declared.columns)
        if key not in COMPARISONS:
            before, after = (
                ibis.table(schema_of(declared.columns), name=name) for name in ("before", "after")
            )
            rows = unexpected(self.graph.project.invariants[invariant], declared, before, after)
            sql = compile_query(rows, sources={}, schema="main")
            COMPARISONS[key] = sql
        return COMPARISONS[key]

    def changed(self, world: World, invariant: str) -> Mapping[str, pa.Table]:
        """Return a world's tables as an invariant changes them."""
        declared = self.graph.project.invariants[invariant]
        facts = declared_state(self.graph.project, sources=frozenset(world.tables))
        tables = logical_tables(self.graph.project, present=facts.sources)
        changed = changed_sources(declared, self.graph, tables, FixedAsOf(world.as_of))
        sql = compile_query(changed[declared.source], sources={}, schema="main")
        for name, table in world.tables.items():
            self.connection.register(name, table)
        rows = self.connection.sql(sql).to_arrow_table()
        return {**world.tables, declared.source: rows}

    def violations(self, world: World, invariant: str) -> dict[str, list[dict[str, Any]]]:
        """Return by mart the rows that do not answer an invariant's change as they must."""
        before = self.marts.build(world.tables, world.as_of)
        after = self.marts.build(self.changed(world, invariant), world.as_of)
        found = {}
        for name, mart in self.graph.project.marts.items():
            declared = self.graph.project.invariants[invariant]
            if not concerns(declared, mart, self.graph):
                continue
            self.connection.register("before", before[name])
            self.connection.register("after", after[name])
            sql = self.comparison(name, invariant)
            found[name] = self.connection.sql(sql).to_arrow_table().to_pylist()
            added = declared.adds.get(mart.grain)
            if added and len(after[name]) != len(before[name]) * (1 + added):
                found[name].append({"rows": len(after[name])})
        return {name: rows for name, rows in found.items() if rows}


@pytest.fixture(scope="module")
def invariants() -> Invariants:
    return Invariants()


LIMIT = Decimal(25_000_000)
"""Four times less than that fits decimal(10,2)."""


def small(world: World) -> World:
    """Return the world with amounts that can be four times as high."""
    facts = world.tables["fct_transactions"]
    number = facts.schema.get_field_index("transaction_amount")
    amounts = [amount % LIMIT for amount in facts.column(number).to_pylist()]
    column = pa.array(amounts, facts.schema.field(number).type)
    changed = facts.set_column(number, facts.schema.field(number), column)
    return replace(world, tables={**world.tables, "fct_transactions": changed})


# Dates are for the twins to meet: here each would cost a compilation of all marts.
DATES = (datetime.date(2025, 6, 30), datetime.date(2024, 2, 29), datetime.date(2025, 1, 1))


# An example builds all marts twice; each invariant meets the whole corpus below.
@settings(max_examples=40)
@given(world=worlds(as_of_dates=DATES), invariant=st.sampled_from(RELATIONS))
def test_marts_obey_their_invariants(invariants: Invariants, world: World, invariant: str) -> None:
    assert invariants.violations(small(world), invariant) == {}


@pytest.mark.parametrize("invariant", RELATIONS)
def test_marts_obey_each_invariant_at_every_edge(invariants: Invariants, invariant: str) -> None:
    assert invariants.violations(small(corpus_world()), invariant) == {}


def test_a_rerun_is_identical(invariants: Invariants) -> None:
    world = small(corpus_world())
    first = invariants.marts.build(world.tables, world.as_of)
    second = invariants.marts.build(world.tables, world.as_of)
    for name in first:
        grain = GRAPH.project.marts[name].grain
        assert_same_table(first[name], second[name], grain=grain, tolerance=0)


def test_each_public_mart_obeys_most_invariants_or_says_why_not() -> None:
    public = [mart for mart in GRAPH.project.marts.values() if not mart.is_intermediate]
    for mart in public:
        obeyed = [r for r in GRAPH.project.invariants.values() if concerns(r, mart, GRAPH)]
        assert len(obeyed) + len(mart.exempt) >= 9, mart.name
        assert len(obeyed) >= 4, mart.name


# Wrong marts, one for each invariant: how the right definition is called, or what becomes of it.

Define = Callable[..., Table]


def all_counted(define: Define, facts: Table, *others: Any) -> Table:
    return define(facts.mutate(status=ibis.literal("approved")), *others)


def tomorrow_counted(define: Define, *inputs: Any) -> Table:
    *tables, as_of = inputs
    return define(*tables, FixedAsOf(as_of.day + datetime.timedelta(days=1)))


def history_of_the_current_version(define: Define, dim_customer: Table) -> Table:
    return define(dim_customer.filter(dim_customer.is_current))


def accounts_always_open(define: Define, dim_customer: Table, *others: Any) -> Table:
    return define(dim_customer.mutate(account_open_date=ibis.date("2000-01-01")), *others)


def a_unit_too_much(define: Define, *inputs: Any) -> Table:
    t = define(*inputs)
    return t.mutate(spend_last_90_days=t.spend_last_90_days + 1)


def one_counted(define: Define, *inputs: Any) -> Table:
    t = define(*inputs)
    return t.mutate(total_transactions=ibis.least(t.total_transactions, 1))


def all_counted_as_recent(define: Define, *inputs: Any) -> Table:
    t = define(*inputs)
    return t.mutate(spend_last_90_days=t.lifetime_value)


def windows_overlap(define: Define, *inputs: Any) -> Table:
    t = define(*inputs)
    return t.mutate(spend_last_90_days=t.spend_last_90_days + t.spend_prior_90_days)


def compared_with_others(define: Define, *inputs: Any) -> Table:
    t = define(*inputs)
    return t.mutate(spend_prior_90_days=t.spend_prior_90_days.sum().over(ibis.window()))


def spenders_alone(define: Define, *inputs: Any) -> Table:
    t = define(*inputs)
    return t.filter(t.total_transactions > 0)


WRONG: Mapping[str, tuple[str, Define]] = {
    "declined_transactions_change_nothing": ("int_approved_transactions", all_counted),
    "later_transactions_change_nothing": ("int_approved_transactions", tomorrow_counted),
    "four_times_the_amounts": ("int_customer_transaction_summary", a_unit_too_much),
    "each_transaction_twice": ("int_customer_transaction_summary", one_counted),
    "old_transactions_change_only_history": (
        "int_customer_transaction_summary",
        all_counted_as_recent,
    ),
    "adjacent_windows_add_up": ("int_customer_transaction_summary", windows_overlap),
    "customers_of_one_part_stay": ("int_customer_transaction_summary", compared_with_others),
    "customers_of_the_other_part_stay": (
        "int_customer_transaction_summary",
        compared_with_others,
    ),
    "new_customers_add_a_row_each": ("int_customer_transaction_summary", spenders_alone),
    "customers_of_tomorrow_change_nothing": ("int_customers", accounts_always_open),
    "later_versions_change_only_attributes": (
        "int_customer_numbers",
        history_of_the_current_version,
    ),
}


def with_wrong_mart(name: str, wrong: Define) -> Graph:
    mart = GRAPH.project.marts[name]

    def define(*inputs: Any) -> Table:
        return wrong(mart.define, *inputs)

    marts = GRAPH.project.marts | {name: replace(mart, define=define)}
    return replace(GRAPH, project=replace(GRAPH.project, marts=marts))


@pytest.mark.parametrize("invariant", RELATIONS)
def test_a_wrong_mart_breaks_its_invariant(invariant: str) -> None:
    assert WRONG.keys() == set(RELATIONS)
    wrong = Invariants(with_wrong_mart(*WRONG[invariant]))
    assert wrong.violations(small(corpus_world()), invariant)


def test_a_column_that_declares_no_word_is_expected_to_stay() -> None:
    mart = GRAPH.project.marts["metric_customer_ltv"]
    columns = tuple(replace(column, varies_with=()) for column in mart.columns)
    marts = GRAPH.project.marts | {mart.name: replace(mart, columns=columns)}
    graph = replace(GRAPH, project=replace(GRAPH.project, marts=marts))
    found = Invariants(graph).violations(small(corpus_world()), "each_transaction_twice")
    assert found.keys() == {"metric_customer_ltv"}
    differences = [row["differs_in"] for row in found["metric_customer_ltv"]]
    assert any("lifetime_value: 100.00 → 200.00" in text for text in differences), differences
