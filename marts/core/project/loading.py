"""Find the declarations in a package, which is imported by its name."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import TypeVar

from marts.core import PACKAGE
from marts.core.authoring.checks import THIS
from marts.core.authoring.expressions import AS_OF
from marts.core.authoring.invariants import Invariant
from marts.core.authoring.proofs import ForProof
from marts.core.authoring.queries import ExampleQuery
from marts.core.authoring.signature import location_of
from marts.core.authoring.tables import Mart, Source
from marts.core.errors import DefinitionError, UsageError
from marts.core.project.import_errors import import_error

RESERVED = {AS_OF: "the run's date", THIS: "the table that a check belongs to"}

# Only files with such a line are parsed.
DECLARES = re.compile(r"^\s*@.*\(", re.MULTILINE)

Declaration = TypeVar("Declaration", Source, Mart, Invariant, ExampleQuery)


@dataclass(frozen=True)
class Declarations:
    """Everything that a package declares, by name."""

    package: str
    sources: dict[str, Source]
    marts: dict[str, Mart]
    invariants: dict[str, Invariant] = field(default_factory=dict)
    for_proof: tuple[ForProof, ...] = ()
    """What its modules declare for proofs, which have no names of their own."""
    queries: dict[str, ExampleQuery] = field(default_factory=dict)
    """Example queries, which no run executes."""


def load(package: str) -> Declarations:
    """Import every module below `package` and gather what it declares.

    Raises UsageError if there is no such package, DefinitionError if a module cannot be imported,
    two declarations share a name, or a mart is not in a module of its name.
    """
    modules = list(_modules(package))
    sources = _gather(modules, Source)
    marts = _gather(modules, Mart)
    _refuse_names(sources, marts)
    for mart in marts.values():
        _refuse_location(mart, modules)
    return Declarations(
        package,
        sources,
        marts,
        _gather(modules, Invariant),
        declared_for_proof(modules),
        _gather(modules, ExampleQuery),
    )


def _refuse_names(sources: Mapping[str, Source], marts: Mapping[str, Mart]) -> None:
    """Raise DefinitionError for a reserved name, or one of two tables, whatever their case."""
    met: dict[str, Source | Mart] = {}
    tables: list[Source | Mart] = [*sources.values(), *marts.values()]
    for table in tables:
        kind = "source" if isinstance(table, Source) else "mart"
        if table.name in RESERVED:
            raise DefinitionError(
                f"{table.name} is reserved for {RESERVED[table.name]}",
                table.location,
                hint=f"give the {kind} another name",
            )
        # Engines fold names, some to upper case and some to lower.
        other = met.setdefault(table.name.casefold().upper(), table)
        if other is table:
            continue
        if other.name == table.name:
            what, why = f"{table.name} is both a source and a mart", ""
        else:
            what = f"{other.name} and {table.name} are the same name to engines, which fold case"
            why = f" to a name that differs in more than case from {other.name}"
        raise DefinitionError(
            what, other.location, table.location, hint=f"rename the {kind} {table.name}{why}"
        )


def _refuse_location(mart: Mart, modules: Iterable[ModuleType]) -> None:
    """Raise DefinitionError for a mart that is not in a file of its name."""
    own = mart.module.rpartition(".")[2]
    holders = (each for each in modules if each.__name__.rpartition(".")[2] == mart.name)
    if own == mart.name or any(vars(each).get(mart.name) is mart for each in holders):
        return
    file, _, _ = mart.location.rpartition(":")
    is_init = Path(file).name == "__init__.py"
    move = f"move it to {Path(file).with_name(f'{mart.name}.py')}"
    raise DefinitionError(
        f"mart {mart.name} is declared in {Path(file).name}, not in a file of its name",
        mart.location,
        hint=move if is_init else f"{move}, or rename the function to {own}",
    )


def _modules(package: str) -> Iterator[ModuleType]:
    if not all(part.isidentifier() for part in package.split(".")):
        other = package.replace("-", "_")
        is_dashed = other != package and all(part.isidentifier() for part in other.split("."))
        raise UsageError(
            f"{package or 'an empty text'} is not a package name",
            hint=f"name the package, and its folder, {other}: Python imports no name with a dash"
            if is_dashed
            else "name it as Python imports it: shop, or company.shop",
        )
    root = _import(package, package)
    if not hasattr(root, "__path__"):
        raise UsageError(f"{package} is a module, not a package", hint="name the folder it is in")
    for folder in map(Path, root.__path__):
        for file in folder.rglob("*.py"):
            parents = file.relative_to(folder).parts[:-1]
            if _can_be_packages(parents) and not file.with_name("__init__.py").exists():
                raise DefinitionError(
                    f"{file.parent} has modules but is not a package, so none of them is found",
                    hint=f"create {file.with_name('__init__.py')}",
                )
    yield root
    for found in pkgutil.walk_packages(root.__path__, f"{package}."):
        is_program = found.name.endswith(".__main__")
        if not is_program and not f"{found.name}.".startswith(f"{PACKAGE}."):
            yield _import(found.name, package)


def _can_be_packages(folders: Iterable[str]) -> bool:
    """Tell whether Python could import from a folder: not from `.ipynb_checkpoints`."""
    return all(name.isidentifier() and name != "__pycache__" for name in folders)


def _import(name: str, package: str) -> ModuleType:
    try:
        module = importlib.import_module(name)
    except (DefinitionError, KeyboardInterrupt):
        raise
    except BaseException as error:
        missing = error.name if isinstance(error, ModuleNotFoundError) else None
        if missing and f"{package}.".startswith(f"{missing}."):
            raise UsageError(
                f"there is no package {package}",
                hint="name a folder with an __init__.py in the folder of the project's"
                " pyproject.toml, or in src/ beside it",
            ) from error
        raise import_error(name, error) from error
    if module.__file__ and Path(module.__file__).suffix == ".py":
        _refuse_defined_twice(Path(module.__file__))
    return module


def _refuse_defined_twice(file: Path) -> None:
    """Raise DefinitionError for a mart whose name a later function of its file takes over."""
    text = file.read_text("utf-8-sig")
    if not DECLARES.search(text):
        return
    with warnings.catch_warnings(action="ignore"):
        functions = [n for n in ast.parse(text).body if isinstance(n, ast.FunctionDef)]
    seen: dict[str, ast.FunctionDef] = {}
    for each in functions:
        first = seen.setdefault(each.name, each)
        if first is not each and any(isinstance(d, ast.Call) for d in first.decorator_list):
            raise DefinitionError(
                f"{each.name} is defined twice, and only the second one counts",
                *(location_of(str(file), _first_line(f)) for f in (first, each)),
                hint="remove or rename one of them",
            )


def _first_line(function: ast.FunctionDef) -> int:
    return min([function.lineno, *(each.lineno for each in function.decorator_list)])


def declared_for_proof(modules: Iterable[ModuleType]) -> tuple[ForProof, ...]:
    """Return what modules declare for proofs, each once, however many of them have it."""
    found: dict[str, ForProof] = {}
    for module in modules:
        for value in vars(module).values():
            if isinstance(value, ForProof):
                # A module that was imported under two names has it twice, with another function.
                found.setdefault(repr(value), value)
    return tuple(found.values())


def _gather(modules: list[ModuleType], kind: type[Declaration]) -> dict[str, Declaration]:
    found: dict[str, Declaration] = {}
    for module in modules:
        for value in vars(module).values():
            if not isinstance(value, kind):
                continue
            known = found.setdefault(value.name, value)
            if known is not value:
                raise DefinitionError(
                    f"{value.name} is declared twice", known.location, value.location
                )
    return found
