"""Lineage against brute force: exactly what it names changes with a column of a source."""

from __future__ import annotations

import datetime
import shutil
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from backends.factory import worlds_on_duckdb
from marts.core.analysis.column_lineage import Kind, Name, project_lineage
from marts.core.analysis.declared_keys import declared_keys
from marts.core.plan.queries import Queries
from marts.core.project.graph import Graph, link
from marts.core.project.loading import load
from marts.core.proof.building import WorldBuilder
from marts.core.proof.corpus import AS_OF, Generator
from marts.core.proof.worlds import World
from marts.core.query.contract import schema_of
from marts.core.run.world_engine import WorldEngine
from support.engines import GRAPH
from support.lineage_oracle import Observations, Oracle, Watched
from support.paths import TESTS
from support.processes import call_marts
from support.workshop import SHOP
from support.worlds import corpus_world


def generic_world(graph: Graph, engine: WorldEngine, *, groups: int) -> World:
    """Return a generic world of not too many rows."""
    generator = Generator(WorldBuilder(graph, engine))
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


@pytest.mark.slow
def test_exactly_what_lineage_names_changes_in_our_marts() -> None:
    world = corpus_world()
    with closing(worlds_on_duckdb()) as engine:
        found = observed(GRAPH, engine, [World(world.tables, world.as_of)])
    assert not found.unnamed
    lineage = project_lineage(GRAPH)
    never = never_seen(GRAPH, found)
    # Other keys or names of categories let no customer of this world be declining instead of a
    # traveler; other keys of categories in the facts do.
    retention = {
        ("customer_360_profile", "eligible_for_retention_campaign"),
        ("executive_summary", "eligible_for_retention"),
    }
    for column in ("category_key", "category_name"):
        assert never.pop(("dim_merchant_category", column), set()) <= retention
    # int_customers joins dim_customer with the numbers of its own keys, so that no row is lost.
    assert never.keys() == {("dim_customer", "customer_key"), ("dim_customer", "customer_id")}
    for changed, names in never.items():
        assert all(Kind.JOIN in lineage.downstream(*changed)[name] for name in names)


@pytest.fixture
def order_desk(tmp_path: Path) -> Iterator[tuple[Graph, World]]:
    """Return somebody else's project, with the sources that `marts init` writes, and its data."""
    warehouse = tmp_path / "warehouse"
    tpchgen = Path(sys.executable).with_name("tpchgen-cli")
    words = ["parquet", "--scale-factor=0.001", f"--output-dir={warehouse}"]
    subprocess.run([tpchgen, *words], check=True, capture_output=True)
    done = call_marts("init", "draft", "--name", "draft", "--from", "warehouse", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    package = shutil.copytree(TESTS / "foreign/src/order_desk", tmp_path / "order_desk")
    shutil.copy(tmp_path / "draft/draft/sources.py", package)
    known = {*sys.modules}
    sys.path.insert(0, str(tmp_path))
    try:
        graph = link(load("order_desk"))
        tables = {
            source.name: pq.read_table(warehouse / f"{source.name}.parquet")
            .select([column.name for column in source.columns])
            .cast(schema_of(source.columns).to_pyarrow())
            for source in graph.project.sources.values()
        }
        yield graph, World(tables, datetime.date(1998, 3, 31), "TPC-H")
    finally:
        sys.path.remove(str(tmp_path))
        for name in {*sys.modules} - known:
            del sys.modules[name]


@pytest.mark.slow
def test_exactly_what_lineage_names_changes_in_somebody_elses_project(
    order_desk: tuple[Graph, World],
) -> None:
    graph, world = order_desk
    with closing(worlds_on_duckdb()) as engine:
        found = observed(graph, engine, [world])
    assert not found.unnamed
    assert never_seen(graph, found) == {
        # Few suppliers of these data are of one nation.
        ("lineitem", "l_commitdate"): {("supplier_delays", "rank_in_nation")},
        # Nations of one name in several regions would break the grain.
        ("nation", "n_name"): {("nation_revenue", "year")},
        # The region of a nation splits no group of nations.
        ("region", "r_name"): {
            ("nation_revenue", column)
            for column in ("nation", "year", "revenue", "orders", "growth")
        },
    }
