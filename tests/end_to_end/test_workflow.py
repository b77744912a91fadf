"""The CI workflow that `marts init` writes: its commands, one by one, in a new project."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml  # type: ignore[import-untyped]

from support.processes import GUARD, call_marts, marts_environment


@pytest.mark.slow
def test_the_commands_of_the_workflow_succeed_in_a_new_project(tmp_path: Path) -> None:
    made = call_marts("init", "shop", cwd=tmp_path, MARTS_PACKAGE="")
    assert made.returncode == 0, made.stderr
    workflow = yaml.safe_load((tmp_path / "shop/.github/workflows/ci.yml").read_text("utf-8"))
    (job,) = workflow["jobs"].values()
    install, *commands = [step["run"] for step in job["steps"] if "run" in step]
    # Ours has installed them already; a test of the wheel installs marts as others do.
    assert shlex.split(install)[:3] == ["pip", "install", "$MARTS"]
    assert commands
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    for command in commands:
        done = subprocess.run(
            ["/bin/bash", "-e", "-o", "pipefail", "-c", command],
            cwd=tmp_path / "shop",
            env=marts_environment(MARTS_PACKAGE="", PATH=path),
            capture_output=True,
            text=True,
            check=False,
            timeout=GUARD,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
