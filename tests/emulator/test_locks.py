"""Locks of the emulator: who waits for whom, how long, and who does not."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from snowflake.connector import SnowflakeConnection
from snowflake.connector.errors import ProgrammingError

from backends.emulator.process import Emulator
from emulator.fixtures import T, answer
from support.processes import GUARD

A, B = f'{T}."LOCKED"', f'{T}."FREE"'
LOCKING = {
    "UPDATE": f"UPDATE {A} SET X = X + 1",
    "DELETE": f"DELETE FROM {A} WHERE X > 100",
    "MERGE": (
        f'MERGE INTO {A} AS "T" USING (SELECT 1 AS "Y") AS "S" ON "T"."X" = "S"."Y"'
        ' WHEN NOT MATCHED THEN INSERT ("X") VALUES ("S"."Y")'
    ),
    "INSERT OVERWRITE": f"INSERT OVERWRITE INTO {A} SELECT 1",
}
DEFINING = {
    "ALTER": f"ALTER TABLE {A} ADD COLUMN Y INT",
    "REPLACE": f"CREATE OR REPLACE TABLE {A} (X INT)",
    "DROP": f"DROP TABLE {A}",
}
LOCK_TIMEOUT = "000625 57014"


@pytest.fixture
def holder(adapted: Emulator, session: SnowflakeConnection) -> Iterator[SnowflakeConnection]:
    for table in (A, B):
        answer(session, [f"CREATE OR REPLACE TABLE {table} AS SELECT 1 AS X"])
    with adapted.connect() as holder:
        yield holder


@pytest.fixture
def waiter(adapted: Emulator) -> Iterator[SnowflakeConnection]:
    with adapted.connect(session_parameters={"LOCK_TIMEOUT": 0}) as waiter:
        yield waiter


@pytest.mark.parametrize("first", LOCKING)
def test_a_change_waits_for_a_change(
    holder: SnowflakeConnection, waiter: SnowflakeConnection, first: str
) -> None:
    answer(holder, ["BEGIN", LOCKING[first]])
    for sql in (*LOCKING.values(), *DEFINING.values()):
        assert answer(waiter, [sql]) == LOCK_TIMEOUT
    for sql in (f"SELECT * FROM {A}", f"INSERT INTO {A} VALUES (7)", f"UPDATE {B} SET X = 2"):
        assert answer(waiter, [sql]) == [(1,)] or sql.startswith("UPDATE")
    answer(holder, ["ROLLBACK"])
    assert answer(waiter, [LOCKING["UPDATE"]]) == [(2, 0)]
    assert answer(holder, [LOCKING["UPDATE"]]) == [(2, 0)]


def test_the_words_name_the_statement_and_the_table(
    holder: SnowflakeConnection, waiter: SnowflakeConnection
) -> None:
    ((number,),) = answer(holder, ["BEGIN", LOCKING["UPDATE"], "SELECT CURRENT_TRANSACTION()"])
    with pytest.raises(ProgrammingError) as caught:
        waiter.cursor().execute(LOCKING["DELETE"])
    words = rf"Statement '[-\w]+' has locked table 'LOCKED' in transaction {number} and this lock"
    assert re.match(words, str(caught.value.raw_msg))


def waiting(session: SnowflakeConnection, sql: str) -> tuple[threading.Thread, list[Any]]:
    answers: list[Any] = []
    thread = threading.Thread(target=lambda: answers.append(answer(session, [sql])))
    thread.start()
    thread.join(0.3)
    assert thread.is_alive()
    return thread, answers


@pytest.mark.parametrize("end", ["COMMIT", "ROLLBACK", f"CREATE TABLE IF NOT EXISTS {B} (X INT)"])
def test_it_goes_on_when_the_lock_is_released(
    holder: SnowflakeConnection, session: SnowflakeConnection, end: str
) -> None:
    answer(holder, ["BEGIN", LOCKING["UPDATE"]])
    answer(session, ["BEGIN"])
    thread, answers = waiting(session, f"UPDATE {A} SET X = X * 10")
    answer(holder, [end])
    thread.join(GUARD)
    assert answers == [[(1, 0)]]
    assert answer(session, [f"SELECT X FROM {A}"]) == [(10 if end == "ROLLBACK" else 20,)]
    answer(session, ["ROLLBACK"])


def test_a_waiting_statement_can_be_cancelled(
    holder: SnowflakeConnection, session: SnowflakeConnection, waiter: SnowflakeConnection
) -> None:
    answer(holder, ["BEGIN", LOCKING["UPDATE"]])
    thread, answers = waiting(session, LOCKING["UPDATE"])
    answer(waiter, [f"SELECT SYSTEM$CANCEL_ALL_QUERIES({session.session_id})"])
    thread.join(GUARD)
    assert answers == ["000604 57014"]
    answer(holder, ["COMMIT"])
    assert answer(waiter, [f"SELECT X FROM {A}"]) == [(2,)]


def test_a_lock_ends_with_its_session(
    adapted: Emulator, holder: SnowflakeConnection, session: SnowflakeConnection
) -> None:
    with adapted.connect() as ending:
        answer(ending, ["BEGIN", LOCKING["UPDATE"]])
        thread, answers = waiting(session, LOCKING["UPDATE"])
    thread.join(GUARD)
    assert answers == [[(1, 0)]]
    assert answer(holder, [f"SELECT X FROM {A}"]) == [(2,)]


def test_the_time_to_wait_is_the_sessions(
    holder: SnowflakeConnection, waiter: SnowflakeConnection
) -> None:
    answer(holder, ["BEGIN", LOCKING["UPDATE"], "ALTER SESSION SET LOCK_TIMEOUT = 0"])
    answer(waiter, ["ALTER SESSION SET LOCK_TIMEOUT = 1"])
    thread, answers = waiting(waiter, LOCKING["UPDATE"])
    thread.join(GUARD)
    assert answers == [LOCK_TIMEOUT]
