"""The options of `marts show` become a query that cannot change anything."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

import duckdb
import pytest
import sqlglot
import sqlglot.expressions as sge

from marts import boolean, date, decimal, mart, string, timestamp
from marts.core.errors import UsageError
from marts.core.query.lookup import lookup


@mart(
    grain="bike",
    columns=[
        string("bike"),
        string("colour", null=True, values=["red", "O'Brien green", "Blue", "blue"]),
        decimal("price", 10, 2),
        date("sold_on", null=True),
        timestamp("seen_at"),
        boolean("is_new"),
        string("order"),
    ],
)
def bikes() -> Any:
    """Bikes; one column's name is a word of SQL."""


ROWS = """
    CREATE TABLE bikes AS FROM (VALUES
        ('b1', 'red', 100.00::DECIMAL(10, 2), DATE '2025-01-31',
         TIMESTAMP '2025-01-31 23:59:59', true, 'x'),
        ('b2', 'O''Brien green', 250.50, NULL, TIMESTAMP '2025-02-01 00:00:00', false, 'y'),
        ('B3', NULL, 99.99, DATE '2025-02-01', TIMESTAMP '2025-03-01 12:00:00', true, 'z')
    ) AS t (bike, colour, price, sold_on, seen_at, is_new, "order")
"""


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as opened:
        opened.execute(ROWS)
        yield opened


def asked(connection: duckdb.DuckDBPyConnection, **words: Any) -> list[tuple[Any, ...]]:
    """Return the rows of a lookup."""
    query = lookup(bikes, **({"limit": 20} | words))
    return connection.execute(query.sql("duckdb")).fetchall()


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        # comparisons
        ("price > 100", "b2"),
        ("price >= 100", "b1 b2"),
        ("price <> 100", "b2 B3"),
        ("price != 100.00", "b2 B3"),
        ("100 > price", "B3"),
        ("price = 99.99", "B3"),
        ("price / 2 < 50", "B3"),
        ("-price < -200 + 10", "b2"),
        # and, or, not
        ("price > 99 and is_new", "b1 B3"),
        ("not is_new or price < 100", "b2 B3"),
        ("(price < 100 or price > 200) AND NOT is_new", "b2"),
        ("is_new = false", "b2"),
        ("true", "b1 b2 B3"),
        # sets and ranges
        ("colour in ('red', 'blue')", "b1"),
        ("colour not in ('red')", "b2"),
        ("price between 99.99 and 100", "b1 B3"),
        # text
        ("colour like '%green'", "b2"),
        ("bike ilike 'B%'", "b1 b2 B3"),
        ("bike like 'B%'", "B3"),
        ("colour = 'O''Brien green'", "b2"),
        ("colour = 'Blue' or colour = 'blue' or colour = 'green'", ""),
        ("lower(colour) = 'RED' or bike = 'red'", ""),
        ("colour is null", "B3"),
        ("colour is not null", "b1 b2"),
        # functions
        ("lower(bike) = 'b3'", "B3"),
        ("upper(bike) = 'B3'", "B3"),
        ("coalesce(colour, 'none') = 'none'", "B3"),
        ("length(bike) = 2 and abs(price) > 200", "b2"),
        ("trim(bike) = 'b1'", "b1"),
        ("round(price) = 100", "b1 B3"),
        ("case when is_new then price > 99.99 else true end", "b1 b2"),
        # dates
        ("sold_on = '2025-01-31'", "b1"),
        ("sold_on >= date '2025-02-01'", "B3"),
        ("sold_on = cast('2025-02-01' as date)", "B3"),
        ("sold_on - interval 1 day = date '2025-01-31'", "B3"),
        ("seen_at < timestamp '2025-02-01'", "b1"),
        # names
        ("PRICE > 100", "b2"),
        ('"price" > 100', "b2"),
        ("bikes.price > 100", "b2"),
        ("\"order\" = 'y'", "b2"),
        ("price > 100 -- dear", "b2"),
        ("price > 100;", "b2"),
    ],
)
def test_a_condition_means_what_it_says(
    where: str, expected: str, connection: duckdb.DuckDBPyConnection
) -> None:
    found = asked(connection, where=where, columns=["bike"])
    assert [bike for (bike,) in found] == sorted(expected.split())


