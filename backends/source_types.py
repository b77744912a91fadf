"""Which types of a source can be read as those of a contract, whatever the engine.

Nothing is rounded, truncated or guessed; backends.duckdb_types has the rules as a table.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from functools import cache
from typing import Protocol, TypeVar

import ibis.expr.datatypes as dt

from marts.core.errors import masked
from marts.core.run.backend import Contract

MICROSECONDS, NANOSECONDS = 6, 9
EXACT_IN_A_FLOAT = 2**53


class Named(Protocol):
    """A column of a source, spelled as it is there."""

    @property
    def name(self) -> str:
        """Its name."""


NamedColumn = TypeVar("NamedColumn", bound=Named)


class Typed(Protocol):
    """A column as an engine has it."""

    @property
    def kind(self) -> str:
        """One of KINDS."""

    @property
    def type_text(self) -> str:
        """Its type, in words."""

    @property
    def type(self) -> dt.DataType:
        """Its type as Ibis has it."""


KINDS: tuple[tuple[str, Callable[[dt.DataType], bool]], ...] = (
    ("boolean", lambda t: t.is_boolean()),
    ("whole", lambda t: t.is_integer()),
    ("decimal", lambda t: t.is_decimal()),
    ("float", lambda t: t.is_floating()),
    ("text", lambda t: t.is_string() or t.is_json()),
    ("date", lambda t: t.is_date()),
    ("moment", lambda t: getattr(t, "timezone", None) is not None),
    ("timestamp", lambda t: t.is_timestamp()),
    ("other", lambda _: True),
)


@cache
def kind_of(kind: dt.DataType) -> str:
    """Return the kind of a type; several types are of one kind."""
    return next(name for name, holds in KINDS if holds(kind))


CONTRACT_TYPES: Mapping[str, str] = {
    # A wider whole number is looked at again when its range is known.
    "boolean": "boolean",
    "whole": "int64",
    "float": "float64",
    "text": "string",
    "date": "date",
    "timestamp": "timestamp",
    "moment": "timestamp",
    "null": "string",
}
"""By kind of a type in a source: the contract's type that holds it."""


def contract_type(column: Typed) -> str:
    """Return the contract's type that holds what a column has, empty if none does."""
    kind = column.type if column.kind == "decimal" else None
    if isinstance(kind, dt.Decimal):
        return f"decimal({kind.precision}, {kind.scale})" if kind.scale else "int64"
    return CONTRACT_TYPES.get(column.kind, "")


def is_name(name: str, spelled: str) -> bool:
    """Tell whether a name in a source is that of a contract, whatever its case."""
    if name.lower() != spelled.lower():
        return False
    # Some letters have the lower-case form of an ASCII letter, such as the Kelvin sign.
    return [each.isascii() for each in name] == [each.isascii() for each in spelled]


def named(wanted: str, spelled: Sequence[str], *, as_spelled: bool) -> list[int]:
    """Return the positions of the names that a name may mean, whatever their case.

    With `as_spelled`, a name that is spelled exactly like it is meant before all others.
    """
    exact = [number for number, each in enumerate(spelled) if each == wanted]
    if as_spelled and exact:
        return exact
    return [number for number, each in enumerate(spelled) if is_name(wanted, each)]


def columns_named(
    contract: Contract, name: str, columns: Sequence[NamedColumn]
) -> tuple[NamedColumn, ...]:
    """Return the columns of a source that a contract's column may mean."""
    wanted, spelled = contract.names.get(name, name), [column.name for column in columns]
    found = named(wanted, spelled, as_spelled=name in contract.names)
    return tuple(columns[number] for number in found)


def label(contract: Contract, name: str) -> str:
    """Return a contract's column in words, with its name in the source if that is another one."""
    spelled = contract.names.get(name)
    return f"column {name}, {spelled} in the source" if spelled else f"column {name}"


def read_twice(found: Sequence[tuple[str, str, object]]) -> list[str]:
    """Return a line for each column that reads the same column of a source as another, alike.

    Each has its name, the name that it has found, and how it reads it.
    """
    first: dict[tuple[str, object], str] = {}
    return [
        f"columns {earlier} and {name} both read {spelled}"
        for name, spelled, how in found
        if (earlier := first.setdefault((spelled, how), name)) != name
    ]


def bounds(kind: dt.DataType) -> tuple[Decimal, Decimal, int]:
    """Return the least and the greatest exact number of a type, and its digits after the point.

    For a float they are the bounds within which it represents every whole number.
    """
    if kind.is_floating():
        return Decimal(-EXACT_IN_A_FLOAT), Decimal(EXACT_IN_A_FLOAT), 0
    if isinstance(kind, dt.Decimal):
        scale = kind.scale or 0
        # Arithmetic would round it to 28 digits.
        nines = (9,) * (kind.precision or 38)
        return Decimal((1, nines, -scale)), Decimal((0, nines, -scale)), scale
    low, high = kind.bounds
    return Decimal(low), Decimal(high), 0


def _holds_all(found: dt.DataType, expected: dt.DataType) -> bool:
    (low, high, digits), (least, most, scale) = bounds(found), bounds(expected)
    return digits <= scale and least <= low and high <= most


def _always(_found: dt.DataType, _expected: dt.DataType) -> bool:
    return True


def _in_microseconds(found: dt.DataType, _expected: dt.DataType) -> bool:
    return (getattr(found, "scale", None) or MICROSECONDS) <= MICROSECONDS


READABLE: Mapping[tuple[str, str], Callable[[dt.DataType, dt.DataType], bool]] = {
    ("boolean", "boolean"): _always,
    ("whole", "whole"): _holds_all,
    ("whole", "decimal"): _holds_all,
    ("whole", "float"): _holds_all,
    ("decimal", "whole"): _holds_all,
    ("decimal", "decimal"): _holds_all,
    ("float", "float"): _always,
    ("text", "text"): _always,
    ("date", "date"): _always,
    ("date", "timestamp"): _always,
    ("timestamp", "timestamp"): _in_microseconds,
    ("timestamp", "date"): lambda *_: False,
    ("moment", "moment"): _in_microseconds,
}
"""By kind in a source and in a contract: whether every value of a type fits another."""


def misfit(column: Typed, expected: dt.DataType, zone: str | None) -> str | None:
    """Return why a column of this type cannot be read as its contract says; None if it may be."""
    wanted = "moment" if zone else kind_of(expected)
    if column.kind == "null" or (column.kind, wanted) in READABLE:
        return None
    if (column.kind, wanted) == ("moment", "timestamp"):
        return (
            f"expected {expected}, found {column.type_text}: declare the zone of its calendar, as"
            ' timestamp(…, zone="Europe/Berlin")'
        )
    if (column.kind, wanted) == ("timestamp", "moment"):
        return (
            f"expected timestamp with a zone, to read in {zone}, found {column.type_text}"
            " without one: if it is local time there, declare it without zone="
        )
    return f"expected {expected}, found {column.type_text}"


def always_fits(column: Typed, expected: dt.DataType, zone: str | None) -> bool:
    """Tell whether every value of a readable column fits, by its type alone."""
    if column.kind == "null":
        return True
    return READABLE[column.kind, "moment" if zone else kind_of(expected)](column.type, expected)


def values_that_do_not_fit(
    column: Typed, expected: dt.DataType, count: int, example: str, *, is_personal: bool = False
) -> str:
    """Return a message about a column with values that a cast would change."""
    values = "1 value that does" if count == 1 else f"{count:,} values that do"
    quoted = masked(example, is_personal=is_personal)
    return f"expected {expected}, found {column.type_text} with {values} not fit, such as {quoted}"
