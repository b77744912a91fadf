"""Shell completion of marts and selectors: it parses a package's files, and imports none."""

from __future__ import annotations

import ast
import re
import sys
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
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
    """A mart as written in its file: name, literal tags and group, folders below the package."""

    name: str
    words: tuple[str, ...] = ()
    folders: tuple[str, ...] = field(default=())


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


def _declared(context: click.Context) -> list[Declared]:
    """Return a package's marts; none if it cannot be read, since a shell shows no errors."""
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
        return [mart for folder in folders for mart in _marts_below(folder)]
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


def _marts_below(folder: Path) -> Iterator[Declared]:
    for file in sorted(folder.rglob("*.py")):
        inner = file.parent.relative_to(folder).parts
        if not file.is_relative_to(FOLDER) and all(part.isidentifier() for part in inner):
            paths = tuple("/".join(inner[: depth + 1]) for depth in range(len(inner)))
            for name, words in _marts_in(file):
                yield Declared(name, words, paths)


def _marts_in(file: Path) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield the functions of a file that `@mart(…)` decorates, under any imported name."""
    try:
        text = file.read_text("utf-8-sig")
        if "mart" not in text or not DECLARES.search(text):
            return
        with warnings.catch_warnings(action="ignore"):
            tree = ast.parse(text)
    except (OSError, ValueError, SyntaxError, RecursionError, MemoryError):
        return
    words = {"mart"} | {
        name.asname
        for node in tree.body
        if isinstance(node, ast.ImportFrom)
        for name in node.names
        if name.name == "mart" and name.asname
    }
    for function in (node for node in tree.body if isinstance(node, ast.FunctionDef)):
        for call in function.decorator_list:
            if isinstance(call, ast.Call) and _last_name(call.func) in words:
                yield function.name, (*_literals(call, "tags"), *_literals(call, "group"))


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
