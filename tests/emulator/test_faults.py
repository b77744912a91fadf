"""What the front does wrong when a test wants it to, and requests that are sent again."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from snowflake.connector import SnowflakeConnection
from snowflake.connector.errors import OperationalError, ProgrammingError

from backends.emulator.process import Emulator
from emulator.fixtures import LONG, T, answer
from support.processes import GUARD

TABLE = f'{T}."FAULTS"'
INSERT, DELETE = f"INSERT INTO {TABLE} VALUES (1)", f"DELETE FROM {TABLE} WHERE X = 0"
ROWS = f"SELECT COUNT(*) FROM {TABLE}"
NO_SESSION = 390111


@pytest.fixture
def running(adapted: Emulator, session: SnowflakeConnection) -> Iterator[Emulator]:
    answer(session, [f"CREATE OR REPLACE TABLE {TABLE} (X INT)"])
    yield adapted
    adapted.control()


def eventually(what: Callable[[], Any]) -> Any:
    """Return the first true answer."""
    deadline = time.monotonic() + GUARD
    while not (found := what()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return found


def post(client: SnowflakeConnection, sql: str) -> None:
    """Send a statement once, and wait for half a second."""
    assert client.rest
    connection = http.client.HTTPConnection("127.0.0.1", int(client.port or 0), timeout=0.5)
    with contextlib.closing(connection) as line:
        line.request(
            "POST",
            f"/queries/v1/query-request?requestId={uuid.uuid4()}",
            json.dumps({"sqlText": sql}),
            {"Authorization": f'Snowflake Token="{client.rest.token}"'},
        )
        line.getresponse()


def in_thread(session: SnowflakeConnection, sql: str) -> tuple[threading.Thread, list[Any]]:
    answers: list[Any] = []
    thread = threading.Thread(target=lambda: answers.append(answer(session, [sql])))
    thread.start()
    return thread, answers


def test_a_request_that_is_sent_again_runs_once(
    running: Emulator, session: SnowflakeConnection
) -> None:
    running.control(lose={"pattern": "^INSERT INTO .*FAULTS"})
    with running.connect() as client:
        assert answer(client, [INSERT]) == [(1,)]
    assert answer(session, [ROWS]) == [(1,)]
    assert [event["sql"] for event in running.events("retry")][-1] == INSERT
    assert running.statements().count(INSERT) == 1


def test_a_request_that_is_sent_again_waits_for_the_first(
    running: Emulator, session: SnowflakeConnection
) -> None:
    running.control(stall={"pattern": "^INSERT INTO .*FAULTS"})
    before = len(running.events("retry"))
    with running.connect(socket_timeout=1) as client:
        thread, answers = in_thread(client, INSERT)
        eventually(lambda: len(running.events("retry")) > before)
        running.control()
        thread.join(GUARD)
        assert answers == [[(1,)]]
    assert answer(session, [ROWS]) == [(1,)]


@pytest.mark.parametrize("gone", ["cut", "answered"])
def test_a_session_is_lost_after_a_statement_ran(
    running: Emulator, session: SnowflakeConnection, gone: Any
) -> None:
    running.control(lose={"pattern": "^COMMIT", "gone": gone}, detached=60)
    with running.connect() as client:
        answer(client, ["BEGIN", INSERT])
        # The connector would send it again.
        with pytest.raises(http.client.RemoteDisconnected):
            post(client, "COMMIT")
        if gone == "answered":
            with pytest.raises(ProgrammingError, match="Session no longer exists"):
                client.cursor().execute("SELECT 1")
        else:
            with pytest.raises(http.client.RemoteDisconnected):
                post(client, "SELECT 1")
    assert answer(session, [ROWS]) == [(1,)]


def test_a_lost_session_is_rolled_back_after_a_while(
    running: Emulator, session: SnowflakeConnection
) -> None:
    running.control(lose={"pattern": DELETE, "gone": "answered", "times": 1}, detached=0.5)
    with running.connect() as client:
        answer(client, ["BEGIN", INSERT])
        with pytest.raises(ProgrammingError, match="Session no longer exists"):
            client.cursor().execute(DELETE)
        eventually(lambda: str(client.session_id) in _ended(running))
    assert answer(session, [DELETE, ROWS]) == [(0,)]


@pytest.mark.parametrize("runs", [True, False])
def test_a_dead_line_answers_nothing(
    running: Emulator,
    session: SnowflakeConnection,
    runs: bool,
) -> None:
    running.control(dead={"pattern": INSERT.replace("(", ".").replace(")", "."), "runs": runs})
    with running.connect() as client:
        for sql in (INSERT, "SELECT 1"):
            with pytest.raises(TimeoutError):
                post(client, sql)
        assert answer(session, [ROWS]) == [(int(runs),)]
        running.control()
        assert answer(client, ["SELECT 1"]) == [(1,)]


def test_nobody_logs_in_over_a_dead_line(running: Emulator) -> None:
    running.control(dead={"pattern": "^SELECT", "logins": True})
    with pytest.raises(OperationalError):
        running.connect(login_timeout=1, socket_timeout=1)


def test_a_stall_may_come_after_a_statement(
    running: Emulator, session: SnowflakeConnection
) -> None:
    running.control(stall={"pattern": "^INSERT INTO .*FAULTS", "after": True})
    with running.connect() as client:
        thread, answers = in_thread(client, INSERT)
        eventually(lambda: answer(session, [ROWS]) == [(1,)])
        assert thread.is_alive()
        running.control()
        thread.join(GUARD)
        assert answers == [[(1,)]]


def test_faults_choose_a_statement_by_tag_and_number(running: Emulator) -> None:
    refused = {"errno": 3001, "sqlstate": "42501", "message": "No."}
    running.control(
        fail={"pattern": "^SELECT", "tag": '"mart": "x"', "skip": 1, "times": 1, **refused}
    )

    def errno(tag: str) -> int | None:
        try:
            client.cursor().execute("SELECT 1", _statement_params={"QUERY_TAG": tag})
        except ProgrammingError as error:
            return error.errno
        return None

    tags = ['{"mart": "y"}', '{"mart": "x"}', '{"mart": "y"}', '{"mart": "x"}', '{"mart": "x"}']
    with running.connect() as client:
        assert [errno(tag) for tag in tags] == [None, None, None, 3001, None]


def test_a_long_statement_is_asked_for_again(running: Emulator) -> None:
    running.control(stall={"pattern": "^SELECT 48"}, in_progress_after=0.1)
    with running.connect(socket_timeout=2) as client:
        thread, answers = in_thread(client, "SELECT 48")
        time.sleep(0.5)
        assert thread.is_alive()
        running.control(in_progress_after=0.1)
        thread.join(GUARD)
        assert answers == [[(48,)]]
    assert running.statements().count("SELECT 48") == 1


@pytest.mark.parametrize("sql", ["SELECT 49", LONG], ids=["stalled", "running"])
def test_a_statement_has_a_time_limit(running: Emulator, sql: str) -> None:
    running.control(stall={"pattern": "^SELECT 49"})
    with running.connect(session_parameters={"STATEMENT_TIMEOUT_IN_SECONDS": 1}) as client:
        assert answer(client, [sql]) == "000630 57014"
        assert answer(client, ["SELECT 50"]) == [(50,)]


KILLED = """
import sys, time, snowflake.connector
session = snowflake.connector.connect(connection_name="emulator")
for sql in sys.argv[1:]:
    session.cursor().execute(sql)
print(session.session_id, flush=True)
time.sleep(600)
"""


def test_the_transaction_of_a_killed_client_is_rolled_back(
    running: Emulator, session: SnowflakeConnection
) -> None:
    running.control(detached=0.3)
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, "BEGIN", INSERT, DELETE],
        env=os.environ | running.environment,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout
        number = process.stdout.readline().strip()
        time.sleep(1)
        assert number not in _ended(running)
        process.send_signal(signal.SIGKILL)
    eventually(lambda: number in _ended(running))
    assert answer(session, [DELETE, ROWS]) == [(0,)]


def test_a_session_is_aborted_by_another(running: Emulator, session: SnowflakeConnection) -> None:
    with running.connect() as client:
        answer(client, ["BEGIN", INSERT, DELETE])
        answer(session, [f"SELECT SYSTEM$ABORT_SESSION({client.session_id})"])
        assert answer(session, [DELETE, ROWS]) == [(0,)]
        assert answer(client, ["SELECT 1"]) == f"{NO_SESSION} n/a"


def _ended(running: Emulator) -> set[str]:
    return {event["session"] for event in running.events("end")}
