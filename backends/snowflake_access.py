"""Who may read the candidates: nobody but the role that builds them, until they are checked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from backends.snowflake_governance import Records, grantee
from backends.snowflake_sql import Namespace
from marts.core.errors import EngineError

Readers = dict[str, list[str]]
"""The privileges of each grantee: the words after FROM, as SQL."""


def readers(rows: Sequence[Mapping[str, Any]], role: str | None, namespace: Namespace) -> Readers:
    """Return who may use a schema besides its owner and a role, from the rows of SHOW GRANTS ON.

    Any privilege on a schema lets a role find what is in it.
    https://docs.snowflake.com/en/user-guide/security-access-control-privileges
    """

    def of(row: Mapping[str, Any]) -> str:
        return grantee(row["granted_to"], row["grantee_name"], namespace)

    own = {of(row) for row in rows if row["privilege"] == "OWNERSHIP"}
    own |= {grantee("ROLE", role, namespace)} if role else set()
    found: Readers = {}
    for row in rows:
        if of(row) not in own:
            found.setdefault(of(row), []).append(row["privilege"])
    return found


def revoke(grantee: str, privileges: Sequence[str], schema: str) -> str:
    """Return the statement that takes a schema from a grantee."""
    # A share has no ALL PRIVILEGES.
    words = ", ".join(privileges) if grantee.startswith("SHARE ") else "ALL PRIVILEGES"
    return f"REVOKE {words} ON SCHEMA {schema} FROM {grantee}"


def close_to_readers(
    namespace: Namespace,
    *,
    is_new: bool,
    records: Records,
    execute: Callable[[str, str, str], object],
) -> None:
    """See to it that nobody else may use the candidates' schema.

    Future grants on the database apply to a schema that this run created (`is_new`): they are
    revoked. Raises EngineError, with the statement that helps, if a grantee is left.
    """
    schema = namespace.sql

    def found() -> Readers:
        rows = records(f"SHOW GRANTS ON SCHEMA {schema}", namespace.schema)
        if not readers(rows, None, namespace):
            return {}
        (current,) = records('SELECT CURRENT_ROLE() AS "role"', namespace.schema)
        return readers(rows, current["role"], namespace)

    there = found()
    if there and is_new:
        for each, privileges in there.items():
            execute(revoke(each, privileges, schema), namespace.schema, "begin")
        there = found()
    if there:
        raise EngineError(
            f"unchecked candidates in schema {namespace} could be read",
            *(f"{each} has {', '.join(privileges)}" for each, privileges in there.items()),
            hint="; ".join(revoke(each, words, schema) for each, words in there.items()),
        )
