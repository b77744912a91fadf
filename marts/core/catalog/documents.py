"""Markdown texts beside declarations, which are part of the catalogue."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from marts.core.authoring.tables import Mart, Source
from marts.core.errors import DefinitionError

OF_PROJECT = "README.md"
"""The text of a whole project, in the folder of its package."""


def document_of(table: Source | Mart) -> str:
    """Return the text of `NAME.md` beside the file that declares a source or mart; empty without.

    Raises DefinitionError for a file that is not a text in UTF-8.
    """
    return next((_read(file) for file in _beside(table) if file.is_file()), "")


def document_of_project(package: str) -> str:
    """Return the text of `README.md` in the folder of an imported package; empty without one.

    Raises DefinitionError for a file that is not a text in UTF-8.
    """
    folders = map(Path, getattr(sys.modules.get(package), "__path__", ()))
    files = (folder / OF_PROJECT for folder in folders)
    return next((_read(file) for file in files if file.is_file()), "")


def _beside(table: Source | Mart) -> Iterator[Path]:
    """Yield where the text of a table may be: beside the file that has it, wherever that is."""
    name, (declared, _, _) = f"{table.name}.md", table.location.rpartition(":")
    if isinstance(table, Mart):
        # A function that makes marts may be in another file than the mart.
        top, end = table.module.partition(".")[0], f".{table.name}"
        for module in [*sys.modules]:
            if module.startswith(f"{top}.") and module.endswith(end):
                yield from (file.with_name(name) for file in _file_of(module))
    yield Path(declared).with_name(name)
    for module in [*sys.modules]:
        for file in _file_of(module):
            # The location is relative to the folder of then.
            if file.as_posix().endswith(f"/{Path(declared).as_posix()}"):
                yield file.with_name(name)


def _file_of(module: str) -> Iterator[Path]:
    file = getattr(sys.modules.get(module), "__file__", None)
    if isinstance(file, str):
        yield Path(file)


def _read(file: Path) -> str:
    try:
        return file.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DefinitionError(
            f"{file.name} is not a text in UTF-8",
            str(file),
            hint="save it as UTF-8; the catalogue shows it",
        ) from error
