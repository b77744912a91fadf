"""Groups from the command line, on DuckDB."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from support.processes import Marts

DONE, FAILED, ASKED_WRONGLY = 0, 1, 2
SOURCES = """
from marts import int64, source, string

people = source("people", doc="People.", grain="name", columns=[string("name"), int64("age")])
pets = source("pets", doc="Pets.", grain="name", columns=[string("name"), int64("age")])
"""
MART = """
from marts import Table, int64, mart, string

@mart(grain="name", group="{group}", columns=[string("name"), int64("age", at_least=0)])
def {name}({source}: Table) -> Table:
    '''What is known.'''
    return {source}
"""
SETTINGS = """
[tool.marts]
package = "zoo"
data = "data"
"""


@pytest.fixture
def zoo(tmp_path: Path) -> Path:
    """Write a project of three groups, two of which read the same source."""
    for folder in ("zoo", "data"):
        (tmp_path / folder).mkdir()
    (tmp_path / "pyproject.toml").write_text(SETTINGS, "utf-8")
    (tmp_path / "zoo/__init__.py").touch()
    (tmp_path / "zoo/sources.py").write_text(SOURCES, "utf-8")
    for group, name, source in (("a", "one", "people"), ("b", "two", "people"), ("c", "x", "pets")):
        text = MART.format(group=group, name=name, source=source)
        (tmp_path / f"zoo/{name}.py").write_text(text, "utf-8")
    for name in ("people", "pets"):
        (tmp_path / f"data/{name}.csv").write_text("name,age\nann,3\n", "utf-8")
    return tmp_path


def test_a_wrong_location_is_told_once_and_is_a_usage_error(zoo: Path, called: Marts) -> None:
    marts = partial(called, cwd=zoo, MARTS_PACKAGE="zoo")
    (zoo / "pyproject.toml").write_text(
        SETTINGS + '[tool.marts.sources]\npeople = "nowhere.csv"\n', "utf-8"
    )
    assert marts("run", "--dry-run").returncode == ASKED_WRONGLY
    done = marts("run")
    assert done.returncode == ASKED_WRONGLY
    assert done.stderr.count("the location of source people is wrong: nowhere.csv") == 1
    assert "error: groups a, b, c: the location of source people is wrong" in done.stderr


def test_what_stops_one_group_is_a_failure_if_another_is_published(
    zoo: Path, called: Marts
) -> None:
    marts = partial(called, cwd=zoo, MARTS_PACKAGE="zoo")
    (zoo / "data/people.csv").unlink()
    assert marts("run", "--dry-run").returncode == FAILED
    done = marts("run")
    assert done.returncode == FAILED
    assert "error: groups a, b: the sources do not fit their contracts" in done.stderr
    assert "done  c  published 1 mart" in done.stdout
    assert marts("run").returncode == ASKED_WRONGLY


READER = MART.format(group="b", name="adults", source="one")
ENVIRONMENTS = """
[tool.marts.environments.prod]
database = "prod.duckdb"

[tool.marts.environments.dev]
database = "dev.duckdb"
"""


def test_a_group_reads_a_mart_of_another_group_in_another_environment(
    zoo: Path, called: Marts
) -> None:
    marts = partial(called, cwd=zoo, MARTS_PACKAGE="zoo")
    (zoo / "zoo/adults.py").write_text(READER, "utf-8")
    (zoo / "pyproject.toml").write_text(SETTINGS + ENVIRONMENTS, "utf-8")
    assert marts("run", "--env", "prod").returncode == DONE
    words = ("run", "-s", "adults,x", "--env", "dev", "--defer", "prod")
    done = marts(*words)
    assert done.returncode == DONE, done.stderr
    assert "one: from prod, prod.duckdb, schema gold" in done.stdout
    shown = marts("show", "adults", "--env", "dev", "--format", "csv")
    assert shown.stdout == "name,age\nann,3\n"
    # What production has is no longer up to date: the group that reads it is left as it was.
    for name in ("people", "pets"):
        (zoo / f"data/{name}.csv").write_text("name,age\nann,4\n", "utf-8")
    done = marts(*words)
    assert done.returncode == FAILED
    assert "group b: the selection reads marts that are up to date neither here" in done.stderr
    assert "done  c  published 1 mart" in done.stdout
    assert marts("show", "adults", "--env", "dev", "--format", "csv").stdout == shown.stdout


def test_a_source_that_two_groups_rely_on_is_listed_with_each_group(
    zoo: Path, called: Marts
) -> None:
    done = called("run", cwd=zoo, MARTS_PACKAGE="zoo")
    assert done.returncode == DONE, done.stderr
    lines = [line.split() for line in done.stdout.splitlines()]
    groups = [line[-3:] for line in lines if line[1:2] == ["people"]]
    assert groups
    assert all(words[:2] == ["for", "group"] for words in groups), done.stdout
    assert not any("for" in line for line in lines if line[1:2] == ["one"])
