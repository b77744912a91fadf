"""Golden files: the SQL of each mart for Snowflake, and its columns in readable form.

A difference is for somebody to read. The SQL for DuckDB needs none: its results are compared with
the twins.

Regenerate with `pytest tests/test_sql.py --update-sql`, then read `git diff tests/sql`.
"""

from __future__ import annotations

from difflib import unified_diff
from functools import cache
from pathlib import Path

import pytest

from marts.core.analysis.readable import readable_mart
from support.engines import GRAPH
from support.statements import MARTS, builds

GOLDEN = Path(__file__).parent / "sql"
HOW = "regenerate: pytest tests/test_sql.py --update-sql; then read: git diff tests/sql"


@cache
def readable_text(name: str) -> str:
    """Return the rows and columns of a mart in readable form, with further lines indented."""
    found = readable_mart(GRAPH.project.marts[name], GRAPH)
    columns = (f"{column}: {text}" for column, text in found.columns.items())
    texts = (text.replace("\n", "\n    ") for text in (f"rows: {found.rows}\n", *columns))
    return "\n".join(line.rstrip() for text in texts for line in text.split("\n"))


@pytest.fixture
def update(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.getoption("--update-sql"))


@pytest.mark.parametrize("name", MARTS)
def test_a_mart_compiles_to_its_golden_sql(name: str, update: bool) -> None:
    compare(GOLDEN / f"snowflake/{name}.sql", builds()[name], update=update)


@pytest.mark.parametrize("name", MARTS)
def test_a_mart_reads_like_its_golden_file(name: str, update: bool) -> None:
    compare(GOLDEN / f"readable/{name}.txt", readable_text(name), update=update)


def compare(file: Path, found: str, *, update: bool) -> None:
    if update:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(found + "\n", "utf-8")
    golden = file.read_text("utf-8") if file.exists() else ""
    if found + "\n" != golden:
        lines = unified_diff(
            golden.splitlines(),
            found.splitlines(),
            fromfile=str(file.relative_to(GOLDEN.parent.parent)),
            tofile="found",
            lineterm="",
        )
        pytest.fail("\n".join([*lines, "", HOW]), pytrace=False)


def test_every_golden_file_has_its_mart(update: bool) -> None:
    stale = [file for file in GOLDEN.glob("*/*.*") if file.stem not in MARTS]
    if update:
        for file in stale:
            file.unlink()
        stale = []
    assert not stale, HOW
