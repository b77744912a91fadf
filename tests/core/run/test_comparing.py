"""Two tables of a mart: whatever differs is found, counted and said; nothing else is."""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import ibis.expr.types as ir
import pytest

from marts import decimal, float64, int64, mart, source, string
from marts.core.analysis.reliance_errors import relied_on
from marts.core.authoring.tables import Mart
from marts.core.authoring.tolerance import Rate
from marts.core.operations.diff import diff
from marts.core.operations.reviewing import Reviewer, too_much
from marts.core.operations.wiring import Linked
from marts.core.project.settings import Settings
from marts.core.run.compared import ColumnDifference, MartDifference
from marts.core.run.comparing import share_of
from marts.core.run.runner import run
from support.workshop import Observed, Workshop, project_of

Compare = Callable[..., MartDifference]
COLUMNS = (
    string("id"),
    string("label", null=True),
    string("mail", personal="email"),
    int64("count", null=True),
    decimal("amount", 38, 4, null=True),
    float64("rate", null=True),
)
TYPES = {"id": "VARCHAR", "label": "VARCHAR", "mail": "VARCHAR", "count": "BIGINT"}
TYPES |= {"amount": "DECIMAL(38, 4)", "rate": "DOUBLE"}
RAW = source("raw", doc="Things.", grain="id", columns=COLUMNS)


def thing_of(*, grain: Any = "id", unchecked: bool = False) -> Mart:
    @mart(grain=grain, columns=COLUMNS, unchecked=unchecked)
    def thing(raw: ir.Table) -> ir.Table:
        """Things."""
        return raw

    return thing


def table(*rows: str, types: dict[str, str] | None = None) -> str:
    """Return SQL for rows of `id` and others; what a row does not say is null."""
    kinds = types or TYPES
    selects = [
        "SELECT "
        + ", ".join(
            f"CAST({dict(part.split('=', 1) for part in row.split(' | ')).get(name, 'NULL')}"
            f" AS {kind}) AS {name}"
            for name, kind in kinds.items()
        )
        for row in rows
    ]
    nothing = ", ".join(f"CAST(NULL AS {kind}) AS {name}" for name, kind in kinds.items())
    return " UNION ALL ".join(selects) if rows else f"SELECT {nothing} WHERE false"


@pytest.fixture
def compare(tmp_path: Path) -> Compare:
    """Return what compares two tables, each given as a query."""

    def call(before: str, after: str, thing: Mart | None = None) -> MartDifference:
        graph = project_of(RAW, thing or thing_of())
        sides = [Settings(database=str(tmp_path / f"{n}.duckdb"), data=tmp_path) for n in "ab"]
        for settings, query in zip(sides, (before, after), strict=True):
            with duckdb.connect(str(settings.database)) as connection:
                connection.execute("CREATE SCHEMA IF NOT EXISTS gold")
                connection.execute(f"CREATE OR REPLACE VIEW gold.thing AS {query}")
        found = diff(sides[1], sides[0], project=Linked(graph, relied_on(graph)))
        (only,) = found.marts
        return only

    return call


