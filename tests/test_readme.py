"""README's commands run as printed, and its example of a mart is a mart."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from marts.core.console.guide import TOPICS, page_of
from support.pages import Command, File, Reader, steps
from support.paths import REPOSITORY
from support.processes import Marts, unmeasured

README = (REPOSITORY / "README.md").read_text("utf-8")
CONTRIBUTING = (REPOSITORY / ".github/CONTRIBUTING.md").read_text("utf-8")


def section(title: str) -> str:
    """Return a section of README."""
    return README.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def typed(title: str) -> list[str]:
    """Return the commands of a section of README."""
    return [step.words for step in steps(section(title)) if isinstance(step, Command)]


def test_it_is_short() -> None:
    assert len(README.splitlines()) < 200


PAGES = [REPOSITORY / "README.md", *sorted((REPOSITORY / ".github").rglob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_every_link_leads_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text("utf-8"))
    assert not [
        link for link in links if "://" not in link and not (page.parent / link).resolve().exists()
    ]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_every_path_that_is_named_is_there(page: Path) -> None:
    named = re.findall(
        r"`((?:marts|backends|fixtures|tests|\.ci)/[^\s`<]+)`", page.read_text("utf-8")
    )
    to_be_made = {
        "marts/marketing/metric_active_days.py",
        "tests/reference/metric_active_days.py",
        "tests/worlds/NAME",
    }
    assert not [path for path in set(named) - to_be_made if not (REPOSITORY / path).exists()]


def test_every_decision_is_listed_with_its_date() -> None:
    folder = REPOSITORY / ".github/decisions"
    (index,) = (page for page in PAGES if page == folder / "README.md")
    listed = dict(re.findall(r"\((\S+\.md)\) \| (\S+) \|", index.read_text("utf-8")))
    pages = {page.name: page.read_text("utf-8") for page in folder.glob("*.md") if page != index}
    assert listed == {name: text.splitlines()[2] for name, text in pages.items()}
    for text in pages.values():
        assert re.findall(r"^## (.*)", text, re.MULTILINE) == [
            "Context",
            "Decision",
            "Consequences",
        ]


def test_the_picture_of_the_layout_is_true() -> None:
    (picture,) = re.findall(r"```text\n(marts/\n.*?)```", CONTRIBUTING, flags=re.DOTALL)
    drawn, above = set[Path](), [REPOSITORY]
    for line in picture.splitlines():
        names = re.match(r" *(\S+?(?:, \S+?)*)(?: {2,}|$)", line)
        assert names
        depth = (len(line) - len(line.lstrip())) // 2
        paths = [above[depth] / name for name in names[1].split(", ")]
        above = [*above[: depth + 1], paths[0]]
        drawn |= set(paths)
    assert not [path for path in drawn if not path.exists()]
    core = REPOSITORY / "marts/core"
    rooms = {path for path in core.iterdir() if path.name[0] != "_"}
    assert {path for path in drawn if path.parent == core} == rooms


def test_ci_runs_the_second_command() -> None:
    assert "\nuv run pytest\n" in (REPOSITORY / ".ci/run").read_text("utf-8")


def test_workflows_run_what_the_pages_say() -> None:
    def workflow(name: str) -> str:
        return (REPOSITORY / f".github/workflows/{name}.yml").read_text("utf-8")

    assert "- run: bash .ci/run\n" in workflow("ci")
    (command,) = re.findall(r"^ *(uv run .* -m nightly)$", CONTRIBUTING, re.MULTILINE)
    assert f"- run: {command}\n" in workflow("nightly")
    assert "`bash .ci/coverage` measures" in CONTRIBUTING
    assert "- run: bash .ci/coverage\n" in workflow("nightly")


def test_what_is_said_of_own_data_works_as_printed(tmp_path: Path) -> None:
    for file in steps(page_of("start")):
        if isinstance(file, File) and file.name.startswith("raw/") and not file.adds:
            (tmp_path / "raw").mkdir(exist_ok=True)
            (tmp_path / file.name).write_text(file.text, "utf-8")
    Reader(tmp_path).follow(section("With your own data"))


@pytest.mark.parametrize(
    "page",
    [README, page_of("start"), page_of("snowflake")],
    ids=["README", "start", "snowflake"],
)
def test_the_wheel_that_is_installed_is_the_current_one(page: str) -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))["project"]
    assert {*re.findall(r"marts-(\S+?)-py3-none-any\.whl", page)} == {project["version"]}


def test_every_command_on_the_portfolio_works_as_printed(called: Marts) -> None:
    first, second, *further = typed("The card portfolio")
    assert (first, second) == ("pip install uv && uv run marts run", "uv run pytest")
    for command in ["uv run marts run", *further]:
        uv, run, program, *words = shlex.split(command)
        assert [uv, run, program] == ["uv", "run", "marts"]
        done = called(*words)
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the repository, in which somebody has added README's mart and its twin."""
    folder = tmp_path_factory.mktemp("readme") / "clone"
    folder.mkdir()
    for name in ("marts", "backends", "fixtures", "tests"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(REPOSITORY / name, folder / name, ignore=ignored)
    for name in ("cli.py", "pyproject.toml"):
        shutil.copy(REPOSITORY / name, folder)
    for page in (section("Add a mart"), CONTRIBUTING):
        (file,) = (step for step in steps(page) if isinstance(step, File))
        (folder / file.name).write_text(file.text, "utf-8")
    return folder


def in_clone(folder: Path, *words: str) -> str:
    """Run Python in the copy, which must succeed; return what it printed."""
    path = os.pathsep.join([str(folder), str(folder / "tests")])
    done = subprocess.run(
        [sys.executable, *words],
        cwd=folder,
        env=unmeasured() | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_example_of_a_mart_passes_all_that_is_said_of_it(clone: Path) -> None:
    *commands, update = typed("Add a mart")
    assert update == "uv run pytest tests/test_sql.py --update-sql"
    for command in commands:
        uv, run, program, *words = command.split()
        assert [uv, run, program] == ["uv", "run", "marts"]
        assert "metric_active_days" in in_clone(clone, "cli.py", *words)


def test_the_example_of_a_mart_passes_the_projects_own_tests(clone: Path) -> None:
    pytest_ = ("-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider")
    in_clone(clone, *pytest_, "tests/test_sql.py", "--update-sql")
    about_it = "metric_active_days or has_a_twin or golden_file or contracts or on_the_corpus"
    files = ("tests/test_sql.py", "tests/reference", "tests/test_marts.py")
    in_clone(clone, *pytest_, *files, "-k", about_it)


def test_every_page_of_the_guide_is_listed() -> None:
    assert re.findall(r"\(marts/core/guide/(\w+)\.md\)", section("With your own data")) == [*TOPICS]


def test_commands_and_exit_codes_are_documented() -> None:
    from marts.core.console.commands import NAMES

    for name in NAMES:
        assert f"`marts {name}" in README, name
