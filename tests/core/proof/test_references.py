"""Twins get what an analyst can calculate with, and what they return is read exactly."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

from marts import (
    Table,
    boolean,
    date,
    decimal,
    float64,
    int64,
    mart,
    source,
    string,
    timestamp,
)
from marts.core.authoring.proofs import twin
from marts.core.errors import DefinitionError
from marts.core.proof.references import Frames, calculate, frame_of, references_of
from marts.core.proof.worlds import World
from marts.core.query.contract import schema_of
from support.workshop import SHOP, project_of

DAY = datetime.date(2025, 6, 30)
MOMENT = datetime.datetime(2025, 6, 30, 23, 59, 59, 999_999)  # noqa: DTZ001
COLUMNS = [
    string("name", null=True),
    int64("count", null=True),
    decimal("amount", 10, 2, null=True),
    float64("share", null=True),
    boolean("paid", null=True),
    date("day", null=True),
    timestamp("at", null=True),
]
kinds = source("kinds", doc="One column of each type.", grain="id", columns=[int64("id"), *COLUMNS])
VALUES: dict[str, Any] = {
    "id": 1,
    "name": "a",
    "count": 2**53 + 1,
    "amount": Decimal("10.50"),
    "share": 0.1,
    "paid": True,
    "day": DAY,
    "at": MOMENT,
}
NULLS: dict[str, Any] = {"id": 2}


@mart(grain="id", columns=[int64("id"), *COLUMNS])
def copied(kinds: Table) -> Table:
    """All kinds."""
    return kinds


GRAPH = project_of(kinds, copied)


def world(*rows: dict[str, Any]) -> World:
    schema = schema_of(kinds.columns).to_pyarrow()
    return World({"kinds": pa.Table.from_pylist(list(rows), schema)}, DAY)


def calculated(function: Callable[..., Any], *rows: dict[str, Any]) -> pa.Table:
    """Return the result of a function as the twin of `copied`."""
    (reference,) = references_of(GRAPH, [twin(copied)(function)]).values()
    return calculate(reference, Frames(world(*rows), GRAPH.project.sources))


def test_cells_are_exact_and_nulls_change_no_type() -> None:
    frame = frame_of(kinds, world(VALUES, NULLS).tables["kinds"])
    assert {name: str(kind) for name, kind in frame.dtypes.items()} == {
        "id": "Int64",
        "name": "object",
        "count": "Int64",
        "amount": "object",
        "share": "float64",
        "paid": "boolean",
        "day": "object",
        "at": "datetime64[us]",
    }
    assert frame.iloc[0].to_dict() == VALUES
    assert [frame[name].iloc[1] for name in ("name", "amount", "day")] == [None, None, None]
    assert frame.iloc[1].isna().sum() == 7
    absent = frame_of(kinds, None)
    assert (len(absent), list(absent.dtypes)) == (0, list(frame.dtypes))


def test_what_an_analyst_does_with_them_is_exact() -> None:
    frame = frame_of(
        kinds, world(VALUES, NULLS, VALUES | {"id": 3, "amount": Decimal("0.20")}).tables["kinds"]
    )
    assert frame.amount.sum() == Decimal("10.70")
    assert frame.groupby("name")["amount"].sum().tolist() == [Decimal("10.70")]
    assert frame["count"].sum() == 2 * (2**53 + 1)
    assert frame[frame.day <= DAY].id.tolist() == [1, 3]
    assert frame[frame.paid].id.tolist() == [1, 3]
    assert frame[frame["at"].dt.date <= DAY].id.tolist() == [1, 3]
    joined = frame[["id"]].merge(frame[["id", "count", "paid"]].head(1), on="id", how="left")
    assert [str(joined[name].dtype) for name in ("count", "paid")] == ["Int64", "boolean"]


def test_a_result_is_read_with_the_contracts_types_whatever_the_order() -> None:
    rows = [VALUES, NULLS]
    expected = world(*rows).tables["kinds"]
    assert (
        calculated(lambda kinds, as_of: kinds.assign(id=kinds.id * (as_of == DAY)), *rows)
        == expected
    )
    assert calculated(lambda kinds: kinds[list(kinds)[::-1]], *rows) == expected
    assert calculated(lambda kinds: kinds.sort_values("id", ascending=False), *rows)[
        "id"
    ].to_pylist() == [2, 1]
    assert calculated(lambda kinds: kinds, *rows).schema == schema_of(copied.columns).to_pyarrow()


def test_without_rows_there_may_be_no_columns() -> None:
    assert calculated(lambda kinds: pd.DataFrame([]), VALUES).num_rows == 0  # noqa: ARG005
    with pytest.raises(DefinitionError, match="returns other columns"):
        calculated(lambda kinds: kinds[["id"]].head(0), VALUES)


@pytest.mark.parametrize(
    ("column", "given", "read"),
    [
        ("amount", 3, Decimal("3.00")),
        ("amount", Decimal("3.1"), Decimal("3.10")),
        ("amount", Decimal("3.100"), Decimal("3.10")),
        ("count", 3.0, 3),
        ("count", Decimal(3), 3),
        ("share", Decimal("0.5"), 0.5),
        ("share", 1, 1.0),
        ("day", pd.Timestamp("2025-01-01"), datetime.date(2025, 1, 1)),
        ("at", pd.Timestamp(MOMENT), MOMENT),
        *(
            (name, null, None)
            for name in VALUES
            if name != "id"
            for null in (None, pd.NA, pd.NaT, float("nan"))
        ),
    ],
)
def test_the_same_value_of_another_kind_is_taken(column: str, given: object, read: object) -> None:
    def function(kinds: pd.DataFrame) -> pd.DataFrame:
        return kinds.assign(**{column: pd.Series([given], dtype=object)})

    assert calculated(function, VALUES)[column].to_pylist() == [read]


@pytest.mark.parametrize(
    ("column", "given", "hint"),
    [
        ("amount", 3.5, "calculate with Decimal"),
        ("amount", Decimal("3.005"), "Decimal('0.01')"),
        ("amount", Decimal(10) ** 8, "more than 8 digits before the point"),
        ("amount", True, "give a number"),
        ("count", 2.5, "give a whole number"),
        ("count", 2.0**53, "give a whole number"),
        ("count", float("inf"), "give a whole number"),
        ("count", 2**63, "more than 64 bits"),
        ("count", True, "give a number"),
        ("share", "1", "give a number"),
        ("name", 1, "give a text"),
        ("paid", 1, "give True or False"),
        ("day", MOMENT, "use .date(), or .dt.date"),
        ("day", "2025-01-01", "give a datetime.date"),
        ("at", DAY, "give a timestamp without a zone"),
        ("at", pd.Timestamp("2025-01-01", tz="UTC"), "give a timestamp without a zone"),
    ],
)
def test_another_value_is_refused_with_its_row(column: str, given: object, hint: str) -> None:
    def function(kinds: pd.DataFrame) -> pd.DataFrame:
        return kinds.assign(**{column: pd.Series([given], dtype=object)})

    with pytest.raises(DefinitionError) as refused:
        calculated(function, VALUES)
    assert f"for {column}, which is " in refused.value.summary
    assert refused.value.facts[0] == "row: id = 1"
    assert hint in (refused.value.hint or "")
    assert "test_references.py:" in refused.value.facts[1]


def raising(kinds: pd.DataFrame) -> pd.DataFrame:
    kinds = kinds.copy()
    return kinds.no_such_column.sum()


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (raising, ["failed as of 2025-06-30", "AttributeError: ", "test_references.py:"]),
        (lambda kinds: kinds["id"], ["returns Series, not a DataFrame"]),
        (lambda kinds: kinds.drop(columns="paid"), ["other columns", "missing: paid"]),
        (lambda kinds: kinds.assign(more=1), ["other columns", "not one of the mart's: more"]),
        (
            lambda kinds: kinds.set_index("id"),
            ["missing: id", "id is the index: return ….reset_index()"],
        ),
        (lambda kinds: kinds[[*kinds, "id"]], ["there twice: id"]),
        (
            lambda kinds: pd.concat([kinds, kinds]),
            ["returns 2 rows for id = 1", "the mart's grain"],
        ),
    ],
)
def test_a_twin_that_is_wrong_says_where(function: Callable[..., Any], words: list[str]) -> None:
    with pytest.raises(DefinitionError) as refused:
        calculated(function, VALUES)
    assert all(word in str(refused.value) for word in words), refused.value
    if function is raising:
        line = raising.__code__.co_firstlineno + 2
        assert f"test_references.py:{line}" in str(refused.value)


def test_a_twin_may_change_what_it_gets() -> None:
    def changing(kinds: pd.DataFrame) -> pd.DataFrame:
        kinds["id"] += 1
        kinds.loc[0, "name"] = "b"
        return kinds

    (reference,) = references_of(GRAPH, [twin("copied")(changing)]).values()
    frames = Frames(world(VALUES), GRAPH.project.sources)
    assert calculate(reference, frames) == calculate(reference, frames)


@pytest.mark.parametrize(
    ("declared", "words"),
    [
        (
            [twin("customer_total")(lambda orders: orders)],
            ["no mart customer_total", "did you mean customer_totals?"],
        ),
        (
            [twin("customer_totals")(lambda order: order)],
            ["reads order, which is not a source", "did you mean orders?"],
        ),
        (
            [twin("customer_totals")(lambda int_paid_orders: int_paid_orders)],
            ["reads the mart int_paid_orders"],
        ),
        (
            [twin("model_sales")(lambda: 1), twin("model_sales")(lambda: 2)],
            ["mart model_sales has two twins"],
        ),
    ],
)
def test_a_twin_that_is_declared_wrongly_is_refused(declared: list[Any], words: list[str]) -> None:
    with pytest.raises(DefinitionError) as refused:
        references_of(SHOP, declared)
    assert all(word in str(refused.value) for word in [*words, "test_references.py:"])
