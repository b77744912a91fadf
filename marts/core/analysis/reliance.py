"""What marts rely on in the tables they read, found in their expressions: no second declaration.

Read are the columns that a mart's result depends on, the constants that texts are compared with,
and the joins: which of them look something up, and which could multiply rows. What a mart relies on
in another mart is followed down to the columns of sources.
"""

from __future__ import annotations

import datetime
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

import ibis.expr.operations as ops

from marts.core.analysis.constants import constants_in, written_rows
from marts.core.analysis.formatting import Speller, table_of
from marts.core.analysis.keys import (
    Key,
    Keys,
    Meeting,
    declared_keys,
    keys_of,
    meetings,
    predicates_of,
    told_apart_by,
)
from marts.core.analysis.lineage import Copies, columns_read, computed_as, copies_of, meaning
from marts.core.analysis.text_values import Name, Seen, Texts
from marts.core.analysis.thresholds import comparisons
from marts.core.authoring.checks import is_fused, tables_read
from marts.core.authoring.expressions import FixedAsOf
from marts.core.authoring.tables import Mart, checks_of
from marts.core.project.graph import Graph
from marts.core.project.loading import Project
from marts.core.query.checks import offending_rows
from marts.core.query.definition import defining_query, logical_tables
from marts.core.query.nulls import declared_filled

ANY_DAY = datetime.date(2000, 1, 1)
"""As of which marts are read: what they rely on does not depend on it."""

EQUATING = (ops.Equals, ops.NotEquals, ops.IdenticalTo, ops.InValues, ops.NullIf, ops.SimpleCase)


@dataclass(frozen=True)
class Condition:
    """A condition of a mart that compares a text column of a source with constants."""

    mart: str
    seen: Seen
    texts: tuple[str, ...]
    words: str


@dataclass(frozen=True)
class Lookup:
    """A join by which rows of one source look something up among all rows of another."""

    mart: str
    source: str
    columns: tuple[str, ...]
    to_source: str
    to_columns: tuple[str, ...]


@dataclass(frozen=True)
class Unknown:
    """A constant that a mart compares columns with whose declared values it is not among."""

    mart: str
    columns: tuple[Name, ...]
    text: str
    values: tuple[str, ...]
    at: ops.Node = field(repr=False, compare=False)


@dataclass(frozen=True)
class Product:
    """A join of a mart in which neither side is known to be unique by its keys."""

    mart: str
    left: str
    right: str
    columns: tuple[str, ...]
    left_keys: frozenset[Key]
    right_keys: frozenset[Key]
    at: ops.Node = field(repr=False, compare=False)


@dataclass(frozen=True)
class SelfMatch:
    """A condition of a join that compares a column with itself, as `column` of one table."""

    mart: str
    left: str
    right: str
    column: str
    at: ops.Node = field(repr=False, compare=False)


@dataclass(frozen=True)
class Relied:
    """What one mart relies on by itself; `reads` are the columns of each table, checks included."""

    reads: Mapping[str, frozenset[str]]
    conditions: tuple[Condition, ...]
    lookups: tuple[Lookup, ...]
    unknown: tuple[Unknown, ...]
    products: tuple[Product, ...]
    self_matches: tuple[SelfMatch, ...] = ()


@dataclass(frozen=True)
class Reliance:
    """What each mart of a project relies on, and the columns of sources that its own are."""

    by_mart: Mapping[str, Relied]
    copies: Mapping[Name, Name]
    """The columns of marts that hold a source's column as it is."""
    inputs: Mapping[str, tuple[str, ...]]
    lineage: Mapping[str, Copies] = field(default_factory=dict)
    """For each column of each mart, the columns of its inputs that it copies."""

    def below(self, names: Collection[str]) -> tuple[str, ...]:
        """Return marts and all that they read, directly or not, in build order."""
        needed = set(names)
        for name in reversed(tuple(self.by_mart)):
            if name in needed:
                needed.update(self.inputs[name])
        return tuple(name for name in self.by_mart if name in needed)

    def columns_of_sources(self, names: Collection[str]) -> dict[str, frozenset[str]]:
        """Return the columns of each source that marts rely on, directly or through marts."""
        found: dict[str, set[str]] = {}
        for name in self.below(names):
            for table, columns in self.by_mart[name].reads.items():
                if table not in self.by_mart:
                    found.setdefault(table, set()).update(columns)
        return {table: frozenset(columns) for table, columns in found.items()}


