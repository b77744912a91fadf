"""Databend, embedded: runs the marts' Snowflake SQL, and shares nothing with DuckDB or fakesnow.

What it lacks of Snowflake's dialect is adapted, by a function for each thing; `test_databend.py`
shows that each is needed, and in what else that the marts might meet the two differ.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import pyarrow as pa
from sqlglot import Expr, exp, parse_one

from backends.snowflake_ddl import DIALECT
from backends.snowflake_sql import Namespace, compile_query
from marts.core.authoring.expressions import FixedAsOf
from marts.core.plan.planner import plan_run
from marts.core.plan.state import declared_state
from marts.core.plan.steps import Build
from marts.core.project.graph import Graph
from support.engines import GRAPH

SOURCES, MARTS = Namespace("RAW"), Namespace("GOLD")
ARRIVED = "arrived"

Adaptation: TypeAlias = Callable[[Expr], Expr]
"""Returns a node of a statement, or another in its place."""


def date_from_parts(node: Expr) -> Expr:
    """Write DATE_FROM_PARTS(2025, 6, 30) as a cast of '2025-06-30'.

    Databend has it from https://github.com/databendlabs/databend/pull/19873 on.
    """
    if not isinstance(node, exp.DateFromParts):
        return node
    parts = [int(node.args[part].name) for part in ("year", "month", "day")]
    return exp.cast(exp.Literal.string(str(datetime.date(*parts))), "DATE")


def timestamp_without_zone(node: Expr) -> Expr:
    """Write TIMESTAMPNTZ as TIMESTAMP, Databend's only such type: an instant, shown in UTC."""
    if isinstance(node, exp.DataType) and node.this == exp.DataType.Type.TIMESTAMPNTZ:
        return exp.DataType(this=exp.DataType.Type.TIMESTAMP)
    return node


def number_within(node: Expr) -> Expr:
    """Write BIGINT within a query as DECIMAL(38, 0), which is what Snowflake means by it.

    Databend multiplies and sums BIGINT in 64 bits, which the sum of squares does not fit.
    """
    if isinstance(node, exp.DataType) and node.this == exp.DataType.Type.BIGINT:
        cast_ = node.find_ancestor(exp.Cast)
        if cast_ is not None and cast_.find_ancestor(exp.Subquery):
            return exp.DataType.build("DECIMAL(38, 0)")
    return node


ADAPTATIONS: tuple[Adaptation, ...] = (date_from_parts, timestamp_without_zone, number_within)


def adapted(sql: str) -> str:
    """Return a Snowflake query as Databend takes it."""
    tree: Expr = parse_one(sql, read=DIALECT)
    for adaptation in ADAPTATIONS:
        tree = tree.transform(adaptation)
    return tree.sql(DIALECT, pretty=True)


class DatabendEngine:
    """One connection, reused from data set to data set."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection
        for namespace in (SOURCES, MARTS):
            self.connection.execute(f'CREATE DATABASE "{namespace}"')

    def build(
        self, tables: Mapping[str, pa.Table], as_of: datetime.date
    ) -> tuple[dict[str, pa.Table], Mapping[str, str]]:
        """Return every mart of a data set, and its SQL."""
        for name, table in tables.items():
            self._load(name, table)
        statements: dict[str, str] = {}
        for step in builds(GRAPH, as_of, frozenset(tables)):
            name = step.mart.name
            kind = "VIEW" if step.mart.materialized == "view" else "TABLE"
            sql = compile_query(
                step.query, sources=tables, source_namespace=SOURCES, namespace=MARTS
            )
            statements[name] = adapted(sql)
            place = MARTS.qualified(name).sql(DIALECT)
            self.connection.execute(f"CREATE OR REPLACE {kind} {place} AS {statements[name]}")
        return {name: self._table(name) for name in GRAPH.project.marts}, statements

    def _load(self, name: str, table: pa.Table) -> None:
        named = table.rename_columns([column.upper() for column in table.column_names])
        self.connection.register(ARRIVED, named)
        place = SOURCES.qualified(name).sql(DIALECT)
        self.connection.execute(f"CREATE OR REPLACE TABLE {place} AS SELECT * FROM {ARRIVED}")
        self.connection.execute(f"DROP VIEW {ARRIVED}")

    def _table(self, name: str) -> pa.Table:
        rows = self.connection.sql(f"SELECT * FROM {MARTS.qualified(name).sql(DIALECT)}").arrow()
        return rows.rename_columns([column.lower() for column in rows.column_names])


def builds(graph: Graph, as_of: datetime.date, present: frozenset[str]) -> tuple[Build, ...]:
    """Return what builds each mart, in order, where these sources are present."""
    facts = declared_state(graph.project, sources=present)
    plan = plan_run(graph, graph.order, facts, FixedAsOf(as_of))
    return tuple(step for step in plan.steps if isinstance(step, Build))
