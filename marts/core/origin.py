"""What the columns of a query were computed as."""

from __future__ import annotations

import ibis.expr.operations as ops


def meaning(op: ops.Value) -> ops.Value:
    """Return what a column was computed as, through joins and views; else the operation itself.

    A column of a table or of a union is itself; of a window function it is the function.
    """
    while isinstance(op, ops.Field):
        if isinstance(op.rel, ops.Reference | ops.AliasedRelation):
            op = ops.Field(op.rel.parent, op.name)
        elif op.name in op.rel.values:
            op = op.rel.values[op.name]
        else:
            return op
    return op.func if isinstance(op, ops.WindowFunction) else op
