"""Keys of queries: the columns that together identify a row, derived from the keys of tables."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any

import ibis.expr.operations as ops

from marts.core.analysis.constants import constants_in, keys_of_rows, written_rows
from marts.core.analysis.declared_keys import DeclaredKeys
from marts.core.analysis.dependencies import Key, injective_column, row_number_partition
from marts.core.analysis.filter_keys import ROW_BY_ROW, keys_of_filter, unnests
from marts.core.analysis.join_keys import (
    JoinCardinality,
    KeysOf,
    cardinalities_of,
    keys_of_coalesced_sides,
    keys_of_join,
)

AT_MOST_ONE_ROW: Key = frozenset()
"""The key of a relation that has at most one row."""


def keys_of(rel: ops.Relation, declared: DeclaredKeys) -> frozenset[Key]:
    """Return the sets of columns that identify a row of a relation; none if they are unknown."""
    of_parent = partial(keys_of, declared=declared)
    match rel:
        case ops.AliasedRelation():  # before tables, of which it is a subclass
            return keys_of(rel.parent, declared)
        case ops.PhysicalTable():
            return declared.of_all_rows.get(rel.name, frozenset())
        case ops.Filter():
            return keys_of_filter(rel, keys_of(rel.parent, declared), declared)
    for kinds, rule in RULES:
        if isinstance(rel, kinds):
            return frozenset(rule(rel, of_parent))
    return frozenset()


def join_cardinalities(chain: ops.JoinChain, declared: DeclaredKeys) -> tuple[JoinCardinality, ...]:
    """Return the cardinality of each link of a chain of joins, in order."""
    return cardinalities_of(chain, partial(keys_of, declared=declared))


def _keys_of_set(rel: ops.Set, keys_of: KeysOf) -> Iterator[Key]:
    if rel.distinct:
        yield frozenset(rel.schema.names)
    if not isinstance(rel, ops.Union):
        yield from keys_of(rel.left)
    elif (rows := written_rows(rel)) is not None:
        yield from keys_of_rows(rows)
    else:
        yield from _keys_with_discriminator(rel, keys_of)


def _keys_with_discriminator(rel: ops.Union, keys_of: KeysOf) -> Iterator[Key]:
    """Yield the keys of a union in which some column has different constants on each side."""
    for name in rel.schema.names:
        left, right = (constants_in(side, name) for side in (rel.left, rel.right))
        if left is not None and right is not None and not left & right:
            for one in keys_of(rel.left):
                yield from (one | other | {name} for other in keys_of(rel.right))


def _keys_of_fill_null(rel: ops.FillNull, keys_of: KeysOf) -> Iterator[Key]:
    given = rel.replacements
    filled = given if isinstance(given, Mapping) else dict.fromkeys(rel.schema.names)
    return (key for key in keys_of(rel.parent) if not key & filled.keys())


def _keys_of_projection(rel: ops.Relation, keys_of: KeysOf) -> Iterator[Key]:
    """Yield the keys that a projection keeps, and those that its row numbers add."""
    values = rel.values.items()
    if unnests(rel):
        return
    if isinstance(rel.parent, ops.JoinChain):
        yield from keys_of_coalesced_sides(rel.parent, rel.values, keys_of)
    names = {field.name: name for name, value in values if (field := injective_column(value))}
    for key in keys_of(rel.parent):
        if key <= names.keys():
            yield frozenset(names[column] for column in key)
    for name, value in values:
        partition = row_number_partition(value)
        if partition is not None and partition <= names.keys():
            yield frozenset({name, *(names[column] for column in partition)})


RULES: tuple[
    tuple[
        type[ops.Relation] | tuple[type[ops.Relation], ...], Callable[[Any, KeysOf], Iterable[Key]]
    ],
    ...,
] = (
    (ops.Aggregate, lambda rel, _: [frozenset(rel.groups)]),
    (ops.Distinct, lambda rel, of: of(rel.parent) | {frozenset(rel.schema.names)}),
    (ops.Set, _keys_of_set),
    (ops.JoinChain, keys_of_join),
    (ops.DummyTable, lambda rel, _: [] if unnests(rel) else [AT_MOST_ONE_ROW]),
    ((ops.Project, ops.DropColumns), _keys_of_projection),
    (ops.Limit, lambda rel, of: [AT_MOST_ONE_ROW] if rel.n == 1 else of(rel.parent)),
    (ops.FillNull, _keys_of_fill_null),
    (ROW_BY_ROW, lambda rel, of: of(rel.parent)),
)
"""How the keys of each kind of relation are found; the first kind that fits applies."""
