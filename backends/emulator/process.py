"""An emulator as its user has it: a process, connections to it, and what it was sent."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from backends.emulator.faults import Told, checked
from marts.core.errors import EngineError, UsageError

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection

CONNECTION = "emulator"
"""The connection's name in connections.toml."""
CONNECTIONS, CONTROL = "connections.toml", "control.json"
RECORD, LOG = "record.jsonl", "emulator.log"

IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_$]*")


@dataclass(frozen=True)
class Emulator:
    """A running emulator; `folder` holds its connections.toml, log, record and control file."""

    folder: Path
    port: int
    process: subprocess.Popen[str] | None = field(default=None, repr=False)

    @property
    def environment(self) -> dict[str, str]:
        """The variables by which this process, or another one, finds the connection."""
        # The connector reads which folder is its own when it is imported: once.
        text = (self.folder / CONNECTIONS).read_text("utf-8")
        return environment(self.folder) | {"SNOWFLAKE_CONNECTIONS": text}

    @property
    def connection(self) -> str:
        """The connection's name."""
        return CONNECTION

    def parameters(self, name: str = CONNECTION) -> dict[str, Any]:
        """Return the parameters of a connection of connections.toml."""
        text = (self.folder / CONNECTIONS).read_text("utf-8")
        found: dict[str, Any] = tomllib.loads(text)[name]
        return found

    def connect(self, name: str = CONNECTION, **options: Any) -> SnowflakeConnection:
        """Log in by the official connector, to look inside."""
        from snowflake import connector

        return connector.connect(**self.parameters(name) | options)

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

    def wait(self) -> None:
        """Return when the emulator has ended by itself."""
        if self.process:
            self.process.wait()

    def log(self) -> str:
        """Return fakesnow's log, for a failing test."""
        return (self.folder / LOG).read_text("utf-8")


@contextmanager
def emulator(folder: Path, *databases: str, port: int = 0, raw: bool = False) -> Iterator[Emulator]:
    """Run an emulator with empty databases in a process of its own, its files in a folder.

    The first database is that of its connection. Port 0 is any free one; a raw emulator is fakesnow
    as it is. Raises ModuleNotFoundError if fakesnow is not installed, UsageError for a name that is
    not an identifier, EngineError if the process does not start.
    """
    _refuse_missing()
    names = _names(databases)
    # By its name, which is another one in an installed wheel; -P, because `python -m` would
    # import from the current folder first.
    server = f"{__name__.rpartition('.')[0]}.server"
    command = [sys.executable, "-P", "-m", server, str(folder), *names, "--port", str(port)]
    pipe = subprocess.PIPE
    with (
        (folder / LOG).open("a") as log,
        subprocess.Popen(  # noqa: S603  (our own module)
            [*command, *(["--raw"] if raw else [])],
            stdin=pipe,
            stdout=pipe,
            stderr=log,
            text=True,
            # Ctrl-C in a terminal is for who started it.
            start_new_session=True,
        ) as process,
    ):
        try:
            opened = _port(process, folder, port)
            write_connections(folder, opened, database=names[0])
            yield Emulator(folder, opened, process)
        finally:
            # The end of its standard input is its own end.
            process.communicate()


def _refuse_missing() -> None:
    for name in ("fakesnow", "uvicorn"):
        if find_spec(name) is None:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


def _names(databases: Sequence[str]) -> list[str]:
    """Return the names of databases, each once, as Snowflake has them."""
    for name in databases:
        if not IDENTIFIER.fullmatch(name):
            raise UsageError(
                f"{name!r} cannot be the name of the emulator's database",
                hint="name it with letters, digits and underscores: --database MARTS",
            )
    return list(dict.fromkeys(name.upper() for name in databases))


def _port(process: subprocess.Popen[str], folder: Path, asked: int) -> int:
    """Return the port that an emulator says it listens on."""
    if said := process.stdout and process.stdout.readline():
        return int(said)
    process.wait()
    words = (folder / LOG).read_text("utf-8").splitlines()[-1:]
    raise EngineError(
        "the emulator did not start",
        *words,
        hint=f"is port {asked} taken? leave out --port for one that is free" if asked else None,
    )


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
