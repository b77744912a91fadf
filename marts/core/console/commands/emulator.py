"""`marts emulator`: run a Snowflake emulator on this machine."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from marts.core.console.exit_codes import DONE
from marts.core.console.interrupts import Interrupts
from marts.core.console.options import env_option, option, with_settings
from marts.core.errors import EngineError, UsageError
from marts.core.operations import wiring
from marts.core.project.settings import SNOWFLAKE, Settings, with_given

if TYPE_CHECKING:
    from backends.emulator.process import Emulator

DATABASE = "MARTS"
PATIENCE = 10
"""Seconds in which an interrupted command may end by itself."""


# The options of a command are its own, with or without `--` before it.
@click.command("emulator", context_settings={"allow_interspersed_args": False})
@env_option
@option("--port", type=click.IntRange(0, 65535), default=0, help="The port.  [default: a free one]")
@option(
    "--database",
    metavar="NAME",
    help=f"The database of its connection, which is empty.  [default: {DATABASE}]",
)
@click.argument("words", nargs=-1, type=click.UNPROCESSED, metavar="[COMMAND [ARGUMENT]...]")
@click.pass_obj
@with_settings
def command(settings: Settings, stop: Interrupts, port: int, words: Sequence[str]) -> int:
    """Run a Snowflake emulator on this machine, until Ctrl-C, or while a command runs.

    It prints how another terminal reaches it: variables, and the commands that load the data and
    run the marts there, by the real connector, without an account. It forgets everything when it
    ends. With a command, such as `marts emulator -- pytest`, it sets these variables for that, and
    exits with its exit code.

    The databases that the project's settings name for Snowflake exist, too, and are empty.
    """
    from backends.emulator.process import emulator

    on_snowflake = with_given(settings, backend=SNOWFLAKE)
    databases = [on_snowflake.database or DATABASE]
    if on_snowflake.source_database:
        databases.append(on_snowflake.source_database)
    stop.raise_once()
    with (
        tempfile.TemporaryDirectory(prefix="marts_emulator_") as folder,
        emulator(Path(folder), *databases, port=port) as running,
    ):
        return _call(running, words) if words else _wait(running, on_snowflake)


def _wait(running: Emulator, settings: Settings) -> int:
    """Say how to use the emulator, until Ctrl-C, which is how it is meant to end."""
    from backends.emulator.process import environment
    from marts.core.console.emulator_messages import usage_lines

    for line in usage_lines(
        running.port,
        running.connection,
        environment(running.folder),
        settings,
        has_data=wiring.data_of(settings) is not None,
    ):
        click.echo(line)
    with suppress(KeyboardInterrupt):
        running.wait()
        raise EngineError("the emulator has ended by itself", *running.log().splitlines()[-3:])
    return DONE


def _call(running: Emulator, words: Sequence[str]) -> int:
    """Run a command that reaches the emulator; return its exit code."""
    try:
        process = subprocess.Popen(words, env=os.environ | running.environment)  # noqa: S603
    except OSError as error:
        raise UsageError(f"cannot run {words[0]}: {error.strerror}") from error
    try:
        code = process.wait()
    except KeyboardInterrupt:
        # Ctrl-C in a terminal has reached it, too; a request to terminate has not.
        with suppress(subprocess.TimeoutExpired):
            process.wait(PATIENCE)
        process.terminate()
        process.wait()
        raise
    # As a shell says that a signal has ended it.
    return code if code >= 0 else 128 - code
