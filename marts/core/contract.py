"""Contracts: the columns of a table, their types and nullability; how a real schema compares."""

from __future__ import annotations

import re
import zoneinfo
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import ibis
import ibis.expr.datatypes as dt
import ibis.expr.operations as ops
import ibis.expr.types as ir

from marts.core.errors import DefinitionError, did_you_mean

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
    `moves` are words that the project's relations know: to which changes of the sources the
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
    moves: tuple[str, ...] = ()
    zone: str | None = None


def string(
    name: str,
    *,
    null: bool = False,
    unique: bool = False,
    values: str | Iterable[str] = (),
    moves: str | Iterable[str] = (),
) -> Column:
    """Declare a key or a label; `values` lists the accepted labels."""
    return Column(
        name=name,
        type="string",
        null=null,
        unique=unique,
        values=_words(values),
        moves=_words(moves),
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
    moves: str | Iterable[str] = (),
) -> Column:
    """Declare a count, or a number of whole days or months."""
    return Column(
        name=name,
        type="int64",
        null=null,
        unique=unique,
        at_least=at_least,
        at_most=at_most,
        moves=_words(moves),
    )


def float64(
    name: str,
    *,
    null: bool = False,
    at_least: int | None = None,
    at_most: int | None = None,
    moves: str | Iterable[str] = (),
) -> Column:
    """Declare an average, deviation, percentage or rate; NaN and infinity are violations."""
    return Column(
        name=name,
        type="float64",
        null=null,
        at_least=at_least,
        at_most=at_most,
        moves=_words(moves),
    )


def decimal(
    name: str,
    precision: int,
    scale: int,
    *,
    null: bool = False,
    at_least: int | None = None,
    at_most: int | None = None,
    moves: str | Iterable[str] = (),
) -> Column:
    """Declare an exact number with `scale` digits after the point."""
    return Column(
        name=name,
        type=f"decimal({precision}, {scale})",
        null=null,
        at_least=at_least,
        at_most=at_most,
        moves=_words(moves),
    )


def money(
    name: str,
    *,
    null: bool = False,
    at_least: int | None = None,
    at_most: int | None = None,
    moves: str | Iterable[str] = SUM,
) -> Column:
    """Declare an amount of money: decimal(18,2), in the portfolio's currency; a sum by default."""
    return decimal(name, 18, 2, null=null, at_least=at_least, at_most=at_most, moves=moves)


def date(name: str, *, null: bool = False, moves: str | Iterable[str] = ()) -> Column:
    """Declare a calendar date."""
    return Column(name=name, type="date", null=null, moves=_words(moves))


def timestamp(name: str, *, null: bool = False, zone: str | None = None) -> Column:
    """Declare a timestamp without zone, a time of day by some calendar.

    Where a source has moments instead, timestamps with a zone, `zone` says whose calendar counts,
    as "Europe/Berlin": each is read as the time of day there. Then the source must have moments.
    """
    return Column(name=name, type="timestamp", null=null, zone=zone)


def boolean(name: str, *, null: bool = False, moves: str | Iterable[str] = ()) -> Column:
    """Declare a flag."""
    return Column(name=name, type="boolean", null=null, moves=_words(moves))


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


def schema_of(columns: Iterable[Column]) -> ibis.Schema:
    """Return the Ibis schema of a contract, in its order."""
    return ibis.schema({column.name: type_of(column.type) for column in columns})


def empty_table(columns: Iterable[Column]) -> ir.Table:
    """Return a table of the contract's columns without a row."""
    nulls = [ops.Cast(ibis.null(), type_of(c.type)).to_expr().name(c.name) for c in columns]
    return nulls[0].as_table().mutate(nulls[1:]).filter(ibis.literal(False))


def mismatches(columns: Iterable[Column], found: Mapping[str, dt.DataType]) -> list[str]:
    """Return what a real table lacks of a contract, a line each; further columns are welcome."""
    lines = []
    for column in columns:
        if column.name not in found:
            lines.append(f"column {column.name}: expected {column.type}, found no such column")
        elif not _fits(found[column.name], type_of(column.type)):
            lines.append(
                f"column {column.name}: expected {column.type}, found {found[column.name]}"
            )
    return lines


def _fits(found: dt.DataType, expected: dt.DataType) -> bool:
    """Tell whether every value of one type is a value of the other, without rounding."""
    if isinstance(found, dt.Decimal) and isinstance(expected, dt.Decimal):
        return found.scale == expected.scale and (found.precision or 0) <= (expected.precision or 0)
    if found.is_integer() and expected.is_integer():
        (low, high), (least, most) = found.bounds, expected.bounds
        return bool(least <= low and high <= most)
    if found.is_timestamp() and expected.is_timestamp():
        return getattr(found, "timezone", None) is None
    return type(found) is type(expected)


def conform(table: ir.Table, columns: Iterable[Column], *, what: str, place: str) -> ir.Table:
    """Select a contract's columns, in its order, cast to its types.

    Raises DefinitionError where a column is missing, or of a kind that no cast makes right
    (text for a number, a fraction for a count).
    """
    selected = {}
    for column in columns:
        if column.name not in table.columns:
            raise DefinitionError(
                f"{what} returns no column {column.name}, which its contract declares",
                f"it returns: {', '.join(table.columns)}",
                place,
                hint=f"add {column.name} to the returned table, or drop it from columns=[…]",
            )
        value, kind = table[column.name], type_of(column.type)
        if not _convertible(value.type(), kind):
            raise DefinitionError(
                f"{what}: column {column.name} is {value.type()}, its contract says {column.type}",
                place,
                hint=f"make the expression a {column.type}, or change the contract",
            )
        # An explicit operation: .cast() compiles to nothing where Ibis already believes in the
        # type, and its belief is wrong for sums and means of decimals.
        selected[column.name] = ops.Cast(value, kind).to_expr()
    return table.select(**selected)


def _convertible(found: dt.DataType, expected: dt.DataType) -> bool:
    if found.is_null():
        return True
    if getattr(found, "timezone", None) is not None:
        # Which day it is there depends on the session.
        return False
    if expected.is_integer() or expected.is_decimal():
        # Engines round a fraction to a whole number, and a float to cents, differently.
        return bool(found.is_integer() or (expected.is_decimal() and found.is_decimal()))
    if expected.is_numeric():
        return bool(found.is_numeric() and not found.is_boolean())
    if expected.is_date():
        return bool(found.is_date() or found.is_timestamp())
    return type(found) is type(expected)
