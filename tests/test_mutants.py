"""No mistake in a mart goes unnoticed: each mutant is killed, or allowed with its reason."""

from __future__ import annotations

import json
from typing import Any

import pytest

from backends.factory import worlds_on_duckdb
from marts.core.proof.corpus import generic_worlds
from marts.core.proof.on_world import runs_on_worlds, surviving
from support.engines import GRAPH
from support.paths import REPOSITORY
from support.processes import marts_process

ALLOWED = REPOSITORY / "tests/equivalent_mutants.toml"


@pytest.fixture(scope="module")
def reports() -> dict[str, dict[str, Any]]:
    done = marts_process("mutate", "--json", "--allow", ALLOWED, cwd=REPOSITORY)
    document = json.loads(done.stdout)
    assert document["stale"] == []
    return {each["mart"]: each for each in document["marts"]}


@pytest.mark.parametrize("mart", GRAPH.order)
def test_every_mutant_is_killed_or_allowed(mart: str, reports: dict[str, dict[str, Any]]) -> None:
    report = reports[mart]
    assert report["mutants"] >= 1
    assert report["surviving"] == []
    assert report["stale"] == []


@pytest.mark.slow
def test_generic_worlds_alone_kill_them_all(reports: dict[str, dict[str, Any]]) -> None:
    """Without a word about customers, only those survive that no data kill."""
    engine = worlds_on_duckdb()
    worlds = generic_worlds(GRAPH, engine)
    for name in GRAPH.order:
        *_, last = runs_on_worlds(GRAPH, GRAPH.project.marts[name], engine, worlds)
        alive = {(each.operator, each.before, each.after) for each in surviving(last)}
        allowed = reports[name]["allowed"]
        assert alive == {(each["operator"], each["before"], each["after"]) for each in allowed}
    engine.close()


def test_few_are_allowed(reports: dict[str, dict[str, Any]]) -> None:
    mutants = sum(each["mutants"] for each in reports.values())
    allowed = sum(len(each["allowed"]) for each in reports.values())
    assert mutants >= 300
    assert allowed < mutants / 20
