"""Read what marts rely on from their expressions, so that authors do not have to declare it.

A mart relies on the columns on which its result depends, on the constants that it compares texts
with, and on its joins: some are lookups, others could multiply rows. What a mart relies on in
another mart is traced to columns of sources.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

import ibis.expr.operations as ops

from marts.core.analysis.column_lineage import ANY_DAY, columns_read, copied_in
from marts.core.analysis.constants import constants_in, written_rows
from marts.core.analysis.declared_keys import declared_keys
from marts.core.analysis.dependencies import injective_column
from marts.core.analysis.formatting import Formatter, table_of
from marts.core.analysis.join_keys import Column, JoinCardinality
from marts.core.analysis.keys import join_cardinalities, keys_of
from marts.core.analysis.lineage import resolved, resolved_operation
from marts.core.analysis.nodes import predicates_of
from marts.core.analysis.relation_lineage import Lineage
from marts.core.analysis.reliance import (
    Condition,
    Lookup,
    ManyToManyJoin,
    MartReliance,
    Reliance,
    SelfComparison,
    UndeclaredConstant,
)
from marts.core.analysis.text_values import Name, TextColumn, TextLineage
from marts.core.analysis.thresholds import comparisons
from marts.core.authoring.checks import is_fused, tables_read
from marts.core.authoring.expressions import FixedAsOf
from marts.core.authoring.tables import Mart, checks_of
from marts.core.project.graph import Graph
from marts.core.query.checks import offending_rows
from marts.core.query.definition import defining_query, logical_tables
from marts.core.query.nulls import declared_not_null

EQUATING = (ops.Equals, ops.NotEquals, ops.IdenticalTo, ops.InValues, ops.NullIf, ops.SimpleCase)


def reliance_of(graph: Graph) -> Reliance:
    """Read what all marts of a project rely on.

    Raises DefinitionError for a mart or a check that is not a valid expression.
    """
    reader = Reader(graph)
    by_mart = {name: reader.read(graph.project.marts[name]) for name in graph.order}
    copies = {
        (name, column): copied
        for name in graph.order
        for column in reader.queries[name].schema.names
        if (copied := reader.copied_column(ops.Field(reader.queries[name], column)))
    }
    edges = {name: reader.lineage.of_relation(query) for name, query in reader.queries.items()}
    return Reliance(
        by_mart,
        copies,
        {name: graph.project.marts[name].inputs for name in graph.order},
        {name: copied_in(found) for name, found in edges.items()},
        edges,
        reader.queries,
    )


@dataclass(frozen=True)
class _Comparison:
    """A value that a mart compares with constant texts, by `op`, as part of `expression`."""

    expression: ops.Value
    op: ops.Value
    value: ops.Value
    texts: tuple[str, ...]


@dataclass(frozen=True)
class _Join:
    """One link of a chain of joins."""

    chain: ops.JoinChain
    cardinality: JoinCardinality

    @property
    def link(self) -> ops.JoinLink:
        return self.cardinality.link


Columns: TypeAlias = tuple[Column, ...]


class Reader:
    """Reads marts in build order, and remembers their queries to trace columns through them."""

    def __init__(self, graph: Graph) -> None:
        self.project = graph.project
        self.as_of = FixedAsOf(ANY_DAY)
        self.tables = logical_tables(self.project)
        self.keys = declared_keys(self.project)
        self.not_null = declared_not_null(self.project)
        self.queries: dict[str, ops.Relation] = {}
        self.texts = TextLineage(self.project, self.queries)
        self.lineage = Lineage()

    def read(self, mart: Mart) -> MartReliance:
        """Return what a mart relies on by itself; the marts that it reads must come first."""
        query = defining_query(mart, self.tables, self.as_of, not_null=self.not_null).op()
        self.queries[mart.name] = query
        compared = list(_comparisons(query))
        joins = [
            _Join(chain, cardinality)
            for chain in query.find(ops.JoinChain)
            for cardinality in join_cardinalities(chain, self.keys)
        ]
        matched = _comparisons_with_written_rows(joins)
        return MartReliance(
            self._reads(mart, query),
            tuple(dict.fromkeys(self._conditions(mart, [*compared, *matched]))),
            tuple(dict.fromkeys(self._lookups(mart, query, joins))),
            tuple(self._undeclared_constants(mart, compared)),
            tuple(self._many_to_many(mart, each) for each in joins if _multiplies(each)),
            tuple(_self_comparisons(mart, joins)),
        )

    def _reads(self, mart: Mart, query: ops.Relation) -> dict[str, frozenset[str]]:
        found = {name: set(columns) for name, columns in columns_read(query, self.lineage).items()}
        for check in checks_of(mart):
            if not is_fused(check) and tables_read(check):
                rows = offending_rows(mart, check, self.tables, self.as_of)
                for name, columns in columns_read(rows.op(), self.lineage).items():
                    if name != mart.name:
                        found.setdefault(name, set()).update(columns)
        return {name: frozenset(columns) for name, columns in found.items()}

    # Texts

    def _conditions(self, mart: Mart, compared: Iterable[_Comparison]) -> Iterator[Condition]:
        """Yield one condition for each expression and column that it compares with texts."""
        found: dict[tuple[ops.Value, TextColumn], list[_Comparison]] = {}
        for each in compared:
            for column in self.texts.columns_of(each.value):
                found.setdefault((each.expression, column), []).append(each)
        for (expression, column), several in found.items():
            operations = {each.op for each in several}
            formatted = Formatter()(operations.pop() if len(operations) == 1 else expression)
            texts = dict.fromkeys(text for each in several for text in each.texts)
            yield Condition(mart.name, column, tuple(texts), formatted)

    def _undeclared_constants(
        self, mart: Mart, compared: Iterable[_Comparison]
    ) -> Iterator[UndeclaredConstant]:
        for each in compared:
            known = self.texts.values_of(each.value)
            if known is None or not known.columns:
                continue
            for text in each.texts:
                if text not in known.texts:
                    columns, values = tuple(sorted(known.columns)), tuple(sorted(known.texts))
                    yield UndeclaredConstant(mart.name, columns, text, values, each.op)

    # Joins

    def copied_column(self, value: ops.Value) -> Name | None:
        """Return the source's column that a value copies, None for any other value."""
        # A loop instead of recursion: a chain of marts may be longer than Python's stack.
        while (column := injective_column(value)) is not None:
            value = resolved(column)
            if not isinstance(value, ops.Field):
                continue
            table = getattr(value.rel, "name", None)
            if table not in self.queries:
                return (table, value.name) if table in self.project.sources else None
            value = ops.Field(self.queries[table], value.name)
        return None

    def _many_to_many(self, mart: Mart, join: _Join) -> ManyToManyJoin:
        return ManyToManyJoin(
            mart.name,
            table_of(join.chain.first),
            table_of(join.link.table),
            tuple(dict.fromkeys(name for _, (_, name) in join.cardinality.matched)),
            keys_of(join.chain.first, self.keys),
            keys_of(join.link.table, self.keys),
            join.link,
        )

    def _lookups(self, mart: Mart, query: ops.Relation, joins: Iterable[_Join]) -> Iterator[Lookup]:
        tested = {
            resolved_operation(value)
            for rel in query.find(ops.Filter)
            for value in _tested_for_null(rel)
        }
        for join in joins:
            for columns, to_columns in _lookup_columns(join.cardinality):
                found = {resolved_operation(ops.Field(*column)) for column in to_columns}
                # A mart that filters for the rows without a match expects some.
                if join.link.how != "inner" and tested & (found | _fields_of(join.link.table)):
                    continue
                yield from self._lookup(mart, columns, to_columns)

    def _lookup(self, mart: Mart, columns: Columns, to_columns: Columns) -> Iterator[Lookup]:
        if any(rel is None or name not in rel.schema for rel, name in columns):
            return
        found = [self.copied_column(ops.Field(*column)) for column in columns]
        to_found = [self._column_of_whole_source(*column) for column in to_columns]
        sources, to_sources = ({each[0] for each in some if each} for some in (found, to_found))
        if None in found or None in to_found or len(sources) != 1 or len(to_sources) != 1:
            return
        (source,), (to_source,) = sources, to_sources
        names = tuple(each[1] for each in found if each)
        to_names = tuple(each[1] for each in to_found if each)
        is_key = any(key <= set(names) for key in self.keys.of_all_rows[source])
        if not is_key and not self.project.sources[to_source].optional:
            yield Lookup(mart.name, source, names, to_source, to_names)

    def _column_of_whole_source(self, rel: ops.Relation, name: str) -> Name | None:
        """Return the source's column if a relation has all rows of the source, else None."""
        while True:
            match rel:
                case ops.Reference() | ops.AliasedRelation() | ops.Sort() | ops.Distinct():
                    rel = rel.parent
                case ops.Project() | ops.DropColumns() | ops.JoinChain():
                    field, whole = injective_column(rel.values[name]), _whole_side(rel)
                    if field is None or field.rel != whole:
                        return None
                    rel, name = whole, field.name
                case ops.PhysicalTable() if rel.name in self.queries:
                    rel = self.queries[rel.name]
                case ops.PhysicalTable() if rel.name in self.project.sources:
                    return rel.name, name
                case _:
                    return None


