"""An emulator as its user has it: a process, connections to it, and what it was sent."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Unpack

from snowflake import connector

from backends.emulator.faults import Told, checked
from marts.core.errors import EngineError

CONNECTION = "emulator"
"""The connection's name in connections.toml."""
CONNECTIONS, RECORD, CONTROL, LOG = (
    "connections.toml",
    "record.jsonl",
    "control.json",
    "emulator.log",
)


@dataclass(frozen=True)
class Emulator:
    """A running emulator; `folder` holds its connections.toml, log, record and control file."""

    folder: Path
    port: int

    @property
    def environment(self) -> dict[str, str]:
        """The variables by which a subprocess finds `--connection emulator`."""
        return environment(self.folder)

    def connect(self, name: str = CONNECTION, **options: Any) -> connector.SnowflakeConnection:
        """Log in by the official connector, to look inside."""
        connections = tomllib.loads((self.folder / CONNECTIONS).read_text("utf-8"))
        return connector.connect(**connections[name] | options)

    def events(self, kind: str) -> list[dict[str, Any]]:
        """Return what arrived, in order, of a kind: login, statement, retry or abort.

        Kind `end` has the sessions that the emulator ended because their clients were gone.
        """
        record = self.folder / RECORD
        lines = record.read_text("utf-8").splitlines() if record.exists() else []
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
        new = self.folder / f"{CONTROL}.new"
        new.write_text(json.dumps(checked(told)), "utf-8")
        new.replace(self.folder / CONTROL)

    def log(self) -> str:
        """Return fakesnow's log, for a failing test."""
        return (self.folder / LOG).read_text("utf-8")


@contextmanager
def emulator(
    folder: Path, *, database: str, port: int = 0, raw: bool = False
) -> Iterator[Emulator]:
    """Run an emulator with one database in a process of its own, its files in a folder.

    Port 0 is any free one; a raw emulator is fakesnow as it is. Raises EngineError if the process
    does not start.
    """
    # By its name, which is another one in an installed wheel; -P, because `python -m` would
    # import from the current folder first.
    server = f"{__name__.rpartition('.')[0]}.server"
    command = [sys.executable, "-P", "-m", server, str(folder)]
    command += ["--database", database, "--port", str(port), *(["--raw"] if raw else [])]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:  # noqa: S603
        try:
            opened = _port(process, folder, port)
            write_connections(folder, opened, database=database)
            yield Emulator(folder, opened)
        finally:
            # Its end is the emulator's, too.
            process.communicate()


def _port(process: subprocess.Popen[str], folder: Path, asked: int) -> int:
    """Return the port that an emulator says it listens on."""
    said = process.stdout.readline() if process.stdout else ""
    if not said:
        where = f"on port {asked}" if asked else "on any port"
        raise EngineError(f"the emulator did not start {where}", f"its log is {folder / LOG}")
    return int(said)


def environment(folder: Path) -> dict[str, str]:
    """Return the variables that lead the connector to a folder's connections.toml."""
    return {
        "SNOWFLAKE_HOME": str(folder),
        "SNOWFLAKE_DISABLE_PLATFORM_DETECTION": "true",
        "NO_PROXY": "127.0.0.1",
    }


def location(port: int, database: str) -> dict[str, object]:
    """Return what a connection to an emulator says, besides who logs in how."""
    return {
        "account": "emulator",
        "user": "MARTS",
        "host": "127.0.0.1",
        "port": port,
        "protocol": "http",
        "database": database,
        "schema": "PUBLIC",
        "role": "MARTS_ROLE",
        "warehouse": "MARTS_WH",
    }


def write_connections(
    folder: Path, port: int, *, database: str, **others: Mapping[str, object]
) -> None:
    """Write connections.toml with the connection [emulator], and perhaps others."""
    connections = {CONNECTION: location(port, database) | {"password": "secret"}, **others}
    file = folder / CONNECTIONS
    # The connector warns of a file that others can read.
    file.touch(mode=0o600)
    file.write_text(toml(connections), "utf-8")


def toml(connections: Mapping[str, Mapping[str, object]]) -> str:
    """Return connections as TOML."""
    return "\n".join(
        line
        for name, words in connections.items()
        # Numbers, and strings without control characters, are the same in JSON.
        for line in (f"[{name}]", *(f"{key} = {json.dumps(words[key])}" for key in words), "")
    )
