"""The columns of each relation below a query that some of its columns depend on, and how."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from functools import partial
from typing import Any

import ibis.expr.operations as ops
from ibis.common.graph import Graph as Nodes

from marts.core.analysis.casts import unwrapped
from marts.core.analysis.declared_keys import DeclaredKeys
from marts.core.analysis.join_keys import cardinalities_of
from marts.core.analysis.keys import keys_of
from marts.core.analysis.lineage import resolved
from marts.core.analysis.nodes import conjuncts

Needed = Mapping[ops.Relation, Mapping[str, bool]]
"""The needed columns of each relation: True if the value matters, and False if it only matters
which rows have equal values."""

Need = tuple[ops.Relation, str, bool]


def needed_columns(query: ops.Relation, names: Collection[str], joins: Joins) -> Needed:
    """Return what some columns of a query depend on, in it and in each relation below it.

    A join that can neither remove nor repeat rows counts only if its columns are needed.
    """
    needed: dict[ops.Relation, dict[str, bool]] = {query: dict.fromkeys(names, True)}
    for rel in relations_of(query):
        for below, name, is_value in _needs(rel, needed.get(rel, {}), joins):
            found = needed.setdefault(below, {})
            found[name] = found.get(name, False) or is_value
    return needed


def relations_of(query: ops.Relation) -> list[ops.Relation]:
    """Return a relation and all below it, each after those that read it."""
    nodes, _ = Nodes.from_bfs(query).toposort()
    return [op for op in reversed(list(nodes)) if isinstance(op, ops.Relation)]


class Joins:
    """Tells which joins of a query can remove or repeat rows, from the declared keys of tables."""

    def __init__(self, query: ops.Relation, keys: DeclaredKeys) -> None:
        self._keys = keys
        self._identified: dict[ops.JoinChain, set[ops.Relation]] = {}
        self._known: dict[ops.JoinChain, list[bool]] = {}
        for rel in query.find(ops.AliasedRelation):
            for key in keys.of_all_rows.get(mart_of(rel) or "", ()):
                self._identify(rel, key)

    def _identify(self, rel: ops.AliasedRelation, key: Collection[str]) -> None:
        """Note which relations of a mart's join its key is read from: it repeats no row of them."""
        fields: list[ops.Value] = [ops.Field(rel, name) for name in key]
        while fields and all(isinstance(f, ops.Field) and f.rel == rel for f in fields):
            if isinstance(rel, ops.JoinChain):
                sides = {each for f in fields for each in _read(rel.values[f.name])}
                self._identified.setdefault(rel, sides)
                return
            if isinstance(rel, ops.AliasedRelation):
                fields = [ops.Field(rel.parent, f.name) for f in fields]
            elif isinstance(rel, ops.Project | ops.Filter | ops.Sort | ops.DropColumns):
                fields = [unwrapped(rel.values[f.name]) for f in fields]
            else:
                return
            rel = rel.parent

    def kept(self, chain: ops.JoinChain, names: Iterable[str]) -> tuple[ops.JoinLink, ...]:
        """Return the links of a chain on which some of its columns, or its rows, depend."""
        kept: list[ops.JoinLink] = []
        if chain not in self._known:
            self._known[chain] = [*self._lookups(chain)]
        lookups = self._known[chain]
        used = {rel for name in names for rel in _read(chain.values[name])}
        for link, is_lookup in reversed([*zip(chain.rest, lookups, strict=True)]):
            if is_lookup and link.table not in used:
                continue
            kept.append(link)
            used.update(rel for each in link.predicates for rel in _read(each))
        return tuple(reversed(kept))

    def _lookups(self, chain: ops.JoinChain) -> Iterator[bool]:
        """Yield of each link whether the joined rows are the same, and as many, without it."""
        identified = self._identified.get(chain)
        found = cardinalities_of(shortened(chain), partial(keys_of, declared=self._keys))
        for link, each in zip(chain.rest, found, strict=True):
            is_unique = each.right_is_unique or (identified and link.table not in identified)
            yield link.how in ("left", "any_left") and bool(is_unique)

    def keys_of(self, rel: ops.Relation) -> frozenset[frozenset[str]]:
        """Return the sets of columns that identify a row of a relation; none if unknown."""
        return keys_of(shortened(rel), self._keys)


def shortened(rel: ops.Node) -> Any:
    """Return a relation or value that reads marts by name.

    Their keys are known: there is no need to look further, along paths that are too many.
    """
    known: dict[ops.Node, ops.Relation] = {
        op: ops.UnboundTable(name=mart_of(op) or op.name, schema=op.schema)
        for op in rel.find(ops.AliasedRelation)
    }
    return rel.replace(known)


ALIAS = "_here"
"""What follows the name of a mart in the name of its query, where marts are inlined."""


def mart_of(rel: ops.Relation) -> str | None:
    """Return the mart whose query a relation is, None for other relations."""
    if isinstance(rel, ops.AliasedRelation) and rel.name.endswith(ALIAS):
        return str(rel.name).removesuffix(ALIAS)
    return None


def _read(value: ops.Value) -> set[ops.Relation]:
    return {field.rel for field in value.find(ops.Field, filter=ops.Value)}


