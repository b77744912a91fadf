"""Which columns of two tables can be compared, and what else distinguishes their columns."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import ibis.expr.datatypes as dt

from marts.core.authoring.columns import Column, type_of
from marts.core.query.comparison import AFTER, BEFORE, WIDEST, Comparison
from marts.core.query.contract import mismatches

Types = Mapping[str, dt.DataType]
INT64_DIGITS = 19
NOT_COMPARED = "not compared"
"""What a note says of values that cannot be."""
LOST = f"only in {BEFORE}"
"""What a note says of a column that those who read a table lose."""


@dataclass(frozen=True)
class Alignment:
    """How two tables are compared; `notes` say what they differ in besides values.

    `comparison` is None if no row of one can be paired with one of the other: a column of the key
    is missing, or has other types.
    """

    comparison: Comparison | None
    notes: tuple[str, ...]


def aligned(
    columns: Mapping[str, Column],
    grain: tuple[str, ...],
    before: Types,
    after: Types,
    *,
    one_engine: bool,
) -> Alignment:
    """Compare the columns of two tables; those of the contract, if there is one, come first.

    Names are in lower case. A column is compared if both sides have it, with types of which a
    third has all values. On `one_engine`, two types of it are a difference; several engines store
    the same type of a contract in different ways.
    """
    names = [name for name in columns if name in before or name in after]
    names += [name for name in dict.fromkeys((*after, *before)) if name not in columns]
    kinds, notes = dict[str, dt.DataType](), list[str]()
    for name in names:
        kind, note = _kind(name, columns.get(name), (before.get(name), after.get(name)), one_engine)
        kinds |= {name: kind} if kind is not None else {}
        notes += [note] if note else []
    if lost := [name for name in grain if name not in kinds]:
        notes.append(f"its rows are {NOT_COMPARED}: the key has {', '.join(lost)}")
        return Alignment(None, tuple(notes))
    keys = {name: kinds[name] for name in grain}
    others = {name: kind for name, kind in kinds.items() if name not in keys}
    return Alignment(Comparison(grain, others, {**keys, **others}), tuple(notes))


def _kind(
    name: str,
    column: Column | None,
    types: tuple[dt.DataType | None, dt.DataType | None],
    one_engine: bool,
) -> tuple[dt.DataType | None, str | None]:
    """Return as which type a column is compared, None if it is not, and what is to be said."""
    before, after = types
    if before is None or after is None:
        return None, f"column {name} is {f'only in {AFTER}' if before is None else LOST}"
    found = [_plain(kind) for kind in (before, after)]
    wanted = [meant(column, name, kind) for kind in found]
    same = found if one_engine else wanted
    said = f"column {name} is {found[0]} before and {found[1]} after"
    if same[0] != same[1]:
        common = _common(*found)
        return common, said if common else f"{said}: its values are {NOT_COMPARED}"
    if not is_compared(wanted[0]):
        return None, f"column {name} is {found[0]}: its values are {NOT_COMPARED}"
    return wanted[0], None


COMPARED: tuple[Callable[[dt.DataType], bool], ...] = (
    dt.DataType.is_string,
    dt.DataType.is_boolean,
    dt.DataType.is_date,
    lambda kind: kind.is_timestamp() and kind.timezone is None,
    dt.DataType.is_integer,
    dt.DataType.is_decimal,
    dt.DataType.is_floating,
)


def is_compared(kind: dt.DataType) -> bool:
    """Tell whether values of a type can be compared."""
    return any(test(kind) for test in COMPARED)


def _plain(kind: dt.DataType) -> dt.DataType:
    """Return a type as it is when nulls are allowed."""
    return kind.copy(nullable=True)


def meant(column: Column | None, name: str, found: dt.DataType) -> dt.DataType:
    """Return the contract's type if it has all values of the one found; else that one."""
    fits = column is not None and not mismatches([column], {name: found})
    return type_of(column.type) if column is not None and fits else found


def _common(before: dt.DataType, after: dt.DataType) -> dt.DataType | None:
    """Return a type that has all values of two numeric types, None if there is none."""
    if before.is_floating() and after.is_floating():
        return dt.float64
    digits = [_digits(kind) for kind in (before, after)]
    if None in digits:
        return None
    (whole, scale), (other, finer) = (each for each in digits if each)
    scale = max(scale, finer)
    return dt.Decimal(WIDEST, scale) if max(whole, other) + scale <= WIDEST else None


def _digits(kind: dt.DataType) -> tuple[int, int] | None:
    """Return the digits of exact numbers before and after the point."""
    if kind.is_decimal():
        scale = kind.scale or 0
        return (kind.precision or WIDEST) - scale, scale
    return (INT64_DIGITS, 0) if kind.is_integer() else None