def _comparisons(query: ops.Relation) -> Iterator[_Comparison]:
    """Yield each comparison of a value with constant texts."""
    expressions = dict.fromkeys(
        value
        for rel in query.find(ops.Relation)
        for value in _expressions_of(rel)
        if not isinstance(value, ops.Field)
    )
    for expression in expressions:
        for op in expression.find(EQUATING, filter=ops.Value):
            for value, texts in comparisons(op):
                if isinstance(texts, tuple):
                    yield _Comparison(expression, op, value, texts)


def _comparisons_with_written_rows(joins: Iterable[_Join]) -> Iterator[_Comparison]:
    """Yield the join conditions by which rows match rows that an author wrote, with their texts."""
    for join in joins:
        for op in (each for each in join.link.predicates if isinstance(each, ops.Equals)):
            for value, other in ((op.left, op.right), (op.right, op.left)):
                known = constants_in(other.rel, other.name) if isinstance(other, ops.Field) else ()
                if texts := tuple(sorted(each for each in known or () if isinstance(each, str))):
                    yield _Comparison(op, op, value, texts)


def _self_comparisons(mart: Mart, joins: Iterable[_Join]) -> Iterator[SelfComparison]:
    # Ibis may resolve an expression to a column of the other side that the same expression
    # computes.
    for join in joins:
        for each in (op for op in join.link.predicates if isinstance(op, ops.Comparison)):
            if each.left == each.right and isinstance(each.left, ops.Field):
                sides = table_of(join.chain.first), table_of(join.link.table)
                yield SelfComparison(mart.name, *sides, each.left.name, join.link)


