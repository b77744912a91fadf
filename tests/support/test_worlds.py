"""Worlds are stars of the spec's types, readable, and within every twin's reach."""

from collections import Counter
from datetime import timedelta

import pyarrow as pa
from hypothesis import HealthCheck, find, given, settings
from hypothesis.vendor.pretty import pretty

from fixtures.corpus import AS_OF
from reference.example import SCHEMAS
from support.twins import GRAINS, TWINS, expected
from support.worlds import LARGEST_CROWD, MOST_CUSTOMERS, World, worlds

EXAMPLES = settings(max_examples=60, deadline=None, derandomize=True)
FEWER = settings(EXAMPLES, max_examples=20)
"""Of all twins, which take long."""
SEARCH = settings(
    max_examples=5_000,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)


@EXAMPLES
@given(world=worlds())
def test_a_world_is_a_star_within_the_spec(world: World) -> None:
    for name, table in world.tables.items():
        assert (table.schema.names, table.schema.types) == (
            SCHEMAS[name].names,
            SCHEMAS[name].types,
        )
    facts = world.tables["fct_transactions"]
    dimension = world.tables["dim_customer"].to_pylist()
    current = Counter(row["customer_id"] for row in dimension if row["is_current"])
    assert 1 <= len(current) <= MOST_CUSTOMERS + LARGEST_CROWD
    assert set(current.values()) == {1}
    assert set(current) == {row["customer_id"] for row in dimension}
    assert len({row["customer_key"] for row in dimension}) == len(dimension)
    assert len(set(facts["transaction_key"].to_pylist())) == facts.num_rows


@FEWER
@given(world=worlds())
def test_every_twin_runs_and_keeps_its_grain(world: World) -> None:
    for name, grain in GRAINS.items():
        table = expected(name, world.tables, world.as_of)
        rows = [tuple(row.values()) for row in table.select(grain).to_pylist()]
        assert rows == sorted(set(rows))


@FEWER
@given(world=worlds())
def test_the_customer_marts_hold_the_same_customers_and_lifetime_is_months_summed(
    world: World,
) -> None:
    marts = {name: expected(name, world.tables, world.as_of) for name in TWINS}
    existing = marts["customer_segments"]["customer_id"].to_pylist()
    for name, grain in GRAINS.items():
        if grain == ("customer_id",):
            assert marts[name]["customer_id"].to_pylist() == existing
    lifetime = sum(marts["metric_customer_ltv"]["lifetime_value"].to_pylist())
    assert lifetime == sum(marts["metric_mom_spend_change"]["monthly_spend"].to_pylist())


@FEWER
@given(world=worlds())
def test_row_order_of_the_sources_changes_nothing(world: World) -> None:
    backwards = {
        name: table.take(pa.array(range(table.num_rows), pa.int64())[::-1])
        for name, table in world.tables.items()
    }
    for name, twin in TWINS.items():
        once, again = twin(world.tables, world.as_of), twin(backwards, world.as_of)
        assert once.equals(again), name


LABELS = {
    "customer_segment": {
        "High-Value Travelers",
        "Declining",
        "New & Growing",
        "Budget-Conscious",
        "Stable Mid-Spenders",
    },
    "latest_mom_trend_category": {
        "First Month",
        "No Baseline",
        "High Growth",
        "Growth",
        "Flat",
        "Decline",
        "High Decline",
    },
    "spending_consistency": {"No Transactions", "Consistent", "Moderate", "Variable"},
    "ltv_tier": {"<$10K", "$10K-$50K", "$50K-$100K", "$100K+"},
    "recency_status": {
        "Active (30 days)",
        "Recent (60 days)",
        "At Risk (90 days)",
        "Inactive (90+ days)",
    },
    "spending_profile": {"Travel-Focused", "Necessity-Focused", "Balanced"},
    "churn_risk_category": {"High Risk", "Medium Risk", "Low Risk", "Not Scored"},
}


def test_worlds_reach_every_label() -> None:
    reached: dict[str, set[str]] = {column: set() for column in LABELS}

    @settings(EXAMPLES, max_examples=400)
    @given(world=worlds())
    def collect(world: World) -> None:
        profile = expected("customer_360_profile", world.tables, world.as_of)
        for column in LABELS:
            reached[column] |= set(profile[column].to_pylist()) - {None}

    collect()
    assert reached == LABELS


def test_a_failing_world_is_readable() -> None:
    def has_spend(world: World) -> bool:
        segments = expected("customer_segments", world.tables, world.as_of)
        return any(value > 0 for value in segments["lifetime_value"].to_pylist())

    world = find(worlds(), has_spend, settings=SEARCH)
    assert world.as_of == AS_OF
    assert pretty(world) == repr(world)
    opened = world.as_of - timedelta(days=400)
    assert repr(world).splitlines() == [
        "World(as_of=2024-05-31, Layout(shuffle=0, pieces=1, threads=1)",
        f"    c0 k0 current: opened {opened}, Standard 10000.00, Ada Byron, 40",
        "    t0 k0: 2024-05-31 00:00:00 100.00 approved, no category)",
    ]
