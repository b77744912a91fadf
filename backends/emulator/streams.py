"""Streams as Snowflake has them: what DML did to a table; stale once the table is replaced.

Only the actions are recorded, not the rows.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from snowflake.connector.errors import ProgrammingError
from sqlglot import Expr, exp

from backends.emulator.records import (
    NAME,
    STRING,
    TEXT,
    Relation,
    Session,
    answer,
    handles,
    qualified,
)


@handles(rf"CREATE\s+(?:OR\s+REPLACE\s+)?STREAM\s+{NAME}\s+ON\s+TABLE\s+{NAME}.*")
def create_stream(session: Session, name: str, table: str) -> None:
    """Record a stream, which has seen no change yet."""
    stream, found = session.relation(name), session.relation(table)
    _drop(session, stream)
    row = (stream.schema, stream.name, found.schema, found.name)
    session.run(found.database, "insert into _streams values ($1, $2, $3, $4, 'false')", *row)


@handles(rf"DROP\s+STREAM\s+(?:IF\s+EXISTS\s+)?{NAME}")
def drop_stream(session: Session, name: str) -> None:
    """Forget a stream."""
    _drop(session, session.relation(name))


def _drop(session: Session, stream: Relation) -> None:
    for store in ("_streams", "_changes"):
        _about(session, stream, f"delete from {store}")


def _about(session: Session, stream: Relation, sql: str) -> list[Any]:
    where = "where (stream_schema, stream_name) = ($1, $2)"
    return session.run(stream.database, f"{sql} {where}", stream.schema, stream.name)


@handles(rf"SHOW\s+STREAMS\s+IN\s+SCHEMA\s+{NAME}")
def show_streams(session: Session, schema: str) -> str:
    """Return a schema's streams, and whether each is stale."""
    found = session.schema(schema)
    rows = session.run(
        found.database,
        "select stream_name, table_schema, table_name, stale from _streams"
        " where stream_schema = $1 order by all",
        found.schema,
    )
    shown = [
        (name, qualified(Relation(found.database, of_schema, table)), stale)
        for name, of_schema, table, stale in rows
    ]
    return answer(dict.fromkeys(("name", "table_name", "stale"), TEXT), shown)


@handles(rf"SELECT\s+SYSTEM\$STREAM_HAS_DATA\(\s*{STRING}\s*\)")
def has_data(session: Session, name: str) -> str:
    """Tell whether a stream has seen changes."""
    return answer({"HAS_DATA": "BOOLEAN"}, [("true" if _changes(session, name) else "false",)])


@handles(rf"SELECT\s+METADATA\$ACTION\s+FROM\s+{NAME}")
def select_actions(session: Session, name: str) -> str:
    """Return the action of each row in a stream."""
    return answer({"METADATA$ACTION": TEXT}, _changes(session, name))


def _changes(session: Session, name: str) -> list[Any]:
    stream = session.relation(name)
    found = _about(session, stream, "select stale, table_name from _streams")
    if not found or found[0][0] == "true":
        why = "does not exist" if not found else "is stale: its table was dropped or recreated"
        message = f"SQL compilation error:\nStream '{name}' {why}."
        raise ProgrammingError(msg=message, errno=2003, sqlstate="02000")
    return _about(session, stream, "select action from _changes")


def make_stale(session: Session, table: Relation) -> None:
    """Make the streams of a table stale that is being replaced or dropped."""
    session.about(table, "update _streams set stale = 'true'")


def watch(session: Session, tree: Expr) -> Callable[[], None] | None:
    """Return what records a statement's changes once it has succeeded, None if nobody watches."""
    if not isinstance(tree, exp.Insert | exp.Update | exp.Delete | exp.Merge):
        return None
    name = tree.this.find(exp.Table)
    table = session.relation(name.sql("snowflake")) if name and name.name else None
    if table is None or not (streams := _streams_of(session, table)):
        return None
    before, overwrites = _count(session, table), bool(tree.args.get("overwrite"))

    def record() -> None:
        deleted, inserted = before, _count(session, table)
        if not overwrites:
            kept = min(deleted, inserted)
            deleted, inserted = deleted - kept, inserted - kept
        if isinstance(tree, exp.Update | exp.Merge):
            inserted = max(inserted, 1)
        for schema, stream in streams:
            for action, count in (("DELETE", deleted), ("INSERT", inserted)):
                sql = "insert into _changes select $1, $2, $3 from range($4)"
                session.run(table.database, sql, schema, stream, action, count)

    return record


def _streams_of(session: Session, table: Relation) -> list[Any]:
    return session.about(table, "select stream_schema, stream_name from _streams")


def _count(session: Session, table: Relation) -> int:
    rows = session.cursor._duck_conn.execute(f"select count(*) from {qualified(table)}")
    (count,) = rows.fetchone()
    return int(count)
