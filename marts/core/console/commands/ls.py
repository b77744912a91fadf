"""`marts ls`: list marts."""

from __future__ import annotations

import click

from marts.core.console.options import json_option, selection_options, with_settings
from marts.core.operations import wiring
from marts.core.project.settings import Settings


@click.command("ls")
@selection_options
@json_option
@with_settings
def command(settings: Settings, as_json: bool) -> None:
    """List marts with their kind, grain, tags and checks.

    Each SELECTOR names marts as --select does; without one, all are listed.
    """
    from marts.core.catalog.manifest import describe_mart
    from marts.core.console import terminal
    from marts.core.console.listing import LISTED, listed

    graph, selected, _ = wiring.selected(settings)
    marts = [graph.project.marts[name] for name in selected]
    if as_json:
        terminal.print_json([describe_mart(mart) for mart in marts])
        return
    terminal.print_table(LISTED, [listed(mart) for mart in marts], cuts_last=True)
