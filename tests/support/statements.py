"""Every statement that the project's marts and checks compile to, for a fixed date."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import cache
from typing import Any

import sqlglot.expressions as sge
from ibis.backends.sql.datatypes import SnowflakeType
from sqlglot.schema import MappingSchema

from backends import duckdb_sql, snowflake_sql
from marts.core.analysis.reliance_checks import derived_checks
from marts.core.analysis.reliance_errors import relied_on
from marts.core.authoring.checks import Check
from marts.core.authoring.expressions import FixedAsOf
from marts.core.authoring.tables import Mart, Source, checks_of
from marts.core.plan.planner import plan_run
from marts.core.plan.source_checks import SourceChecks
from marts.core.plan.state import declared_state
from marts.core.plan.steps import Build, CheckTable, Plan
from marts.core.query.checks import sample_query
from marts.core.query.contract import schema_of
from support.engines import GRAPH

AS_OF = FixedAsOf(datetime.date(2025, 6, 30))
SOURCES: Mapping[str, Source] = GRAPH.project.sources
MARTS: Mapping[str, Mart] = GRAPH.project.marts


def _snowflake(query: Any) -> str:
    return snowflake_sql.compile_query(
        query,
        sources=SOURCES,
        source_namespace=snowflake_sql.Namespace("RAW"),
        namespace=snowflake_sql.Namespace("GOLD"),
    )


def _duckdb(query: Any) -> str:
    files = {name: f"raw/{name}.parquet" for name in SOURCES}
    return duckdb_sql.compile_query(query, sources=files, schema="gold")


DIALECTS: Mapping[str, Callable[[Any], str]] = {"duckdb": _duckdb, "snowflake": _snowflake}


@cache
def plan(present: tuple[str, ...] = tuple(SOURCES)) -> Plan:
    """Return the plan that builds all marts and makes all checks, of sources too."""
    facts = declared_state(GRAPH.project, sources=present)
    derived = derived_checks(GRAPH, relied_on(GRAPH))
    checks = {
        name: {check.name: check for check in (*derived.get(name, ()), *checks_of(SOURCES[name]))}
        for name in present
    }
    everything = SourceChecks(
        by_source={name: tuple(by_name.values()) for name, by_name in checks.items()}
    )
    return plan_run(GRAPH, GRAPH.order, facts, AS_OF, source_checks=everything)


@cache
def builds(dialect: str, present: tuple[str, ...] = tuple(SOURCES)) -> Mapping[str, str]:
    """Return the SQL of each mart."""
    steps = [step for step in plan(present).steps if isinstance(step, Build)]
    return {step.mart.name: DIALECTS[dialect](step.query) for step in steps}


def snowflake_statements() -> Iterator[tuple[str, str]]:
    """Yield each statement that a run on Snowflake may send, with a name for it."""
    yield from ((name, sql) for name, sql in builds("snowflake").items())
    required = tuple(name for name, source in SOURCES.items() if not source.optional)
    for name, sql in builds("snowflake", required).items():
        if sql != builds("snowflake")[name]:
            yield f"{name} without {', '.join(SOURCES.keys() - required)}", sql
    for step in plan().steps:
        match step:
            case CheckTable(table, checks, query):
                what = ", checks of rows" if step.is_fused else f".{checks[0].name}"
                yield f"{table.name}{what}", _snowflake(query)
                yield from _samples(table, checks)


def _samples(table: Source | Mart, checks: Collection[Check]) -> Iterator[tuple[str, str]]:
    for check in checks:
        query = sample_query(table, check, plan().tables, AS_OF)
        if query is not None:
            yield f"{table.name}.{check.name}, a sample", _snowflake(query)


def snowflake_schema() -> MappingSchema:
    """Return the columns of sources and marts as Snowflake's catalog has them: upper-case."""
    schema = MappingSchema(dialect="snowflake", normalize=False)
    for db, tables in (("RAW", SOURCES), ("GOLD", MARTS)):
        for name, table in tables.items():
            kinds = schema_of(table.columns).items()
            columns = {column.upper(): SnowflakeType.to_string(kind) for column, kind in kinds}
            schema.add_table(sge.table_(name.upper(), db=db, quoted=True), columns)
    return schema
