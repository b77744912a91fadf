"""Authors' functions: where they are written, what they ask for, and calling them."""

from __future__ import annotations

import functools
import inspect
import os
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FunctionType, MethodType
from typing import Any

import ibis.expr.types as ir
from ibis.common.exceptions import TranslationError

from marts.core.authoring.memtables import written_out
from marts.core.authoring.slips import TOO_DEEP, hint_of, in_words, refuse_impossible
from marts.core.errors import DefinitionError


def location_of(file: str, line: int) -> str:
    """Return file and line; the path is relative if the file is below the current folder."""
    relative = os.path.relpath(file)
    return f"{file if relative.startswith('..') else relative}:{line}"


def function_of(given: object) -> FunctionType | None:
    """Return the function that the author wrote, behind a partial, method, wrapper or callable.

    None if it was not written in Python.
    """
    while not isinstance(given, FunctionType) or "__wrapped__" in vars(given):
        match given:
            case functools.partial(func=inner) | MethodType(__func__=inner):
                given = inner
            case _ if inner := inspect.getattr_static(given, "__wrapped__", None):
                given = inner
            case _:
                call = inspect.getattr_static(type(given), "__call__", None)
                return call if isinstance(call, FunctionType) else None
    return given


def location_of_function(given: object) -> str | None:
    """Return where the author wrote a function, None if it was not written in Python."""
    function = function_of(given)
    if function is None:
        return None
    return location_of(function.__code__.co_filename, function.__code__.co_firstlineno)


def location_of_caller(depth: int) -> str:
    """Return the location of the call `depth` levels above the function that calls this one."""
    caller = sys._getframe(depth + 1)  # noqa: SLF001  (the declaration's file and line)
    return location_of(caller.f_code.co_filename, caller.f_lineno)


def parameters_of(function: Callable[..., object]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the names that a function asks for, and its parameters that are not plain names.

    A parameter with a default asks for nothing, so an author can bind a value with it.
    """
    parameters = inspect.signature(function).parameters.values()
    asking = [each for each in parameters if each.default is each.empty]
    odd = tuple(str(each) for each in asking if each.kind is not each.POSITIONAL_OR_KEYWORD)
    return tuple(each.name for each in asking), odd


def bound_parameters(function: Callable[..., object]) -> tuple[str, ...]:
    """Return the names of the parameters that have a default."""
    parameters = inspect.signature(function).parameters.values()
    return tuple(each.name for each in parameters if each.default is not each.empty)


@dataclass(frozen=True)
class Expected:
    """What an author's function must return, as types and in words."""

    types: tuple[type, ...]
    words: str


TABLE = Expected((ir.Table,), "a table")
BOOLEAN_COLUMN = Expected((ir.BooleanValue,), "a boolean for each row")
TABLE_OR_BOOLEAN = Expected((ir.Table, ir.BooleanScalar), "a table or one boolean")


def call(
    function: Callable[..., object],
    *given: object,
    what: str,
    location: str,
    expected: Expected,
) -> Any:
    """Call an author's function, and return what it returns.

    Raises DefinitionError, with `what` the function defines and the line within it, if the function
    raises anything or returns something that is not `expected`.
    """
    try:
        found = written_out(function(*given), what=what, location=location)
        if isinstance(found, ir.Table):
            # Ibis builds a join only when it is asked for its columns, and may refuse it then.
            _ = found.columns
    except (DefinitionError, KeyboardInterrupt):
        raise
    except BaseException as error:  # whatever the author's code raises, with the cause chained
        raise DefinitionError(
            f"{what} failed to build its expression",
            in_words(error),
            line_within(function, error) or location,
            hint=hint_of(error, given),
        ) from error
    if not isinstance(found, expected.types):
        kind = found.type() if isinstance(found, ir.Value) else type(found).__name__
        raise DefinitionError(
            f"{what} failed to build its expression",
            f"expected {expected.words}, got {kind}",
            location_of_function(function) or location,
        )
    refuse_impossible(found, what=what, location=location_of_function(function) or location)
    return found


def line_within(function: object, error: BaseException) -> str | None:
    """Return the innermost line of the author's file in a traceback, None if there is none."""
    written = function_of(function)
    if written is None:
        return None
    file = written.__code__.co_filename
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if frame.filename == file and frame.lineno]
    return location_of(file, lines[-1]) if lines else None


@contextmanager
def naming(what: str, location: str) -> Iterator[None]:
    """Turn what Ibis cannot compile into an error that names the expression's owner."""
    try:
        yield
    except RecursionError as error:
        raise DefinitionError(
            f"{what} is an expression nested too deeply to compile", location, hint=TOO_DEEP
        ) from error
    except TranslationError as error:
        raise DefinitionError(
            f"{what} has an expression that cannot be compiled", in_words(error), location
        ) from error
