"""Names that authors' functions look up outside themselves, and their values when declared.

Python looks a name up when a function runs, not where it is written: lambdas made in a loop all see
the loop's last value. So a declaration records the values that its functions see, and these are
compared with the current ones once everything is declared.
"""

from __future__ import annotations

import dis
import functools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from types import BuiltinFunctionType, CodeType, FunctionType, MethodType, ModuleType

import ibis.expr.types as ir

from marts.core import PACKAGE
from marts.core.authoring.signature import function_of, location_of_function
from marts.core.errors import DefinitionError


@dataclass(frozen=True)
class Binding:
    """A name outside a function that it looks up when it runs, and its value when declared."""

    name: str
    value: object = field(repr=False)
    now: Callable[[], object] = field(repr=False, compare=False)
    declared: FunctionType = field(repr=False)
    """The function that was declared."""
    reader: FunctionType = field(repr=False)
    """The function that reads the name: that one, or a function that it calls."""


def bindings_of(*functions: object) -> tuple[Binding, ...]:
    """Return the names that declared functions look up outside, with their current values.

    Names without a value are left out, and so are names of modules, and of functions and classes
    under their own name: these may be defined later, or again.
    """
    found: list[Binding] = []
    for declared in filter(None, map(function_of, functions)):
        waiting, met = [declared], {declared}
        while waiting:
            reader = waiting.pop()
            for name, now in _lookups(reader):
                value = _read(now)
                if value is _MISSING or isinstance(value, ModuleType):
                    continue
                if not _is_named_definition(value, name):
                    found.append(Binding(name, value, now, declared, reader))
                called = function_of(value) if isinstance(value, _CALLED) else None
                if called and called not in met and _is_neighbour(called, declared):
                    met.add(called)
                    waiting.append(called)
    return tuple(found)


_MISSING = object()


_CALLED = (FunctionType, MethodType, functools.partial)


def _is_named_definition(value: object, name: str) -> bool:
    """Tell whether a value is a function or class that was defined under this name."""
    is_written = isinstance(value, (FunctionType, BuiltinFunctionType, type))
    return is_written and getattr(value, "__name__", None) == name


def _read(now: Callable[[], object]) -> object:
    try:
        return now()
    except (ValueError, KeyError):  # an empty cell, a name that is not defined
        return _MISSING


def _lookups(function: FunctionType) -> Iterator[tuple[str, Callable[[], object]]]:
    """Yield each outside name that a function reads but does not write, with a way to read it."""
    code, known = function.__code__, function.__globals__
    codes = tuple(_codes(code))
    if not code.co_freevars and not any(name in known for each in codes for name in each.co_names):
        return
    read, written = set[str](), set[str]()
    for instruction in (each for code in codes for each in dis.get_instructions(code)):
        # `co_names` has attributes, too, and the `n` of `t.n` is not a variable.
        if instruction.opname in ("LOAD_GLOBAL", "LOAD_NAME"):
            read.add(instruction.argval)
        elif instruction.opname in ("STORE_GLOBAL", "STORE_DEREF"):
            written.add(instruction.argval)
    for name, cell in zip(code.co_freevars, function.__closure__ or (), strict=True):
        if name not in written:
            yield name, functools.partial(getattr, cell, "cell_contents")
    for name in sorted((read & known.keys()) - written):
        yield name, functools.partial(known.__getitem__, name)


def _codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for each in code.co_consts:
        if isinstance(each, CodeType):
            yield from _codes(each)


def _is_neighbour(function: FunctionType, declared: FunctionType) -> bool:
    """Tell whether a function is in the package that calls it, and not in the framework."""
    own, other = (each.__module__ or "" for each in (declared, function))
    return own.partition(".")[0] == other.partition(".")[0] and not f"{other}.".startswith(
        f"{PACKAGE}."
    )


def refuse_rebound(what: str, bindings: Iterable[Binding]) -> None:
    """Raise DefinitionError where a function would see another value than when it was declared."""
    for binding in bindings:
        now = _read(binding.now)
        if (
            now is _MISSING
            or _is_named_definition(now, binding.name)
            or _is_same(binding.value, now)
        ):
            continue
        raise DefinitionError(
            f"{what} sees {binding.name} = {_shown(now)};"
            f" it was {_shown(binding.value)} where the {what.partition(' ')[0]} is declared",
            location_of_function(binding.declared) or "",
            hint=_remedy(binding),
        )


def _is_same(before: object, now: object) -> bool:
    if before is now:
        return True
    if type(before) is not type(now):
        return False
    if isinstance(before, ir.Expr):
        return bool(before.equals(now))
    try:
        return bool(before == now)
    except Exception:  # noqa: BLE001  (whatever the comparison of an author's value raises)
        return False


def _shown(value: object) -> str:
    name = getattr(value, "__name__", None) or getattr(value, "name", None)
    text = name if isinstance(name, str) else repr(value)
    return text if len(text) <= 60 else f"{text[:59]}…"


def _remedy(binding: Binding) -> str:
    """Return the edit that binds a name where the function is declared."""
    name, declared, reader = binding.name, binding.declared, binding.reader
    code = declared.__code__
    words = ", ".join([*code.co_varnames[: code.co_argcount], f"{name}={name}"])
    is_lambda = declared.__name__ == "<lambda>"
    form = f"lambda {words}: …" if is_lambda else f"def {declared.__name__}({words}): …"
    why = f"Python looks {name} up when the function runs; bind it where it is declared: {form}"
    if reader is declared:
        return why
    return f"{why}, and let it pass {name} to {reader.__name__}"
