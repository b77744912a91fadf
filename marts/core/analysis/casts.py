"""Casts: which of them keep every value, and which keep different values apart."""

from __future__ import annotations

import ibis.expr.datatypes as dt
import ibis.expr.operations as ops


def keeps_values(found: dt.DataType, to: dt.DataType) -> bool:
    """Tell whether a cast between two types gives every value as it is.

    A value that does not fit into the new type may be refused, but not changed.
    """
    match found, to:
        case (dt.Integer(), dt.Integer() | dt.Decimal()) | (dt.String(), dt.String()):
            return True
        case (dt.Decimal(), dt.Decimal()):
            return _holds_digits(found, to)
        case (dt.Timestamp(), dt.Timestamp()):
            return found.timezone == to.timezone and _holds_digits(found, to)
        case (dt.Floating(), dt.Floating()):
            return bool(found.nbytes <= to.nbytes)
        case _ if (parts := _parts(found)) and type(found) is type(to):
            others = _parts(to)
            return parts.keys() == others.keys() and all(
                keeps_values(parts[name], others[name]) for name in parts
            )
    return bool(found.copy(nullable=True) == to.copy(nullable=True))


def _parts(kind: dt.DataType) -> dict[str, dt.DataType]:
    """Return the types of which values of a type consist."""
    match kind:
        case dt.Array():
            return {"value": kind.value_type}
        case dt.Map():
            return {"key": kind.key_type, "value": kind.value_type}
        case dt.Struct():
            return dict(zip(kind.names, kind.types, strict=True))
    return {}


def _holds_digits(found: dt.Decimal | dt.Timestamp, to: dt.Decimal | dt.Timestamp) -> bool:
    """Tell whether a type has as many digits behind the point, where engines choose them, too."""
    most, least = (9, 6) if isinstance(found, dt.Timestamp) else (38, 0)
    return found.scale == to.scale or (
        (most if found.scale is None else found.scale) <= (least if to.scale is None else to.scale)
    )


def is_injective(found: dt.DataType, to: dt.DataType) -> bool:
    """Tell whether a cast between two types keeps different values apart."""
    return (
        keeps_values(found, to)
        or bool(found.is_integer() and to.is_string())
        or bool(found.is_date() and (to.is_timestamp() or to.is_string()))
    )


def unwrapped(value: ops.Value) -> ops.Value:
    """Return a value without names, and without casts that keep it as it is."""
    while isinstance(value, ops.Alias) or (
        isinstance(value, ops.Cast) and keeps_values(value.arg.dtype, value.to)
    ):
        value = value.arg
    return value
