"""Build the marts of worlds: compiled once for each date, built as often as there are worlds."""

from __future__ import annotations

import datetime
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import ibis.expr.operations as ops
import ibis.expr.types as ir
import pyarrow as pa

from marts.core.authoring.expressions import FixedAsOf
from marts.core.plan.queries import Queries
from marts.core.plan.state import CompiledQuery, declared_state
from marts.core.project.graph import Graph
from marts.core.proof.canonical import KnownQueries
from marts.core.proof.worlds import World
from marts.core.run.world_engine import WorldEngine


@dataclass(frozen=True)
class Built:
    """The marts of a world, in the engine's types, and the SQL of each, over bare names."""

    tables: Mapping[str, pa.Table]
    sql: Mapping[str, str]


class WorldBuilder:
    """Builds the marts of a project on an engine, from one world after another."""

    def __init__(self, graph: Graph, engine: WorldEngine) -> None:
        self.graph = graph
        self.engine = engine
        self._queries: dict[tuple[datetime.date, frozenset[str]], Queries] = {}
        self._compiled: dict[ops.Node, CompiledQuery] = {}

    def build(self, world: World, marts: Collection[str] | None = None) -> Built:
        """Build marts of a world, and what they read; return the former, by default all.

        Raises DefinitionError for a mart that is not a valid expression, EngineError if a query
        fails on the world.
        """
        wanted = self.graph.order if marts is None else marts
        needed = set(wanted).union(*map(self.graph.upstream, wanted))
        queries, sql = self.queries(world), {}
        self.engine.show(world.tables)
        for name in self.graph.order:
            mart = self.graph.project.marts[name]
            if name in needed and (query := queries.compiled(mart)) is not None:
                self.engine.build(name, query, kind=mart.materialized)
                sql[name] = query.sql
        return Built({name: self.engine.rows(name) for name in wanted}, sql)

    def queries(self, world: World) -> Queries:
        """Return the queries over such a world: its date, and the sources that it has."""
        key = world.as_of, frozenset(world.tables)
        if key not in self._queries:
            project = self.graph.project
            state = declared_state(project, sources=world.tables)
            self._queries[key] = Queries(project, state, FixedAsOf(world.as_of), self.compiled)
        return self._queries[key]

    @property
    def known(self) -> KnownQueries:
        """The queries that were compiled so far."""
        return {(each.dialect, op): each for op, each in self._compiled.items()}

    def compiled(self, query: ir.Table) -> CompiledQuery:
        """Return a query in the engine's SQL, compiled once for all worlds that have it."""
        if (op := query.op()) not in self._compiled:
            self._compiled[op] = self.engine.compile(query)
        return self._compiled[op]
