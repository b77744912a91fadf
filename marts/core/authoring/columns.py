"""Contracts: the columns of a table, their types, words, bounds and defaults."""

from __future__ import annotations

import math
import re
import zoneinfo
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypedDict, Unpack

import ibis.expr.datatypes as dt

from marts.core.authoring.signature import location_of_caller
from marts.core.errors import DefinitionError, did_you_mean

type_of = dt.dtype

NAME = re.compile("[a-z_][a-z0-9_]*")
"""What engines that fold to upper case and those that fold to lower case agree on."""

SUM = "sum"
"""The word of columns that add up over rows of a source: money does, unless it says otherwise."""

Default = str | float | bool
"""What stands where a query has null."""


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column of a contract, with the checks that concern it alone.

    `type` is Ibis's spelling. `doc` becomes the column's comment. Not null unless `null`; where the
    mart's query may have null, `default` stands instead. `values` are the accepted labels;
    `at_least` and `at_most` bound the value, both inclusive. Nulls pass all but the null check.
    `varies_with` are words that the project's invariants know: to which changes of the sources the
    column answers. `zone` is that of a source's timestamps which are moments: they are read as the
    time of day there.
    """

    name: str
    type: str
    doc: str = ""
    null: bool = False
    default: Default | None = None
    unique: bool = False
    values: tuple[str, ...] = ()
    at_least: int | None = None
    at_most: int | None = None
    varies_with: tuple[str, ...] = ()
    zone: str | None = None
    location: str = field(default="", repr=False, compare=False)
    """Where it is declared."""


class Described(TypedDict, total=False):
    """What every column may say of itself; `Column` tells what each keyword means."""

    doc: str
    varies_with: str | Iterable[str]


class Keywords(Described, total=False):
    """What a column of any type may say."""

    null: bool
    unique: bool


class OfText(Keywords, total=False):
    """What a column of texts may say."""

    values: str | Iterable[str]
    default: str


class Bounded(Keywords, total=False):
    """What a column of numbers may say."""

    at_least: int
    at_most: int


class OfExactNumbers(Bounded, total=False):
    """What a column of whole numbers or decimals may say."""

    default: int


class OfFloats(Bounded, total=False):
    """What a column of floats may say."""

    default: float


class OfFlags(Keywords, total=False):
    """What a column of flags may say."""

    default: bool


class OfTimestamps(Keywords, total=False):
    """What a column of timestamps may say."""

    zone: str


def string(name: str, **keywords: Unpack[OfText]) -> Column:
    """Declare a key or a label; `values` lists the accepted labels."""
    return _column(name, "string", keywords, OfText)


def int64(name: str, **keywords: Unpack[OfExactNumbers]) -> Column:
    """Declare a count, or a number of whole days or months."""
    return _column(name, "int64", keywords, OfExactNumbers)


def float64(name: str, **keywords: Unpack[OfFloats]) -> Column:
    """Declare an average, deviation, percentage or rate; NaN and infinity are violations."""
    return _column(name, "float64", keywords, OfFloats)


def decimal(name: str, precision: int, scale: int, **keywords: Unpack[OfExactNumbers]) -> Column:
    """Declare an exact number with `scale` digits after the point."""
    return _column(name, f"decimal({precision}, {scale})", keywords, OfExactNumbers)


def money(name: str, **keywords: Unpack[OfExactNumbers]) -> Column:
    """Declare an amount of money: decimal(18,2), in the portfolio's currency; a sum by default."""
    return _column(name, "decimal(18, 2)", {"varies_with": SUM, **keywords}, OfExactNumbers)


def date(name: str, **keywords: Unpack[Keywords]) -> Column:
    """Declare a calendar date."""
    return _column(name, "date", keywords, Keywords)


def timestamp(name: str, **keywords: Unpack[OfTimestamps]) -> Column:
    """Declare a timestamp without zone, a time of day by some calendar.

    Where a source has moments instead, timestamps with a zone, `zone` says whose calendar counts,
    as "Europe/Berlin": each is read as the time of day there. Then the source must have moments.
    """
    return _column(name, "timestamp", keywords, OfTimestamps)


def boolean(name: str, **keywords: Unpack[OfFlags]) -> Column:
    """Declare a flag."""
    return _column(name, "boolean", keywords, OfFlags)


