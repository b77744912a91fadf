"""Time Travel on the emulator: tables and views at a moment, and when there is no past."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from typing import Any

import pytest
from snowflake.connector import SnowflakeConnection
from snowflake.connector.errors import ProgrammingError

from backends.emulator.process import Emulator
from emulator.fixtures import T, answer

A, V = f'{T}."PAST"', f'{T}."PAST_VIEW"'
UNAVAILABLE = "000707 02000"
CHANGES = (
    f"INSERT INTO {A} VALUES (10, NULL)",
    f"UPDATE {A} SET X = 20 WHERE X = 10",
    (
        f'MERGE INTO {A} AS "T" USING (SELECT 20 AS "Y") AS "S" ON "T"."X" = "S"."Y"'
        ' WHEN MATCHED THEN UPDATE SET "X" = 30'
    ),
    f"DELETE FROM {A} WHERE X = 1",
    f"INSERT OVERWRITE INTO {A} SELECT 40, NULL",
    f"ALTER TABLE {A} DROP COLUMN Y",
)


def written(moment: datetime.datetime) -> str:
    text = moment.isoformat(sep=" ", timespec="milliseconds").replace("+00:00", " +00:00")
    return f"TO_TIMESTAMP_TZ('{text}', 'YYYY-MM-DD HH24:MI:SS.FF3 TZH:TZM')"


def now(session: SnowflakeConnection) -> datetime.datetime:
    """Return the account's time, in whole milliseconds that have passed."""
    ((moment,),) = answer(session, ["SELECT CURRENT_TIMESTAMP()"])
    later: datetime.datetime = moment.astimezone(datetime.UTC) + datetime.timedelta(milliseconds=1)
    while answer(session, ["SELECT CURRENT_TIMESTAMP()"])[0][0] <= later:
        pass
    return later


def at(session: SnowflakeConnection, moment: datetime.datetime, table: str = A) -> Any:
    return answer(
        session, [f'SELECT "P"."X" FROM {table} AT(TIMESTAMP => {written(moment)}) AS "P"']
    )


@pytest.fixture
def other(adapted: Emulator, session: SnowflakeConnection) -> Iterator[SnowflakeConnection]:
    create = f"CREATE OR REPLACE TABLE {A} (X INT, Y VARCHAR)"
    view = f'CREATE OR REPLACE VIEW {V} AS SELECT SUM(X) AS "X" FROM {A} WHERE X > 0'
    answer(session, [create, view, f"INSERT INTO {A} VALUES (1, 'a')"])
    with adapted.connect() as other:
        yield other


def test_fakesnow_has_no_past(raw_session: SnowflakeConnection) -> None:
    answer(raw_session, [f"CREATE OR REPLACE TABLE {A} AS SELECT 1 AS X"])
    assert at(raw_session, datetime.datetime.now(datetime.UTC)) != [(1,)]


def test_a_table_and_a_view_at_each_moment(
    session: SnowflakeConnection, other: SnowflakeConnection
) -> None:
    seen = []
    for sql in CHANGES:
        rows = "SELECT X FROM {} ORDER BY X"
        seen.append((now(session), *(answer(session, [rows.format(each)]) for each in (A, V))))
        answer(other, [sql])
    for moment, table, view in seen:
        assert sorted(at(session, moment)) == table
        assert at(session, moment, V) == view
    create = f'CREATE OR REPLACE TABLE {T}."FROM_PAST" AS SELECT * FROM {A} AT(TIMESTAMP => {{}})'
    copy = create.format(written(seen[0][0]))
    assert answer(session, [copy, f'SELECT * FROM {T}."FROM_PAST"']) == [(1, "a")]


def test_a_transaction_changes_when_it_commits(
    session: SnowflakeConnection, other: SnowflakeConnection
) -> None:
    before = now(session)
    answer(other, ["BEGIN", f"UPDATE {A} SET X = 2"])
    meanwhile = now(session)
    answer(other, [f"UPDATE {A} SET X = 3", "COMMIT"])
    after = now(session)
    assert [at(session, each) for each in (before, meanwhile, after)] == [[(1,)], [(1,)], [(3,)]]
    answer(other, ["BEGIN", f"UPDATE {A} SET X = 4", "ROLLBACK"])
    assert at(session, now(session)) == [(3,)]


