"""`marts load`: upload Parquet files as the sources."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

from marts.core.console import wiring
from marts.core.console.options import (
    account_options,
    data_option,
    option,
    source_namespace_options,
    with_settings,
)
from marts.core.project.settings import SNOWFLAKE, Settings, with_given


@click.command("load")
@account_options
@option("--database", metavar="NAME", help="The database.  [default: the connection's]")
@source_namespace_options
@data_option
@option("--overwrite", is_flag=True, help="Replace tables that exist.")
@with_settings
def command(settings: Settings, overwrite: bool) -> None:
    """Upload Parquet files as the star schema, to try the marts on an empty account."""
    from backends.factory import snowflake
    from backends.parquet import files_of, find_sources
    from backends.snowflake_load import load as upload

    found = find_sources(wiring.data_of(settings))
    settings = with_given(settings, backend=SNOWFLAKE)
    target = replace(
        settings,
        database=settings.source_database or settings.database,
        schema=settings.source_schema or settings.schema,
    )
    backend = snowflake(target, sources={}, version=wiring.version_of_marts())
    try:
        upload(
            backend,
            {name: [Path(file.path) for file in files_of(path)] for name, path in found.items()},
            run_id=wiring.run_id(),
            overwrite=overwrite,
            loaded=lambda table, rows: click.echo(f"{table}  {rows:,} rows"),
        )
    finally:
        backend.close()
