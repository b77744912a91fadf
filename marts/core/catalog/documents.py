"""Markdown texts beside declarations, which are part of the catalogue."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from marts.core.authoring.tables import Mart, Source
from marts.core.errors import DefinitionError

OF_PROJECT = "README.md"
"""The text of a whole project, in the folder of its package."""


@dataclass(frozen=True)
class Documents:
    """The text of each source and mart, empty without one, and the files that are of no table.

    `unused` are files in folders that declare tables, which are named like a table but of none that
    is declared beside them.
    """

    texts: Mapping[str, str]
    unused: tuple[Path, ...]


def documents_of(tables: Iterable[Source | Mart]) -> Documents:
    """Read `NAME.md` beside the file that declares a source or mart, for each of some tables.

    Raises DefinitionError for a file that is not a text in UTF-8.
    """
    modules, texts, used, folders = _Modules(), dict[str, str](), set[Path](), set[Path]()
    for table in tables:
        beside = [file.resolve() for file in modules.beside(table)]
        found = next((file for file in beside if file.is_file()), None)
        texts[table.name] = _read(found) if found else ""
        folders |= {file.parent for file in beside}
        used |= {found} if found else set()
    files = {file for folder in folders for file in folder.glob("*.md")}
    return Documents(texts, tuple(sorted(file for file in files - used if _is_named(file))))


def document_of_project(package: str) -> str:
    """Return the text of `README.md` in the folder of an imported package; empty without one.

    Raises DefinitionError for a file that is not a text in UTF-8.
    """
    folders = map(Path, getattr(sys.modules.get(package), "__path__", ()))
    files = (folder / OF_PROJECT for folder in folders)
    return next((_read(file) for file in files if file.is_file()), "")


def _is_named(file: Path) -> bool:
    """Tell whether a file is named like a table; README and its kin are not."""
    return file.stem.isidentifier() and not file.stem.isupper()


class _Modules:
    """The files of the modules that are loaded, by the last part of their names."""

    def __init__(self) -> None:
        self._by_name: dict[str, list[tuple[str, Path]]] = defaultdict(list)
        self._by_file: dict[str, list[Path]] = defaultdict(list)
        for name, module in [*sys.modules.items()]:
            file = getattr(module, "__file__", None)
            if isinstance(file, str):
                top, _, _ = name.partition(".")
                self._by_name[name.rpartition(".")[2]].append((top, Path(file)))
                self._by_file[Path(file).name].append(Path(file))

    def beside(self, table: Source | Mart) -> Iterator[Path]:
        """Yield where the text of a table may be: beside the file that has it."""
        name, (location, _, _) = f"{table.name}.md", table.location.rpartition(":")
        declared = Path(location)
        if isinstance(table, Mart):
            # A function that makes marts may be in another file than the mart.
            top, _, _ = table.module.partition(".")
            yield from (f.with_name(name) for t, f in self._by_name[table.name] if t == top)
        # The location is relative to the folder of then.
        if declared.exists():
            yield declared.with_name(name)
        for file in self._by_file[declared.name]:
            if file.as_posix().endswith(f"/{declared.as_posix()}"):
                yield file.with_name(name)


def missing_tables(unused: Sequence[Path]) -> list[str]:
    """Return what is wrong with each file that is of no table."""
    return [
        f"{file.name} in {file.parent.name} is shown nowhere:"
        f" no mart or source named {file.stem} is declared beside it"
        for file in unused
    ]


def _read(file: Path) -> str:
    try:
        return file.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DefinitionError(
            f"{file.name} is not a text in UTF-8",
            str(file),
            hint="save it as UTF-8; the catalogue shows it",
        ) from error
