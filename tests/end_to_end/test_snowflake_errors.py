"""What goes wrong before a mart is built: said clearly, before long, and without a secret."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pytest

from backends.emulator.process import environment
from backends.snowflake_connection import _without_values
from emulator.fixtures import CLOSED_PORT, write_key
from emulator.stand_in import stand_in
from marts.core.errors import EngineError
from support.account import Account
from support.paths import BUNDLED
from support.processes import Result, call_marts, marts_process

FAILED, ASKED_WRONGLY = 1, 2
PASSWORD, PASSPHRASE = "pa55word-of-mine", "pa55phrase-of-mine"
NO_WAREHOUSE = {
    "errno": 606,
    "sqlstate": "57P03",
    "message": "No active warehouse selected in the current session.",
}
NO_PRIVILEGE = {
    "errno": 3001,
    "sqlstate": "42501",
    "message": "SQL access control error:\nInsufficient privileges to operate on schema 'GOLD'.",
}


@dataclass(frozen=True)
class Home:
    """A folder with a connections.toml, in which `marts` is called."""

    folder: Path

    def write(self, **connections: Mapping[str, object]) -> None:
        """Write connections.toml."""
        file = self.folder / "connections.toml"
        file.touch(mode=0o600)
        lines = [
            line
            for name, words in connections.items()
            for line in (f"[{name}]", *(f"{key} = {json.dumps(words[key])}" for key in words))
        ]
        file.write_text("\n".join(lines), "utf-8")

    def run(self, *words: object) -> Result:
        """Run on Snowflake, as a user would."""
        command = ("run", "--backend", "snowflake", *words)
        return marts_process(*command, cwd=self.folder, **environment(self.folder))

    def call(self, *words: object) -> Result:
        """Run on Snowflake by the first connection, in this process."""
        connections = (self.folder / "connections.toml").read_text("utf-8")
        found = environment(self.folder) | {"SNOWFLAKE_CONNECTIONS": connections}
        command = ("run", "--backend", "snowflake", "--connection", "c", *words)
        return call_marts(*command, cwd=self.folder, **found)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def to_port(port: int, **more: object) -> dict[str, object]:
    """Return a connection by password to a port of this machine."""
    location = {
        "account": "a",
        "user": "MARTS",
        "host": "127.0.0.1",
        "protocol": "http",
        "port": port,
    }
    return location | {"password": PASSWORD, "database": "MARTS"} | more


def by_key(port: int, key: Path, passphrase: str) -> dict[str, object]:
    """Return a connection by an encrypted key."""
    words = to_port(port, authenticator="SNOWFLAKE_JWT", private_key_file=str(key))
    del words["password"]
    return words | {"private_key_file_pwd": passphrase}


def assert_says(result: Result, code: int, *words: str, folder: Path) -> None:
    """Compare an exit code and a message; no traceback, and no secret anywhere."""
    assert result.returncode == code, result.stderr + result.stdout
    assert result.stderr.startswith("error: "), result.stderr
    for each in words:
        assert each in result.stderr
    said = result.stdout + result.stderr
    assert "Traceback" not in said
    written = "".join(path.read_text("utf-8") for path in (folder / "target").rglob("*.json"))
    for secret in (PASSWORD, PASSPHRASE, *key_lines(folder)):
        assert secret not in said + written


def key_lines(folder: Path) -> list[str]:
    """Return the lines of the private keys in a folder."""
    return [
        line for key in folder.glob("*.p8") for line in key.read_text("ascii").splitlines()[1:-1]
    ]


def test_a_wrong_password(home: Home) -> None:
    with stand_in("wrong password") as port:
        home.write(c=to_port(port))
        result = home.run("--connection", "c")
    words = ["refuses the login", "Incorrect username or password"]
    assert_says(result, FAILED, *words, folder=home.folder)


def test_a_database_that_the_role_does_not_see(home: Home) -> None:
    with stand_in("missing database") as port:
        home.write(c=to_port(port))
        result = home.call()
    words = ["database MARTS does not exist, or the role may not use it", "--database"]
    assert_says(result, ASKED_WRONGLY, *words, folder=home.folder)


def test_a_privilege_that_the_role_lacks(home: Home) -> None:
    with stand_in("missing privilege") as port:
        home.write(c=to_port(port))
        result = home.call()
    words = [
        "the role lacks a privilege",
        "Insufficient privileges",
        "hint: grant it; `marts help snowflake`",
    ]
    assert_says(result, FAILED, *words, folder=home.folder)


def test_a_key_that_the_account_does_not_know(home: Home) -> None:
    key = home.folder / "key.p8"
    write_key(key, PASSPHRASE)
    with stand_in("invalid key") as port:
        home.write(c=by_key(port, key, PASSPHRASE))
        result = home.call()
    assert_says(result, FAILED, "JWT token is invalid", "hint: ", folder=home.folder)


@pytest.mark.parametrize(
    ("changes", "causes"),
    [
        # One time in 256 a wrong passphrase decrypts a key to something, which is not a key then.
        (
            {"private_key_file_pwd": "wrong"},
            ["Incorrect password, could not decrypt key", "Could not deserialize key data"],
        ),
        ({"private_key_file_pwd": None}, ["private key is encrypted"]),
        ({"private_key_file": "nowhere.p8"}, ["No such file or directory: '<private_key_file>'"]),
        ({"private_key_file": "no_key.p8"}, ["Unable to load PEM file"]),
    ],
)
def test_a_key_that_cannot_be_read(
    changes: dict[str, object], causes: list[str], home: Home
) -> None:
    key = home.folder / "key.p8"
    write_key(key, PASSPHRASE)
    key.with_name("no_key.p8").write_text("this is no key", "ascii")
    connection = by_key(CLOSED_PORT, key, PASSPHRASE) | changes
    home.write(c={word: value for word, value in connection.items() if value is not None})
    result = home.call()
    assert_says(result, FAILED, "connection c", "connections.toml", folder=home.folder)
    assert any(cause in result.stderr for cause in causes), result.stderr


def test_a_dead_host(home: Home) -> None:
    home.write(c=to_port(CLOSED_PORT))
    result = home.run("--connection", "c")
    assert_says(result, FAILED, "cannot be reached", "hint: check", folder=home.folder)


def test_an_unknown_connection(home: Home) -> None:
    home.write(production=to_port(CLOSED_PORT), trial=to_port(CLOSED_PORT))
    result = home.call("--connection", "produktion")
    assert_says(
        result,
        ASKED_WRONGLY,
        "there is no connection produktion",
        "known: production, trial",
        "did you mean production?",
        folder=home.folder,
    )


def test_the_emulator_is_not_started(home: Home) -> None:
    home.write(c=to_port(CLOSED_PORT))
    result = home.call("--connection", "emulator")
    hint = "hint: start `marts emulator`"
    text = "there is no connection emulator"
    assert_says(result, ASKED_WRONGLY, text, hint, folder=home.folder)


def test_no_connections_at_all(home: Home) -> None:
    result = home.run()
    assert_says(
        result,
        ASKED_WRONGLY,
        "there is no connection default",
        "known: none",
        "connections.toml",
        folder=home.folder,
    )


def test_a_broken_connections_file(home: Home) -> None:
    file = home.folder / "connections.toml"
    file.touch(mode=0o600)
    file.write_text(f'[c]\npassword = "{PASSWORD}\n', "utf-8")
    result = home.run("--connection", "c")
    assert_says(result, FAILED, "connections.toml", folder=home.folder)


SECRET = "hunter2/of_mine.and more"  # noqa: S105  (nobody's)
NO_TABLES = {
    "not closed": ("[c", FAILED, "SNOWFLAKE_CONNECTIONS"),
    "byte-order mark": ("\ufeff[c]", FAILED, "without a byte-order mark"),
    "key twice": ("[c]\nuser = 1\nuser = 2", FAILED, "KeyAlreadyPresent"),
    "control character": (f'[c]\npassword = "{SECRET}\x01"', FAILED, "line 2"),
    "empty": ("", ASKED_WRONGLY, "there is no connection c"),
    "number": ("c = 1", ASKED_WRONGLY, "the connection c is not a table"),
    "secret": (f"c = {SECRET!r}", ASKED_WRONGLY, "the connection c is not a table"),
    "list": (f"[[c]]\npassword = {SECRET!r}", ASKED_WRONGLY, "the connection c is not a table"),
    "parameters": (
        f"[c]\nsession_parameters = {SECRET!r}",
        ASKED_WRONGLY,
        "session_parameters of the connection c is not a table",
    ),
    "key for its file": (
        f'[c]\nprivate_key_file = """-----BEGIN PRIVATE KEY-----\n{SECRET}"""',
        ASKED_WRONGLY,
        "private_key_file of the connection c is a key",
    ),
    "numbers": ("[c]\naccount = 1\nuser = 2\npassword = 3", FAILED, "the connection c"),
    "table within": ("[c.d]\naccount = 1", FAILED, "connection c"),
}


@pytest.mark.parametrize(("text", "code", "words"), NO_TABLES.values(), ids=NO_TABLES)
def test_connections_that_are_written_wrongly(text: str, code: int, words: str, home: Home) -> None:
    found = environment(home.folder) | {"SNOWFLAKE_CONNECTIONS": text}
    command = ("run", "--backend", "snowflake", "--connection", "c")
    result = call_marts(*command, cwd=home.folder, **found)
    assert_says(result, code, words, folder=home.folder)
    assert SECRET not in result.stderr


NO_FILE = {
    "folder": (lambda file: file.mkdir(), FAILED, "Is a directory"),
    "no UTF-8": (lambda file: file.write_bytes(b"[c]\nuser = '\xe4'"), FAILED, "in UTF-8"),
    "mark": (lambda file: file.write_text("\ufeff[c]", "utf-8"), FAILED, "byte-order mark"),
    "others write it": (lambda file: file.touch(0o666), FAILED, "writable by group or others"),
    "to nowhere": (lambda file: file.symlink_to("nowhere"), ASKED_WRONGLY, "no connection c"),
}


@pytest.mark.parametrize(("make", "code", "words"), NO_FILE.values(), ids=NO_FILE)
def test_a_connections_file_that_cannot_be_read(
    make: Callable[[Path], None], code: int, words: str, home: Home
) -> None:
    file = home.folder / "connections.toml"
    usual = os.umask(0o077 if words != "writable by group or others" else 0)
    try:
        make(file)
    finally:
        os.umask(usual)
    result = home.run("--connection", "c")
    assert "UserWarning" not in result.stderr
    # The connector may warn before of who can read it.
    result.stderr = "error: " + result.stderr.rpartition("error: ")[2]
    assert_says(result, code, words, "connections", folder=home.folder)


MISTYPED = {
    "account": {"account": SECRET, "host": None},
    **{
        word: {word: SECRET}
        for word in ("host", "protocol", "port", "login_timeout", "authenticator", "role", "user")
    },
    **{
        word: {word: SECRET, "authenticator": "SNOWFLAKE_JWT", "password": None}
        for word in ("private_key_file", "private_key", "private_key_file_pwd")
    },
    "token_file_path": {"token_file_path": SECRET, "authenticator": "oauth"},
    "no word at all": {"pasword": SECRET},
}


@pytest.mark.parametrize("changes", MISTYPED.values(), ids=MISTYPED)
def test_a_secret_under_the_wrong_key_is_not_said(changes: dict[str, object], home: Home) -> None:
    words = {"login_timeout": 1} | to_port(CLOSED_PORT) | changes
    home.write(c={word: value for word, value in words.items() if value is not None})
    result = home.call()
    assert_says(result, FAILED, "connection c", folder=home.folder)
    for part in (SECRET, *re.split(r"\W+", SECRET)[:2]):
        assert part not in result.stderr


def test_a_value_is_hidden_however_an_error_spells_it() -> None:
    settings = {"account": SECRET, "session_parameters": {"X": ["key\nof several lines"]}}
    told = EngineError(
        f"host {SECRET.upper()} or {quote(SECRET)}",
        f"{SECRET.replace('_', '-')} of {'several'}",
        repr("key\nof several lines"),
        hint=f"file:{SECRET}",
    )
    with pytest.raises(EngineError) as caught, _without_values(settings):
        raise told
    assert str(caught.value).splitlines() == [
        "host <account> or <account>",
        "  <account> of several",
        "  '<X>'",
        "hint: file:<account>",
    ]


def test_a_connection_without_an_account(home: Home) -> None:
    home.write(c={"user": "MARTS", "password": PASSWORD})
    result = home.call()
    assert_says(result, FAILED, "Account must be specified", folder=home.folder)


def test_no_database_is_named(emulated: Account, home: Home) -> None:
    assert emulated.emulator
    words = to_port(emulated.emulator.port)
    del words["database"]
    home.write(c=words)
    result = home.call()
    assert_says(result, ASKED_WRONGLY, "no database is named", "--database", folder=home.folder)


@pytest.mark.parametrize("word", ["--database", "--source-database"])
def test_a_database_that_is_not_there(word: str, account: Account, tmp_path: Path) -> None:
    location = account.run_words(schema="ERRORS", sources="ERRORS")
    result = account.call("run", *location, word, "nowhere", cwd=tmp_path)
    assert_says(result, ASKED_WRONGLY, "database nowhere does not exist", "hint: ", folder=tmp_path)


def test_sources_that_are_not_there(account: Account, tmp_path: Path) -> None:
    location = account.run_words(schema="ERRORS", sources="EMPTY")
    result = account.call("run", *location, cwd=tmp_path)
    where = f"{account.database}.{account.schema('EMPTY')}"
    assert_says(result, ASKED_WRONGLY, "dim_customer", where, folder=tmp_path)


@pytest.fixture(scope="module")
def sources(account: Account, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the name of a schema with the star schema."""
    folder = tmp_path_factory.mktemp("errors")
    words = (*account.load_words("ERRORS"), "--data", BUNDLED, "--overwrite")
    assert account.call(*words, cwd=folder).returncode == 0
    return "ERRORS"


