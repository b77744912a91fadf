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


def test_quick_start_has_exactly_two_commands() -> None:
    quick_start = README.partition("## Quick start")[2].partition("```console\n")[2]
    commands = quick_start.partition("```")[0].splitlines()
    assert commands == ["pip install uv && uv run marts run", "uv run pytest"]


def test_ci_runs_the_second_command() -> None:
    assert "\nuv run pytest\n" in (REPOSITORY / ".ci/run").read_text("utf-8")


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
