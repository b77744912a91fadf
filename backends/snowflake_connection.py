"""Log in to Snowflake by the connector's own means, and explain its errors."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from marts.core.errors import EngineError, UsageError, did_you_mean

if TYPE_CHECKING:
    # 1.1 s to import, which compiling does not need.
    from snowflake.connector import SnowflakeConnection
    from snowflake.connector.errors import Error

# No attempt to log in begins later; the last may take some seconds more.
LOGIN_TIMEOUT_SECONDS = 5
# Other ways to log in wait for a person.
UNATTENDED = ("snowflake", "snowflake_jwt")
SESSION_PARAMETERS = {
    "TIMEZONE": "UTC",
    "TIMESTAMP_TYPE_MAPPING": "TIMESTAMP_NTZ",
    "WEEK_START": 0,
    "WEEK_OF_YEAR_POLICY": 0,
}
STATEMENT_TIMEOUT = {"STATEMENT_TIMEOUT_IN_SECONDS": 3_600}
"""Where the connection sets none."""


@dataclass(frozen=True, kw_only=True)
class SnowflakeOptions:
    """How to reach the account; None leaves what the connection says."""

    connection: str | None = None
    database: str | None = None
    schema: str = "gold"
    source_database: str | None = None
    source_schema: str | None = None
    warehouse: str | None = None
    role: str | None = None
    threads: int = 1
    version: str = "0"
    """The version of marts, for the query tag."""


def connect(options: SnowflakeOptions) -> SnowflakeConnection:
    """Log in as the connector's own configuration says, with what the options add."""
    from snowflake import connector
    from snowflake.connector.config_manager import CONFIG_MANAGER

    given: dict[str, Any] = {
        "database": options.database,
        "warehouse": options.warehouse,
        "role": options.role,
    }
    with translated("connect"):
        name = options.connection or str(CONFIG_MANAGER["default_connection_name"])
        known = cast("Mapping[str, Any]", CONFIG_MANAGER["connections"])
        if name not in known:
            raise UsageError(
                f"there is no connection {name}",
                f"known: {', '.join(known) or 'none'}",
                hint=did_you_mean(name, known)
                or f"add [{name}] to the connector's connections.toml",
            )
        own = STATEMENT_TIMEOUT | dict(known[name].get("session_parameters", {}))
        if str(known[name].get("authenticator", "snowflake")).lower() in UNATTENDED:
            given["login_timeout"] = known[name].get("login_timeout", LOGIN_TIMEOUT_SECONDS)
        try:
            return connector.connect(
                connection_name=name,
                **{word: value for word, value in given.items() if value is not None},
                session_parameters=own | SESSION_PARAMETERS,
                # Else decimals arrive as doubles.
                arrow_number_to_decimal=True,
                application="marts",
            )
        except (OSError, TypeError, ValueError) as error:
            # What the connector lets through of a missing or locked key file, or a bad port.
            raise EngineError(
                f"the connection {name} cannot be used",
                f"{type(error).__name__}: {error}",
                hint=f"mend [{name}] in connections.toml",
            ) from error


# By error number: what is wrong, and what mends it.
EXPLANATIONS = {
    250001: ("Snowflake cannot be reached, or refuses the login", "check account, host and login"),
    390100: ("Snowflake refuses the login", "check user and password in connections.toml"),
    390144: ("Snowflake refuses the key", "check private_key_file, and the user's public key"),
    606: ("no warehouse is there to run the statement", "pass --warehouse"),
    3001: ("the role lacks a privilege", "grant it; the README lists what the role needs"),
}


@contextmanager
def translated(action: str) -> Iterator[None]:
    """Turn the connector's errors into ours, which say what mends them."""
    from snowflake.connector.errors import Error

    try:
        yield
    except Error as error:
        raise _explained(error, action) from error


def _explained(error: Error, action: str) -> EngineError:
    what, hint = EXPLANATIONS.get(error.errno, (f"Snowflake could not {action}", None))
    message = str(error.raw_msg or error.msg or error).strip()
    if (error.sqlstate or "").startswith("22"):
        # A data exception quotes the value of a row.
        message = re.sub(r"'[^']*'", "'…'", message)
    facts = [action] if error.errno in EXPLANATIONS else []
    facts.append(message)
    if error.sfqid:
        facts.append(f"query {error.sfqid}")
    return EngineError(what, *facts, hint=hint)
