"""A tangle of marts: more ways from one to another than anybody can walk, planned all the same."""

from __future__ import annotations

import datetime
from dataclasses import replace

import pytest

from backends.duckdb_sql import compiled
from marts.core.authoring.expressions import FixedAsOf
from marts.core.errors import UsageError
from marts.core.plan.changes import plan_changes
from marts.core.plan.fingerprint import CurrentInputs, Fingerprint
from marts.core.plan.planner import plan_checks, plan_run
from marts.core.plan.state import EngineState, RecordedTable, declared_state
from marts.core.project.graph import Graph, link
from support.workshop import AS_OF

LAYERS = 14
TODAY, BEFORE = FixedAsOf(AS_OF), AS_OF - datetime.timedelta(days=1)


@pytest.fixture(scope="module", params=["table", "temporary"])
def layers(request: pytest.FixtureRequest, tangle: Graph) -> Graph:
    """Return 42 marts, all of which but the last three are of one kind."""
    last = {f"{name}{LAYERS - 1}" for name in "abc"}
    marts = {
        name: replace(
            mart,
            materialized="table" if name in last else request.param,
            define=lambda first, *_: first,
        )
        for name, mart in tangle.project.marts.items()
        if name[0] in "abc" and int(name[1:]) < LAYERS
    }
    assert len(marts) == 3 * LAYERS
    return link(replace(tangle.project, marts=marts))


def published(graph: Graph, as_of: datetime.date) -> EngineState:
    """Return the state after a run of an earlier day, whatever was made from what."""
    state = declared_state(graph.project, sources=["bikes"])
    marts = [name for name, mart in graph.project.marts.items() if not mart.is_temporary]
    origin = Fingerprint("", {}, {}).to_text()
    recorded = {
        name: RecordedTable("toy", name, "table", "run", as_of, origin=origin) for name in marts
    }
    return replace(state, recorded=recorded, published={n: state.published[n] for n in marts})


def test_all_of_a_tangle_is_planned(layers: Graph) -> None:
    state = declared_state(layers.project, sources=["bikes"])
    plan = plan_run(layers, layers.order, replace(state, published={}), TODAY)
    assert tuple(step.mart.name for step in plan.builds) == layers.order
    checks = plan_checks(layers, layers.order, state, TODAY)
    assert {step.mart.is_temporary for step in checks.builds} <= {True}


def test_the_changes_of_a_tangle_are_planned(layers: Graph) -> None:
    nothing = EngineState(declared_state(layers.project, sources=["bikes"]).sources)
    current = CurrentInputs(layers, nothing, TODAY, compiled)
    plan = plan_changes(layers, layers.order, current, run_id="run")
    assert set(plan.reasons.values()) == {"not published"}
    assert all(step.compiled for step in plan.builds)
    fingerprints = {s.mart.name: s.fingerprint for s in plan.builds if s.fingerprint}
    assert fingerprints.keys() == plan.reasons.keys()


def test_the_end_of_a_tangle_is_not_built_upon_what_is_not_up_to_date(layers: Graph) -> None:
    current = CurrentInputs(layers, published(layers, BEFORE), TODAY, compiled)
    last = layers.order[-1]
    if layers.project.marts[layers.order[0]].is_temporary:
        plan = plan_changes(layers, [last], current, run_id="run")
        assert len(plan.builds) == 3 * LAYERS - 2
        return
    with pytest.raises(UsageError) as caught:
        plan_changes(layers, [last], current, run_id="run")
    assert len(caught.value.facts) == 3 * LAYERS - 3
