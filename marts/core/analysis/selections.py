"""Write operations on whole tables as the selections that they stand for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import ibis.expr.operations as ops

from marts.core.analysis.known_values import filled


def as_selections(query: ops.Relation) -> Any:
    """Return a query in which dropped columns and replaced nulls are written as selections.

    So an analysis that knows selections knows these operations, too.
    """

    def written(op: ops.Node, given: Mapping[str, Any] | None) -> ops.Node:
        made = type(op)(**given) if given else op
        if isinstance(made, ops.DropColumns):
            return ops.Project(made.parent, made.values)
        if isinstance(made, ops.FillNull):
            return ops.Project(
                made.parent, {name: filled(made, name) for name in made.schema.names}
            )
        return made

    return query.replace(written)
