"""Lineage: on which columns each column depends, of a query and through a whole project.

The kinds are those of OpenLineage. Direct lineage makes the values of a column: identity,
transformation, aggregation. Indirect lineage decides them: filters, joins, groups and limits decide
about the rows, and so about every column of a table; conditions and windows decide about one
column. The order of a table that is not cut off decides nothing.
"""

from __future__ import annotations

import datetime
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import NamedTuple

import ibis.expr.operations as ops
import ibis.expr.types as ir

from marts.core.analysis.declared_keys import DeclaredKeys, declared_keys
from marts.core.analysis.keys import keys_of
from marts.core.analysis.kinds import (
    COUNTED,
    MADE,
    ROWS,
    Edges,
    Kind,
    direct,
    merged,
    of_columns,
    used,
    without,
)
from marts.core.analysis.lineage import Name
from marts.core.analysis.relation_lineage import NO_KEYS, Lineage
from marts.core.analysis.value_lineage import RelationEdges
from marts.core.authoring.expressions import FixedAsOf
from marts.core.project.graph import Graph
from marts.core.query.definition import defining_query, logical_tables
from marts.core.query.nulls import declared_not_null

__all__ = [
    "Edges",
    "Kind",
    "Name",
    "ProjectLineage",
    "TableLineage",
    "column_lineage",
    "columns_read",
    "copied_in",
    "copies_of",
    "edges_of_marts",
    "project_lineage",
]

ANY_DAY = datetime.date(2000, 1, 1)
"""The as-of date with which marts are read; what they depend on does not depend on it."""


def column_lineage(
    query: ir.Table | ops.Relation, *, keys: DeclaredKeys = NO_KEYS
) -> Mapping[str, Edges]:
    """Return, for each column of a query, the columns of the tables it reads that it depends on.

    `keys` are those of the tables. A column that depends on none, such as a number of rows, has no
    edges. An operation that is not known depends on everything that it is made of.
    """
    found = Lineage(keys).of_relation(query.op() if isinstance(query, ir.Table) else query)
    return {name: of_columns(merged([edges, found.rows])) for name, edges in found.columns.items()}


def columns_read(query: ops.Relation, lineage: Lineage | None = None) -> dict[str, frozenset[str]]:
    """Return the columns of each table on which a query's rows, values or order depend.

    A table whose rows are only counted has no such columns. `lineage` is what reads the query, if
    it reads others, too.
    """
    found = (lineage or Lineage()).of_relation(query)
    columns: dict[str, set[str]] = {str(rel.name): set() for rel in query.find(ops.UnboundTable)}
    for table, name in of_columns(merged([*found.columns.values(), found.rows, found.order])):
        columns[table].add(name)
    return {table: frozenset(names) for table, names in columns.items()}


Copies = Mapping[str, frozenset[Name]]
"""For each column of a query, the columns of its tables whose values it copies.

Several if it copies one or the other, depending on the row; none if it is computed.
"""


def copies_of(query: ops.Relation) -> Copies:
    """Return, for each column of a query, the columns of the tables it reads that it copies.

    A copy may go through selections, renames, joins, filters, groups and unions, and through casts
    that keep every value. A left join may add nulls to a copy; a value that replaces null makes it
    a computed column.
    """
    return copied_in(Lineage().of_relation(query))


def copied_in(found: RelationEdges) -> Copies:
    """Return the same for a query whose lineage is known."""
    return {name: _copied(edges) for name, edges in found.columns.items()}


def _copied(edges: Edges) -> frozenset[Name]:
    made_of = direct(edges)
    is_copy = MADE not in made_of and all(each == {Kind.IDENTITY} for each in made_of.values())
    return frozenset(of_columns(made_of)) if is_copy else frozenset()


class TableLineage(NamedTuple):
    """On what a mart depends: each column by itself, and all of them by the rows that there are.

    What is said of the rows is not repeated of each column.
    """

    columns: Mapping[str, Edges]
    rows: Edges
    """The columns that decide which rows the mart has, and so about every column."""
    counted: Mapping[str, Edges]
    """For each column, the tables whose rows it counts, by name; their columns are empty names."""


