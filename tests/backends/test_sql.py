"""SQL trees: names are placed where their relations are, and nothing else is touched."""

from __future__ import annotations

from collections.abc import Callable

import ibis
import ibis.expr.types as ir
import pytest
import sqlglot
import sqlglot.expressions as sge

from backends.duckdb_sql import compiled as duckdb_compiled
from backends.snowflake_sql import compiled as snowflake_compiled
from backends.sql import bare_names, comment_statements, relocate
from marts.core.plan.state import CompiledQuery


def parsed(sql: str) -> sge.Query:
    tree = sqlglot.parse_one(sql, dialect="duckdb")
    assert isinstance(tree, sge.Query)
    return tree


@pytest.mark.parametrize(
    ("sql", "names"),
    [
        ("SELECT * FROM bikes", {"bikes"}),
        ("SELECT * FROM bikes AS b JOIN shops AS s ON b.shop = s.shop", {"bikes", "shops"}),
        ("SELECT * FROM shop.bikes", set()),
        ("WITH t AS (SELECT * FROM bikes) SELECT * FROM t", {"bikes"}),
        ("SELECT * FROM (SELECT * FROM bikes) AS t", {"bikes"}),
        ("SELECT * FROM a UNION ALL SELECT * FROM b", {"a", "b"}),
        ("SELECT (SELECT max(x) FROM a) FROM b WHERE x IN (SELECT x FROM c)", {"a", "b", "c"}),
        ("SELECT 1", set()),
    ],
)
def test_bare_names_are_the_relations_that_a_query_reads(sql: str, names: set[str]) -> None:
    assert bare_names(parsed(sql)) == names


PLACES = {"bikes": sge.table_("bikes", db="gold", quoted=True)}


@pytest.mark.parametrize(
    ("sql", "placed"),
    [
        ("SELECT * FROM bikes AS b", 'SELECT * FROM "gold"."bikes" AS b'),
        ("SELECT bikes.x FROM bikes", 'SELECT bikes.x FROM "gold"."bikes" AS bikes'),
        ("SELECT * FROM shop.bikes", "SELECT * FROM shop.bikes"),
        (
            "WITH t AS (SELECT * FROM bikes) SELECT * FROM t",
            'WITH t AS (SELECT * FROM "gold"."bikes" AS bikes) SELECT * FROM t',
        ),
        (
            "SELECT * FROM bikes AS a JOIN bikes AS b ON a.x = b.x",
            'SELECT * FROM "gold"."bikes" AS a JOIN "gold"."bikes" AS b ON a.x = b.x',
        ),
        ("SELECT x AS bikes FROM a", "SELECT x AS bikes FROM a"),
    ],
)
def test_relocate_places_bare_names_and_keeps_what_refers_to_them(sql: str, placed: str) -> None:
    tree = parsed(sql)
    assert relocate(tree, PLACES).sql("duckdb") == placed
    assert tree.sql("duckdb") == parsed(sql).sql("duckdb")


def test_comments_quote_names_and_text() -> None:
    table = sge.table_("bikes", db="gold", quoted=True)
    statements = comment_statements(
        table, kind="view", comment="O'Brien's", column_comments={"order": "a 'word'"}
    )
    assert [statement.sql("duckdb") for statement in statements] == [
        "COMMENT ON VIEW \"gold\".\"bikes\" IS 'O''Brien''s'",
        "COMMENT ON COLUMN \"gold\".\"bikes\".\"order\" IS 'a ''word'''",
    ]


@pytest.mark.parametrize("compiled", [duckdb_compiled, snowflake_compiled])
def test_a_table_may_be_a_scalar(compiled: Callable[[ir.Table], CompiledQuery]) -> None:
    """Ibis takes the table's name for a query there."""
    bikes, latest = ibis.table({"id": "int64"}, name="bikes"), ibis.table({"n": "int64"}, name="n")
    for table in (latest, latest.view(), latest.filter(latest.n > 0)):
        found = compiled(bikes.filter(bikes.id > table.as_scalar()))
        assert found.names == {"bikes", "n"}
        assert found.tree.find(sge.Subquery)


def test_snowflake_counts_no_row_as_0() -> None:
    """COUNT_IF may give null."""
    bikes = ibis.table({"wheels": "int64"}, name="bikes")
    sql = snowflake_compiled(
        bikes.aggregate(n=bikes.count(where=bikes.wheels > 2), rows=bikes.count())
    ).sql
    assert 'COUNT(IFF("t0"."wheels" > 2, 1, NULL))' in sql
    assert "COUNT(*)" in sql
