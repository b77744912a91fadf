"""Modules outside the package that declare what proofs need, found and imported where they are.

They are imported under names of their own, whatever else is called the same. `from .helpers import`
finds a module beside the one that imports, with or without an `__init__.py`, and `import helpers`
does, too; `from tests.helpers import` is found from the project's folder, as pytest would.
"""

from __future__ import annotations

import hashlib
import importlib
import linecache
import re
import sys
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType

from marts.core.authoring.proofs import ForProof
from marts.core.errors import DefinitionError, MartsError, UsageError, did_you_mean
from marts.core.project.import_errors import import_error
from marts.core.project.loading import Declarations, declared_for_proof
from marts.core.project.reloading import drop, is_below, is_written_in
from marts.core.project.settings import Settings

DEFAULT = Path("tests/proof")
PREFIX = "marts_proof_"
"""The start of the top-level names of the imported modules."""
OF_PYTEST = ("test_*.py", "*_test.py", "conftest.py")
"""Files that are imported only if they declare something: pytest gives them what they need."""
DECLARES = re.compile(r"^\s*@(\w+\.)*(twin|corpus|strategy)\b", re.MULTILINE)
OF_PROOFS = {"pandas", "hypothesis", "pytest"}
INSTALL = "install what proofs need: pip install 'marts[proof]'"
TWIN = re.compile(r"""^@(\w+\.)*twin\(\s*["']?(\w+)""", re.MULTILINE)
NEEDED = frozenset(
    {
        *("marts", "backends", "fixtures", "cli", "ibis", "sqlglot", "click", "rich"),
        *("duckdb", "pyarrow", "pandas", "numpy", "hypothesis", "pytest", "snowflake"),
    }
)
"""Names that mean the library, also where a module beside the importing one is called so."""


def for_proof(project: Declarations, settings: Settings) -> tuple[ForProof, ...]:
    """Return what a project declares for proofs, in its package and in its proof modules.

    The proof modules are the files and folders of the setting `proof`, by default `tests/proof` if
    it exists; they are imported anew. Raises UsageError for a place that does not exist,
    DefinitionError for a module that cannot be imported.
    """
    files = [file for place in _places(settings) for file in _files_in(place)]
    modules = import_files(files, above=settings.folder, package=project.package)
    found = (*project.for_proof, *declared_for_proof(modules))
    # A folder of the package may be named as one of proof modules.
    return tuple({repr(each): each for each in reversed(found)}.values())[::-1]


def unread_twins(settings: Settings, marts: Collection[str]) -> dict[str, Path]:
    """Return the files of the project's tests with a twin of these marts that is not read, by mart.

    A twin in the wrong folder would be missed in silence.
    """
    places = [place.resolve() for place in _places(settings)]
    return {
        found[2]: file
        for file in sorted((settings.folder / "tests").rglob("*.py"))
        if not any(file.resolve().is_relative_to(place) for place in places)
        for found in TWIN.finditer(file.read_text("utf-8-sig", errors="replace"))
        if found[2] in marts
    }


def _places(settings: Settings) -> Iterator[Path]:
    if settings.proof is None:
        default = settings.folder / DEFAULT
        yield from [default] if default.is_dir() else []
        return
    for place in settings.proof:
        if not place.exists():
            raise UsageError(
                f"tool.marts.proof in {settings.file} names {place}, which does not exist",
                hint="name files and folders of Python modules, relative to the project's folder",
            )
        yield place


def _files_in(place: Path) -> Iterator[Path]:
    """Yield the modules of a file or folder, without pytest's own that declare nothing."""
    if place.is_file():
        yield place
        return
    for file in sorted(place.rglob("*.py")):
        folders = file.relative_to(place).parts[:-1]
        hidden = any(name.startswith((".", "__")) for name in folders)
        of_pytest = any(file.match(pattern) for pattern in OF_PYTEST)
        if not hidden and not (of_pytest and not DECLARES.search(_text(file))):
            yield file


def _text(file: Path) -> str:
    try:
        return file.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DefinitionError(f"cannot read {file}", str(error)) from error


