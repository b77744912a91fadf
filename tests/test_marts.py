"""Every public mart equals its pandas twin, whatever the world."""

from __future__ import annotations

import datetime
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest
from hypothesis import given

from fixtures.corpus import AS_OF, write_corpus
from marts.core.proof.comparison import assert_same_table
from marts.core.query.contract import schema_of
from support.data_sets import bundled
from support.effort import at_most
from support.engines import GRAPH, Layout, our_marts
from support.saved_worlds import kept_if_failing, saved_worlds
from support.twins import GRAINS, TWINS
from support.workshop import Workshop
from support.worlds import THRESHOLDS, World, corpus_world, worlds


def assert_marts_equal_twins(world: World) -> None:
    tables = world.layout.of(world.tables)
    built = our_marts(world.layout.threads).build(tables, world.as_of)
    for name, twin in TWINS.items():
        assert_same_table(
            built[name],
            twin(world.tables, world.as_of),
            grain=GRAINS[name],
            sql=built.sql[name],
        )


# An example builds all marts and calculates their twins; the corpus below has all thresholds.
@at_most(60)
@given(world=worlds())
def test_marts_equal_their_twins(world_folder: Path | None, world: World) -> None:
    with kept_if_failing(world, world_folder):
        assert_marts_equal_twins(world)


@pytest.mark.parametrize("name", saved_worlds())
def test_marts_equal_their_twins_on_saved_worlds(name: str) -> None:
    assert_marts_equal_twins(saved_worlds()[name])


@pytest.mark.parametrize("as_of", ["2024-06-15", "2024-02-29", "2025-01-01"])
def test_marts_equal_their_twins_on_the_corpus(as_of: str) -> None:
    assert_marts_equal_twins(corpus_world(datetime.date.fromisoformat(as_of)))


def test_marts_equal_their_twins_on_the_corpus_in_many_files(tmp_path: Path) -> None:
    """As users have it: the backend reads Parquet, in pieces, and all checks are made."""
    shop = Workshop(tmp_path, GRAPH)
    write_corpus(shop.data, THRESHOLDS, AS_OF)
    facts = shop.data / "fct_transactions.parquet"
    pieces = Layout(pieces=3).cut(pq.read_table(facts))
    facts.unlink()
    facts.with_suffix("").mkdir()
    for number, piece in enumerate(pieces):
        pq.write_table(piece, facts.with_suffix("") / f"part-{number}.parquet")
    report = shop.run(as_of=AS_OF, source_checks=True)
    assert (report.status, report.failures) == ("published", [])
    with duckdb.connect(str(shop.database), read_only=True) as reader:
        for name in TWINS:
            assert_same_table(
                reader.table(f"gold.{name}").to_arrow_table(),
                TWINS[name](corpus_world().tables, AS_OF),
                grain=GRAINS[name],
            )


def test_marts_equal_their_twins_on_the_bundled_data_of_an_earlier_day() -> None:
    assert_marts_equal_twins(World(bundled().tables, datetime.date(2024, 12, 31)))


def test_marts_have_the_types_of_their_contracts() -> None:
    built = our_marts().build(corpus_world().tables, AS_OF)
    for name, mart in GRAPH.project.marts.items():
        assert built[name].schema == schema_of(mart.columns).to_pyarrow(), name


def test_every_public_mart_has_a_twin() -> None:
    public = {name for name, mart in GRAPH.project.marts.items() if not mart.is_intermediate}
    assert public == set(TWINS)