def _expressions_of(rel: ops.Relation) -> Iterator[ops.Value]:
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


def _tested_for_null(rel: ops.Filter) -> Iterator[ops.Value]:
    """Yield the values that a filter tests for null, in all the rows that it keeps or in some."""
    for predicate in predicates_of(rel):
        yield from _null_operands(predicate)


def _null_operands(op: ops.Value) -> Iterator[ops.Value]:
    match op:
        case ops.IsNull() | ops.Not(arg=ops.NotNull()):
            yield op.arg if isinstance(op, ops.IsNull) else op.arg.arg
        case ops.And() | ops.Or():
            yield from _null_operands(op.left)
            yield from _null_operands(op.right)


def _multiplies(join: _Join) -> bool:
    """Tell whether a join is many-to-many, so that the data decides how many rows it has.

    A cross join with rows that an author wrote, such as a series of months, multiplies rows by a
    fixed number. A join on their columns is meant to find one row.
    """
    table = join.link.table
    is_repeated = bool(join.cardinality.matched) and written_rows(table) is not None
    return join.cardinality.is_many_to_many and (is_repeated or bool(table.find(ops.PhysicalTable)))


def _whole_side(rel: ops.Relation) -> ops.Relation | None:
    """Return the relation below another of which all rows are kept, None if there is none."""
    if not isinstance(rel, ops.JoinChain):
        return rel.parent
    return rel.first if all(link.how == "left" for link in rel.rest) else None


def _fields_of(table: ops.Relation) -> set[ops.Value]:
    return {resolved_operation(ops.Field(table, name)) for name in table.schema.names}


def _lookup_columns(cardinality: JoinCardinality) -> Iterator[tuple[Columns, Columns]]:
    """Yield the columns by which rows look for a match, and those in which they look for it."""
    how, predicates = cardinality.link.how, cardinality.link.predicates
    left, right = zip(*cardinality.matched, strict=True) if cardinality.matched else ((), ())
    if len(predicates) != len(left) or cardinality.left_is_unique == cardinality.right_is_unique:
        return
    if cardinality.right_is_unique and how in ("inner", "left"):
        yield left, right
    if (
        cardinality.left_is_unique
        and how in ("inner", "right")
        and len({rel for rel, _ in left}) == 1
    ):
        yield right, left
