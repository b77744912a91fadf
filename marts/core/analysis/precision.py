"""The numeric types that engines give to expressions: floats, or decimals of some precision."""

from __future__ import annotations

import ibis.expr.operations as ops

from marts.core.analysis.lineage import resolved_operation

# These return floats on Snowflake, whatever the type of their argument.
ALWAYS_FLOAT = (ops.Sqrt, ops.Exp, ops.Ln, ops.Log, ops.Log2, ops.Log10, ops.Power)


def is_float(op: ops.Value) -> bool:
    """Tell whether engines compute a value as a float; they take `1.5` and `1 / 3` for decimals."""
    op = resolved_operation(op)
    if not op.dtype.is_floating():
        return False
    if isinstance(op, (ops.Field, ops.Cast, *ALWAYS_FLOAT)):
        return True
    return any(is_float(child) for child in op.__children__ if isinstance(child, ops.Value))


WHOLE_DIGITS = {8: 3, 16: 5, 32: 10, 64: 19}


def precision_and_scale(op: ops.Value) -> tuple[int, int] | None:
    """Return the precision and scale that engines give to an exact number.

    None for a float, and if they are unknown.
    """
    op = resolved_operation(op)
    match op:
        case ops.Add() | ops.Subtract() | ops.Multiply():
            return _of_two(op)
        case ops.Literal() if op.dtype.is_floating():
            return _of_literal(repr(op.value))
        case ops.Literal() if op.dtype.is_integer():
            return len(str(op.value)), 0
        case ops.Sum() if op.dtype.is_decimal():
            summed = precision_and_scale(op.arg)
            return 38, summed[1] if summed else op.dtype.scale or 0
        case _ if op.dtype.is_decimal():
            return op.dtype.precision or 38, op.dtype.scale or 0
    return (WHOLE_DIGITS[op.dtype.nbytes * 8], 0) if op.dtype.is_integer() else None


def _of_two(op: ops.Add | ops.Subtract | ops.Multiply) -> tuple[int, int] | None:
    left, right = precision_and_scale(op.left), precision_and_scale(op.right)
    if left is None or right is None:
        return None
    if isinstance(op, ops.Multiply):
        return left[0] + right[0], left[1] + right[1]
    scale = max(left[1], right[1])
    return max(left[0] - left[1], right[0] - right[1]) + scale + 1, scale


def _of_literal(text: str) -> tuple[int, int] | None:
    """Return the precision and scale of a SQL literal; None with an exponent, as it is a float."""
    whole, _, fraction = text.lstrip("-").partition(".")
    is_exact = (whole + fraction).isdigit()
    return (len(whole.lstrip("0") + fraction), len(fraction)) if is_exact else None
