"""Read the key of a row, as it is typed."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal, InvalidOperation

from marts.core.authoring.columns import Column
from marts.core.authoring.tables import Mart
from marts.core.errors import UsageError, did_you_mean


def key_of(mart: Mart, words: Sequence[str]) -> dict[str, object]:
    """Return the values of the columns of a mart's grain; `words` are `column=value`.

    The name may be left out if the grain is one column. Raises UsageError for a name that is not in
    the grain, a column without a value, and a value of another type.
    """
    if not mart.grain:
        raise UsageError(
            f"{mart.name} declares no grain, so no key identifies a row of it",
            hint="explain a column of a mart that reads it",
        )
    typed: dict[str, str] = {}
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
    raise UsageError(
        f"--key {name}: the grain of {mart.name} is {', '.join(mart.grain)}",
        hint=did_you_mean(name, mart.grain),
    )


def _value(column: Column, text: str) -> object:
    read, example = READ.get(column.type.partition("(")[0], (str, ""))
    try:
        return read(text)
    except (ValueError, InvalidOperation):
        raise UsageError(
            f"--key {text}: {column.name} is {column.type}",
            hint=f"write it as {column.name}={example}",
        ) from None


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
    "int64": (int, "42"),
    "float64": (float, "1.5"),
    "decimal": (Decimal, "12.50"),
    "boolean": (_boolean, "true"),
    "date": (datetime.date.fromisoformat, "2025-06-01"),
    "timestamp": (_moment, "2025-06-01T12:00:00"),
}
"""How values of a type are read, and an example; others are texts."""
