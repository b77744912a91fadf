"""What tests of the emulator have besides it: more connections, and comparable answers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from snowflake import connector
from snowflake.connector.errors import Error

from backends.emulator import process
from backends.emulator.process import location
from marts.core.kit.emulated import DATABASE

T = '"MARTS"."T"'
"""A schema of the emulator's own tests."""
LONG = (
    'WITH "A" AS (SELECT SEQ4() AS "X" FROM TABLE(GENERATOR(ROWCOUNT => 1000000)))'
    ' SELECT COUNT(*) FROM "A" AS "L" JOIN "A" AS "R" ON "L"."X" * 2 < "R"."X" + "L"."X"'
)
"""It runs for minutes."""
PASSPHRASE = "a passphrase"  # noqa: S105  (of a key that lives for one test)
CLOSED_PORT = 9
"""Nobody listens there."""


def answer(session: connector.SnowflakeConnection, statements: Sequence[str]) -> Any:
    """Return the rows of the last statement, or the number and SQLSTATE of the first error."""
    with session.cursor() as cursor:
        try:
            for sql in statements:
                cursor.execute(sql)
        except Error as error:
            return f"{error.errno:06d} {error.sqlstate}"
        return cursor.fetchall()


def write_connections(folder: Path, port: int) -> None:
    """Write connections.toml: [emulator], [keypair] with an encrypted key, [nowhere]."""
    key = folder / "key.p8"
    write_key(key)
    with_key = {
        "authenticator": "SNOWFLAKE_JWT",
        "private_key_file": str(key),
        "private_key_file_pwd": PASSPHRASE,
    }
    process.write_connections(
        folder,
        port,
        database=DATABASE,
        keypair=location(port, DATABASE) | with_key,
        nowhere=location(CLOSED_PORT, DATABASE) | {"password": "secret"},
    )


def write_key(file: Path, passphrase: str = PASSPHRASE) -> None:
    """Write a new private key, encrypted."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    file.touch(mode=0o600)
    file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(passphrase.encode()),
        )
    )
