"""Contracts as schemas: compare a table with one, and make a query conform to one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

import ibis
import ibis.expr.datatypes as dt
import ibis.expr.operations as ops
import ibis.expr.types as ir

from marts.core.authoring.columns import Column, type_of
from marts.core.errors import DefinitionError
from marts.core.query.nulls import NOTHING_DECLARED, NotNull, may_be_null


def schema_of(columns: Iterable[Column]) -> ibis.Schema:
    """Return the Ibis schema of a contract, in its order."""
    return ibis.schema({column.name: type_of(column.type) for column in columns})


def empty_table(columns: Iterable[Column]) -> ir.Table:
    """Return a table with the contract's columns and no rows."""
    nulls = [ops.Cast(ibis.null(), type_of(c.type)).to_expr().name(c.name) for c in columns]
    return nulls[0].as_table().mutate(nulls[1:]).filter(ibis.literal(False))


def mismatches(columns: Iterable[Column], found: Mapping[str, dt.DataType]) -> list[str]:
    """Return a line for each column that is missing or has another type; others may exist."""
    lines = []
    for column in columns:
        if column.name not in found:
            spelled = f", {column.source_name} in the source" if column.source_name else ""
            lines.append(
                f"column {column.name}{spelled}: expected {column.type}, found no such column"
            )
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


def conform(
    table: ir.Table,
    columns: Iterable[Column],
    *,
    what: str,
    location: str,
    not_null: NotNull = NOTHING_DECLARED,
) -> ir.Table:
    """Select a contract's columns, in its order, with its defaults for nulls, cast to its types.

    `not_null` are the columns of the tables it reads that are never null: a copy of one needs no
    default. Raises DefinitionError if a column is missing, or has a type that must not be cast
    (text for a number, a fraction for a count).
    """
    columns = tuple(columns)
    defaults = defaults_of(table, columns, not_null)
    return cast_to(table, columns, what=what, location=location, defaults=defaults)


def defaults_of(
    table: ir.Table, columns: Iterable[Column], not_null: NotNull
) -> dict[str, ops.Coalesce]:
    """Return the values of the columns that may be null and have a default, with it filled in."""
    return {
        column.name: ops.Coalesce((value.op(), ibis.literal(column.default).op()))
        for column in columns
        if column.default is not None and column.name in table.columns
        if _convertible((value := table[column.name]).type(), type_of(column.type))
        if may_be_null(value.op(), not_null)
    }


def cast_to(
    table: ir.Table,
    columns: Iterable[Column],
    *,
    what: str,
    location: str,
    defaults: Mapping[str, ops.Value] = MappingProxyType({}),
) -> ir.Table:
    """Select a contract's columns, in its order, cast to its types; some from `defaults` instead.

    Raises DefinitionError as `conform` does.
    """
    selected = {}
    for column in columns:
        if column.name not in table.columns:
            raise DefinitionError(
                f"{what} returns no column {column.name}, which its contract declares",
                f"it returns: {', '.join(table.columns)}",
                location,
                hint=f"add {column.name} to the returned table, or drop it from columns=[…]",
            )
        value, kind = table[column.name], type_of(column.type)
        if not _convertible(value.type(), kind):
            raise DefinitionError(
                f"{what}: column {column.name} is {value.type()}, its contract says {column.type}",
                location,
                hint=f"make the type of the expression {column.type}, or change the contract",
            )
        # An explicit operation: .cast() compiles to nothing if Ibis infers the type already, and
        # what it infers is wrong for sums and means of decimals.
        selected[column.name] = ops.Cast(defaults.get(column.name, value), kind).to_expr()
    return table.select(**selected)


def _convertible(found: dt.DataType, expected: dt.DataType) -> bool:
    if found.is_null():
        return True
    if getattr(found, "timezone", None) is not None:
        # Its date and time depend on the session's time zone.
        return False
    if expected.is_integer() or expected.is_decimal():
        # Engines round a fraction to a whole number, and a float to cents, differently.
        return bool(found.is_integer() or (expected.is_decimal() and found.is_decimal()))
    if expected.is_numeric():
        return bool(found.is_numeric() and not found.is_boolean())
    if expected.is_date():
        return bool(found.is_date() or found.is_timestamp())
    return type(found) is type(expected)
