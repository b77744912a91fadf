"""Memtables: their rows are part of the query, as they are."""

from __future__ import annotations

import datetime
import os
from decimal import Decimal

import ibis
import ibis.expr.operations as ops
import pyarrow as pa
import pytest
from ibis.expr.types import Table

from marts import int64, mart, source, string
from marts.core.analysis.declared_keys import DeclaredKeys
from marts.core.analysis.keys import keys_of
from marts.core.authoring.expressions import FixedAsOf
from marts.core.authoring.memtables import MOST_ROWS, written_out
from marts.core.errors import DefinitionError
from marts.core.query.definition import defining_query, logical_tables
from support.workshop import project_of

ROWS = pa.table(
    {
        "text": ["it's", None, "ﬁ\t"],
        "number": [2**53 + 1, -1, 0],
        "flag": [True, None, False],
        "real": [0.1, 1e300, None],
        "money": [Decimal("9007199254740993.10"), None, Decimal("-0.01")],
        "day": [datetime.date(2024, 2, 29), None, datetime.date(1900, 1, 1)],
        "moment": pa.array([0, 1_735_775_999_999_999, None], pa.timestamp("us")),
    }
)


def written(rows: pa.Table) -> Table:
    found = written_out(ibis.memtable(rows), what="mart m", location="m.py:1")
    assert not found.op().find(ops.InMemoryTable)
    return found


@pytest.mark.parametrize("rows", [0, 1, 2, 3])
def test_rows_stay_what_they_are(rows: int) -> None:
    assert written(ROWS[:rows]).schema() == ibis.memtable(ROWS).schema()
    found = ibis.duckdb.connect().to_pyarrow(written(ROWS[:rows]))
    assert found.to_pylist() == ROWS[:rows].to_pylist()


def test_columns_of_which_no_two_rows_are_alike_name_a_row() -> None:
    rows = {"a": [1, 1, 2, 2], "b": ["x", "y", "x", "y"], "c": [1, 1, 1, 1], "d": [4, 3, 2, 1]}
    assert keys_of(written(pa.table(rows)).op(), DeclaredKeys()) == {
        frozenset("ab"),
        frozenset("d"),
    }
    assert keys_of(written(ROWS[:1]).op(), DeclaredKeys()) == {frozenset()}


@mart(grain="country", columns=[string("country"), int64("n", null=True)])
def counted(orders: Table) -> Table:
    """Orders of as many countries as are written down."""
    known = ibis.memtable(pa.table({"country": list(map(str, range(how_many())))}))
    return known.left_join(orders.group_by("country").aggregate(n=orders.count()), "country")


def how_many() -> int:
    return int(os.environ.get("COUNTRIES", MOST_ROWS))


ORDERS = source("orders", doc="Orders.", grain="id", columns=[int64("id"), string("country")])


def test_too_many_rows_are_told_with_the_mart(monkeypatch: pytest.MonkeyPatch) -> None:
    project = project_of(ORDERS, counted).project
    tables = logical_tables(project, present=["orders"])
    as_of = FixedAsOf(datetime.date(2025, 1, 1))
    assert "country" in ibis.to_sql(defining_query(counted, tables, as_of), dialect="duckdb")
    monkeypatch.setenv("COUNTRIES", str(MOST_ROWS + 1))
    with pytest.raises(DefinitionError, match="mart counted has a memtable of 1,001 rows"):
        defining_query(counted, tables, as_of)
