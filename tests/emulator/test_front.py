"""The harness itself: what is recorded, failed, stalled and cancelled, and how to log in."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from snowflake.connector.errors import DatabaseError, OperationalError, ProgrammingError

from backends.emulator.process import Emulator, environment
from emulator.fixtures import LONG, write_connections
from emulator.stand_in import SCENARIOS, stand_in
from support.processes import GUARD

CANCELLED = 604


@pytest.fixture
def running(adapted: Emulator) -> Iterator[Emulator]:
    yield adapted
    adapted.control()


def wait_for(running: Emulator, sql: str) -> None:
    deadline = time.monotonic() + GUARD
    while sql not in running.statements():
        assert time.monotonic() < deadline, running.log()
        time.sleep(0.02)


def test_logins_and_statements_are_recorded(running: Emulator) -> None:
    tag = json.dumps({"mart": "x"})
    with running.connect(session_parameters={"TIMEZONE": "UTC"}) as session:
        session.cursor().execute("SELECT 41", _statement_params={"QUERY_TAG": tag})
        number = str(session.session_id)
    login = running.events("login")[-1]
    assert login["session_parameters"]["TIMEZONE"] == "UTC"
    assert (login["databaseName"], login["roleName"]) == ("MARTS", "MARTS_ROLE")
    assert running.events("statement")[-1] == {
        "kind": "statement",
        "session": number,
        "tag": tag,
        "sql": "SELECT 41",
    }
    assert "secret" not in (running.folder / "record.jsonl").read_text()


def test_control_fails_a_statement(running: Emulator) -> None:
    running.control(
        fail={"pattern": "^SELECT 42", "errno": 3001, "sqlstate": "42501", "message": "No."}
    )
    with running.connect() as session, session.cursor() as cursor:
        with pytest.raises(ProgrammingError) as caught:
            cursor.execute("SELECT 42")
        assert (caught.value.errno, caught.value.sqlstate) == (3001, "42501")
        assert (caught.value.raw_msg, caught.value.sfqid is None) == ("No.", False)
        cursor.execute("SELECT 43")
        running.control()
        cursor.execute("SELECT 42")


def test_control_breaks_the_network_once(running: Emulator) -> None:
    running.control(fail={"pattern": "^SELECT 44", "status": 503, "times": 1})
    with running.connect() as session:
        session.cursor().execute("SELECT 44")
    assert running.statements().count("SELECT 44") == 2


def test_a_stalled_statement_goes_on_when_control_lets_it(running: Emulator) -> None:
    running.control(stall={"pattern": "^SELECT 45"})
    with running.connect() as session:
        thread = threading.Thread(target=session.cursor().execute, args=["SELECT 45"])
        thread.start()
        wait_for(running, "SELECT 45")
        assert thread.is_alive()
        running.control()
        thread.join(timeout=GUARD)
        assert not thread.is_alive()


@pytest.mark.parametrize("sql", ["SELECT 46", LONG], ids=["stalled", "running"])
def test_another_session_cancels(running: Emulator, sql: str) -> None:
    running.control(stall={"pattern": "^SELECT 46"})
    errors: list[int] = []

    def run() -> None:
        with session.cursor() as cursor, pytest.raises(ProgrammingError) as caught:
            cursor.execute(sql)
        errors.append(caught.value.errno)

    with running.connect() as session, running.connect() as other:
        session.cursor().execute('CREATE SCHEMA IF NOT EXISTS "MARTS"."LONG"')
        thread = threading.Thread(target=run)
        thread.start()
        wait_for(running, sql)
        time.sleep(0.2)
        other.cursor().execute(f"SELECT SYSTEM$CANCEL_ALL_QUERIES({session.session_id})")
        thread.join(timeout=GUARD)
        assert errors == [CANCELLED]
        session.cursor().execute("SELECT 47")


def test_temporary_stages_end_with_their_session(running: Emulator) -> None:
    for _ in range(2):
        with running.connect() as session:
            session.cursor().execute('CREATE SCHEMA IF NOT EXISTS "MARTS"."STAGES"')
            session.cursor().execute('CREATE TEMPORARY STAGE "MARTS"."STAGES"."ONCE"')


CLIENT = """
import snowflake.connector
with snowflake.connector.connect(connection_name="keypair") as session:
    print(session.cursor().execute("SELECT CURRENT_ROLE()").fetchall())
"""


def test_a_subprocess_logs_in_with_an_encrypted_key(running: Emulator) -> None:
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", CLIENT],
        env=os.environ | running.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (result.stdout, result.stderr) == ("[('MARTS_ROLE',)]\n", "")
    assert running.events("login")[-1]["authenticator"] == "SNOWFLAKE_JWT"


def test_nobody_is_nowhere(running: Emulator) -> None:
    with pytest.raises(OperationalError):
        running.connect("nowhere", login_timeout=1)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_the_stand_in_refuses(tmp_path: Path, scenario: str) -> None:
    refusal = SCENARIOS[scenario]
    name = "keypair" if "key" in scenario else "emulator"
    with stand_in(scenario) as port:
        write_connections(tmp_path, port)
        account = Emulator(tmp_path, port)
        with pytest.raises(DatabaseError) as caught, account.connect(name) as session:
            session.cursor().execute("SELECT 1")
    assert caught.value.errno == int(refusal.code)
    assert refusal.message in str(caught.value.raw_msg)


def test_private_files_are_private(running: Emulator) -> None:
    modes = {
        (running.folder / name).stat().st_mode & 0o777 for name in ("connections.toml", "key.p8")
    }
    assert modes == {0o600}
    assert environment(running.folder)["SNOWFLAKE_HOME"] == str(running.folder)
