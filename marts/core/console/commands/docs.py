"""`marts docs`: write the catalogue of a project as a static site."""

from __future__ import annotations

import webbrowser
from pathlib import Path

import click

from marts.core.console.options import (
    DEFAULTS,
    engine_options,
    option,
    package_option,
    with_settings,
)
from marts.core.console.streams import warn
from marts.core.project.settings import Settings


@click.command("docs")
@package_option
@engine_options
@option(
    "--output",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help=f"Where the site is written.  [default: {DEFAULTS.target}/docs]",
)
@option(
    "--offline",
    is_flag=True,
    help="Read nothing from the engine: the pages show what is declared.",
)
@click.option("--open", "opens", is_flag=True, help="Open the site in the browser.")
@with_settings
def command(settings: Settings, output: Path | None, offline: bool, opens: bool) -> None:
    """Write a site that says what each number is, and how it was checked.

    It has a page for each mart and source: what its columns mean, what they are computed from,
    whether its checks passed, its SQL, and how its values are distributed. It sends no request, and
    opens from a file; to publish it, copy the folder to any web server. What is published is only
    read; if the engine cannot be reached, nothing is written, unless --offline is passed.
    """
    from marts.core.console import terminal
    from marts.core.operations.docs import write_docs

    with terminal.showing(terminal.console(to_stderr=True)) as show:
        done = write_docs(settings, output, offline=offline, tell=show)
    if done.site.notes and not offline:
        warn("\n  ".join(done.site.notes))
    if done.site.unused:
        warn("\n  ".join(done.site.unused))
    tables = len(done.site.tables)
    click.echo(f"wrote the pages of {tables} tables to {done.folder}; open {done.start}")
    if opens and not webbrowser.open(done.start.resolve().as_uri()):
        warn("there is no browser to open it")