EQUAL = {
    "identical": ("label='a' | rate=1.5", "label='a' | rate=1.5"),
    "null": ("label=NULL", "label=NULL"),
    "NaN": ("rate='NaN'", "rate='NaN'"),
    "infinity": ("rate='inf'", "rate='inf'"),
    "zero, however it is signed": ("rate=0.0::DOUBLE", "rate=-0.0::DOUBLE"),
    "the last bits of floats": ("rate=0.1::DOUBLE + 0.2::DOUBLE", "rate=0.3::DOUBLE"),
    "floats within a billionth": ("rate=1e15", "rate=1e15 + 1e5"),
    "decimals as numbers": ("amount='1.5'", "amount='1.5000'"),
}
DIFFERENT = {
    "null and the empty text": ("label=NULL", "label=''", "label"),
    "null and zero": ("count=NULL", "count=0", "count"),
    "null and NaN": ("rate=NULL", "rate='NaN'", "rate"),
    "NaN and a number": ("rate='NaN'", "rate=5", "rate"),
    "infinities": ("rate='inf'", "rate='-inf'", "rate"),
    "infinity and the largest float": ("rate='inf'", "rate=1.7976931348623157e308", "rate"),
    "floats beyond a billionth": ("rate=1e15", "rate=1e15 + 1e7", "rate"),
    "small floats": ("rate=1e-11", "rate=3e-11", "rate"),
    "the case of text": ("label='Köln'", "label='KÖLN'", "label"),
    "trailing blanks": ("label='a'", "label='a '", "label"),
    "characters that look alike": ("label=chr(233)", "label='e' || chr(769)", "label"),
    "a last digit of 38": (
        "amount='1234567890123456789012345678901234.5678'",
        "amount='1234567890123456789012345678901234.5679'",
        "amount",
    ),
    "the ends of whole numbers": (
        "count='-9223372036854775808'",
        "count='9223372036854775807'",
        "count",
    ),
    "whole numbers that are one float": (
        "count='9007199254740993'",
        "count='9007199254740992'",
        "count",
    ),
}


@pytest.mark.parametrize("case", EQUAL)
def test_what_is_the_same_is_no_difference(case: str, compare: Compare) -> None:
    before, after = (table(f"id='x' | {words}", "id='y'") for words in EQUAL[case])
    found = compare(before, after)
    assert not found.is_different
    assert found.rows == (2, 2)


@pytest.mark.parametrize("keyed", [True, False], ids=["by key", "without a grain"])
@pytest.mark.parametrize("case", DIFFERENT)
def test_what_differs_is_found_in_its_column(case: str, keyed: bool, compare: Compare) -> None:
    *sides, column = DIFFERENT[case]
    before, after = (table(f"id='x' | {words}", "id='y'") for words in sides)
    found = compare(before, after, None if keyed else thing_of(grain=(), unchecked=True))
    assert found.is_different
    if keyed:
        assert [each.name for each in found.columns if each.changed] == [column]
        assert (found.changed, found.added, found.removed) == (1, 0, 0)
    else:
        assert (found.changed, found.added, found.removed) == (0, 1, 1)


def test_rows_are_paired_by_key_and_null_is_one(compare: Compare) -> None:
    before = table("id='a' | count=1", "id=NULL | count=1", "id='gone' | count=7")
    after = table("id='new' | count=9", "id=NULL | count=3", "id='a' | count=1")
    found = compare(before, after)
    assert (found.changed, found.added, found.removed) == (1, 1, 1)
    (count,) = (each for each in found.columns if each.name == "count")
    assert count.totals == (9, 13)
    assert [(each.key, each.before, each.after) for each in count.largest] == [((None,), 1, 3)]
    assert found.only == {"before": (("gone",),), "after": (("new",),)}


def test_the_largest_changes_come_first_and_what_appears_is_the_largest(compare: Compare) -> None:
    before = table("id='a' | amount=1", "id='b' | amount=5", "id='c'", "id='d' | amount=8")
    after = table(
        "id='a' | amount=3", "id='b' | amount=-4", "id='c' | amount=1", "id='d' | amount=8"
    )
    found = compare(before, after)
    (amount,) = (each for each in found.columns if each.name == "amount")
    assert [each.key for each in amount.largest] == [("c",), ("b",), ("a",)]


def test_personal_values_are_masked(compare: Compare) -> None:
    grain = ("id", "mail")
    changed = [table(f"id='x' | mail='{mail}'") for mail in ("old@x.example", "new@x.example")]
    by_mail = compare(*changed, thing_of(grain=grain))
    assert by_mail.only == {"before": (("x", "***"),), "after": (("x", "***"),)}
    found = compare(*changed)
    assert "x.example" not in str(found) + str(by_mail)
    (mail,) = (each for each in found.columns if each.name == "mail")
    assert [(each.before, each.after) for each in mail.largest] == [("***", "***")]
    # Nobody has said of a column that no contract knows what it holds.
    types = {**TYPES, "extra": "VARCHAR"}
    more = [table(f"id='x' | extra='{text}'", types=types) for text in ("secret", "other")]
    assert compare(*more).changed == 1
    assert "secret" not in str(compare(*more))


