"""The project's file, the nearest pyproject.toml with [tool.marts], which only this reads."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path

from marts.core import DISTRIBUTION
from marts.core.errors import UsageError
from marts.core.project.settings import FILE, Settings, settings_of_file


def project_settings(env: str | None = None) -> Settings:
    """Return the settings of the project that contains the current folder, by default the defaults.

    `env` is the environment, by default the one that the file names. Raises UsageError for a file
    that cannot be read, for invalid settings, and for an unknown environment.
    """
    for folder in _folders():
        file = folder / FILE
        if (table := _settings_in(file)) is not None:
            return settings_of_file(table, file, env=env)
    if env is not None:
        raise UsageError(
            f"--env {env}: no project is here that has environments",
            hint=f"call marts in a folder below a {FILE} with [tool.marts.environments.{env}]",
        )
    return Settings()


def _folders() -> Iterator[Path]:
    """Yield the current folder and those above it, as relative paths."""
    yield Path()
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
