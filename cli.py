"""The command line: the group, signals and exit codes."""

from __future__ import annotations

import errno
import gc
import signal
import sys
import warnings
from typing import NoReturn

import click

from marts.core import DISTRIBUTION
from marts.core.console import exit_codes, extras
from marts.core.console.commands import Commands, current_name, wants_json, with_nearest
from marts.core.console.exit_codes import DONE, INTERRUPTED
from marts.core.console.interrupts import Interrupts
from marts.core.console.streams import (
    lost_output,
    open_streams,
    print_bug,
    print_error,
    print_failure,
    print_usage,
    print_warning,
    warn,
)
from marts.core.errors import MartsError

interrupts = Interrupts()


@click.group(
    cls=Commands,
    context_settings={
        "help_option_names": ["-h", "--help"],
        "max_content_width": 100,
        "token_normalize_func": current_name,
    },
)
@click.version_option(package_name=DISTRIBUTION)
def marts() -> None:
    """Build, check and read marts. `marts help` lists the topics of the guide.

    `marts init` starts a project. Its settings are in the table [tool.marts] of its pyproject.toml:
    `package = "NAME"`, and what options say where it is always the same, such as
    `data = "extracts"` for --data or `memory_limit = "4GB"` for --memory-limit. Its paths are
    relative to its folder. The nearest such file, here or above, counts; environment variables
    override it, and options override both.
    """


def main() -> NoReturn:
    """Run the command line and exit: 0 done, 1 failed, 2 usage error, 130 interrupted."""
    # Expressions and SQL trees live until the end, and collecting garbage takes a tenth of a run.
    gc.disable()
    interrupts.begin()
    sys.unraisablehook = _unraisable
    sys.excepthook = print_bug
    warnings.showwarning = print_warning  # type: ignore[assignment]
    open_streams()
    try:
        # Until now, who has imported this ends at an interrupt.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, _interrupt)
        code = marts.main(standalone_mode=False, obj=interrupts)
    except click.ClickException as raised:
        error = with_nearest(raised)
        print_usage(error)
        code = error.exit_code
        if wants_json(sys.argv[1:]):
            print_failure(error.format_message(), hint=None, code=code)
    except (click.Abort, KeyboardInterrupt):
        interrupts.hold()
        click.echo("interrupted", err=True)
        code = INTERRUPTED
    except Exception as error:
        explained = extras.explained(error)
        code = exit_codes.of_error(explained)
        if code is None:
            raise
        print_error(explained)
        if wants_json(sys.argv[1:]) and isinstance(explained, MartsError):
            print_failure(explained.summary, explained.facts, hint=explained.hint, code=code)
    interrupts.hold()
    if (lost := lost_output()) and lost.errno != errno.EBADF:
        # The work is done. A closed standard output (EBADF) is the caller's intention.
        warn(f"standard output is incomplete: {lost.strerror}")
    # While Python ends, its default handler would replace the exit code of what is done.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    # Otherwise Python would collect garbage at exit, object by object.
    gc.freeze()
    sys.exit(code or DONE)


def _interrupt(_number: int, _frame: object) -> None:
    interrupts.arrive()


def _unraisable(swallowed: sys.UnraisableHookArgs) -> None:
    if not issubclass(swallowed.exc_type, KeyboardInterrupt):
        sys.__unraisablehook__(swallowed)


if __name__ == "__main__":
    main()
