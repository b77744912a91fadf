"""Contracts: the columns of a table, with their types, texts, bounds and defaults."""

from __future__ import annotations

import math
import re
import zoneinfo
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, TypedDict, Unpack

import ibis.expr.datatypes as dt

from marts.core.authoring.signature import location_of_caller
from marts.core.errors import DefinitionError, did_you_mean

type_of = dt.dtype

NAME = re.compile("[a-z_][a-z0-9_]*")
"""Names that work on engines that fold to upper case and on engines that fold to lower case."""

PERSONAL = re.compile("[a-z][a-z_]*")
"""Words for kinds of personal data, which are also keys of the project's settings."""

SUM = "sum"
"""What a column varies with if it adds up over rows of a source; the default of money."""

Default = str | float | bool
"""The value that replaces null in a query's result."""


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column of a contract, with the checks that concern it alone.

    `type` is the name of an Ibis type, such as "decimal(18, 2)". `doc` becomes the column's
    comment. The column is not null unless `null` is true; a mart's `default` replaces nulls of its
    query. `unique`, `values` (the accepted labels), `at_least` and `at_most` (both inclusive)
    become checks, which null passes. `varies_with` names the changes of the sources to which the
    column responds, in words that the project's invariants know. `zone` says that a source's
    timestamps have a time zone, and are read as the local time in this one. `source_name` is the
    name that a source's column has there, if it is another one: it may be any text. `personal` is
    the kind of personal data that the column holds, such as "name" or "email": its values are
    masked wherever rows are reported. `not_personal` is the reason why a mart's column shows
    nothing of the personal data that it is computed from.
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
    source_name: str | None = None
    # A fingerprint is made of what a column says of its values: these two say nothing of them.
    personal: str | None = field(default=None, repr=False)
    not_personal: str = field(default="", repr=False)
    location: str = field(default="", repr=False, compare=False)
    """Where it is declared."""


class Described(TypedDict, total=False):
    """Keywords of every column; `Column` says what each means."""

    doc: str
    varies_with: str | Iterable[str]
    personal: str
    not_personal: str


class Keywords(Described, total=False):
    """Keywords of columns of every type."""

    null: bool
    unique: bool
    source_name: str


class OfText(Keywords, total=False):
    """Keywords of text columns."""

    values: str | Iterable[str]
    default: str


class Bounded(Keywords, total=False):
    """Keywords of numeric columns."""

    at_least: int
    at_most: int


class OfExactNumbers(Bounded, total=False):
    """Keywords of columns of whole numbers or decimals."""

    default: int


class OfFloats(Bounded, total=False):
    """Keywords of float columns."""

    default: float


class OfFlags(Keywords, total=False):
    """Keywords of boolean columns."""

    default: bool


class OfTimestamps(Keywords, total=False):
    """Keywords of timestamp columns."""

    zone: str


def string(name: str, **keywords: Unpack[OfText]) -> Column:
    """Declare a column of texts: a key, a name or a label.

    `values` lists the accepted labels. Not null unless `null=True`; `default` replaces null in a
    mart's query. `Column` describes all keywords. Raises DefinitionError for any other keyword.
    """
    return _column(name, "string", keywords, OfText)


def int64(name: str, **keywords: Unpack[OfExactNumbers]) -> Column:
    """Declare a column of whole numbers: a count, or a number of days or months.

    `at_least` and `at_most` are inclusive. Not null unless `null=True`; `default` replaces null in
    a mart's query. `Column` describes all keywords. Raises DefinitionError for any other keyword.
    """
    return _column(name, "int64", keywords, OfExactNumbers)


def float64(name: str, **keywords: Unpack[OfFloats]) -> Column:
    """Declare a column of floats: averages, deviations, percentages (0 to 100) or rates.

    A check refuses NaN and infinity; `at_least` and `at_most` are inclusive. Not null unless
    `null=True`; `default` replaces null in a mart's query. `Column` describes all keywords. Raises
    DefinitionError for any other keyword.
    """
    return _column(name, "float64", keywords, OfFloats)


def decimal(name: str, precision: int, scale: int, **keywords: Unpack[OfExactNumbers]) -> Column:
    """Declare a column of exact numbers of `precision` digits, `scale` of them after the point.

    `at_least` and `at_most` are inclusive. Not null unless `null=True`; `default` replaces null in
    a mart's query. `Column` describes all keywords. Raises DefinitionError for any other keyword.
    """
    return _column(name, f"decimal({precision}, {scale})", keywords, OfExactNumbers)


def money(name: str, **keywords: Unpack[OfExactNumbers]) -> Column:
    """Declare a column of amounts of money, as decimal(18, 2), in the currency of the sources.

    It varies with the sum of amounts unless `varies_with` says otherwise. Not null unless
    `null=True`; `default` replaces null in a mart's query. `Column` describes all keywords. Raises
    DefinitionError for any other keyword.
    """
    return _column(name, "decimal(18, 2)", {"varies_with": SUM, **keywords}, OfExactNumbers)


def date(name: str, **keywords: Unpack[Keywords]) -> Column:
    """Declare a column of calendar dates, without a time.

    Not null unless `null=True`. `Column` describes all keywords. Raises DefinitionError for any
    other keyword.
    """
    return _column(name, "date", keywords, Keywords)


