"""Write the files of a new project, also into a repository that exists: all of them or none."""

from __future__ import annotations

import os
import shutil
import tempfile
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from marts.core import DISTRIBUTION
from marts.core.errors import EngineError, UsageError
from marts.core.project.settings import FILE

OPTIONAL = ("README.md", ".gitignore", ".github/workflows/ci.yml")
"""What a repository may have already, and a project does without."""
OUR_TOOLS = {DISTRIBUTION, "ruff", "mypy", "pytest"}
"""The tools whose settings a new project has."""


@dataclass(frozen=True)
class Files:
    """What is written into a folder: texts by path, and the paths that stay as they are.

    `joins` says that the settings are added to a file with other settings.
    """

    written: Mapping[str, str]
    kept: tuple[str, ...] = ()
    joins: bool = False


def files_for(folder: Path, files: Mapping[str, str], settings: str, *, force: bool) -> Files:
    """Return the files to write into a folder, given those of a new project.

    In a repository that exists, its README and the like stay, and the settings are added to its
    pyproject.toml. With `force`, files are replaced, but no settings of others are lost. Raises
    UsageError, with each path, if other files would be overwritten.
    """
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is a file", hint="name a folder for the project")
    written = dict(files)
    if joined := _joined(folder / FILE, settings, force=force):
        written[FILE] = joined
    there = [path for path in files if os.path.lexists(folder / path)]
    if force:
        return Files(written, joins=bool(joined))
    kept = tuple(path for path in there if path in OPTIONAL)
    if lost := [path for path in there if path not in kept and not (joined and path == FILE)]:
        raise UsageError(
            f"{folder} has files that would be overwritten",
            *lost,
            hint="name another folder, or pass --force to replace these files, and no others",
        )
    left = {path: text for path, text in written.items() if path not in kept}
    return Files(left, kept, joins=bool(joined))


def _joined(file: Path, settings: str, *, force: bool) -> str | None:
    """Return a file's text with the settings added; None if there is nothing to keep.

    Raises UsageError for a file that cannot be read, or that has settings of marts besides others.
    """
    if not file.is_file():
        return None
    try:
        text = file.read_text("utf-8")
        tables = tomllib.loads(text)
    except (OSError, ValueError) as error:
        raise UsageError(f"cannot read the settings in {file}", str(error)) from error
    tools = tables.get("tool", {})
    if DISTRIBUTION not in tools:
        return f"{text.rstrip()}\n\n{settings}".lstrip()
    if force and (tables.keys() > {"tool"} or tools.keys() > OUR_TOOLS):
        raise UsageError(
            f"{file} has [tool.{DISTRIBUTION}] besides other settings, which would be lost",
            hint=f"remove the tables of [tool.{DISTRIBUTION}]; the new ones are added then",
        )
    return None


def write_project(folder: Path, files: Mapping[str, str], *, ending: Callable[[], None]) -> None:
    """Write files into a folder, which need not exist.

    They are written to a folder beside it first, and moved when all are complete; `ending` is
    called before that. Raises EngineError if they cannot be written; nothing is left then, except
    where moving failed midway.
    """
    parent = _existing_parent(folder)
    try:
        with tempfile.TemporaryDirectory(prefix=".marts-init-", dir=parent) as made:
            for path, text in files.items():
                file = Path(made, path)
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(text, encoding="utf-8", newline="\n")
            ending()
            for path in files:
                _move(Path(made, path), folder / path)
    except OSError as error:
        raise EngineError(
            f"cannot write the project to {folder}",
            f"{error.filename}: {error.strerror}" if error.filename else str(error),
            hint="name a folder that can be written",
        ) from error


def _existing_parent(folder: Path) -> Path:
    found = folder.absolute()
    while not found.is_dir():
        found = found.parent
    return found


def _move(file: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.is_dir():
        raise IsADirectoryError(21, "it is a folder", str(target))
    shutil.move(file, target)
