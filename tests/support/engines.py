"""Engines that build every mart of a world: the marts' own SQL, compiled once for each date."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from random import Random

import duckdb
import pyarrow as pa

from backends.duckdb_sql import compile_query
from marts.core.analysis.lineage import documented
from marts.core.analysis.reliance_reader import reliance_of
from marts.core.authoring.expressions import FixedAsOf
from marts.core.plan.planner import plan_run
from marts.core.plan.state import declared_state
from marts.core.plan.steps import Build
from marts.core.project.graph import Graph, link
from marts.core.project.loading import load

GRAPH = link(load("marts"))


@cache
def documented_graph() -> Graph:
    """Return our marts with the words that their columns inherit."""
    return documented(GRAPH, reliance_of(GRAPH).lineage)


def builds(graph: Graph, as_of: datetime.date, present: frozenset[str]) -> tuple[Build, ...]:
    """Return what builds each mart, in order, where these sources are present."""
    facts = declared_state(graph.project, sources=present)
    plan = plan_run(graph, graph.order, facts, FixedAsOf(as_of))
    return tuple(step for step in plan.steps if isinstance(step, Build))


@dataclass(frozen=True)
class Layout:
    """How an engine is handed its rows: in which order, the facts in how many pieces; threads."""

    shuffle: int = 0
    pieces: int = 1
    threads: int = 1

    def permuted(self, table: pa.Table) -> pa.Table:
        """Return the rows in another order; shuffle 0 leaves them as they are."""
        order = list(range(table.num_rows))
        Random(self.shuffle).shuffle(order)
        return table.take(pa.array(order, pa.int64())) if self.shuffle else table

    def cut(self, table: pa.Table) -> list[pa.Table]:
        """Return consecutive pieces, the last of which may be short or empty."""
        size = -(-table.num_rows // self.pieces)
        return [table.slice(n * size, size) for n in range(self.pieces)]


class DuckDBEngine:
    """One connection in memory, reused from world to world."""

    def __init__(self, graph: Graph = GRAPH) -> None:
        self.graph = graph
        self.connection = duckdb.connect()
        self._compiled: dict[tuple[datetime.date, frozenset[str]], Mapping[str, str]] = {}

    def build(
        self, tables: Mapping[str, pa.Table], as_of: datetime.date, layout: Layout = Layout()
    ) -> tuple[dict[str, pa.Table], Mapping[str, str]]:
        """Return every mart of a world, and its SQL."""
        self.connection.execute(f"SET threads = {layout.threads}")
        for name, table in tables.items():
            rows = layout.permuted(table)
            self._register(name, layout.cut(rows) if name == "fct_transactions" else [rows])
        statements = self.sql(as_of, frozenset(tables))
        for name, sql in statements.items():
            kind = "VIEW" if self.graph.project.marts[name].materialized == "view" else "TABLE"
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

    def _register(self, name: str, pieces: Sequence[pa.Table]) -> None:
        """Show several pieces as one table, as an engine shows files."""
        if len(pieces) == 1:
            # DuckDB 2 does not replace a view that an earlier layout has made.
            self.connection.execute(f"DROP VIEW IF EXISTS {name}")
            self.connection.register(name, pieces[0])
            return
        for number, rows in enumerate(pieces):
            self.connection.register(f"{name}_{number}", rows)
        union = " UNION ALL ".join(f"FROM {name}_{number}" for number in range(len(pieces)))
        self.connection.execute(f"CREATE OR REPLACE TEMP VIEW {name} AS {union}")
