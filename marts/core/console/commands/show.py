"""`marts show`: print rows of one mart."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from marts.core.console import wiring
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

if TYPE_CHECKING:
    from marts.core.authoring.expressions import FixedAsOf
    from marts.core.authoring.tables import Mart
    from marts.core.project.graph import Graph
    from marts.core.run.backend import Backend

row_options = options(
    option("--where", metavar="EXPR", help='Only rows that meet a condition, such as "age > 40".'),
    option(
        "--columns",
        metavar="NAMES",
        default="",
        help="Columns, separated by commas.  [default: all]",
    ),
    option(
        "--order-by",
        metavar="NAMES",
        default="",
        help='Columns, each optionally followed by asc or desc, such as "age desc, city".',
    ),
    option(
        "--limit",
        type=click.IntRange(0, 1_000_000_000),
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
    from marts.core.errors import UsageError, did_you_mean
    from marts.core.query.lookup import lookup

    graph, _ = wiring.linked(settings)
    known = graph.project.marts
    if mart not in known:
        raise UsageError(f"there is no mart {mart}", hint=did_you_mean(mart, known))
    query = lookup(
        known[mart], where=where, columns=words(columns), order_by=words(order_by), limit=limit
    )
    with wiring.connected(graph, settings, read_only=True) as backend:
        if known[mart].is_temporary:
            as_of = wiring.as_of(settings, backend.data_as_of)
            with built(graph, known[mart], backend, as_of):
                rows = backend.fetch(query, about=mart)
        elif mart in backend.describe_published():
            rows = backend.fetch(query, about=mart)
        else:
            raise UsageError(
                f"{mart} is not published: {backend.where}", hint="publish it: marts run"
            )
    terminal.print_rows(query.named_selects, rows, form, safe=safe)


@contextmanager
def built(graph: Graph, mart: Mart, backend: Backend, as_of: FixedAsOf) -> Iterator[None]:
    """Build a temporary mart and the temporary ones that it reads, and drop them at the end."""
    from marts.core.plan.changes import plan_changes
    from marts.core.plan.fingerprint import CurrentInputs
    from marts.core.run import building
    from marts.core.run.inspection import inspect_engine

    name = wiring.run_id()
    state = inspect_engine(graph, [mart.name], backend)
    current = CurrentInputs(graph, state, as_of, backend.compile, checks_sources=False)
    plan = plan_changes(graph, [mart.name], current, run_id=name)
    with building.built(plan, backend, run_id=name):
        yield
