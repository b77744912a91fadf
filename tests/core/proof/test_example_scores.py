"""Examples are scored by the mutants that they would notice."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from backends.duckdb_worlds import DuckDBWorlds
from marts.core.errors import MartsError
from marts.core.proof.building import WorldBuilder
from marts.core.proof.example_scores import score_examples
from marts.core.proof.examples import (
    run_examples,
)
from support.examples import GOOD, read, result_of
from support.workshop import SHOP


@pytest.fixture(scope="module")
def builder() -> WorldBuilder:
    return WorldBuilder(SHOP, DuckDBWorlds())


def test_examples_are_scored_by_what_they_would_notice(
    tmp_path: Path, builder: WorldBuilder
) -> None:
    gold = replace(read(GOOD, tmp_path), name="gold")
    edge = GOOD.replace("1200.00", "1000.00")
    results = list(
        run_examples(
            builder,
            [
                gold,
                replace(gold, name="gold_again"),
                replace(read(edge, tmp_path), name="edge"),
                replace(read(GOOD.replace("| gold |", "| plain |"), tmp_path), name="fails"),
            ],
        )
    )
    scores = score_examples(builder, gold.mart, results)
    killed = {
        name: {(each.before, each.after) for each in mutants}
        for name, mutants in scores.killed.items()
    }
    bound = ("spend >= 1000", "spend > 1000")
    assert list(killed) == ["gold", "gold_again", "edge"]
    assert ("'gold' if spend >= 1000", "'gold?' if spend >= 1000") in killed["gold"]
    assert bound not in killed["gold"]
    assert killed["gold_again"] == set()
    assert bound in killed["edge"]
    assert scores.mutants == sum(map(len, killed.values())) + len(scores.surviving)
    assert "mean(cast(amount, float64))" in {each.before for each in scores.surviving}
    without = score_examples(builder, gold.mart, results[3:])
    assert (without.killed, without.surviving) == ({}, ())


def test_a_score_is_what_running_each_mutant_as_the_mart_gives(
    tmp_path: Path, builder: WorldBuilder
) -> None:
    example = read(GOOD, tmp_path)
    scores = score_examples(builder, example.mart, [result_of(builder, example)])
    for is_killed, mutants in ((True, scores.killed["some"]), (False, scores.surviving)):
        for mutant in mutants:
            builder.build(example.world, ["int_paid_orders"])
            builder.engine.show(example.world.tables)
            try:
                rows = builder.engine.rows(builder.engine.compile(mutant.query))
            except MartsError:
                assert is_killed
                continue
            seen = rows.select(example.expected.column_names).sort_by("customer_id")
            assert (seen.to_pylist() != example.expected.to_pylist()) == is_killed, mutant
