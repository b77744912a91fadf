"""Contracts: what may be declared, what a real table may differ in, what a cast makes of it."""

from __future__ import annotations

from typing import Any, cast

import duckdb
import ibis
import ibis.expr.datatypes as dt
import ibis.expr.types as ir
import pytest

from backends.duckdb_sql import compile_query
from marts import boolean, date, decimal, float64, int64, money, string, timestamp
from marts.core.authoring.columns import Column, flaws, names_in_source, zones_of
from marts.core.errors import DefinitionError
from marts.core.query.contract import conform, empty_table, mismatches, schema_of

KINDS = (
    string("name"),
    int64("wheels"),
    float64("stars"),
    decimal("frame", 10, 4),
    money("price"),
    date("sold_on"),
    timestamp("sold_at"),
    boolean("is_new"),
)


def described(query: ir.Table, *setup: str) -> dict[str, str]:
    """Return the engine's types of a query's columns."""
    with duckdb.connect() as connection:
        for statement in setup:
            connection.execute(statement)
        relation = connection.sql(compile_query(query, sources={}, schema="main"))
        return dict(zip(relation.columns, map(str, relation.types), strict=True))


def test_every_kind_of_column_has_a_type() -> None:
    assert {column.name: column.type for column in KINDS} == {
        "name": "string",
        "wheels": "int64",
        "stars": "float64",
        "frame": "decimal(10, 4)",
        "price": "decimal(18, 2)",
        "sold_on": "date",
        "sold_at": "timestamp",
        "is_new": "boolean",
    }
    assert not any(column.null for column in KINDS)


# Declaration


@pytest.mark.parametrize(
    ("columns", "grain", "flaw"),
    [
        ([string("a"), string("a")], ["a"], "column a is declared 2 times"),
        ([string("a"), int64("a"), date("a")], ["a"], "column a is declared 3 times"),
        ([string("a")], ["b"], "grain b is not a column; columns: a"),
        ([string("a"), string("b", null=True)], ["a", "b"], "grain b is nullable"),
        ([int64("a", at_least=2, at_most=1)], ["a"], "column a is at least 2 and at most 1"),
        ([Column(name="a", type="int64", values=("x",))], ["a"], "column a lists values but"),
        ([], ["a"], "no columns are declared"),
        ([string("Ab")], ["Ab"], "column Ab is not a lower-case name"),
        ([string("zwölf")], ["zwölf"], "column zwölf is not a lower-case name"),
        ([string("2nd")], ["2nd"], "column 2nd is not a lower-case name"),
        (
            [timestamp("a", zone="Europe/Berln")],
            ["a"],
            "column a has the unknown zone Europe/Berln; did you mean Europe/Berlin?",
        ),
        ([string("a"), int64("b", default=0, null=True)], ["a"], "column b is nullable and has"),
        ([string("a"), int64("b", default=0, at_least=1)], ["a"], "column b has the default 0, wh"),
        ([string("a"), int64("b", default=9, at_most=1)], ["a"], "column b has the default 9, wh"),
        ([string("a"), int64("b", default=True)], ["a"], "column b has the default True, which"),
        ([string("a"), float64("b", default=float("inf"))], ["a"], "column b has the default inf"),
        ([string("a"), string("b", default="x", values="y")], ["a"], "column b has the default"),
        ([Column(name="a", type="date", default=0)], ["b"], "column a has the default 0, which is"),
        ([string("a", default="x")], ["a"], "column a is a key, of which several rows would"),
        *(
            ([timestamp("a", zone=zone)], ["a"], f"column a has the unknown zone {zone}")
            for zone in ("", "Europe", "/etc/localtime", "../UTC", "localtime", "posix/UTC", "+01")
        ),
        ([string("a", source_name="")], ["a"], "column a has the source_name '', which is not"),
        (
            [string("a", source_name="Id"), string("b", source_name="Id")],
            ["a"],
            "columns a and b both read the source's Id, as string",
        ),
        (
            [string("b"), string("a", source_name="b")],
            ["a"],
            "columns b and a both read the source's b, as string",
        ),
        *(
            ([string("a", personal=word)], ["a"], f"column a has personal={word!r}, which is not")
            for word in ("", "E-mail", "full name", "email2", cast("str", True))
        ),
        ([int64("a", not_personal="  ")], ["a"], "column a has not_personal='  ', which is not"),
        (
            [string("a", not_personal=cast("str", True))],
            ["a"],
            "column a has not_personal=True, which",
        ),
        (
            [date("a", personal="birthday", not_personal="only the year")],
            ["a"],
            "column a is both personal and not_personal (only the year)",
        ),
        (
            [Column(name="a", type="date", zone="UTC")],
            ["a"],
            "column a names a zone but is date, not timestamp",
        ),
    ],
)
def test_a_flaw_is_named(columns: list[Column], grain: list[str], flaw: str) -> None:
    found = flaws(columns, grain)
    assert len([line for line in found if line.startswith(flaw)]) == 1, found


