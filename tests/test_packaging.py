"""The wheel works by itself: away from the checkout, with nothing but its dependencies."""

from __future__ import annotations

import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from support.paths import REPOSITORY
from support.processes import marts_environment


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder that holds what the wheel holds."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=REPOSITORY, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(folder / "installed")
    return folder / "installed"


def call(installed: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the wheel's command line; its folder comes before the checkout on the path."""
    script = "import cli; print(cli.__file__, flush=True); cli.main()"
    return subprocess.run(
        [sys.executable, "-c", script, *words],
        cwd=installed.parent,
        env=marts_environment(PYTHONPATH=str(installed)),
        capture_output=True,
        text=True,
        check=False,
    )


def test_wheel_shows_help(installed: Path) -> None:
    done = call(installed, "--help")
    assert done.returncode == 0, done.stderr
    assert str(installed) in done.stdout
    assert "generate" in done.stdout


def test_wheel_generates_and_builds(installed: Path) -> None:
    made = call(installed, "generate", "data", "--customers", "50", "--transactions", "500")
    assert made.returncode == 0, made.stderr
    built = call(installed, "run", "--data", "data")
    assert built.returncode == 0, built.stdout + built.stderr
    assert str(installed) in built.stdout
    assert re.search(r"^done  published \d+ marts; ", built.stdout, re.MULTILINE)


def test_wheel_carries_the_bundled_data(installed: Path) -> None:
    assert (installed / "fixtures/fct_transactions.parquet").exists()
    assert (installed / "fixtures/dataset.json").exists()
    assert not (installed / "tests").exists()
