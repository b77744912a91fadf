"""Golden SQL: what each mart compiles to for Snowflake; a difference is for somebody to read.

DuckDB's needs none: its results are compared with the twins.

Regenerate with `pytest tests/test_sql.py --update-sql`, then read `git diff tests/sql`.
"""

from __future__ import annotations

from difflib import unified_diff
from pathlib import Path

import pytest

from support.statements import MARTS, builds

GOLDEN = Path(__file__).parent / "sql/snowflake"
HOW = "regenerate: pytest tests/test_sql.py --update-sql; then read: git diff tests/sql"


@pytest.fixture
def update(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.getoption("--update-sql"))


@pytest.mark.parametrize("name", MARTS)
def test_a_mart_compiles_to_its_golden_sql(name: str, update: bool) -> None:
    file = GOLDEN / f"{name}.sql"
    found = builds()[name] + "\n"
    if update:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(found, "utf-8")
    golden = file.read_text("utf-8") if file.exists() else ""
    if found != golden:
        lines = unified_diff(
            golden.splitlines(),
            found.splitlines(),
            fromfile=f"tests/sql/snowflake/{name}.sql",
            tofile="compiled",
            lineterm="",
        )
        pytest.fail("\n".join([*lines, "", HOW]), pytrace=False)


def test_every_golden_file_has_its_mart(update: bool) -> None:
    stale = [file for file in GOLDEN.iterdir() if file.stem not in MARTS]
    if update:
        for file in stale:
            file.unlink()
        stale = []
    assert not stale, HOW
