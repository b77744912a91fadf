"""Constants in relations: rows that an author wrote down, and columns of few constants."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations

import ibis.expr.operations as ops

from marts.core.analysis.lineage import resolved
from marts.core.analysis.nodes import first_below

Row = Mapping[str, object]

MOST_COLUMNS = 4
"""The most columns of a key that is looked for in written rows."""

SAME_VALUES = (ops.Filter, ops.Sort, ops.Limit, ops.Distinct, ops.Reference, ops.AliasedRelation)
"""The relations whose columns have no values but those of their parent's columns."""


def written_rows(rel: ops.Relation) -> Sequence[Row] | None:
    """Return the rows of a relation of constants; None for any other relation."""
    match rel:
        case ops.Reference() | ops.AliasedRelation():
            return written_rows(rel.parent)
        case ops.DummyTable() if all(isinstance(each, ops.Literal) for each in rel.values.values()):
            return [{name: each.value for name, each in rel.values.items()}]
        case ops.Union(distinct=False):
            left, right = written_rows(rel.left), written_rows(rel.right)
            return None if left is None or right is None else [*left, *right]
        case _:
            return None


def keys_of_rows(rows: Sequence[Row]) -> Iterator[frozenset[str]]:
    """Yield the minimal sets of columns that identify written rows."""
    found: list[frozenset[str]] = []
    for size in range(MOST_COLUMNS + 1):
        for names in map(frozenset, combinations(rows[0], size)):
            values = {tuple(row[name] for name in sorted(names)) for row in rows}
            if len(values) == len(rows) and not any(key <= names for key in found):
                found.append(names)
    yield from found


def constants_in(rel: ops.Relation, name: str) -> frozenset[object] | None:
    """Return the constants that a column consists of; None if it may have other values."""
    rel = first_below(rel, SAME_VALUES)
    if isinstance(rel, ops.Union):
        left, right = constants_in(rel.left, name), constants_in(rel.right, name)
        return None if left is None or right is None else left | right
    match resolved(rel.values[name]) if name in rel.values else None:
        case ops.Alias(arg=ops.Literal(value=value)) | ops.Literal(value=value):
            return frozenset([value])
        case ops.Field(rel=ops.Union() as parent, name=of):
            return constants_in(parent, of)
        case _:
            return None
