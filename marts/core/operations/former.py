"""Another version of a project's package: what was committed, or other files."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from marts.core.errors import EngineError, MartsError, UsageError
from marts.core.operations.revisions import extract, revision
from marts.core.project.graph import Graph
from marts.core.project.packages import BUNDLED, has_package, home_of
from marts.core.project.settings import Settings
from marts.core.project.versions import Version

NOT_COMMITTED = (
    "it was not committed there: commit it, or pass another revision, or a file: --against REV|FILE"
)


@dataclass(frozen=True)
class Former:
    """Another version of a package, its name, and the folder that nobody knows, if there is one."""

    name: str
    version: Version
    place: Path | None = None

    def load(self) -> Graph:
        """Return the declarations of this version."""
        with self._named():
            return self.version.load()

    @contextmanager
    def within(self) -> Iterator[None]:
        """Let functions of this version be called."""
        with self.version.imported(), self._named():
            yield

    @contextmanager
    def _named(self) -> Iterator[None]:
        """Say of an error which version has it."""
        try:
            yield
        except EngineError:
            raise
        except MartsError as error:
            facts = map(self.shown, error.facts)
            hint = error.hint and self.shown(error.hint)
            summary = f"{self.name}: {self.shown(error.summary)}"
            raise UsageError(summary, *facts, hint=hint) from error

    def shown(self, text: str) -> str:
        """Return a text with the version's name in place of its folder."""
        if self.place is None:
            return text
        for folder in (str(self.place), os.path.relpath(self.place)):
            text = text.replace(f"{folder}{os.sep}", f"{self.name.partition(' ')[0]}:")
        return text


def package_folder(settings: Settings, graph: Graph) -> Path:
    """Return the folder in which the package of a project is."""
    package = graph.project.package
    folder = settings.folder_of("package").resolve()
    return home_of(folder, package) if package.partition(".")[0] == BUNDLED else folder


@contextmanager
def committed(settings: Settings, graph: Graph, given: str) -> Iterator[Former]:
    """Give the package as it was committed, in a folder that is removed at the end.

    Raises UsageError if there is no such revision, or no package in it.
    """
    package, folder = graph.project.package, package_folder(settings, graph)
    with TemporaryDirectory(prefix="marts_former_") as made:
        place, commit = Path(made).resolve(), revision(folder, given)
        extract(folder, commit, place)
        if not has_package(place, package):
            raise UsageError(f"{commit} has no package {package}", hint=NOT_COMMITTED)
        yield Former(str(commit), Version(package, place, folder), place)
