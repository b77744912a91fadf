"""Division is in float64 on every engine, and by zero it is null."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import duckdb
import ibis
import pytest

from backends.duckdb_sql import compile_query
from marts import mean, percent, ratio, sample_stddev

VALUES = """
    CREATE TABLE fractions AS SELECT * FROM (VALUES
        ('decimals', CAST(1 AS DECIMAL(18, 2)), CAST(3 AS DECIMAL(18, 2))),
        ('difference', 0.30 - 0.20, 0.10),
        ('by zero', 1, 0),
        ('zero by zero', 0, 0),
        ('of null', NULL, 2),
        ('by null', 1, NULL),
        ('negative', -1, 4),
    ) AS t (name, numerator, denominator)
"""


@pytest.mark.parametrize(("function", "scale"), [(ratio, 1), (percent, 100)])
def test_ratios_on_the_engine(function: Callable[..., Any], scale: int) -> None:
    kinds = {"name": "string", "numerator": "decimal(18, 2)", "denominator": "decimal(18, 2)"}
    table = ibis.table(kinds, name="fractions")
    query = table.select("name", value=function(table.numerator, table.denominator))
    with duckdb.connect() as connection:
        connection.execute(VALUES)
        built = connection.sql(compile_query(query, sources={}, schema="main"))
        assert [str(kind) for kind in built.types] == ["VARCHAR", "DOUBLE"]
        found = dict(built.fetchall())
    assert found == {
        "decimals": pytest.approx(scale / 3, rel=1e-15),
        "difference": scale,
        "by zero": None,
        "zero by zero": None,
        "of null": None,
        "by null": None,
        "negative": -scale / 4,
    }


def test_counts_divide_as_floats() -> None:
    table = ibis.table({"n": "int64"}, name="counts")
    assert ratio(table.n, table.n.sum()).type().is_float64()


@pytest.mark.parametrize(
    ("amounts", "expected"),
    [
        ("(0.01), (0.02), (0.04)", 0.0152752523165195),
        # Squares that floats would cancel: the deviation is that of 0.01, 0.02 and 0.04.
        ("(99999999.01), (99999999.02), (99999999.04)", 0.0152752523165195),
        ("(0.50), (1.50), (NULL)", 0.7071067811865476),
        ("(3.00)", None),
        ("(NULL)", None),
    ],
)
def test_the_sample_deviation_is_exact(amounts: str, expected: float | None) -> None:
    table = ibis.table({"amount": "decimal(10, 2)"}, name="t")
    query = table.aggregate(deviation=sample_stddev(table.amount))
    with duckdb.connect() as connection:
        connection.execute(
            f"CREATE TABLE t AS SELECT a::DECIMAL(10, 2) amount FROM (VALUES {amounts}) t (a)"
        )
        ((found,),) = connection.sql(compile_query(query, sources={}, schema="main")).fetchall()
    assert found == (pytest.approx(expected, rel=1e-12) if expected else None)


@pytest.mark.parametrize(
    ("values", "expected"),
    [("(0.1), (0.2), (NULL)", 0.15), ("(1e20), (1), (-1e20)", 1 / 3), ("(NULL)", None)],
)
def test_a_mean_of_floats_does_not_depend_on_the_order_of_rows(
    values: str, expected: float | None
) -> None:
    table = ibis.table({"value": "float64"}, name="t")
    sql = compile_query(table.aggregate(mean=mean(table.value)), sources={}, schema="main")
    with duckdb.connect() as connection:
        for order in ("ASC", "DESC"):
            connection.execute(
                "CREATE OR REPLACE TABLE t AS SELECT v::DOUBLE AS value"
                f" FROM (VALUES {values}) t (v) ORDER BY v {order}"
            )
            ((found,),) = connection.sql(sql).fetchall()
            assert found == (pytest.approx(expected, rel=1e-12) if expected else None)


@pytest.mark.parametrize("kind", ["float64", "decimal(18, 2)"])
def test_squares_that_64_bits_do_not_hold_are_refused(kind: str) -> None:
    with pytest.raises(TypeError, match="cannot be added up exactly"):
        sample_stddev(ibis.table({"amount": kind}, name="t").amount)
