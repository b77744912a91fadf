"""Build the wheel, in which the modules at the top of the repository are private ones of marts.

The project that installs marts may have a `backends`, a `fixtures` and a `cli` of its own, and
Python imports one module of a name. So the wheel holds ours below `marts.core`, and its import
statements name them there. See `.github/decisions/private-names.md`.
"""

from __future__ import annotations

import ast
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

MOVED = {name: f"marts.core._{name}" for name in ("backends", "fixtures", "cli")}
WORDS = "|".join(MOVED)
STATEMENT = re.compile(rf"from ({WORDS})(?=[. ])")
MODULE_OR_FILE = re.compile(rf"({WORDS})([./][\w./]*)?")
ENTRY, ENTRY_MODULE = "marts/core/console/entry.py", "_marts_entry.py"
NOT_MODULES = {
    ("marts/core/console/options.py", "fixtures"): "the old name of --data",
    **{
        (f"marts/core/project/{file}.py", name): "a name that a module of somebody else may have"
        for file in ("packages", "proof_modules")
        for name in MOVED
    },
}


class PrivateNames(BuildHookInterface[Any]):
    """The hook: it writes the wheel's files to a temporary folder."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Say which files the wheel has; an editable one leads to the repository's own."""
        root, self._folder = Path(self.root), tempfile.mkdtemp()
        if version == "editable":
            build_data["force_include_editable"][str(root / ENTRY)] = ENTRY_MODULE
            return
        for file in _shipped(root):
            name = file.relative_to(root).as_posix()
            written = Path(self._folder, _moved(name))
            written.parent.mkdir(parents=True, exist_ok=True)
            if file.suffix == ".py":
                written.write_text(rewritten(file.read_text("utf-8"), name), "utf-8")
            else:
                shutil.copyfile(file, written)
        for name in ("marts", ENTRY_MODULE):
            build_data["force_include"][f"{self._folder}/{name}"] = name

    def finalize(self, _version: str, _build_data: dict[str, Any], _artifact: str) -> None:
        """Remove the temporary folder."""
        shutil.rmtree(self._folder)


def _shipped(root: Path) -> Iterator[Path]:
    yield root / "cli.py"
    for name in ("marts", "backends", "fixtures"):
        for file in sorted((root / name).rglob("*")):
            if file.is_file() and "__pycache__" not in file.parts:
                yield file


def _moved(name: str) -> str:
    """Return where the wheel has a file: backends/sql.py is marts/core/_backends/sql.py."""
    if name == ENTRY:
        return ENTRY_MODULE
    return re.sub(rf"^({WORDS})(?=[./])", lambda top: MOVED[top[1]].replace(".", "/"), name)


def rewritten(code: str, file: str) -> str:
    """Return a module whose imports name the modules of the wheel.

    Raises ValueError for a name of ours that it does not know to rewrite.
    """
    lines = code.splitlines(keepends=True)
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.ImportFrom) and node.level == 0 and _is_moved(node.module):
            line, start = lines[node.lineno - 1], node.col_offset
            statement, changes = STATEMENT.subn(
                lambda found: f"from {MOVED[found[1]]}", line[start:], count=1
            )
            if not changes:
                raise _refusal(file, node, line.strip())
            lines[node.lineno - 1] = line[:start] + statement
    changed = "".join(lines)
    _refuse_what_is_left(ast.parse(changed), file)
    return changed


def _is_moved(module: str | None) -> bool:
    return (module or "").partition(".")[0] in MOVED


def _refuse_what_is_left(tree: ast.Module, file: str) -> None:
    """Raise ValueError for another import of ours, or a string that may be one or a file's name."""
    docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names) if any(_is_moved(each.name) for each in names):
                raise _refusal(file, node, ast.unparse(node))
            case ast.ImportFrom(level=level, module=module) if level or _is_moved(module):
                raise _refusal(file, node, ast.unparse(node))
            case ast.Constant(value=str(text)) if MODULE_OR_FILE.fullmatch(text):
                if id(node) not in docstrings and (file, text) not in NOT_MODULES:
                    raise _refusal(file, node, repr(text))


def _refusal(file: str, node: ast.stmt | ast.expr, what: str) -> ValueError:
    return ValueError(
        f"{file}:{node.lineno}: {what}: the wheel has the modules {WORDS.replace('|', ', ')} under"
        " other names; write `from <module> import <name>`"
    )
