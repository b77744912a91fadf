"""`marts lineage`: print where columns come from, and what comes from them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from marts.core.console.completion import complete_columns
from marts.core.console.options import json_option, option, package_option, with_settings
from marts.core.project.settings import Settings

if TYPE_CHECKING:
    from marts.core.operations.lineage import Downstream, Upstream


@click.command("lineage")
@click.argument("name", metavar="MART[.COLUMN]", shell_complete=complete_columns)
@package_option
@option("--downstream", is_flag=True, help="What it feeds, instead of what feeds it.")
@option("--direct", is_flag=True, help="Only what values are made of, not what decides them.")
@json_option
@with_settings
def command(settings: Settings, name: str, downstream: bool, direct: bool, as_json: bool) -> None:
    """Print the source columns behind the columns of a mart, by kind, through all marts.

    Direct lineage makes a value: identity, transformation, aggregation. Indirect lineage decides
    it: filter, join, group by, sort, window, conditional. For one column, the marts between are
    shown, too. With --downstream, sources can be named as well. Needs no connection.
    """
    from marts.core.operations.lineage import downstream_of, upstream_of

    if downstream:
        _print_downstream(downstream_of(settings, name, only_direct=direct), as_json=as_json)
    else:
        _print_upstream(upstream_of(settings, name, only_direct=direct), as_json=as_json)


def _print_upstream(found: Upstream, *, as_json: bool) -> None:
    from marts.core.catalog.lineage import upstream_document
    from marts.core.console import terminal
    from marts.core.console.lineage_messages import tree_of, upstream_sections
    from marts.core.console.lineage_terminal import print_lineage

    if as_json:
        terminal.print_json(upstream_document(found.about.table.name, found.inputs, found.sources))
        return
    tree = tree_of(found) if found.about.column else None
    print_lineage(upstream_sections(found), tree)


def _print_downstream(found: Downstream, *, as_json: bool) -> None:
    from marts.core.catalog.lineage import downstream_document
    from marts.core.console import terminal
    from marts.core.console.lineage_messages import downstream_sections
    from marts.core.console.lineage_terminal import print_lineage

    if as_json:
        terminal.print_json(downstream_document(found.about.table.name, found.readers))
        return
    print_lineage(downstream_sections(found))
