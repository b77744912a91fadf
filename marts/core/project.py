"""Find the declarations in a package by its name: the only import by name there is."""

from __future__ import annotations

import importlib
import pkgutil
import traceback
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import TypeVar

from marts.core.errors import DefinitionError, UsageError
from marts.core.model import AS_OF, THIS, Mart, Source
from marts.core.relation import Relation

RESERVED = {AS_OF: "the run's date", THIS: "the table that a check belongs to"}

Declaration = TypeVar("Declaration", Source, Mart, Relation)


@dataclass(frozen=True)
class Project:
    """All that a package declares, by name."""

    package: str
    sources: dict[str, Source]
    marts: dict[str, Mart]
    relations: dict[str, Relation] = field(default_factory=dict)


def load(package: str) -> Project:
    """Import every module below `package` and gather its sources, marts and relations.

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
        if name in RESERVED:
            raise DefinitionError(f"{name} names {RESERVED[name]}, no table", declared[0].place)
    return Project(package, sources, marts, _gather(modules, Relation))


def _modules(package: str) -> Iterator[ModuleType]:
    framework = __name__.rpartition(".")[0] + "."
    root = _import(package, package)
    if not hasattr(root, "__path__"):
        raise UsageError(f"{package} is a module, no package", hint="name the folder it is in")
    for folder in map(Path, root.__path__):
        for file in folder.rglob("*.py"):
            if not file.with_name("__init__.py").exists():
                raise DefinitionError(
                    f"{file.parent} has modules but is no package, so none of them is found",
                    hint=f"create {file.with_name('__init__.py')}",
                )
    yield root
    for found in pkgutil.walk_packages(root.__path__, f"{package}."):
        if not f"{found.name}.".startswith(framework):
            yield _import(found.name, package)


def _import(name: str, package: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except DefinitionError:
        raise
    except Exception as error:
        missing = error.name if isinstance(error, ModuleNotFoundError) else None
        if missing and f"{package}.".startswith(f"{missing}."):
            raise UsageError(
                f"there is no package {package}", hint="name one that Python can import from here"
            ) from error
        # Whatever an author's module raises on import is the author's slip; the chained
        # exception keeps the traceback.
        raise DefinitionError(f"module {name} does not import", *_origin(error)) from error


def _origin(error: Exception) -> tuple[str, str]:
    if isinstance(error, SyntaxError):
        return f"SyntaxError: {error.msg}", f"{error.filename}:{error.lineno}"
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if not _is_ours(frame.filename)]
    frame = (own or frames)[-1]
    return f"{type(error).__name__}: {error}", f"{frame.filename}:{frame.lineno}"


def _is_ours(file: str) -> bool:
    return file.startswith("<frozen") or Path(file).parent == Path(__file__).parent


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
