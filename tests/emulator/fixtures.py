"""The emulator in a test: a process, connections to it, and what it was sent."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Unpack

import tomlkit
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from snowflake import connector
from snowflake.connector.errors import Error

from emulator.faults import Told, checked

DATABASE = "DB1"
T = '"DB1"."T"'
"""A schema of the emulator's own tests."""
LONG = (
    'WITH "A" AS (SELECT SEQ4() AS "X" FROM TABLE(GENERATOR(ROWCOUNT => 1000000)))'
    ' SELECT COUNT(*) FROM "A" AS "L" JOIN "A" AS "R" ON "L"."X" * 2 < "R"."X" + "L"."X"'
)
"""It runs for minutes."""
PASSPHRASE = "a passphrase"  # noqa: S105  (of a key that lives for one test)
SERVER = Path(__file__).with_name("server.py")
CLOSED_PORT = 9
"""Nobody listens there."""


@dataclass(frozen=True)
class Emulator:
    """A running emulator; `folder` holds its connections.toml, log, record and control file."""

    folder: Path
    port: int

    @property
    def environment(self) -> dict[str, str]:
        """The variables by which a subprocess finds `--connection emulator`."""
        return environment(self.folder)

    def connect(self, name: str = "emulator", **options: Any) -> connector.SnowflakeConnection:
        """Log in by the official connector, to look inside."""
        connections = tomllib.loads((self.folder / "connections.toml").read_text())
        return connector.connect(**connections[name] | options)

    def events(self, kind: str) -> list[dict[str, Any]]:
        """Return what arrived, in order, of a kind: login, statement, retry or abort.

        Kind `end` has the sessions that the emulator ended because their clients were gone.
        """
        record = self.folder / "record.jsonl"
        lines = record.read_text().splitlines() if record.exists() else []
        return [event for event in map(json.loads, lines) if event["kind"] == kind]

    def statements(self) -> list[str]:
        """Return the SQL that arrived, in order."""
        return [event["sql"] for event in self.events("statement")]

    def control(self, **told: Unpack[Told]) -> None:
        """Tell the emulator what to do wrong from now on, as `faults` describes; no words: nothing.

        fail={"pattern": "^CREATE", "errno": 3001, "sqlstate": "42501", "message": "…"}
        fail={"pattern": "^SELECT", "status": 503, "times": 1}
        lose={"pattern": "^COMMIT", "gone": "answered"}
        dead={"pattern": "^INSERT OVERWRITE", "skip": 2, "runs": True}
        stall={"pattern": "CLONE", "after": True}
        """
        new = self.folder / "control.new"
        new.write_text(json.dumps(checked(told)))
        new.replace(self.folder / "control.json")

    def log(self) -> str:
        """Return fakesnow's log, for a failing test."""
        return (self.folder / "emulator.log").read_text()


def answer(session: connector.SnowflakeConnection, statements: Sequence[str]) -> Any:
    """Return the rows of the last statement, or the number and SQLSTATE of the first error."""
    with session.cursor() as cursor:
        try:
            for sql in statements:
                cursor.execute(sql)
        except Error as error:
            return f"{error.errno:06d} {error.sqlstate}"
        return cursor.fetchall()


@contextmanager
def emulator(folder: Path, *options: str) -> Iterator[Emulator]:
    """Run an emulator in a process of its own, with its files in an empty folder."""
    files = {"--log": "emulator.log", "--record": "record.jsonl", "--control": "control.json"}
    words = [word for option, name in files.items() for word in (option, str(folder / name))]
    command = [sys.executable, str(SERVER), "--database", DATABASE, *words, *options]
    pipe = subprocess.PIPE
    # Its stages are temporary files.
    inherited = os.environ | {"TMPDIR": str(folder)}
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=inherited) as process:
        assert process.stdout
        assert process.stdin
        port = int(process.stdout.readline())
        write_connections(folder, port)
        try:
            yield Emulator(folder, port)
        finally:
            process.stdin.close()
            process.wait()


def environment(folder: Path) -> dict[str, str]:
    """Return the variables that lead the connector to a folder's connections.toml."""
    return {
        "SNOWFLAKE_HOME": str(folder),
        "SNOWFLAKE_DISABLE_PLATFORM_DETECTION": "true",
        "NO_PROXY": "127.0.0.1",
    }


def write_connections(folder: Path, port: int) -> None:
    """Write connections.toml: [emulator], [keypair] with an encrypted key, [nowhere]."""
    key = folder / "key.p8"
    write_key(key)
    location = {
        "account": "emulator",
        "user": "MARTS",
        "host": "127.0.0.1",
        "protocol": "http",
        "database": DATABASE,
        "schema": "PUBLIC",
        "role": "MARTS_ROLE",
        "warehouse": "MARTS_WH",
    }
    with_key = {
        "authenticator": "SNOWFLAKE_JWT",
        "private_key_file": str(key),
        "private_key_file_pwd": PASSPHRASE,
    }
    connections = {
        "emulator": location | {"password": "secret", "port": port},
        "keypair": location | with_key | {"port": port},
        "nowhere": location | {"password": "secret", "port": CLOSED_PORT},
    }
    _write_private(folder / "connections.toml", tomlkit.dumps(connections).encode())


def write_key(file: Path, passphrase: str = PASSPHRASE) -> None:
    """Write a new private key, encrypted."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    _write_private(
        file,
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(passphrase.encode()),
        ),
    )


def _write_private(file: Path, content: bytes) -> None:
    file.touch(mode=0o600)
    file.write_bytes(content)
