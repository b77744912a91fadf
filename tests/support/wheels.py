"""The built wheel in an environment of its own, and what is called there."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Iterator
from importlib.metadata import Distribution, distribution, distributions
from pathlib import Path

from packaging.requirements import Requirement

from support.paths import REPOSITORY

UV = os.environ.get("UV") or shutil.which("uv") or "uv"


def installed_wheel(folder: Path, *, extras: tuple[str, ...] = ()) -> Path:
    """Return an environment with the wheel, what it declares, and no checkout."""
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=REPOSITORY, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    environment = folder / "environment"
    venv.create(environment, symlinks=True)
    python = environment / "bin/python"
    install = [UV, "pip", "install", "--offline", "--no-deps", "--python", str(python), str(wheel)]
    subprocess.run(install, check=True, capture_output=True)
    packages = packages_of(environment)
    (ours,) = (each for each in distributions(path=[str(packages)]) if each.name == "marts")
    for needed in {*required_by(ours, extras=extras)}:
        link(distribution(needed), packages)
    return environment


def packages_of(environment: Path) -> Path:
    """Return the folder of an environment's packages."""
    (packages,) = environment.glob("lib/python*/site-packages")
    return packages


def required_by(installed: Distribution, extras: tuple[str, ...]) -> Iterator[str]:
    """Name the distributions that one needs, directly or not."""
    for text in installed.requires or ():
        needed = Requirement(text)
        if not needed.marker or any(needed.marker.evaluate({"extra": e}) for e in ("", *extras)):
            yield needed.name
            yield from required_by(distribution(needed.name), tuple(needed.extras))


def link(installed: Distribution, packages: Path) -> None:
    """Put a distribution of this environment into another one, without downloading it."""
    for name in {file.parts[0] for file in installed.files or ()} - {"..", "__pycache__"}:
        if not (packages / name).is_symlink():
            (packages / name).symlink_to(str(installed.locate_file(name)))


def call(
    environment: Path, *words: object, cwd: Path, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run a program of the environment in a folder, with nothing on PYTHONPATH."""
    inherited = {k: v for k, v in os.environ.items() if k != "PYTHONPATH" and k[:6] != "MARTS_"}
    program, *arguments = map(str, words)
    return subprocess.run(
        [environment / "bin" / program, *arguments],
        cwd=cwd,
        env=inherited | variables,
        capture_output=True,
        text=True,
        check=False,
    )
