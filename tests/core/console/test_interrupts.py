"""Interrupts that come while they are held are raised before the next group of a run."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from marts.core.console.interrupts import Interrupts
from support.processes import marts_process

INTERRUPTED = 130
AT_AN_IMPORT = """
import signal
import sys


class Interrupting:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name == {module!r}:
            signal.raise_signal(signal.SIGINT)


sys.meta_path.insert(0, Interrupting)
"""


def test_an_interrupt_that_was_held_is_raised_when_the_run_goes_on() -> None:
    stop = Interrupts()
    stop.hold()
    stop.go_on()
    stop.hold()
    stop.arrive()
    with pytest.raises(KeyboardInterrupt):
        stop.go_on()
    with pytest.raises(KeyboardInterrupt):
        stop.arrive()


@pytest.mark.parametrize("module", ["marts.core", "click", "ibis"])
def test_an_interrupt_while_modules_are_imported_is_not_a_bug(
    module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Coverage would look for the module before the program begins.
    for name in [name for name in os.environ if name.startswith("COV")]:
        monkeypatch.delenv(name)
    (tmp_path / "sitecustomize.py").write_text(AT_AN_IMPORT.format(module=module), "utf-8")
    done = marts_process("ls", cwd=tmp_path, PYTHONPATH=str(tmp_path))
    assert (done.returncode, done.stdout) == (INTERRUPTED, "")
    # Click begins a new line, behind the terminal's ^C.
    assert done.stderr.lstrip() == "interrupted\n"
