"""The guide is true: every page is followed, command by command, in a project of its own."""

from __future__ import annotations

import json
import re
import shutil
import tomllib
from pathlib import Path

import duckdb
import pytest

from backends.emulator.process import toml
from marts.core.console.guide import PAGES, TOPICS, page_of, title_of
from support.account import Account
from support.pages import File, Reader, is_shown, steps
from support.paths import REPOSITORY
from support.processes import Marts, call_marts
from support.terminals import on_a_terminal

FIRST = {"start"}
"""The topics that need no project; all others continue the one of this page."""
ON_SNOWFLAKE = {"snowflake"}
"""The topics whose commands need an account."""


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder in which somebody has followed the first page: raw data, and a project."""
    folder = tmp_path_factory.mktemp("started")
    Reader(folder).follow(page_of("start"))
    return folder


def dbt_project(folder: Path) -> None:
    """Write what `dbt docs generate` writes of a project with one model."""
    model = {"database": "dev", "schema": "gold", "name": "visits"}
    of_model = {"unique_id": "model.crm.visits", "columns": {}, "config": {}, **model}
    not_null = {
        "resource_type": "test",
        "test_metadata": {"name": "not_null", "kwargs": {}},
        "attached_node": "model.crm.visits",
        "column_name": "visit_id",
        "depends_on": {"nodes": ["model.crm.visits"]},
        "config": {"severity": "ERROR"},
    }
    columns = {"visit_id": {"name": "visit_id", "type": "INTEGER"}}
    manifest = {
        "metadata": {"adapter_type": "duckdb", "project_name": "crm"},
        "nodes": {"model.crm.visits": {"resource_type": "model", **of_model}, "test.1": not_null},
        "sources": {},
    }
    nodes = {"model.crm.visits": {"metadata": model, "columns": columns}}
    (folder / "target").mkdir(parents=True)
    (folder / "target/manifest.json").write_text(json.dumps(manifest), "utf-8")
    (folder / "target/catalog.json").write_text(
        json.dumps({"nodes": nodes, "sources": {}}), "utf-8"
    )
    with duckdb.connect(str(folder / "dev.duckdb")) as connection:
        connection.execute("CREATE SCHEMA gold; CREATE TABLE gold.visits AS SELECT 1 AS visit_id")


@pytest.fixture
def shop(started: Path, tmp_path: Path) -> Path:
    """Return a copy of the project, whose marts are published."""
    folder = shutil.copytree(started, tmp_path / "here") / "shop"
    done = call_marts("run", cwd=folder, MARTS_PACKAGE="")
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.mark.parametrize("topic", [topic for topic in TOPICS if topic not in FIRST | ON_SNOWFLAKE])
def test_a_page_works_as_printed(topic: str, shop: Path) -> None:
    if topic == "dbt":
        dbt_project(shop.parent / "crm")
    Reader(shop).follow(page_of(topic))


@pytest.mark.parametrize("topic", sorted(ON_SNOWFLAKE))
def test_a_page_works_as_printed_in_an_account(topic: str, shop: Path, emulated: Account) -> None:
    environment = emulated.environment()
    connections = tomllib.loads(environment["SNOWFLAKE_CONNECTIONS"])
    connections["production"] = connections[emulated.name]
    environment["SNOWFLAKE_CONNECTIONS"] = toml(connections)
    Reader(shop, environment).follow(page_of(topic))


def test_the_page_on_ci_shows_the_workflow_that_a_new_project_has(started: Path) -> None:
    (shown,) = (step for step in steps(page_of("ci")) if isinstance(step, File))
    assert shown.text == (started / "shop" / shown.name).read_text("utf-8")


def test_what_the_pages_write_passes_the_checks_of_a_new_project(shop: Path) -> None:
    """Its workflow calls ruff and mypy."""
    for topic in TOPICS:
        for file in (step for step in steps(page_of(topic)) if isinstance(step, File)):
            if file.language == "python":
                (shop / file.name).parent.mkdir(exist_ok=True)
                (shop / file.name).write_text(file.text, "utf-8")
    Reader(shop).follow("```console\nruff check . && ruff format --check . && mypy .\n```\n")


def test_every_page_is_a_topic() -> None:
    assert {file.stem for file in PAGES.iterdir()} == {*TOPICS}


@pytest.mark.parametrize("topic", TOPICS)
def test_a_page_is_short_and_says_what_it_is_about(topic: str) -> None:
    page = page_of(topic)
    assert len(page.splitlines()) <= 150
    assert title_of(topic)
    assert page.lower().startswith(f"# {topic}: ")


@pytest.mark.parametrize("topic", TOPICS)
def test_a_page_names_only_what_is_installed(topic: str) -> None:
    page = page_of(topic)
    assert {*re.findall(r"`marts help (\w+)`", page)} <= {*TOPICS, "TOPIC"}
    # Who has installed marts has no checkout of it.
    assert not re.search(r"\]\((?!https://)", page)


def test_the_page_on_artifacts_names_every_key(shop: Path) -> None:
    named = {*re.findall(r"`(\w+)`", page_of("artifacts"))}
    results = json.loads((shop / "target/run_results.json").read_text("utf-8"))
    manifest = json.loads((shop / "target/manifest.json").read_text("utf-8"))
    table, group = results["tables"][0], results["groups"][0]
    documents = [results, table, table["checks"][0], group, manifest]
    documents += [entry for kind in ("sources", "marts") for entry in manifest[kind]]
    documents += [column for entry in manifest["marts"] for column in entry["columns"]]
    assert {key for document in documents for key in document} <= named


def test_hints_name_pages_that_exist() -> None:
    folders = (REPOSITORY / "marts/core", REPOSITORY / "backends")
    files = [file for folder in folders for file in folder.rglob("*.py")]
    named = {
        topic
        for file in files
        for topic in re.findall(r"marts help ([a-z]+)", file.read_text("utf-8"))
    }
    assert {"snowflake", "start"} <= named <= {*TOPICS}


# The command


def test_help_lists_the_topics(called: Marts) -> None:
    lines = called("help").stdout.splitlines()
    listed = dict(re.split(" +", line, maxsplit=1) for line in lines[: len(TOPICS)])
    assert listed == {topic: title_of(topic) for topic in TOPICS}


def test_help_in_a_pipe_is_the_page_itself(called: Marts) -> None:
    assert called("help", "checks").stdout == page_of("checks")


def test_help_on_a_terminal_is_formatted_and_its_code_can_be_copied(shop: Path) -> None:
    code, printed = on_a_terminal("help", "tags", cwd=shop)
    plain = re.sub(r"\x1b\[[\d;]*m", "", printed)
    lines = [line.rstrip() for line in plain.splitlines()]
    assert (code, "```" in plain, "\x1b[" in printed) == (0, False, True)
    (file,) = (step for step in steps(page_of("tags")) if isinstance(step, File))
    assert {*file.text.splitlines()} <= {*lines}


def test_help_on_a_command_is_its_own_help(called: Marts) -> None:
    assert called("help", "run").stdout == called("run", "--help").stdout


def test_an_unknown_topic_is_a_usage_error(called: Marts) -> None:
    done = called("help", "check")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "error: there is no help on check\nhint: did you mean checks?\n"


# How pages are followed


@pytest.mark.parametrize(
    ("shown", "printed", "is_it"),
    [
        ("a\nb", "a\nb\n", True),
        ("a\nb", "a\nc\n", False),
        ("a", "a\nb\n", False),
        ("…\nb", "a\n\na\nb\n", True),
        ("…\nb", "b\n", True),
        ("…", "", True),
        ("b\n…", "b\nc\nd", True),
        ("…\nc\n…", "a\nb", False),
        ("a … c", "a b c", True),
        ("a … c", "a b d", False),
        ("ok  1.25 s", "ok      0.01 s", True),
        ("ok  1.25", "ok  1.26", False),
        ("1 row (all)", "1 row (all)", True),
    ],
)
def test_what_a_page_shows_is_compared(shown: str, printed: str, is_it: bool) -> None:
    assert is_shown(shown, printed) is is_it


@pytest.mark.parametrize(
    "page",
    [
        "```console\n$ marts ls nothing\n```\n",
        "```console\n$ marts ls\nanother list\n```\n",
        "```console\n$ marts ls\n…\n$ echo $?\n1\n```\n",
        "```console\nmarts lst\n```\n",
        "Write this:\n\n```python\n1 / 0\n```\n",
        "```sql\nGRANT ALL OF IT TO ME;\n```\n",
    ],
)
def test_a_page_that_is_wrong_fails(page: str, shop: Path) -> None:
    with pytest.raises(AssertionError):
        Reader(shop).follow(page)
