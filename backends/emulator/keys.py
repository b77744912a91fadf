"""Primary keys, which Snowflake records and does not enforce, and clustering keys."""

from __future__ import annotations

from snowflake.connector.errors import ProgrammingError

from backends.emulator.records import (
    LIST,
    NAME,
    TEXT,
    Session,
    answer,
    handles,
    names,
    qualified,
    quoted,
)


@handles(rf"ALTER\s+TABLE\s+{NAME}\s+ADD\s+PRIMARY\s+KEY\s*{LIST}(\s+RELY)?")
def add_key(session: Session, table: str, columns: str, rely: str | None) -> None:
    """Record a primary key; its columns become NOT NULL."""
    found = session.relation(table)
    if session.about(found, "select 1 from _keys"):
        message = f"SQL compilation error:\nprimary key already exists for table '{found.name}'"
        raise ProgrammingError(msg=message, errno=2265, sqlstate="42710")
    for number, column in enumerate(names(columns), 1):
        session.cursor._duck_conn.execute(
            f"alter table {qualified(found)} alter column {quoted(column)} set not null"
        )
        values = (found.schema, found.name, column, number, "true" if rely else "false")
        session.run(found.database, "insert into _keys values ($1, $2, $3, $4, $5)", *values)


@handles(rf"ALTER\s+TABLE\s+{NAME}\s+DROP\s+PRIMARY\s+KEY")
def drop_key(session: Session, table: str) -> None:
    """Forget a primary key; its columns stay NOT NULL."""
    found = session.relation(table)
    if not session.about(found, "select 1 from _keys"):
        message = "SQL compilation error:\nprimary key does not exist"
        raise ProgrammingError(msg=message, errno=2003, sqlstate="02000")
    session.about(found, "delete from _keys")


@handles(rf"ALTER\s+TABLE\s+{NAME}\s+MODIFY\s+PRIMARY\s+KEY\s+RELY")
def rely_on_key(session: Session, table: str) -> None:
    """Let the optimizer rely on a key."""
    found = session.relation(table)
    session.about(found, "update _keys set rely = 'true'")


@handles(rf"SHOW\s+PRIMARY\s+KEYS\s+IN\s+SCHEMA\s+{NAME}")
def show_keys(session: Session, schema: str) -> str:
    """Return the columns of a schema's primary keys."""
    found = session.schema(schema)
    rows = session.run(
        found.database,
        "select table_name, column_name, key_sequence, rely from _keys where table_schema = $1",
        found.schema,
    )
    columns = {"table_name": TEXT, "column_name": TEXT, "key_sequence": "BIGINT", "rely": TEXT}
    return answer(columns, rows)


@handles(rf"ALTER\s+TABLE\s+{NAME}\s+CLUSTER\s+BY\s*\((.*)\)")
def cluster(session: Session, table: str, expressions: str) -> None:
    """Record by what a table is clustered."""
    found = session.relation(table)
    session.about(found, "delete from _clustering")
    session.run(
        found.database,
        "insert into _clustering values ($1, $2, $3)",
        found.schema,
        found.name,
        f"LINEAR({expressions})",
    )
