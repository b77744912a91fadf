"""Every statement for Snowflake resolves against upper-case tables, and holds what is reviewed."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest
import sqlglot.expressions as sge
from ibis.backends.sql.datatypes import SnowflakeType

from backends import snowflake_ddl as ddl
from backends.snowflake_source import Source, assumed_source, find_source
from backends.snowflake_sql import Namespace, compile_query
from marts.core.plan.steps import Build
from marts.core.query.contract import schema_of
from marts.core.run.backend import Contract
from support.grammar import check
from support.snowflake_faults import faults
from support.statements import MARTS, SOURCES, builds, plan, snowflake_schema, snowflake_statements

SCHEMA = snowflake_schema()


@pytest.fixture(scope="module")
def statements() -> Mapping[str, str]:
    return dict(snowflake_statements())


def test_snowflake_would_take_every_statement(statements: Mapping[str, str]) -> None:
    found = {name: faults(sql, SCHEMA) for name, sql in statements.items()}
    wrong = [
        "\n  ".join([f"{name}:", *lines, statements[name]])
        for name, lines in found.items()
        if lines
    ]
    assert len(found) > 250
    assert not wrong, "\n\n".join(wrong)


def test_snowflakes_grammar_has_every_statement(statements: Mapping[str, str]) -> None:
    sent = [candidate(sql) if name in MARTS else sql for name, sql in statements.items()]
    check(sent)


def candidate(query: str) -> str:
    """Return the statement that builds a mart."""
    return ddl.create_table_as('"DB1"."GOLD"."T"', query)


def test_every_source_and_mart_is_read_by_some_statement(statements: Mapping[str, str]) -> None:
    everything = "".join(statements.values())
    assert [name for name in SOURCES if f'"RAW"."{name.upper()}"' not in everything] == []
    assert [name for name in MARTS if f'"GOLD"."{name.upper()}"' not in everything] == []


CONTRACTS = {name: Contract(schema_of(source.columns)) for name, source in SOURCES.items()}
WIDER = {"int64": (38, 0), "decimal(10, 2)": (38, 4)}


def as_unloaded_elsewhere(name: str) -> Source:
    """Return a source whose table and columns are lower-case, its numbers wider."""
    rows = [
        {
            "TABLE_NAME": name,
            "COLUMN_NAME": column,
            "DATA_TYPE": "NUMBER" if str(kind) in WIDER else SNOWFLAKES[str(kind)],
            "NUMERIC_PRECISION": WIDER.get(str(kind), (None, None))[0],
            "NUMERIC_SCALE": WIDER.get(str(kind), (None, None))[1],
        }
        for column, kind in CONTRACTS[name].schema.items()
    ]
    source = find_source(name, CONTRACTS[name], [name], rows)
    assert source
    assert source.misfits == ()
    return source


SNOWFLAKES = {
    "string": "TEXT",
    "float64": "FLOAT",
    "date": "DATE",
    "boolean": "BOOLEAN",
    "timestamp": "TIMESTAMP_NTZ",
}


def built(source_of: Callable[[str], Source]) -> dict[str, str]:
    """Return the SQL of each mart, over sources as they are found."""
    return {
        step.mart.name: compile_query(
            step.query,
            sources=SOURCES,
            source_namespace=Namespace("RAW"),
            namespace=Namespace("GOLD"),
            source_of=lambda name: source_of(name).qualified(Namespace("RAW")),
        )
        for step in plan().steps
        if isinstance(step, Build)
    }


def test_sources_as_their_contracts_have_them_change_no_statement() -> None:
    assert built(lambda name: assumed_source(name, CONTRACTS[name])) == builds()


def test_snowflake_would_take_statements_over_sources_in_lower_case() -> None:
    schema, spelled = snowflake_schema(), set(SOURCES)
    for name, contract in CONTRACTS.items():
        types = {column: SnowflakeType.to_string(kind) for column, kind in contract.schema.items()}
        schema.add_table(sge.table_(name, db="RAW", quoted=True), types)
        spelled |= types.keys()
    statements = built(as_unloaded_elsewhere)
    found = {name: faults(sql, schema, spelled=spelled) for name, sql in statements.items()}
    assert {name: lines for name, lines in found.items() if lines} == {}
    everything = "".join(statements.values())
    assert [name for name in SOURCES if f'"RAW"."{name}"' not in everything] == []
    assert not any(f'"RAW"."{name.upper()}"' in everything for name in SOURCES)
    assert 'CAST("S"."transaction_amount" AS DECIMAL(10, 2)) AS "TRANSACTION_AMOUNT"' in everything


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
        (f"TRY_CAST({KEY} AS INT)", "text only"),
        (f"({AMOUNT} > 0) IS TRUE", "IS TRUE"),
        ("CAST('NaN' AS DOUBLE)", "not a number"),
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
