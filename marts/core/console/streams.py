"""Standard output and error, whether a reader, a full disk or an old code page takes them."""

from __future__ import annotations

import codecs
import errno
import io
import os
import sys
import traceback
from types import TracebackType
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

# For our own words; other characters that an encoding lacks are escaped as in Python: \u2603.
IN_ASCII = {"→": "->", "·": "-", "…": "...", "–": "-", "’": "'"}  # noqa: RUF001


class Outlet(io.BufferedWriter):
    """A byte stream that accepts everything; `lost` says why it could not be written.

    So a run goes on to its end, even if nobody reads what it prints.
    """

    lost: OSError | None = None
    is_told = False

    def write(self, data: ReadableBuffer, /) -> int:
        """Write bytes, as far as somebody takes them."""
        try:
            return super().write(data)
        except OSError as error:
            self._lose(error)
            return len(memoryview(data))

    def flush(self) -> None:
        """Write what is left, as far as somebody takes it."""
        try:
            super().flush()
        except OSError as error:
            self._lose(error)

    def _lose(self, error: OSError) -> None:
        self.lost = self.lost or error
        # What is still to come, and what Python writes when it ends, has to go somewhere.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self.fileno())
        os.close(nowhere)


def open_streams() -> None:
    """Make sure that neither a closed stream nor an encoding ends the program.

    Streams that have been put in place of the process's own stay.
    """
    _fill_descriptors()
    codecs.register_error("marts", _replace)
    if sys.stdout is sys.__stdout__:
        sys.stdout = _opened(1, sys.stdout)
    if sys.stderr is sys.__stderr__:
        sys.stderr = _opened(2, sys.stderr)


def _fill_descriptors() -> None:
    """Open what is closed, or the database would get the number of standard output."""
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
    """Return why standard output could not be written, once; None where its reader left."""
    sys.stdout.flush()
    outlet = getattr(sys.stdout, "buffer", None)
    if not isinstance(outlet, Outlet) or outlet.lost is None or outlet.is_told:
        return None
    outlet.is_told = True
    return None if outlet.lost.errno == errno.EPIPE else outlet.lost


def takes(text: str) -> bool:
    """Return whether standard output's encoding has all characters of a text."""
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        return False
    return True


def print_error(error: Exception) -> None:
    """Print an error that its reader can fix."""
    _print_message(click.style("error: ", fg="red", bold=True), str(error))


def warn(message: str) -> None:
    """Print what is wrong although the work is done."""
    _print_message(click.style("warning: ", fg="yellow", bold=True), message)


def print_warning(message: Warning | str, *_where: object) -> None:
    """Print what a library warns of, without the line of its code."""
    warn(str(message).strip())


def print_usage(error: click.ClickException) -> None:
    """Print what click says about a call that it does not understand."""
    said = io.StringIO()
    error.show(said)
    _print_message("", said.getvalue().removesuffix("\n"))


def print_bug(kind: type[BaseException], bug: BaseException, trace: TracebackType | None) -> None:
    """Print an exception that nobody expected, as Python does."""
    _print_message("", "".join(traceback.format_exception(kind, bug, trace)).removesuffix("\n"))


def _print_message(word: str, message: str) -> None:
    """Print to standard error, with control characters written out."""
    from marts.core.run.formats import visible

    click.echo(word + visible(message, keep="\n\t"), file=sys.stderr)
