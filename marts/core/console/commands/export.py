"""`marts export`: write rows of one mart to a file."""

from __future__ import annotations

from pathlib import Path

import click

from marts.core.console.commands.show import MOST_ROWS, columns_option, where_option
from marts.core.console.completion import complete_marts
from marts.core.console.interrupts import Interrupts
from marts.core.console.options import (
    as_of_option,
    engine_options,
    option,
    options,
    package_option,
    with_settings,
    words,
)
from marts.core.project.settings import Settings

file_options = options(
    option(
        "--output",
        type=click.Path(path_type=Path),
        metavar="FILE",
        required=True,
        help="The file: its name ends with .csv, .parquet or .json.",
    ),
    option("--overwrite", is_flag=True, help="Replace the file if it exists."),
)
row_options = options(
    where_option,
    columns_option,
    option(
        "--include-personal",
        is_flag=True,
        help="Include columns that hold personal data; the file can only be read by you.",
    ),
    option(
        "--order-by",
        metavar="NAMES",
        default="",
        help='Columns, each optionally followed by asc or desc, such as "age desc, city".'
        "  [default: with --limit the grain, else none]",
    ),
    option(
        "--limit",
        type=click.IntRange(0, MOST_ROWS),
        help="Write at most this many rows.  [default: all]",
    ),
)


@click.command("export")
@click.argument("mart", shell_complete=complete_marts)
@file_options
@row_options
@package_option
@engine_options
@as_of_option
@click.pass_obj
@with_settings
def command(
    settings: Settings,
    stop: Interrupts,
    mart: str,
    output: Path,
    overwrite: bool,
    where: str | None,
    columns: str,
    include_personal: bool,
    order_by: str,
    limit: int | None,
) -> None:
    """Write rows of a published mart to a file, as CSV, JSON or Parquet.

    The file appears when it is complete. CSV is for spreadsheet programs: a text that one would
    run as a formula begins with an apostrophe.
    """
    from marts.core.console import terminal
    from marts.core.console.export_messages import export_lines
    from marts.core.operations.export import Wanted, export

    console = terminal.console(to_stderr=False)
    # What an interrupt ends has to be removed.
    stop.raise_once()
    with terminal.showing(console) as show:

        def watch(rows: int) -> None:
            if stop.is_set():
                raise KeyboardInterrupt
            show(f"writing {output}: {rows:,} rows")

        done = export(
            settings,
            Wanted(
                mart=mart,
                output=output,
                where=where,
                columns=words(columns),
                order_by=words(order_by),
                limit=limit,
                include_personal=include_personal,
                overwrite=overwrite,
            ),
            watch=watch,
        )
    for line in export_lines(done):
        terminal.say(console, line)