def reliance_of(graph: Graph) -> Reliance:
    """Read what all marts of a project rely on.

    Raises DefinitionError for a mart or a check that is not a valid expression.
    """
    reader = Reader(graph)
    by_mart = {name: reader.relied(graph.project.marts[name]) for name in graph.order}
    return Reliance(
        by_mart,
        {
            (name, column): copied
            for name in graph.order
            for column in reader.queries[name].schema.names
            if (copied := reader.copied(ops.Field(reader.queries[name], column)))
        },
        {name: graph.project.marts[name].inputs for name in graph.order},
        {name: copies_of(query) for name, query in reader.queries.items()},
    )


class Reader:
    """Reads marts in build order, and remembers what their columns were computed as."""

    def __init__(self, graph: Graph) -> None:
        self.project: Project = graph.project
        self.as_of = FixedAsOf(ANY_DAY)
        self.tables = logical_tables(self.project)
        self.keys: Keys = declared_keys(self.project)
        self.filled = declared_filled(self.project)
        self.queries: dict[str, ops.Relation] = {}
        self.texts = Texts(self.project, self.queries)

    def relied(self, mart: Mart) -> Relied:
        """Return what a mart relies on by itself."""
        query = defining_query(mart, self.tables, self.as_of, filled=self.filled).op()
        self.queries[mart.name] = query
        compared = list(self._compared(query))
        chains = query.find(ops.JoinChain)
        met = [(chain, meeting) for chain in chains for meeting in meetings(chain, self.keys)]
        return Relied(
            self._reads(mart, query),
            tuple(dict.fromkeys(self._conditions(mart, [*compared, *_looked_up(met)]))),
            tuple(dict.fromkeys(self._lookups(mart, query, met))),
            tuple(self._unknown(mart, compared)),
            tuple(self._product(mart, chain, each) for chain, each in met if _depends(each)),
            tuple(_self_matches(mart, met)),
        )

    def _reads(self, mart: Mart, query: ops.Relation) -> dict[str, frozenset[str]]:
        found = {name: set(columns) for name, columns in columns_read(query).items()}
        for check in checks_of(mart):
            if not is_fused(check) and tables_read(check):
                rows = offending_rows(mart, check, self.tables, self.as_of)
                for name, columns in columns_read(rows.op()).items():
                    if name != mart.name:
                        found.setdefault(name, set()).update(columns)
        return {name: frozenset(columns) for name, columns in found.items()}

    # Texts

    def _compared(
        self, query: ops.Relation
    ) -> Iterator[tuple[ops.Value, ops.Value, ops.Value, tuple[str, ...]]]:
        """Yield each root expression, a comparison in it, what it compares, and the constants."""
        roots = dict.fromkeys(
            root for rel in query.find(ops.Relation) for root in _roots(rel) if _is_computed(root)
        )
        for root in roots:
            for op in root.find(EQUATING, filter=ops.Value):
                for value, texts in comparisons(op):
                    if isinstance(texts, tuple):
                        yield root, op, value, texts

    def _conditions(
        self,
        mart: Mart,
        compared: list[tuple[ops.Value, ops.Value, ops.Value, tuple[str, ...]]],
    ) -> Iterator[Condition]:
        """Yield what each root expression compares a source's column with, all in one."""
        found: dict[tuple[ops.Value, Seen], list[tuple[ops.Value, str]]] = {}
        for root, op, value, texts in compared:
            for seen in self.texts.seen(value):
                found.setdefault((root, seen), []).extend((op, text) for text in texts)
        for (root, seen), pairs in found.items():
            compared_by = {op for op, _ in pairs}
            words = Speller()(compared_by.pop() if len(compared_by) == 1 else root)
            yield Condition(mart.name, seen, tuple(dict.fromkeys(t for _, t in pairs)), words)

    def _unknown(
        self,
        mart: Mart,
        compared: list[tuple[ops.Value, ops.Value, ops.Value, tuple[str, ...]]],
    ) -> Iterator[Unknown]:
        for _, op, value, texts in compared:
            known = self.texts.values_of(value)
            if known is None or not known[1]:
                continue
            for text in texts:
                if text not in known[0]:
                    columns, values = tuple(sorted(known[1])), tuple(sorted(known[0]))
                    yield Unknown(mart.name, columns, text, values, op)

    # Joins

    def copied(self, value: ops.Value) -> Name | None:
        """Return the column of a source that a value is a copy of, None for any other value."""
        field = told_apart_by(value)
        if field is None:
            return None
        found = computed_as(field)
        if not isinstance(found, ops.Field):
            return self.copied(found) if told_apart_by(found) else None
        table = getattr(found.rel, "name", None)
        if table in self.queries:
            return self.copied(ops.Field(self.queries[table], found.name))
        return (table, found.name) if table in self.project.sources else None

    def _product(self, mart: Mart, chain: ops.JoinChain, meeting: Meeting) -> Product:
        return Product(
            mart.name,
            table_of(chain.first),
            table_of(meeting.link.table),
            tuple(dict.fromkeys(name for _, (_, name) in meeting.matched)),
            keys_of(chain.first, self.keys),
            keys_of(meeting.link.table, self.keys),
            meeting.link,
        )

    def _lookups(
        self, mart: Mart, query: ops.Relation, met: list[tuple[ops.JoinChain, Meeting]]
    ) -> Iterator[Lookup]:
        unmatched = {meaning(value) for rel in query.find(ops.Filter) for value in _nulls_kept(rel)}
        for _, meeting in met:
            for fact, lookup in _facts_to_lookups(meeting):
                columns = [meaning(ops.Field(*column)) for column in lookup]
                if meeting.link.how != "inner" and unmatched & {*columns, *_fields_of(meeting)}:
                    continue
                yield from self._lookup(mart, fact, lookup)

    def _lookup(
        self,
        mart: Mart,
        fact: tuple[tuple[ops.Relation, str], ...],
        lookup: tuple[tuple[ops.Relation, str], ...],
    ) -> Iterator[Lookup]:
        if any(name not in rel.schema for rel, name in fact):
            return
        at = [self.copied(ops.Field(*column)) for column in fact]
        to = [self._in_whole(*column) for column in lookup]
        tables = {each[0] for each in at if each}, {each[0] for each in to if each}
        if None in at or None in to or any(len(each) != 1 for each in tables):
            return
        (source,), (to_source,) = tables
        columns = tuple(each[1] for each in at if each)
        to_columns = tuple(each[1] for each in to if each)
        is_single = any(key <= set(columns) for key in self.keys[source])
        if not is_single and not self.project.sources[to_source].optional:
            yield Lookup(mart.name, source, columns, to_source, to_columns)

    def _in_whole(self, rel: ops.Relation, name: str) -> Name | None:
        """Return the source's column, where a relation has all rows of the source."""
        while True:
            match rel:
                case ops.Reference() | ops.AliasedRelation() | ops.Sort() | ops.Distinct():
                    rel = rel.parent
                case ops.Project() | ops.DropColumns() | ops.JoinChain():
                    field, whole = told_apart_by(rel.values[name]), self._whole_side(rel)
                    if field is None or field.rel != whole:
                        return None
                    rel, name = whole, field.name
                case ops.PhysicalTable() if rel.name in self.queries:
                    rel = self.queries[rel.name]
                case ops.PhysicalTable() if rel.name in self.project.sources:
                    return rel.name, name
                case _:
                    return None

    def _whole_side(self, rel: ops.Relation) -> ops.Relation | None:
        """Return which of the relations that one reads has all of its rows in it."""
        if not isinstance(rel, ops.JoinChain):
            return rel.parent
        return rel.first if all(link.how == "left" for link in rel.rest) else None


