"""The statements that write the table of runs on Snowflake, word for word."""

from __future__ import annotations

import datetime

import pytest

from backends import snowflake_runs_ddl as ddl
from backends.snowflake_ddl import add_own_column, create_own
from marts.core.plan.runs import RUNS_COLUMNS
from support.grammar import check

T = '"DB1"."GOLD"."MARTS_RUNS"'
ROW = {
    "run_id": "R1",
    "status": "publishing",
    "publishing_since": datetime.datetime(2025, 7, 1, 4, 5, 6, 789),  # noqa: DTZ001  (UTC)
    "as_of": datetime.date(2025, 6, 30),
    "seconds": 1.25,
    "marts_built": 4,
    "user_name": None,
    "role_name": None,
    "error": None,
}

# No date is text: what text means depends on the session's parameters.
STATEMENTS = {
    ddl.insert_record(T, ROW): (
        f'INSERT INTO {T} ("RUN_ID", "STATUS", "PUBLISHING_SINCE", "AS_OF", "SECONDS",'
        ' "MARTS_BUILT", "USER_NAME", "ROLE_NAME", "ERROR")\n'
        "SELECT 'R1', 'publishing', TIMESTAMP_NTZ_FROM_PARTS(2025, 7, 1, 4, 5, 6, 789000),"
        " DATE_FROM_PARTS(2025, 6, 30), 1.25, 4, CURRENT_USER(), CURRENT_ROLE(), NULL"
    ),
    ddl.update_run(T, ROW): (
        f"UPDATE {T} SET \"STATUS\" = 'publishing',"
        ' "PUBLISHING_SINCE" = TIMESTAMP_NTZ_FROM_PARTS(2025, 7, 1, 4, 5, 6, 789000),'
        ' "AS_OF" = DATE_FROM_PARTS(2025, 6, 30), "SECONDS" = 1.25, "MARTS_BUILT" = 4,'
        ' "ERROR" = NULL\nWHERE "RUN_ID" = \'R1\''
    ),
    add_own_column(T, "sources_at", "timestamp"): (
        f'ALTER TABLE {T} ADD COLUMN IF NOT EXISTS "SOURCES_AT" TIMESTAMP_NTZ'
    ),
}


@pytest.mark.parametrize(("statement", "text"), STATEMENTS.items())
def test_the_text_of_a_statement(statement: str, text: str) -> None:
    assert statement == text
    check([statement])


def test_the_table_has_a_column_for_each_thing_that_is_recorded() -> None:
    created = create_own(T, RUNS_COLUMNS)
    check([created])
    first, *columns, last = created.splitlines()
    assert (first, last) == (f"CREATE TABLE IF NOT EXISTS {T} (", ")")
    types = dict(column.strip().removesuffix(",").rsplit(" ", 1) for column in columns)
    assert list(types) == [f'"{name.upper()}"' for name in RUNS_COLUMNS]
    wanted = {"STARTED_AT": "TIMESTAMP_NTZ", "AS_OF": "DATE", "SECONDS": "DOUBLE"}
    wanted |= {"MARTS_BUILT": "BIGINT", "QUERY_IDS": "VARCHAR"}
    assert {name: types[f'"{name}"'] for name in wanted} == wanted
