"""The session's parameters on which results and publishing depend; pure functions.

An account or a user may have set each of them to something else.
https://docs.snowflake.com/en/sql-reference/parameters
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from marts.core.errors import EngineError

LOCK_TIMEOUT = 600
"""Seconds that a statement waits for another transaction, if nobody says otherwise."""

RESULTS: Mapping[str, object] = {
    # Otherwise a source's "id" would be read as ID.
    "QUOTED_IDENTIFIERS_IGNORE_CASE": False,
    # Otherwise a result may be cut short, without an error.
    "ROWS_PER_RESULTSET": 0,
    # What an expression means.
    "DEFAULT_NULL_ORDERING": "LAST",
    "TIMEZONE": "UTC",
    "TIMESTAMP_TYPE_MAPPING": "TIMESTAMP_NTZ",
    "WEEK_START": 0,
    "WEEK_OF_YEAR_POLICY": 0,
    # How text becomes a value, and a value text.
    "DATE_INPUT_FORMAT": "AUTO",
    "TIME_INPUT_FORMAT": "AUTO",
    "TIMESTAMP_INPUT_FORMAT": "AUTO",
    "BINARY_INPUT_FORMAT": "HEX",
    "DATE_OUTPUT_FORMAT": "YYYY-MM-DD",
    "TIME_OUTPUT_FORMAT": "HH24:MI:SS",
    "TIMESTAMP_NTZ_OUTPUT_FORMAT": "YYYY-MM-DD HH24:MI:SS.FF3",
    "BINARY_OUTPUT_FORMAT": "HEX",
}
"""The parameters on which the rows of a query depend: what is proven of them holds with these."""

FIXED: Mapping[str, object] = {
    # A statement outside of a transaction is committed; one that fails within ends all of it.
    "AUTOCOMMIT": True,
    "TRANSACTION_ABORT_ON_ERROR": True,
    "ERROR_ON_NONDETERMINISTIC_MERGE": True,
    # One request is one statement.
    "MULTI_STATEMENT_COUNT": 1,
    "CLIENT_RESULT_COLUMN_CASE_INSENSITIVE": False,
    "PYTHON_CONNECTOR_QUERY_RESULT_FORMAT": "ARROW",
    **RESULTS,
}
"""What marts sets in every session, whatever the connection's own parameters are."""

DEFAULTS: Mapping[str, object] = {
    "STATEMENT_TIMEOUT_IN_SECONDS": 3_600,
    "LOCK_TIMEOUT": LOCK_TIMEOUT,
}
"""What marts sets unless the connection has a value of its own."""

SHOW_SESSION = "SHOW PARAMETERS IN SESSION"
"""Reads the parameters of a session; it needs no warehouse."""

OF_A_SCHEMA: Mapping[str, tuple[str, str]] = {
    "DEFAULT_DDL_COLLATION": ("", "new columns would compare and group text by this collation"),
    "DEFAULT_METADATA_WRITE_FORMAT": ("SNOWFLAKE", "new tables would be Iceberg tables"),
}
"""Parameters of a schema: the value that marts expects, and what another one does."""


def session_parameters(
    own: Mapping[str, object], *, lock_timeout: int | None = None
) -> dict[str, object]:
    """Return the parameters of a session, in capitals: a connection's own, and ours over them.

    `lock_timeout` is in seconds, and wins over the connection's own.
    """
    named = {name.upper(): value for name, value in own.items()}
    given = {} if lock_timeout is None else {"LOCK_TIMEOUT": lock_timeout}
    return {**DEFAULTS, **named, **given, **FIXED}


def refuse_others(wanted: Mapping[str, object], found: Iterable[tuple[Any, ...]]) -> None:
    """Raise EngineError if a session has other parameters than were asked for.

    `found` are the rows of SHOW PARAMETERS. A parameter that it does not list is as asked for.
    """
    values = {str(key): str(value) for key, value, *_ in found}
    wrong = [
        f"{name} is {values[name]}, and must be {_text(value)}"
        for name, value in wanted.items()
        if name in values and values[name].casefold() != _text(value).casefold()
    ]
    if wrong:
        raise EngineError(
            "Snowflake did not accept parameters of the session",
            *wrong,
            hint="ask the account's administrator what sets them for this user",
        )


def of_schema(relation: str) -> list[str]:
    """Return the statements that read the parameters of a schema that matter to its tables."""
    return [f"SHOW PARAMETERS LIKE '{name}' IN SCHEMA {relation}" for name in OF_A_SCHEMA]


def schema_warnings(found: Iterable[tuple[Any, ...]]) -> Iterator[str]:
    """Yield a line for each parameter of a schema that changes what tables in it are.

    `found` are the rows of SHOW PARAMETERS.
    """
    for key, value, *_ in found:
        usual, effect = OF_A_SCHEMA.get(str(key), (str(value), ""))
        if str(value or "").casefold() != usual.casefold():
            yield f"{key} is {value}: {effect}"


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