def test_all_flaws_are_named_at_once() -> None:
    found = flaws([string("a", null=True), string("b"), string("b")], ["a", "c"])
    assert len(found) == 3, found


ZONES = ("UTC", "Asia/Tokyo")


def test_a_sound_contract_has_no_flaws() -> None:
    columns = [*KINDS, int64("one", at_least=1, at_most=1), string("kind", values=["a"])]
    columns += [timestamp("seen_at", zone="Europe/Berlin"), timestamp("at", zone="UTC")]
    # Two columns may read one of the source in two ways.
    columns += [timestamp(f"at_{n}", zone=z, source_name="Tätig am") for n, z in enumerate(ZONES)]
    assert flaws(columns, ["name", "sold_on"]) == []
    columns += [string("email", personal="email"), int64("age", personal="date_of_birth")]
    columns += [string("initial", not_personal="one of 26 letters")]
    assert flaws(columns, ["name", "sold_on"]) == []
    assert zones_of(columns[:-5]) == {"seen_at": "Europe/Berlin", "at": "UTC"}
    assert names_in_source(columns) == {"at_0": "Tätig am", "at_1": "Tätig am"}


def test_a_decimal_that_no_engine_has_is_a_flaw() -> None:
    assert flaws([string("key"), decimal("price", 2, 5)], ["key"])


def test_a_table_needs_a_grain() -> None:
    assert flaws([string("a")], [], needs_grain=False) == []
    assert flaws([string("key")], [])


# A real table against a contract


@pytest.mark.parametrize(
    ("column", "found"),
    [
        (string("c"), "string"),
        (int64("c"), "int8"),
        (int64("c"), "int32"),
        (int64("c"), "uint32"),
        (decimal("c", 10, 2), "decimal(10, 2)"),
        (decimal("c", 10, 2), "decimal(6, 2)"),
        (timestamp("c"), "timestamp"),
        (timestamp("c"), "timestamp(3)"),
        (timestamp("c"), "timestamp(9)"),
        (boolean("c", null=True), "boolean"),
        (date("c"), "date"),
        (float64("c"), "float64"),
    ],
)
def test_a_type_whose_values_all_fit_is_taken(column: Column, found: str) -> None:
    assert mismatches([column], {"c": dt.dtype(found)}) == []


@pytest.mark.parametrize(
    ("column", "found"),
    [
        (string("c"), "int64"),
        (int64("c"), "string"),
        (int64("c"), "uint64"),
        (int64("c"), "float64"),
        (int64("c"), "decimal(10, 0)"),
        (int64("c"), "boolean"),
        (float64("c"), "decimal(10, 2)"),
        (float64("c"), "int64"),
        (decimal("c", 10, 2), "decimal(11, 2)"),
        (decimal("c", 10, 2), "decimal(10, 3)"),
        (decimal("c", 10, 2), "decimal(8, 1)"),
        (decimal("c", 10, 2), "float64"),
        (timestamp("c"), "timestamp('UTC')"),
        (timestamp("c"), "date"),
        (date("c"), "timestamp"),
        (date("c"), "string"),
        (boolean("c"), "int8"),
    ],
)
def test_any_other_type_is_a_mismatch(column: Column, found: str) -> None:
    kind = dt.dtype(found)
    expected = f"column c: expected {column.type}, found {kind}"
    assert mismatches([column], {"c": kind}) == [expected]


def test_every_mismatch_is_listed_and_further_columns_are_welcome() -> None:
    found = mismatches(
        [string("key"), int64("wheels"), date("sold_on")],
        {"wheels": dt.string, "sold_on": dt.date, "extra": dt.json},
    )
    assert found == [
        "column key: expected string, found no such column",
        "column wheels: expected int64, found string",
    ]


# What a mart returns against its contract


def conformed(table: ir.Table, *columns: Column) -> ir.Table:
    return conform(table, columns, what="mart bikes", location="bikes.py:7")


def test_conform_selects_in_order_and_drops_the_rest() -> None:
    table = ibis.table({"b": "int64", "x": "string", "a": "string"}, name="t")
    assert conformed(table, string("a"), int64("b")).columns == ("a", "b")


