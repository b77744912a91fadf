"""Shell completion of marts and selectors: it parses a package's files, and imports none."""

from __future__ import annotations

import ast
import re
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from importlib.machinery import PathFinder
from pathlib import Path

import click

from marts.core import FOLDER
from marts.core.console.project_file import project_settings
from marts.core.errors import UsageError
from marts.core.project.packages import home_of
from marts.core.project.settings import with_given

# Only files with such a line are parsed.
DECLARES = re.compile(r"^\s*@.*\(", re.MULTILINE)


@dataclass(frozen=True)
class Declared:
    """A table as written in its file: name, literal tags and group, folders below the package."""

    name: str
    words: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()


def complete_columns(context: click.Context, _parameter: click.Parameter, start: str) -> list[str]:
    """Return the tables of the current package, or after a dot the columns of one, as typed so far.

    Columns are known where a table's declaration names them.
    """
    table, dot, _ = start.partition(".")
    found = [
        each for each in _declared(context, with_sources=True) if not dot or each.name == table
    ]
    names = {f"{each.name}.{column}" for each in found for column in each.columns}
    if not dot:
        names = {each.name for each in found}
    return sorted(name for name in names if name.startswith(start))


def complete_marts(context: click.Context, _parameter: click.Parameter, start: str) -> list[str]:
    """Return the marts of the current package whose names begin with `start`."""
    return sorted(name for name in {m.name for m in _declared(context)} if name.startswith(start))


def complete_environments(
    _context: click.Context, _parameter: click.Parameter, start: str
) -> list[str]:
    """Return the environments of the project's file whose names begin with `start`."""
    try:
        return sorted(name for name in project_settings().environments if name.startswith(start))
    except UsageError:
        return []


def complete_selectors(
    context: click.Context, _parameter: click.Parameter, start: str
) -> list[str]:
    """Return the selectors that begin with `start`: names, tags, groups, folders.

    Each keeps the text up to the last comma, and a `+` after it.
    """
    before, comma, last = start.rpartition(",")
    prefix = before + comma + ("+" if last.startswith("+") else "")
    found: set[str] = set()
    for mart in _declared(context):
        found |= {mart.name, *mart.folders, *mart.words}
    return sorted(prefix + each for each in found if (prefix + each).startswith(start))


def _declared(context: click.Context, *, with_sources: bool = False) -> list[Declared]:
    """Return a package's tables; none if it cannot be read, since a shell shows no errors."""
    try:
        settings = project_settings()
        if package := context.params.get("package"):
            settings = with_given(settings, package=package)
        if settings.package is None:
            return []
        # The same search path as for importing it.
        home = home_of(settings.folder_of("package"), settings.package)
        path = [str(home), *sys.path]
        folders = _folders(settings.package, path)
        read = (_marts_in, _sources_in) if with_sources else (_marts_in,)
        return [each for folder in folders for each in _tables_below(folder, read)]
    except (OSError, ValueError, ImportError, UsageError):
        return []


def _folders(package: str, path: list[str]) -> list[Path]:
    """Return the folders of a package, without importing it or its parents, which runs code."""
    *_, found = _specs(package.split("."), path)
    return [Path(folder) for folder in found]


def _specs(parts: list[str], path: list[str]) -> Iterator[list[str]]:
    for depth in range(len(parts)):
        spec = PathFinder.find_spec(".".join(parts[: depth + 1]), path)
        path = list(spec.submodule_search_locations or ()) if spec else []
        yield path


def _tables_below(
    folder: Path, read: Iterable[Callable[[str], Iterator[Declared]]]
) -> Iterator[Declared]:
    for file in sorted(folder.rglob("*.py")):
        inner = file.parent.relative_to(folder).parts
        if not file.is_relative_to(FOLDER) and all(part.isidentifier() for part in inner):
            paths = tuple("/".join(inner[: depth + 1]) for depth in range(len(inner)))
            # Most files that cannot be read are not Python.
            with suppress(OSError, ValueError):
                text = file.read_text("utf-8-sig")
                yield from (replace(each, folders=paths) for of in read for each in of(text))


def _marts_in(text: str) -> Iterator[Declared]:
    """Yield the functions of a file that `@mart(…)` decorates, under any imported name."""
    if "mart" not in text or not DECLARES.search(text) or (tree := _parsed(text)) is None:
        return
    words = _imported_as("mart", tree)
    for function in (node for node in tree.body if isinstance(node, ast.FunctionDef)):
        for call in function.decorator_list:
            if isinstance(call, ast.Call) and _last_name(call.func) in words:
                selectors = (*_literals(call, "tags"), *_literals(call, "group"))
                yield Declared(function.name, selectors, columns=tuple(_columns(call)))


def _sources_in(text: str) -> Iterator[Declared]:
    """Yield what a file declares by `source("…", …)`, under any imported name."""
    if "source" not in text or (tree := _parsed(text)) is None:
        return
    words = _imported_as("source", tree)
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        if _last_name(call.func) in words and (name := _first_text(call)):
            yield Declared(name, columns=tuple(_columns(call)))


def _parsed(text: str) -> ast.Module | None:
    try:
        with warnings.catch_warnings(action="ignore"):
            return ast.parse(text)
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return None


def _imported_as(word: str, tree: ast.Module) -> set[str]:
    return {word} | {
        name.asname
        for node in tree.body
        if isinstance(node, ast.ImportFrom)
        for name in node.names
        if name.name == word and name.asname
    }


def _columns(call: ast.Call) -> Iterator[str]:
    """Yield the columns in a declaration: `string("name")`, or a shared one as `c.name`."""
    for each in call.keywords:
        if each.arg == "columns" and isinstance(each.value, ast.List | ast.Tuple):
            for column in each.value.elts:
                name = _first_text(column) if isinstance(column, ast.Call) else _last_name(column)
                yield from [name] if name else []


def _first_text(call: ast.Call) -> str:
    match call.args:
        case [ast.Constant(value=str() as text), *_]:
            return text
        case _:
            return ""


def _last_name(function: ast.expr) -> str:
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


def _literals(call: ast.Call, keyword: str) -> Iterator[str]:
    """Yield the selectors of the string literals in a keyword's value."""
    word = {"tags": "tag", "group": "group"}[keyword]
    for each in call.keywords:
        if each.arg == keyword:
            within = ast.walk(each.value)
            texts = [node.value for node in within if isinstance(node, ast.Constant)]
            yield from (f"{word}:{text}" for text in texts if isinstance(text, str))
