"""Log in to Snowflake with the connector's own configuration, and explain its errors."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from backends.snowflake_errors import is_refused, translated
from backends.snowflake_parameters import session_parameters
from marts.core.errors import EngineError, MartsError, UsageError, did_you_mean
from marts.core.run.backend import Protection

if TYPE_CHECKING:
    # It takes 1.1 s to import, and compiling does not need it.
    from backends.snowflake_driver import Connection

LOGIN_SECONDS = 45
"""No attempt to log in starts after this; the last one may take as long as a socket does."""
ATTEMPT_SECONDS = 5
"""The connector's own login_timeout, within one of our attempts."""
TIMEOUTS = {
    # No request is retried after this; the last attempt may take as long as a socket does.
    "network_timeout": 56,
    # Snowflake answers after 45 seconds at the latest, if only that a statement goes on.
    "socket_timeout": 55,
}
"""The defaults, in seconds: a dead line fails a statement in less than two minutes."""
# Other authenticators wait for a person.
UNATTENDED = ("snowflake", "snowflake_jwt")
HINTS = {
    "emulator": "start `marts emulator`, and set the variables that it prints: they configure"
    " this connection"
}
"""What to do for a connection that is not the user's own to write."""
SHORTEST, LONG = 4, 8
"""Lengths from which a value is redacted in errors: as a word, and within words."""


@dataclass(frozen=True, kw_only=True)
class ElsewhereOptions:
    """Where another environment publishes its marts; without a database, in the connection's."""

    environment: str
    database: str | None
    schema: str


@dataclass(frozen=True, kw_only=True)
class SnowflakeOptions:
    """How to reach the account; None leaves the connection's value."""

    schema: str
    connection: str | None = None
    parameters: Mapping[str, Any] | None = None
    """The connection's own settings, if it is not in the connector's configuration."""
    database: str | None = None
    source_database: str | None = None
    source_schema: str | None = None
    sources: Mapping[str, str] = field(default_factory=dict)
    """Where sources are that are not in that schema under their own names."""
    warehouse: str | None = None
    role: str | None = None
    threads: int = 1
    lock_timeout: int | None = None
    """How many seconds a statement waits for another transaction; else ten minutes."""
    personal: Mapping[str, Protection] = field(default_factory=dict)
    """What protects each kind of personal data."""
    version: str = "0"
    """The version of marts, for the query tag."""
    elsewhere: ElsewhereOptions | None = None


def connect(options: SnowflakeOptions) -> Connection:
    """Log in with the connector's own configuration and the options on top of it.

    Raises UsageError or EngineError, which name the connection but none of its values: any of them
    may be a secret.
    """
    from snowflake.connector.errors import Error

    from backends.snowflake_driver import Connection, waits

    given: dict[str, Any] = {
        "database": options.database,
        "warehouse": options.warehouse,
        "role": options.role,
    }
    if options.parameters is None:
        name, settings = _connection(options.connection)
        given["connection_name"] = name
    else:
        name, settings = str(options.connection), options.parameters
        given = {**settings, **{word: value for word, value in given.items() if value is not None}}
    parameters = session_parameters(
        settings.get("session_parameters", {}), lock_timeout=options.lock_timeout
    )
    is_ours = "login_timeout" not in settings and _is_unattended(settings)
    if is_ours:
        given["login_timeout"] = ATTEMPT_SECONDS
    for word, seconds in TIMEOUTS.items():
        given[word] = settings.get(word, seconds)
    open_ = partial(
        Connection,
        **{word: value for word, value in given.items() if value is not None},
        session_parameters=parameters,
        # The connection's own would win over the session's parameters.
        autocommit=True,
        timezone=parameters["TIMEZONE"],
        # Otherwise decimals arrive as doubles.
        arrow_number_to_decimal=True,
        application="marts",
        backoff_policy=waits,
    )
    with _without_values(settings), translated(f"log in by connection {name}"):
        try:
            return _patiently(open_, LOGIN_SECONDS if is_ours else 0)
        except Error:
            raise
        except Exception as error:
            # The connector lets errors of any class through, for example of a key file that cannot
            # be read, or of a value of a wrong type.
            raise EngineError(
                f"the connection {name} cannot be used",
                f"{type(error).__name__}: {error}",
                hint=f"correct [{name}] in connections.toml",
            ) from error


def _is_unattended(settings: Mapping[str, Any]) -> bool:
    return str(settings.get("authenticator", "snowflake")).lower() in UNATTENDED


