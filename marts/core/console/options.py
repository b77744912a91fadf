"""The command line's options; each can be set by an environment variable MARTS_…, too."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from marts.core import FOLDER
from marts.core.console.completion import complete_selectors

Command = TypeVar("Command", bound=Callable[..., Any])

BUNDLED_FIXTURES = FOLDER.parent.parent / "fixtures"


def option(*names: str, **settings: Any) -> Callable[[Command], Command]:
    """Declare an option that an environment variable MARTS_… sets too."""
    long = next(name for name in names if name.startswith("--"))
    variable = f"MARTS_{long.removeprefix('--').partition('/')[0].replace('-', '_').upper()}"
    return click.option(*names, envvar=variable, show_envvar=True, **settings)


def options(*declared: Callable[[Command], Command]) -> Callable[[Command], Command]:
    """Join options into one decorator."""

    def decorate(command: Command) -> Command:
        for each in reversed(declared):
            command = each(command)
        return command

    return decorate


package_option = option(
    "--package", default="marts", show_default=True, help="The Python package of the marts."
)
selection_options = options(
    package_option,
    option(
        "-s",
        "--select",
        multiple=True,
        metavar="SELECTOR",
        shell_complete=complete_selectors,
        help="Marts by name, +name, name+, pattern, tag:TAG or folder; may be repeated.",
    ),
    option(
        "--exclude",
        multiple=True,
        metavar="SELECTOR",
        shell_complete=complete_selectors,
        help="Marts to leave out.",
    ),
)
fixtures_option = option(
    "--fixtures",
    type=click.Path(path_type=Path),
    default=BUNDLED_FIXTURES,
    metavar="DIR",
    help="A directory with <table>.parquet, or Parquet files below <table>/, for each source."
    "  [default: the bundled data]",
)
corpus_option = option(
    "--fixtures",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="The data to try mutants on: any directory of <table>.parquet, the smaller the faster."
    "  [default: made for the marts of this package]",
)
as_of_option = option(
    "--as-of",
    type=click.DateTime(["%Y-%m-%d"]),
    metavar="YYYY-MM-DD",
    help="The run's date.  [default: the data's own, else today (UTC)]",
)
schema_option = option(
    "--schema", default="gold", show_default=True, help="The schema of the published marts."
)
database_option = option(
    "--database",
    metavar="NAME",
    help="DuckDB: the file [default: target/marts.duckdb]; Snowflake: the database"
    " [default: the connection's].",
)
account_options = (
    option("--connection", metavar="NAME", help="Snowflake: a connection of connections.toml."),
    option("--warehouse", metavar="NAME", help="Snowflake: the warehouse."),
    option("--role", metavar="NAME", help="Snowflake: the role."),
)
source_namespace_options = options(
    option("--source-database", metavar="NAME", help="Snowflake: where the sources are."),
    option("--source-schema", metavar="NAME", help="Snowflake: where the sources are."),
)
engine_options = options(
    option(
        "--backend",
        type=click.Choice(["duckdb", "snowflake"]),
        default="duckdb",
        show_default=True,
        help="The engine.",
    ),
    fixtures_option,
    database_option,
    schema_option,
    option(
        "--threads",
        type=click.IntRange(min=1),
        help="DuckDB: threads of a query; Snowflake: marts built side by side.",
    ),
    option("--memory-limit", metavar="SIZE", help="DuckDB: memory to use, as 4GB."),
    *account_options,
    source_namespace_options,
)
run_options = options(
    selection_options,
    engine_options,
    as_of_option,
    option(
        "--target",
        type=click.Path(path_type=Path),
        default=Path("target"),
        show_default=True,
        metavar="DIR",
        help="Where run_results.json, manifest.json and failures/ go.",
    ),
)
publishing_options = options(
    option("--no-source-checks", is_flag=True, help="Leave out the checks of sources."),
    option("--accept-shrink", is_flag=True, help="Publish though a source lost half of its rows."),
    option("--force", is_flag=True, help="Build marts that are up to date, too."),
    option(
        "--adopt",
        multiple=True,
        metavar="MART",
        help="Replace a table of this name that is not recorded as made by this package.",
    ),
    option("--drop-orphans", is_flag=True, help="Drop published marts that no longer exist."),
    option("--dry-run", is_flag=True, help="Say what would be done and why, and do nothing."),
)
size_options = options(
    option("--customers", type=click.IntRange(min=1), default=2_000, show_default=True),
    option("--transactions", type=click.IntRange(min=0), default=60_000, show_default=True),
    option("--months", type=click.IntRange(min=1), default=18, show_default=True),
    option("--seed", type=click.IntRange(min=0), default=42, show_default=True),
    option(
        "--end-date",
        type=click.DateTime(["%Y-%m-%d"]),
        default="2025-06-30",
        show_default=True,
        help="The last day of the data, which `marts run` takes as its as-of date.",
    ),
)
json_option = option(
    "--json", "as_json", is_flag=True, help="Print one JSON document; messages go to stderr."
)
