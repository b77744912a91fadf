"""`marts explain`: how one number came about."""

from __future__ import annotations

import click

from marts.core.console.completion import complete_columns
from marts.core.console.exit_codes import DONE, FAILED
from marts.core.console.options import (
    as_of_option,
    engine_options,
    json_option,
    option,
    package_option,
    with_settings,
)
from marts.core.project.settings import Settings

MOST_SHOWN = 20
"""As many rows of a source are printed by default."""


@click.command("explain")
@click.argument("column", metavar="MART.COLUMN", shell_complete=complete_columns)
@package_option
@engine_options
@as_of_option
@option(
    "--key",
    "keys",
    multiple=True,
    required=True,
    metavar="VALUE",
    help="The row: the value of the grain's column; NAME=VALUE for each column if it has several.",
)
@option("--rows", is_flag=True, help="Print the rows of sources behind the value.")
@option(
    "--limit",
    type=click.IntRange(0),
    default=MOST_SHOWN,
    show_default=True,
    help="Print at most this many rows of each source.",
)
@json_option
@with_settings
def command(
    settings: Settings,
    column: str,
    keys: tuple[str, ...],
    rows: bool,
    limit: int,
    as_json: bool,
) -> int:
    """Explain how one number of a mart came about, and compute it again.

    Prints the value, its definition, the values that it is computed from, the rows of sources
    behind it, and whether these rows give the published value. Exits with 1 if they do not, or if
    there is no such row.
    """
    from marts.core.console import terminal
    from marts.core.console.explain_messages import document, print_explanation
    from marts.core.operations.explain import explain

    found = explain(settings, column, keys)
    if as_json:
        terminal.print_json(document(found, rows=limit if rows else None))
    else:
        print_explanation(found, rows=limit if rows else None)
    return FAILED if found.is_same is False else DONE
