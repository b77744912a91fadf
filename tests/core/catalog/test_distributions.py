"""Distributions: of which columns, and that bars and nulls add up to all rows."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

import ibis.expr.types as ir
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from backends.factory import worlds_on_duckdb
from marts import (
    Table,
    boolean,
    date,
    decimal,
    float64,
    int64,
    mart,
    relationship,
    source,
    string,
    timestamp,
)
from marts.core.analysis.reliance_errors import relied_on
from marts.core.authoring.tables import Mart
from marts.core.catalog.distributions import (
    MOST_COLUMNS,
    MOST_LABELS,
    OTHERS,
    counted,
    key_columns,
    main_columns,
)
from marts.core.catalog.pages import Bar, Distribution
from marts.core.query.contract import schema_of
from marts.core.run.world_engine import WorldEngine
from support.workshop import project_of

MANY = tuple(f"label {n}" for n in range(MOST_LABELS + 5))


@mart(
    grain="bike",
    columns=[
        string("bike"),
        string("kind", values=["city", "gravel"], null=True),
        string("code", values=MANY, null=True),
        string("note", null=True),
        boolean("sold", null=True),
        int64("gears", null=True),
        float64("weight", null=True),
        decimal("price", 18, 2, null=True),
        date("built_on", null=True),
        timestamp("seen_at", null=True),
        string("owner", values=["Ada"], personal="name", null=True),
    ],
)
def bikes(parts: Table) -> Table:
    """Return bikes."""
    return parts


@pytest.fixture(scope="module")
def engine() -> Iterator[WorldEngine]:
    """Return DuckDB, in memory."""
    opened = worlds_on_duckdb()
    yield opened
    opened.close()


def distributions(
    engine: WorldEngine, rows: Sequence[Mapping[str, object]], of: Mart = bikes
) -> dict[str, Distribution]:
    """Return the distributions of bikes; each adds up to the rows."""

    def fetch(query: ir.Table) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = engine.rows(engine.compile(query)).to_pylist()
        return found

    table = pa.Table.from_pylist(list(rows), schema_of(bikes.columns).to_pyarrow())
    engine.show({"bikes": table})
    found = counted(of, main_columns(of, ()), fetch)
    assert found.rows == len(rows)
    for each in found.distributions:
        assert sum(bar.rows for bar in each.bars) + each.nulls == len(rows), each
        assert len({bar.label for bar in each.bars}) == len(each.bars), each
    return {each.column: each for each in found.distributions}


def bike(**values: object) -> Mapping[str, object]:
    return {"bike": "b", **values}


ROW = st.fixed_dictionaries(
    {
        "bike": st.just("b"),
        "kind": st.sampled_from(["city", "gravel", "other", OTHERS, None]),
        "code": st.sampled_from([*MANY, "unknown", None]),
        "sold": st.sampled_from([True, False, None]),
        "gears": st.none() | st.integers(-(2**63), 2**63 - 1) | st.integers(0, 30),
        "weight": st.none()
        | st.floats(allow_nan=True, allow_infinity=True)
        | st.floats(0, 100, allow_subnormal=False),
        "price": st.none() | st.decimals(-(10**15), 10**15, places=2),
        "built_on": st.none() | st.dates() | st.dates(datetime.date(2024, 1, 1)),
        "seen_at": st.none() | st.datetimes(),
    }
)


@settings(max_examples=15)
@given(st.lists(ROW, max_size=10))
@example([{"bike": "b", "gears": 0}, {"bike": "b", "gears": 8_999_999_999_999_999_488}])
def test_bars_and_nulls_add_up_whatever_the_rows_are(
    engine: WorldEngine, rows: list[dict[str, object]]
) -> None:
    distributions(engine, rows)


def test_labels_are_as_declared_and_other_texts_are_not_shown(engine: WorldEngine) -> None:
    rows = [bike(kind="gravel"), bike(kind="Jane Doe"), bike(kind=None), bike(kind="gravel")]
    found = distributions(engine, rows)["kind"]
    assert found.bars == (
        Bar(label="city", rows=0),
        Bar(label="gravel", rows=2),
        Bar(label=OTHERS, rows=1),
    )
    assert found.nulls == 1


def test_of_many_labels_the_most_frequent_are_shown(engine: WorldEngine) -> None:
    rows = [bike(code=label) for n, label in enumerate(MANY) for _ in range(n + 1)]
    found = distributions(engine, [*rows, bike(code="unknown")])["code"]
    assert len(found.bars) == MOST_LABELS + 1
    assert found.bars[0] == Bar(label=MANY[-1], rows=len(MANY))
    assert found.bars[-1] == Bar(label=OTHERS, rows=1 + sum(range(1, 6)))


def test_an_outlier_does_not_widen_the_ranges(engine: WorldEngine) -> None:
    rows = [bike(gears=n % 10, built_on=datetime.date(2025, 1 + n % 3, 5)) for n in range(400)]
    ages_away = bike(gears=1_000_000, built_on=datetime.date(9999, 12, 31))
    found = distributions(engine, [*rows, ages_away])
    assert [bar.label for bar in found["gears"].bars] == [*map(str, range(10)), "10 or more"]
    assert [bar.label for bar in found["built_on"].bars] == [
        *("2025-01", "2025-02", "2025-03"),
        "2025-04 or later",
    ]


@pytest.mark.parametrize("rows", [[], [bike()], [bike(gears=4, weight=1.5)] * 3])
def test_a_column_with_one_value_or_none_has_no_chart(
    rows: list[dict[str, object]], engine: WorldEngine
) -> None:
    assert {*distributions(engine, rows)} == {"kind", "code", "sold"}


def test_labels_come_first_then_numbers_then_dates_and_no_personal_data() -> None:
    assert [(column.name, kind) for column, kind in main_columns(bikes, ())] == [
        ("kind", "labels"),
        ("code", "labels"),
        ("sold", "labels"),
        ("gears", "numbers"),
        ("weight", "numbers"),
        ("price", "numbers"),
        ("built_on", "dates"),
        ("seen_at", "dates"),
    ]
    wide = replace(bikes, columns=(*bikes.columns, *(int64(f"n{n}") for n in range(20))))
    assert len(main_columns(wide, ())) == MOST_COLUMNS


def test_a_key_is_a_key_in_every_mart_that_copies_it() -> None:
    shops = source(
        "shops", doc="Shops.", grain="shop", columns=[int64("shop"), int64("till", unique=True)]
    )
    sales = source(
        "sales",
        doc="Sales.",
        grain=("day", "shop_number"),
        columns=[date("day"), int64("shop_number"), int64("amount")],
        checks=[relationship("shop_number", to="shops.shop")],
    )

    @mart(
        grain=("on", "place"),
        columns=[date("on"), int64("place"), int64("at"), int64("cash"), int64("amount")],
    )
    def takings(sales: Table, shops: Table) -> Table:
        """Return what each shop has taken in."""
        rows = sales.join(shops, sales.shop_number == shops.shop)
        return rows.select(
            on=rows.day, place=rows.shop, at=rows.shop_number, cash=rows.till, amount=rows.amount
        )

    graph = project_of(shops, sales, takings)
    keys = key_columns(graph, relied_on(graph).lineage)
    assert {column for table, column in keys if table == "takings"} == {"place", "at", "cash"}
    assert [column.name for column, _ in main_columns(takings, keys)] == ["amount"]


def test_of_a_mart_of_labels_the_numbers_are_shown_by_label(engine: WorldEngine) -> None:
    of_labels = replace(bikes, grain=("kind",))
    rows = [bike(kind="gravel", gears=3, price=Decimal("2.50")), bike(kind="city", gears=None)]
    found = distributions(engine, rows, of_labels)
    assert [found["gears"], found["price"]] == [
        Distribution(
            column="gears", kind="amounts", bars=(Bar(label="gravel", rows=1, amount=3),), nulls=1
        ),
        Distribution(
            column="price",
            kind="amounts",
            bars=(Bar(label="gravel", rows=1, amount=2.5),),
            nulls=1,
        ),
    ]
    assert found.keys() <= {"gears", "weight", "price"}
