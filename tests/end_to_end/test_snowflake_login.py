"""Every place that the connector, and marts, take their settings from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from support.account import Account
from support.processes import Result

DRY_RUN = ("run", "--backend", "snowflake", "--dry-run", "-s", "int_customers")


@pytest.fixture(scope="module", autouse=True)
def sources(emulated: Account, tmp_path_factory: pytest.TempPathFactory) -> None:
    words = emulated.load_words("LOGIN")
    done = emulated.call(*words, cwd=tmp_path_factory.mktemp("login"))
    assert done.returncode == 0, done.stderr


def assert_logs_in(result: Result, logins: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the login of a command that did its work."""
    assert result.returncode == 0, result.stderr
    assert len(logins) == 1
    return logins[0]


def test_an_encrypted_key_pair_logs_in(emulated: Account, tmp_path: Path) -> None:
    with emulated.recorded("login") as logins:
        done = emulated.process(
            *DRY_RUN, "--connection", "keypair", "--schema", "LOGIN", cwd=tmp_path
        )
    assert assert_logs_in(done, logins)["authenticator"] == "SNOWFLAKE_JWT"


def test_the_connectors_default_connection(emulated: Account, tmp_path: Path) -> None:
    words = (*DRY_RUN, "--schema", "LOGIN")
    with emulated.recorded("login") as logins:
        done = emulated.call(*words, cwd=tmp_path, SNOWFLAKE_DEFAULT_CONNECTION_NAME="keypair")
    assert assert_logs_in(done, logins)["authenticator"] == "SNOWFLAKE_JWT"


def test_connections_in_the_connectors_variable(emulated: Account, tmp_path: Path) -> None:
    assert emulated.emulator
    text = (emulated.emulator.folder / "connections.toml").read_text("utf-8")
    text = text.replace("[emulator]", "[mine]").replace('user = "MARTS"', 'user = "SOMEBODY"')
    words = (*DRY_RUN, "--connection", "mine", "--schema", "LOGIN")
    with emulated.recorded("login") as logins:
        done = emulated.call(*words, cwd=tmp_path, SNOWFLAKE_CONNECTIONS=text)
    assert assert_logs_in(done, logins)["user"] == "SOMEBODY"


def test_every_option_is_a_variable_too(emulated: Account, tmp_path: Path) -> None:
    settings = {
        "MARTS_BACKEND": "snowflake",
        "MARTS_CONNECTION": "emulator",
        "MARTS_DATABASE": "marts",
        "MARTS_SCHEMA": "by_variables",
        "MARTS_SOURCE_DATABASE": "marts",
        "MARTS_SOURCE_SCHEMA": "login",
        "MARTS_WAREHOUSE": "LARGE_WH",
        "MARTS_ROLE": "ANALYST",
        "MARTS_THREADS": "2",
        "MARTS_AS_OF": "2024-12-31",
        "MARTS_SELECT": "customer_segments",
    }
    with emulated.recorded("login") as logins:
        done = emulated.call("run", cwd=tmp_path, **settings)
    assert done.returncode == 0, done.stderr
    assert "as of 2024-12-31 · snowflake · MARTS.LOGIN → MARTS.BY_VARIABLES" in done.stdout
    assert emulated.tables("BY_VARIABLES") == ["CUSTOMER_SEGMENTS", "MARTS_STATE"]
    assert {(each["warehouse"], each["roleName"]) for each in logins} == {("LARGE_WH", "ANALYST")}


def test_role_and_warehouse_are_the_connections_unless_given(
    emulated: Account, tmp_path: Path
) -> None:
    words = (*DRY_RUN, *emulated.words(schema="LOGIN"), "--role", "OTHER")
    with emulated.recorded("login") as logins:
        done = emulated.call(*words, cwd=tmp_path)
    login = assert_logs_in(done, logins)
    assert (login["roleName"], login["warehouse"]) == ("OTHER", "MARTS_WH")


def test_a_connections_own_session_parameters_stay(emulated: Account, tmp_path: Path) -> None:
    assert emulated.emulator
    text = (emulated.emulator.folder / "connections.toml").read_text("utf-8")
    text = text.replace(
        "[emulator]",
        '[emulator]\nsession_parameters = {LOCK_TIMEOUT = 60, TIMEZONE = "Asia/Tokyo"}',
    )
    words = (*DRY_RUN, *emulated.words(schema="LOGIN"))
    with emulated.recorded("login") as logins:
        done = emulated.call(*words, cwd=tmp_path, SNOWFLAKE_CONNECTIONS=text)
    parameters = assert_logs_in(done, logins)["session_parameters"]
    assert parameters["LOCK_TIMEOUT"] == 60
    assert parameters["TIMEZONE"] == "UTC"