@pytest.mark.parametrize(
    ("refusal", "words"),
    [
        (NO_WAREHOUSE, ["there is no warehouse", "--warehouse", "build int_customer_numbers"]),
        (
            NO_PRIVILEGE,
            ["lacks a privilege", "marts help snowflake", "grant", "build int_customer_numbers"],
        ),
    ],
)
def test_what_is_refused_in_the_midst_of_a_run_is_in_its_report(
    refusal: Mapping[str, object],
    words: list[str],
    emulated: Account,
    sources: str,
    home: Home,
) -> None:
    assert emulated.emulator
    home.write(c=to_port(emulated.emulator.port))
    with emulated.told(fail={"pattern": "^CREATE OR REPLACE TRANSIENT TABLE", **refusal}):
        result = home.call("--schema", sources)
    assert_says(result, FAILED, *words, folder=home.folder)
    report = json.loads((home.folder / "target/run_results.json").read_text("utf-8"))
    assert report["status"] == "error"
    assert str(refusal["message"]).splitlines()[-1] in report["error"]


def test_an_error_that_quotes_a_row_does_not_say_its_value(
    emulated: Account, sources: str, tmp_path: Path
) -> None:
    refusal = {"errno": 100038, "sqlstate": "22018"}
    refusal |= {"message": "Numeric value 'private@example.com' is not recognized"}
    location = emulated.run_words(schema="ERRORS", sources=sources)
    with emulated.told(fail={"pattern": "^CREATE OR REPLACE TRANSIENT TABLE", **refusal}):
        result = emulated.call("run", *location, cwd=tmp_path)
    assert_says(result, FAILED, "Numeric value '…' is not recognized", folder=tmp_path)
    assert "private@" not in result.stderr
    assert "private@" not in (tmp_path / "target/run_results.json").read_text("utf-8")
