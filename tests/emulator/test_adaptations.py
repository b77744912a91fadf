"""Each adaptation is needed: fakesnow as it is answers otherwise than Snowflake does.

Where fakesnow has come to answer rightly, a test here fails, and the adaptation can go.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from snowflake.connector import SnowflakeConnection

from backends.emulator import adaptations
from backends.emulator.definitions import type_changes
from backends.emulator.errors import errors
from backends.emulator.process import Emulator
from backends.emulator.time_travel import time_travel
from backends.emulator.transactions import overwriting, transactions
from emulator.fixtures import T, answer


@dataclass(frozen=True)
class Case:
    """Statements, and what Snowflake answers to the last, or where it stops."""

    adaptation: Callable[[], None]
    statements: tuple[str, ...]
    right: Any


TWO_TABLES = (
    f'CREATE TABLE {T}."OLD_{{0}}" AS SELECT 1 AS "X"',
    f'CREATE TABLE {T}."NEW_{{0}}" AS SELECT 2 AS "X"',
)
COMMENTS = (
    'SELECT "COLUMN_NAME", "COMMENT" FROM "MARTS"."INFORMATION_SCHEMA"."COLUMNS"'
    ' WHERE "TABLE_SCHEMA" = \'T\' AND "TABLE_NAME" = \'{}\' ORDER BY "ORDINAL_POSITION"'
)
SCHEMATA = (
    'SELECT "SCHEMA_NAME" FROM "MARTS"."INFORMATION_SCHEMA"."SCHEMATA"'
    " WHERE \"SCHEMA_NAME\" ILIKE 'LOWER'"
)
TABLE = (
    'SELECT {} FROM "MARTS"."INFORMATION_SCHEMA"."TABLES"'
    " WHERE \"TABLE_SCHEMA\" = 'T' AND \"TABLE_NAME\" = '{}'"
)

CASES = {
    "CLONE … COPY GRANTS to a free name": Case(
        adaptations.unparsed_statements,
        (
            *(sql.format("A") for sql in TWO_TABLES),
            f'CREATE OR REPLACE TRANSIENT TABLE {T}."FREE" CLONE {T}."NEW_A" COPY GRANTS',
            f'SELECT * FROM {T}."FREE"',
        ),
        [(2,)],
    ),
    "comments on several columns at once": Case(
        adaptations.unparsed_statements,
        (
            f'CREATE TABLE {T}."SEVERAL" AS SELECT 1 AS "X", 2 AS "Y", 3 AS "Z"',
            (
                f"ALTER TABLE {T}.\"SEVERAL\" MODIFY\n  COLUMN \"X\" COMMENT 'a, ''b''',"
                '\n  COLUMN "Z" COMMENT \'it\\\'s "c"\''
            ),
            COMMENTS.format("SEVERAL"),
        ),
        [("X", "a, 'b'"), ("Y", None), ("Z", 'it\'s "c"')],
    ),
    "a lower-case column": Case(
        adaptations.quoted_case,
        (f'CREATE TABLE {T}."CASED" AS SELECT 1 AS "X"', f'SELECT "x" FROM {T}."CASED"'),
        "000904 42000",
    ),
    "a lower-case column in a window": Case(
        adaptations.quoted_case,
        ('SELECT LAG("T"."X") OVER (ORDER BY "t"."x") FROM (SELECT 1 AS "X") AS "T"',),
        "000904 42000",
    ),
    "a lower-case table": Case(
        adaptations.quoted_case,
        (f'CREATE TABLE {T}."CASED_TABLE" AS SELECT 1 AS "X"', f'SELECT 1 FROM {T}."cased_table"'),
        "002003 42S02",
    ),
    "CLONE over a table": Case(
        adaptations.clones,
        (
            *(sql.format("B") for sql in TWO_TABLES),
            f'CREATE OR REPLACE TRANSIENT TABLE {T}."OLD_B" CLONE {T}."NEW_B"',
            f'SELECT * FROM {T}."OLD_B"',
        ),
        [(2,)],
    ),
    "CLONE takes comments along": Case(
        adaptations.clones,
        (
            f'CREATE TABLE {T}."COMMENTED" ("X" INT COMMENT \'a\', "Y" INT)',
            f'CREATE TABLE {T}."CLONED" CLONE {T}."COMMENTED"',
            COMMENTS.format("CLONED"),
        ),
        [("X", "a"), ("Y", None)],
    ),
    "a table's comment": Case(
        adaptations.comments,
        (
            (
                f'CREATE OR REPLACE TRANSIENT TABLE {T}."QUOTED" DATA_RETENTION_TIME_IN_DAYS = 1'
                " COMMENT = 'it''s, it\\'s' AS SELECT 1 AS \"X\""
            ),
            TABLE.format('"COMMENT"', "QUOTED"),
        ),
        [("it's, it's",)],
    ),
    "a view's comments": Case(
        adaptations.comments,
        (
            (
                f'CREATE OR REPLACE VIEW {T}."V" ("X" COMMENT \'it\'\'s x\', "Y") COPY GRANTS'
                ' COMMENT = \'d\' AS SELECT 1 AS "A", 2 AS "B"'
            ),
            COMMENTS.format("V"),
        ),
        [("X", "it's x"), ("Y", None)],
    ),
    "SCHEMATA": Case(
        adaptations.information_schema,
        (
            (
                'SELECT "SCHEMA_NAME" FROM "MARTS"."INFORMATION_SCHEMA"."SCHEMATA"'
                " WHERE \"SCHEMA_NAME\" = 'T'"
            ),
        ),
        [("T",)],
    ),
    "views among TABLES": Case(
        adaptations.information_schema,
        (
            f'CREATE VIEW {T}."LISTED" AS SELECT 1 AS "X"',
            TABLE.format('"TABLE_TYPE", "ROW_COUNT"', "LISTED"),
        ),
        [("VIEW", None)],
    ),
    "a table's time of creation": Case(
        adaptations.information_schema,
        (
            f'CREATE TABLE {T}."YOUNG" ("X" INT)',
            TABLE.format('DATEDIFF(MINUTE, "CREATED", CURRENT_TIMESTAMP()) < 5', "YOUNG"),
        ),
        [(True,)],
    ),
    "a grant": Case(
        adaptations.governance,
        (
            f'CREATE TABLE {T}."GRANTED" ("X" INT)',
            f'GRANT SELECT ON TABLE {T}."GRANTED" TO ROLE "R"',
            f'SHOW GRANTS ON TABLE {T}."GRANTED"',
        ),
        [
            ("OWNERSHIP", "TABLE", f'{T}."GRANTED"', "ROLE", "MARTS_ROLE", "true"),
            ("SELECT", "TABLE", f'{T}."GRANTED"', "ROLE", "R", "false"),
        ],
    ),
    "a lower-case schema": Case(
        adaptations.information_schema,
        (
            'CREATE SCHEMA "MARTS"."lower"',
            f"USE SCHEMA {T}",
            SCHEMATA,
        ),
        [("lower",)],
    ),
    "a transient table": Case(
        adaptations.information_schema,
        (
            f'CREATE TRANSIENT TABLE {T}."PASSING" ("X" INT)',
            TABLE.format('"IS_TRANSIENT", "IS_DYNAMIC", "RETENTION_TIME"', "PASSING"),
        ),
        [("YES", "NO", 1)],
    ),
    "a table of another kind": Case(
        adaptations.information_schema,
        (
            f'CREATE TABLE {T}."DYNAMIC" ("X" INT)',
            (
                'INSERT INTO "MARTS"."_FS_INFORMATION_SCHEMA"."_OVERRIDES"'
                " (table_schema, table_name, is_dynamic) VALUES ('T', 'DYNAMIC', 'YES')"
            ),
            TABLE.format('"TABLE_TYPE", "IS_DYNAMIC"', "DYNAMIC"),
        ),
        [("BASE TABLE", "YES")],
    ),
    "1 / 0": Case(adaptations.division_by_zero, ("SELECT 1 / 0",), "100051 22012"),
    "float / 0": Case(
        adaptations.division_by_zero,
        ('SELECT 2 / ("X" / 3) FROM (SELECT CAST(0 AS DOUBLE) AS "X")',),
        "100051 22012",
    ),
    "an exact sum": Case(
        adaptations.exact_sums,
        (
            (
                'SELECT SUM("X") FROM (SELECT CAST(12345678901234.01 AS DECIMAL(18, 2)) AS "X"'
                " UNION ALL SELECT 12345678901234.02)"
            ),
        ),
        [(Decimal("24691357802468.03"),)],
    ),
    "NULL timestamps": Case(
        adaptations.null_timestamps,
        (
            (
                "SELECT CAST(NULL AS TIMESTAMP_NTZ), CAST(NULL AS DATE),"
                " CAST('2024-02-29 01:02:03' AS TIMESTAMP_NTZ)"
            ),
        ),
        [(None, None, datetime.datetime(2024, 2, 29, 1, 2, 3))],  # noqa: DTZ001  (as it is sent)
    ),
    "who and where": Case(
        adaptations.session_functions,
        (
            (
                "SELECT CURRENT_USER(), CURRENT_ROLE(), CURRENT_WAREHOUSE(), CURRENT_DATABASE(),"
                " CURRENT_SCHEMA()"
            ),
        ),
        [("MARTS", "MARTS_ROLE", "MARTS_WH", "MARTS", "T")],
    ),
    "a role of the session": Case(
        adaptations.roles_in_session,
        ("SELECT IS_ROLE_IN_SESSION('MARTS_ROLE'), IS_ROLE_IN_SESSION('ANALYST')",),
        [(True, False)],
    ),
    "a parameter of the session": Case(
        adaptations.session_parameters,
        ("SHOW PARAMETERS LIKE 'client_prefetch%' IN SESSION",),
        [("CLIENT_PREFETCH_THREADS", "4", "", "", "", "")],
    ),
    "a parameter of a schema": Case(
        adaptations.session_parameters,
        (f"SHOW PARAMETERS LIKE 'DEFAULT_DDL_COLLATION' IN SCHEMA {T}",),
        [("DEFAULT_DDL_COLLATION", "", "", "", "", "")],
    ),
    "NULL where it may not be": Case(
        errors,
        (
            f'CREATE TABLE {T}."STRICT" ("X" VARCHAR NOT NULL)',
            f'INSERT INTO {T}."STRICT" VALUES (NULL)',
        ),
        "100072 22000",
    ),
    "a database that is not there": Case(errors, ('SELECT * FROM "NODB"."T"."X"',), "002003 02000"),
    "a column that is not there": Case(
        errors, ('SELECT "Y" FROM (SELECT 1 AS "X")',), "000904 42000"
    ),
    "no SQL": Case(errors, ("SELECT FROM WHERE",), "001003 42000"),
}


@pytest.mark.parametrize("name", CASES)
def test_only_adapted_it_answers_as_snowflake_does(
    raw_session: SnowflakeConnection, session: SnowflakeConnection, name: str
) -> None:
    case = CASES[name]
    assert answer(session, case.statements) == case.right
    assert answer(raw_session, case.statements) != case.right


def test_numbers_arrive_as_the_smallest_integers(raw: Emulator, adapted: Emulator) -> None:
    sql = 'SELECT 1 AS "I", CAST(1.5 AS DECIMAL(18, 2)) AS "D", 3E9::BIGINT AS "B"'

    def types(emulator: Emulator, *, arrow_number_to_decimal: bool) -> list[str]:
        with emulator.connect(arrow_number_to_decimal=arrow_number_to_decimal) as session:
            cursor = session.cursor()
            cursor.execute(sql)
            table = cursor.fetch_arrow_all()
        assert table
        return [str(kind) for kind in table.schema.types]

    right = ["int8", "decimal128(38, 2)", "int64"]
    assert types(adapted, arrow_number_to_decimal=True) == right
    assert types(adapted, arrow_number_to_decimal=False) == ["int8", "double", "int64"]
    assert types(raw, arrow_number_to_decimal=True) != right
    assert types(raw, arrow_number_to_decimal=False)[1] != "double"


def test_a_stage_has_folders(
    raw_session: SnowflakeConnection, session: SnowflakeConnection, tmp_path: Path
) -> None:
    amounts = pa.array([Decimal("1.50"), None], pa.decimal128(10, 2))
    times = pa.array([datetime.datetime(2024, 2, 29), None], pa.timestamp("us"))  # noqa: DTZ001
    for number in (1, 2):
        file = tmp_path / f"part {number}.parquet"
        # As Snowflake's own unloading has it: decimals in integers.
        pq.write_table(
            pa.table({"amount": amounts, "at": times}), file, store_decimal_as_integer=True
        )
    stage = f'@{T}."STAGE"/loaded'
    quoted = f"'{stage}/'"
    statements = [
        f'CREATE TEMPORARY STAGE {T}."STAGE"',
        f'CREATE TABLE {T}."LOADED" ("AT" TIMESTAMP_NTZ, "AMOUNT" NUMBER(10, 2))',
        f"PUT 'file://{tmp_path}/part 1.parquet' {stage} AUTO_COMPRESS = FALSE",
        f"PUT 'file://{tmp_path}/part 2.parquet' {quoted} AUTO_COMPRESS = FALSE",
        f"PUT 'file://{tmp_path}/part*.parquet' {stage}_not AUTO_COMPRESS = FALSE",
        (
            f'COPY INTO {T}."LOADED" FROM {quoted}'
            " FILE_FORMAT = (TYPE = PARQUET USE_LOGICAL_TYPE = TRUE)"
            " MATCH_BY_COLUMN_NAME = CASE_INSENSITIVE"
        ),
        f'SELECT COUNT(*), SUM("AMOUNT"), MIN("AT") FROM {T}."LOADED"',
    ]
    right = [(4, Decimal("3.00"), datetime.datetime(2024, 2, 29))]  # noqa: DTZ001
    assert answer(session, statements) == right
    assert answer(raw_session, statements) != right


def test_a_temporary_table_ends_with_its_session(raw: Emulator, adapted: Emulator) -> None:
    create = 'CREATE TEMPORARY TABLE "MARTS"."PUBLIC"."OWN" ("X" INT)'
    read = 'SELECT COUNT(*) FROM "MARTS"."PUBLIC"."OWN"'
    for emulator, right in ((raw, False), (adapted, True)):
        with emulator.connect(network_timeout=1) as session:
            answer(session, ["CREATE SCHEMA IF NOT EXISTS MARTS.PUBLIC"])
            assert (answer(session, [create, read]) == [(0,)]) is right
    with adapted.connect() as session:
        assert answer(session, [read]) == "002003 42S02"


def test_connecting_creates_no_database(raw: Emulator, adapted: Emulator) -> None:
    sql = 'SELECT "TABLE_NAME" FROM "NOWHERE"."INFORMATION_SCHEMA"."TABLES"'
    with adapted.connect(database="NOWHERE") as session:
        assert session.database is None
        assert answer(session, [sql]) == "002003 02000"
    with raw.connect(database="NOWHERE") as session:
        assert answer(session, [sql]) == []


def test_every_adaptation_is_tested() -> None:
    elsewhere = {
        adaptations.whole_numbers,
        adaptations.stage_folders,
        adaptations.temporary_tables,
        adaptations.connecting_creates_nothing,
        adaptations.merges,
        adaptations.row_hashes,
        type_changes,
        overwriting,
        time_travel,
        transactions,
    }
    tested = {case.adaptation for case in CASES.values()} | elsewhere
    assert tested == set(adaptations.ADAPTATIONS)


def test_a_lower_case_name_is_known_where_it_is_spelled_so(session: SnowflakeConnection) -> None:
    create = f'CREATE TABLE {T}."spelled" AS SELECT 1 AS "x", 2 AS "Y"'
    assert answer(session, [create, f'SELECT "S"."x", "Y" FROM {T}."spelled" AS "S"']) == [(1, 2)]
    assert answer(session, [f'SELECT "y" FROM {T}."spelled"']) == "000904 42000"
    assert answer(session, [f'SELECT 1 FROM {T}."Spelled"']) == "002003 42S02"


def test_other_divisions_divide(session: SnowflakeConnection) -> None:
    sql = 'SELECT DIV0(1, "X"), 1 / NULLIF("X", 0), 6 / 4, 1 / ("Y" / 2) FROM (SELECT 0 X, 4 Y)'
    assert answer(session, [sql]) == [(0, None, 1.5, 0.5)]


def test_the_catalog_has_snowflakes_types(session: SnowflakeConnection) -> None:
    types = {
        "BIGINT": ("NUMBER", 38, 0),
        "NUMBER(38, 0)": ("NUMBER", 38, 0),
        "DECIMAL(18, 2)": ("NUMBER", 18, 2),
        "DOUBLE": ("FLOAT", None, None),
        "DATE": ("DATE", None, None),
        "VARCHAR": ("TEXT", None, None),
        "BOOLEAN": ("BOOLEAN", None, None),
        "TIMESTAMP_NTZ": ("TIMESTAMP_NTZ", None, None),
        "TIMESTAMP": ("TIMESTAMP_NTZ", None, None),
    }
    columns = ", ".join(f'CAST(NULL AS {name}) AS "C{number}"' for number, name in enumerate(types))
    catalog = (
        'SELECT "DATA_TYPE", "NUMERIC_PRECISION", "NUMERIC_SCALE"'
        ' FROM "MARTS"."INFORMATION_SCHEMA"."COLUMNS"'
        ' WHERE "TABLE_SCHEMA" = \'T\' AND "TABLE_NAME" = \'TYPED\' ORDER BY "ORDINAL_POSITION"'
    )
    statements = [f'CREATE TABLE {T}."TYPED" AS SELECT {columns}', catalog]
    assert answer(session, statements) == list(types.values())


@pytest.mark.usefixtures("raw_session", "session")
def test_merge_needs_no_current_schema(raw: Emulator, adapted: Emulator) -> None:
    def merge(name: str, day: str) -> str:
        return (
            f'MERGE INTO {T}."STATE" AS "T"'
            f' USING (SELECT \'{name}\' AS "MART" UNION ALL SELECT \'b\' AS "MART") AS "S"'
            ' ON "T"."MART" = "S"."MART"'
            f" WHEN MATCHED THEN UPDATE SET \"AS_OF\" = CAST('{day}' AS DATE)"
            ' WHEN NOT MATCHED THEN INSERT ("MART", "AS_OF")'
            f' VALUES ("S"."MART", CAST(\'{day}\' AS DATE))'
        )

    create = (
        f'CREATE TABLE IF NOT EXISTS {T}."STATE"'
        ' ("MART" VARCHAR NOT NULL, "AS_OF" DATE, "AT" TIMESTAMP_NTZ)'
    )
    rows = f'SELECT * FROM {T}."STATE" ORDER BY "MART"'
    statements = [create, merge("a", "2024-01-01"), create, merge("c", "2024-02-01"), rows]
    first, second = datetime.date(2024, 1, 1), datetime.date(2024, 2, 1)
    right = [("a", first, None), ("b", second, None), ("c", second, None)]
    with adapted.connect(schema="NOWHERE") as session:
        assert session.schema is None
        assert answer(session, statements) == right
    with raw.connect(schema=None, network_timeout=1) as session:
        assert answer(session, statements) != right


def test_large_results_arrive_whole(session: SnowflakeConnection) -> None:
    with session.cursor() as cursor:
        cursor.execute('SELECT SEQ4() AS "X" FROM TABLE(GENERATOR(ROWCOUNT => 300000))')
        table = cursor.fetch_arrow_all()
    assert table is not None
    assert table.num_rows == 300_000
