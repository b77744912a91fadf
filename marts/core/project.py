"""Find the declarations in a package by its name: the only import by name there is."""

from __future__ import annotations

import importlib
import pkgutil
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import TypeVar

from marts.core.errors import DefinitionError, UsageError
from marts.core.model import AS_OF, Mart, Source

Declaration = TypeVar("Declaration", Source, Mart)


@dataclass(frozen=True)
class Project:
    """All that a package declares, by name."""

    package: str
    sources: dict[str, Source]
    marts: dict[str, Mart]


def load(package: str) -> Project:
    """Import every module below `package` and gather its sources and marts.

    Raises UsageError where there is no such package, DefinitionError where a module does not
    import, or two declarations share a name.
    """
    modules = list(_modules(package))
    sources = _gather(modules, Source)
    marts = _gather(modules, Mart)
    for name in [*sources, *marts]:
        declared = [table for table in (sources.get(name), marts.get(name)) if table]
        if len(declared) > 1:
            raise DefinitionError(
                f"{name} is both a source and a mart", *(table.place for table in declared)
            )
        if name == AS_OF:
            raise DefinitionError(f"{AS_OF} names the run's date, no table", declared[0].place)
    return Project(package, sources, marts)


def _modules(package: str) -> Iterator[ModuleType]:
    framework = __name__.rpartition(".")[0]
    root = _import(package, package)
    yield root
    for found in pkgutil.walk_packages(root.__path__, f"{package}."):
        if not found.name.startswith(framework):
            yield _import(found.name, package)


def _import(name: str, package: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except DefinitionError:
        raise
    except Exception as error:
        if isinstance(error, ModuleNotFoundError) and error.name == package:
            raise UsageError(
                f"there is no package {package}", hint="name one that Python can import from here"
            ) from error
        # Whatever an author's module raises on import is the author's slip; the chained
        # exception keeps the traceback.
        raise DefinitionError(f"module {name} does not import", *_origin(error)) from error


def _origin(error: Exception) -> tuple[str, str]:
    if isinstance(error, SyntaxError):
        return f"SyntaxError: {error.msg}", f"{error.filename}:{error.lineno}"
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {error}", f"{frame.filename}:{frame.lineno}"


def _gather(modules: list[ModuleType], kind: type[Declaration]) -> dict[str, Declaration]:
    found: dict[str, Declaration] = {}
    for module in modules:
        for value in vars(module).values():
            if not isinstance(value, kind):
                continue
            known = found.setdefault(value.name, value)
            if known is not value:
                raise DefinitionError(f"{value.name} is declared twice", known.place, value.place)
    return found
