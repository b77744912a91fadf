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
from dataclasses import dataclass, field
from functools import cached_property

import ibis.expr.operations as ops
import ibis.expr.types as ir

from marts.core.analysis.declared_keys import DeclaredKeys, declared_keys
from marts.core.analysis.kinds import COUNTED, ROWS, Edges, Kind, merged, of_columns, used
from marts.core.analysis.lineage import Name
from marts.core.analysis.relation_lineage import relation_lineage
from marts.core.analysis.value_lineage import RelationEdges
from marts.core.authoring.expressions import FixedAsOf
from marts.core.project.graph import Graph
from marts.core.query.definition import defining_query, logical_tables
from marts.core.query.nulls import declared_not_null

__all__ = ["Edges", "Kind", "Name", "ProjectLineage", "column_lineage", "project_lineage"]

ANY_DAY = datetime.date(2000, 1, 1)
"""Lineage does not depend on the date."""
NO_KEYS = DeclaredKeys()


def column_lineage(
    query: ir.Table | ops.Relation, *, keys: DeclaredKeys = NO_KEYS
) -> Mapping[str, Edges]:
    """Return, for each column of a query, the columns of the tables it reads that it depends on.

    `keys` are those of the tables. A column that depends on none, such as a number of rows, has no
    edges. An operation that is not known depends on everything that it is made of.
    """
    found = relation_lineage(query.op() if isinstance(query, ir.Table) else query, keys)
    return {name: of_columns(merged([edges, found.rows])) for name, edges in found.columns.items()}


@dataclass(frozen=True)
class ProjectLineage:
    """The lineage of all marts of a project, each over its inputs; `project_lineage` makes it."""

    own: Mapping[str, RelationEdges] = field(repr=False)
    """By mart, in build order."""

    def inputs(self, mart: str) -> Mapping[str, Edges]:
        """Return, for each column of a mart, the columns of its inputs that it depends on."""
        own = self.own[mart]
        return {name: of_columns(merged([edges, own.rows])) for name, edges in own.columns.items()}

    def counted(self, mart: str) -> Mapping[str, frozenset[str]]:
        """Return, for each column of a mart, the inputs whose rows it counts."""
        columns = self.own[mart].columns.items()
        return {
            column: frozenset(table for table, name in edges if name == COUNTED)
            for column, edges in columns
        }

    def upstream(self, mart: str, column: str) -> Edges:
        """Return the columns of sources and marts that a mart's column depends on in any way."""
        through = self._through[mart]
        return of_columns(merged([through.columns[column], through.rows]))

    def sources(self, mart: str, column: str) -> Edges:
        """Return the columns of sources that a mart's column depends on, through all marts."""
        found = self.upstream(mart, column)
        return {name: kinds for name, kinds in found.items() if name[0] not in self.own}

    def downstream(self, table: str, column: str) -> Edges:
        """Return the columns of marts that depend on a column of a source or a mart in any way."""
        return self._downstream.get((table, column), {})

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


def project_lineage(graph: Graph) -> ProjectLineage:
    """Read the lineage of all marts of a project from their expressions.

    Raises DefinitionError for a mart that is not a valid expression.
    """
    project = graph.project
    tables, day, keys = logical_tables(project), FixedAsOf(ANY_DAY), declared_keys(project)
    not_null = declared_not_null(project)
    queries = {
        name: defining_query(project.marts[name], tables, day, not_null=not_null)
        for name in graph.order
    }
    return ProjectLineage(
        {name: relation_lineage(query.op(), keys) for name, query in queries.items()}
    )
