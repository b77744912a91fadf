"""Checks on DuckDB: what each kind counts, what it lets pass, and what it shows."""

from __future__ import annotations

import datetime
import math
from collections.abc import Iterable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from marts import (
    boolean,
    date,
    float64,
    int64,
    money,
    relationship,
    row_check,
    source,
    string,
    table_check,
    timestamp,
    unique,
)
from marts.core.authoring.checks import Check, is_fused
from marts.core.authoring.columns import Column
from marts.core.authoring.tables import Source, checks_of
from marts.core.errors import DefinitionError
from marts.core.plan.steps import CheckTable
from marts.core.run.report import CheckReport
from support.workshop import SHOP, Counting, Row, Workshop, checks_by_name, project_of

SHOPS = source(
    "shops", doc="Shops.", grain="shop", columns=[string("shop"), boolean("is_open", null=True)]
)


def bikes(
    *columns: Column, checks: Sequence[Check] = (), grain: str | tuple[str, ...] = "bike"
) -> Source:
    """Return a source of bikes with further columns."""
    return source(
        "bikes",
        doc="Bikes.",
        grain=grain,
        columns=[string("bike"), *columns],
        checks=checks,
    )


def rows_of(**values: Iterable[object]) -> list[Row]:
    """Return rows b0, b1, … with these values."""
    return [
        {"bike": f"b{n:02}", **dict(zip(values, row, strict=True))}
        for n, row in enumerate(zip(*values.values(), strict=True))
    ]


def made(
    folder: Path, table: Source, rows: Sequence[Row], shops: Sequence[Row] = ()
) -> dict[str, CheckReport]:
    """Make all checks of a table of bikes that holds the rows."""
    others = [SHOPS] if shops else []
    workshop = Workshop(folder, project_of(table, *others))
    workshop.write(bikes=rows, **({"shops": shops} if shops else {}))
    return checks_by_name(workshop.check(source_checks=True), "bikes")


def violations(checks: dict[str, CheckReport]) -> dict[str, int]:
    return {name: check.violations for name, check in checks.items() if check.violations}


# What each kind counts

NAN, INFINITY = math.nan, math.inf
ENDS = {kind: (kind.min, kind.max) for kind in (datetime.date, datetime.datetime)}
"""The least and the greatest values that Python has."""
DATES = [2**31 - 1, 1 - 2**31, 2_932_897]
"""As days since 1970: both infinities of DuckDB, and the first day of the year 10000."""
TIMES = [2**63 - 1, 1 - 2**63]
"""Both infinities, as microseconds since 1970."""


@pytest.mark.parametrize(
    ("column", "check", "good", "bad", "count"),
    [
        (string("v"), "v_not_null", ["a", ""], ["a", None, None], 2),
        (
            string("v", null=True, values=["a", "b"]),
            "v_accepted_values",
            ["a", "b", None],
            ["A", "c", "", "a", None],
            3,
        ),
        (int64("v", null=True, at_least=0), "v_at_least_0", [0, 1, None], [-1, -7, 0, None], 2),
        (int64("v", null=True, at_most=5), "v_at_most_5", [5, -9, None], [6, 5, None], 1),
        (
            money("v", null=True, at_least=0),
            "v_at_least_0",
            [Decimal("0.00"), None],
            [Decimal("-0.01"), Decimal("0.01"), None],
            1,
        ),
        (float64("v", null=True, at_most=5), "v_at_most_5", [5.0, None], [5.000001, NAN, None], 2),
        (
            float64("v", null=True),
            "v_finite",
            [0.0, -9.9e307, 9.9e307, None],
            [1.0, NAN, INFINITY, -INFINITY, None],
            3,
        ),
        (date("v", null=True), "v_finite", [*ENDS[datetime.date], None], [*DATES, None], 3),
        (timestamp("v", null=True), "v_finite", [*ENDS[datetime.datetime], None], [*TIMES], 2),
        (
            string("v", null=True, unique=True),
            "v_unique",
            ["a", "b", None, None],
            ["a", "a", "a", "b", "b", "c", None, None],
            3,
        ),
    ],
    ids=[
        "not null",
        "values",
        "at least",
        "at most",
        "at least, money",
        "at most, NaN",
        "finite",
        "finite, date",
        "finite, timestamp",
        "unique",
    ],
)
def test_a_columns_check_counts_exactly_and_null_passes(
    column: Column, check: str, good: list[object], bad: list[object], count: int, tmp_path: Path
) -> None:
    passed = made(tmp_path, bikes(column), rows_of(v=good))
    assert check in passed
    assert violations(passed) == {}
    failed = made(tmp_path, bikes(column), rows_of(v=bad))
    assert failed[check].violations == count


