"""Keywords of Python in place of options: one meaning, and the same layers of settings."""

from __future__ import annotations

import datetime
import os
from collections.abc import Iterable, Mapping
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from marts.core.console.options import FIELDS, given_settings, settings_of
from marts.core.console.project_file import deferring
from marts.core.errors import UsageError
from marts.core.project.settings import DUCKDB, Settings, with_given


def called(
    settings: Settings, command: str, keywords: Mapping[str, Any], *, words: Iterable[str] = ()
) -> tuple[Settings, Mapping[str, Any]]:
    """Return a project's settings for a call of a command, and the command's own options.

    Keywords are in place of options; those that are None are absent. For the command's own options,
    environment variables count as on the command line. Raises UsageError for a value that an option
    does not take.
    """
    context = _context(command, keywords, words)
    given = given_settings(context)
    fields = {n: given[n] for n, value in keywords.items() if n in FIELDS and value is not None}
    settings = with_given(settings, **fields)
    if "defer" in context.params:
        settings = deferring(settings, settings.folder)
    return settings, {n: value for n, value in context.params.items() if n not in FIELDS}


def project_settings_of(start: Path, keywords: Mapping[str, Any]) -> Settings:
    """Return the settings of the project that contains a folder, with absolute paths.

    A package that is not the one of the project's file is looked for in the folder.
    """
    settings = settings_of(_context("run", keywords), start)
    if "package" in settings.given:
        settings = replace(settings, folder=start, given=settings.given - {"package"})
    database = settings.database
    is_file = settings.backend == DUCKDB and database != ":memory:"
    if database and is_file and "database" in settings.given:
        database = str(Path(database).absolute())
    data = settings.data and settings.data.absolute()
    target = settings.target.absolute()
    # A call that reads another environment asks for its settings.
    return replace(settings, data=data, database=database, target=target, elsewhere=None)


def _context(command: str, keywords: Mapping[str, Any], words: Iterable[str] = ()) -> click.Context:
    found: click.Command = import_module(f"marts.core.console.commands.{command}").command
    options = {each.name: each for each in found.params if isinstance(each, click.Option)}
    try:
        with found.make_context(command, [*words]) as context:
            for name, value in keywords.items():
                if value is not None:
                    context.params[name] = _taken(context, options[name], value)
                    context.set_parameter_source(name, ParameterSource.COMMANDLINE)
            return context
    except click.ClickException as error:
        raise UsageError(error.format_message()) from error


def _taken(context: click.Context, option: click.Option, value: Any) -> Any:
    """Return a value as the option takes it; raise UsageError if it does not."""
    name = option.name or ""
    taken = _texts(name, value) if option.multiple else _plain(value)
    try:
        return option.process_value(context, taken)
    except click.BadParameter as error:
        # Click repeats the value.
        why = error.message.removeprefix(f"{value!r} is ")
        raise UsageError(f"{name} is {value!r}: {why}") from error


def _texts(name: str, value: str | Iterable[str]) -> tuple[str, ...]:
    texts = (value,) if isinstance(value, str) else tuple(value)
    if not texts and name == "select":
        raise UsageError(
            "select is empty: it would select all marts", hint="leave it out to select all"
        )
    return texts


def _plain(value: object) -> object:
    """Return a value as an option takes it: dates and paths as text."""
    if isinstance(value, datetime.datetime):
        return value
    if isinstance(value, datetime.date):
        return value.isoformat()
    return os.fspath(value) if isinstance(value, os.PathLike) else value
