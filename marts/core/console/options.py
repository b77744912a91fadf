"""The command line's options; each can also be set by an environment variable MARTS_….

Options that are fields of `Settings` have their defaults there, not here.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable
from contextlib import suppress
from dataclasses import fields
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

import click
from click.core import ParameterSource

from marts.core.console.completion import complete_environments, complete_selectors
from marts.core.console.project_file import deferring, project_settings
from marts.core.errors import UsageError
from marts.core.project.settings import BACKENDS, DUCKDB, FILE, SNOWFLAKE, Settings, with_given

Command = TypeVar("Command", bound=Callable[..., Any])

DEFAULTS = Settings()
FIELDS = frozenset(each.name for each in fields(Settings))
ALIASES = {"fixtures": "data"}
"""Earlier names of options, which still work."""


OF_ONE_ENGINE = {
    "data": DUCKDB,
    **dict.fromkeys(("connection", "warehouse", "role"), SNOWFLAKE),
    **dict.fromkeys(("source_database", "source_schema"), SNOWFLAKE),
}
"""The options that say where something is, and mean nothing to the other engine."""
CHOOSING_BY_CONNECTION = ("doctor",)
"""The commands for which a connection chooses the engine, too."""


class Day(click.DateTime):
    """A date as 2025-12-31; the error for another form says how to write it."""

    def __init__(self) -> None:
        super().__init__(["%Y-%m-%d"])

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime.datetime:
        """Return midnight of a day; raise BadParameter for what is not one."""
        try:
            day: datetime.datetime = super().convert(value, param, ctx)
        except click.BadParameter:
            self.fail(f"{value!r} is not a date: write it as {_written(str(value))}", param, ctx)
        return day


def _written(text: str) -> str:
    """Return a date as it is to be written, if only one can be meant."""
    for form in ("%d.%m.%Y", "%Y/%m/%d", "%Y.%m.%d", "%Y%m%d"):
        with suppress(ValueError):
            return str(datetime.datetime.strptime(text, form).date())  # noqa: DTZ007  (a day)
    return "YYYY-MM-DD, such as 2025-12-31"


def settings_of(context: click.Context, start: Path = Path()) -> Settings:
    """Return the settings of the project's file, the environment and the options of a call.

    The file is the nearest one in the folder `start` or above it.
    """
    given = given_settings(context)
    settings = with_given(project_settings(given.get("env"), start=start), **given)
    _refuse_options_of_another_engine(context, settings)
    return deferring(settings, start) if "defer" in context.params else settings


def given_settings(context: click.Context) -> dict[str, Any]:
    """Return the fields that the environment or the command line sets."""
    given = {
        name: value
        for name, value in context.params.items()
        if name in FIELDS
        and context.get_parameter_source(name)
        in (ParameterSource.ENVIRONMENT, ParameterSource.COMMANDLINE)
    }
    if as_of := given.get("as_of"):
        given["as_of"] = as_of.date()
    if arguments := context.params.get("selectors"):
        is_typed = context.get_parameter_source("select") is ParameterSource.COMMANDLINE
        given["select"] = (*arguments, *(given["select"] if is_typed else ()))
    return given


def _refuse_options_of_another_engine(context: click.Context, settings: Settings) -> None:
    """Raise UsageError for an option that the engine would ignore, and with it what is meant.

    The project's file and variables may have settings for several engines.
    """
    if "backend" not in context.params or context.command.name in CHOOSING_BY_CONNECTION:
        return
    engine = "--dialect" if context.command.name == "compile" else "--backend"
    for name, backend in OF_ONE_ENGINE.items():
        is_typed = context.get_parameter_source(name) is ParameterSource.COMMANDLINE
        if is_typed and name in context.params and backend != settings.backend:
            option = f"--{name.replace('_', '-')}"
            raise UsageError(
                f"{option} is an option for {backend}, but the engine is {settings.backend}",
                hint=f"pass {engine} {backend}, too, or leave out {option}",
            )


def with_settings(command: Callable[..., Any]) -> Callable[..., Any]:
    """Call a command with a `Settings` object instead of the options that set its fields."""

    @click.pass_context
    @wraps(command)
    def call(context: click.Context, /, *objects: Any, **values: Any) -> Any:
        own = {n: v for n, v in values.items() if n not in FIELDS and n != "selectors"}
        return command(settings_of(context), *objects, **own)

    return call


def option(*names: str, **attributes: Any) -> Callable[[Command], Command]:
    """Declare an option that an environment variable MARTS_… can also set, aliases included."""
    long = next(name for name in names if name.startswith("--"))
    name = long.removeprefix("--").partition("/")[0]
    known = (name, *(alias for alias, meant in ALIASES.items() if meant == name))
    variables = [f"MARTS_{each.replace('-', '_').upper()}" for each in known]
    return click.option(*names, envvar=variables, show_envvar=True, **attributes)


def options(*declared: Callable[[Command], Command]) -> Callable[[Command], Command]:
    """Combine options into one decorator."""

    def decorate(command: Command) -> Command:
        for each in reversed(declared):
            command = each(command)
        return command

    return decorate


def words(text: str) -> list[str]:
    """Split a text at commas."""
    return [word.strip() for word in text.split(",") if word.strip()]


def _selectors(
    _context: click.Context, _parameter: click.Parameter, texts: tuple[str, ...]
) -> tuple[str, ...]:
    # An empty text is an error: it may be an unset shell variable, and must not select all.
    return tuple(word for text in texts for word in words(text) or [text])


def _excluded(
    _context: click.Context, _parameter: click.Parameter, texts: tuple[str, ...]
) -> tuple[str, ...]:
    return tuple(word for text in texts for word in words(text))


env_option = option(
    "--env",
    metavar="NAME",
    shell_complete=complete_environments,
    help=f"The environment, a table [tool.marts.environments.NAME] of the {FILE}."
    "  [default: `env` in [tool.marts], else none]",
)
defer_option = option(
    "--defer",
    metavar="NAME",
    shell_complete=complete_environments,
    help="Read marts that are not selected, and not up to date here, as this environment has"
    " published them, if they are up to date there.",
)
package_option = options(
    option(
        "--package",
        metavar="NAME",
        help="The Python package of the marts; it needs no project."
        f"  [default: `package` in [tool.marts] of the nearest {FILE}, here or above]",
    ),
    env_option,
)
selection_options = options(
    click.argument(
        "selectors",
        nargs=-1,
        metavar="[SELECTOR]...",
        callback=_selectors,
        shell_complete=complete_selectors,
    ),
    package_option,
    option(
        "-s",
        "--select",
        multiple=True,
        metavar="SELECTOR",
        callback=_selectors,
        shell_complete=complete_selectors,
        help="Marts by name, +name, name+, pattern, tag:TAG, group:GROUP or folder, separated by"
        " commas; may be repeated, and is the same as the arguments.  [default: all]",
    ),
    option(
        "--exclude",
        multiple=True,
        metavar="SELECTOR",
        callback=_excluded,
        shell_complete=complete_selectors,
        help="Marts to leave out, named in the same way.",
    ),
)
data_option = option(
    "--data",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="A folder with <table>.parquet, <table>.csv or a folder <table>/ of such files for each"
    " source, or a DuckDB file.  [default: for the bundled marts, the bundled data]",
)
corpus_option = option(
    "--data",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="The data to run mutants on, in any form that `marts run --data` takes, the smaller the"
    " faster.  [default: generated from contracts and thresholds]",
)
as_of_option = option(
    "--as-of",
    type=Day(),
    metavar="YYYY-MM-DD",
    help="The run's date.  [default: the data's own, else today (UTC)]",
)
schema_option = option(
    "--schema",
    metavar="NAME",
    help=f"The schema of the published marts.  [default: {DEFAULTS.schema}]",
)
database_option = option(
    "--database",
    metavar="NAME",
    help="DuckDB: the file [default: target/marts.duckdb]; Snowflake: the database"
    " [default: the connection's].",
)
account_options = options(
    option("--connection", metavar="NAME", help="Snowflake: a connection of connections.toml."),
    option("--warehouse", metavar="NAME", help="Snowflake: the warehouse."),
    option("--role", metavar="NAME", help="Snowflake: the role."),
)
source_namespace_options = options(
    option(
        "--source-database",
        metavar="NAME",
        help="Snowflake: the database of the sources.  [default: that of the marts]",
    ),
    option(
        "--source-schema",
        metavar="NAME",
        help="Snowflake: the schema of the sources.  [default: that of the marts]",
    ),
)
engine_options = options(
    option(
        "--backend",
        type=click.Choice(BACKENDS),
        help=f"The engine.  [default: {DEFAULTS.backend}]",
    ),
    data_option,
    database_option,
    schema_option,
    option(
        "--threads",
        type=click.IntRange(min=1),
        help="DuckDB: threads per query; Snowflake: marts built in parallel.",
    ),
    option("--memory-limit", metavar="SIZE", help="DuckDB: memory to use, such as 4GB."),
    account_options,
    source_namespace_options,
)
target_option = option(
    "--target",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Where run_results.json, proof.json and other artifacts go."
    f"  [default: {DEFAULTS.target}]",
)
run_options = options(selection_options, engine_options, as_of_option, target_option)
ALLOWED = Path("tests/equivalent_mutants.toml")
"""The project's list of allowed mutants."""
allow_option = option(
    "--allow",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="A list of mutants that no data can tell from the original."
    f"  [default: {ALLOWED}, if it exists]",
)
json_option = option(
    "--json", "as_json", is_flag=True, help="Print one JSON document; messages go to stderr."
)
