"""Engines that build every mart of a world: the marts' own SQL, compiled once for each date."""

from __future__ import annotations

import datetime
from collections.abc import Mapping

import duckdb
import pyarrow as pa

from backends.duckdb import compile_query
from marts.core.graph import Graph, link
from marts.core.model import FixedAsOf
from marts.core.plan import Build, declared_facts, plan_run
from marts.core.project import load

GRAPH = link(load("marts"))


def builds(graph: Graph, as_of: datetime.date, present: frozenset[str]) -> tuple[Build, ...]:
    """Return what builds each mart, in order, where these sources are present."""
    facts = declared_facts(graph.project, sources=present)
    plan = plan_run(graph, graph.order, facts, FixedAsOf(as_of))
    return tuple(step for step in plan.steps if isinstance(step, Build))


class DuckDBEngine:
    """One connection in memory, reused from world to world."""

    def __init__(self, graph: Graph = GRAPH) -> None:
        self.graph = graph
        self.connection = duckdb.connect(config={"threads": 2})
        self._compiled: dict[tuple[datetime.date, frozenset[str]], Mapping[str, str]] = {}

    def build(
        self, tables: Mapping[str, pa.Table], as_of: datetime.date
    ) -> tuple[dict[str, pa.Table], Mapping[str, str]]:
        """Return every mart of a world, and its SQL."""
        for name, table in tables.items():
            self.connection.register(name, table)
        statements = self.sql(as_of, frozenset(tables))
        for name, sql in statements.items():
            kind = self.graph.project.marts[name].materialized
            self.connection.execute(f"CREATE OR REPLACE TEMP {kind} {name} AS {sql}")
        built = {name: self.connection.table(name).to_arrow_table() for name in statements}
        return built, statements

    def sql(self, as_of: datetime.date, present: frozenset[str]) -> Mapping[str, str]:
        """Return the SQL of each mart in build order, all tables in schema main."""
        if (as_of, present) not in self._compiled:
            self._compiled[as_of, present] = {
                step.mart.name: compile_query(step.query, sources={}, schema="main")
                for step in builds(self.graph, as_of, present)
            }
        return self._compiled[as_of, present]
