"""README's commands run as printed, and its example of a mart is a mart."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from support.paths import REPOSITORY
from support.processes import Marts

README = (REPOSITORY / "README.md").read_text("utf-8")
COMMANDS = [
    line
    for block in re.findall(r"```console\n(.*?)```", README, flags=re.DOTALL)
    for line in block.splitlines()
]


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
    to_be_made = {"marts/marketing/metric_active_days.py", "tests/worlds/NAME"}
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
    (picture,) = re.findall(r"```\n(marts/\n.*?)```", README, flags=re.DOTALL)
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


def test_quick_start_has_exactly_two_commands() -> None:
    quick_start = README.partition("## Quick start")[2].partition("```console\n")[2]
    commands = quick_start.partition("```")[0].splitlines()
    assert commands == ["pip install uv && uv run marts run", "uv run pytest"]


def test_ci_runs_the_second_command() -> None:
    assert "\nuv run pytest\n" in (REPOSITORY / ".ci/run").read_text("utf-8")


def test_workflows_run_what_the_pages_say() -> None:
    def workflow(name: str) -> str:
        return (REPOSITORY / f".github/workflows/{name}.yml").read_text("utf-8")

    assert "- run: bash .ci/run\n" in workflow("ci")
    contributing = (REPOSITORY / ".github/CONTRIBUTING.md").read_text("utf-8")
    (command,) = re.findall(r"^ *(uv run .* -m nightly)$", contributing, re.MULTILINE)
    assert f"- run: {command}\n" in workflow("nightly")


def test_every_marts_command_works_as_printed(marts: Marts) -> None:
    first, second, *further = COMMANDS
    assert (first.endswith("uv run marts run"), second) == (True, "uv run pytest")
    for command in ["uv run marts run", *further]:
        uv, run, program, *words = shlex.split(command)
        assert [uv, run, program] == ["uv", "run", "marts"]
        done = marts(*words)
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """Return a copy of what a newcomer edits."""
    for name in ("marts", "backends", "fixtures"):
        shutil.copytree(REPOSITORY / name, tmp_path / "clone" / name)
    for name in ("cli.py", "pyproject.toml"):
        shutil.copy(REPOSITORY / name, tmp_path / "clone")
    return tmp_path / "clone"


def test_the_example_of_a_mart_is_a_mart(clone: Path) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    (file,) = re.findall(r"say `(marts/\S+\.py)`", README)
    (words,) = re.findall(r"`marts (run -s \+metric_active_days)`", README)
    (clone / file).write_text(code, "utf-8")
    done = subprocess.run(
        [sys.executable, "cli.py", *words.split()],
        cwd=clone,
        env=os.environ | {"PYTHONPATH": str(clone)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "metric_active_days" in done.stdout


def test_commands_and_exit_codes_are_documented() -> None:
    from marts.core.console.commands import NAMES

    for name in NAMES:
        assert f"`marts {name}" in README, name