def test_a_grain_of_one_column_is_unique_and_not_null(tmp_path: Path) -> None:
    rows = [{"bike": bike} for bike in ("a", "a", "a", "b", None, None)]
    found = made(tmp_path, bikes(), rows)
    assert violations(found) == {"bike_not_null": 2, "bike_unique": 2}
    assert found["bike_unique"].sample == ({"bike": "a", "rows": 3},)


def test_a_grain_of_several_columns_is_unique_as_a_whole(tmp_path: Path) -> None:
    table = bikes(string("shop"), int64("n", null=True), grain=("shop", "bike"))
    keys = [("a", "x"), ("a", "y"), ("b", "x"), ("a", "x"), ("a", "x"), ("b", "x"), ("a", None)]
    rows = [{"shop": shop, "bike": bike} for shop, bike in keys]
    found = made(tmp_path, table, rows)
    assert violations(found) == {"shop_and_bike_unique": 3, "bike_not_null": 1}
    assert found["shop_and_bike_unique"].sample == (
        {"shop": "a", "bike": "x", "rows": 3},
        {"shop": "b", "bike": "x", "rows": 2},
    )


def test_a_declared_key_counts_repeated_keys_where_none_of_it_is_null(tmp_path: Path) -> None:
    table = bikes(
        string("shop", null=True),
        int64("n", null=True),
        boolean("sold", null=True),
        checks=[unique("shop", "n", where=lambda t: t.sold)],
    )
    rows = rows_of(
        shop=["a", "a", "a", "a", None, None],
        n=[1, 1, 1, 2, 1, 1],
        sold=[True, True, False, True, True, True],
    )
    assert violations(made(tmp_path, table, rows)) == {"shop_and_n_unique": 1}


def test_a_single_key_may_be_filtered(tmp_path: Path) -> None:
    table = bikes(
        string("shop"),
        boolean("sold", null=True),
        checks=[unique("shop", where=lambda t: t.sold)],
    )
    rows = rows_of(shop=["a", "a", "a", "b", "b"], sold=[True, True, False, True, None])
    found = made(tmp_path, table, rows)
    assert violations(found) == {"shop_unique": 1}
    assert found["shop_unique"].sample == ({"shop": "a", "rows": 2},)


ROW = row_check("too_dear", offending=lambda t: t.price > 1000)
ROW_WHERE = row_check("too_dear", offending=lambda t: t.price > 1000, where=lambda t: t.sold)


@pytest.mark.parametrize(("check", "count"), [(ROW, 3), (ROW_WHERE, 1)])
def test_a_row_check_counts_the_rows_it_is_true_for(
    check: Check, count: int, tmp_path: Path
) -> None:
    table = bikes(int64("price", null=True), boolean("sold", null=True), checks=[check])
    rows = rows_of(price=[2000, 2000, 2000, 10, None], sold=[True, False, None, True, True])
    assert violations(made(tmp_path, table, rows)) == {"too_dear": count}


@pytest.mark.parametrize(
    ("filters", "orphans"),
    [
        ({}, {"b02", "b03"}),
        ({"where": lambda t: t.sold}, {"b02"}),
        ({"to_where": lambda s: s.is_open}, {"b01", "b02", "b03", "b05"}),
        ({"where": lambda t: t.sold, "to_where": lambda s: s.is_open}, {"b01", "b02"}),
    ],
    ids=["plain", "where", "to_where", "both"],
)
def test_a_relationship_counts_values_that_the_other_table_lacks(
    filters: dict[str, Any], orphans: set[str], tmp_path: Path
) -> None:
    check = relationship("shop", to="shops.shop", **filters)
    table = bikes(string("shop", null=True), boolean("sold", null=True), checks=[check])
    rows = rows_of(
        shop=["open", "closed", "gone", "gone", None, "closed"],
        sold=[True, True, True, False, True, None],
    )
    shops: list[Row] = [
        {"shop": "open", "is_open": True},
        {"shop": "open", "is_open": True},
        {"shop": "closed", "is_open": False},
    ]
    found = made(tmp_path, table, rows, shops)["shop_in_shops"]
    assert found.violations == len(orphans)
    assert {row["bike"] for row in found.sample} == orphans
    assert list(found.sample[0]) == ["bike", "shop"]


