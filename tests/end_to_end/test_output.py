"""What is printed arrives as it is, does no harm, and decides no run: whoever reads it."""

from __future__ import annotations

import csv
import datetime
import errno
import io
import itertools
import json
import os
import re
import subprocess
from decimal import Decimal
from pathlib import Path
from unittest import mock

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from support.processes import call_marts
from support.terminals import on_a_terminal, redirected

DONE, FAILED, ASKED_WRONGLY = 0, 1, 2

PACKAGE = '''
from marts import Table, date, float64, int64, mart, money, row_check, source, string

people = source(
    "people",
    doc="People.",
    grain="name",
    columns=[
        string("name"), int64("points"), money("pay", null=True), float64("share"), date("since")
    ],
)
polite = row_check("polite", offending=lambda t: t.name != "", severity="warn")


@mart(grain="name", columns=people.columns, checks=[polite])
def members(people: Table) -> Table:
    """People."""
    return people
'''
CLEAR = "\x1b[2J\x1b]0;title\x07\x9b1m\x7f\u202e\r"
NAMES = ["Zoë → 漢字 🙂", CLEAR, "=cmd|' /C calc'!A0", "-1", 'a "quoted", name', "two\nlines"]
SAFE = {"=cmd|' /C calc'!A0": "'=cmd|' /C calc'!A0", "-1": "'-1"}
PAY = [Decimal("9007199254740993.00"), Decimal("-0.10"), None, *map(Decimal, ("0.00", "1", "2"))]
SINCE = datetime.date(2025, 1, 31)


