"""`marts doctor` on DuckDB: what a run needs, and what it says where something is amiss."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections import namedtuple
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import duckdb
import pytest

from backends.duckdb_doctor import EXPERIMENTS
from backends.installation import Installation, meets, versions_found
from reference.example import write_small_star
from support.processes import Marts, Result

Usage = namedtuple("Usage", "total used free")  # noqa: PYI024  (as shutil has it)
DATABASE = "target/marts.duckdb"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return this test's folder, with a small star in `data` and a database."""
    (tmp_path / "data").mkdir()
    write_small_star(tmp_path / "data")
    (tmp_path / "target").mkdir()
    duckdb.connect(str(tmp_path / DATABASE)).close()
    return tmp_path


def diagnosed(done: Result) -> dict[str, dict[str, Any]]:
    """Return what was found, by experiment."""
    return {each["experiment"]: each for each in json.loads(done.stdout)["diagnoses"]}


def test_all_is_well_and_nothing_is_written(folder: Path, called: Marts) -> None:
    before = {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()}
    done = called("doctor", "--data", "data", "--json")
    found = diagnosed(done)
    assert list(found) == [each.name for each in EXPERIMENTS]
    assert {each["verdict"] for each in found.values()} == {"ok"}, found
    assert done.returncode == 0
    assert {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()} == before
    assert "storage version" in " ".join(found["database"]["evidence"])


def rename(folder: Path) -> None:
    (folder / "data/dim_customer.parquet").rename(folder / "data/dim_custmer.parquet")


def spoil(folder: Path) -> None:
    (folder / "data/dim_customer.parquet").write_bytes(b"PAR1 and no more")


def spoil_database(folder: Path) -> None:
    (folder / DATABASE).write_bytes(b"not a database" * 1000)


def leave_candidates(folder: Path) -> None:
    (folder / "target/.marts.duckdb.0badcafe.candidates").write_bytes(b"x")


def nothing(_: Path) -> None:
    """Leave all as it is."""


def no_data(folder: Path) -> None:
    shutil.rmtree(folder / "data")


def target_is_a_file(folder: Path) -> None:
    (folder / "there").write_text("")


CASES: dict[str, tuple[Callable[[Path], object], tuple[str, ...], str, str, str]] = {
    "a misspelt name": (rename, (), "other_files", "warn", "did you mean dim_customer?"),
    "a missing source": (rename, (), "sources", "FAIL", "put dim_customer.parquet into data"),
    "a file that cannot be read": (spoil, (), "sources", "FAIL", "dim_customer"),
    "no data": (no_data, (), "data", "FAIL", "pass --data DIR"),
    "another file": (spoil_database, (), "database", "FAIL", "--database"),
    "candidates": (leave_candidates, (), "left_over", "warn", "the next run removes them"),
    "a target": (target_is_a_file, ("--target", "there"), "target", "FAIL", "pass --target"),
    "a size": (nothing, ("--memory-limit", "much"), "resources", "FAIL", "--memory-limit"),
    "a name": (nothing, ("--schema", "marts"), "database", "FAIL", "pass another --database"),
}


@pytest.mark.parametrize("name", CASES)
def test_what_is_amiss_has_a_remedy(name: str, folder: Path, called: Marts) -> None:
    spoiling, words, experiment, verdict, says = CASES[name]
    spoiling(folder)
    done = called("doctor", "--data", "data", *words, "--json")
    found = diagnosed(done)[experiment]
    assert found["verdict"] == verdict, found
    assert says in " ".join([*found["evidence"], found["remedy"] or ""]), found
    others = {each["verdict"] for each in diagnosed(done).values()}
    assert done.returncode == (1 if "FAIL" in others else 0)


def test_a_lock_is_held_by_a_process(folder: Path, called: Marts) -> None:
    holding = f"import duckdb; c = duckdb.connect({str(folder / DATABASE)!r}); print(1, flush=True)"
    with subprocess.Popen(
        [sys.executable, "-c", f"{holding}; input()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as holder:
        assert holder.stdout
        assert holder.stdout.readline()
        found = diagnosed(called("doctor", "--data", "data", "--json"))["database"]
        assert holder.stdin
        holder.stdin.close()
    assert found["verdict"] == "FAIL"
    assert f"PID {holder.pid}" in " ".join(found["evidence"])


@pytest.mark.parametrize(("free", "verdict"), [(10, "FAIL"), (10_000, "warn"), (10**9, "ok")])
def test_there_is_room(free: int, verdict: str, folder: Path, called: Marts) -> None:
    size = sum(file.stat().st_size for file in (folder / "data").iterdir())
    assert 10 < size < 10_000 < 3 * size
    with mock.patch("shutil.disk_usage", return_value=Usage(0, 0, free)):
        found = diagnosed(called("doctor", "--data", "data", "--json"))["disk"]
    assert found["verdict"] == verdict, found


@pytest.mark.usefixtures("folder")
def test_without_a_package_it_looks_at_no_sources(called: Marts) -> None:
    done = called("doctor", "--data", "data", MARTS_PACKAGE="")
    assert done.returncode == 0
    assert "no package is named, so that its sources were not looked at" in done.stdout
    assert "nothing was found that would make a run unsafe" in done.stdout


def test_without_a_project_it_says_what_to_name(called: Marts) -> None:
    done = called("doctor", "--json", MARTS_PACKAGE="")
    found = diagnosed(done)
    skipped = {name for name, each in found.items() if each["verdict"] == "skip"}
    assert skipped == {"data", "sources", "other_files", "disk"}
    assert "pass --package NAME, or call it in the folder of a project" in found["data"]["remedy"]
    assert "fixtures" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("version", "clauses", "is_met"),
    [
        ("1.5.6", "~=1.5.6", True),
        ("1.5.9", "~=1.5.6", True),
        ("1.6.0", "~=1.5.6", False),
        ("30.18.0", "~=30.17.0", False),
        ("12.0.0", "==12.0.0", True),
        ("12.0", "==12.0.0", True),
        ("12.0.1", "==12.0.0", False),
        ("4.8.1", "<5,>=4.8", True),
        ("5.2.0", "<5,>=4.8", False),
        ("4.10", ">=4.9", True),
        ("26.0.1rc1", ">=20", True),
        ("1", "", True),
    ],
)
def test_versions_are_compared_as_pip_does(version: str, clauses: str, is_met: bool) -> None:
    assert meets(version, clauses) is is_met


def test_another_version_has_a_remedy() -> None:
    installed = Installation({"duckdb": "2.0.1"}, {"duckdb 2.0.1 is installed": "duckdb~=1.5.6"})
    found = versions_found(installed)
    assert found.verdict == "warn"
    assert found.evidence == ("duckdb 2.0.1 is installed, and marts asks for duckdb~=1.5.6",)
    assert found.remedy == "pip install 'duckdb~=1.5.6'"