@pytest.mark.parametrize("same", [True, False])
def test_rows_whose_key_repeats_are_counted_and_said(same: bool, compare: Compare) -> None:
    before = table("id='a' | count=1", "id='a' | count=2", "id='b' | count=1")
    after = before if same else table("id='a' | count=1", "id='b' | count=2")
    found = compare(before, after)
    assert found.is_different
    assert found.notes[0].startswith("2 rows in before share their key with another: 1 key")
    assert found.rows == ((3, 3) if same else (3, 2))
    assert (found.changed, found.added, found.removed) == (0 if same else 1, 0, 0)


def test_rows_without_a_grain_are_counted_as_often_as_they_occur(compare: Compare) -> None:
    keyless = thing_of(grain=(), unchecked=True)
    before = table("id='a'", "id='a'", "id='b'")
    found = compare(before, table("id='b'", "id='a'", "id='a'"), keyless)
    assert not found.is_different
    found = compare(before, table("id='a'", "id='a'", "id='a'"), keyless)
    assert (found.added, found.removed) == (1, 1)


def test_tables_of_one_row_without_a_grain_are_compared_by_column(compare: Compare) -> None:
    before, after = table("id='a' | rate=1"), table("id='a' | rate=2")
    found = compare(before, after, thing_of(grain=(), unchecked=True))
    assert [each.name for each in found.columns if each.changed] == ["rate"]


@pytest.mark.parametrize("empty", [0, 1])
def test_no_rows_are_no_reason_to_find_no_difference(empty: int, compare: Compare) -> None:
    sides = [table("id='a' | count=1")] * 2
    sides[empty] = table()
    assert compare(*sides).is_different
    assert not compare(table(), table()).is_different


OTHERS = {
    "a column only before": ("SELECT *, 1 AS more FROM ({})", "column more is only in before"),
    "a column less": ("SELECT * EXCLUDE rate FROM ({})", "column rate is only in after"),
    "another type": (
        "SELECT * REPLACE (count::VARCHAR AS count) FROM ({})",
        "column count is string before and int64 after: its values are not compared",
    ),
    "a narrower type": (
        "SELECT * REPLACE (count::INTEGER AS count) FROM ({})",
        "column count is int32 before and int64 after",
    ),
    "another scale": (
        "SELECT * REPLACE (amount::DECIMAL(20, 2) AS amount) FROM ({})",
        "column amount is decimal(20, 2) before and decimal(38, 4) after",
    ),
    "another key": (
        "SELECT * REPLACE (42 AS id) FROM ({})",
        "its rows are not compared: the key has id",
    ),
    "no key": ("SELECT * EXCLUDE id FROM ({})", "its rows are not compared: the key has id"),
}


@pytest.mark.parametrize("case", OTHERS)
def test_what_cannot_be_compared_is_a_difference(case: str, compare: Compare) -> None:
    change, words = OTHERS[case]
    rows = table("id='a' | count=1 | amount=2 | rate=3")
    found = compare(change.format(rows), rows)
    assert found.is_different
    assert words in found.notes
    assert (found.added, found.removed, found.changed) == (0, 0, 0)


@pytest.mark.parametrize(
    "kind", ["BIGINT[]", "STRUCT(a BIGINT)", "TIMESTAMPTZ", "BLOB", "TIME", "INTERVAL"]
)
def test_values_of_types_that_no_contract_has_are_said_not_to_be_compared(
    kind: str, compare: Compare
) -> None:
    rows = table("id='a'", types={**TYPES, "more": kind})
    found = compare(rows, rows)
    (note,) = found.notes
    assert note.startswith("column more is ")
    assert note.endswith(": its values are not compared")


