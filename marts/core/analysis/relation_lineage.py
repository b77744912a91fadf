"""On which columns of tables a relation depends: a rule for each kind of relation."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

import ibis.expr.operations as ops
from ibis.common.graph import Graph as Nodes

from marts.core.analysis.declared_keys import DeclaredKeys
from marts.core.analysis.join_keys import cardinalities_of
from marts.core.analysis.keys import keys_of
from marts.core.analysis.kinds import (
    NO_COLUMN,
    ROWS,
    Edges,
    Kind,
    direct,
    merged,
    of_columns,
    used,
)
from marts.core.analysis.lineage import Name
from marts.core.analysis.value_lineage import (
    Known,
    RelationEdges,
    depends_on_order,
    edges_of_value,
)

NOTHING: Edges = {}
NO_KEYS = DeclaredKeys()


class Lineage:
    """Tells on what queries and values depend in the tables that they read.

    `keys` are those of the tables: a left join that finds one row at most keeps the rows as they
    are. Whatever is not known of an operation, it depends on all that it is made of. What was found
    of an operation is remembered, so that queries with the same operations are read once.
    """

    def __init__(self, keys: DeclaredKeys = NO_KEYS) -> None:
        self._keys = keys
        self._known = Known()

    def of_relation(self, rel: ops.Relation) -> RelationEdges:
        """Return on what a query depends: its columns, its rows and their order."""
        self._read(rel)
        return self._known.relations[rel]

    def of_value(self, value: ops.Value) -> Edges:
        """Return on which columns of tables a value depends, apart from which rows there are."""
        self._read(value)
        return of_columns(self._known.values[value])

    def made_of(self, value: ops.Value) -> frozenset[Name]:
        """Return the columns of tables of which a value is made; see `Kind.is_direct`."""
        return frozenset(direct(self.of_value(value)))

    def _read(self, node: ops.Node) -> None:
        known = self._known
        nodes, _ = Nodes.from_bfs(node, filter=known.is_new).toposort()
        # A loop instead of recursion: a query may be nested more deeply than Python's stack.
        for op in nodes:
            if isinstance(op, ops.Value):
                known.values[op] = edges_of_value(op, known)
            elif isinstance(op, ops.Relation):
                known.relations[op] = _edges_of(op, known, self._keys)


def _edges_of(rel: ops.Relation, known: Known, keys: DeclaredKeys) -> RelationEdges:
    if isinstance(rel, ops.JoinChain):
        return _joined(rel, known, keys)
    for kinds, rule in RULES:
        if isinstance(rel, kinds):
            found = rule(rel, known)
            return found._replace(rows=merged([found.rows, _unnested(rel, known)]))
    return _unknown(rel, known)


def _table(rel: ops.PhysicalTable, _: Known) -> RelationEdges:
    one = frozenset({Kind.IDENTITY})
    columns: dict[str, Edges] = {name: {(rel.name, name): one} for name in rel.schema.names}
    return RelationEdges(columns, {(rel.name, ROWS): one}, NOTHING)


def _constant(rel: ops.Relation, known: Known) -> RelationEdges:
    values = {name: known.used(Kind.IDENTITY, [value]) for name, value in rel.values.items()}
    return RelationEdges(dict.fromkeys(rel.schema.names, NO_COLUMN) | values, NOTHING, NOTHING)


def _dropped(rel: ops.DropColumns, known: Known) -> RelationEdges:
    below = known.relations[rel.parent]
    return below._replace(columns={name: below.columns[name] for name in rel.schema.names})


def _computed(rel: ops.Project, known: Known) -> RelationEdges:
    below = known.relations[rel.parent]
    columns = {name: _of_rows(value, below, known) for name, value in rel.values.items()}
    return RelationEdges(columns, below.rows, below.order)


def _of_rows(value: ops.Value, below: RelationEdges, known: Known) -> Edges:
    edges = known.values[value]
    return merged([edges, below.order]) if depends_on_order(value) else edges


def _filter(rel: ops.Filter, known: Known) -> RelationEdges:
    return _fewer(rel.parent, known.used(Kind.FILTER, rel.predicates), known)


def _fewer(parent: ops.Relation, deciding: Edges, known: Known) -> RelationEdges:
    below = known.relations[parent]
    return below._replace(rows=merged([below.rows, deciding]))


def _sort(rel: ops.Sort, known: Known) -> RelationEdges:
    below = known.relations[rel.parent]
    return below._replace(order=merged([below.order, known.used(Kind.SORT, rel.keys)]))


def _limit(rel: ops.Limit, known: Known) -> RelationEdges:
    below = known.relations[rel.parent]
    counts = [each for each in (rel.n, rel.offset) if isinstance(each, ops.Value)]
    # The order decides what is in the rows, and not how many there are.
    columns = {name: merged([edges, below.order]) for name, edges in below.columns.items()}
    rows = merged([below.rows, known.used(Kind.FILTER, counts)])
    return RelationEdges(columns, rows, below.order)


def _drop_null(rel: ops.DropNull, known: Known) -> RelationEdges:
    columns = known.relations[rel.parent].columns
    tested = columns if rel.subset is None else [each.name for each in rel.subset]
    deciding = used(Kind.FILTER, merged(columns[name] for name in tested))
    return _fewer(rel.parent, deciding, known)


def _fill_null(rel: ops.FillNull, known: Known) -> RelationEdges:
    given, below = rel.replacements, known.relations[rel.parent]
    filled = given if isinstance(given, Mapping) else dict.fromkeys(rel.schema.names, given)
    columns = {
        name: merged(
            [
                used(Kind.TRANSFORMATION if name in filled else Kind.IDENTITY, edges),
                known.used(Kind.TRANSFORMATION, [filled.get(name)]),
            ]
        )
        for name, edges in below.columns.items()
    }
    return below._replace(columns=columns)


def _distinct(rel: ops.Distinct, known: Known) -> RelationEdges:
    columns = known.relations[rel.parent].columns
    found = _fewer(rel.parent, used(Kind.GROUP_BY, merged(columns.values())), known)
    return found._replace(order=NOTHING)


def _aggregate(rel: ops.Aggregate, known: Known) -> RelationEdges:
    below = known.relations[rel.parent]
    groups = known.used(Kind.GROUP_BY, rel.groups.values())
    columns = {
        name: _of_rows(value, below, known)
        if name in rel.groups
        # An aggregate of all rows is one row, whichever these are; its values depend on them.
        else merged([_of_rows(value, below, known), below.rows, groups])
        for name, value in rel.values.items()
    }
    rows = merged([below.rows, groups]) if rel.groups else NOTHING
    return RelationEdges(columns, rows, NOTHING)


def _set(rel: ops.Set, known: Known) -> RelationEdges:
    left, right = (known.relations[each] for each in (rel.left, rel.right))
    both = merged([*left.columns.values(), *right.columns.values()])
    rows = merged([left.rows, right.rows])
    if isinstance(rel, ops.Union):
        columns = {
            name: merged([left.columns[name], right.columns[name]]) for name in rel.schema.names
        }
        deciding = used(Kind.GROUP_BY, both) if rel.distinct else NOTHING
        return RelationEdges(columns, merged([rows, deciding]), NOTHING)
    return RelationEdges(left.columns, merged([rows, used(Kind.JOIN, both)]), NOTHING)


def _joined(chain: ops.JoinChain, known: Known, keys: DeclaredKeys) -> RelationEdges:
    """Return on what a chain of joins depends.

    A left join that finds one row at most decides about the columns of this row only.
    """
    first = known.relations[chain.first]
    rows, found = first.rows, dict[ops.Relation, Edges]()
    for each in cardinalities_of(chain, partial(keys_of, declared=keys)):
        link = each.link
        conditions = merged(_after_joins(value, found, known) for value in link.predicates)
        deciding = merged([known.relations[link.table].rows, used(Kind.JOIN, conditions)])
        if link.how in KEEPING_LEFT and each.right_is_unique:
            found[link.table] = deciding
        else:
            rows = merged([rows, deciding])
    columns = {name: _after_joins(value, found, known) for name, value in chain.values.items()}
    return RelationEdges(columns, rows, first.order)


KEEPING_LEFT = ("left", "any_left")
"""The joins that keep the rows of the left side, each once if it matches one row at most."""


def _after_joins(value: ops.Value, found: Mapping[ops.Relation, Edges], known: Known) -> Edges:
    """Return on what a value of joined rows depends, also on what finds the rows that it reads."""
    tables = {field.rel for field in value.find(ops.Field, filter=ops.Value)}
    return merged([known.values[value], *(found[each] for each in found if each in tables)])


def _table_unnest(rel: ops.TableUnnest, known: Known) -> RelationEdges:
    below, added = known.relations[rel.parent], known.used(Kind.TRANSFORMATION, [rel.column])
    columns: dict[str, Edges] = {**below.columns, rel.column_name: added}
    if rel.offset is not None:
        columns[rel.offset] = added
    deciding = known.used(Kind.JOIN, [rel.column])
    return RelationEdges(columns, merged([below.rows, deciding]), below.order)


def _unnested(rel: ops.Relation, known: Known) -> Edges:
    """Return on what the number of rows depends that a relation makes of one."""
    if not isinstance(rel, ops.Project | ops.Aggregate | ops.DummyTable):
        return NOTHING
    values: Iterable[ops.Value] = rel.values.values()
    arrays = [
        op
        for value in values
        for op in value.find(ops.Unnest, filter=ops.Value)
        # An array that is written out has as many elements in each row.
        if not isinstance(op.arg, ops.Array)
    ]
    return known.used(Kind.JOIN, arrays)


def _unknown(rel: ops.Relation, known: Known) -> RelationEdges:
    """Return everything below: each column may be made of all of it, and all may decide rows."""
    below, waiting = list[Edges](), list(rel.__children__)
    while waiting:
        match waiting.pop():
            case ops.Relation() as each:
                below.append(known.whole(Kind.TRANSFORMATION, each))
            case ops.Value() as each:
                below.append(known.used(Kind.TRANSFORMATION, [each]))
            case other:
                waiting += other.__children__
    everything = merged(below)
    columns = dict.fromkeys(rel.schema.names, everything)
    return RelationEdges(columns, used(Kind.FILTER, everything), NOTHING)


def _parent(rel: Any, known: Known) -> RelationEdges:
    return known.relations[rel.parent]


RULES: tuple[tuple[tuple[type[ops.Relation], ...], Callable[[Any, Known], RelationEdges]], ...] = (
    # Before tables: in Ibis, a view is one, too.
    ((ops.Reference, ops.AliasedRelation, ops.Sample), _parent),
    ((ops.InMemoryTable, ops.DummyTable), _constant),
    ((ops.PhysicalTable,), _table),
    ((ops.Project,), _computed),
    ((ops.DropColumns,), _dropped),
    ((ops.Filter,), _filter),
    ((ops.Sort,), _sort),
    ((ops.Limit,), _limit),
    ((ops.DropNull,), _drop_null),
    ((ops.FillNull,), _fill_null),
    ((ops.Distinct,), _distinct),
    ((ops.Aggregate,), _aggregate),
    ((ops.Set,), _set),
    ((ops.TableUnnest,), _table_unnest),
)
"""How a relation depends on those below it; the first kind that fits applies."""