def test_the_engine_has_the_contracts_types_where_ibis_believes_in_others() -> None:
    price = "CREATE TABLE bikes AS SELECT CAST(1.23 AS DECIMAL(10, 2)) AS price, 1 AS wheels"
    bikes = ibis.table({"price": "decimal(10, 2)", "wheels": "int64"}, name="bikes")
    totals = bikes.aggregate(
        total=bikes.price.sum(),
        mean=bikes.price.mean(),
        deviation=bikes.price.std(),
        square=(bikes.price * bikes.price).sum(),
        wheels=bikes.wheels.sum(),
        n=bikes.count(),
        nothing=ibis.null(),
    )
    columns = [
        int64("n"),
        money("total"),
        float64("mean"),
        float64("deviation", null=True),
        decimal("square", 28, 4),
        int64("wheels"),
        date("nothing", null=True),
    ]
    assert described(conformed(totals, *columns), price) == {
        "n": "BIGINT",
        "total": "DECIMAL(18,2)",
        "mean": "DOUBLE",
        "deviation": "DOUBLE",
        "square": "DECIMAL(28,4)",
        "wheels": "BIGINT",
        "nothing": "DATE",
    }


def test_a_truncated_date_stays_a_date_on_the_engine() -> None:
    bikes = ibis.table({"sold_on": "date"}, name="bikes")
    query = conformed(bikes.select(month=bikes.sold_on.truncate("month")), date("month"))
    assert described(query, "CREATE TABLE bikes (sold_on DATE)") == {"month": "DATE"}


def test_a_missing_column_is_named_with_those_that_are_there() -> None:
    with pytest.raises(DefinitionError) as caught:
        conformed(ibis.table({"a": "string"}, name="t"), string("a"), int64("wheels"))
    assert str(caught.value).splitlines() == [
        "mart bikes returns no column wheels, which its contract declares",
        "  it returns: a",
        "  bikes.py:7",
        "hint: add wheels to the returned table, or drop it from columns=[…]",
    ]


@pytest.mark.parametrize(
    ("column", "returned"),
    [
        (int64("c"), "string"),
        (int64("c"), "float64"),
        (int64("c"), "decimal(10, 0)"),
        (int64("c"), "boolean"),
        (float64("c"), "string"),
        (money("c"), "boolean"),
        (money("c"), "date"),
        (string("c"), "int64"),
        (date("c"), "string"),
        (timestamp("c"), "date"),
        (timestamp("c"), "timestamp('UTC')"),
        (boolean("c"), "int64"),
    ],
)
def test_a_column_of_another_kind_is_refused(column: Column, returned: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        conformed(ibis.table({"c": returned}, name="t"), column)
    first, location, hint = str(caught.value).splitlines()
    assert first == f"mart bikes: column c is {dt.dtype(returned)}, its contract says {column.type}"
    assert location.strip() == "bikes.py:7"
    assert hint.startswith("hint: make the type of the expression")


@pytest.mark.parametrize(
    ("column", "returned"),
    [
        (int64("c"), "int8"),
        (float64("c"), "int64"),
        (float64("c"), "decimal(18, 2)"),
        (money("c"), "int64"),
        (money("c"), "decimal(38, 2)"),
        (date("c"), "timestamp"),
        (string("c", null=True), "null"),
    ],
)
def test_a_column_that_a_cast_makes_right_is_taken(column: Column, returned: str) -> None:
    query = conformed(ibis.table({"c": returned}, name="t"), column)
    assert query.schema() == schema_of([column])


def test_an_empty_table_has_types_and_no_rows() -> None:
    query: Any = empty_table(KINDS)
    assert query.schema() == schema_of(KINDS)
    assert described(query) == {
        "name": "VARCHAR",
        "wheels": "BIGINT",
        "stars": "DOUBLE",
        "frame": "DECIMAL(10,4)",
        "price": "DECIMAL(18,2)",
        "sold_on": "DATE",
        "sold_at": "TIMESTAMP",
        "is_new": "BOOLEAN",
    }
    assert duckdb.sql(compile_query(query, sources={}, schema="main")).fetchall() == []


# Defaults


def test_a_default_stands_for_the_nulls_that_there_may_be_and_for_no_others() -> None:
    t = ibis.table({"n": "int64", "price": "decimal(10, 2)", "name": "string"}, name="t")
    columns = [int64("n", default=0), money("price", default=7), string("name", default="?")]
    not_null = {"t": frozenset({"n"})}
    query = conform(t, columns, what="mart bikes", location="bikes.py:7", not_null=not_null)
    sql = compile_query(query, sources={}, schema="main")
    assert sql.count("COALESCE") == 2
    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE t (n BIGINT, price DECIMAL(10, 2), name VARCHAR)")
        connection.execute("INSERT INTO t VALUES (NULL, NULL, NULL), (1, 1.25, 'x')")
        assert [tuple(map(str, row)) for row in connection.sql(sql).fetchall()] == [
            ("None", "7.00", "?"),
            ("1", "1.25", "x"),
        ]
