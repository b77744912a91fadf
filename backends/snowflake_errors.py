"""What Snowflake's errors mean: by number, what is wrong, a hint, and whether a statement ran."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from marts.core.errors import EngineError

if TYPE_CHECKING:
    from snowflake.connector.errors import Error


class LostAnswerError(EngineError):
    """No answer to a statement arrived, so nobody knows whether it ran; it is not retried."""


FAILED_REQUEST = 250003
LOCK_WAIT = 625
"""A wait took longer than LOCK_TIMEOUT."""
LOST = "the connection to Snowflake is lost"
ROLE_HINT = "grant it; `marts help snowflake` lists what the role needs"

# By error number: what is wrong, and the hint.
EXPLANATIONS = {
    250001: ("Snowflake cannot be reached, or refuses the login", "check account, host and login"),
    FAILED_REQUEST: (
        LOST,
        "check the network, then run again; a later run drops candidates that this one left",
    ),
    390100: ("Snowflake refuses the login", "check user and password in connections.toml"),
    390111: ("Snowflake has ended the session", "run again"),
    390112: ("Snowflake has ended the session", "run again"),
    390114: ("Snowflake has ended the session", "run again"),
    390144: ("Snowflake refuses the key", "check private_key_file, and the user's public key"),
    604: ("the statement was cancelled", "somebody, or a limit of the account, cancelled it"),
    606: ("there is no warehouse to run the statement", "pass --warehouse"),
    LOCK_WAIT: (
        "another transaction kept the table locked for too long",
        "run again when it has ended, or wait longer: --lock-timeout SECONDS",
    ),
    630: (
        "the statement took too long, and Snowflake cancelled it",
        "set STATEMENT_TIMEOUT_IN_SECONDS in session_parameters of the connection",
    ),
    707: (
        "a source cannot be read any more as it was when the run began",
        "run again; if that fails, too, let its tables keep a day of Time Travel",
    ),
    2003: ("a table, view or schema does not exist, or the role may not use it", ROLE_HINT),
    2043: ("an object does not exist, or the role may not use it", ROLE_HINT),
    3529: (
        "a column that is to be masked has another masking policy, which the role does not see",
        "name that policy in [tool.marts.personal], or let its owner take it off the column first",
    ),
    3001: ("the role lacks a privilege", ROLE_HINT),
}

MISSING = (2003, 2043)
"""An object does not exist, or the role may not use it."""
GONE = (250002, 390104, 390111, 390112, 390113, 390114, 390115, 390195)
"""The session has ended; a statement may have run before that."""
UNREACHABLE = (250001, 250003, 251011, 251012, 252007, 252010, 252013)
"""The network, or what is in between, did not carry a request or an answer."""
HTTP_ERRORS = range(290_000, 291_000)
"""Any HTTP status but 200, from Snowflake or from what is in between."""

BRACKETS = r"\[(?!(?:SB\d+|LOB|DOUBLE)\]).*\]"
"""A value in brackets; those of a type, such as FIXED[SB8], are not."""


@contextmanager
def translated(action: str) -> Iterator[None]:
    """Translate the connector's errors into EngineError, with a hint if the number is known.

    Raises LostAnswerError if no answer arrived.
    """
    from snowflake.connector.errors import Error

    try:
        yield
    except Error as error:
        raise _explained(error, action) from error
    except Exception as error:
        # The connector lets the errors of its HTTP library through where it fetches results.
        if not is_network_error(error):
            raise
        what, hint = EXPLANATIONS[FAILED_REQUEST]
        name = type(error).__name__
        raise LostAnswerError(what, action, f"{name}: {error}", hint=hint) from error


def is_network_error(error: BaseException) -> bool:
    """Tell whether an error is one of the HTTP library, or of the system's network."""
    from snowflake.connector.vendored.requests.exceptions import RequestException
    from snowflake.connector.vendored.urllib3.exceptions import HTTPError

    return isinstance(error, (RequestException, HTTPError, ConnectionError, TimeoutError))


def is_refused(error: BaseException) -> bool:
    """Tell whether a host is known to be absent, or not to listen: waiting does not help."""
    causes, seen = [error], set[int]()
    while causes:
        cause = causes.pop()
        if isinstance(cause, ConnectionRefusedError):
            return True
        if isinstance(cause, socket.gaierror) and cause.errno == socket.EAI_NONAME:
            return True
        seen.add(id(cause))
        # The HTTP library passes its causes on as arguments and reasons, too.
        further = (cause.__cause__, cause.__context__, getattr(cause, "reason", None), *cause.args)
        causes += [
            each for each in further if isinstance(each, BaseException) and id(each) not in seen
        ]
    return False


def is_lost(error: Error) -> bool:
    """Tell whether an error leaves open if its statement ran; the server's own refusals do not."""
    from snowflake.connector.errors import OperationalError

    number = error.errno or 0
    known = (*GONE, *UNREACHABLE)
    return number in known or number in HTTP_ERRORS or isinstance(error, OperationalError)


def number_of(error: EngineError) -> int | None:
    """Return Snowflake's number of the error that was translated, None if there is none."""
    number: int | None = getattr(error.__cause__, "errno", None)
    return number


def has_ended_the_session(error: EngineError) -> bool:
    """Tell whether an error means that its session has ended, while Snowflake can be reached."""
    return number_of(error) in GONE


def _explained(error: Error, action: str) -> EngineError:
    lost = is_lost(error)
    number = error.errno if error.errno in EXPLANATIONS or not lost else FAILED_REQUEST
    what, hint = EXPLANATIONS.get(number, (f"Snowflake could not {action}", None))
    message = str(error.raw_msg or error.msg or error).strip()
    if (error.sqlstate or "").startswith("22"):
        message = _without_values(message)
    facts = [action] if number in EXPLANATIONS else []
    facts.append(message)
    if error.sfqid:
        facts.append(f"query {error.sfqid}")
    return (LostAnswerError if lost else EngineError)(what, *facts, hint=hint)


def _without_values(message: str) -> str:
    """Return the message of a data exception without the value of a row that it quotes.

    The value may have quotes itself; a number, and what is not JSON, is not quoted.
    """
    for quoted, mark in ((r"'.*'", "'…'"), (r'".*"', '"…"'), (BRACKETS, "[…]")):
        message = re.sub(quoted, mark, message, flags=re.DOTALL)
    message = re.sub(r"(\bvalue:? )[-+.\d]\S*", r"\1…", message)
    return re.sub(
        r"(\b(?:parsing JSON|out of range|too long):\s*).*",
        r"\1…",
        message,
        flags=re.DOTALL | re.IGNORECASE,
    )
