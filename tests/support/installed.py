"""An environment with the wheel and what it needs, linked from ours: no checkout, no download."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import Distribution, distribution, distributions
from pathlib import Path

from packaging.requirements import Requirement

from support.paths import REPOSITORY
from support.processes import unmeasured

UV = os.environ.get("UV") or shutil.which("uv") or "uv"


@dataclass(frozen=True)
class Installed:
    """An environment in which somebody has installed the wheel."""

    folder: Path

    @property
    def wheel(self) -> Path:
        """The wheel that is installed."""
        (wheel,) = self.folder.parent.glob("*.whl")
        return wheel

    @property
    def packages(self) -> Path:
        """Its folder site-packages."""
        (packages,) = self.folder.glob("lib/python*/site-packages")
        return packages

    def call(
        self, program: str, *words: object, cwd: Path, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a program of the environment in a folder, with nothing on PYTHONPATH."""
        inherited = {k: v for k, v in unmeasured().items() if k != "PYTHONPATH"}
        return subprocess.run(
            [self.folder / "bin" / program, *map(str, words)],
            cwd=cwd,
            env=inherited | environment,
            capture_output=True,
            text=True,
            check=False,
        )


def build(folder: Path) -> Path:
    """Build the wheel in a folder."""
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=REPOSITORY, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    return wheel


def once(folder: Path, extras: tuple[str, ...] = (), also: tuple[str, ...] = ()) -> Installed:
    """Build the wheel and install it, with extras and other distributions, unless it is done.

    The workers of one test session share the folder.
    """
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        installed = Installed(folder / "environment")
        if not (folder / "done").exists():
            _install(build(folder), installed, extras, also)
            (folder / "done").touch()
    return installed


def _install(
    wheel: Path, installed: Installed, extras: tuple[str, ...], also: tuple[str, ...]
) -> None:
    venv.create(installed.folder, symlinks=True)
    python = str(installed.folder / "bin/python")
    install = [UV, "pip", "install", "--offline", "--no-deps", "--python", python, str(wheel)]
    # Compiled once, not by every process.
    subprocess.run([*install, "--compile-bytecode"], check=True, capture_output=True)
    (ours,) = (each for each in distributions(path=[str(installed.packages)]) if _is_ours(each))
    needed = {*_needed_by(ours, extras), *also}
    for name in also:
        needed.update(_needed_by(distribution(name), ()))
    for name in needed:
        _link(distribution(name), installed.packages)


def _is_ours(installed: Distribution) -> bool:
    return installed.name == "marts"


def _needed_by(installed: Distribution, extras: tuple[str, ...]) -> Iterator[str]:
    """Name the distributions that one needs, directly or not."""
    for text in installed.requires or ():
        needed = Requirement(text)
        if not needed.marker or any(needed.marker.evaluate({"extra": e}) for e in ("", *extras)):
            yield needed.name
            yield from _needed_by(distribution(needed.name), tuple(needed.extras))


def _link(installed: Distribution, packages: Path) -> None:
    """Put a distribution of this environment into another one, without downloading it."""
    for name in {file.parts[0] for file in installed.files or ()} - {"..", "__pycache__"}:
        if not (packages / name).exists():
            (packages / name).symlink_to(str(installed.locate_file(name)))
