"""No slip in a mart goes unnoticed: each mutant is killed, or allowed with its reason."""

from __future__ import annotations

import json
from typing import Any

import pytest

from support.engines import GRAPH
from support.paths import REPOSITORY
from support.processes import marts_process

ALLOWED = REPOSITORY / "tests/equivalent_mutants.toml"


@pytest.fixture(scope="module")
def judgements() -> dict[str, dict[str, Any]]:
    done = marts_process("mutate", "--json", "--allow", ALLOWED, cwd=REPOSITORY)
    document = json.loads(done.stdout)
    assert document["stale"] == []
    return {each["mart"]: each for each in document["marts"]}


@pytest.mark.parametrize("mart", GRAPH.order)
def test_every_mutant_is_killed_or_allowed(
    mart: str, judgements: dict[str, dict[str, Any]]
) -> None:
    judgement = judgements[mart]
    assert judgement["mutants"] >= 1
    assert judgement["surviving"] == []
    assert judgement["stale"] == []


def test_few_are_allowed(judgements: dict[str, dict[str, Any]]) -> None:
    mutants = sum(each["mutants"] for each in judgements.values())
    allowed = sum(len(each["allowed"]) for each in judgements.values())
    assert mutants >= 300
    assert allowed < mutants / 20
