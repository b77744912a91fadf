"""Every statement for Snowflake resolves against upper-case tables, and holds what is reviewed."""

from __future__ import annotations

import pytest

from snowflake_faults import faults
from statements import MARTS, SOURCES, snowflake_schema, snowflake_statements

SCHEMA = snowflake_schema()
STATEMENTS = dict(snowflake_statements())


@pytest.mark.parametrize("name", STATEMENTS)
def test_snowflake_would_take_the_statement(name: str) -> None:
    found = faults(STATEMENTS[name], SCHEMA)
    if found:
        lines = "\n  ".join(found)
        pytest.fail(f"{name}:\n  {lines}\n\n{STATEMENTS[name]}", pytrace=False)


def test_every_source_and_mart_is_read_by_some_statement() -> None:
    everything = "".join(STATEMENTS.values())
    assert [name for name in SOURCES if f'"RAW"."{name.upper()}"' not in everything] == []
    assert [name for name in MARTS if f'"GOLD"."{name.upper()}"' not in everything] == []


def query(expression: str) -> str:
    return f'SELECT {expression} AS "C" FROM "RAW"."FCT_TRANSACTIONS" AS "T"'


AMOUNT, KEY, DATE = '"T"."TRANSACTION_AMOUNT"', '"T"."CUSTOMER_KEY"', '"T"."TRANSACTION_DATE"'


@pytest.mark.parametrize(
    "expression",
    [
        AMOUNT,
        f"CAST({AMOUNT} AS DOUBLE) / NULLIF(CAST({AMOUNT} AS DOUBLE), 0)",
        f"LAG({AMOUNT}) OVER (PARTITION BY {KEY} ORDER BY {DATE} ASC)",
        f"DATEDIFF(MONTH, {DATE}, DATE_FROM_PARTS(2025, 6, 30))",
    ],
)
def test_the_gate_lets_pass(expression: str) -> None:
    assert faults(query(expression), SCHEMA) == []


@pytest.mark.parametrize(
    ("expression", "fault"),
    [
        # names
        ('"T"."TRANSACTION_AMOUNTS"', "cannot be resolved: Unknown column: TRANSACTION_AMOUNTS"),
        ('"T"."transaction_amount"', '"transaction_amount": lower-case'),
        (f'SUM({AMOUNT}) OVER (PARTITION BY "t"."customer_key")', '"customer_key": lower-case'),
        (f'SUM({AMOUNT}) OVER (PARTITION BY "t"."customer_key")', "cannot be resolved"),
        ('"X"."STATUS"', "cannot be resolved"),
        ("T.STATUS", "STATUS: not quoted"),
        ('"STATUS"', "may be an alias"),
        (f'{AMOUNT} AS "C", {KEY}', '"C": selected 2 times'),
        # constructs
        (f"{DATE} - INTERVAL '90 DAYS'", "interval arithmetic"),
        (f"DATEADD(DAY, -'90', {DATE})", "interval arithmetic"),
        (f"GET_PATH({KEY}, 'a')", "VARIANT"),
        (f"GET(ARRAY_AGG({KEY}), 0)", "VARIANT"),
        (f"OBJECT_CONSTRUCT('a', {KEY})", "VARIANT"),
        (f"CAST({KEY} AS VARIANT)", "no counterpart"),
        (f"ANY_VALUE({KEY})", "takes any row"),
        (f"FIRST_VALUE({KEY}) OVER (ORDER BY {DATE} ASC)", "takes any row"),
        (f"REGEXP_LIKE({KEY}, 'a')", "regular expression"),
        (f"REGEXP_SUBSTR({KEY}, 'a')", "regular expression"),
        ("CURRENT_DATE", "differs from run to run"),
        ("CURRENT_TIMESTAMP()", "differs from run to run"),
        ("SYSDATE()", "differs from run to run"),
        (f"DATE_PART(week, {DATE})", "weeks depend"),
        (f"DATEDIFF(WEEK, {DATE}, {DATE})", "weeks depend"),
        (f"DATE_TRUNC('WEEK', {DATE})", "weeks depend"),
        (f"SUM({AMOUNT}) FILTER (WHERE {AMOUNT} > 0)", "no FILTER"),
        (f"TRY_CAST({KEY} AS INT)", "text only"),
        (f"({AMOUNT} > 0) IS TRUE", "IS TRUE"),
        ("CAST('NaN' AS DOUBLE)", "no number"),
        (f"CAST({DATE} AS TIMESTAMP)", "what the session says"),
        (f"LENGTH({KEY})", "Length: nobody has looked up"),
        (f"LIST_SORT({KEY})", "an unknown function"),
        (f"ROW_NUMBER() OVER (ORDER BY {DATE} ROWS UNBOUNDED PRECEDING)", "takes no frame"),
        ('"T".* EXCLUDE ("STATUS")', "not excluded"),
        # arithmetic
        (f"CAST({AMOUNT} AS DOUBLE) / CAST({AMOUNT} AS DOUBLE)", "x / 0 is an error"),
        (f"{AMOUNT} / 3", "rounded to 6 digits"),
        (f"{AMOUNT} / 3.0", "rounded to 6 digits"),
        (f"AVG({AMOUNT})", "another scale"),
        ("1 +", "cannot be parsed"),
    ],
)
def test_the_gate_notices(expression: str, fault: str) -> None:
    found = faults(query(expression), SCHEMA)
    assert any(fault in line for line in found), found


@pytest.mark.parametrize(
    ("clause", "fault"),
    [
        ('CROSS JOIN "RAW"."DIM_CUSTOMER" AS "D"', "a join without a condition"),
        (', "RAW"."DIM_CUSTOMER" AS "D"', "a join without a condition"),
        ('SEMI JOIN "RAW"."DIM_CUSTOMER" AS "D" ON TRUE', "no such join"),
        ('ANTI JOIN "RAW"."DIM_CUSTOMER" AS "D" ON TRUE', "no such join"),
        ('INNER JOIN "RAW"."DIM_CUSTOMERS" AS "D" ON TRUE', "no such table"),
        ('INNER JOIN "GOLD"."DIM_CUSTOMER" AS "D" ON TRUE', "no such table"),
        ('INNER JOIN "raw"."dim_customer" AS "D" ON TRUE', '"dim_customer": lower-case'),
    ],
)
def test_the_gate_notices_joins(clause: str, fault: str) -> None:
    found = faults(f"{query(KEY)} {clause}", SCHEMA)
    assert any(fault in line for line in found), found
