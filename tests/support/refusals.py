"""How `marts` refuses: the exit code, what it says, and nothing else that it leaves."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from support.processes import call_marts

FAILED, ASKED_WRONGLY = 1, 2

Refused = Callable[..., str]


def refused(*words: object, code: int, cwd: Path) -> str:
    """Run `marts …`, which must end with `code`, without a traceback; return all it printed.

    What was asked wrongly leaves alone what the last run left.
    """
    left = {cwd / "target" / name: name for name in ("run_results.json", "failures/a.csv")}
    for file, text in left.items():
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
    done = call_marts(*words, cwd=cwd)
    if code == ASKED_WRONGLY:
        assert {file: file.read_text() for file in left} == left
    printed = done.stdout + done.stderr
    assert done.returncode == code, printed
    assert "Traceback" not in printed
    assert "\x1b" not in printed
    if code == ASKED_WRONGLY:
        assert done.stderr.partition("\n")[0].startswith(("error: ", "Usage: ")), printed
    return printed


def assert_says(printed: str, *parts: str) -> None:
    """Find each part in what was printed, one behind the other."""
    rest = printed
    for part in parts:
        assert part in rest, printed
        rest = rest.partition(part)[2]
