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
    """List marts with their kind, grain, tags and checks, and their groups if there are several.

    Each SELECTOR names marts as --select does; without one, all are listed.
    """
    from marts.core.authoring.tables import checks_of
    from marts.core.catalog.manifest import describe_mart
    from marts.core.console import terminal

    graph, selected, _ = wiring.selected(settings)
    marts = [graph.project.marts[name] for name in selected]
    if as_json:
        terminal.print_json([describe_mart(mart) for mart in marts])
        return
    has_groups = len(graph.groups) > 1
    rows = [
        [
            mart.name,
            mart.materialized,
            *(["" if mart.is_temporary else mart.group] if has_groups else []),
            ", ".join(mart.grain),
            ", ".join(mart.tags),
            str(len(checks_of(mart))),
            mart.comment.partition("\n")[0],
        ]
        for mart in marts
    ]
    group = ["group"] if has_groups else []
    terminal.print_table(["mart", "kind", *group, "grain", "tags", "checks", "what it is"], rows)
