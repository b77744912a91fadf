"""Whether a package's declarations depend on nothing but its code, by reading the code.

A definition is Python, and may read a file, a variable or the clock. Where it does not, equal code
declares the same again. Modules and functions of Python that are not known to be harmless count as
harmful, and so do names by which the harmless ones lead to others.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterator
from importlib.machinery import all_suffixes
from pathlib import Path

from marts.core.project.packages import BUNDLED

FRAMEWORK = ("core", "__init__.py", "__main__.py")
"""What in our own package declares nothing."""

LIBRARIES = frozenset(
    {
        "__future__",
        "abc",
        "collections",
        "collections.abc",
        "dataclasses",
        "datetime",
        "decimal",
        "enum",
        "fractions",
        "functools",
        "ibis",
        "ibis.expr.datatypes",
        "ibis.expr.types",
        "ibis.selectors",
        "itertools",
        "math",
        "numbers",
        "re",
        "textwrap",
        "typing",
        BUNDLED,
    }
)
"""The modules that return the same for the same arguments, but for what is in `BEYOND`."""

BUILTINS = frozenset(
    {
        *("abs", "all", "any", "bool", "bytes", "callable", "chr", "classmethod", "complex"),
        *("dict", "divmod", "enumerate", "filter", "float", "format", "frozenset", "int"),
        *("isinstance", "issubclass", "iter", "len", "list", "map", "max", "min", "next"),
        *("object", "ord", "pow", "property", "range", "repr", "reversed", "round", "set"),
        *("slice", "sorted", "staticmethod", "str", "sum", "super", "tuple", "type", "zip"),
        *("False", "None", "True", "NotImplemented", "__name__", "__doc__", "__all__"),
        *("ArithmeticError", "AssertionError", "Exception", "KeyError", "LookupError"),
        *("NotImplementedError", "RuntimeError", "TypeError", "ValueError", "ZeroDivisionError"),
    }
)
"""What a module may use of Python without importing it."""

BEYOND = frozenset(
    {
        # Clocks and chance.
        *("fromtimestamp", "now", "random", "today", "utcnow", "uuid"),
        # Ibis and marts read, connect, execute, and have settings.
        *("Project", "config", "connect", "core", "examples", "execute", "load"),
        *("get_backend", "load_backend", "options", "raw_sql", "set_backend", "sql", "util"),
        # Modules that others have imported, and what is in them.
        *("Path", "bltns", "builtins", "copyreg", "environ", "getenv", "importlib", "inspect"),
        *("io", "open", "operator", "os", "pathlib", "sys", "weakref"),
        # What executes text, or follows it.
        *("eval", "exec", "format", "format_map", "get_type_hints", "getattr", "make_dataclass"),
    }
)
"""Names that lead out of the libraries, as imports and as attributes; so do private ones."""


def impurity(folder: Path) -> str | None:
    """Return what in a package's folder may depend on more than its code, None if nothing does.

    It is said with file and line. Ours is read without the framework that is in it.
    """
    for path in sorted(folder.rglob("*")):
        if _is_left_out(path.relative_to(folder), folder.name):
            continue
        if path.suffix == ".py":
            try:
                module = ast.parse(path.read_bytes())
            except (OSError, SyntaxError, ValueError, RecursionError):
                return f"{path} cannot be read"
            for line, what in _found(module, folder.name):
                return f"{path}:{line} has {what}"
        elif path.name.endswith(tuple(all_suffixes())):
            return f"{path} is not Python's source"
        elif path.is_symlink():
            return f"{path} is a link"
    return None


def _is_left_out(path: Path, package: str) -> bool:
    """Tell whether a file of a package declares nothing."""
    is_framework = package == BUNDLED and path.parts[0] in FRAMEWORK
    # What Python keeps there, it compares with the source.
    return "__pycache__" in path.parts or is_framework


def _found(module: ast.Module, package: str) -> Iterator[tuple[int, str]]:
    """Yield what may depend on more than the code, each with its line."""
    known = BUILTINS | ({*_bound(module)} - {*vars(builtins)})
    for node in ast.walk(module):
        match node:
            case ast.Import(names):
                for each in names:
                    if not _is_allowed(each.name, package):
                        yield node.lineno, f"import {each.name}"
            case ast.ImportFrom(source, names, level):
                yield from (
                    (node.lineno, f"from {source or '.'} import {each.name}")
                    for each in names
                    if not _is_importable(source or "", each.name, level, package)
                )
            case ast.Name(name) if name not in known:
                yield node.lineno, name
            case ast.Attribute(_, name) if _is_beyond(name):
                yield node.lineno, f".{name}"
            case ast.MatchClass(kwd_attrs=names) if any(map(_is_beyond, names)):
                yield node.lineno, f"a pattern with {', '.join(names)}"
            case ast.Global() | ast.AsyncFunctionDef() | ast.Await():
                yield node.lineno, type(node).__name__.lower()


def _is_importable(source: str, name: str, level: int, package: str) -> bool:
    is_own = bool(level) or source.partition(".")[0] == package != BUNDLED
    if is_own:
        # What the other module has under this name is examined there.
        return True
    is_below = _is_allowed(f"{source}.{name}", package)
    return (_is_allowed(source, package) or is_below) and name != "*" and not _is_beyond(name)


def _is_allowed(module: str, package: str) -> bool:
    """Tell whether a module may be imported: a library that is known, or one of the package."""
    top, _, rest = module.partition(".")
    if top == BUNDLED:
        # The framework itself can do everything; beside it are our own marts.
        return not rest or (package == BUNDLED and rest.partition(".")[0] != "core")
    return module in LIBRARIES or top == package


def _is_beyond(name: str) -> bool:
    is_private = name.startswith("_") and name != "_" and name not in BUILTINS
    return is_private or name in BEYOND or name.startswith("read_")


def _bound(module: ast.Module) -> Iterator[str]:
    """Yield the names that a module binds itself, anywhere."""
    for node in ast.walk(module):
        match node:
            case ast.Name(name, ast.Store()):
                yield name
            case ast.arg(name):
                yield name
            case ast.FunctionDef(name) | ast.ClassDef(name):
                yield name
            case ast.Import(names) | ast.ImportFrom(names=names):
                yield from (each.asname or each.name.partition(".")[0] for each in names)
            case ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
                yield name
            case ast.MatchMapping(rest=str(name)):
                yield name
            case ast.ExceptHandler(name=str(name)):
                yield name
