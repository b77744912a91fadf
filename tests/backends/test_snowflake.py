"""Snowflake's SQL, compiled without a connection: every name is upper-case and in its place."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
import sqlglot
import sqlglot.expressions as sge
from ibis.backends.sql.compilers import SnowflakeCompiler
from sqlglot.optimizer.qualify import qualify

from backends.snowflake_sql import Namespace, compile_query
from marts.core.authoring.expressions import FixedAsOf
from marts.core.plan.planner import plan_run
from marts.core.plan.state import declared_state
from marts.core.plan.steps import Build, CheckTable
from marts.core.query.checks import sample_query
from marts.core.query.contract import schema_of
from support.workshop import AS_OF, SHOP

SOURCES, MARTS = SHOP.project.sources, SHOP.project.marts


def compiled(query: Any) -> str:
    return compile_query(
        query,
        sources=SOURCES,
        source_namespace=Namespace("TILL", "RAW_DATA"),
        namespace=Namespace("GOLD"),
    )


def _statements() -> Iterator[tuple[str, str]]:
    """Yield every query of a run of the toy shop, the samples of its checks too."""
    facts = declared_state(SHOP.project, sources=SOURCES)
    plan = plan_run(SHOP, SHOP.order, facts, FixedAsOf(AS_OF), source_checks=True)
    for step in plan.steps:
        match step:
            case Build(mart, query):
                yield mart.name, compiled(query)
            case CheckTable(table, checks, query):
                what = "checks" if step.is_fused else checks[0].name
                yield f"{what} of {table.name}", compiled(query)
                for check in checks:
                    sample = sample_query(table, check, plan.tables, plan.as_of)
                    if sample is not None:
                        yield f"sample of {table.name}.{check.name}", compiled(sample)


@cache
def statements() -> dict[str, str]:
    return dict(_statements())


def test_every_identifier_is_upper_case() -> None:
    for name, sql in statements().items():
        for identifier in sqlglot.parse_one(sql, dialect="snowflake").find_all(sge.Identifier):
            assert identifier.name == identifier.name.upper(), (name, sql)


def test_sources_and_marts_lie_in_their_namespaces_and_nothing_else_does() -> None:
    seen = set()
    for name, sql in statements().items():
        tree = sqlglot.parse_one(sql, dialect="snowflake")
        own = {cte.alias for cte in tree.find_all(sge.CTE)}
        for table in tree.find_all(sge.Table):
            place = (table.catalog, table.db)
            if table.name.lower() in SOURCES:
                assert place == ("RAW_DATA", "TILL"), name
            elif table.name.lower() in MARTS:
                assert place == ("", "GOLD"), name
            else:
                assert place == ("", ""), name
                assert table.name in own, name
            seen.add(table.name.lower())
    assert seen >= {*SOURCES, *MARTS} - {"shop_overview"}


def test_a_cte_of_the_query_is_not_a_relation() -> None:
    tree = sqlglot.parse_one("WITH t AS (SELECT x FROM orders) SELECT x FROM t, other")
    placed = (
        'WITH T AS ( SELECT X FROM "RAW_DATA"."TILL"."ORDERS" AS ORDERS )'
        ' SELECT X FROM T, "GOLD"."OTHER" AS OTHER'
    )
    assert " ".join(compiled(tree).split()) == placed


def test_no_join_is_used_that_snowflake_lacks() -> None:
    for name, sql in statements().items():
        joins = sqlglot.parse_one(sql, dialect="snowflake").find_all(sge.Join)
        assert not {join.kind for join in joins} & {"SEMI", "ANTI"}, name
        assert " SEMI JOIN" not in sql
        assert " ANTI JOIN" not in sql


def test_every_name_resolves_against_an_upper_case_catalog() -> None:
    def columns(table: Any) -> dict[str, str]:
        to_string = SnowflakeCompiler().type_mapper.to_string
        found = schema_of(table.columns)
        return {name.upper(): to_string(kind) for name, kind in found.items()}

    catalog: dict[str, object] = {
        "RAW_DATA": {"TILL": {name.upper(): columns(table) for name, table in SOURCES.items()}},
        "MARTS": {"GOLD": {name.upper(): columns(table) for name, table in MARTS.items()}},
    }
    for sql in statements().values():
        qualify(
            sqlglot.parse_one(sql, dialect="snowflake"),
            schema=catalog,
            catalog="MARTS",
            dialect="snowflake",
            validate_qualify_columns=True,
        )


def test_contract_types_are_cast_in_the_sql() -> None:
    sql = statements()["customer_totals"]
    for kind in ("DECIMAL(18, 2)", "DOUBLE", "BIGINT", "DATE", "VARCHAR"):
        assert f"AS {kind})" in sql, sql


@pytest.mark.parametrize(
    ("namespace", "place"),
    [
        (Namespace("GOLD"), '"GOLD"."BIKES"'),
        (Namespace("gold", "PROD"), '"PROD"."gold"."BIKES"'),
        (Namespace("my gold", 'a"b'), '"a""b"."my gold"."BIKES"'),
    ],
)
def test_a_namespace_is_spelled_as_given_and_relations_are_upper_case(
    namespace: Namespace, place: str
) -> None:
    assert namespace.qualified("bikes").sql("snowflake") == place


def test_compiling_loads_no_driver_and_no_other_engine() -> None:
    script = """
import sys
import ibis
from backends.snowflake_sql import Namespace, compile_query
here = Namespace("GOLD")
query = ibis.table({"a": "int64"}, name="t")
print(compile_query(query, sources=[], source_namespace=here, namespace=here))
loaded = {name for name in sys.modules if name.startswith(("snowflake", "duckdb", "pandas"))}
assert not loaded, loaded
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert '"GOLD"."T"' in done.stdout
