"""`marts prove`, as somebody with marts of their own has it: worlds, references, what fails."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from support.paths import REPOSITORY
from support.processes import Marts, Result, marts_process

DONE, FAILED, ASKED_WRONGLY = 0, 1, 2
LEVEL = "reference + mutants"
BEFORE = ("pyproject.toml", "till", "tests")
"""What a project has at its top."""

SOURCES = """
from marts import date, decimal, int64, source, string

orders = source(
    "orders",
    doc="Orders.",
    grain="order_id",
    columns=[
        int64("order_id"),
        string("customer"),
        decimal("amount", 10, 2, at_least=0),
        date("ordered_on"),
        string("status", values=["open", "void"]),
    ],
)
"""
RECENT = '''
from marts import AsOf, Table, mart, money, string


@mart(grain="customer", columns=[string("customer"), money("spent")])
def recent(orders: Table, as_of: AsOf) -> Table:
    """What each customer spent in the last 30 days."""
    late = orders.filter(
        orders.ordered_on > as_of.minus(days=30), orders.ordered_on <= as_of.date
    )
    return late.group_by("customer").aggregate(spent=late.amount.sum())
'''
TWIN = '''
import datetime

from marts import twin


@twin("recent")
def recent(orders, as_of):
    """In pandas."""
    age = orders["ordered_on"].map(lambda day: (as_of - day).days)
    late = orders[(age >= 0) & (age < 30)]
    return late.groupby("customer", as_index=False).agg(spent=("amount", "sum"))
'''
EXAMPLE = """
# Thirty days are over after thirty days

as_of: 2024-06-30

## orders

| customer | amount | ordered_on |
| --- | --- | --- |
| ann | 1.00 | 2024-06-01 |
| ann | 2.00 | 2024-05-31 |
| bob | 4.00 | 2024-07-01 |

## → recent

