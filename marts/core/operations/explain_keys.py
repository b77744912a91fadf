"""Read the key of a row, as it is typed."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from math import isfinite
from typing import Any

from marts.core.authoring.columns import Column, type_of
from marts.core.authoring.tables import Mart
from marts.core.errors import UsageError, did_you_mean


def key_of(mart: Mart, words: Sequence[str] | Mapping[str, object]) -> dict[str, object]:
    """Return the values of the columns of a mart's grain; `words` are `column=value`.

    The name may be left out if the grain is one column. In Python, they may be values by column.
    Raises UsageError for a name that is not in the grain, a column without a value, and a value
    that the column cannot have.
    """
    if not mart.grain:
        raise UsageError(
            f"{mart.name} declares no grain, so no key identifies a row of it",
            hint="explain a column of a mart that reads it",
        )
    typed: dict[str, str] = {}
    if isinstance(words, Mapping):
        if unknown := [name for name in words if name not in mart.grain]:
            raise _not_in_grain(mart, unknown[0])
        typed = {name: str(value) for name, value in words.items() if value is not None}
        words = ()
    for word in words:
        name, text = _split(mart, word)
        if name in typed:
            raise UsageError(f"--key names {name} twice")
        typed[name] = text
    if missing := [name for name in mart.grain if name not in typed]:
        raise UsageError(
            f"no value for {', '.join(missing)}: the grain of {mart.name} is"
            f" {', '.join(mart.grain)}",
            hint=" ".join(f"--key {name}=VALUE" for name in mart.grain),
        )
    columns = {column.name: column for column in mart.columns}
    return {name: _value(columns[name], typed[name]) for name in mart.grain}


def _split(mart: Mart, word: str) -> tuple[str, str]:
    name, equals, text = word.partition("=")
    if equals and name in mart.grain:
        return name, text
    if len(mart.grain) == 1:
        return mart.grain[0], word
    if not equals:
        raise UsageError(
            f"--key {word} names no column: the grain of {mart.name} is {', '.join(mart.grain)}",
            hint=" ".join(f"--key {each}=VALUE" for each in mart.grain),
        )
    raise _not_in_grain(mart, name)


def _not_in_grain(mart: Mart, name: str) -> UsageError:
    return UsageError(
        f"--key {name}: the grain of {mart.name} is {', '.join(mart.grain)}",
        hint=did_you_mean(name, mart.grain),
    )


def _value(column: Column, text: str) -> object:
    kind = column.type.partition("(")[0]
    read, example = READ[kind]
    try:
        value = read(text)
    except (ValueError, InvalidOperation):
        raise UsageError(
            f"--key {text!a}: {column.name} is {column.type}"
            if kind == "string"
            else f"--key {text}: {column.name} is {column.type}",
            hint=f"write it as {column.name}={example}",
        ) from None
    if flaw := _outside(value, column.type):
        raise UsageError(
            f"--key {text}: {column.name} is {column.type}, which has no such value", flaw
        )
    return value


def _outside(value: object, kind: str) -> str | None:
    """Return why a number is not one of a type, None if it is."""
    if isinstance(value, Decimal):
        of = type_of(kind)
        if abs(value) >= 10 ** (of.precision - of.scale):
            return f"it has {of.precision - of.scale} digits before the point at the most"
        if len(f"{value:f}".partition(".")[2].rstrip("0")) > of.scale:
            return f"it has {of.scale} decimal places at the most"
    if isinstance(value, int) and not isinstance(value, bool):
        bounds = type_of(kind).bounds
        if not bounds.lower <= value <= bounds.upper:
            return f"it is from {bounds.lower} to {bounds.upper}"
    return None


def _plain(read: Callable[[str], Any]) -> Callable[[str], object]:
    """Return what reads a finite number that is written with digits alone."""

    def number(text: str) -> object:
        value = read(text)
        if "_" in text or text != text.strip() or not isfinite(value):
            raise ValueError(text)
        return value

    return number


def _text(text: str) -> str:
    # What is not text, in the arguments of a process, is no value of any column.
    text.encode()
    return text


def _boolean(text: str) -> bool:
    known = {"true": True, "false": False}
    if text.lower() not in known:
        raise ValueError(text)
    return known[text.lower()]


def _moment(text: str) -> datetime.datetime:
    moment = datetime.datetime.fromisoformat(text)
    if moment.tzinfo is not None:
        raise ValueError(text)
    return moment


READ: Mapping[str, tuple[Callable[[str], object], str]] = {
    "string": (_text, "TEXT"),
    "int64": (_plain(int), "42"),
    "float64": (_plain(float), "1.5"),
    "decimal": (_plain(Decimal), "12.50"),
    "boolean": (_boolean, "true"),
    "date": (datetime.date.fromisoformat, "2025-06-01"),
    "timestamp": (_moment, "2025-06-01T12:00:00"),
}
"""How values of a type are read, and an example."""
