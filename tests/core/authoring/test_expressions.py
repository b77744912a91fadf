"""Division is in float64 on every engine, and by zero it is null."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import duckdb
import ibis
import pytest

from backends.duckdb_sql import compile_query
from marts import percent, ratio

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