def timestamp(name: str, **keywords: Unpack[OfTimestamps]) -> Column:
    """Declare a column of timestamps without a time zone, that is, of local times.

    If a source has timestamps with a time zone, `zone` names the zone, such as "Europe/Berlin", in
    whose local time they are read; a source without them is then refused. Not null unless
    `null=True`. `Column` describes all keywords. Raises DefinitionError for any other keyword.
    """
    return _column(name, "timestamp", keywords, OfTimestamps)


def boolean(name: str, **keywords: Unpack[OfFlags]) -> Column:
    """Declare a column of flags.

    Not null unless `null=True`; `default` replaces null in a mart's query. `Column` describes all
    keywords. Raises DefinitionError for any other keyword.
    """
    return _column(name, "boolean", keywords, OfFlags)


def _column(name: str, kind: str, keywords: Mapping[str, Any], taken: type[Any]) -> Column:
    """Return a column of a type; its location is the author's call of the caller.

    Raises DefinitionError for a keyword that columns of the type do not take.
    """
    location = location_of_caller(2)
    if unknown := [word for word in keywords if word not in taken.__annotations__]:
        raise DefinitionError(
            f"column {name} takes no {unknown[0]}: it is {kind}",
            location,
            hint=_nearest(unknown[0], taken.__annotations__)
            or f"it takes {', '.join(sorted(taken.__annotations__))}",
        )
    return Column(name=name, type=kind, location=location, **normalized(keywords))


def _nearest(word: str, known: Iterable[str]) -> str | None:
    """Return a hint for a misspelt keyword, None if it is one of columns of other types."""
    near = get_close_matches(word, Column.__dataclass_fields__, n=1, cutoff=0.5)
    return did_you_mean(word, known) if {*near} <= {*known} else None


def normalized(keywords: Mapping[str, Any]) -> dict[str, Any]:
    """Return keywords as a column holds them: single words as tuples, `doc` as one line."""
    given = dict(keywords)
    for several in ("values", "varies_with"):
        if several in given:
            words = given[several]
            given[several] = (words,) if isinstance(words, str) else tuple(words)
    return {**given, "doc": " ".join(given.get("doc", "").split())}


def flaws(
    columns: Iterable[Column], grain: Iterable[str], *, needs_grain: bool = True
) -> list[str]:
    """Return what is wrong with a declared contract, one line each; empty if nothing is."""
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
    return [*found, *_read_twice(columns)]


def _read_twice(columns: Iterable[Column]) -> Iterator[str]:
    """Yield a line for each column that repeats another: the same name in the source, read alike.

    With another type or zone, both may be wanted: a moment in UTC and in local time.
    """
    seen: dict[tuple[str, str, str | None], Column] = {}
    for column in columns:
        first = seen.setdefault((name_in_source(column), column.type, column.zone), column)
        if first.name != column.name:
            yield (
                f"columns {first.name} and {column.name} both read the source's"
                f" {name_in_source(column)}, as {column.type}"
            )


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
    if column.source_name is not None and (
        not isinstance(column.source_name, str) or not column.source_name
    ):
        yield f"has the source_name {column.source_name!r}, which is not a name"
    yield from _flaws_of_personal(column)
    if column.zone is not None and column.type != "timestamp":
        yield f"names a zone but is {column.type}, not timestamp"
    if column.zone is not None and not _is_zone(column.zone):
        guess = did_you_mean(column.zone, zoneinfo.available_timezones())
        yield f"has the unknown zone {column.zone}" + (f"; {guess}" if guess else "")


def _flaws_of_personal(column: Column) -> Iterator[str]:
    kind, reason = column.personal, column.not_personal
    if kind is not None and not (isinstance(kind, str) and PERSONAL.fullmatch(kind)):
        yield (
            f"has personal={kind!r}, which is not a word of lower-case letters and underscores,"
            " such as name or email"
        )
    if not isinstance(reason, str) or (reason and not reason.strip()):
        yield f"has not_personal={reason!r}, which is not the reason, a text"
    elif kind is not None and reason:
        yield f"is both personal and not_personal ({reason})"


DEFAULTS: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "int64": (int,),
    "decimal": (int,),
    "float64": (int, float),
    "boolean": (bool,),
}
"""The Python types of a default, by the type of the column."""


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
    # "localtime" depends on the machine, and engines do not know the others.
    return not name.startswith(("localtime", "Factory", "posix", "right"))


def zones_of(columns: Iterable[Column]) -> dict[str, str]:
    """Return the time zone of each column that has one, by the column's name."""
    return {column.name: column.zone for column in columns if column.zone is not None}


def name_in_source(column: Column) -> str:
    """Return the name that a column has in its source."""
    return column.name if column.source_name is None else column.source_name


def names_in_source(columns: Iterable[Column]) -> dict[str, str]:
    """Return the name in the source of each column that declares one, by the column's name."""
    return {column.name: column.source_name for column in columns if column.source_name is not None}


def personal_in(columns: Iterable[Column]) -> dict[str, str]:
    """Return the kind of personal data of each column that holds any, by the column's name."""
    return {column.name: column.personal for column in columns if column.personal is not None}
