"""`marts witness` in a git repository of somebody's own: what it prints, and how it ends."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from support.processes import Result, call_marts, marts_process

SAME, DIFFERENT, ASKED_WRONGLY = 0, 1, 2

SOURCES = """
from marts import date, int64, relationship, source, string

customers = source(
    "customers",
    doc="Customers.",
    grain="customer",
    columns=[string("customer"), string("phone")],
)
orders = source(
    "orders",
    doc="Orders.",
    grain="order_id",
    columns=[
        string("order_id"),
        string("customer"),
        int64("cents", at_least=0),
        date("ordered_on"),
        string("clerk", null=True),
    ],
    checks=[relationship("customer", to="customers.customer")],
)
"""
PAID = '''
from marts import AsOf, Table, int64, mart, string
from till.rules import DAYS


@mart(
    grain="order_id",
    materialized="temporary",
    columns=[string("order_id"), string("customer"), int64("cents")],
)
def int_recent(orders: Table, as_of: AsOf) -> Table:
    """The orders of the last days."""
    return orders.filter(orders.ordered_on > as_of.minus(days=DAYS))
'''
TOTALS = '''
from marts import Table, int64, mart, string


@mart(grain="customer", columns=[string("customer"), int64("cents"), int64("orders")])
def totals(int_recent: Table) -> Table:
    """What each customer spent."""
    t = int_recent
    return t.group_by("customer").aggregate(cents=t.cents.sum(), orders=t.count())
'''
PROJECT = '[tool.marts]\npackage = "till"\n'
BUG = ("rules.py", "30", "31")


def git(folder: Path, *words: str) -> None:
    identity = ("-c", "user.name=A", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false")
    command = ["git", *identity, *words]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)


@pytest.fixture
def till(tmp_path: Path) -> Path:
    """Return a project in a folder of a repository, committed, and tagged as `first`."""
    project = tmp_path / "desk/till_project"
    package = project / "till"
    package.mkdir(parents=True)
    (project / "pyproject.toml").write_text(PROJECT, "utf-8")
    for name, text in {
        "__init__": "",
        "rules": "DAYS = 30\n",
        "sources": SOURCES,
        "int_recent": PAID,
        "totals": TOTALS,
    }.items():
        (package / f"{name}.py").write_text(text, "utf-8")
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "--message", "The till")
    git(tmp_path, "tag", "first")
    return project


def edit(project: Path, file: str, old: str, new: str) -> None:
    path = project / "till" / file
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new), "utf-8")


def witness(project: Path, *words: object, cwd: Path | None = None, **variables: str) -> Result:
    variables = {"MARTS_PACKAGE": "till", **variables}
    return call_marts("witness", *words, cwd=cwd or project, **variables)


def test_it_shows_the_rows_and_what_the_result_was_and_is(till: Path) -> None:
    edit(till, *BUG)
    done = marts_process("witness", "totals", cwd=till, MARTS_PACKAGE="till")
    assert (done.returncode, done.stderr) == (DIFFERENT, ""), done.stdout
    head, *rest = done.stdout.splitlines()
    assert head.startswith("totals gives another answer than HEAD (")
    assert head.endswith("), as of 2024-05-31, on these rows:")
    text = [line.strip() for line in rest if line.strip() and "─" not in line]
    assert text == [
        "orders",
        "customer   cents   ordered_on",
        "c1             1   2024-05-01",
        "totals: rows that are new",
        "customer   cents   orders",
        "c1             1        1",
        "rows that only relationships require: customers 1",
        "found on: generic corpus",
        "to keep what it was as an example, if that is right:",
        "marts witness totals --against HEAD --accept was",
        "to keep what it is as an example, if that is right:",
        "marts witness totals --against HEAD --accept is",
    ]


def test_the_json_document_has_the_same_and_an_accepted_answer_becomes_an_example(
    till: Path,
) -> None:
    edit(till, *BUG)
    git(till, "commit", "--quiet", "--all", "--message", "One day more")
    # Nothing has changed since; the tag is one commit before.
    unchanged = witness(till, "totals", "--json")
    assert unchanged.returncode == SAME, unchanged.stderr
    assert json.loads(unchanged.stdout)["differs"] is False
    words = ("--against", "first", "--json", "--accept", "was", "--name", "the_window")
    done = witness(till, "totals", *words)
    assert done.returncode == SAME, done.stderr
    document = json.loads(done.stdout)
    assert document["differs"] is True
    assert document["against"].startswith("first (")
    found = document["witness"]
    assert found["sources"]["orders"]["read"] == ["cents", "customer", "ordered_on"]
    assert [len(each["rows"]) for each in found["sources"].values()] == [1, 1]
    assert (found["was"]["rows"], len(found["is"]["rows"])) == ([], 1)
    assert found["only_is"] == [{"customer": "c1"}]
    file = till / "tests/examples/totals/the_window.md"
    assert Path(document["accepted"]) == Path("tests/examples/totals/the_window.md")
    text = file.read_text("utf-8")
    assert text.startswith("# As in first (")
    assert "customers" not in text, "the contract completes it"
    again = witness(till, "totals", *words)
    assert again.returncode == ASKED_WRONGLY
    assert "there is an example the_window of totals" in again.stderr


def test_data_that_are_given_come_first(till: Path) -> None:
    data = till / "extract"
    data.mkdir()
    rows = [
        {
            "order_id": f"order {n}",
            "customer": f"customer {n % 9}",
            "cents": 100 * n,
            "ordered_on": pa.scalar(19_000 + n, pa.date32()).as_py(),
            "clerk": "somebody",
        }
        for n in range(100)
    ]
    pq.write_table(pa.Table.from_pylist(rows), data / "orders.parquet")
    people = [{"customer": f"customer {n}", "phone": f"0{n}"} for n in range(9)]
    pq.write_table(pa.Table.from_pylist(people), data / "customers.parquet")
    # 19,050 days after 1970.
    (data / "dataset.json").write_text('{"as_of": "2022-02-27"}', "utf-8")
    edit(till, *BUG)
    done = witness(till, "totals", "--data", "extract", "--seconds", "30")
    assert done.returncode == DIFFERENT, done.stderr
    assert "as of 2022-02-27" in done.stdout
    assert "found on: extract" in done.stdout
    assert done.stdout.count("2022-01-28") == 1


def test_other_columns_are_told_without_rows(till: Path) -> None:
    edit(till, "totals.py", 'int64("orders")', 'int64("lines")')
    edit(till, "totals.py", "orders=t.count()", "lines=t.count()")
    done = witness(till, "totals")
    assert done.returncode == DIFFERENT, done.stderr
    assert "totals has other columns than HEAD (" in done.stdout
    assert "columns that are gone: orders\ncolumns that are new: lines\n" in done.stdout


def test_another_version_of_the_file_may_be_anywhere(till: Path, tmp_path: Path) -> None:
    other = tmp_path / "totals of yesterday.txt"
    other.write_text(TOTALS.replace("cents.sum()", "cents.max()"), "utf-8")
    done = witness(till, "totals", "--against", other, "--json", "--seconds", "5")
    assert done.returncode == DIFFERENT, done.stderr
    (cell,) = json.loads(done.stdout)["witness"]["cells"]
    assert cell["column"] == "cents"
    assert cell["was"] < cell["is"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("total",), "there is no mart total\nhint: did you mean totals?"),
        (("x",), "there is no mart x\nhint: `marts ls` lists the marts"),
        (("totals", "--against", "v9"), "there is no revision v9, and no file of this name"),
        (("totals", "--against", "--all"), "there is no revision --all"),
        (("totals", "--against", "mutant:nothing"), "totals has no mutant nothing\n  1: "),
        (("totals", "--against", "till/rules.py"), "till/rules.py has no mart totals"),
        (("totals", "--data", "nowhere"), "there is no directory nowhere"),
        (("totals", "--accept", "is"), "there is no answer of totals to accept: no rows differ"),
    ],
)
def test_wrong_words_are_refused(words: Sequence[str], message: str, till: Path) -> None:
    done = witness(till, *words)
    assert done.returncode == ASKED_WRONGLY, done.stdout
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_a_broken_former_version_is_named(till: Path) -> None:
    edit(till, "totals.py", "t.cents.sum()", "t.cent.sum()")
    git(till, "commit", "--quiet", "--all", "--message", "Oh")
    edit(till, "totals.py", "t.cent.sum()", "t.cents.sum()")
    done = witness(till, "totals")
    assert done.returncode == ASKED_WRONGLY, done.stdout
    assert "mart totals failed to build its expression" in done.stderr
    assert "\n  HEAD:till/totals.py:9\n" in done.stderr
    assert "marts_witness_" not in done.stderr


def test_without_a_repository_a_file_is_asked_for(till: Path) -> None:
    (till.parents[1] / ".git").rename(till.parents[1] / "git")
    done = witness(till, "totals", GIT_CEILING_DIRECTORIES=str(till.parents[1].parent))
    assert done.returncode == ASKED_WRONGLY, done.stdout
    assert f"{till} is not in a git repository" in done.stderr
    assert "hint: name the other version of the mart's file: --against FILE" in done.stderr


def test_a_repository_without_a_commit_has_nothing_to_compare_with(till: Path) -> None:
    (till.parents[1] / ".git").rename(till.parents[1] / "git")
    git(till, "init", "--quiet")
    done = witness(till, "totals")
    assert done.returncode == ASKED_WRONGLY, done.stdout
    assert "hint: commit first: the repository has no commit yet" in done.stderr


@pytest.mark.parametrize(
    ("file", "lacks"), [("till/totals.py", "mart totals"), ("till", "package till")]
)
def test_what_was_not_committed_cannot_be_compared(file: str, lacks: str, till: Path) -> None:
    git(till, "rm", "--quiet", "-r", "--cached", file)
    git(till, "commit", "--quiet", "--message", "Without it")
    done = witness(till, "totals")
    assert done.returncode == ASKED_WRONGLY, done.stdout
    assert f") has no {lacks}\nhint: it was not committed there: commit it, or" in done.stderr
