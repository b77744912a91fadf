"""`marts init`: write a new project that runs."""

from __future__ import annotations

from pathlib import Path

import click

from marts.core.console.interrupts import Interrupts
from marts.core.console.options import account_options
from marts.core.project.settings import Settings


@click.command("init")
@click.argument("directory", type=click.Path(path_type=Path), default=Path(), metavar="[DIR]")
@click.option(
    "--name",
    metavar="PACKAGE",
    help="The package of the marts.  [default: the folder's name, and _marts]",
)
@click.option(
    "--from",
    "origin",
    metavar="PATH|snowflake:DB.SCHEMA|dbt:DIR",
    help="What is there: a folder of Parquet or CSV files, or a DuckDB file; a schema on"
    " Snowflake; a dbt project.  [default: an example with data of its own]",
)
@account_options
@click.option("--force", is_flag=True, help="Replace files that exist; other files stay.")
@click.pass_obj
def command(
    stop: Interrupts,
    directory: Path,
    name: str | None,
    origin: str | None,
    force: bool,
    connection: str | None,
    warehouse: str | None,
    role: str | None,
) -> None:
    """Write a new project that runs: settings, sources, a first mart, a test, and CI.

    With --from, the sources are declared as what is there, and all that is declared is measured in
    all rows: types, nulls, keys, references to other tables, labels and bounds, with the figures as
    comments. What a dbt project declares is taken over as it is. Nothing is overwritten without
    --force; in a repository that exists, the settings are added to its pyproject.toml.
    """
    from marts.core.console import terminal
    from marts.core.console.init_messages import done_lines, found_rows
    from marts.core.console.new_project import new_project, package_of
    from marts.core.console.project_writer import files_for, write_project
    from marts.core.scaffold.project_files import files_of, settings_of

    package = package_of(directory, name)
    account = Settings(connection=connection, warehouse=warehouse, role=role)
    console = terminal.console(to_stderr=False)
    with terminal.showing(console) as show:

        def doing(what: str) -> None:
            if stop.is_set():
                raise KeyboardInterrupt
            show(what)

        project = new_project(directory, package, origin, account, doing=doing)
    files = files_for(directory, files_of(project), settings_of(project), force=force)
    write_project(directory, files.written, ending=stop.hold)
    heads = ["table", "rows", "columns", "key", "refers to"]
    terminal.print_table(heads, found_rows(project.sources))
    for line in done_lines(directory, project, files):
        console.print(line)
