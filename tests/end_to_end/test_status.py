"""`marts status` where something is missing, foreign, wrong, or altered by hand."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import duckdb
import pytest

from support.processes import Marts, call_marts
from support.refusals import assert_says
from support.workshop import CUSTOMERS, ORDERS, SHOP, Workshop

DONE, USAGE_ERROR = 0, 2
DATABASE = "marts.duckdb"
PLACE = ("--package", "toy_shop", "--database", DATABASE)


@pytest.fixture
def marts(tmp_path: Path) -> Marts:
    """Return the command line, in an empty folder."""
    return partial(call_marts, cwd=tmp_path)


@pytest.fixture
def runs(tmp_path: Path, marts: Marts) -> Marts:
    """Return the command line beside a database in which the bicycle shop is published."""
    shop = Workshop(tmp_path, SHOP)
    shop.write(customers=CUSTOMERS, orders=ORDERS)
    done = marts("run", *PLACE, "--as-of", "2025-06-30", "--data", shop.data)
    assert done.returncode == DONE, done.stderr
    return marts


def test_a_database_that_does_not_exist_is_a_usage_error(marts: Marts, tmp_path: Path) -> None:
    done = marts("status", *PLACE)
    assert (done.returncode, done.stdout) == (USAGE_ERROR, "")
    assert_says(done.stderr, f"there is no database {DATABASE}", "hint: publish the marts")
    # Nothing is created.
    assert not [*tmp_path.iterdir()]


def test_no_package_is_a_usage_error(marts: Marts) -> None:
    done = marts("status", MARTS_PACKAGE="")
    assert done.returncode == USAGE_ERROR
    assert_says(done.stderr, "no package of marts is named")


def test_without_a_table_of_runs_what_is_published_is_shown(runs: Marts, tmp_path: Path) -> None:
    with duckdb.connect(str(tmp_path / DATABASE)) as connection:
        connection.execute("DROP TABLE gold.marts_runs")
    done = runs("status", *PLACE)
    assert done.returncode == DONE
    assert "skip  there is no table marts_runs, or it cannot be read" in done.stdout
    assert "done  published as of 2025-06-30 by run 20" in done.stdout


def test_a_table_that_marts_did_not_make_is_a_usage_error(marts: Marts, tmp_path: Path) -> None:
    with duckdb.connect(str(tmp_path / DATABASE)) as connection:
        connection.execute("CREATE SCHEMA gold; CREATE TABLE gold.marts_runs (mine VARCHAR)")
    done = marts("status", *PLACE)
    assert done.returncode == USAGE_ERROR
    assert_says(done.stderr, "the table marts_runs was not made by marts", "hint: rename")


def test_another_package_has_no_runs_here(runs: Marts) -> None:
    done = runs("status", "--package", "toy_shp", "--database", DATABASE)
    assert done.returncode == DONE
    assert "skip  no run of toy_shp is recorded; there are runs of toy_shop\n" in done.stdout
    assert "skip  no mart of toy_shp is published\n" in done.stdout


def test_a_mart_that_was_altered_or_dropped_by_hand_is_seen(runs: Marts, tmp_path: Path) -> None:
    with duckdb.connect(str(tmp_path / DATABASE)) as connection:
        connection.execute("UPDATE gold.customer_totals SET spend = spend + 1")
        connection.execute("DROP TABLE gold.model_sales")
    done = runs("status", *PLACE, "--json")
    assert (done.returncode, done.stderr) == (DONE, "")
    published = {each["mart"]: each["is_altered"] for each in json.loads(done.stdout)["published"]}
    assert "model_sales" not in published
    assert [name for name, is_altered in published.items() if is_altered] == ["customer_totals"]


def test_a_limit_leaves_out_the_earlier_runs(runs: Marts, tmp_path: Path) -> None:
    words = ("run", *PLACE, "--as-of", "2025-06-29", "--data", tmp_path / "data")
    assert runs(*words).returncode == DONE
    days = {
        limit: [
            run["as_of"]
            for run in json.loads(runs("status", *PLACE, "--json", *limit).stdout)["runs"]
        ]
        for limit in ((), ("--limit", "1"))
    }
    assert days == {(): ["2025-06-29", "2025-06-30"], ("--limit", "1"): ["2025-06-29"]}


def test_a_package_that_cannot_be_loaded_has_a_status(marts: Marts, tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("raise SystemExit(7)\n", "utf-8")
    with duckdb.connect(str(tmp_path / DATABASE)):
        pass
    done = marts("status", "--package", "broken", "--database", DATABASE)
    assert done.returncode == DONE, done.stderr
    assert "skip  there is no table marts_runs" in done.stdout
    assert "skip  there is no table marts_state, or it cannot be read" in done.stdout
