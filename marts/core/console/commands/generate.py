"""`marts generate`: write a synthetic star schema."""

from __future__ import annotations

import datetime
from pathlib import Path

import click

from marts.core.console.options import Day, option, options

size_options = options(
    option("--customers", type=click.IntRange(min=1), default=2_000, show_default=True),
    option("--transactions", type=click.IntRange(min=0), default=60_000, show_default=True),
    option("--months", type=click.IntRange(min=1), default=18, show_default=True),
    option("--seed", type=click.IntRange(min=0), default=42, show_default=True),
    option(
        "--end-date",
        type=Day(),
        default="2025-06-30",
        show_default=True,
        help="The last day of the data, which `marts run` takes as its as-of date.",
    ),
)


@click.command("generate")
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False))
@size_options
def command(directory: Path, end_date: datetime.datetime, **size: int) -> None:
    """Write a star schema of synthetic customers; the same arguments give the same rows."""
    from fixtures.generate import Portfolio, generate
    from marts.core.console import terminal

    portfolio = Portfolio(end_date=end_date.date(), **size)
    console = terminal.console(to_stderr=True)
    with terminal.counting(console, "transactions", portfolio.transactions) as advance:
        rows = generate(directory, portfolio, progress=advance)
    for table, count in rows.items():
        click.echo(f"{table}  {count:,} rows")
