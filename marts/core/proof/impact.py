"""The impact of a change: the columns of a query that it affects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import ibis.expr.operations as ops

from marts.core.analysis.nodes import deciding_values

Affected = Mapping[ops.Relation, frozenset[str]]
"""The columns of each relation that may have other values, while its rows are the same."""


def affected_columns(
    relations: Sequence[ops.Relation], old: ops.Relation, new: ops.Relation
) -> frozenset[str]:
    """Return the columns of a query that may have other values if `new` replaces `old` in it.

    These are all columns if the rows may differ. `relations` are the query's, each after those that
    it reads, so the last one is the query itself.
    """
    whole = relations[-1]
    everything = frozenset(whole.schema.names)
    if not (isinstance(old, ops.Project) and isinstance(new, ops.Project)):
        return everything
    if old.parent != new.parent or old.schema.names != new.schema.names:
        return everything
    changed = (name for name, value in old.values.items() if new.values[name] != value)
    affected = {old: frozenset(changed)}
    for op in relations:
        if op != old:
            names = _columns_of(op, affected)
            if names is None:
                return everything
            affected[op] = names
    return affected[whole]


def _columns_of(op: ops.Relation, affected: Affected) -> frozenset[str] | None:
    """Return the columns of a relation that may have other values; None if its rows may differ."""
    deciding = deciding_values(op)
    if deciding is not None:
        if any(_reads(value, affected) for value in deciding):
            return None
        return frozenset(name for name, value in op.values.items() if _reads(value, affected))
    below = op.find_below(ops.Relation)
    return None if any(affected.get(each) for each in below) else frozenset()


def _reads(value: ops.Value, affected: Affected) -> bool:
    """Tell whether a value is computed from an affected column, or from an affected relation."""
    for op in value.find(ops.Value, filter=ops.Value):
        if isinstance(op, ops.Field):
            if op.name in affected.get(op.rel, ()):
                return True
        elif any(affected.get(each) for each in op.__children__ if isinstance(each, ops.Relation)):
            return True
    return False
