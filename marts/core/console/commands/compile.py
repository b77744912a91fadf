"""`marts compile`: print SQL, without a connection."""

from __future__ import annotations

from pathlib import Path

import click

from marts.core.console.exit_codes import DONE, FAILED
from marts.core.console.options import (
    DEFAULTS,
    as_of_option,
    data_option,
    database_option,
    option,
    schema_option,
    selection_options,
    source_namespace_options,
    with_settings,
)
from marts.core.project.settings import BACKENDS, Settings


@click.command("compile")
@selection_options
@data_option
@database_option
@schema_option
@source_namespace_options
@as_of_option
@option(
    "--dialect",
    "backend",
    type=click.Choice(BACKENDS),
    help=f"The engine to compile for.  [default: {DEFAULTS.backend}]",
)
@option(
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Write <mart>.sql files instead of printing.",
)
@option("--strict/--no-strict", help="Exit with 1 where engines would compute differently.")
@with_settings
def command(settings: Settings, output: Path | None) -> int:
    """Print the SQL of marts, and warn where engines would compute differently.

    Needs no connection. Each SELECTOR names marts as --select does; without one, all are compiled.
    """
    from marts.core.console import terminal
    from marts.core.operations.compile import compilation
    from marts.core.run.artifacts import write_sql

    made = compilation(settings)
    console = terminal.console(to_stderr=True)
    for finding in made.findings:
        terminal.say(console, ("warn", str(finding)))
    if output:
        write_sql(output, made.statements)
        console.print(f"wrote {len(made.statements)} files to {output}")
    else:
        terminal.print_text(made.text)
    return FAILED if settings.strict and made.findings else DONE
