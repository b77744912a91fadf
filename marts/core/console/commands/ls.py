"""`marts ls`: list marts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from marts.core.console.options import json_option, option, selection_options, with_settings
from marts.core.operations import wiring
from marts.core.project.settings import Settings

if TYPE_CHECKING:
    from marts.core.authoring.tables import Mart


@click.command("ls")
@selection_options
@option("--schema", metavar="NAME", help="The schema of the marts, for --dbt.")
@option("--database", metavar="NAME", help="The database of the marts, for --dbt.")
@json_option
@click.option(
    "--dbt",
    "as_dbt",
    is_flag=True,
    help="Print the published marts as a sources.yml of a dbt project, with columns and tests.",
)
@with_settings
def command(settings: Settings, as_json: bool, as_dbt: bool) -> None:
    """List marts with their kind, grain, tags and checks, and their groups if there are several.

    Each SELECTOR names marts as --select does; without one, all are listed.
    """
    from marts.core.catalog.manifest import describe_mart
    from marts.core.console import terminal
    from marts.core.console.listing import listing

    graph, selected, _ = wiring.selected(settings)
    marts = [graph.project.marts[name] for name in selected]
    if as_dbt:
        terminal.print_text(_dbt_sources(marts, settings))
        return
    if as_json:
        terminal.print_json([describe_mart(mart) for mart in marts])
        return
    terminal.print_table(*listing(marts), cuts_last=True)


def _dbt_sources(marts: Sequence[Mart], settings: Settings) -> str:
    from marts.core.catalog.dbt import dbt_sources

    # dbt names the database of a file after it.
    database = file.stem if (file := settings.database_file) else settings.database
    return dbt_sources(
        marts,
        package=settings.package or "",
        engine=settings.backend,
        database=database,
        schema=settings.schema,
    )
