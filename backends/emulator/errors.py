"""Errors as Snowflake numbers and words them."""

from __future__ import annotations

import logging
import re
from typing import Any

from snowflake.connector.errors import ProgrammingError

from backends.emulator.patched import cursor

LOG = logging.getLogger(__name__)

# DuckDB's words → errno, SQLSTATE and words of Snowflake.
ERRORS = (
    (r"Division by zero", 100051, "22012", "Division by zero"),
    (r"INTERRUPT", 604, "57014", "SQL execution canceled"),
    (r"NOT NULL constraint failed", 100072, "22000", "NULL result in a non-nullable column"),
    (r'Could not convert string ["\'](.*)["\'] to', 100038, "22018",
     r"Numeric value '\1' is not recognized"),
    (r'invalid date field format: "(.*?)"', 100040, "22007", r"Date '\1' is not recognized"),
    (r'Catalog "(.+?)" does not exist', 2003, "02000",
     r"SQL compilation error:\nDatabase '\1' does not exist or not authorized."),
    (r"schema \"?(\S+?)\"? does not exist", 2003, "02000",
     r"SQL compilation error:\nSchema '\1' does not exist or not authorized."),
    (r"(?:Table|View) with name (\S+) does not exist", 2003, "42S02",
     r"SQL compilation error:\nObject '\1' does not exist or not authorized."),
    (r'Referenced column "(.+?)" not found', 904, "42000",
     r"SQL compilation error:\ninvalid identifier '\1'"),
)  # fmt: skip


def errors() -> None:
    """Answer errors as Snowflake numbers them; fakesnow knows few and sends HTTP 500 for others.

    The connector retries an HTTP 500 for minutes.
    """
    execute = cursor.FakeSnowflakeCursor.execute

    def translated(self: Any, *args: Any, **options: Any) -> Any:
        try:
            return execute(self, *args, **options)
        except Exception as error:
            raise _as_snowflake(error) from error

    cursor.FakeSnowflakeCursor.execute = translated


def _as_snowflake(error: Exception) -> ProgrammingError:
    text = str(error.msg if isinstance(error, ProgrammingError) else error)
    for pattern, errno, sqlstate, words in ERRORS:
        if found := re.search(pattern, text, re.IGNORECASE):
            return ProgrammingError(msg=found.expand(words), errno=errno, sqlstate=sqlstate)
    if isinstance(error, ProgrammingError):
        return error
    LOG.error("unknown to Snowflake", exc_info=error)
    internal = f"SQL execution internal error:\n{type(error).__name__} {text}"
    return ProgrammingError(msg=internal, errno=603, sqlstate="XX000")
