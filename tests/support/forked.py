"""Run `marts …` in forks of a process that has loaded all, which begin at once."""

from __future__ import annotations

import json
import multiprocessing
import os
import pkgutil
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from support.processes import GUARD, marts_environment

PRELOADED = (
    "cli",
    "ibis",
    "pyarrow",
    "snowflake.connector",
    "backends.snowflake",
    "backends.factory",
    "marts.core.console.commands.run",
    "marts.core.console.execution",
    "marts.core.operations.run",
    "marts.core.operations.wiring",
    "marts.core.plan.changes",
    "marts.core.plan.findings",
    "ibis.backends.sql.compilers.snowflake",
)


@cache
def _forks() -> Any:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([*PRELOADED])
    return context


@dataclass(frozen=True)
class Ended:
    """How a run ended: its exit code, negative for a signal, what it printed, and its report."""

    returncode: int
    stdout: str
    stderr: str
    results: Mapping[str, Any] | None


@dataclass(frozen=True)
class Fork:
    """A run of `marts` in a fork; its folder has what it prints."""

    process: Any
    folder: Path

    def send(self, number: signal.Signals) -> None:
        """Send a signal."""
        os.kill(self.process.pid, number)

    @property
    def is_alive(self) -> bool:
        """Tell whether it runs."""
        alive: bool = self.process.is_alive()
        return alive

    def wait(self) -> Ended:
        """Wait for its end; what hangs is killed."""
        self.process.join(GUARD)
        if self.process.exitcode is None:
            self.process.kill()
            self.process.join()
        out, err = (
            (self.folder / name).read_text("utf-8") if (self.folder / name).exists() else ""
            for name in ("stdout", "stderr")
        )
        report = self.folder / "target/run_results.json"
        results = json.loads(report.read_text("utf-8")) if report.exists() else None
        ended = Ended(self.process.exitcode, out, err, results)
        self.process.close()
        return ended


def fork(
    *words: object, project: Path, folder: Path, changes: Mapping[str, object], **environment: str
) -> Fork:
    """Start `marts …` in a project's folder, with other values of constants of ours.

    `folder` is for what it prints, and for its artifacts.
    """
    folder.mkdir(parents=True)
    argv = ["marts", *map(str, words), "--target", str(folder / "target")]
    found = marts_environment(**environment)
    process = _forks().Process(target=_main, args=(argv, project, folder, changes, found))
    process.start()
    return Fork(process, folder)


def _main(
    argv: list[str],
    project: Path,
    folder: Path,
    changes: Mapping[str, object],
    environment: Mapping[str, str],
) -> None:
    import cli

    os.environ.clear()
    os.environ.update(environment)
    os.chdir(project)
    for stream, name in ((1, "stdout"), (2, "stderr")):
        with (folder / name).open("wb") as file:
            os.dup2(file.fileno(), stream)
    for name, value in changes.items():
        module, _, constant = name.rpartition(".")
        found = pkgutil.resolve_name(module)
        assert hasattr(found, constant), name
        setattr(found, constant, value)
    sys.argv = argv
    cli.main()
