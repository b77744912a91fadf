"""Import a package anew in a process that has imported it, or another of its name, before."""

from __future__ import annotations

import importlib
import linecache
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

from marts.core import PACKAGE
from marts.core.project.import_errors import is_installed

_beside: dict[str, ModuleType] = {}
"""The modules beside a package that loading it has imported, by name."""
_path: list[str] = []
_finders: list[object] = []
"""What loading a package has added to Python's search path, and to its finders."""


@contextmanager
def anew(package: str, folder: Path) -> Iterator[None]:
    """Let a package be imported anew, with the modules of its project's folder that it imports.

    Nothing is found in the folder of the project before. Modules that were imported from there stay
    as they are for those who use them.
    """
    _forget()
    _drop_all(package)
    importlib.invalidate_caches()
    linecache.checkcache()
    before, writes = {*sys.modules}, sys.dont_write_bytecode
    path, finders = sys.path[:], sys.meta_path[:]
    # Bytecode is told from that of an edited file by size and whole seconds only.
    sys.dont_write_bytecode = True
    try:
        yield
    finally:
        sys.dont_write_bytecode = writes
        _path.extend(each for each in sys.path if each not in path)
        _finders.extend(each for each in sys.meta_path if each not in finders)
        for name in sys.modules.keys() - before:
            module = sys.modules[name]
            if not is_below(name, package) and is_written_in(module, folder.resolve()):
                _beside[name] = module


def _forget() -> None:
    """Take back what loading another package has changed."""
    for name, module in _beside.items():
        if sys.modules.get(name) is module:
            drop(name)
    sys.path[:] = [each for each in sys.path if each not in _path]
    sys.meta_path[:] = [each for each in sys.meta_path if each not in _finders]
    _beside.clear()
    _path.clear()
    _finders.clear()


def _drop_all(package: str) -> None:
    """Drop a package's modules; of our own package, all but the framework."""
    for name in [name for name in sys.modules if is_below(name, package)]:
        if not is_below(name, PACKAGE) and not is_below(PACKAGE, name):
            drop(name)


def drop(name: str) -> None:
    """Let a module be imported anew by the next who imports it."""
    module = sys.modules.pop(name)
    holder, _, child = name.rpartition(".")
    # `from package import module` would find it there.
    if holder in sys.modules and vars(sys.modules[holder]).get(child) is module:
        delattr(sys.modules[holder], child)


def is_below(name: str, package: str) -> bool:
    """Tell whether a module is a package, or in it."""
    return f"{name}.".startswith(f"{package}.")


def is_written_in(module: ModuleType, folder: Path) -> bool:
    """Tell whether a module is a file of a folder, but not one that is installed there."""
    file = getattr(module, "__file__", None) or ""
    return bool(file) and Path(file).is_relative_to(folder) and not is_installed(file)