def _column(name: str, kind: str, keywords: Mapping[str, Any], taken: type[Any]) -> Column:
    """Return a column of a type, declared where the author calls what calls this.

    Raises DefinitionError for a keyword that columns of the type do not take.
    """
    location = location_of_caller(2)
    if unknown := [word for word in keywords if word not in taken.__annotations__]:
        raise DefinitionError(
            f"column {name} takes no {unknown[0]}: it is {kind}",
            location,
            hint=f"it takes {', '.join(sorted(taken.__annotations__))}",
        )
    return Column(name=name, type=kind, location=location, **said(keywords))


def said(keywords: Mapping[str, Any]) -> dict[str, Any]:
    """Return keywords as a column holds them: one word as a tuple of one, a text as one line."""
    given = dict(keywords)
    for several in ("values", "varies_with"):
        if several in given:
            words = given[several]
            given[several] = (words,) if isinstance(words, str) else tuple(words)
    return {**given, "doc": " ".join(given.get("doc", "").split())}


def flaws(
    columns: Iterable[Column], grain: Iterable[str], *, needs_grain: bool = True
) -> list[str]:
    """Return what is wrong with a declared contract, a line each; empty where nothing is."""
    columns = tuple(columns)
    by_name = {column.name: column for column in columns}
    found = [
        f"column {name} is declared {count} times"
        for name, count in Counter(column.name for column in columns).items()
        if count > 1
    ]
    for column in columns:
        at = f" ({column.location})" if column.location else ""
        found += [f"column {column.name} {flaw}{at}" for flaw in _flaws_of(column)]
    if needs_grain and not tuple(grain):
        found.append("no grain is declared")
    for key in grain:
        if key not in by_name:
            found.append(f"grain {key} is not a column; columns: {', '.join(by_name)}")
        elif by_name[key].null:
            found.append(f"grain {key} is nullable")
    for column in columns:
        if column.default is not None and (column.unique or column.name in grain):
            found.append(
                f"column {column.name} is a key, of which several rows would have a default"
            )
    if not columns:
        found.append("no columns are declared")
    return found


def _flaws_of(column: Column) -> Iterator[str]:
    if not NAME.fullmatch(column.name):
        yield "is not a lower-case name: a-z, 0-9 and _"
    if column.values and column.type != "string":
        yield f"lists values but is {column.type}, not string"
    low, high = column.at_least, column.at_most
    if low is not None and high is not None and low > high:
        yield f"is at least {low} and at most {high}"
    try:
        type_of(column.type)
    except ValueError as error:
        yield f"is {column.type}: {error}"
    if column.default is not None:
        yield from _flaws_of_default(column, column.default)
    if column.zone is not None and column.type != "timestamp":
        yield f"names a zone but is {column.type}, not timestamp"
    if column.zone is not None and not _is_zone(column.zone):
        guess = did_you_mean(column.zone, zoneinfo.available_timezones())
        yield f"has the unknown zone {column.zone}" + (f"; {guess}" if guess else "")


DEFAULTS: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "int64": (int,),
    "decimal": (int,),
    "float64": (int, float),
    "boolean": (bool,),
}
"""The values that may stand for null, by the type of the column."""


def _flaws_of_default(column: Column, default: Default) -> Iterator[str]:
    kind = column.type.partition("(")[0]
    fits = type(default) in DEFAULTS.get(kind, ())
    if not fits or (isinstance(default, float) and not math.isfinite(default)):
        yield f"has the default {default!r}, which is not a value of {column.type}"
        return
    if column.null:
        yield f"is nullable and has the default {default!r}: no null would be left"
    if column.values and default not in column.values:
        yield f"has the default {default!r}, which is not among its values"
    low, high = column.at_least, column.at_most
    if isinstance(default, int | float) and (
        (low is not None and default < low) or (high is not None and default > high)
    ):
        yield f"has the default {default!r}, which is out of its bounds"


def _is_zone(name: str) -> bool:
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return False
    # The machine's own, whichever that is, and names that engines do not know.
    return not name.startswith(("localtime", "Factory", "posix", "right"))


def zones_of(columns: Iterable[Column]) -> dict[str, str]:
    """Return the zones in whose calendar columns are read, by name."""
    return {column.name: column.zone for column in columns if column.zone is not None}
