"""Python as the formatter of ruff writes it, so that a new project passes its check at once."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

WIDTH = 100
INDENT = "    "


@dataclass(frozen=True)
class Argument:
    """One argument of a call, or one element of a list, with the comments above it.

    `value` is code on one line, or a call or list of which each element gets its own line if there
    is no room.
    """

    value: str | Call
    name: str = ""
    comments: tuple[str, ...] = ()
    is_apart: bool = False
    """Whether its elements get lines of their own even if there is room."""


@dataclass(frozen=True)
class Call:
    """A call or a list: what opens it, its arguments, and what closes it."""

    opening: str
    arguments: tuple[Argument, ...]
    closing: str


def call(function: str, arguments: Iterable[Argument]) -> Call:
    """Return a call."""
    return Call(f"{function}(", tuple(arguments), ")")


def listed(values: Iterable[Argument]) -> Call:
    """Return a list."""
    return Call("[", tuple(values), "]")


def literal(text: str) -> str:
    """Return a text as a literal, in the quotes that need fewer escapes, double ones if equal."""
    code = repr(text)
    quote, body = code[0], code[1:-1]
    if quote == '"':
        return code
    plain = body.replace("\\'", "'")
    if '"' not in plain:
        return f'"{plain}"'
    if plain.count('"') <= text.count("'"):
        return '"' + plain.replace('"', '\\"') + '"'
    return code


def flat(value: str | Call) -> str:
    """Return code on one line."""
    if isinstance(value, str):
        return value
    inner = ", ".join(_prefix(each) + flat(each.value) for each in value.arguments)
    return f"{value.opening}{inner}{value.closing}"


def _prefix(argument: Argument) -> str:
    return f"{argument.name}=" if argument.name else ""


def _needs_lines(value: str | Call) -> bool:
    return not isinstance(value, str) and any(
        each.comments or each.is_apart or _needs_lines(each.value) for each in value.arguments
    )


def lines(
    value: str | Call, *, depth: int = 0, before: str = "", after: str = "", apart: bool = False
) -> list[str]:
    """Return the lines of an expression at a depth; `before` and `after` are on its lines, too."""
    indent = INDENT * depth
    whole = f"{indent}{before}{flat(value)}{after}"
    if isinstance(value, str) or not value.arguments:
        return [whole]
    if not (apart or _needs_lines(value) or len(whole) > WIDTH):
        return [whole]
    found = [f"{indent}{before}{value.opening}"]
    for each in value.arguments:
        found += [f"{indent}{INDENT}# {comment}" for comment in each.comments]
        found += lines(
            each.value,
            depth=depth + 1,
            before=_prefix(each),
            after=",",
            apart=each.is_apart,
        )
    return [*found, f"{indent}{value.closing}{after}"]


def imported(module: str, names: Sequence[str]) -> list[str]:
    """Return the import of some names, in the order in which ruff sorts them."""
    ordered = sorted({*names}, key=lambda name: (not name.isupper(), not name[0].isupper(), name))
    line = f"from {module} import {', '.join(ordered)}"
    if len(line) <= WIDTH:
        return [line]
    return [f"from {module} import (", *(f"{INDENT}{name}," for name in ordered), ")"]


def wrapped(text: str, *, width: int, first: str = "", then: str = "") -> list[str]:
    """Return a text as lines no longer than a width."""
    return textwrap.wrap(
        text,
        width,
        initial_indent=first,
        subsequent_indent=then,
        break_long_words=False,
        break_on_hyphens=False,
    )
