"""What is measured becomes a declaration that says which name in the source is meant."""

from __future__ import annotations

from dataclasses import replace

import pytest

from marts.core.run.profiling import ColumnFigures, FoundColumn, FoundTable, TableFigures
from marts.core.scaffold.declarations import declared
from marts.core.scaffold.measuring import Measured

FIGURES = ColumnFigures(nulls=0, distinct=2)


def measured(table: str, *columns: str, kind: str = "string") -> Measured:
    """Return a table of two rows."""
    found = tuple(FoundColumn(name=name, type=kind, found=kind or "array") for name in columns)
    figures = {name: FIGURES for name in columns if kind}
    return Measured(
        table=FoundTable(name=table, columns=found),
        figures=TableFigures(rows=2, columns=figures),
    )


def test_names_that_differ_in_case_alone_are_both_spelled() -> None:
    tables = [measured("Orders", "ID", "id", "Name", "CITY"), measured("ORDERS", "a b")]
    first, second = declared(tables, where="here")
    assert (first.name, first.source_name) == ("orders", "Orders")
    assert (second.name, second.source_name) == ("orders_2", "ORDERS")
    assert [(c.name, c.source_name) for c in (*first.columns, *second.columns)] == [
        ("id_2", "ID"),
        ("id", "id"),
        ("name", None),
        ("city", None),
        ("a_b", "a b"),
    ]


def test_a_table_without_a_column_that_a_contract_holds_is_not_declared() -> None:
    tables = [measured("nested", "a", kind=""), measured("flat", "a")]
    assert [each.name for each in declared(tables, where="here")] == ["flat"]


def test_labels_that_may_be_slips_of_others_are_not_accepted_values() -> None:
    table = measured("trips", "bike", "plan")
    values = {"bike": ("E-Bike", "cargo", "e-bike "), "plan": ("day", "month")}
    (source,) = declared([replace(table, values=values)], where="here")
    bike, plan = source.columns
    assert (bike.values, plan.values) == ((), ("day", "month"))
    assert bike.notes == (
        "no nulls; 3 values; not declared, since some may be slips: 'E-Bike', 'e-bike '",
    )


@pytest.mark.parametrize(
    ("nulls", "note"),
    [
        (0, "no nulls; 1 value; 5,000 different values in 5,001 rows: not unique"),
        (1, "1 null; 1 value; 5,000 different values in the other 5,000 rows: not unique"),
    ],
)
def test_notes_count_in_words(nulls: int, note: str) -> None:
    figures = TableFigures(rows=5001, columns={"a": ColumnFigures(nulls=nulls, distinct=5000)})
    table = replace(measured("t", "a"), figures=figures, repeated={"a": 5000}, values={"a": ("x",)})
    (source,) = declared([table], where="here")
    assert source.columns[0].notes == (note,)
