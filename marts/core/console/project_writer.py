"""Write the files of a new project: all of them or none."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from marts.core.errors import EngineError, UsageError


def refuse_existing(folder: Path, paths: Mapping[str, object]) -> None:
    """Raise UsageError, with each path, if files of a project exist already."""
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is a file", hint="name a folder for the project")
    if there := [path for path in paths if os.path.lexists(folder / path)]:
        raise UsageError(
            f"{folder} has files that would be overwritten",
            *there,
            hint="name another folder, or pass --force to replace these files, and no others",
        )


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