@pytest.mark.parametrize(
    "where",
    [
        # more than a condition
        "price > 1; drop table bikes",
        "price > 1; select 1",
        "",
        ";",
        "drop table bikes",
        "delete from bikes",
        "select * from bikes",
        "copy bikes to 'out.csv'",
        "attach 'x.duckdb'",
        "pragma database_list",
        "set threads = 1",
        # other tables
        "price in (select 1)",
        "price = (select max(price) from bikes)",
        "exists (select 1)",
        "price > any (select 1)",
        "bike in (from read_csv('/etc/passwd'))",
        "read_csv('/etc/passwd') is null",
        "read_text('/etc/passwd') like 'root%'",
        "price > 1 union select 1",
        # aggregates and windows
        "sum(price) > 1",
        "count(*) > 1",
        "max(price) = price",
        "row_number() over (order by price) = 1",
        # functions that are not on the list
        "getenv('HOME') = 'x'",
        "current_setting('threads') = '1'",
        "random() > 0.5",
        "no_such_function(price) > 1",
        "nextval('s') > 1",
        "price > $1",
        "price > ?",
        "list_filter([price], x -> x > 1) is null",
        "[price] = [1]",
        "{'a': price} is null",
        "* is null",
        "columns('.*') is null",
        # no SQL
        "price >",
        "price > 1)",
        "price = 'open",
        "price as p",
        "price > 1 limit 1",
        "price > 1 order by price",
    ],
)
def test_whatever_is_more_than_a_condition_is_refused(where: str) -> None:
    with pytest.raises(UsageError, match="--where"):
        lookup(bikes, where=where, limit=1)


DEEP = {
    "80 parentheses": "(" * 80 + "price > 1" + ")" * 80,
    "3,000 parentheses": "(" * 3_000 + "price > 1" + ")" * 3_000,
    "conditions within": "(price > 1 and " * 100 + "is_new" + ")" * 100,
    "cases within": "case when is_new then " * 100 + "true" + " end" * 100,
    "nots": "not " * 300 + "is_new",
    "minus": "price > " + "- " * 300 + "1",
    "a long sum": "price > " + "+".join(["1"] * 900),
    "a long text": "bike = " + "||".join(["'x'"] * 900),
    "functions": "lower(" * 200 + "bike" + ")" * 200 + " = 'x'",
}


@pytest.mark.parametrize("where", DEEP.values(), ids=DEEP)
def test_a_condition_nested_too_deeply_is_refused_in_few_words(where: str) -> None:
    with pytest.raises(UsageError, match="--where is nested too deeply") as caught:
        lookup(bikes, where=where, limit=1)
    assert len(str(caught.value)) < 400


LONG = {
    "30 parentheses": "(" * 30 + "price > 1" + ")" * 30,
    "500 ands": " and ".join(["price > 1"] * 500),
    "2,000 ors": " or ".join(["price > 1"] * 2_000),
    "ands and ors": " or ".join(["(price > 1 and is_new is not null)"] * 300),
    "10,000 characters": "price > 1" + " " * 10_000,
    "2,000 values": f"bike in ({', '.join(map(repr, map(str, range(2_000))))}, 'b1')",
    "a sum": "price > " + "+".join(["1"] * 90),
}


@pytest.mark.slow
@pytest.mark.parametrize("where", LONG.values(), ids=LONG)
def test_a_long_condition_is_answered(where: str, connection: duckdb.DuckDBPyConnection) -> None:
    assert asked(connection, where=where, columns=["bike"])


def test_a_condition_that_cannot_be_encoded_is_refused() -> None:
    with pytest.raises(UsageError, match="--where is not valid text in"):
        lookup(bikes, where="bike = 'K\udcf6ln'", limit=1)


def test_an_error_repeats_the_beginning_of_a_long_condition() -> None:
    with pytest.raises(UsageError, match="--where is not valid SQL") as caught:
        lookup(bikes, where="price > 'open" + "x" * 10_000, limit=1)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    "where",
    [
        "price > 1 -- */ ; drop table bikes; /*",
        "price > 1 /* x */ -- */ or true",
        "price > 1 /* \n */",
        "colour = '''; drop table bikes; --'",
        "colour = '/*' or colour = '*/'",
    ],
)
def test_comments_and_quotes_stay_inside_the_condition(where: str) -> None:
    sql = lookup(bikes, where=where, limit=1).sql("duckdb", pretty=True)
    (statement,) = sqlglot.parse(sql, dialect="duckdb")
    assert isinstance(statement, sge.Select)
    assert statement.args["limit"].expression.this == "1"
    with duckdb.connect() as connection:
        connection.execute(ROWS)
        assert len(duckdb.extract_statements(sql)) == 1
        connection.execute(sql)
        assert connection.execute("SELECT count(*) FROM bikes").fetchall() == [(3,)]


@pytest.mark.parametrize(
    "words",
    [
        {"where": "pryce > 1"},
        {"where": "lower(pryce) = 'x' and bike = 'b1'"},
        {"columns": ["bike", "pryce"]},
        {"order_by": ["pryce desc"]},
    ],
)
def test_an_unknown_column_is_refused_with_the_nearest_name(words: dict[str, Any]) -> None:
    with pytest.raises(UsageError) as caught:
        lookup(bikes, limit=1, **words)
    assert str(caught.value).splitlines() == [
        "bikes has no column pryce",
        "hint: did you mean price?",
    ]