def _patiently(log_in: Callable[[], Connection], seconds: float) -> Connection:
    """Log in, and try again while the network may be down for a moment.

    Nothing but the network is tried again: not a refused login, a closed port, an unknown host, or
    a certificate that is not trusted.
    """
    from snowflake.connector.errors import NonRetryableTlsError, OperationalError

    from backends.snowflake_driver import waits

    start, pauses = time.monotonic(), waits()
    while True:
        try:
            return log_in()
        except OperationalError as error:
            pause = next(pauses)
            is_final = isinstance(error, NonRetryableTlsError) or is_refused(error)
            if is_final or time.monotonic() + pause > start + seconds:
                raise
        time.sleep(pause)


def _connection(given: str | None) -> tuple[str, Mapping[str, Any]]:
    """Return the name and the settings of the connection to use."""
    from snowflake.connector.config_manager import CONFIG_MANAGER

    with _readable():
        name = given or str(CONFIG_MANAGER["default_connection_name"])
        known = CONFIG_MANAGER["connections"]
    if not isinstance(known, Mapping):
        raise UsageError("the connector's connections are not tables", hint=f"write [{name}]")
    if name not in known:
        raise UsageError(
            f"there is no connection {name}",
            f"known: {', '.join(known) or 'none'}",
            hint=HINTS.get(name)
            or did_you_mean(name, known)
            or f"add [{name}] to the connector's connections.toml",
        )
    settings = known[name]
    if not isinstance(settings, Mapping):
        raise UsageError(
            f"the connection {name} is not a table",
            hint=f"write [{name}] on a line of its own, and its settings below",
        )
    if not isinstance(settings.get("session_parameters", {}), Mapping):
        raise UsageError(
            f"session_parameters of the connection {name} is not a table",
            hint="write session_parameters = {LOCK_TIMEOUT = 60}, or leave it out",
        )
    if "-----BEGIN" in str(settings.get("private_key_file", "")):
        raise UsageError(
            f"private_key_file of the connection {name} is a key, not the name of a file",
            hint="write the key into a file of its own, which only you can read",
        )
    return name, settings


@contextmanager
def _readable() -> Iterator[None]:
    """Say where a file of connections cannot be parsed, without repeating its text."""
    from snowflake.connector.errors import Error

    try:
        yield
    except Error as error:
        raise _unreadable(str(error.msg or error), error.__cause__) from error
    except Exception as error:
        # From tomlkit: the connector wraps the errors of files, but not those of its variable.
        raise _unreadable("cannot read the variable SNOWFLAKE_CONNECTIONS", error) from error


def _unreadable(message: str, cause: BaseException | None) -> EngineError:
    file = re.search("while loading '(.*)'$", message)
    summary = f"cannot read {file[1]}" if file else message
    if cause is None or isinstance(cause, OSError):
        return EngineError(summary, *([cause.strerror] if cause and cause.strerror else []))
    line, column = getattr(cause, "line", None), getattr(cause, "col", None)
    where = type(cause).__name__ if line is None else f"line {line}, column {column}"
    mark = ", without a byte-order mark" if line == 1 and column in (0, 1) else ""
    fact = f"it is not valid TOML: {where}"
    return EngineError(summary, fact, hint=f"write [NAME] and key = value below it, in UTF-8{mark}")


@contextmanager
def _without_values(settings: Mapping[str, Any]) -> Iterator[None]:
    """Replace each value of a connection in an error by its key: `<key>`."""
    try:
        yield
    except MartsError as error:
        redacted = [_hidden(text, settings) for text in (error.summary, *error.facts)]
        hint = _hidden(error.hint, settings) if error.hint else None
        raise type(error)(*redacted, hint=hint) from error


def _hidden(text: str, settings: Mapping[str, Any]) -> str:
    spellings = {each: key for key, value in _values(settings) for each in _spellings(value)}
    for value in sorted(spellings, key=len, reverse=True):
        # A short value may be part of an unrelated word.
        around = (r"(?<!\w)", r"(?!\w)") if len(value) < LONG else ("", "")
        pattern = re.escape(value).join(around)
        key = spellings[value].replace("\\", "")
        text = re.sub(pattern, f"<{key}>", text, flags=re.IGNORECASE)
    return text


def _values(settings: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """Yield each text in a connection, with its key."""
    if isinstance(settings, Mapping):
        for name, value in settings.items():
            yield from _values(value, str(name))
    elif isinstance(settings, list):
        for value in settings:
            yield from _values(value, key)
    elif isinstance(settings, str):
        yield key, str(settings)


def _spellings(value: str) -> set[str]:
    """Return the ways an error may spell a value: as a path, in a URL, quoted, line by line."""
    whole = {value, str(Path(value)), quote(value), quote(value, safe=""), value.replace("_", "-")}
    whole |= {repr(each)[1:-1] for each in whole} | set(value.splitlines())
    return {each.strip() for each in whole if len(each.strip()) >= SHORTEST}