def _looked_up(
    met: list[tuple[ops.JoinChain, Meeting]],
) -> Iterator[tuple[ops.Value, ops.Value, ops.Value, tuple[str, ...]]]:
    """Yield the conditions by which rows find others that an author wrote down, with the texts."""
    for _, meeting in met:
        for op in (each for each in meeting.link.predicates if isinstance(each, ops.Equals)):
            for value, other in ((op.left, op.right), (op.right, op.left)):
                known = constants_in(other.rel, other.name) if isinstance(other, ops.Field) else ()
                if texts := tuple(sorted(each for each in known or () if isinstance(each, str))):
                    yield op, op, value, texts


def _self_matches(mart: Mart, met: list[tuple[ops.JoinChain, Meeting]]) -> Iterator[SelfMatch]:
    # Ibis takes an expression for the column of the other side that was computed by the same.
    for chain, meeting in met:
        link = meeting.link
        for each in (op for op in link.predicates if isinstance(op, ops.Comparison)):
            if each.left == each.right and isinstance(each.left, ops.Field):
                sides = table_of(chain.first), table_of(link.table)
                yield SelfMatch(mart.name, *sides, each.left.name, link)


def _roots(rel: ops.Relation) -> Iterator[ops.Value]:
    """Yield the expressions that a relation consists of."""
    match rel:
        case ops.Filter():
            yield from predicates_of(rel)
        case ops.Project():
            yield from rel.values.values()
        case ops.Aggregate():
            yield from (*rel.groups.values(), *rel.metrics.values())
        case ops.Sort():
            yield from rel.keys
        case ops.JoinChain():
            yield from (each for link in rel.rest for each in link.predicates)
            yield from rel.values.values()