@pytest.mark.usefixtures("other")
def test_there_is_no_past_before_a_table_was_created(session: SnowflakeConnection) -> None:
    before = now(session)
    answer(session, [f"CREATE TABLE IF NOT EXISTS {A} (X INT)"])
    assert at(session, before) == [(1,)]
    answer(session, [f"CREATE OR REPLACE TABLE {A} AS SELECT 5 AS X"])
    assert at(session, now(session)) == [(5,)]
    with pytest.raises(ProgrammingError) as caught:
        session.cursor().execute(f"SELECT * FROM {A} AT(TIMESTAMP => {written(before)})")
    assert (caught.value.errno, caught.value.sqlstate) == (707, "02000")
    assert "Time travel data is not available for table PAST. The" in str(caught.value.raw_msg)
    assert at(session, before, V) == UNAVAILABLE
    assert at(session, before, f'{T}."NOWHERE"') == "002003 42S02"


def test_there_is_no_past_without_retention(adapted: Emulator) -> None:
    schema = '"MARTS"."WITHOUT_PAST"'
    table, kept = f'{schema}."T"', f'{schema}."KEPT"'
    # A new schema becomes the session's.
    with adapted.connect() as session:
        answer(
            session,
            [
                f"CREATE TRANSIENT SCHEMA {schema} DATA_RETENTION_TIME_IN_DAYS = 0",
                f"CREATE TABLE {table} AS SELECT 1 AS X",
                f"CREATE TABLE {kept} DATA_RETENTION_TIME_IN_DAYS = 1 AS SELECT 1 AS X",
            ],
        )
        assert at(session, now(session), table) == UNAVAILABLE
        assert at(session, now(session), kept) == [(1,)]
        answer(session, [f"ALTER TABLE {kept} SET DATA_RETENTION_TIME_IN_DAYS = 0"])
        assert at(session, now(session), kept) == UNAVAILABLE
        answer(session, [f"CREATE OR REPLACE TABLE {A} CLONE {kept}"])
        assert at(session, now(session), A) == UNAVAILABLE


def test_the_catalog_says_when_a_table_was_changed(
    session: SnowflakeConnection, other: SnowflakeConnection
) -> None:
    catalog = (
        'SELECT "CREATED", "LAST_DDL", "LAST_ALTERED", "RETENTION_TIME"'
        ' FROM "MARTS"."INFORMATION_SCHEMA"."TABLES"'
        " WHERE \"TABLE_SCHEMA\" = 'T' AND \"TABLE_NAME\" = 'PAST'"
    )
    ((created, defined, altered, retention),) = answer(session, [catalog])
    assert (retention, created <= defined < altered) == (1, True)
    answer(other, ["BEGIN", f"DELETE FROM {A}"])
    assert answer(session, [catalog]) == [(created, defined, altered, 1)]
    answer(other, ["COMMIT"])
    ((_, _, deleted, _),) = answer(session, [catalog])
    answer(other, [f"ALTER TABLE {A} SET DATA_RETENTION_TIME_IN_DAYS = 0"])
    ((same, later, last, none),) = answer(session, [catalog])
    assert (same, none, altered < deleted < later <= last) == (created, 0, True)


@pytest.mark.usefixtures("other")
def test_some_kinds_have_no_past(session: SnowflakeConnection) -> None:
    assert at(session, now(session)) == [(1,)]
    secure = f'CREATE OR REPLACE SECURE VIEW {T}."SECURE" AS SELECT X FROM {A}'
    answer(session, [secure])
    assert at(session, now(session), f'{T}."SECURE"') == "000002 0A000"
    store = '"MARTS"._fs_information_schema._overrides'
    columns = "(table_schema, table_name, table_type)"
    answer(session, [f"INSERT INTO {store} {columns} VALUES ('T', 'PAST', 'EXTERNAL TABLE')"])
    assert at(session, now(session)) == "000002 0A000"
    answer(session, [f"DELETE FROM {store}"])
    assert at(session, now(session)) == [(1,)]
