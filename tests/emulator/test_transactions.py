"""Transactions of the emulator: what other sessions see, and what DDL, errors and ends do."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from snowflake.connector import SnowflakeConnection

from backends.emulator.process import Emulator
from emulator.fixtures import T, answer

A, B = f'{T}."TX_A"', f'{T}."TX_B"'
ROWS = f"SELECT (SELECT SUM(X) FROM {A}), (SELECT SUM(X) FROM {B})"
BEGUN = (f"INSERT INTO {A} VALUES (1)", "BEGIN TRANSACTION", f"UPDATE {A} SET X = 2")


@pytest.fixture
def other(adapted: Emulator, session: SnowflakeConnection) -> Iterator[SnowflakeConnection]:
    for table in (A, B):
        answer(session, [f"CREATE OR REPLACE TABLE {table} (X INT NOT NULL)"])
    with adapted.connect() as other:
        yield other
    answer(session, ["ROLLBACK"])


def test_fakesnow_begins_nothing(raw_session: SnowflakeConnection) -> None:
    assert answer(raw_session, ["BEGIN TRANSACTION", "SELECT 1"]) != [(1,)]
    answer(raw_session, ["ROLLBACK"])


@pytest.mark.parametrize("begin", ["BEGIN", "BEGIN TRANSACTION", "BEGIN WORK"])
@pytest.mark.parametrize(
    ("end", "after"), [("COMMIT", 2), ("ROLLBACK", 1), ("CREATE OR REPLACE VIEW V AS SELECT 1", 2)]
)
def test_others_see_what_is_committed(
    session: SnowflakeConnection, other: SnowflakeConnection, begin: str, end: str, after: int
) -> None:
    done = [("Statement executed successfully.",)]
    insert, _, update = BEGUN
    assert answer(session, [insert, begin]) == done
    answer(session, [update, f"INSERT INTO {B} VALUES (7)"])
    assert answer(session, [ROWS]) == [(2, 7)]
    assert answer(other, [ROWS]) == [(1, None)]
    answer(session, [end])
    assert answer(other, [ROWS]) == [(after, 7 if after == 2 else None)]
    assert answer(session, ["COMMIT"]) == done
    assert answer(session, ["ROLLBACK"]) == done


@pytest.mark.parametrize(
    "wrong", [f"INSERT INTO {B} VALUES (NULL)", "SELECT 1 / 0", f"SELECT NOTHING FROM {A}"]
)
def test_a_transaction_is_open_after_an_error(
    session: SnowflakeConnection, other: SnowflakeConnection, wrong: str
) -> None:
    answer(session, [*BEGUN, f"INSERT INTO {B} SELECT X + 3 FROM {A}"])
    assert answer(session, [wrong]) not in ([], None)
    assert answer(session, [ROWS]) == [(2, 5)]
    answer(session, ["COMMIT"])
    assert answer(other, [ROWS]) == [(2, 5)]


def test_a_failed_transaction_takes_no_statement_if_the_session_says_so(
    adapted: Emulator, other: SnowflakeConnection
) -> None:
    answer(other, BEGUN[:1])
    with adapted.connect(session_parameters={"TRANSACTION_ABORT_ON_ERROR": True}) as session:
        for end in ("ROLLBACK", "COMMIT"):
            answer(session, BEGUN[1:])
            assert answer(session, ["SELECT 1 / 0"]) == "100051 22012"
            assert answer(session, ["SELECT 1"]) == "000603 25P02"
            answer(session, [end])
            assert answer(session, [ROWS]) == [(1, None)]


def test_a_statement_sees_what_others_committed_before_it(
    session: SnowflakeConnection, other: SnowflakeConnection
) -> None:
    answer(session, BEGUN)
    answer(other, [f"INSERT INTO {B} VALUES (4)", f"ALTER TABLE {B} ADD COLUMN Y VARCHAR"])
    assert answer(session, [ROWS]) == [(2, 4)]
    answer(session, [f"INSERT OVERWRITE INTO {B} (X) SELECT X + 4 FROM {B}", "COMMIT"])
    assert answer(other, [ROWS, f"SELECT * FROM {B}"]) == [(8, None)]


def test_a_session_that_ends_rolls_back(adapted: Emulator, other: SnowflakeConnection) -> None:
    with adapted.connect() as session:
        assert answer(session, [*BEGUN, ROWS]) == [(2, None)]
    assert answer(other, [ROWS]) == [(1, None)]


def test_without_autocommit_a_change_opens_a_transaction(
    adapted: Emulator, other: SnowflakeConnection
) -> None:
    answer(other, BEGUN[:1])
    with adapted.connect(session_parameters={"AUTOCOMMIT": False}) as session:
        answer(session, BEGUN[2:])
        assert answer(other, [ROWS]) == [(1, None)]
        answer(session, ["COMMIT"])
        assert answer(other, [ROWS]) == [(2, None)]
        answer(session, [f"UPDATE {A} SET X = 3", "ALTER SESSION SET AUTOCOMMIT = TRUE", "COMMIT"])
        answer(session, [f"UPDATE {A} SET X = X + 1"])
        assert answer(other, [ROWS]) == [(4, None)]


def test_a_transaction_has_a_number(
    session: SnowflakeConnection,
    other: SnowflakeConnection,  # noqa: ARG001  (ends the transaction)
) -> None:
    number = "SELECT CURRENT_TRANSACTION()"
    assert answer(session, [number]) == [(None,)]
    ((first,),) = answer(session, ["BEGIN", number])
    assert first.isdecimal()
    assert answer(session, ["COMMIT", "BEGIN", number]) not in ([(first,)], [(None,)])


def test_overwriting_replaces_the_rows(
    raw_session: SnowflakeConnection, session: SnowflakeConnection, other: SnowflakeConnection
) -> None:
    table = f'{T}."OVER"'
    create = f'CREATE OR REPLACE TABLE {table} ("K" INT NOT NULL, "V" VARCHAR)'
    insert = f"INSERT INTO {table} VALUES (1, 'a'), (2, 'b')"
    overwrite = f'INSERT OVERWRITE INTO {table} ("V", "K") SELECT "V", "K" + 1 FROM {table} AS "S"'
    rows = f"SELECT * FROM {table} ORDER BY 1"
    assert answer(raw_session, [create, insert, overwrite, rows]) != [(2, "a"), (3, "b")]
    answer(session, [create, insert])
    assert answer(session, [f"INSERT OVERWRITE INTO {table} (\"V\") SELECT 'c'"]) == "100072 22000"
    assert answer(session, [rows]) == [(1, "a"), (2, "b")]
    with session.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute(overwrite)
        assert cursor.rowcount == 2
    assert answer(other, [rows]) == [(1, "a"), (2, "b")]
    assert answer(session, [rows]) == [(2, "a"), (3, "b")]
    answer(session, ["COMMIT"])
    assert answer(other, [rows]) == [(2, "a"), (3, "b")]


@pytest.mark.usefixtures("other")
def test_merge_neither_fails_nor_commits_in_a_transaction(
    adapted: Emulator, session: SnowflakeConnection
) -> None:
    table = f'{T}."MERGED"'
    merge = (
        f'MERGE INTO {table} AS "T" USING (SELECT \'a\' AS "K", 1 AS "V"'
        ' UNION ALL SELECT \'b\', 2) AS "S" ON "T"."K" = "S"."K"'
        ' WHEN MATCHED AND CAST("S"."V" AS VARCHAR(5)) <> \'x\' THEN UPDATE SET "V" = "S"."V"'
        ' WHEN NOT MATCHED THEN INSERT ("K", "V") VALUES ("S"."K", "S"."V")'
    )
    rows = f"SELECT * FROM {table} ORDER BY 1"
    answer(session, [f'CREATE TABLE {table} AS SELECT \'a\' AS "K", 0 AS "V"'])
    with adapted.connect(schema=None) as without_schema:
        assert without_schema.schema is None
        for _ in range(2):
            answer(without_schema, ["BEGIN", merge])
            assert answer(without_schema, [rows]) == [("a", 1), ("b", 2)]
            assert answer(session, [rows]) == [("a", 0)]
            answer(without_schema, ["ROLLBACK"])
        answer(without_schema, [merge])
    assert answer(session, [rows]) == [("a", 1), ("b", 2)]


def test_parameters_of_a_session(
    raw_session: SnowflakeConnection, session: SnowflakeConnection
) -> None:
    sql = ["ALTER SESSION SET QUERY_TAG = 'x', LOCK_TIMEOUT = 5", "SELECT 1"]
    assert answer(raw_session, sql) != [(1,)]
    assert answer(session, sql) == [(1,)]
    assert answer(session, ["ALTER SESSION UNSET QUERY_TAG", "SELECT 1"]) == [(1,)]


def test_definitions_that_publishing_sends(adapted: Emulator) -> None:
    schema, table = '"MARTS"."TX_CANDIDATES"', '"MARTS"."TX_CANDIDATES"."T"'
    create = f"CREATE TRANSIENT SCHEMA IF NOT EXISTS {schema} DATA_RETENTION_TIME_IN_DAYS = 0"
    statements = [
        *(create, create),
        (
            f"CREATE TRANSIENT TABLE {table} (\"A\" DECIMAL(10, 2) NOT NULL COMMENT 'a')"
            " DATA_RETENTION_TIME_IN_DAYS = 1 COMMENT = 't'"
        ),
        f"INSERT INTO {table} VALUES (1.5)",
        f"ALTER TABLE {table} ADD COLUMN \"B\" VARCHAR COMMENT 'b'",
        f'ALTER TABLE {table} ALTER COLUMN "A" SET DATA TYPE DECIMAL(18, 2)',
        f'ALTER TABLE {table} ALTER COLUMN "A" DROP NOT NULL',
        f"ALTER TABLE {table} SET COMMENT = 'it''s'",
        f"COMMENT ON COLUMN {table}.\"A\" IS 'new'",
        f"INSERT INTO {table} (\"B\") VALUES ('x')",
    ]
    columns = (
        'SELECT "COLUMN_NAME", "DATA_TYPE", "NUMERIC_PRECISION", "IS_NULLABLE", "COMMENT"'
        ' FROM "MARTS"."INFORMATION_SCHEMA"."COLUMNS"'
        ' WHERE "TABLE_SCHEMA" = \'TX_CANDIDATES\' ORDER BY "ORDINAL_POSITION"'
    )
    right = [("A", "NUMBER", 18, "YES", "new"), ("B", "TEXT", None, "YES", "b")]
    # A new schema becomes the session's.
    with adapted.connect() as session:
        assert answer(session, [*statements, columns]) == right
        comment = (
            'SELECT "COMMENT" FROM "MARTS"."INFORMATION_SCHEMA"."TABLES"'
            " WHERE \"TABLE_SCHEMA\" = 'TX_CANDIDATES'"
        )
        assert answer(session, [comment]) == [("it's",)]
        rows = f"SELECT * FROM {table} ORDER BY 1"
        assert [tuple(map(str, row)) for row in answer(session, [rows])] == [
            ("1.50", "None"),
            ("None", "x"),
        ]


def test_a_hash_of_rows(raw_session: SnowflakeConnection, session: SnowflakeConnection) -> None:
    def of(values: str, a: str = "A", where: str = "TRUE") -> int:
        rows = f"SELECT HASH_AGG({a}, B) FROM (VALUES {values}) AS T (A, B) WHERE {where}"
        (((found,),)) = answer(session, [rows])
        return int(found)

    some = of("(1, 'a'), (2, NULL), (2, NULL)")
    assert of("(2, NULL), (1, 'a'), (2, NULL)") == some
    assert of("(2, NULL), (1, 'a')") != some
    assert of("(2, NULL), (1, 'a'), (NULL, '2')") != some
    assert of("(1, 'a')", where="FALSE") == 0
    assert of("(10.5, 'a')", "A::DECIMAL(18, 4)") == of("(10.5, 'a')", "A::DECIMAL(10, 2)")
    assert of("(100, 'a')", "A::DECIMAL(18, 0)") == of("(100, 'a')", "A::DECIMAL(18, 2)")
    assert of("(100, 'a')", "A::DECIMAL(18, 0)") != of("(10, 'a')", "A::DECIMAL(18, 0)")
    assert isinstance(answer(raw_session, ["SELECT HASH_AGG(1)"]), str)


@pytest.mark.parametrize(
    ("old", "new", "right"),
    [
        ("DECIMAL(10, 2)", "NUMBER(18, 2)", "Statement executed successfully."),
        ("VARCHAR(10)", "VARCHAR(20)", "Statement executed successfully."),
        ("DECIMAL(10, 0)", "BIGINT", "Statement executed successfully."),
        ("DECIMAL(10, 2)", "DECIMAL(10, 3)", "040052 22000"),
        ("DECIMAL(10, 2)", "DECIMAL(8, 2)", "040052 22000"),
        ("BIGINT", "DOUBLE", "002108 22000"),
        ("DATE", "TIMESTAMP_NTZ", "002108 22000"),
    ],
)
def test_a_type_can_only_become_wider(
    raw_session: SnowflakeConnection, session: SnowflakeConnection, old: str, new: str, right: str
) -> None:
    statements = [
        f'CREATE OR REPLACE TABLE {T}."WIDENED" ("A" {old})',
        f'ALTER TABLE {T}."WIDENED" ALTER COLUMN "A" SET DATA TYPE {new}',
    ]
    is_refused = right[0] == "0"
    assert answer(session, statements) == (right if is_refused else [(right,)])
    assert not is_refused or answer(raw_session, statements) != right


def test_two_sessions_may_create_the_same_at_once(
    session: SnowflakeConnection, other: SnowflakeConnection
) -> None:
    creating = [f'CREATE TABLE IF NOT EXISTS {T}."ONCE_{n}" (X INT)' for n in range(20)]
    answers: list[Any] = []
    threads = [
        threading.Thread(target=lambda each=each: answers.append(answer(each, creating)))
        for each in (session, other)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not [each for each in answers if isinstance(each, str)]
