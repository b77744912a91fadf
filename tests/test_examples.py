"""Our marts give what their examples expect, which would notice mistakes in the marts."""

from __future__ import annotations

import pytest

from backends.duckdb_worlds import DuckDBWorlds
from marts.core.console.project_file import project_settings
from marts.core.proof.building import WorldBuilder
from marts.core.proof.comparison import report
from marts.core.proof.example_scores import score_examples
from marts.core.proof.examples import Example, examples_of, run_examples
from support.engines import GRAPH
from support.paths import REPOSITORY

EXAMPLES = examples_of(GRAPH, project_settings(start=REPOSITORY))
EACH = [example for examples in EXAMPLES.values() for example in examples]


@pytest.fixture(scope="module")
def builder() -> WorldBuilder:
    return WorldBuilder(GRAPH, DuckDBWorlds())


@pytest.mark.parametrize("example", EACH, ids=lambda example: f"{example.mart.name}-{example.name}")
def test_a_mart_gives_what_is_expected(builder: WorldBuilder, example: Example) -> None:
    (result,) = run_examples(builder, [example])
    assert result.error is None, str(result.error)
    assert result.differences is not None
    assert result.holds, report(result.differences)


@pytest.mark.parametrize("mart", EXAMPLES)
def test_each_example_would_notice_what_no_other_does(builder: WorldBuilder, mart: str) -> None:
    results = list(run_examples(builder, EXAMPLES[mart]))
    scores = score_examples(builder, GRAPH.project.marts[mart], results)
    assert all(len(killed) > 5 for killed in scores.killed.values()), scores.killed
    assert sum(map(len, scores.killed.values())) > scores.mutants / 3
