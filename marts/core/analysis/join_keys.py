"""Keys of joined rows, and how many rows of one side of a join match a row of the other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

import ibis.expr.operations as ops

from marts.core.analysis.dependencies import Key, injective_column
from marts.core.analysis.nodes import conjuncts

KeysOf = Callable[[ops.Relation], frozenset[Key]]

Column = tuple[ops.Relation | None, str]
"""A column of one of the joined relations."""

JoinKey = frozenset[Column]
"""Columns that together identify a row of the relations joined so far."""

AT_MOST_ONE_RIGHT = ("asof", "any_inner", "any_left", "positional")
"""The joins in which a row of the left side matches at most one of the right side."""

EQUATING = ("inner", "left", "any_inner", "any_left", "asof")
"""The joins after which matched columns are equal unless one is null."""


@dataclass(frozen=True)
class JoinCardinality:
    """One link of a chain of joins: how many rows of each side match a row of the other.

    `matched` are the pairs of columns, left and right, that are equal if two rows match.
    `left_is_unique` says that a row of the right side matches at most one of the left side,
    `right_is_unique` the reverse.
    """

    link: ops.JoinLink
    matched: tuple[tuple[Column, Column], ...]
    left_is_unique: bool
    right_is_unique: bool

    @property
    def is_many_to_many(self) -> bool:
        """Whether a row of either side may match several of the other side."""
        is_filter = self.link.how in ("semi", "anti")
        return not (is_filter or self.left_is_unique or self.right_is_unique)


def cardinalities_of(chain: ops.JoinChain, keys_of: KeysOf) -> tuple[JoinCardinality, ...]:
    """Return the cardinality of each link of a chain of joins, in order."""
    return tuple(cardinality for cardinality, _ in _links(chain, keys_of))


def keys_of_join(chain: ops.JoinChain, keys_of: KeysOf) -> Iterator[Key]:
    """Yield the keys of a chain of joins, in the names of its columns."""
    links = list(_links(chain, keys_of))
    _, keys = links[-1]
    equal = _equal_columns(cardinality for cardinality, _ in links)
    names: dict[Column, str] = {}
    for name, value in chain.values.items():
        field = injective_column(value)
        if field is not None:
            for column in equal.get((field.rel, field.name), {(field.rel, field.name)}):
                names.setdefault(column, name)
            names[field.rel, field.name] = name
    yield from (frozenset(names[column] for column in key) for key in keys if key <= names.keys())
    yield from keys_of_coalesced_sides(chain, chain.values, keys_of)


def keys_of_coalesced_sides(
    chain: ops.JoinChain, values: Mapping[str, ops.Value], keys_of: KeysOf
) -> Iterator[Key]:
    """Yield the key of a one-to-one outer join whose matched columns are coalesced in `values`."""
    if [link.how for link in chain.rest] != ["outer"]:
        return
    (cardinality,) = cardinalities_of(chain, keys_of)
    names = {}
    for name, value in values.items():
        if isinstance(value, ops.Coalesce):
            sides = [injective_column(_as_joined(chain, each)) for each in value.arg]
            names[frozenset((side.rel, side.name) for side in sides if side)] = name
    pairs = [frozenset(pair) for pair in cardinality.matched]
    is_one_to_one = cardinality.left_is_unique and cardinality.right_is_unique
    if is_one_to_one and names.keys() >= {*pairs}:
        yield frozenset(names[pair] for pair in pairs)


def _as_joined(chain: ops.JoinChain, value: ops.Value) -> ops.Value:
    is_its_own = isinstance(value, ops.Field) and value.rel == chain
    return chain.values[value.name] if is_its_own else value


def _equal_columns(cardinalities: Iterable[JoinCardinality]) -> dict[Column, set[Column]]:
    """Return for each matched column all columns that equal it unless one is null."""
    classes: dict[Column, set[Column]] = {}
    for cardinality in cardinalities:
        if cardinality.link.how in EQUATING:
            for pair in cardinality.matched:
                merged = set[Column]().union(*(classes.get(each, {each}) for each in pair))
                classes |= dict.fromkeys(merged, merged)
    return classes


def _links(
    chain: ops.JoinChain, keys_of: KeysOf
) -> Iterator[tuple[JoinCardinality, frozenset[JoinKey]]]:
    """Yield each link of a chain, and the keys of the relations joined so far."""
    keys, done = _qualified(chain.first, keys_of(chain.first)), list[JoinCardinality]()
    for link in chain.rest:
        pairs = tuple(_matched(link))
        equal = _equal_columns(done)
        left = set[Column]().union(*(equal.get(one, {one}) for one, _ in pairs))
        right = {other for _, other in pairs}
        added = _qualified(link.table, keys_of(link.table))
        matching = added | _qualified(link.table, _keys_of_matching_rows(link, keys_of))
        cardinality = JoinCardinality(
            link,
            pairs,
            left_is_unique=any(key <= left for key in keys),
            right_is_unique=any(key <= right for key in matching) or link.how in AT_MOST_ONE_RIGHT,
        )
        done.append(cardinality)
        keys = _joined(cardinality, keys, added)
        yield cardinality, frozenset(keys)


def _qualified(rel: ops.Relation, keys: Iterable[Key]) -> set[JoinKey]:
    return {frozenset((rel, name) for name in key) for key in keys}


def _keys_of_matching_rows(link: ops.JoinLink, keys_of: KeysOf) -> frozenset[Key]:
    """Return the keys of those rows of a link's table that meet its conditions on this table."""
    own = [
        each
        for predicate in link.predicates
        for each in conjuncts(predicate)
        if _relations_in(each) == {link.table}
    ]
    return keys_of(ops.Filter(link.table, own)) if own else frozenset()


