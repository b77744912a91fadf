"""Another version of a project's package, loaded beside the one that is in use."""

from __future__ import annotations

import importlib
import linecache
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

from marts.core import FOLDER, PACKAGE
from marts.core.errors import UsageError
from marts.core.project.graph import Graph, link
from marts.core.project.import_errors import is_installed
from marts.core.project.loading import load
from marts.core.project.packages import BUNDLED, home_of, import_from

HOME = FOLDER.parent.parent
"""Where this program's modules are, which are the same for every version of a package."""


class Version:
    """A version of a package beside the one in use, in another folder or with other files.

    Its functions may import when they are called, so they must be called within `imported`, where
    Python finds the modules of this version. Elsewhere all is as if it had never been loaded.
    """

    def __init__(
        self, package: str, folder: Path, in_use: Path, replaced: Mapping[str, Path] | None = None
    ) -> None:
        """Take both projects' folders, and the files of modules that are read from elsewhere."""
        self.package = package
        self.folder = folder.resolve()
        self.in_use = in_use.resolve()
        self.replaced = dict(replaced or {})
        self._state: _State | None = None
        self._known: dict[tuple[str, int], bool] = {}

    @contextmanager
    def imported(self) -> Iterator[None]:
        """Let Python find the modules of this version instead of those in use."""
        before = self._current()
        before.leave()
        writes, sys.dont_write_bytecode = sys.dont_write_bytecode, True
        try:
            if self._state is None:
                self._prepare()
            else:
                self._state.enter()
            yield
        finally:
            self._state = self._current()
            self._state.leave()
            before.enter()
            # Bytecode is told from that of another file by size and whole seconds only.
            sys.dont_write_bytecode = writes

    def load(self) -> Graph:
        """Load and link the declarations of this version.

        Raises UsageError and DefinitionError as `load` and `link` do, and UsageError if Python
        finds one of its modules elsewhere.
        """
        with self.imported():
            graph = link(load(self.package))
            self._refuse_mixture()
        return graph

    def _prepare(self) -> None:
        """Let Python search in this version's folder, and nowhere in that of the version in use."""
        importlib.invalidate_caches()
        linecache.checkcache()
        top = self.package.partition(".")[0]
        if top == BUNDLED:
            if (self.folder / BUNDLED).is_dir():
                sys.modules[BUNDLED].__path__ = [str(self.folder / BUNDLED)]
        else:
            places = (self.in_use, home_of(self.in_use, self.package))
            searched = {str(each) for each in places}
            sys.path[:] = [each for each in sys.path if str(Path(each).resolve()) not in searched]
            sys.meta_path[:] = [f for f in sys.meta_path if getattr(f, "name", None) != top]
            import_from(self.folder, self.package)
        if self.replaced:
            sys.meta_path.insert(0, _Replaced(self.replaced))

    def _current(self) -> _State:
        for name, module in sys.modules.items():
            if (name, id(module)) not in self._known:
                self._known[name, id(module)] = self._owns(name, module)
        is_own = self._known
        return _State({n: module for n, module in sys.modules.items() if is_own[n, id(module)]})

    def _owns(self, name: str, module: ModuleType) -> bool:
        """Tell whether a module may be another one in another version."""
        top = self.package.partition(".")[0]
        if top == BUNDLED:
            return name.startswith(f"{BUNDLED}.") and not f"{name}.".startswith(f"{PACKAGE}.")
        its = name.partition(".")[0]
        if its == top:
            return True
        file = Path(getattr(module, "__file__", None) or "")
        is_here = any(file.is_relative_to(each) for each in (self.folder, self.in_use))
        is_ours = file == HOME / f"{its}.py" or file.is_relative_to(HOME / its)
        return is_here and its != "__main__" and not is_ours and not is_installed(str(file))

    def _refuse_mixture(self) -> None:
        """Raise UsageError for a module of the package that was found outside of this version."""
        inside = (self.folder, *self.replaced.values())
        for name, module in self._current().modules.items():
            file = getattr(module, "__file__", None)
            if file and not any(Path(file).resolve().is_relative_to(each) for each in inside):
                raise UsageError(
                    f"two versions of {self.package} would be mixed",
                    f"module {name} was found in {file}",
                    f"this version is in {self.folder}",
                )


class _State:
    """What a version has put into Python: its modules, and where others are searched for."""

    def __init__(self, modules: Mapping[str, ModuleType]) -> None:
        self.modules = dict(modules)
        self._path, self._finders = sys.path[:], sys.meta_path[:]
        self._bundled = [*sys.modules[BUNDLED].__path__]
        self._attributes = {
            name: holder
            for name, module in modules.items()
            if (holder := sys.modules.get(name.rpartition(".")[0]))
            and vars(holder).get(name.rpartition(".")[2]) is module
        }

    def leave(self) -> None:
        """Let Python forget the modules; those who use them still have them."""
        for name in self.modules:
            del sys.modules[name]
        for name, holder in self._attributes.items():
            delattr(holder, name.rpartition(".")[2])

    def enter(self) -> None:
        """Let Python find the modules again."""
        sys.path[:], sys.meta_path[:] = self._path, self._finders
        sys.modules[BUNDLED].__path__ = self._bundled
        sys.modules.update(self.modules)
        for name, holder in self._attributes.items():
            setattr(holder, name.rpartition(".")[2], self.modules[name])


class _Replaced:
    """Finds some modules in other files than their own."""

    def __init__(self, files: Mapping[str, Path]) -> None:
        self.files = files

    def find_spec(
        self, name: str, _path: Sequence[str] | None = None, _target: Any = None
    ) -> ModuleSpec | None:
        """Find a module that is replaced."""
        file = self.files.get(name)
        if file is None:
            return None
        # Whatever the file's suffix.
        loader = SourceFileLoader(name, str(file))
        return spec_from_file_location(name, file, loader=loader)
