"""A mutant that is compiled in parts has the rows of its query compiled as a whole."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import ibis
import pytest
from ibis.expr.types import Table

from backends.duckdb import DuckDBBackend
from fixtures.corpus import AS_OF as CORPUS_AS_OF
from fixtures.corpus import write_corpus
from marts.core.analysis.declared_keys import declared_keys
from marts.core.analysis.lint import lint
from marts.core.authoring.tables import Mart
from marts.core.errors import EngineError
from marts.core.plan.state import Materialized
from marts.core.plan.steps import Build, Plan
from marts.core.proof.impact import affected_columns
from marts.core.proof.mutants import Mutant, mutants_of
from marts.core.proof.partial_compilation import SharedTables, query_around, surroundings_of
from support.engines import GRAPH
from support.workshop import AS_OF, ORDERS, SHOP, Workshop, order, shop_in
from support.worlds import THRESHOLDS


@dataclass(frozen=True)
class Originals:
    """All marts of a project, built as candidates."""

    backend: DuckDBBackend
    plan: Plan

    def build(self, name: str, query: Table, kind: Materialized = "table") -> Table:
        """Build a query, and return what it built."""
        compiled = self.backend.compile(query)
        self.backend.build(name, compiled, kind=kind, comment="", column_comments={})
        return ibis.table(query.schema(), name=name)

    def are_same(self, one: Table, other: Table) -> bool:
        """Tell whether two tables have the same rows, each as often."""
        more, less = (a.difference(b, distinct=False) for a, b in ((one, other), (other, one)))
        return not self.backend.fetch(more.union(less).limit(1), about="a mutant")

    def depends_on_ties(self, mutant: Mutant) -> bool:
        """Tell whether engines may return other rows each time, since an order is not total."""
        project = GRAPH.project if mutant.mart.name in GRAPH.project.marts else SHOP.project
        found = lint(mutant.mart, mutant.query, keys=declared_keys(project))
        return any(finding.rule == "total_order" for finding in found)


@contextmanager
def built(shop: Workshop, as_of: datetime.date) -> Iterator[Originals]:
    plan = shop.plan(as_of=as_of)
    with shop.backend() as backend:
        originals = Originals(backend, plan)
        backend.begin("run")
        for step in plan.steps:
            if isinstance(step, Build):
                originals.build(step.mart.name, step.query)
        yield originals
        backend.discard()


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Originals]:
    shop = Workshop(tmp_path_factory.mktemp("ours"), GRAPH)
    write_corpus(shop.data, THRESHOLDS, CORPUS_AS_OF)
    with built(shop, CORPUS_AS_OF) as originals:
        yield originals


@pytest.fixture(scope="module")
def toys(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Originals]:
    shop = shop_in(tmp_path_factory.mktemp("toys"))
    shop.write(orders=[*ORDERS, order("bound", "c3", "1000.00"), order("less", "c2", "999.99")])
    with built(shop, AS_OF) as originals:
        yield originals


def assert_same_in_parts(mutant: Mutant, originals: Originals, shared: SharedTables) -> None:
    """Build a mutant as a whole and in parts; compare, and the other columns with the original."""
    mart, change = mutant.mart, mutant.change
    every = frozenset(change.original.schema.names)
    affected = affected_columns(change.relations, change.old, change.new)
    try:
        whole = originals.build("whole", mutant.query)
    except EngineError:
        whole = None
    try:
        originals.build("changed", shared.query_of(change), "view")
        query = query_around(mart, surroundings_of(change, affected), "changed")
        parts = originals.build("parts", query)
    except EngineError:
        parts = None
    if whole is None or parts is None:
        assert whole is parts, mutant
        return
    if not originals.are_same(whole.select(parts.columns), parts):
        assert originals.depends_on_ties(mutant), mutant
    if affected < every:
        others = [name for name in whole.columns if name not in affected]
        original = originals.plan.tables[mart.name]
        assert originals.are_same(whole.select(others), original.select(others)), mutant


def assert_all_same_in_parts(mart: Mart, originals: Originals) -> None:
    shared = SharedTables(f"{mart.name}_unchanged_", originals.build)
    mutants = mutants_of(mart, originals.plan.tables, originals.plan.as_of)
    assert mutants
    for mutant in mutants:
        assert_same_in_parts(mutant, originals, shared)


@pytest.mark.parametrize("name", SHOP.order)
def test_each_mutant_of_the_toy_shop(name: str, toys: Originals) -> None:
    assert_all_same_in_parts(SHOP.project.marts[name], toys)


@pytest.mark.nightly
@pytest.mark.parametrize("name", GRAPH.order)
def test_each_mutant_of_our_marts_on_the_corpus(name: str, ours: Originals) -> None:
    assert_all_same_in_parts(GRAPH.project.marts[name], ours)