def is_surrogate(value: ops.Value) -> bool:
    """Tell whether a value numbers all rows, so that equal numbers mean equal rows or keys."""
    value = unwrapped(value)
    ranks = (ops.DenseRank, ops.MinRank, ops.RowNumber)
    return (
        isinstance(value, ops.WindowFunction)
        and isinstance(value.func, ranks)
        and not value.group_by
    )


def _needs(rel: ops.Relation, names: Mapping[str, bool], joins: Joins) -> Iterator[Need]:
    for kinds, rule in RULES:
        if isinstance(rel, kinds):
            yield from rule(rel, names, joins)
            return
    # Nothing is known of it: everything below matters.
    for below in rel.__children__:
        if isinstance(below, ops.Relation):
            yield from ((below, name, True) for name in below.schema.names)


def _of_parent(rel: Any, names: Mapping[str, bool], _: Joins) -> Iterator[Need]:
    yield from ((rel.parent, name, is_value) for name, is_value in names.items())


def _of_distinct(rel: Any, names: Mapping[str, bool], joins: Joins) -> Iterator[Need]:
    yield from _of_parent(rel, {**dict.fromkeys(rel.schema.names, False), **names}, joins)


def _of_set(rel: ops.Set, names: Mapping[str, bool], _: Joins) -> Iterator[Need]:
    is_whole = rel.distinct or not isinstance(rel, ops.Union)
    compared = dict.fromkeys(rel.schema.names, False) if is_whole else {}
    for name, is_value in {**compared, **names}.items():
        yield rel.left, name, is_value
        yield rel.right, name, is_value


def _of_join(rel: ops.JoinChain, names: Mapping[str, bool], joins: Joins) -> Iterator[Need]:
    yield from _of_values(rel, names, joins)
    for link in joins.kept(rel, names):
        for predicate in link.predicates:
            yield from _of_predicate(predicate)


def _of_aggregate(rel: ops.Aggregate, names: Mapping[str, bool], joins: Joins) -> Iterator[Need]:
    yield from _of_values(rel, {**dict.fromkeys(rel.groups, False), **names}, joins)


def _of_filter(rel: ops.Filter, names: Mapping[str, bool], joins: Joins) -> Iterator[Need]:
    yield from _of_parent(rel, names, joins)
    for predicate in rel.predicates:
        yield from _of_predicate(predicate)


def _of_values(rel: ops.Relation, names: Mapping[str, bool], _: Joins) -> Iterator[Need]:
    for name, is_value in names.items():
        yield from _of_value(rel.values[name], is_value=is_value)


def _of_predicate(predicate: ops.Value) -> Iterator[Need]:
    for each in conjuncts(predicate):
        is_value = not (isinstance(each, ops.Equals) and _are_comparable(each.left, each.right))
        for side in (each,) if is_value else (each.left, each.right):
            yield from _of_value(side, is_value=is_value)


def _are_comparable(left: ops.Value, right: ops.Value) -> bool:
    """Tell whether it only matters of two columns whether they are equal, whatever the rows."""
    sides = [unwrapped(each) for each in (left, right)]
    if not all(isinstance(each, ops.Field) for each in sides):
        return False
    origins = [origin(each) for each in sides]
    # Numbers that are given to other rows, or in another order, are equal by chance.
    return origins[0] == origins[1] or not any(map(is_surrogate, origins))


def origin(value: ops.Value) -> ops.Value:
    """Return the value that a value copies, from as far below as it does."""
    while True:
        found = unwrapped(resolved(value))
        if found == value:
            return value
        value = found


def _of_value(value: ops.Value, *, is_value: bool) -> Iterator[Need]:
    value = unwrapped(value)
    if isinstance(value, ops.Field):
        yield value.rel, value.name, is_value
        return
    if not is_value and is_surrogate(value):
        for key in value.order_by:
            yield from _of_value(key.arg, is_value=False)
        return
    for field, by_value in _fields(value):
        yield field.rel, field.name, by_value
    for subquery in value.find(ops.InSubquery, filter=ops.Value):
        yield from ((subquery.rel, name, True) for name in subquery.rel.schema.names)


def _fields(value: ops.Node, *, by_value: bool = True) -> Iterator[tuple[ops.Field, bool]]:
    """Yield the columns in a value; those that only partition a window do not count by value."""
    if isinstance(value, ops.Field):
        yield value, by_value
    elif isinstance(value, ops.WindowFunction):
        for each in value.group_by:
            is_column = isinstance(unwrapped(each), ops.Field)
            yield from _fields(each, by_value=not is_column)
        for below in (value.func, *value.order_by):
            yield from _fields(below)
    elif not isinstance(value, ops.Relation):
        for below in value.__children__:
            yield from _fields(below, by_value=by_value)


RULES: tuple[
    tuple[
        tuple[type[ops.Relation], ...], Callable[[Any, Mapping[str, bool], Joins], Iterable[Need]]
    ],
    ...,
] = (
    # Before tables: in Ibis, a view is one, too.
    ((ops.AliasedRelation, ops.Reference, ops.Sort, ops.FillNull), _of_parent),
    ((ops.PhysicalTable,), lambda *_: ()),
    ((ops.Set,), _of_set),
    ((ops.Distinct,), _of_distinct),
    ((ops.JoinChain,), _of_join),
    ((ops.Aggregate,), _of_aggregate),
    ((ops.Filter,), _of_filter),
    ((ops.Project, ops.DropColumns), _of_values),
)
"""What each kind of relation needs below it for some of its columns; the first kind that fits."""
