"""The project's file, the nearest pyproject.toml with [tool.marts], which only this reads."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from marts.core import DISTRIBUTION
from marts.core.errors import UsageError
from marts.core.project.settings import FILE, Settings, settings_of_file


def project_settings(
    env: str | None = None, *, option: str = "--env", start: Path = Path()
) -> Settings:
    """Return the settings of the project that contains a folder, by default the defaults.

    `env` is the environment, which an `option` names; by default the file names it. Raises
    UsageError for a file that cannot be read, for invalid settings, and for an unknown environment.
    """
    for folder in _folders(start):
        file = folder / FILE
        if (table := _settings_in(file)) is not None:
            return settings_of_file(table, file, env=env, option=option)
    if env is not None:
        raise UsageError(
            f"{option} {env}: no project is here that has environments",
            hint=f"call marts in a folder below a {FILE} with [tool.marts.environments.{env}]",
        )
    # Without a project, the folder is the one that defaults are relative to.
    return Settings(folder=start, target=start / Settings.target)


def deferring(settings: Settings, start: Path = Path()) -> Settings:
    """Return settings with those of the environment that they defer to, if any.

    That environment is as the project's file describes it: variables and options are not for it.
    The file may say for all environments which one the others defer to. Raises UsageError if it is
    unknown, or if an option defers to the environment of the call.
    """
    if settings.defer is None or (settings.defer == settings.env and "defer" not in settings.given):
        return settings
    if settings.defer == settings.env:
        raise UsageError(
            f"--defer {settings.defer}: this is the environment of the run itself",
            hint="pass another environment to --env or to --defer",
        )
    elsewhere = project_settings(settings.defer, option="--defer", start=start)
    return replace(settings, elsewhere=elsewhere)


def _folders(start: Path) -> Iterator[Path]:
    """Yield a folder and those above it; if it is the current folder, as relative paths."""
    yield start
    if start.is_absolute():
        yield from start.parents
        return
    try:
        depth = len(Path.cwd().parts) - 1
    except FileNotFoundError:
        return
    for above in range(1, depth + 1):
        yield Path(*[".."] * above)


def _settings_in(file: Path) -> Mapping[str, object] | None:
    """Return a file's table [tool.marts], None if there is no such file or table."""
    try:
        if not file.is_file():
            return None
        document = tomllib.loads(file.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"cannot read the settings in {file}", str(error)) from error
    tools = document.get("tool")
    table = tools.get(DISTRIBUTION) if isinstance(tools, dict) else None
    if table is not None and not isinstance(table, dict):
        raise UsageError(f"tool.marts in {file} is not a table", hint="write it as [tool.marts]")
    return table
