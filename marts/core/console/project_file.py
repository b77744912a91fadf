"""The project's file, the nearest pyproject.toml with [tool.marts], which only this reads."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path

from marts.core import DISTRIBUTION
from marts.core.errors import UsageError
from marts.core.project.settings import FILE, Settings, settings_of_file


def project_settings(start: Path = Path()) -> Settings:
    """Return the settings of the project that contains a folder, by default the defaults.

    Raises UsageError for a file that cannot be read, and for invalid settings.
    """
    for folder in _folders(start):
        file = folder / FILE
        if (table := _settings_in(file)) is not None:
            return settings_of_file(table, file)
    # Without a project, the folder is the one that defaults are relative to.
    return Settings(folder=start, target=start / Settings.target)


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
