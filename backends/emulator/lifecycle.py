"""What a new, a replaced, a cloned and a dropped table has of policies, tags, grants and streams.

They belong to a table or view, not to its name: CREATE OR REPLACE and DROP lose them; a clone has
its source's policies, tags and clustering; COPY GRANTS keeps grants; whatever else is new gets the
schema's future grants.
https://docs.snowflake.com/en/sql-reference/sql/create-table
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from snowflake.connector.errors import ProgrammingError
from sqlglot import Expr, exp

from backends.emulator import (  # noqa: F401  (their handlers)
    governance,
    grants,
    keys,
    statements,
    streams,
    tasks,
)
from backends.emulator.patched import cursor
from backends.emulator.records import Relation, Session, instead

OF_TABLE = ("_policy_refs", "_tag_refs", "_keys", "_clustering")
CLONED = ("_policy_refs", "_tag_refs", "_clustering")
COPY_GRANTS = re.compile(r"\bCOPY\s+GRANTS\b", re.IGNORECASE)
CLAUSES = (exp.MaskingPolicyColumnConstraint, exp.Tags)
PROPERTIES = (exp.RowAccessProperty, exp.Tags, exp.SecureProperty)


def install() -> None:
    """Let fakesnow's cursor record governance."""
    execute = cursor.FakeSnowflakeCursor.execute

    def governed(self: Any, command: str, *args: Any, **options: Any) -> Any:
        if query := instead(self, command):
            return execute(self, query, *args, **options)
        after = _watch(Session(self), command)
        execute(self, command, *args, **options)
        for each in after:
            each()
        return self

    cursor.FakeSnowflakeCursor.execute = governed


def _watch(session: Session, sql: str) -> list[Callable[[], None]]:
    """Return what is to be done once a statement has succeeded."""
    tree = statements.parsed(sql)
    if tree is None:
        return []
    copies = bool(COPY_GRANTS.search(sql))
    found = streams.watch(session, tree) or _of_structure(session, tree, copies=copies)
    return [found] if found else []


def _of_structure(session: Session, tree: Expr, *, copies: bool) -> Callable[[], None] | None:
    match tree:
        case exp.Create(kind="TABLE" | "VIEW"):
            return _created(session, tree, copies=copies)
        case exp.Create(kind="SCHEMA"):
            schema = session.schema(tree.this.sql("snowflake"))
            return (
                None
                if _schema_exists(session, schema)
                else lambda: _grant(session, schema, "SCHEMA")
            )
        case exp.Drop(kind="TABLE" | "VIEW"):
            table = session.relation(tree.this.sql("snowflake"))
            return lambda: _lose(session, table)
        case exp.Alter(kind="TABLE") if dropped := _dropped_columns(tree):
            return _without_columns(session, session.relation(tree.this.sql("snowflake")), dropped)
        case exp.Drop(kind="SCHEMA"):
            schema = session.schema(tree.this.sql("snowflake"))
            return lambda: _lose_schema(session, schema)
    return None


def _dropped_columns(tree: exp.Alter) -> list[str]:
    actions = tree.args.get("actions") or ()
    return [each.this.name for each in actions if isinstance(each, exp.Drop) and each.this.name]


def _without_columns(session: Session, table: Relation, columns: list[str]) -> Callable[[], None]:
    """Refuse to drop what a policy is given; return what takes the columns' own policies along."""
    for arguments in session.about(table, "select arguments from _policy_refs"):
        if found := set(columns) & set(arguments[0]):
            message = f"SQL compilation error:\nColumn '{min(found)}' is used in a policy."
            raise ProgrammingError(msg=message, errno=3553, sqlstate="42601")

    def lose() -> None:
        for store in ("_policy_refs", "_tag_refs"):
            rows = session.about(table, f"select * from {store}")
            session.about(table, f"delete from {store}")
            _insert(session, table, store, [row for row in rows if row[2] not in columns])
        if {name for (name,) in session.about(table, "select column_name from _keys")} & set(
            columns
        ):
            session.about(table, "delete from _keys")

    return lose


def _created(session: Session, tree: exp.Create, *, copies: bool) -> Callable[[], None] | None:
    table = session.relation(statements.target(tree).sql("snowflake"))
    existed = _exists(session, table)
    if existed and tree.args.get("exists"):
        return None
    clone = statements.clone_source(tree)
    source = session.relation(clone.sql("snowflake")) if clone else None

    def after() -> None:
        kept = session.about(table, "select * from _grants") if copies and existed else []
        _lose(session, table)
        if copies and (existed or source):
            _insert(session, table, "_grants", kept or _rows_of(session, source, "_grants"))
        else:
            _grant(session, table, str(tree.kind))
        for store in CLONED if source else ():
            _insert(session, table, store, _rows_of(session, source, store))
        _put_clauses(session, table, tree)

    return after


def _rows_of(session: Session, source: Relation | None, store: str) -> list[Any]:
    return session.about(source, f"select * from {store}") if source else []


def _insert(session: Session, table: Relation, store: str, rows: list[Any]) -> None:
    for _, _, *row in rows:
        places = ", ".join(f"${number}" for number in range(1, len(row) + 3))
        sql = f"insert into {store} values ({places})"
        session.run(table.database, sql, table.schema, table.name, *row)


def _grant(session: Session, table: Relation, kind: str) -> None:
    within = "" if kind == "SCHEMA" else table.schema
    rows = session.run(
        table.database,
        "select table_schema, kind, privilege, granted_to, grantee_name, grant_option"
        " from _future_grants where (table_schema, kind) = ($1, $2)",
        within,
        kind,
    )
    _insert(session, table, "_grants", rows)


def _lose(session: Session, table: Relation) -> None:
    for store in (*OF_TABLE, "_grants"):
        session.about(table, f"delete from {store}")
    streams.make_stale(session, table)


def _lose_schema(session: Session, schema: Relation) -> None:
    for store in (*OF_TABLE, "_grants", "_streams"):
        session.run(schema.database, f"delete from {store} where table_schema = $1", schema.schema)


def _exists(session: Session, table: Relation) -> bool:
    rows = session.cursor._duck_conn.execute(
        "select 1 from duckdb_tables() where [database_name, schema_name, table_name] = $1"
        " union all"
        " select 1 from duckdb_views() where [database_name, schema_name, view_name] = $1",
        [table.parts],
    )
    return bool(rows.fetchall())


def _schema_exists(session: Session, schema: Relation) -> bool:
    rows = session.cursor._duck_conn.execute(
        "select 1 from duckdb_schemas() where (database_name, schema_name) = ($1, $2)",
        [schema.database, schema.schema],
    )
    return bool(rows.fetchall())


def _put_clauses(session: Session, table: Relation, tree: exp.Create) -> None:
    definitions = tree.this.expressions if isinstance(tree.this, exp.Schema) else ()
    for column in definitions:
        for constraint in column.args.get("constraints") or ():
            governance.put_clause(session, table, column.name, constraint.kind)
    properties = tree.args.get("properties")
    for each in properties.expressions if properties else ():
        governance.put_clause(session, table, None, each)


def without_clauses(tree: Expr, _: Any) -> Expr:
    """Return CREATE less the clauses that DuckDB lacks."""
    if isinstance(tree, exp.Create) and tree.kind in ("TABLE", "VIEW"):
        for constraint in list(tree.find_all(exp.ColumnConstraint)):
            if isinstance(constraint.kind, CLAUSES):
                constraint.pop()
        if properties := tree.args.get("properties"):
            left = [each for each in properties.expressions if not isinstance(each, PROPERTIES)]
            properties.set("expressions", left)
    return tree
