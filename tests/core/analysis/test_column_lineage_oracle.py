"""Lineage against brute force: exactly what it names changes with a column of a source."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from contextlib import closing
from dataclasses import replace

import pyarrow as pa

from backends.factory import worlds_on_duckdb
from marts.core.analysis.column_lineage import Name, project_lineage
from marts.core.analysis.declared_keys import declared_keys
from marts.core.plan.queries import Queries
from marts.core.project.graph import Graph
from marts.core.proof.building import WorldBuilder
from marts.core.proof.corpus import AS_OF, Generator
from marts.core.proof.worlds import World
from marts.core.run.world_engine import WorldEngine
from support.lineage_oracle import Observations, Oracle, Watched
from support.workshop import SHOP


def generic_world(graph: Graph, engine: WorldEngine, *, groups: int) -> World:
    """Return a generic world of not too many rows."""
    generator = Generator(graph, engine)
    blueprint = replace(generator.blueprint(AS_OF), most=groups)
    return World(generator.tables(blueprint, AS_OF), AS_OF, "generic")


def observed(graph: Graph, engine: WorldEngine, worlds: Iterable[World]) -> Observations:
    """Change each column of the sources in each world, and compare the marts."""
    lineage, marts = project_lineage(graph), graph.project.marts
    keys, builder = declared_keys(graph.project).of_all_rows, WorldBuilder(graph, engine)
    watched = {
        name: Watched(
            tuple(each.name for each in marts[name].columns),
            tuple(tuple(sorted(key)) for key in keys[name]),
            frozenset(marts[name].inputs),
        )
        for name in graph.order
    }
    found = Observations()
    for world in worlds:
        queries = builder.queries(world)

        def build(name: str, queries: Queries = queries) -> pa.Table:
            query = queries.compiled(marts[name])
            assert query
            engine.build(name, query, kind=marts[name].materialized)
            return engine.rows(name)

        named = lambda changed: lineage.downstream(*changed).keys()  # noqa: E731
        Oracle(engine.show, build, watched, named, found).watch(world.tables, graph.project.sources)
    return found


def never_seen(graph: Graph, found: Observations) -> dict[Name, set[Name]]:
    """Return what is named, but did not change in any world, by the column that was changed."""
    lineage = project_lineage(graph)
    never: defaultdict[Name, set[Name]] = defaultdict(set)
    for source in graph.project.sources.values():
        for column in source.columns:
            changed = (source.name, column.name)
            for name in lineage.downstream(*changed):
                if (changed, name) not in found.seen:
                    never[changed].add(name)
    return never


def test_exactly_what_lineage_names_changes_in_the_shop() -> None:
    with closing(worlds_on_duckdb()) as engine:
        found = observed(SHOP, engine, [generic_world(SHOP, engine, groups=60)])
    assert not found.unnamed
    # The sum of the sums of all models is the sum of all orders, whatever their models.
    assert never_seen(SHOP, found) == {("orders", "model"): {("shop_overview", "revenue")}}
