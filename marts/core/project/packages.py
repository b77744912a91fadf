"""Where a project's package is, and how it is imported beside our modules and others'."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from importlib import metadata
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

from marts.core import DISTRIBUTION, FOLDER, PACKAGE
from marts.core.errors import UsageError

BUNDLED = PACKAGE.partition(".")[0]
"""Our own package, which is not looked for in a project's folder."""
SOURCES = "src"
BESIDE = ("backends", "fixtures")
"""The packages that a checkout has beside this one."""


def home_of(folder: Path, package: str) -> Path:
    """Return the folder that a package is imported from: the project's, or `src` in it.

    It is the project's folder, too, if the package is in neither. Raises UsageError if both have a
    package of this name.
    """
    top = package.partition(".")[0]
    if top == BUNDLED:
        return FOLDER.parent.parent
    homes = [each.resolve() for each in (folder, folder / SOURCES)]
    found = [home for home in homes if _file_of(home, top)]
    if len(found) > 1:
        files = [str(_file_of(home, top)) for home in found]
        raise UsageError(f"there are two packages {top}", *files, hint="remove one of them")
    # A folder without an `__init__.py` may be part of a package, too.
    return next(iter([*found, *(home for home in homes if Path(home, top).is_dir())]), homes[0])


def has_package(folder: Path, package: str) -> bool:
    """Tell whether a project's folder, or `src` in it, has a package or a folder of its name."""
    top = package.partition(".")[0]
    homes = (folder, folder / SOURCES)
    return any(_file_of(home, top) or Path(home, top).is_dir() for home in homes)


def import_from(folder: Path, package: str) -> None:
    """Make a project's package importable from the project's folder, or from `src` in it.

    It comes before any other of its name. What else is in these folders comes last on the path: a
    `queue.py` there must not replace Python's.

    Raises UsageError if the package has the name of a module that marts itself needs.
    """
    top = package.partition(".")[0]
    if top == BUNDLED:
        _refuse_another_bundled(folder)
        return
    home = home_of(folder, package)
    if file := _file_of(home, top):
        _refuse_name(top, file)
        sys.meta_path.insert(0, _PackageFinder(str(home), top))
    for last in map(str, (home, folder.resolve())):
        if last not in sys.path:
            sys.path.append(last)


def refuse_shadowed() -> None:
    """Raise UsageError if Python would import a module of somebody else instead of ours.

    A checkout has modules beside this package, with names that others use, too. The wheel has them
    in this package, and the command line imports ours first.
    """
    if (FOLDER / "_cli.py").exists():
        return
    home = FOLDER.parent.parent
    for name in BESIDE:
        found = find_spec(name)
        places = [*(found.submodule_search_locations or [])] if found else []
        if found and not any(Path(each).resolve() == home.resolve() / name for each in places):
            raise UsageError(
                f"Python imports {name} from {next(iter(places), found.origin)},"
                f" and not that of marts in {home}",
                hint="install marts from its wheel, which takes no such names, not as a checkout;"
                " or start Python in another folder, and name the project's: Project.load(FOLDER)",
            )


def _file_of(home: Path, name: str) -> str | None:
    """Return the file of a module in a folder; a folder without an `__init__.py` has none."""
    found = PathFinder.find_spec(name, [str(home)])
    return found.origin if found else None


def _refuse_another_bundled(folder: Path) -> None:
    """Raise UsageError if a project has a package of the name of ours."""
    ours = FOLDER.parent / "__init__.py"
    for home in (folder, folder / SOURCES):
        if (file := _file_of(home.resolve(), BUNDLED)) and not ours.samefile(file):
            raise UsageError(
                f"package {BUNDLED} is that of marts itself, but there is another one here",
                file,
                hint=f"rename the folder, for example to shop_{BUNDLED}",
            )


def _refuse_name(top: str, file: str) -> None:
    """Raise UsageError for a package that would be imported instead of what marts needs."""
    if top in sys.stdlib_module_names:
        why = "a module of Python"
    elif owners := _distributions_of(top) & _needed():
        why = f"a module of {', '.join(sorted(owners))}, which marts needs"
    else:
        _refuse_another_loaded(top, file)
        return
    raise UsageError(
        f"package {top} has the name of {why}", file, hint=f"rename it, for example to {top}_marts"
    )


def _refuse_another_loaded(top: str, file: str) -> None:
    """Raise UsageError if Python would give the package of another project instead."""
    loaded = getattr(sys.modules.get(top), "__file__", None)
    if loaded and not Path(loaded).samefile(file):
        raise UsageError(
            f"another package {top} is loaded already",
            f"loaded: {loaded}",
            f"the project's: {file}",
            hint="rename one of them, or load them in different processes",
        )


def _distributions_of(top: str) -> set[str]:
    """Return the installed distributions that have a top-level module of a name."""
    if not PathFinder.find_spec(top):
        return set()
    return set(map(_normal, metadata.packages_distributions().get(top, ())))


def _needed() -> set[str]:
    """Return the distributions that marts needs, directly or not, with all its extras."""
    found, left = {DISTRIBUTION}, [DISTRIBUTION]
    while left:
        name = left.pop()
        try:
            lines = metadata.requires(name) or ()
        except metadata.PackageNotFoundError:
            continue
        for line in lines:
            needed = _normal(re.split(r"[^\w.-]", line, maxsplit=1)[0])
            if needed not in found and (name == DISTRIBUTION or "extra ==" not in line):
                found.add(needed)
                left.append(needed)
    return found - {DISTRIBUTION}


def _normal(distribution: str) -> str:
    return re.sub(r"[-_.]+", "-", distribution).lower()


class _PackageFinder:
    """Finds one top-level package in a folder, before any other of the same name."""

    def __init__(self, folder: str, name: str) -> None:
        self.folder = folder
        self.name = name

    def find_spec(
        self, name: str, _path: Sequence[str] | None = None, _target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Find the package; a folder without an `__init__.py` may have its name, but is not it."""
        found = PathFinder.find_spec(name, [self.folder]) if name == self.name else None
        return found if found and found.origin else None
