"""Grants as Snowflake records them: of tables, views and schemas, future ones as well.

No privilege is checked. The role of the session owns everything.
"""

from __future__ import annotations

from collections.abc import Iterator

from backends.emulator.records import (
    IDENTIFIER,
    NAME,
    TEXT,
    Relation,
    Session,
    answer,
    handles,
    names,
    qualified,
)

PRIVILEGES = r"([A-Z_]+(?:\s+[A-Z_]+)*(?:\s*,\s*[A-Z_]+(?:\s+[A-Z_]+)*)*?)"
GRANTEE = r"(?:(DATABASE\s+ROLE|APPLICATION\s+ROLE|ROLE|SHARE|USER|APPLICATION)\s+)?"
GRANTEE += rf"({IDENTIFIER}(?:\.{IDENTIFIER})?)"
OBJECT = rf"(TABLE|VIEW|SCHEMA)\s+{NAME}"
FUTURE = rf"FUTURE\s+(TABLE|VIEW|SCHEMA)S\s+IN\s+(SCHEMA|DATABASE)\s+{NAME}"
GRANTS = {
    "privilege": TEXT,
    "granted_on": TEXT,
    "name": TEXT,
    "granted_to": TEXT,
    "grantee_name": TEXT,
    "grant_option": TEXT,
}


@handles(rf"GRANT\s+{PRIVILEGES}\s+ON\s+{OBJECT}\s+TO\s+{GRANTEE}(\s+WITH\s+GRANT\s+OPTION)?")
def grant(
    session: Session,
    privileges: str,
    kind: str,
    name: str,
    to: str | None,
    grantee: str,
    option: str | None,
) -> None:
    """Record privileges on a table, view or schema."""
    found = _object(session, kind, name)
    for privilege in _privileges(privileges):
        row = (privilege, *_grantee(to, grantee), "true" if option else "false")
        _revoke(session, found, *row[:-1])
        sql = "insert into _grants values ($1, $2, $3, $4, $5, $6)"
        session.run(found.database, sql, found.schema, found.name, *row)


@handles(rf"REVOKE\s+{PRIVILEGES}\s+ON\s+{OBJECT}\s+FROM\s+{GRANTEE}(?:\s+CASCADE)?")
def revoke(
    session: Session, privileges: str, kind: str, name: str, of: str | None, grantee: str
) -> None:
    """Forget privileges on a table, view or schema."""
    found = _object(session, kind, name)
    for privilege in _privileges(privileges):
        _revoke(session, found, privilege, *_grantee(of, grantee))


def _revoke(session: Session, found: Relation, privilege: str, *grantee: str) -> None:
    sql = (
        "delete from _grants where (table_schema, table_name) = ($1, $2)"
        " and $3 in (privilege, 'ALL PRIVILEGES') and (granted_to, grantee_name) = ($4, $5)"
    )
    session.run(found.database, sql, found.schema, found.name, privilege, *grantee)


def _object(session: Session, kind: str, name: str) -> Relation:
    return session.schema(name) if kind.upper() == "SCHEMA" else session.relation(name)


def _privileges(words: str) -> Iterator[str]:
    return (" ".join(each.upper().split()) for each in words.split(","))


def _grantee(kind: str | None, name: str) -> tuple[str, str]:
    return "_".join((kind or "ROLE").upper().split()), ".".join(names(name))


@handles(rf"GRANT\s+{PRIVILEGES}\s+ON\s+{FUTURE}\s+TO\s+{GRANTEE}(\s+WITH\s+GRANT\s+OPTION)?")
def grant_future(
    session: Session,
    privileges: str,
    kind: str,
    within: str,
    name: str,
    to: str | None,
    grantee: str,
    option: str | None,
) -> None:
    """Record privileges on what will be created in a schema, or (schemas) in a database."""
    found = _container(session, within, name)
    for privilege in _privileges(privileges):
        row = (kind.upper(), privilege, *_grantee(to, grantee), "true" if option else "false")
        sql = "insert into _future_grants values ($1, $2, $3, $4, $5, $6)"
        session.run(found.database, sql, found.schema, *row)


@handles(rf"REVOKE\s+{PRIVILEGES}\s+ON\s+{FUTURE}\s+FROM\s+{GRANTEE}")
def revoke_future(
    session: Session,
    privileges: str,
    kind: str,
    within: str,
    name: str,
    of: str | None,
    grantee: str,
) -> None:
    """Forget privileges on what will be created."""
    found = _container(session, within, name)
    for privilege in _privileges(privileges):
        sql = (
            "delete from _future_grants where (table_schema, kind, privilege, granted_to,"
            " grantee_name) = ($1, $2, $3, $4, $5)"
        )
        row = (kind.upper(), privilege, *_grantee(of, grantee))
        session.run(found.database, sql, found.schema, *row)


def _container(session: Session, within: str, name: str) -> Relation:
    if within.upper() == "DATABASE":
        return Relation(names(name)[0], "", "")
    return session.schema(name)


@handles(rf"SHOW\s+GRANTS\s+ON\s+{OBJECT}")
def show_grants(session: Session, kind: str, name: str) -> str:
    """Return who has which privilege on a table, view or schema, its owner first."""
    found = _object(session, kind, name)
    rows = session.about(
        found, "select privilege, granted_to, grantee_name, grant_option from _grants"
    )
    owner = ("OWNERSHIP", "ROLE", session.cursor._conn.role, "true")
    text = qualified(found)
    return answer(
        GRANTS,
        [
            (privilege, kind.upper(), text, to, grantee, option)
            for privilege, to, grantee, option in [owner, *sorted(rows)]
        ],
    )


@handles(rf"SHOW\s+FUTURE\s+GRANTS\s+IN\s+(SCHEMA|DATABASE)\s+{NAME}")
def show_future_grants(session: Session, within: str, name: str) -> str:
    """Return the privileges on what will be created in a schema or database."""
    found = _container(session, within, name)
    rows = session.run(
        found.database,
        "select privilege, kind, granted_to, grantee_name, grant_option from _future_grants"
        " where table_schema = $1 order by all",
        found.schema,
    )
    columns = ("privilege", "grant_on", "grant_to", "grantee_name", "grant_option")
    return answer(dict.fromkeys(columns, TEXT), rows)
