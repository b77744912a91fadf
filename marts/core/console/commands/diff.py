"""`marts diff`: compare two builds."""

from __future__ import annotations

from pathlib import Path

import click

from marts.core.console import exit_codes
from marts.core.console.interrupts import Interrupts
from marts.core.console.options import (
    engine_options,
    option,
    selection_options,
    with_settings,
)
from marts.core.project.settings import Settings


@click.command("diff")
@selection_options
@engine_options
@option(
    "--against",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    metavar="DATABASE",
    required=True,
    help="The other build: a DuckDB database with published marts.",
)
@click.pass_obj
@with_settings
def command(settings: Settings, stop: Interrupts, against: Path) -> int:
    """Compare two builds of marts, row by row.

    The marts published here are compared with those published in another database, before and
    after. Rows are paired by the grain. Exits with 1 if anything differs.
    """
    from marts.core.console import terminal
    from marts.core.console.diff_messages import difference_text
    from marts.core.operations.diff import diff

    # What an interrupt ends has to be removed.
    stop.raise_once()
    with terminal.showing(terminal.console(to_stderr=True)) as show:

        def watch(mart: str, rows: int) -> None:
            if stop.is_set():
                raise KeyboardInterrupt
            show(f"reading {mart}: {rows:,} rows")

        found = diff(settings, against, watch=watch)
    terminal.print_text(difference_text(found))
    return exit_codes.FAILED if found.is_different else exit_codes.DONE
