"""`marts load`: upload local data as the sources."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from marts.core.console.options import (
    account_options,
    data_option,
    env_option,
    option,
    source_namespace_options,
    with_settings,
)
from marts.core.console.streams import warn
from marts.core.errors import UsageError
from marts.core.operations import wiring
from marts.core.project.settings import SNOWFLAKE, Settings, with_given

if TYPE_CHECKING:
    from marts.core.run.backend import Contract


@click.command("load")
@env_option
@account_options
@option("--database", metavar="NAME", help="The database.  [default: the connection's]")
@source_namespace_options
@data_option
@option("--overwrite", is_flag=True, help="Replace tables that exist; grants on them are kept.")
@with_settings
def command(settings: Settings, overwrite: bool) -> None:
    """Upload local data as tables, to try the marts on an empty account.

    Parquet files are uploaded as they are; of CSV and DuckDB files, the columns that the project's
    sources declare. All files are read and compared with each other first. Tables are created, or
    replaced one after the other, when every row has arrived. Marts, views, and tables with policies
    or tags are never replaced.
    """
    from backends.load_conversion import loadable

    if (data := wiring.data_of(settings)) is None:
        raise UsageError("no data are named", hint="pass --data PATH, or set `data`")

    def contracts() -> Mapping[str, Contract] | None:
        return wiring.contracts_of(wiring.linked(settings)[0]) if settings.package else None

    with loadable(data, contracts) as folder:
        _load(settings, folder, overwrite=overwrite)


def _load(settings: Settings, folder: Path, *, overwrite: bool) -> None:
    from backends.factory import snowflake
    from backends.load_files import find_tables, keys_not_loaded
    from backends.snowflake_load import load as upload

    tables = find_tables(folder)
    for table in tables:
        if keys := keys_not_loaded(table):
            warn(f"{table.name}: {', '.join(keys)} is in names of folders only, and not loaded")
    settings = with_given(settings, backend=SNOWFLAKE)
    _refuse_located(settings, [table.name for table in tables])
    target = replace(
        settings,
        database=settings.source_database or settings.database,
        schema=settings.source_schema or settings.schema,
    )
    backend = snowflake(target, sources={}, version=wiring.version_of_marts())
    try:
        upload(backend, tables, run_id=wiring.run_id(), overwrite=overwrite)
    finally:
        backend.close()
    for table in tables:
        click.echo(f"{table.name}  {table.rows:,} rows")


def _refuse_located(settings: Settings, names: Collection[str]) -> None:
    """Refuse to load what a run would not read: a source whose location the settings name."""
    elsewhere = {name: at for name, at in settings.sources.items() if name.lower() in names}
    if elsewhere:
        raise UsageError(
            "a run would not read these tables; nothing was uploaded",
            *(f"{name} is read from {at}" for name, at in elsewhere.items()),
            hint=f"remove them from [tool.marts.sources] in {settings.file}, or from the data",
        )