def test_values_are_compared_though_the_types_differ(compare: Compare) -> None:
    narrow = table("id='a' | amount='2.25'", types={**TYPES, "amount": "DECIMAL(20, 2)"})
    found = compare(narrow, table("id='a' | amount='2.2501'"))
    assert [each.name for each in found.columns if each.changed] == ["amount"]


def test_a_mart_on_one_side_alone_is_a_difference(tmp_path: Path, compare: Compare) -> None:
    rows = table("id='a'")
    compare(rows, rows)
    with duckdb.connect(str(tmp_path / "b.duckdb")) as connection:
        connection.execute("DROP VIEW gold.thing")
    graph = project_of(RAW, thing_of())
    sides = [Settings(database=str(tmp_path / f"{n}.duckdb"), data=tmp_path) for n in "ab"]
    (found,) = diff(sides[1], sides[0], project=Linked(graph, relied_on(graph))).marts
    assert (found.notes, found.rows) == (("only before has it",), (1, None))


def change(*, changed: int, totals: tuple[Any, Any], added: int = 0) -> MartDifference:
    """Return a difference of 100 rows, of which a number changes in some."""
    column = ColumnDifference("number", "", changed, totals, (), share_of(*totals))
    return MartDifference(
        mart="thing",
        grain=("id",),
        rows=(100, 100),
        changed=changed,
        added=added,
        columns=(column,),
    )


@pytest.mark.parametrize(
    ("found", "percent", "said"),
    [
        (change(changed=5, totals=(Decimal("1.00"), Decimal("1.05"))), 5, []),
        (change(changed=6, totals=(1, 1)), 5, ["6 of 100 rows, 6%"]),
        (
            change(changed=1, totals=(Decimal("-1.00"), Decimal("-1.0501"))),
            5,
            ["the sum of number"],
        ),
        (change(changed=1, totals=(Decimal(0), Decimal("0.01"))), 5, ["the sum of number"]),
        (change(changed=1, totals=(None, Decimal(1))), 5, ["the sum of number"]),
        (change(changed=1, totals=(Decimal(1), None)), 5, ["the sum of number, 100%"]),
        (change(changed=1, totals=(math.nan, 1.0)), 5, ["the sum of number"]),
        (change(changed=1, totals=(1.0, math.inf)), 5, ["the sum of number"]),
        (change(changed=0, totals=(1e-17, 3e-17)), 0, []),
        (change(changed=0, added=1, totals=(1.0, 2.0)), 5, ["the sum of number, 100%"]),
    ],
)
def test_what_changes_by_more_than_a_limit(
    found: MartDifference, percent: int, said: list[str]
) -> None:
    lines = list(too_much(found, Rate(Decimal(percent))))
    assert [line.startswith(word) for line, word in zip(lines, said, strict=True)] == [True] * len(
        said
    )


def test_no_limit_lets_a_column_go(compare: Compare) -> None:
    fewer = {name: kind for name, kind in TYPES.items() if name != "amount"}
    found = compare(table("id='a'"), table("id='a'", types=fewer))
    assert list(too_much(found, Rate(Decimal(1_000)))) == ["column amount is only in before"]


@pytest.mark.parametrize("name", ["thing", "marts_before", "thing_before"])
def test_a_mart_of_any_name_is_compared_with_the_published_one(name: str, tmp_path: Path) -> None:
    def thing(raw: ir.Table) -> ir.Table:
        """Things."""
        return raw

    thing.__name__ = name
    graph = project_of(RAW, mart(grain="id", columns=COLUMNS)(thing))
    shop = Workshop(tmp_path, graph)
    row = {"id": "a", "label": None, "mail": "m", "count": 1, "amount": None, "rate": None}
    shop.write(raw=[row])
    assert shop.run().status == "published"
    shop.write(raw=[{**row, "count": 2}])
    with shop.backend() as backend:
        limit = Reviewer(graph, Rate(Decimal(5)))
        plan = shop.plan()
        report = run(plan, backend, run_id="second", observer=Observed(), review=limit)
    assert report.status == "error"
    assert "1 of 1 rows, 100%" in str(report.error)