BOTH = rows_of(shop=["a", "a", "b"], price=[1, 2, 3])
ALL_SHOPS: list[Row] = [{"shop": "a", "is_open": True}, {"shop": "b"}, {"shop": "c"}]


@pytest.mark.parametrize(
    ("offending", "count", "sample"),
    [
        (lambda this: this.filter(this.price > 1), 2, ("b01", "b02")),
        (lambda this: this.filter(this.price > 9), 0, ()),
        (lambda this, shops: shops.filter(shops.shop.notin(this.shop)), 1, ("c",)),
        (lambda this, as_of: this.filter(as_of.date.year() == this.price + 2022), 1, ("b02",)),
        (lambda this: this.price.sum() != 6, 0, ()),
        (lambda this: this.price.sum() != 7, 1, ()),
        (lambda this: this.filter(this.price > 9).price.sum() != 7, 0, ()),
        (lambda this, shops: this.shop.nunique() != shops.shop.nunique(), 1, ()),
        (lambda this, shops: this.shop.nunique() > shops.count(), 0, ()),
    ],
    ids=[
        "rows",
        "no row",
        "rows of another table",
        "as_of",
        "false",
        "true",
        "null",
        "true, of two tables",
        "false, of two tables",
    ],
)
def test_a_table_check_counts_rows_or_is_one_boolean(
    offending: Any, count: int, sample: tuple[str, ...], tmp_path: Path
) -> None:
    checks = [table_check("odd", offending=offending)]
    table = bikes(string("shop"), int64("price"), checks=checks)
    found = made(tmp_path, table, BOTH, ALL_SHOPS)["odd"]
    assert found.violations == count
    assert tuple(next(iter(row.values())) for row in found.sample) == sample


@pytest.mark.parametrize(
    ("severity", "threshold", "outcome"),
    [
        ("error", 0, "fail"),
        ("error", 1, "fail"),
        ("error", 2, "pass"),
        ("warn", 0, "warn"),
        ("warn", 2, "pass"),
    ],
)
def test_severity_and_threshold_say_how_violations_count(
    severity: Any, threshold: int, outcome: str, tmp_path: Path
) -> None:
    words = {"severity": severity, "threshold": threshold}
    table = bikes(
        string("shop"),
        int64("n"),
        int64("price"),
        checks=[
            row_check("row", offending=lambda t: t.price > 1, **words),
            unique("n", **words),
            relationship("shop", to="shops.shop", **words),
            table_check("whole", offending=lambda this: this.filter(this.price > 1), **words),
        ],
    )
    found = made(
        tmp_path, table, rows_of(shop=["x", "x", "a"], n=[1, 1, 1], price=[2, 2, 0]), ALL_SHOPS
    )
    names = ("row", "n_unique", "shop_in_shops", "whole")
    assert {(found[name].violations, found[name].outcome) for name in names} == {(2, outcome)}


# Samples


def test_a_sample_has_the_first_twenty_rows_by_key_and_what_the_check_looks_at(
    tmp_path: Path,
) -> None:
    table = bikes(
        int64("price"),
        date("sold_on", null=True),
        string("colour", null=True),
        checks=[row_check("odd", offending=lambda t: (t.price > 0) & t.sold_on.isnull())],
    )
    found = made(
        tmp_path, table, rows_of(price=range(-5, 60), sold_on=[None] * 65, colour="r" * 65)
    )
    assert found["odd"].violations == 59
    assert len(found["odd"].sample) == 20
    assert found["odd"].sample[0] == {"bike": "b06", "price": 1, "sold_on": None}
    assert [row["bike"] for row in found["odd"].sample] == [f"b{n:02}" for n in range(6, 26)]