def _is_computed(value: ops.Value) -> bool:
    return not isinstance(value, ops.Field)


def _nulls_kept(rel: ops.Filter) -> Iterator[ops.Value]:
    """Yield what is null in the rows that a filter keeps, or in some of them."""
    for predicate in predicates_of(rel):
        yield from _nulls_in(predicate)


def _nulls_in(op: ops.Value) -> Iterator[ops.Value]:
    match op:
        case ops.IsNull() | ops.Not(arg=ops.NotNull()):
            yield op.arg if isinstance(op, ops.IsNull) else op.arg.arg
        case ops.And() | ops.Or():
            yield from _nulls_in(op.left)
            yield from _nulls_in(op.right)


def _depends(meeting: Meeting) -> bool:
    """Tell whether it depends on data how many rows a row of either side meets.

    Rows that an author wrote down, such as a series of months, are as many as they are; but
    where columns are to be equal, one row is meant.
    """
    table = meeting.link.table
    is_repeated = bool(meeting.matched) and written_rows(table) is not None
    return meeting.multiplies and (is_repeated or bool(table.find(ops.PhysicalTable)))


def _fields_of(meeting: Meeting) -> set[ops.Value]:
    table = meeting.link.table
    return {meaning(ops.Field(table, name)) for name in table.schema.names}


Columns: TypeAlias = tuple[tuple[ops.Relation, str], ...]


def _facts_to_lookups(meeting: Meeting) -> Iterator[tuple[Columns, Columns]]:
    """Yield the columns of rows that look something up, and those by which they find it."""
    how, predicates = meeting.link.how, meeting.link.predicates
    left, right = zip(*meeting.matched, strict=True) if meeting.matched else ((), ())
    if len(predicates) != len(left) or meeting.one_left == meeting.one_right:
        return
    if meeting.one_right and how in ("inner", "left"):
        yield left, right
    if meeting.one_left and how in ("inner", "right") and len({rel for rel, _ in left}) == 1:
        yield right, left
