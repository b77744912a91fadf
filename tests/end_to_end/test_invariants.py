"""`marts test --invariants`: the invariants as queries, on both engines, by the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fixtures.generate import Portfolio, generate
from marts.core.query.invariant_checks import invariant_checks
from support.account import Account
from support.engines import GRAPH
from support.processes import call_marts


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("portfolio")
    generate(folder, Portfolio(customers=120, transactions=2_000))
    return folder


def made(folder: Path) -> dict[tuple[str, str], str]:
    """Return the outcome of every check that the last command made."""
    results = json.loads((folder / "target/run_results.json").read_text("utf-8"))
    return {
        (table["name"], check["name"]): check["outcome"]
        for table in results["tables"]
        for check in table["checks"]
    }


# All invariants concern this one. As queries, those of a mart take seconds to compile; all marts
# are held to all invariants by tests/test_invariants.py.
SELECTED = "customer_segments"


def all_passed(folder: Path) -> bool:
    """Tell whether every invariant of the selected mart was checked, and held."""
    checks = invariant_checks(GRAPH, GRAPH.project.marts[SELECTED])
    implied = [(SELECTED, check.name) for check in checks]
    assert {check for _, check in implied} >= GRAPH.project.invariants.keys()
    outcomes = made(folder)
    return {outcomes[check] for check in implied} == {"pass"}


def test_duckdb_holds_all_invariants(data: Path, tmp_path: Path) -> None:
    words = ("--data", data)
    assert call_marts("run", *words, cwd=tmp_path).returncode == 0
    done = call_marts("test", "--invariants", "-s", SELECTED, *words, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert all_passed(tmp_path)


def test_snowflake_holds_all_invariants(account: Account, data: Path, tmp_path: Path) -> None:
    location = account.words(schema="RELATIONS")
    as_of = ("--as-of", "2025-06-30")
    assert (
        account.call(*account.load_words("RELATIONS"), "--data", data, cwd=tmp_path).returncode == 0
    )
    words = ("--backend", "snowflake", *location, *as_of)
    assert account.call("run", *words, cwd=tmp_path).returncode == 0
    done = account.call("test", "--invariants", "-s", SELECTED, *words, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert all_passed(tmp_path)


def test_what_was_published_by_another_day_breaks_invariants(data: Path, tmp_path: Path) -> None:
    words = ("-s", "+metric_mom_spend_change", "--data", data)
    earlier = ("--as-of", "2025-06-20")
    assert call_marts("run", *words, *earlier, cwd=tmp_path).returncode == 0
    checked = ("-s", "metric_mom_spend_change", "--invariants", "--data", data)
    done = call_marts("test", *checked, "--as-of", "2025-06-30", cwd=tmp_path)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "metric_mom_spend_change.later_transactions_change_nothing" in done.stdout
    sample = "metric_mom_spend_change.each_transaction_twice.csv"
    header, first, *_ = (tmp_path / "target/failures" / sample).read_text("utf-8").splitlines()
    assert header == "customer_id,month,differs_in"
    assert "metric_calculated_date: 2025-06-20 → 2025-06-30" in first