@pytest.fixture(scope="module")
def club(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a package and data of somebody else, published."""
    folder = tmp_path_factory.mktemp("club")
    (folder / "club").mkdir()
    (folder / "club/__init__.py").touch()
    (folder / "club/members.py").write_text(PACKAGE, "utf-8")
    (folder / "data").mkdir()
    columns = {
        "name": NAMES,
        "points": [-5] * 6,
        "pay": pa.array(PAY, pa.decimal128(18, 2)),
        "share": [0.1] * 6,
        "since": [SINCE] * 6,
    }
    pq.write_table(pa.table(columns), folder / "data/people.parquet")
    done = printed(folder, "run")
    assert done.returncode == DONE, done.stderr
    return folder


def words_of(club: Path, *words: str) -> list[str]:
    """Return a call on the club, wherever it is made."""
    where = ["--package", "club"]
    where += ["--data", str(club / "data")] if words[0] != "ls" else []
    where += ["--database", str(club / "x.duckdb")] if words[0] != "ls" else []
    return [*words, *where]


def printed(
    club: Path, *words: str, to: str = "", **environment: str
) -> subprocess.CompletedProcess[bytes]:
    """Run `marts …` in the club's folder, its output sent somewhere."""
    done = redirected(to, *words_of(club, *words), cwd=club, **environment)
    assert b"Traceback" not in done.stderr
    assert b"Exception ignored" not in done.stderr
    return done


# Values


def test_money_in_json_has_all_its_digits(club: Path) -> None:
    done = printed(club, "show", "members", "--format", "json")
    rows = json.loads(done.stdout, parse_float=Decimal)
    assert {row["name"]: row["pay"] for row in rows} == dict(zip(NAMES, PAY, strict=True))
    assert b'"pay": 9007199254740993.00,' in done.stdout
    assert {(row["points"], row["share"], row["since"]) for row in rows} == {
        (-5, Decimal("0.1"), "2025-01-31")
    }


@pytest.mark.parametrize(("words", "changed"), [((), {}), (("--safe",), SAFE)])
def test_csv_in_a_pipe_is_exact_and_on_demand_without_formulas(
    words: tuple[str, ...], changed: dict[str, str], club: Path
) -> None:
    done = printed(club, "show", "members", "--format", "csv", *words)
    rows = list(csv.DictReader(io.StringIO(done.stdout.decode(), newline="")))
    assert {row["name"] for row in rows} == {changed.get(name, name) for name in NAMES}
    assert {(row["points"], row["since"]) for row in rows} == {("-5", "2025-01-31")}
    assert {row["pay"] for row in rows} >= {"9007199254740993.00", "-0.10", ""}


def test_samples_of_failing_checks_are_not_formulas(club: Path) -> None:
    file = club / "target/failures/members.polite.csv"
    with file.open(encoding="utf-8", newline="") as lines:
        assert {row["name"] for row in csv.DictReader(lines)} >= set(SAFE.values())
    assert [path.stat().st_mode & 0o777 for path in (file.parent, file)] == [0o700, 0o600]


# Terminals


def obeyed(shown: str) -> list[str]:
    """Return what a terminal would obey, other than colours and the end of a line."""
    plain = re.sub(r"\x1b\[[0-9;]*m", "", shown).replace("\r\n", "\n")
    return re.findall("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", plain)


@pytest.mark.parametrize("form", ["table", "csv", "json"])
def test_data_does_not_control_a_terminal(form: str, club: Path) -> None:
    words = words_of(club, "show", "members", "--columns", "name", "--format", form)
    code, shown = on_a_terminal(*words, cwd=club)
    assert code == DONE
    assert not obeyed(shown), shown
    assert ("\\u001b[2J" if form == "json" else "\\x1b[2J") in shown


def test_a_table_in_a_pipe_does_not_control_a_terminal_and_has_a_line_per_row(club: Path) -> None:
    done = printed(club, "show", "members", "--columns", "name")
    shown = done.stdout.decode()
    assert not obeyed(shown)
    assert len([line for line in shown.splitlines() if line.strip()]) == 2 + len(NAMES)


@pytest.mark.parametrize("longest", [60, 300], ids=["fits", "does not fit"])
def test_no_value_is_cut_on_a_terminal(longest: int, tmp_path: Path) -> None:
    """A long text beside it can be broken between words; a single word cannot."""
    names = ["x" * longest, f"{'some words ' * 20}{'y' * 45}"]
    package = PACKAGE.replace('string("name"),', 'string("name"), string("other"),')
    (tmp_path / "club").mkdir()
    (tmp_path / "club/__init__.py").touch()
    (tmp_path / "club/members.py").write_text(package, "utf-8")
    columns = {
        "name": names[:1],
        "other": names[1:],
        "points": [1],
        "pay": pa.array([None], pa.decimal128(18, 2)),
        "share": [0.1],
        "since": [SINCE],
    }
    (tmp_path / "data").mkdir()
    pq.write_table(pa.table(columns), tmp_path / "data/people.parquet")
    assert printed(tmp_path, "run").returncode == DONE
    words = words_of(tmp_path, "show", "members", "--columns", "name,other")
    code, shown = on_a_terminal(*words, cwd=tmp_path)
    assert code == DONE
    assert "…" not in shown
    assert [shown.count(each) for each in "xy"] == [longest, 45], shown


def test_ls_cuts_descriptions_on_a_terminal_but_no_name_and_nothing_in_a_pipe(
    tmp_path: Path,
) -> None:
    """The terminal has 120 columns."""
    _, shown = on_a_terminal("ls", cwd=tmp_path)
    printed = (call_marts("ls", cwd=tmp_path).stdout, shown)
    piped, lines = ([line for line in p.splitlines()[3:] if line.strip()] for p in printed)
    assert [line.split()[0] for line in lines] == [line.split()[0] for line in piped]
    assert any(line.rstrip().endswith("…") for line in lines)
    assert "…" not in "".join(piped)


def test_arguments_do_not_control_a_terminal(club: Path) -> None:
    for words in (["show", CLEAR], ["show", "members", "--where", f"name = '{CLEAR}"], [CLEAR]):
        _, shown = on_a_terminal(*words, "--package", "club", cwd=club)
        assert not obeyed(shown), shown


# Streams

GONE = [
    ">&-",
    ">/dev/full",
    "2>&-",
    ">&- 2>&-",
    ">/dev/full 2>/dev/full",
    "<&- >&-",
    "<&- >&- 2>&-",
]


@pytest.mark.parametrize("to", GONE)
def test_a_run_is_as_good_without_a_reader(to: str, club: Path, tmp_path: Path) -> None:
    words = ("--database", str(tmp_path / "new.duckdb"), "--target", str(tmp_path / "target"))
    done = redirected(to, *words_of(club, "run")[:-2], *words, cwd=club)
    assert done.returncode == DONE, done.stderr
    assert json.loads((tmp_path / "target/run_results.json").read_text())["status"] == "published"
    with duckdb.connect(str(tmp_path / "new.duckdb"), read_only=True) as connection:
        assert connection.execute("SELECT count(*) FROM gold.members").fetchall() == [(6,)]
    full = b"warning: standard output is incomplete: No space left on device\n"
    assert done.stderr == (full if to == ">/dev/full" else b"")


# Each way to print meets both streams, and each command that prints so one of them.
ANSWERS = [
    *itertools.product(
        ("show members", "show members --format csv", "show members --format json"),
        (">&-", ">/dev/full"),
    ),
    ("ls", ">/dev/full"),
    ("ls --json", ">&-"),
    ("compile", ">/dev/full"),
    ("run --dry-run", ">&-"),
    ("run --dry-run --json", ">/dev/full"),
    ("test --json", ">&-"),
]


@pytest.mark.parametrize(("words", "to"), ANSWERS)
def test_an_answer_that_cannot_be_printed_is_a_failure(words: str, to: str, club: Path) -> None:
    done = printed(club, *words.split(), to=to)
    assert done.returncode == FAILED
    assert b"cannot write to standard output\n  " in done.stderr


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_help_that_cannot_be_printed_ends_in_a_sentence(encoding: str, club: Path) -> None:
    done = redirected(">/dev/full", "--help", cwd=club, PYTHONIOENCODING=encoding)
    assert (done.returncode, done.stderr.count(b"\n")) == (DONE, 1)
    assert done.stderr.startswith(b"warning: standard output is incomplete: No space")


def test_a_report_that_cannot_be_printed_is_none(club: Path) -> None:
    done = printed(club, "run", "--force", "--json", to=">/dev/full")
    assert done.returncode == DONE
    assert b"warning: everything is published, but cannot write to standard output" in done.stderr


@pytest.mark.parametrize(
    "words", [("show", "members"), ("compile",), ("ls", "--json"), ("run", "--force")], ids=" ".join
)
def test_a_closed_pipe_is_not_an_error(words: tuple[str, ...], club: Path) -> None:
    done = printed(club, *words, to="| head -c 1")
    assert done.stderr == b""


def test_a_report_that_cannot_be_written_is_a_warning_where_all_is_published(club: Path) -> None:
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    with mock.patch.object(Path, "write_text", side_effect=full):
        done = call_marts(*words_of(club, "run", "--force"), cwd=club)
        checked = call_marts(*words_of(club, "test"), cwd=club)
    assert done.returncode == DONE
    assert (
        "warning: everything is published, but cannot write target/run_results.json" in done.stderr
    )
    assert "done  published 1 mart" in done.stdout
    assert checked.returncode == FAILED
    assert "warning: cannot write target/run_results.json\n  No space left" in checked.stderr


# Encodings

OLD = [
    {"PYTHONIOENCODING": "cp1252", "PYTHONUTF8": "0"},
    {"PYTHONIOENCODING": "ascii"},
    {"PYTHONIOENCODING": "latin-1:strict"},
    {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
]


@pytest.mark.parametrize("old", OLD, ids=lambda old: " ".join(old.values()))
def test_an_old_code_page_prints_what_it_has(old: dict[str, str], club: Path) -> None:
    encoding = old.get("PYTHONIOENCODING", "ascii").partition(":")[0]
    run = printed(club, "run", "--force", **old)
    assert run.returncode == DONE, run.stderr
    assert f"polite: 6 violations -> target{os.sep}" in run.stdout.decode(encoding)
    table = printed(club, "show", "members", **old).stdout.decode(encoding)
    assert r"\u6f22\u5b57 \U0001f642" in table
    wrong = printed(club, "→", **old)
    assert wrong.returncode == ASKED_WRONGLY
    assert wrong.stderr.startswith(b"Usage: ")


def test_an_old_code_page_prints_every_format_and_every_error(club: Path) -> None:
    old = {"PYTHONIOENCODING": "ascii"}
    rows = printed(club, "show", "members", "--format", "csv", **old).stdout.decode("ascii")
    assert r"\u6f22\u5b57 \U0001f642" in rows
    exact = printed(club, "show", "members", "--format", "json", **old).stdout.decode("ascii")
    assert {row["name"] for row in json.loads(exact)} == set(NAMES)
    for words in (["show", "Zoë → 漢字"], ["show", "members", "--where", "name = '→"]):
        wrong = printed(club, *words, **old)
        assert wrong.returncode == ASKED_WRONGLY
        assert wrong.stderr.startswith(b"error: ")
