"""A failing world is saved, shrunk; those that were saved still have what they were saved for."""

import os
import subprocess
import sys
from itertools import permutations
from pathlib import Path

import duckdb
import pytest
from hypothesis import HealthCheck, Phase, given, settings

from backends.data_files import data_as_of, find_source
from support.engines import Layout
from support.paths import REPOSITORY
from support.saved_worlds import kept_if_failing, load, save, saved_worlds
from support.twins import expected
from support.worlds import World, corpus_world, worlds

FAILING = settings(
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.generate, Phase.shrink],
    suppress_health_check=list(HealthCheck),
)


def test_a_world_is_read_as_it_was_saved(tmp_path: Path) -> None:
    before = World(corpus_world().tables, corpus_world().as_of, Layout(3, 2, 4))
    for _ in range(2):
        save(before, tmp_path, about="a test")
        after = load(tmp_path)
        assert after == before
    (tmp_path / "churn_predictions.parquet").unlink()
    save(load(tmp_path), tmp_path, about="a test")
    assert "churn_predictions" not in load(tmp_path).tables


def test_a_saved_world_is_a_data_set(tmp_path: Path) -> None:
    save(corpus_world(), tmp_path, about="a test")
    assert data_as_of(tmp_path) == corpus_world().as_of
    assert all(find_source(tmp_path, name) for name in corpus_world().tables)


def fail_where_anybody_spends(folder: Path | None) -> None:
    @FAILING
    @given(world=worlds())
    def falsified(world: World) -> None:
        with kept_if_failing(world, folder):
            segments = expected("customer_segments", world.tables, world.as_of)
            assert not sum(segments["lifetime_value"].to_pylist()), "somebody spends"

    falsified()


def test_the_smallest_failing_world_is_saved(tmp_path: Path) -> None:
    folder = tmp_path / "spending"
    with pytest.raises(AssertionError, match="somebody spends") as failure:
        fail_where_anybody_spends(folder)
    assert f"saved in {folder}; say in its dataset.json what it is about" in failure.value.__notes__
    assert load(folder).tables["fct_transactions"].num_rows == 1


def test_a_failure_says_how_to_save_the_world() -> None:
    with pytest.raises(AssertionError) as failure:
        fail_where_anybody_spends(None)
    profile = settings.get_current_profile_name()
    assert (
        "to keep this world: uv run pytest tests/test_marts.py"
        f" --hypothesis-profile={profile} --save-world NAME"
    ) in failure.value.__notes__


@pytest.mark.parametrize(
    ("name", "outcome"),
    [
        ("new", "no world failed: nothing was saved"),
        ("squares_of_large_amounts", "is there already: choose another name, or remove it"),
    ],
)
def test_the_option_says_what_became_of_it(name: str, outcome: str) -> None:
    words = ("-n0", "tests/core/test_errors.py", "--save-world", name)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *words],
        cwd=REPOSITORY,
        # CI's would start over with the coverage of the run that this is part of.
        env={name: value for name, value in os.environ.items() if name != "PYTEST_ADDOPTS"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert outcome in done.stdout + done.stderr


def test_squares_of_large_amounts_overflow_18_digits() -> None:
    facts = saved_worlds()["squares_of_large_amounts"].tables["fct_transactions"]
    with duckdb.connect() as connection:
        connection.register("facts", facts)
        squares = connection.sql("SELECT transaction_amount * transaction_amount FROM facts")
        with pytest.raises(duckdb.OutOfRangeException):
            squares.fetchall()


@pytest.mark.parametrize(("label", "deviation"), [("k0", 50.0), ("k2", 200.0)])
def test_deviations_at_a_label_depend_on_the_order_of_floats(label: str, deviation: float) -> None:
    facts = saved_worlds()["deviations_at_a_label"].tables["fct_transactions"].to_pylist()
    amounts = [float(row["transaction_amount"]) for row in facts if row["customer_key"] == label]
    with duckdb.connect() as connection:
        query = "SELECT stddev_samp(amount) FROM (SELECT unnest($amounts) AS amount)"
        found = {
            connection.execute(query, {"amounts": list(order)}).fetchall()[0][0] < deviation
            for order in permutations(amounts)
        }
    assert found == {True, False}
