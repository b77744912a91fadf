"""`marts show`: print rows of one mart."""

from __future__ import annotations

import click

from marts.core.console.completion import complete_marts
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

MOST_ROWS = 1_000_000_000
"""The greatest limit; as good as none."""
where_option = option(
    "--where", metavar="EXPR", help='Only rows that meet a condition, such as "age > 40".'
)
columns_option = option(
    "--columns", metavar="NAMES", default="", help="Columns, separated by commas.  [default: all]"
)
row_options = options(
    where_option,
    columns_option,
    option(
        "--order-by",
        metavar="NAMES",
        default="",
        help='Columns, each optionally followed by asc or desc, such as "age desc, city".',
    ),
    option(
        "--limit",
        type=click.IntRange(0, MOST_ROWS),
        default=20,
        show_default=True,
        help="Print at most this many rows.",
    ),
)
format_options = options(
    option(
        "--safe",
        is_flag=True,
        help="CSV: put an apostrophe before text that a spreadsheet would run as a formula.",
    ),
    option(
        "--format",
        "form",
        type=click.Choice(["table", "csv", "json"]),
        default="table",
        show_default=True,
        help="How rows are printed.",
    ),
)


@click.command("show")
@click.argument("mart", shell_complete=complete_marts)
@package_option
@engine_options
@as_of_option
@row_options
@format_options
@with_settings
def command(
    settings: Settings,
    mart: str,
    where: str | None,
    columns: str,
    order_by: str,
    limit: int,
    safe: bool,
    form: str,
) -> None:
    """Print rows of a published mart."""
    from marts.core.console import terminal
    from marts.core.operations.show import rows_of

    found = rows_of(
        settings,
        mart,
        where=where,
        columns=words(columns),
        order_by=words(order_by),
        limit=limit,
        is_counted=form == "table",
    )
    terminal.print_rows(found.columns, found.rows, form, safe=safe)
    if note := terminal.rows_note(len(found.rows), found.total):
        terminal.print_text(note)
