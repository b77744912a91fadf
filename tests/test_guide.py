"""The guide is true: every page is followed, command by command, in a project of its own."""

from __future__ import annotations

import datetime
import fcntl
import json
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import duckdb
import pytest
import yaml  # type: ignore[import-untyped]

from backends.emulator.process import toml
from marts.core.console.guide import PAGES, TOPICS, page_of, title_of
from support.account import Account
from support.pages import File, Reader, is_shown, steps
from support.paths import REPOSITORY
from support.processes import GUARD, MARTS, Marts, call_marts
from support.terminals import on_a_terminal

FIRST = {"start"}
"""The topics that need no project; all others continue the one of this page."""
ON_SNOWFLAKE = {"snowflake", "deploy"}
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
    with emulated.left_as_found():
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


# What a scheduler runs


def scheduled() -> dict[str, str]:
    """Return the commands of the page on schedules, as a shell gets them, by scheduler."""
    page = page_of("schedule")
    files = {step.name: step.text for step in steps(page) if isinstance(step, File)}
    (line,) = re.findall(r"^0 3 \* \* \* (.+)$", page, re.MULTILINE)
    (unit,) = re.findall(r"^ExecStart=/bin/bash -c '(.+)'$", files["shop.service"], re.MULTILINE)
    workflow = yaml.safe_load(files[".github/workflows/nightly.yml"])
    *_, last = workflow["jobs"]["publish"]["steps"]
    return {
        "cron": line.replace(r"\%", "%"),
        "systemd": unit.replace("%%", "%").replace("$$", "$"),
        "actions": last["run"],
    }


def called_by(scheduler: str, shop: Path) -> subprocess.CompletedProcess[str]:
    """Run a scheduler's command in the project's folder, with as few variables as it has."""
    command = scheduled()[scheduler].replace("/srv/shop", str(shop))
    command = command.replace(".venv/bin/marts", str(MARTS))
    path = f"{MARTS.parent}:/usr/bin:/bin" if scheduler == "actions" else "/usr/bin:/bin"
    return subprocess.run(
        ["/bin/bash", "-c", command],
        cwd=None if scheduler == "cron" else shop,
        env={"PATH": path, "HOME": str(shop)},
        capture_output=True,
        text=True,
        check=False,
        timeout=GUARD,
    )


@pytest.mark.parametrize("scheduler", ["cron", "systemd", "actions"])
def test_a_schedulers_command_publishes_as_of_yesterday(scheduler: str, shop: Path) -> None:
    Reader(shop).follow(page_of("schedule").partition("## cron")[0].partition("```console")[0])
    # Around midnight there are two.
    days = {yesterday()}
    done = called_by(scheduler, shop)
    days.add(yesterday())
    log = (shop / "nightly.log").read_text("utf-8") if scheduler == "cron" else done.stdout
    assert (done.returncode, "published 2 marts" in log) == (0, True), log + done.stderr
    # cron would send whatever is printed.
    assert scheduler != "cron" or not done.stdout + done.stderr
    with duckdb.connect(str(shop / "target/prod.duckdb"), read_only=True) as connection:
        (found,) = connection.execute("SELECT DISTINCT as_of FROM gold.marts_runs").fetchall()
    assert found[0] in days


def yesterday() -> datetime.date:
    """Return the day before today where this machine is."""
    return datetime.datetime.now().astimezone().date() - datetime.timedelta(days=1)


def test_cron_sends_the_exit_code_and_the_end_of_the_log_of_a_run_that_fails(shop: Path) -> None:
    Reader(shop).follow(page_of("schedule").partition("## cron")[0].partition("```console")[0])
    with (shop.parent / "raw/customers.csv").open("a", encoding="utf-8") as file:
        file.write("c1,Adele,Köln,2024-01-05\n")
    done = called_by("cron", shop)
    assert done.stdout.startswith("exit code 1\n"), done.stderr
    assert "FAIL  customers.customer_id_unique: 1 violation" in done.stdout
    with (shop / "pyproject.toml").open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert called_by("cron", shop).stdout.startswith("exit code 1\n")
    log = (shop / "nightly.log").read_text("utf-8")
    assert log.count("as of ") == 1, "a second run was started"


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not installed")
def test_systemd_understands_the_units(tmp_path: Path) -> None:
    units = [s for s in steps(page_of("schedule")) if isinstance(s, File) and s.language == "ini"]
    for unit in units:
        text = unit.text.replace("WorkingDirectory=/srv/shop", f"WorkingDirectory={tmp_path}")
        (tmp_path / unit.name).write_text(text.replace("User=marts\n", ""), "utf-8")
    done = subprocess.run(
        ["systemd-analyze", "verify", *(tmp_path / unit.name for unit in units)],  # noqa: S607
        capture_output=True,
        text=True,
        check=False,
        timeout=GUARD,
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


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
