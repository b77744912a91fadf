"""What an author's module raises on import, in words and with the line that raised it."""

from __future__ import annotations

import inspect
import re
import sysconfig
import traceback
from collections.abc import Iterable
from pathlib import Path
from types import FrameType
from typing import Any, get_type_hints

from marts.core import FOLDER, PACKAGE
from marts.core.errors import DefinitionError, did_you_mean

ENDS = """a module of declarations must not exit; put a script below `if __name__ == "__main__":`"""
UNEXPECTED = re.compile(r"([\w.]+)\(\) got an unexpected keyword argument '(\w+)'")


def import_error(name: str, error: BaseException) -> DefinitionError:
    """Return the error for whatever a module raises on import, an exit included.

    It is its author's mistake; who raises it chains the exception, which keeps the traceback.
    """
    what, location = _cause(error)
    if misspelt := _misspelt_keyword(error):
        function, word, known = misspelt
        listed = f"its keywords are {', '.join(known)}"
        return DefinitionError(
            f"{function}(…) takes no {word}", location, hint=did_you_mean(word, known) or listed
        )
    hint = None if isinstance(error, Exception) else ENDS
    return DefinitionError(f"cannot import module {name}", what, location, hint=hint)


def _misspelt_keyword(error: BaseException) -> tuple[str, str, list[str]] | None:
    """Return the declaration, the keyword that it does not take, and those that it takes.

    None for any other error, and for a function that is not one of ours.
    """
    found = UNEXPECTED.match(str(error)) if isinstance(error, TypeError) else None
    if found is None:
        return None
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    name, word = found[1], found[2]
    if "." in name:
        # The class of a check, which the author's call has passed the keyword to.
        name = frames.pop().f_code.co_name
    function = _called(name, frames)
    if function is None or not function.__module__.startswith(PACKAGE):
        return None
    return name, word, _keywords_of(function)


def _called(name: str, frames: Iterable[FrameType]) -> Any:
    """Return the function that the innermost frame calls by a name, also as `module.name`."""
    *_, frame = frames
    names = frame.f_globals
    holders = [value for value in names.values() if hasattr(value, "__path__")]
    found = (vars(each).get(name) or getattr(each, name, None) for each in holders)
    return names.get(name) or next(filter(None, found), None)


def _keywords_of(function: Any) -> list[str]:
    parameters = inspect.signature(function).parameters.values()
    known = [each.name for each in parameters if each.kind is each.KEYWORD_ONLY]
    for each in parameters:
        if each.kind is each.VAR_KEYWORD:
            (taken,) = get_type_hints(function)[each.name].__args__
            known += taken.__annotations__
    return known


def _cause(error: BaseException) -> tuple[str, str]:
    """Return an exception in words, and the location in the author's code that raised it."""
    if isinstance(error, SyntaxError):
        return f"SyntaxError: {error.msg}", f"{error.filename}:{error.lineno}"
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if not _is_ours(frame.filename)]
    # Frames of compiled modules name files that are not there.
    there = [frame for frame in own if Path(frame.filename).is_file()]
    written = [frame for frame in there if not is_installed(frame.filename)]
    frame = (written or own or frames)[-1]
    what = f"{type(error).__name__}: {error}".removesuffix(": ")
    return what, f"{frame.filename}:{frame.lineno}"


def _is_ours(file: str) -> bool:
    return file.startswith("<frozen") or Path(file).is_relative_to(FOLDER)


def is_installed(file: str) -> bool:
    """Tell whether a file is one of Python, or of a package that is installed."""
    folders = map(sysconfig.get_path, ("stdlib", "purelib", "platlib"))
    return any(Path(file).is_relative_to(folder) for folder in folders)