@dataclass(frozen=True)
class ProjectLineage:
    """The lineage of all marts of a project, each over its inputs; `project_lineage` makes it."""

    own: Mapping[str, RelationEdges] = field(repr=False)
    """By mart, in build order."""

    def inputs(self, mart: str) -> Mapping[str, Edges]:
        """Return, for each column of a mart, the columns of its inputs that it depends on."""
        own = self.own[mart]
        return {name: of_columns(merged([edges, own.rows])) for name, edges in own.columns.items()}

    def inputs_apart(self, mart: str) -> TableLineage:
        """Return the same, with what decides about the rows apart."""
        return _apart(self.own[mart])

    def sources(self, mart: str, column: str) -> Edges:
        """Return the columns of sources that a mart's column depends on, through all marts."""
        return self._of_sources(self.upstream(mart, column))

    def sources_apart(self, mart: str) -> TableLineage:
        """Return the same for each column, with what decides about the rows apart."""
        found = _apart(self._through[mart])
        columns = {name: self._of_sources(edges) for name, edges in found.columns.items()}
        return found._replace(columns=columns, rows=self._of_sources(found.rows))

    def upstream(self, mart: str, column: str) -> Edges:
        """Return the columns of sources and marts that a mart's column depends on in any way."""
        through = self._through[mart]
        return of_columns(merged([through.columns[column], through.rows]))

    def downstream(self, table: str, column: str) -> Edges:
        """Return the columns of marts that depend on a column of a source or a mart in any way."""
        return self._downstream.get((table, column), {})

    def only_direct(self) -> ProjectLineage:
        """Return the lineage without what decides about values and rows, but not makes them."""
        return ProjectLineage({name: _only_direct(own) for name, own in self.own.items()})

    def _of_sources(self, edges: Edges) -> Edges:
        return {name: kinds for name, kinds in edges.items() if name[0] not in self.own}

    @cached_property
    def _through(self) -> Mapping[str, RelationEdges]:
        """The lineage of each mart over all tables upstream, its inputs included."""
        found: dict[str, RelationEdges] = {}

        def all_of(edges: Edges) -> Edges:
            parts = [edges]
            for (table, name), kinds in edges.items():
                if table in found and name != COUNTED:
                    of_table = found[table]
                    behind = of_table.rows if name == ROWS else of_table.columns[name]
                    parts += [used(kind, behind) for kind in kinds]
            return merged(parts)

        for mart, own in self.own.items():
            columns = {name: all_of(edges) for name, edges in own.columns.items()}
            found[mart] = RelationEdges(columns, all_of(own.rows), {})
        return found

    @cached_property
    def _downstream(self) -> Mapping[Name, Edges]:
        found: defaultdict[Name, dict[Name, frozenset[Kind]]] = defaultdict(dict)
        for mart, own in self.own.items():
            for column in own.columns:
                for name, kinds in self.upstream(mart, column).items():
                    found[name][mart, column] = kinds
        return found


def _only_direct(found: RelationEdges) -> RelationEdges:
    columns: dict[str, Edges] = {name: direct(edges) for name, edges in found.columns.items()}
    return RelationEdges(columns, {}, {})


def _apart(found: RelationEdges) -> TableLineage:
    rows = of_columns(found.rows)
    columns = {name: without(of_columns(edges), rows) for name, edges in found.columns.items()}
    counted = {
        column: {(table, ""): kinds for (table, name), kinds in edges.items() if name == COUNTED}
        for column, edges in found.columns.items()
    }
    return TableLineage(columns, rows, counted)


def _queries(graph: Graph) -> dict[str, ops.Relation]:
    project = graph.project
    tables, day, not_null = logical_tables(project), FixedAsOf(ANY_DAY), declared_not_null(project)
    return {
        name: defining_query(project.marts[name], tables, day, not_null=not_null).op()
        for name in graph.order
    }


def edges_of_marts(graph: Graph) -> dict[str, RelationEdges]:
    """Return on what each mart's query depends in its inputs, whatever their keys are.

    Raises DefinitionError for a mart that is not a valid expression.
    """
    lineage = Lineage()
    return {name: lineage.of_relation(query) for name, query in _queries(graph).items()}


def project_lineage(
    graph: Graph, queries: Mapping[str, ops.Relation] | None = None
) -> ProjectLineage:
    """Read the lineage of all marts of a project from their expressions.

    `queries` are these, where they were made before, for any date. Raises DefinitionError for a
    mart that is not a valid expression.
    """
    queries = _queries(graph) if queries is None else queries
    keys, own = declared_keys(graph.project), dict[str, RelationEdges]()
    for name in graph.order:
        query = queries[name]
        own[name] = Lineage(keys).of_relation(query)
        # Marts that read it rely on the keys of its expression, too, whether it declares them.
        found = keys.of_all_rows[name] | keys_of(query, keys)
        keys = replace(keys, of_all_rows={**keys.of_all_rows, name: found})
    return ProjectLineage(own)