def _joined(cardinality: JoinCardinality, keys: set[JoinKey], added: set[JoinKey]) -> set[JoinKey]:
    """Return the keys of a join: of one side, or of both together."""
    how = cardinality.link.how
    if how in ("semi", "anti"):
        return keys
    keeps_left = cardinality.right_is_unique and how in (
        *("inner", "left", "cross"),
        *AT_MOST_ONE_RIGHT,
    )
    keeps_right = cardinality.left_is_unique and how in ("inner", "right", "cross")
    # A matched column is the same on both sides, so the key of one side already has it.
    left, right = ({pair[side] for pair in cardinality.matched} for side in (0, 1))
    pairs = [(key, other) for key in keys for other in added]
    if keeps_left:
        return keys | (added if keeps_right else set())
    if keeps_right:
        # The columns of the right side may not be selected.
        return added | (
            {key | (other - right) for key, other in pairs} if how == "inner" else set()
        )
    found = {key | other for key, other in pairs}
    if how in ("inner", "left"):
        found |= {key | (other - right) for key, other in pairs}
    if how in ("inner", "right"):
        found |= {(key - left) | other for key, other in pairs}
    return found


def _matched(link: ops.JoinLink) -> Iterator[tuple[Column, Column]]:
    """Yield the columns, left and right, that a link's equalities match.

    The name of a computed operand is not in any key.
    """
    for predicate in link.predicates:
        for each in conjuncts(predicate):
            if not isinstance(each, ops.Equals):
                continue
            for one, other in [(each.left, each.right), (each.right, each.left)]:
                if _relations_in(other) == {link.table} and link.table not in _relations_in(one):
                    yield _column(one), _column(other)


def _relations_in(value: ops.Value) -> set[ops.Relation]:
    return {field.rel for field in value.find(ops.Field, filter=ops.Value)}


def _column(value: ops.Value) -> Column:
    field = injective_column(value)
    if field is not None:
        return field.rel, field.name
    return next(iter(_relations_in(value)), None), "(computed)"
