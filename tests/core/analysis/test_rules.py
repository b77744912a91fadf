"""Rules about values: what DuckDB answers where Snowflake, by its manual, answers something else.

DuckDB's answer is computed. The emulator is made of DuckDB, and so cannot show Snowflake's: what
Snowflake answers is taken from its manual, for the SQL that the expression compiles to.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction

import duckdb
import ibis
import pytest
from ibis.expr.types import Scalar, Table

from marts.core.analysis.lint import lint
from marts.core.authoring.tables import Mart
from toy_shop.shop_overview import shop_overview

ONE = ibis.table(
    {
        "n": "int64",
        "nothing": "int64",
        "amount": "decimal(18, 2)",
        "rate": "decimal(18, 7)",
        "weight": "float64",
        "moment": "timestamp",
    },
    name="one",
)
ROW = """
    SELECT 3::BIGINT AS n, NULL::BIGINT AS nothing, 12345678.90::DECIMAL(18, 2) AS amount,
        0.0000003::DECIMAL(18, 7) AS rate, 20.0::DOUBLE AS weight,
        TIMESTAMP '2025-01-08 09:05:00' AS moment
"""
FILLED = {"one": frozenset({"n", "amount", "weight", "moment", "rate"})}


def answer_of_duckdb(query: Table) -> object:
    """Return what DuckDB makes of an expression, or the first words of why it fails."""
    with duckdb.connect() as connection:
        connection.execute(f"CREATE TABLE one AS {ROW}")
        try:
            (found,) = connection.execute(ibis.to_sql(query, dialect="duckdb")).fetchone() or ()
        except duckdb.Error as error:
            return str(error).partition(" Error:")[0]
    return found


def rules_broken(query: Table) -> set[str]:
    mart: Mart = shop_overview
    return {finding.rule for finding in lint(mart, query, not_null=FILLED)}


# Each: the expression, DuckDB's answer, the SQL for Snowflake, and what its manual says of that.
Case = tuple[Callable[[Table], Scalar], object, str, object]
LONG_SUM: Case = (
    lambda t: t.amount + 0.1234567890123456,
    "Conversion",
    '"t0"."amount" + 0.1234567890123456',
    Decimal("12345679.0234567890123456"),
)
DIFFERING: dict[str, list[Case]] = {
    # "If any of the argument values is NULL, the result is NULL" (GREATEST).
    "skipped_null": [
        (lambda t: ibis.greatest(t.n, t.nothing), 3, 'GREATEST("t0"."n", "t0"."nothing")', None),
        (lambda t: ibis.least(t.n, t.nothing), 3, 'LEAST("t0"."n", "t0"."nothing")', None),
    ],
    # A directive that Ibis does not translate is text to TO_CHAR, and letters of a text may be one.
    "names_in_dates": [
        (
            lambda t: t.moment.strftime("%A"),
            "Wednesday",
            'TO_CHAR("t0"."moment", \'%A\')',
            "%A",
        ),
        (lambda t: t.moment.strftime("%j"), "008", 'TO_CHAR("t0"."moment", \'%j\')', "%j"),
        (
            lambda t: t.moment.strftime("DD %d"),
            "DD 08",
            'TO_CHAR("t0"."moment", \'DD DD\')',
            "08 08",
        ),
    ],
    # Trailing zeros of a FLOAT are not written; TIMESTAMP_NTZ_OUTPUT_FORMAT has three digits of a
    # second, TIME_OUTPUT_FORMAT none.
    "text_of_a_number": [
        (lambda t: t.weight.cast("string"), "20.0", 'CAST("t0"."weight" AS VARCHAR)', "20"),
        (
            lambda t: t.moment.cast("string"),
            "2025-01-08 09:05:00",
            'CAST("t0"."moment" AS VARCHAR)',
            "2025-01-08 09:05:00.000",
        ),
        (
            lambda t: (t.moment + ibis.interval(milliseconds=500)).time().cast("string"),
            "09:05:00.5",
            "AS TIME) AS VARCHAR)",
            "09:05:00",
        ),
    ],
    # A product has as many digits behind the point as its operands have together, at most 12,
    # or those of the longer operand: here 12 of 14.
    "cut_product": [
        (
            lambda t: t.rate * t.rate,
            Decimal("0.00000000000009"),
            '"t0"."rate" * "t0"."rate"',
            Decimal("0.000000000000"),
        ),
    ],
    # A constant without exponent is a fixed-point number, of up to 38 digits in any arithmetic.
    "long_literal": [
        # DuckDB 2 gives sums as many digits as they need, but not products.
        *([LONG_SUM] if duckdb.__version__.startswith("1.") else []),
        (
            lambda t: t.amount * 1000000000.5,
            "Out of Range",
            '"t0"."amount" * 1000000000.5',
            Decimal("12345678906172839.450"),
        ),
    ],
}


@pytest.mark.parametrize(
    ("rule", "expression", "of_duckdb", "sql", "of_snowflake"),
    [(rule, *each) for rule, cases in DIFFERING.items() for each in cases],
)
def test_engines_answer_differently_what_a_rule_warns_of(
    rule: str,
    expression: Callable[[Table], Scalar],
    of_duckdb: object,
    sql: str,
    of_snowflake: object,
) -> None:
    query = ONE.select(x=expression(ONE))
    assert rule in rules_broken(query)
    assert answer_of_duckdb(query) == of_duckdb
    assert sql in ibis.to_sql(query, dialect="snowflake")
    assert of_duckdb != of_snowflake


def test_a_hash_is_another_number_in_another_type_or_engine() -> None:
    # HASH is documented as proprietary on Snowflake; DuckDB's depends on the type alone.
    hashes = {
        answer_of_duckdb(ONE.select(x=ONE.n.cast(kind).hash())) for kind in ("int64", "float64")
    }
    assert len(hashes) == 2
    assert rules_broken(ONE.select(x=ONE.n.hash())) == {"hash"}
    assert 'HASH("t0"."n")' in ibis.to_sql(ONE.select(x=ONE.n.hash()), dialect="snowflake")


def test_a_cast_to_fewer_digits_rounds_by_what_it_is_a_cast_of() -> None:
    # Snowflake's manual says of fixed-point numbers that halves are rounded away from zero, and of
    # floats that they are approximations. DuckDB does the one, and of 1.115, which is a little less
    # as a float, makes more: it multiplies first. So an author is to say what is meant.
    half = ibis.literal(Decimal("0.125"), "decimal(10, 3)")
    double = ibis.literal(1.115, "float64")
    for value, rounded in ((half, Decimal("0.13")), (double.cast("float64"), Decimal("1.12"))):
        query = ONE.select(x=ibis.expr.operations.Cast(value, "decimal(10, 2)").to_expr())
        assert answer_of_duckdb(query) == rounded
    assert Fraction(1.115) < Fraction("1.115")
    assert rules_broken(ONE.select(x=ONE.amount.cast("decimal(18, 1)"))) == {"fewer_digits"}
    assert rules_broken(ONE.select(x=ONE.weight.cast("decimal(18, 1)"))) == {"fewer_digits"}
    # Ibis takes the product for a decimal of 2 digits behind the point, but it has 4.
    product = ONE.amount * ONE.amount
    for value in (product, product.sum()):
        cast = ibis.expr.operations.Cast(value, "decimal(18, 2)").to_expr()
        assert rules_broken(ONE.select(x=cast)) == {"fewer_digits"}
    assert rules_broken(ONE.select(x=ONE.amount.round(1))) == set()
    (found,) = lint(shop_overview, ONE.select(x=ONE.amount.cast("decimal(18, 1)")))
    assert found.hint.startswith("use .round(1) before the cast")


def test_texts_and_names_that_engines_agree_on_are_not_warned_of() -> None:
    # DATE_OUTPUT_FORMAT is YYYY-MM-DD; DAYNAME, which the second is made from, has three letters.
    query = ONE.select(x=ONE.moment.date().cast("string"), y=ONE.moment.day_of_week.full_name())
    with duckdb.connect() as connection:
        connection.execute(f"CREATE TABLE one AS {ROW}")
        found = connection.execute(ibis.to_sql(query, dialect="duckdb")).fetchone()
    assert found == ("2025-01-08", "Wednesday")
    assert "WHEN 'Wed' THEN 'Wednesday'" in " ".join(
        ibis.to_sql(query, dialect="snowflake").split()
    )
    assert rules_broken(query) == set()
