"""Who reads what `marts` prints: a terminal, a reader that leaves, a shell's redirection."""

from __future__ import annotations

import os
import pty
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from support.processes import GUARD, MARTS, marts_environment


def environment(**changes: str) -> dict[str, str]:
    """Return the caller's environment without what changes how `marts` prints."""
    changing = ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE")
    kept = {name: value for name, value in marts_environment().items() if name not in changing}
    return kept | changes


@contextmanager
def left_by_its_reader(*words: object, cwd: Path, lines: int) -> Iterator[subprocess.Popen[str]]:
    """Start `marts …`, read some lines of what it prints, and close the pipe, as `head` does."""
    with subprocess.Popen(
        [MARTS, *map(str, words)],
        cwd=cwd,
        # Buffered as usual, so that short output meets the closed pipe only at the end.
        env=environment(PYTHONUNBUFFERED=""),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout
        for _ in range(lines):
            assert process.stdout.readline()
        process.stdout.close()
        yield process


def on_a_terminal(*words: object, cwd: Path) -> tuple[int, str]:
    """Run `marts …` on a terminal of its own; return its exit code and all that it printed."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [MARTS, *map(str, words)],
        cwd=cwd,
        env=environment(TERM="xterm-256color", COLUMNS="120"),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    ) as process:
        os.close(theirs)
        printed = b""
        # Linux says that the other end is closed by an error.
        with suppress(OSError):
            while more := os.read(ours, 4096):
                printed += more
        os.close(ours)
    return process.returncode, printed.decode()


def redirected(
    redirection: str, *words: object, cwd: Path, **changes: str
) -> subprocess.CompletedProcess[bytes]:
    """Run `marts …` as a shell does: `>/dev/full`, `>&-`, `| head -1`."""
    return subprocess.run(
        ["sh", "-c", f'"$0" "$@" {redirection}', MARTS, *map(str, words)],  # noqa: S607
        cwd=cwd,
        env=environment(**changes),
        capture_output=True,
        check=False,
        timeout=GUARD,
    )
