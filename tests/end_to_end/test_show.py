"""`marts show`: rows as a table, as CSV and as JSON, of published and of temporary marts."""

from __future__ import annotations

import csv
import io
import re
import shutil
from pathlib import Path
from typing import Any

import duckdb
import pytest

from support.processes import Marts, marts_process, one_document
from support.terminals import left_by_its_reader

DONE, FAILED, ASKED_WRONGLY = 0, 1, 2
OLDEST = [
    *("customer_360_profile", "--columns", "customer_id,age, city"),
    *("--where", "age > 40 and city is not null", "--order-by", "age desc, customer_id"),
    *("--limit", "3"),
]


@pytest.fixture
def oldest(published: duckdb.DuckDBPyConnection) -> list[tuple[Any, ...]]:
    """Return the rows that OLDEST asks for."""
    return published.execute(
        "SELECT customer_id, age, city FROM gold.customer_360_profile"
        " ORDER BY age DESC, customer_id LIMIT 3"
    ).fetchall()


def test_show_prints_a_table(finished_run: Path, oldest: list[tuple[Any, ...]]) -> None:
    done = marts_process("show", *OLDEST, cwd=finished_run)
    assert done.returncode == DONE, done.stderr
    *lines, last = [
        re.split(r"\s{2,}", line.strip()) for line in done.stdout.splitlines() if line.strip()
    ]
    assert lines[0] == ["customer_id", "age", "city"]
    assert lines[2:] == [list(map(str, row)) for row in oldest]
    assert re.fullmatch(rf"{len(oldest)} of [\d,]+ rows", last[0])


def test_show_prints_csv(finished_run: Path, oldest: list[tuple[Any, ...]]) -> None:
    done = marts_process("show", *OLDEST, "--format", "csv", cwd=finished_run)
    assert done.returncode == DONE, done.stderr
    header, *rows = csv.reader(io.StringIO(done.stdout))
    assert header == ["customer_id", "age", "city"]
    assert rows == [list(map(str, row)) for row in oldest]


def test_show_prints_json(finished_run: Path, oldest: list[tuple[Any, ...]]) -> None:
    done = marts_process("show", *OLDEST, "--format", "json", cwd=finished_run)
    assert done.returncode == DONE, done.stderr
    names = ("customer_id", "age", "city")
    rows = one_document(done.stdout)
    assert rows == [dict(zip(names, row, strict=True)) for row in oldest]


@pytest.mark.parametrize("there", ["finished", "read-only", "missing"])
def test_show_builds_a_temporary_mart_for_a_while(
    there: str, finished_run: Path, called: Marts, tmp_path: Path
) -> None:
    database = tmp_path / "marts.duckdb"
    if there != "missing":
        shutil.copy(finished_run / "target/marts.duckdb", database)
    if there == "read-only":
        database.chmod(0o400)
    before = database.read_bytes() if database.exists() else None
    words = ("show", "int_customers", "--order-by", "customer_id", "--limit", "2")
    done = called(*words, "--columns", "customer_id", "--format", "csv", "--database", database)
    assert done.returncode == DONE, done.stderr
    assert done.stdout == "customer_id\nC000001\nC000002\n"
    assert (database.read_bytes() if database.exists() else None) == before
    assert list(tmp_path.iterdir()) == ([database] if before else [])


def test_show_takes_its_options_from_the_environment(
    finished_run: Path, marts: Marts, oldest: list[tuple[Any, ...]]
) -> None:
    done = marts(
        "show",
        "customer_360_profile",
        MARTS_DATABASE=str(finished_run / "target/marts.duckdb"),
        MARTS_COLUMNS="age",
        MARTS_ORDER_BY="age desc",
        MARTS_LIMIT="1",
        MARTS_FORMAT="csv",
    )
    assert done.stdout == f"age\n{oldest[0][1]}\n", done.stderr


LONG = ("metric_mom_spend_change", "--limit", "2000")


@pytest.mark.parametrize(
    ("words", "lines"),
    [
        (("customer_segments", "--limit", "1", "--format", "csv"), 0),
        ((*LONG, "--format", "csv"), 1),
        ((*LONG, "--format", "json"), 1),
        (LONG, 1),
    ],
    ids=["short csv", "csv", "json", "table"],
)
def test_show_ends_quietly_when_its_reader_has_seen_enough(
    words: tuple[str, ...], lines: int, finished_run: Path
) -> None:
    with left_by_its_reader("show", *words, cwd=finished_run, lines=lines) as process:
        assert process.stderr.read() == ""
    assert process.returncode == DONE
