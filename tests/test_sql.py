"""Golden SQL: what each mart compiles to, by dialect; a difference is for somebody to read.

Regenerate with `pytest tests/test_sql.py --update-sql`, then read `git diff tests/sql`.
"""

from __future__ import annotations

from difflib import unified_diff
from pathlib import Path

import pytest

from support.statements import DIALECTS, MARTS, builds

GOLDEN = Path(__file__).parent / "sql"
HOW = "regenerate: pytest tests/test_sql.py --update-sql; then read: git diff tests/sql"


@pytest.fixture
def update(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.getoption("--update-sql"))


@pytest.mark.parametrize("name", MARTS)
@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_mart_compiles_to_its_golden_sql(dialect: str, name: str, update: bool) -> None:
    file = GOLDEN / dialect / f"{name}.sql"
    found = builds(dialect)[name] + "\n"
    if update:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(found, "utf-8")
    golden = file.read_text("utf-8") if file.exists() else ""
    if found != golden:
        lines = unified_diff(
            golden.splitlines(),
            found.splitlines(),
            fromfile=f"tests/sql/{dialect}/{name}.sql",
            tofile="compiled",
            lineterm="",
        )
        pytest.fail("\n".join([*lines, "", HOW]), pytrace=False)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_golden_file_has_its_mart(dialect: str, update: bool) -> None:
    stale = [file for file in (GOLDEN / dialect).iterdir() if file.stem not in MARTS]
    if update:
        for file in stale:
            file.unlink()
        stale = []
    assert not stale, HOW


def test_no_dialect_is_left_over() -> None:
    assert {folder.name for folder in GOLDEN.iterdir()} == set(DIALECTS)
