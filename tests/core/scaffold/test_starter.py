"""The first mart: what it counts, and that its names do not get in each other's way."""

from __future__ import annotations

import datetime
from typing import Any

import ibis
import pytest
from ibis.expr.operations import UnboundTable

from marts.core.authoring.expressions import FixedAsOf
from marts.core.scaffold.declarations import NewCheck, NewColumn, NewSource
from marts.core.scaffold.starter import mart_file, starter_of

KEY = NewColumn(name="id", type="int64")


def facts(name: str, to: str, *, rows: int = 1000, severity: str | None = None) -> NewSource:
    """Return facts that refer to another table."""
    check = NewCheck(columns=("of",), to=f"{to}.id", severity=severity)
    columns = (KEY, NewColumn(name="of", type="int64"), NewColumn(name="at", type="date"))
    return NewSource(
        name=name, doc="F.", grain=("id",), columns=columns, checks=(check,), rows=rows
    )


def owners(name: str, *, rows: int = 100) -> NewSource:
    """Return a table to which facts refer."""
    return NewSource(name=name, doc="O.", grain=("id",), columns=(KEY,), rows=rows)


def test_it_is_about_a_table_to_which_about_ten_rows_refer_each() -> None:
    sources = [
        *(owners("orders", rows=1000), owners("nations", rows=5), owners("shops")),
        facts("visits", "shops"),
        facts("lines", "orders", rows=1100),
        facts("cities", "nations", rows=20_000),
        facts("stays", "shops", severity="warn"),
    ]
    assert starter_of(sources).name == "shop_visits"


@pytest.mark.parametrize(
    ("fact", "owner"),
    [("t", "keys"), ("keys", "t"), ("rows", "t"), ("counts", "here"), ("count", "x")],
)
def test_names_of_tables_and_of_variables_stay_apart(fact: str, owner: str) -> None:
    starter = starter_of([owners(owner), facts(fact, owner)])
    names: dict[str, Any] = {"__name__": starter.name}
    exec(compile(mart_file(starter), f"{starter.name}.py", "exec"), names)  # noqa: S102
    facts_there = ibis.table({"id": "int64", "of": "int64", "at": "date"}, name="the facts")
    owners_there = ibis.table({"id": "int64", "number": "int64"}, name="the owners")
    day = FixedAsOf(datetime.date(2025, 6, 30))
    built = names[starter.name].define(owners_there, facts_there, day)
    assert {"id", starter.counted, "last_at"} < {*built.columns}
    assert names_of(built) == {"the facts", "the owners"}
    check = names["_not_all_counted"](built, facts_there, day)
    assert names_of(check) == {"the facts", "the owners"}


def names_of(table: Any) -> set[str]:
    """Return the tables that a query reads."""
    return {each.name for each in table.op().find(UnboundTable)}
