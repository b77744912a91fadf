"""Constants in a relation: rows that an author wrote down, columns that are the same in each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations

import ibis.expr.operations as ops

from marts.core.analysis.lineage import resolved

Row = Mapping[str, object]

MOST_COLUMNS = 4
"""Keys of so many columns at the most are looked for in written rows."""

SAME_ROWS = (ops.Filter, ops.Sort, ops.Limit, ops.Distinct, ops.Reference, ops.AliasedRelation)
"""The relations in which a column holds none but its parent's values."""


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
    """Yield the least sets of columns that tell written rows apart."""
    found: list[frozenset[str]] = []
    for size in range(MOST_COLUMNS + 1):
        for names in map(frozenset, combinations(rows[0], size)):
            values = {tuple(row[name] for name in sorted(names)) for row in rows}
            if len(values) == len(rows) and not any(key <= names for key in found):
                found.append(names)
    yield from found


def constants_in(rel: ops.Relation, name: str) -> frozenset[object] | None:
    """Return the constants of which a column holds none but these; None where it may hold more."""
    while isinstance(rel, SAME_ROWS):
        rel = rel.parent
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
