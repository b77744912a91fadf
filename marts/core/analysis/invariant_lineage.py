"""Which marts an invariant's change cannot reach, by lineage: nothing is learnt by testing them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import ibis.expr.operations as ops

from marts.core.analysis.column_lineage import ANY_DAY, ProjectLineage, project_lineage
from marts.core.analysis.kinds import Kind, of_columns
from marts.core.analysis.nodes import first_below
from marts.core.analysis.relation_lineage import Lineage
from marts.core.authoring.expressions import FixedAsOf
from marts.core.authoring.invariants import Invariant
from marts.core.authoring.tables import Mart
from marts.core.project.graph import Graph
from marts.core.query.definition import logical_tables
from marts.core.query.invariant_checks import changed_sources, concerns

SAME_ROWS = (ops.Project, ops.DropColumns, ops.Sort)
"""The relations that have the rows of their parent, each once."""


def unreached(
    graph: Graph, queries: Mapping[str, ops.Relation] | None = None
) -> frozenset[tuple[str, str]]:
    """Return the marts that an invariant concerns but does not reach, each with the invariant.

    The invariant changes columns of a source, but no rows, and no column of the mart depends on
    these columns. It expects the mart to stay as it is, so it holds whatever the data are.
    `queries` are those of the marts, where they were made before. Raises DefinitionError for an
    invariant that is not a valid expression.
    """
    plain = [each for each in graph.project.invariants.values() if _is_plain(each)]
    if not plain:
        return frozenset()
    lineage = project_lineage(graph, queries)
    return frozenset(
        (mart.name, invariant.name)
        for invariant in plain
        for mart in _unreached_by(invariant, graph, lineage)
    )


def _is_plain(invariant: Invariant) -> bool:
    return not (invariant.keeps or invariant.adds or invariant.offending)


def _unreached_by(invariant: Invariant, graph: Graph, lineage: ProjectLineage) -> Iterator[Mart]:
    changed = changed_columns(invariant, graph)
    if changed is None:
        return
    reached = {mart for name in changed for mart, _ in lineage.downstream(invariant.source, name)}
    for mart in graph.project.marts.values():
        words = {word for column in mart.columns for word in column.varies_with}
        is_varied = not words.isdisjoint(invariant.varies_with)
        if mart.name not in reached and not is_varied and concerns(invariant, mart, graph):
            yield mart


def changed_columns(invariant: Invariant, graph: Graph) -> frozenset[str] | None:
    """Return the columns of a source that an invariant changes; None if it may change the rows."""
    tables = logical_tables(graph.project)
    query = changed_sources(invariant, graph, tables, FixedAsOf(ANY_DAY))[invariant.source].op()
    if not isinstance(first_below(query, SAME_ROWS), ops.UnboundTable):
        return None
    found = Lineage().of_relation(query)
    if of_columns(found.rows):
        return None
    same = frozenset({Kind.IDENTITY})
    return frozenset(
        name for name, edges in found.columns.items() if edges != {(invariant.source, name): same}
    )