| customer | spent |
| --- | --- |
| ann | 1.00 |
"""


class Till:
    """A project with one mart, which `marts` is called in."""

    def __init__(self, folder: Path, called: Marts) -> None:
        self.folder, self.called = folder, called
        self.write("pyproject.toml", '[tool.marts]\npackage = "till"\n')
        self.write("till/__init__.py", "")
        self.write("till/sources.py", SOURCES)
        self.write("till/recent.py", RECENT)

    def write(self, name: str, text: str) -> None:
        """Write a file of the project."""
        file = self.folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(dedent(text).lstrip(), "utf-8")

    def plant(self, old: str, new: str) -> None:
        """Plant a bug in the mart."""
        assert RECENT.count(old) == 1
        self.write("till/recent.py", RECENT.replace(old, new))

    def prove(self, *words: object) -> Result:
        """Run `marts prove …`."""
        return self.called("prove", *words, MARTS_PACKAGE="till")

    def document(self, *words: object) -> Any:
        """Run it, and return the JSON document."""
        return json.loads(self.prove("--json", *words).stdout)


@pytest.fixture
def till(tmp_path: Path, called: Marts) -> Till:
    return Till(tmp_path, called)


def recorded(till: Till) -> Any:
    (proof,) = json.loads((till.folder / "target/proof.json").read_text("utf-8"))["proofs"]
    return proof


def test_engines_that_agree_prove_no_number(till: Till) -> None:
    till.write("tests/twins.py", TWIN)
    found = till.prove()
    assert (
        "recent: its twin in tests/twins.py is not read: move the file to tests/p" in found.stdout
    )
    assert found.returncode == FAILED
    assert 'recent: it has no reference: write @twin("recent") in tests/proof/' in found.stdout
    assert f"0 of 1 mart proven at the level {LEVEL}" in found.stdout
    assert recorded(till)["level"] == "engines"


def test_a_twin_proves_a_mart(till: Till) -> None:
    till.write("tests/proof/twins.py", TWIN)
    found = till.prove()
    assert found.returncode == DONE, found.stdout + found.stderr
    assert f"1 of 1 mart proven at the level {LEVEL}" in found.stdout
    assert "The emulator is not Snowflake" in found.stdout
    proof = recorded(till)
    assert {each.name for each in till.folder.iterdir()} == {*BEFORE, "target"}
    assert (proof["level"], proof["twin"], proof["engines"]) == (
        LEVEL,
        True,
        ["duckdb", "emulator"],
    )
    assert proof["mutants"]["surviving"] == []
    assert proof["mutants"]["killed"] > 5
    assert proof["versions"].keys() >= {"marts", "sqlglot", "duckdb", "fakesnow"}


def test_a_planted_bug_is_shown_on_few_rows_and_can_be_tried_again(till: Till) -> None:
    till.write("tests/proof/twins.py", TWIN)
    till.plant("> as_of.minus(days=30)", ">= as_of.minus(days=30)")
    found = till.prove("--quick")
    assert found.returncode == FAILED
    shown = found.stdout.partition("recent   ")[0]
    assert "recent: duckdb differs from twin on generic corpus" in shown
    assert "orders: 1 row\n" in shown
    case = "target/proof/cases/recent-twin.md"
    assert f"marts prove --case {case}" in shown
    again = till.prove("--case", case)
    assert again.returncode == FAILED
    assert "example recent-twin" in again.stdout
    till.plant("mart, money", "mart, money")
    again = till.prove("--case", case)
    assert again.returncode == DONE, again.stdout
    assert (till.folder / "target/proof.json").exists()
    assert recorded(till)["quick"]


def test_a_dropped_filter_shows_the_column_that_it_would_read(till: Till) -> None:
    without_void = '(age < 30) & (orders["status"] != "void")'
    till.write("tests/proof/twins.py", TWIN.replace("(age < 30)", without_void))
    shown = till.prove("--quick").stdout
    assert "customer   amount   ordered_on   status\n" in shown
    case = "target/proof/cases/recent-twin.md"
    assert "| void" in (till.folder / case).read_text("utf-8")
    assert till.prove("--case", case).returncode == FAILED


def test_what_runs_refuse_is_refused(till: Till) -> None:
    till.plant("late.amount.sum()", "(late.amount.sum() * ibis.random()).cast('decimal(18,2)')")
    till.write("till/recent.py", "import ibis\n" + (till.folder / "till/recent.py").read_text())
    found = till.prove("--quick")
    assert found.returncode == ASKED_WRONGLY
    assert "differs from run to run" in found.stderr or "random" in found.stderr


def test_what_engines_would_compute_differently_is_said(till: Till) -> None:
    till.plant("late.amount.sum()", "ibis.greatest(late.amount.sum(), late.amount.max())")
    till.write("till/recent.py", "import ibis\n" + (till.folder / "till/recent.py").read_text())
    found = till.prove("--quick")
    assert "warn  recent: " in found.stdout
    assert "till/recent.py:" in found.stdout


def test_an_example_proves_a_mart_as_far_as_it_kills_its_mutants(till: Till) -> None:
    till.write("tests/examples/recent/window.md", EXAMPLE)
    document = till.document()
    (mart,) = document["marts"]
    assert (mart["examples"], mart["failures"], mart["twin"]) == (1, [], False)
    # Two orders of a day would tell a sum from a greatest amount.
    assert mart["mutants"]["surviving"] > 0
    assert mart["proven"] == "reference"
    more = EXAMPLE.replace("| bob |", "| ann | 7.00 | 2024-06-30 |\n| bob |")
    till.write("tests/examples/recent/sum.md", more.replace("| ann | 1.00 |\n", "| ann | 8.00 |\n"))
    (mart,) = till.document()["marts"]
    assert mart["examples"] == 2
    assert mart["mutants"]["surviving"] == 0
    assert mart["proven"] == LEVEL
    # The first one by name that kills a mutant has it.
    assert mart["killed_by_examples"] == {"sum": mart["mutants"]["killed"], "window": 0}
    till.write("tests/examples/recent/window.md", EXAMPLE.replace("| ann | 1.00 |\n", "", 1))
    (mart,) = till.document("--quick")["marts"]
    assert [each["kind"] for each in mart["failures"]] == ["example"]


@pytest.mark.parametrize(
    ("name", "text", "words", "said"),
    [
        ("tests/proof/twins.py", TWIN.replace('"recent"', '"recnt"'), (), "did you mean recent?"),
        ("tests/examples/recent/x.md", "# X\n", (), "tests/examples/recent/x.md"),
        ("case.md", EXAMPLE.replace("2024-06-01", "June"), ("--case", "case.md"), "case.md:9"),
    ],
)
def test_what_is_written_wrongly_is_refused(
    till: Till, name: str, text: str, words: tuple[str, ...], said: str
) -> None:
    till.write(name, text)
    found = till.prove("--quick", *words)
    assert found.returncode == ASKED_WRONGLY
    assert said in found.stderr
    assert "Traceback" not in found.stderr


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Return what `marts prove` says of our marts."""
    target = tmp_path_factory.mktemp("ours")
    done = marts_process("prove", "--json", "--target", target, cwd=REPOSITORY)
    assert done.returncode == DONE, done.stderr
    return json.loads(done.stdout)


def test_our_marts_are_proven(ours: Any) -> None:
    assert ours["engines"] == ["duckdb", "emulator"]
    for mart in ours["marts"]:
        assert mart["proven"] == LEVEL, mart
        # Neither survives a mutant, nor is an entry of the list of allowed ones stale.
        assert not mart["failed"], mart
        assert mart["engines"]["emulator"] >= 2
        assert mart["twin"] or mart["readers"]


def test_few_of_our_mutants_are_allowed_and_all_are_of_our_marts(ours: Any) -> None:
    text = (REPOSITORY / "tests/equivalent_mutants.toml").read_text("utf-8")
    marts = {entry["mart"] for entry in tomllib.loads(text)["equivalent"]}
    assert marts <= {mart["mart"] for mart in ours["marts"]}
    killed = sum(mart["mutants"]["killed"] for mart in ours["marts"])
    allowed = sum(mart["mutants"]["allowed"] for mart in ours["marts"])
    assert killed >= 300
    assert allowed < killed / 20
