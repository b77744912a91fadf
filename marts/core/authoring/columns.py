"""Contracts: the columns of a table, their types and nullability; how a real schema compares."""

from __future__ import annotations

import re
import zoneinfo
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import ibis.expr.datatypes as dt

from marts.core.errors import did_you_mean

type_of = dt.dtype

NAME = re.compile("[a-z_][a-z0-9_]*")
"""What engines that fold to upper case and those that fold to lower case agree on."""

SUM = "sum"
"""The word of columns that add up over rows of a source: money does, unless it says otherwise."""


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column of a contract, with the checks that concern it alone.

    `type` is Ibis's spelling. Not null unless `null`; `values` are the accepted labels;
    `at_least` and `at_most` bound the value, both inclusive. Nulls pass all but the null check.
    `varies_with` are words that the project's invariants know: to which changes of the sources the
    column answers. `zone` is that of a source's timestamps which are moments: they are read as the
    time of day there.
    """

    name: str
    type: str
    null: bool = False
    unique: bool = False
    values: tuple[str, ...] = ()
    at_least: int | None = None
    at_most: int | None = None
    varies_with: tuple[str, ...] = ()
    zone: str | None = None


def string(
    name: str,
    *,
    null: bool = False,
    unique: bool = False,
    values: str | Iterable[str] = (),
    varies_with: str | Iterable[str] = (),
) -> Column:
    """Declare a key or a label; `values` lists the accepted labels."""
    return Column(
        name=name,
        type="string",
        null=null,
        unique=unique,
        values=_words(values),
        varies_with=_words(varies_with),
    )


def _words(given: str | Iterable[str]) -> tuple[str, ...]:
    return (given,) if isinstance(given, str) else tuple(given)


def int64(
    name: str,
    *,
    null: bool = False,
    unique: bool = False,
    at_least: int | None = None,
    at_most: int | None = None,
    varies_with: str | Iterable[str] = (),
) -> Column:
    """Declare a count, or a number of whole days or months."""
    return Column(
        name=name,
        type="int64",
        null=null,
        unique=unique,
        at_least=at_least,
        at_most=at_most,
        varies_with=_words(varies_with),
    )


def float64(
    name: str,
    *,
    null: bool = False,
    at_least: int | None = None,
    at_most: int | None = None,
    varies_with: str | Iterable[str] = (),
) -> Column:
    """Declare an average, deviation, percentage or rate; NaN and infinity are violations."""
    return Column(
        name=name,
        type="float64",
        null=null,
        at_least=at_least,
        at_most=at_most,
        varies_with=_words(varies_with),
    )


def decimal(
    name: str,
    precision: int,
    scale: int,
    *,
    null: bool = False,
    at_least: int | None = None,
    at_most: int | None = None,
    varies_with: str | Iterable[str] = (),
) -> Column:
    """Declare an exact number with `scale` digits after the point."""
    return Column(
        name=name,
        type=f"decimal({precision}, {scale})",
        null=null,
        at_least=at_least,
        at_most=at_most,
        varies_with=_words(varies_with),
    )


def money(
    name: str,
    *,
    null: bool = False,
    at_least: int | None = None,
    at_most: int | None = None,
    varies_with: str | Iterable[str] = SUM,
) -> Column:
    """Declare an amount of money: decimal(18,2), in the portfolio's currency; a sum by default."""
    return decimal(
        name, 18, 2, null=null, at_least=at_least, at_most=at_most, varies_with=varies_with
    )


def date(name: str, *, null: bool = False, varies_with: str | Iterable[str] = ()) -> Column:
    """Declare a calendar date."""
    return Column(name=name, type="date", null=null, varies_with=_words(varies_with))


def timestamp(name: str, *, null: bool = False, zone: str | None = None) -> Column:
    """Declare a timestamp without zone, a time of day by some calendar.

    Where a source has moments instead, timestamps with a zone, `zone` says whose calendar counts,
    as "Europe/Berlin": each is read as the time of day there. Then the source must have moments.
    """
    return Column(name=name, type="timestamp", null=null, zone=zone)


def boolean(name: str, *, null: bool = False, varies_with: str | Iterable[str] = ()) -> Column:
    """Declare a flag."""
    return Column(name=name, type="boolean", null=null, varies_with=_words(varies_with))


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
        found += _column_flaws(column)
    if needs_grain and not tuple(grain):
        found.append("no grain is declared")
    for key in grain:
        if key not in by_name:
            found.append(f"grain {key} is not a column; columns: {', '.join(by_name)}")
        elif by_name[key].null:
            found.append(f"grain {key} is nullable")
    if not columns:
        found.append("no columns are declared")
    return found


def _column_flaws(column: Column) -> list[str]:
    found = []
    if not NAME.fullmatch(column.name):
        found.append(f"column {column.name} is not a lower-case name: a-z, 0-9 and _")
    if column.values and column.type != "string":
        found.append(f"column {column.name} lists values but is {column.type}, not string")
    low, high = column.at_least, column.at_most
    if low is not None and high is not None and low > high:
        found.append(f"column {column.name} is at least {low} and at most {high}")
    try:
        type_of(column.type)
    except ValueError as error:
        found.append(f"column {column.name} is {column.type}: {error}")
    if column.zone is not None and column.type != "timestamp":
        found.append(f"column {column.name} names a zone but is {column.type}, not timestamp")
    if column.zone is not None and not _is_zone(column.zone):
        guess = did_you_mean(column.zone, zoneinfo.available_timezones())
        found.append(
            f"column {column.name}: there is no zone {column.zone}"
            + (f"; {guess}" if guess else "")
        )
    return found


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