def test_a_column_like_no_other_is_refused_with_all_names() -> None:
    with pytest.raises(UsageError, match="hint: its columns: bike, colour, price, sold_on"):
        lookup(bikes, columns=["xyzzy"], limit=1)


def test_a_word_in_a_condition_that_is_no_column_may_be_a_text() -> None:
    with pytest.raises(UsageError, match=r"a text needs quotes, 'xyzzy'; its columns: bike, colo"):
        lookup(bikes, where="bike = xyzzy", limit=1)


@pytest.mark.parametrize(
    "where",
    [
        "colour = 'Red'",
        "'RED' <> colour",
        "bikes.colour in ('blue', 'red ')",
        "price > 1 and not COLOUR in ('Red')",
    ],
)
def test_a_label_in_another_case_is_refused(where: str) -> None:
    with pytest.raises(UsageError, match=r"(?s)--where compares colour with .*'red'\?"):
        lookup(bikes, where=where, limit=1)


def test_a_column_of_another_table_is_refused() -> None:
    with pytest.raises(UsageError, match="customers"):
        lookup(bikes, where="customers.price > 1", limit=1)


def test_all_columns_come_in_the_marts_order(connection: duckdb.DuckDBPyConnection) -> None:
    (first,) = asked(connection, where="bike = 'b1'")
    assert first == (
        "b1",
        "red",
        Decimal("100.00"),
        datetime.date(2025, 1, 31),
        datetime.datetime(2025, 1, 31, 23, 59, 59),  # noqa: DTZ001
        True,
        "x",
    )


def test_columns_come_as_asked(connection: duckdb.DuckDBPyConnection) -> None:
    assert asked(connection, columns=["ORDER", "bike"], limit=1) == [("z", "B3")]


def test_rows_come_in_the_order_of_the_grain(connection: duckdb.DuckDBPyConnection) -> None:
    assert asked(connection, columns=["bike"]) == [("B3",), ("b1",), ("b2",)]


def test_rows_without_a_grain_come_in_any_order(connection: duckdb.DuckDBPyConnection) -> None:
    query = lookup(replace(bikes, grain=()), columns=["bike"], limit=2)
    found = connection.execute(query.sql("duckdb")).fetchall()
    assert len(found) == 2
    assert set(found) < {("b1",), ("b2",), ("B3",)}


def test_a_column_is_not_asked_for_twice(connection: duckdb.DuckDBPyConnection) -> None:
    with pytest.raises(UsageError, match="--columns names bike twice"):
        asked(connection, columns=["bike", "bike"])


@pytest.mark.parametrize(
    ("order_by", "expected"),
    [
        (["price"], "B3 b1 b2"),
        (["price desc"], "b2 b1 B3"),
        (["price DESC"], "b2 b1 B3"),
        (["PRICE  asc"], "B3 b1 b2"),
        (["colour"], "b2 b1 B3"),
        (["colour desc"], "b1 b2 B3"),
        (["is_new desc", "price"], "B3 b1 b2"),
        (["order desc"], "B3 b2 b1"),
    ],
)
def test_rows_are_ordered_with_nulls_last(
    order_by: list[str], expected: str, connection: duckdb.DuckDBPyConnection
) -> None:
    found = asked(connection, order_by=order_by, columns=["bike"])
    assert [bike for (bike,) in found] == expected.split()


def test_the_grain_breaks_ties_and_without_a_limit_nothing_is_sorted() -> None:
    by_flag = lookup(bikes, order_by=["is_new desc"], limit=2).args["order"].expressions
    assert [each.this.name for each in by_flag] == ["is_new", "bike"]
    by_key = lookup(bikes, order_by=["BIKE desc"], limit=None).args["order"].expressions
    assert [(each.this.name, each.args["desc"]) for each in by_key] == [("bike", True)]
    whole = lookup(bikes, limit=None)
    assert whole.args.get("order") is whole.args.get("limit") is None


@pytest.mark.parametrize("words", ["price up", "price desc nulls first", "price; drop", "lower(x)"])
def test_an_order_is_columns_and_directions_alone(words: str) -> None:
    with pytest.raises(UsageError):
        lookup(bikes, order_by=[words], limit=1)


@pytest.mark.parametrize(("limit", "count"), [(0, 0), (2, 2), (20, 3)])
def test_a_limit_holds(limit: int, count: int, connection: duckdb.DuckDBPyConnection) -> None:
    assert len(asked(connection, limit=limit)) == count
