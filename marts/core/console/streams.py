"""Standard output and error that survive a closed pipe, a full disk and an old encoding."""

from __future__ import annotations

import codecs
import errno
import io
import os
import sys
import traceback
from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

# For our own messages; other characters that an encoding lacks are escaped as \u2603.
IN_ASCII = {"→": "->", "·": "-", "…": "...", "–": "-", "’": "'"}  # noqa: RUF001


class Outlet(io.BufferedWriter):
    """A byte stream that accepts everything; `lost` is the first error of writing it.

    So a run continues to its end even if its output cannot be written.
    """

    lost: OSError | None = None
    is_reported = False

    def write(self, data: ReadableBuffer, /) -> int:
        """Write bytes; record an error instead of raising it."""
        try:
            return super().write(data)
        except OSError as error:
            self._lose(error)
            return len(memoryview(data))

    def flush(self) -> None:
        """Write buffered bytes; record an error instead of raising it."""
        try:
            super().flush()
        except OSError as error:
            self._lose(error)

    def _lose(self, error: OSError) -> None:
        self.lost = self.lost or error
        # Later output, and what Python flushes at exit, must not fail again.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self.fileno())
        os.close(nowhere)


def open_streams() -> None:
    """Make sure that neither a closed stream nor an encoding stops the program.

    Streams that replace the process's own are left alone.
    """
    _fill_descriptors()
    codecs.register_error("marts", _replace)
    if sys.stdout is sys.__stdout__:
        sys.stdout = _opened(1, sys.stdout)
    if sys.stderr is sys.__stderr__:
        sys.stderr = _opened(2, sys.stderr)


def _fill_descriptors() -> None:
    """Open closed descriptors, so that no database file gets the number of standard output."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)


def _opened(number: int, stream: Any) -> io.TextIOWrapper:
    outlet = Outlet(io.FileIO(number, "w", closefd=False))
    if stream is None:
        outlet.lost = OSError(errno.EBADF, os.strerror(errno.EBADF))
    return io.TextIOWrapper(
        outlet,
        encoding=stream.encoding if stream else "utf-8",
        errors="marts",
        line_buffering=number == 2 or outlet.isatty() or bool(stream and stream.write_through),
    )


def _replace(error: UnicodeError) -> tuple[str | bytes, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end]
    if all(character in IN_ASCII for character in lacking):
        return "".join(IN_ASCII[character] for character in lacking), error.end
    return codecs.backslashreplace_errors(error)


def lost_output() -> OSError | None:
    """Return the error of standard output, once; None if its reader closed the pipe."""
    sys.stdout.flush()
    outlet = getattr(sys.stdout, "buffer", None)
    if not isinstance(outlet, Outlet) or outlet.lost is None or outlet.is_reported:
        return None
    outlet.is_reported = True
    return None if outlet.lost.errno == errno.EPIPE else outlet.lost


def takes(text: str) -> bool:
    """Tell whether standard output's encoding has all characters of a text."""
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        return False
    return True


def print_error(error: Exception) -> None:
    """Print an error that the user can fix."""
    _print_message(click.style("error: ", fg="red", bold=True), str(error))


def print_failure(error: str, facts: Sequence[str] = (), *, hint: str | None, code: int) -> None:
    """Print an error as the JSON document of a command that was asked for one."""
    from marts.core.run.formats import ascii_json, json_text

    text = json_text({"error": error, "facts": facts, "hint": hint, "exit_code": code})
    sys.stdout.write((text if takes(text) else ascii_json(text)) + "\n")


def warn(message: str) -> None:
    """Print a warning: something is wrong although the work is done."""
    _print_message(click.style("warning: ", fg="yellow", bold=True), message)


def print_warning(message: Warning | str, *_where: object) -> None:
    """Print a library's warning, without its line of code."""
    warn(str(message).strip())


def print_usage(error: click.ClickException) -> None:
    """Print click's error for a call that it cannot parse."""
    shown = io.StringIO()
    error.show(shown)
    _print_message("", shown.getvalue().removesuffix("\n"))


def print_bug(kind: type[BaseException], bug: BaseException, trace: TracebackType | None) -> None:
    """Print an unexpected exception with its traceback, as Python does."""
    _print_message("", "".join(traceback.format_exception(kind, bug, trace)).removesuffix("\n"))


def _print_message(word: str, message: str) -> None:
    """Print to standard error, with control characters escaped."""
    from marts.core.run.formats import visible

    click.echo(word + visible(message, keep="\n\t"), file=sys.stderr)
