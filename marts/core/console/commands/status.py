"""`marts status`: the last runs, and what is published."""

from __future__ import annotations

import click

from marts.core.console.options import (
    DEFAULTS,
    account_options,
    database_option,
    json_option,
    option,
    options,
    package_option,
    schema_option,
    with_settings,
)
from marts.core.project.settings import BACKENDS, Settings

MOST_RUNS = 10_000
place_options = options(
    option(
        "--backend",
        type=click.Choice(BACKENDS),
        help=f"The engine.  [default: {DEFAULTS.backend}]",
    ),
    database_option,
    schema_option,
    account_options,
)


@click.command("status")
@option(
    "--limit",
    type=click.IntRange(1, MOST_RUNS),
    default=10,
    show_default=True,
    help="Show at most this many runs.",
)
@package_option
@place_options
@json_option
@with_settings
def command(settings: Settings, limit: int, as_json: bool) -> None:
    """Show the last runs, the latest first, and what is published now.

    Times are UTC. It reads the tables beside the marts, for which the rights of a reader suffice.
    """
    from marts.core.console import terminal
    from marts.core.console.status_messages import head_of, status_document, status_lines
    from marts.core.operations.status import status_of

    status = status_of(settings, limit=limit)
    if as_json:
        terminal.print_json(status_document(status))
        return
    console = terminal.console(to_stderr=False)
    console.print(head_of(status))
    for line in status_lines(status):
        terminal.say(console, line)