@dataclass(frozen=True)
class _Home:
    """The folder that modules are imported from: the nearest one above that is not a package.

    `first` is the first part of their names there.
    """

    folder: Path
    first: str | None

    @property
    def prefix(self) -> str:
        """The name of the package that stands for the folder."""
        return PREFIX + hashlib.sha256(str(self.folder).encode()).hexdigest()[:8]

    @property
    def territory(self) -> Path:
        """The folder whose modules belong to the proof modules, and to nobody else."""
        return self.folder / self.first if self.first else self.folder

    def name_of(self, file: Path) -> str:
        """Return the name that a module is imported under."""
        parts = file.relative_to(self.folder).with_suffix("").parts
        parts = parts[:-1] if parts[-1] == "__init__" else parts
        return ".".join((self.prefix, *parts))

    def has(self, name: str) -> bool:
        """Tell whether a top-level name means a module of the proof modules."""
        if name in NEEDED or name in sys.stdlib_module_names:
            return False
        if self.first:
            return name == self.first
        return any((self.folder / each).is_file() for each in (f"{name}.py", f"{name}/__init__.py"))

    def find_spec(
        self, name: str, _path: Sequence[str] | None = None, _target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Find a module beside those that are imported before any other of its name."""
        return PathFinder.find_spec(name, [str(self.folder)]) if self.has(name) else None


def import_files(files: Iterable[Path], *, above: Path, package: str) -> tuple[ModuleType, ...]:
    """Import files of Python anew; modules in folders up to `above` are found from them.

    `package` is that of the marts, which they may import. Raises DefinitionError for a file that
    cannot be imported, with the line.
    """
    by_home: dict[_Home, dict[Path, Path]] = {}
    for file in files:
        by_home.setdefault(_home_of(file.resolve()), {})[file.resolve()] = file
    importlib.invalidate_caches()
    linecache.checkcache()
    found: list[ModuleType] = []
    for home, shown in by_home.items():
        _extend_path(home, above.resolve())
        with _at_home(home, package):
            found += [_import(home, file, shown[file]) for file in shown]
    return tuple(found)


def _home_of(file: Path) -> _Home:
    folder, first = file.parent, None
    while (folder / "__init__.py").is_file() and folder.parent != folder:
        folder, first = folder.parent, folder.name
    return _Home(folder, first)


def _extend_path(home: _Home, above: Path) -> None:
    """Let modules of the folders up to the project's be found, after all others."""
    folders = [each for each in (home.folder, *home.folder.parents) if each.is_relative_to(above)]
    for folder in map(str, folders or [home.folder]):
        if folder not in sys.path:
            sys.path.append(folder)


@contextmanager
def _at_home(home: _Home, package: str) -> Iterator[None]:
    """Import from a folder before all others, and leave no other module's name to its modules."""
    for name in [name for name in sys.modules if is_below(name, home.prefix)]:
        del sys.modules[name]
    root = ModuleType(home.prefix)
    root.__path__ = [str(home.folder)]
    sys.modules[home.prefix] = root
    others = {
        name: module
        for name, module in sys.modules.items()
        if home.has(name.partition(".")[0]) and not is_below(name, package)
    }
    for name in others:
        del sys.modules[name]
    before, writes = {*sys.modules}, sys.dont_write_bytecode
    sys.meta_path.insert(0, home)
    # Bytecode is told from that of an edited file by size and whole seconds only.
    sys.dont_write_bytecode = True
    try:
        yield
    finally:
        sys.dont_write_bytecode = writes
        sys.meta_path.remove(home)
        for name in sys.modules.keys() - before:
            if not is_below(name, home.prefix) and is_written_in(sys.modules[name], home.territory):
                drop(name)
        sys.modules.update(others)


def _import(home: _Home, file: Path, shown: Path) -> ModuleType:
    try:
        return importlib.import_module(home.name_of(file))
    except (MartsError, KeyboardInterrupt):
        raise
    except BaseException as error:
        raise _error_of(home, error, shown) from error


def _error_of(home: _Home, error: BaseException, shown: Path) -> DefinitionError:
    """Return the error for what a module raises, with what to do about a missing one."""
    found = import_error(str(shown), error)
    missing = (isinstance(error, ModuleNotFoundError) and error.name) or ""
    if missing in OF_PROOFS:
        return DefinitionError(found.summary, *found.facts, hint=INSTALL)
    if not is_below(missing, home.prefix):
        return found
    wanted = missing.removeprefix(f"{home.prefix}.")
    folder = home.folder.joinpath(*wanted.split(".")[:-1])
    beside = [file.stem for file in folder.glob("*.py")]
    return DefinitionError(
        found.summary,
        f"there is no module {wanted.rpartition('.')[2]} in {folder}",
        *found.facts[1:],
        hint=did_you_mean(wanted.rpartition(".")[2], beside),
    )