def test_a_row_without_a_key_is_found_by_its_other_columns(tmp_path: Path) -> None:
    checks = [row_check("dear", offending=lambda t: t.price > 9)]
    relation = relationship("shop", to="shops.shop")
    table = bikes(int64("price"), string("shop"), checks=[*checks, relation], grain=())
    rows = rows_of(price=[1, 10], shop=["open", "gone"])
    found = made(tmp_path, table, rows, [{"shop": "open", "is_open": True}])
    row = {"bike": "b01", "price": 10, "shop": "gone"}
    assert found["dear"].sample == found["shop_in_shops"].sample == (row,)
    firsts = {name: next(iter(found[name].sample[0])) for name in ("dear", "shop_in_shops")}
    assert firsts == {"dear": "price", "shop_in_shops": "shop"}


@pytest.mark.parametrize(
    "check",
    [
        unique("price"),
        unique("price", "colour"),
        relationship("colour", to="shops.shop"),
        table_check("odd", offending=lambda this: this),
    ],
    ids=lambda check: check.name,
)
def test_every_sample_is_at_most_twenty_rows(check: Check, tmp_path: Path) -> None:
    table = bikes(int64("price"), string("colour"), checks=[check])
    rows = rows_of(price=[n // 2 for n in range(80)], colour=["red"] * 80)
    assert len(made(tmp_path, table, rows, ALL_SHOPS)[check.name].sample) == 20


def test_only_failing_checks_fetch_a_sample(tmp_path: Path) -> None:
    table = bikes(int64("price", at_least=0), int64("wheels", at_least=2, at_most=3))
    workshop = Workshop(tmp_path, project_of(table))
    workshop.write(bikes=rows_of(price=[1, -1], wheels=[2, 2]))
    counting: list[Counting] = []

    def through(backend: Any) -> Counting:
        counting.append(Counting(backend))
        return counting[0]

    workshop.check(source_checks=True, through=through)
    assert counting[0].queries == ["bikes", "bikes"]


# How many queries


def test_row_checks_and_single_keys_of_a_table_are_one_query(tmp_path: Path) -> None:
    table = bikes(
        string("shop", unique=True, values=["a", "b", "c"]),
        int64("price", at_least=0, at_most=10),
        float64("stars", null=True),
        checks=[
            unique("price", where=lambda t: t.stars > 1),
            row_check("odd", offending=lambda t: t.price > 99, where=lambda t: t.shop == "a"),
            unique("shop", "price"),
            relationship("shop", to="shops.shop"),
            table_check("whole", offending=lambda this: this.count() == 0),
        ],
    )
    assert sum(is_fused(check) for check in checks_of(table)) == 11
    workshop = Workshop(tmp_path, project_of(table, SHOPS))
    workshop.write(bikes=rows_of(shop=["a", "b"], price=[1, 2], stars=[3.0, None]), shops=ALL_SHOPS)
    counting: list[Counting] = []

    def through(backend: Any) -> Counting:
        counting.append(Counting(backend))
        return counting[0]

    report = workshop.check(source_checks=True, through=through)
    assert report.status == "checked"
    assert counting[0].queries.count("bikes") == 1 + 3
    assert len(checks_by_name(report, "bikes")) == 11 + 3


def test_every_mart_is_checked_by_one_query_and_one_for_each_wider_check(
    tmp_path: Path,
) -> None:
    shop = Workshop(tmp_path, SHOP)
    shop.write(customers=[{"customer_id": "c"}], orders=[{"order_id": "o"}])
    steps = shop.plan().steps
    for name, mart in SHOP.project.marts.items():
        made = [step for step in steps if isinstance(step, CheckTable) and step.table is mart]
        fused = [step for step in made if step.is_fused]
        assert len(fused) == 1, name
        names = [
            [check.name for check in checks_of(mart) if is_fused(check) is one]
            for one in (True, False)
        ]
        assert [check.name for check in fused[0].checks] == names[0]
        assert [c.name for step in made if step not in fused for c in step.checks] == names[1]


def test_the_query_counts_the_rows_too(tmp_path: Path) -> None:
    workshop = Workshop(tmp_path, project_of(bikes()))
    workshop.write(bikes=[{"bike": "a"}, {"bike": None}])
    assert [table.rows for table in workshop.check(source_checks=True).tables] == [2]


# Slips of an author


SLIPS: dict[str, tuple[Any, str]] = {
    "no column": (lambda t: t.pryce > 1, "did you mean price?"),
    "no comparison": (lambda t: t.price > "ten", "TypeError: "),
    "a number": (lambda t: t.price, "expected a boolean for each row, got int64"),
    "nothing": (lambda _: None, "expected a boolean for each row, got NoneType"),
    "python": (lambda _: True, "expected a boolean for each row, got bool"),
    "an exception": (lambda _: 1 / 0, "ZeroDivisionError: division by zero"),
}
WHOLE_SLIPS: dict[str, tuple[Any, str]] = {
    "no column": (lambda this: this.pryce.sum() > 1, "did you mean price?"),
    "a number": (lambda this: this.price.sum(), "expected a table or one boolean, got int64"),
    "nothing": (
        lambda this: None if this.columns else this,
        "expected a table or one boolean, got NoneType",
    ),
    "a column": (lambda this: this.price > 1, "expected a table or one boolean, got boolean"),
}


@pytest.mark.parametrize(
    ("check", "said"),
    [
        *((row_check("odd", offending=slip), said) for slip, said in SLIPS.values()),
        *((table_check("odd", offending=slip), said) for slip, said in WHOLE_SLIPS.values()),
    ],
    ids=[*(f"row, {name}" for name in SLIPS), *(f"table, {name}" for name in WHOLE_SLIPS)],
)
def test_a_slip_in_a_check_names_it_and_its_line(check: Check, said: str, tmp_path: Path) -> None:
    with pytest.raises(DefinitionError) as caught:
        made(tmp_path, bikes(int64("price"), checks=[check]), rows_of(price=[1]))
    message = str(caught.value)
    assert message.startswith("check odd of bikes failed to build its expression")
    assert said in message
    assert "tests/core/query/test_checks.py:" in message


def test_a_filter_that_is_not_a_predicate_names_its_check(tmp_path: Path) -> None:
    check = relationship("shop", to="shops.shop", to_where=lambda s: s.is_opn)
    table = bikes(string("shop"), checks=[check])
    with pytest.raises(DefinitionError, match="check shop_in_shops of bikes"):
        made(tmp_path, table, rows_of(shop=["a"]), ALL_SHOPS)


@pytest.mark.parametrize(
    "check",
    [unique("rows"), unique("rows", "c0"), relationship("known_value", to="shops.shop")],
    ids=lambda check: check.name,
)
def test_a_table_may_have_columns_of_the_names_that_queries_use(
    check: Check, tmp_path: Path
) -> None:
    table = bikes(int64("rows"), int64("c0"), string("known_value"), checks=[check])
    rows = rows_of(rows=[1, 1], c0=[2, 2], known_value=["a", "x"])
    assert violations(made(tmp_path, table, rows, ALL_SHOPS)) == {check.name: 1}


def test_as_of_is_a_constant_in_checks_too(tmp_path: Path) -> None:
    late = table_check("late", offending=lambda this, as_of: this.filter(this.day > as_of.date))
    table = bikes(date("day"), checks=[late])
    days = [datetime.date(2025, 6, 30), datetime.date(2025, 7, 1)]
    assert violations(made(tmp_path, table, rows_of(day=days))) == {"late": 1}


def test_a_check_that_reads_an_absent_optional_source_finds_no_rows(tmp_path: Path) -> None:
    empty = source("reviews", doc="None.", grain="bike", columns=[string("bike")], optional=True)
    check = table_check(
        "reviewed_is_known",
        offending=lambda this, reviews: reviews.filter(reviews.bike.notin(this.bike)),
    )
    table = bikes(checks=[check])
    workshop = Workshop(tmp_path, project_of(table, empty))
    workshop.write(bikes=[{"bike": "a"}])
    assert violations(checks_by_name(workshop.check(source_checks=True), "bikes")) == {}
