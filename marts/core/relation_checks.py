"""Relations as checks: each compares a mart with what it would be, were its sources changed.

Such a check is one query over the mart and the sources, with the definitions of the marts between
written into it; nothing is built for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial

import ibis.expr.types as ir

from marts.core.authored import call
from marts.core.contract import conform
from marts.core.definition import inlined
from marts.core.difference import difference
from marts.core.graph import Graph
from marts.core.model import AS_OF, THIS, AsOf, Mart, TableCheck
from marts.core.relation import Relation


def with_relations(graph: Graph) -> Graph:
    """Return the graph with a check in each mart for every relation that it must obey."""
    project = graph.project
    marts = {
        name: replace(mart, checks=(*mart.checks, *relation_checks(graph, mart)))
        for name, mart in project.marts.items()
    }
    return replace(graph, project=replace(project, marts=marts))


def relation_checks(graph: Graph, mart: Mart) -> Iterator[TableCheck]:
    """Yield the checks of a mart that its project's relations imply."""
    for relation in graph.project.relations.values():
        if concerns(relation, mart, graph):
            rows, count = partial(unexpected, relation, mart), partial(_miscounted, relation, mart)
            yield _check(graph, mart, relation, relation.name, rows)
            if relation.offending is None and relation.adds.get(mart.grain):
                yield _check(graph, mart, relation, f"{relation.name}_rows", count)


def concerns(relation: Relation, mart: Mart, graph: Graph) -> bool:
    """Tell whether a mart must obey a relation; intermediate ones obey through their readers."""
    if relation.marts:
        return mart.name in relation.marts
    marts = [mart, *(graph.project.marts[name] for name in graph.upstream(mart.name))]
    return not mart.is_intermediate and any(relation.source in each.inputs for each in marts)


def changed_sources(
    relation: Relation, graph: Graph, tables: Mapping[str, ir.Table], as_of: AsOf
) -> dict[str, ir.Table]:
    """Return the sources as the relation changes them, cast to their contracts."""
    # A source may have more columns than its contract, and Ibis writes all of them as `*`.
    sources = {
        source.name: conform(
            tables[source.name], source.columns, what=source.name, place=source.place
        )
        for source in graph.project.sources.values()
    }
    what = f"relation {relation.name}"
    given = [as_of if name == AS_OF else sources[name] for name in relation.parameters]
    columns = (name for each in relation.inputs for name in tables[each].columns)
    table = call(relation.change, *given, what=what, place=relation.place, columns=columns)
    contract = graph.project.sources[relation.source].columns
    return sources | {relation.source: conform(table, contract, what=what, place=relation.place)}


def unexpected(relation: Relation, mart: Mart, before: ir.Table, after: ir.Table) -> ir.Table:
    """Return the rows in which a mart does not answer the relation's change as it must."""
    if relation.offending is not None:
        return after.filter(relation.offending(after))
    if relation.keeps is not None:
        before = before.filter(relation.keeps(before))
    if mart.grain in relation.adds:
        after = after.semi_join(before, list(mart.grain)).view()
    expected = {
        column.name: _expected(column.moves, relation)
        for column in mart.columns
        if any(word in relation.moves for word in column.moves)
    }
    return difference(before, after, mart.grain, expected=expected)


def _miscounted(
    relation: Relation, mart: Mart, before: ir.Table, after: ir.Table
) -> ir.BooleanScalar:
    added = relation.adds[mart.grain] or 0
    return after.count().as_scalar() != before.count().as_scalar() * (1 + added)


def _expected(words: tuple[str, ...], relation: Relation) -> int | None:
    factors = [relation.moves[word] for word in words if word in relation.moves]
    return factors[0] if len(set(factors)) == 1 else None


def _check(
    graph: Graph,
    mart: Mart,
    relation: Relation,
    name: str,
    wrong: Callable[[ir.Table, ir.Table], ir.Table | ir.BooleanScalar],
) -> TableCheck:
    """Return the check that nothing is wrong between a mart and its answer."""
    sources = tuple(graph.project.sources)

    def offending(this: ir.Table, as_of: AsOf, *tables: ir.Table) -> ir.Table | ir.BooleanScalar:
        given = dict(zip(sources, tables, strict=True))
        return wrong(this, _answer(graph, mart, relation, given, as_of))

    return TableCheck(name=name, offending=offending, parameters=(THIS, AS_OF, *sources))


def _answer(
    graph: Graph, mart: Mart, relation: Relation, tables: Mapping[str, ir.Table], as_of: AsOf
) -> ir.Table:
    needed = {mart.name, *graph.upstream(mart.name)}
    upstream = replace(graph, order=tuple(name for name in graph.order if name in needed))
    return inlined(upstream, changed_sources(relation, graph, tables, as_of), as_of)[mart.name]
