"""Run `marts …`: in a process as a user would, started and left running, or in this process."""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from unittest import mock

Result = subprocess.CompletedProcess[str]
Process = subprocess.Popen[str]
Marts = Callable[..., Result]

MARTS = Path(sys.executable).with_name("marts")
GUARD = 900
"""Seconds after which a test that hangs is ended; no test says how fast anything is."""


def unmeasured() -> dict[str, str]:
    """Return the caller's variables without its MARTS_…, and those that measure coverage."""
    left_out = ("MARTS_", "PYTEST_ADDOPTS", "COV")
    return {name: value for name, value in os.environ.items() if not name.startswith(left_out)}


def marts_environment(**changes: str) -> dict[str, str]:
    """Return the caller's variables without its MARTS_… and what its pytest is told.

    The marts are ours, unless changed.
    """
    left_out = ("MARTS_", "PYTEST_ADDOPTS")
    inherited = {n: value for n, value in os.environ.items() if not n.startswith(left_out)}
    return inherited | {"MARTS_PACKAGE": "marts"} | changes


def marts_process(*words: object, cwd: Path, **environment: str) -> Result:
    """Run `marts …` as a user would, in a folder, without the caller's MARTS_… variables.

    The marts are ours, unless the environment names others or the words do.
    """
    inherited = marts_environment(**environment)
    # Compiled once, not at every call.
    inherited.pop("PYTHONDONTWRITEBYTECODE", None)
    return subprocess.run(
        [MARTS, *map(str, words)],
        cwd=cwd,
        env=inherited,
        capture_output=True,
        text=True,
        check=False,
        timeout=GUARD,
    )


@contextmanager
def started(*words: object, cwd: Path, **environment: str) -> Iterator[Process]:
    """Start `marts …` as a process group of its own; kill what is left of it."""
    with subprocess.Popen(
        [MARTS, *map(str, words)],
        cwd=cwd,
        env=marts_environment(**environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            yield process
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


@contextmanager
def ignored(number: signal.Signals) -> Iterator[None]:
    """Ignore a signal, and let what is started meanwhile ignore it, as a job in the background."""
    usual = signal.signal(number, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(number, usual)


def end(process: Process, sent: signal.Signals) -> str:
    """Send a signal to what was started, and return what it prints until it ends."""
    os.killpg(process.pid, sent)
    return process.communicate(timeout=GUARD)[0]


def call_marts(*words: object, cwd: Path, **environment: str) -> Result:
    """Run the command line in this process, which has loaded already what takes seconds to load."""
    import cli

    known = {*sys.modules}
    # A test may have written its package anew, within a second.
    importlib.invalidate_caches()
    out, err = io.StringIO(), io.StringIO()
    argv, clean = ["marts", *map(str, words)], marts_environment(**environment)
    with contextlib.ExitStack() as stack:
        stack.enter_context(mock.patch.dict(os.environ, clean, clear=True))
        stack.enter_context(mock.patch.object(sys, "argv", argv))
        stack.enter_context(mock.patch.object(sys, "dont_write_bytecode", True))
        stack.enter_context(mock.patch.object(sys, "path", [*sys.path]))
        stack.enter_context(mock.patch.object(sys, "meta_path", [*sys.meta_path]))
        stack.enter_context(mock.patch("signal.signal"))
        stack.enter_context(contextlib.chdir(cwd))
        stack.enter_context(contextlib.redirect_stdout(out))
        stack.enter_context(contextlib.redirect_stderr(err))
        try:
            cli.main()
        except SystemExit as ended:
            code = ended.code
    assert isinstance(code, int)
    # Packages of one test's folder: another has its own of the same name.
    for name in {*sys.modules} - known:
        if Path(getattr(sys.modules[name], "__file__", None) or "/").is_relative_to(cwd):
            del sys.modules[name]
    return subprocess.CompletedProcess(argv, code, out.getvalue(), err.getvalue())


def one_document(stdout: str) -> Any:
    """Return what is printed as JSON, nothing before it and nothing behind."""
    assert stdout[:1] in ("{", "[")
    return json.loads(stdout)
