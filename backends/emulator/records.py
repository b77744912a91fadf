"""What the emulator records about tables and views besides DuckDB, and statements about that.

It is in tables of each database, so that transactions hold for it as well.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from string import Template
from typing import Any

from sqlglot import exp

IDENTIFIER = r'(?:"(?:[^"]|"")+"|[\w$]+)'
NAME = rf"({IDENTIFIER}(?:\.{IDENTIFIER}){{0,2}})"
STRING = r"'((?:[^'\\]|''|\\.)*)'"
SUCCESS = "SELECT 'Statement executed successfully.' AS \"status\""
STORE = Template(
    """
create table if not exists ${database}._fs_information_schema._policies (
    policy_schema varchar, policy_name varchar, policy_kind varchar, signature varchar);
create table if not exists ${database}._fs_information_schema._tags (
    tag_schema varchar, tag_name varchar, allowed_values varchar);
create table if not exists ${database}._fs_information_schema._policy_refs (
    table_schema varchar, table_name varchar, column_name varchar, policy_name varchar[],
    policy_kind varchar, arguments varchar[]);
create table if not exists ${database}._fs_information_schema._tag_refs (
    table_schema varchar, table_name varchar, column_name varchar, tag_name varchar[],
    tag_value varchar);
create table if not exists ${database}._fs_information_schema._grants (
    table_schema varchar, table_name varchar, privilege varchar, granted_to varchar,
    grantee_name varchar, grant_option varchar);
create table if not exists ${database}._fs_information_schema._future_grants (
    table_schema varchar, kind varchar, privilege varchar, granted_to varchar,
    grantee_name varchar, grant_option varchar);
create table if not exists ${database}._fs_information_schema._keys (
    table_schema varchar, table_name varchar, column_name varchar, key_sequence bigint,
    rely varchar);
create table if not exists ${database}._fs_information_schema._clustering (
    table_schema varchar, table_name varchar, clustering_key varchar);
create table if not exists ${database}._fs_information_schema._streams (
    stream_schema varchar, stream_name varchar, table_schema varchar, table_name varchar,
    stale varchar);
create table if not exists ${database}._fs_information_schema._programs (
    program_schema varchar, program_name varchar, kind varchar, comment varchar, state varchar,
    schedule varchar, warehouse varchar, arguments varchar, text varchar);
create table if not exists ${database}._fs_information_schema._changes (
    stream_schema varchar, stream_name varchar, action varchar);
"""
)


@dataclass(frozen=True)
class Relation:
    """A name in full: of a table, a view, a policy, a tag; of a schema with an empty `name`."""

    database: str
    schema: str
    name: str

    @property
    def parts(self) -> list[str]:
        """Its parts, as an array of DuckDB."""
        return [self.database, self.schema, self.name]


class Session:
    """What handlers need of fakesnow's cursor."""

    def __init__(self, cursor: Any) -> None:
        self.cursor = cursor

    def relation(self, name: str) -> Relation:
        """Return the relation of a name in SQL, completed by the session's database and schema."""
        *within, own = names(name)
        if len(within) != 2:
            schema = self.schema(".".join(map(quoted, within or [self.cursor._conn.schema])))
            return Relation(schema.database, schema.schema, own)
        return Relation(within[0], within[1], own)

    def run(self, database: str, sql: str, *values: object) -> list[Any]:
        """Run DuckDB's SQL; names that begin with _ are those of a database's store."""
        within = rf'"{database}"._fs_information_schema.\1'
        found = re.sub(r"(?<!\w)(_[a-z_]+)", within, sql)
        rows: list[Any] = self.cursor._duck_conn.execute(found, list(values)).fetchall()
        return rows

    def about(self, table: Relation, sql: str) -> list[Any]:
        """Run a SELECT or DELETE, without its WHERE, for the rows about one table or view."""
        where = "where table_schema = $1 and table_name = $2"
        return self.run(table.database, f"{sql} {where}", table.schema, table.name)

    def schema(self, name: str) -> Relation:
        """Return a schema as a relation without a name."""
        *database, schema = names(name)
        return Relation(database[0] if database else self.cursor._conn.database, schema, "")


def names(text: str) -> list[str]:
    """Return the identifiers in a name, or in a list of names, as the catalog spells them."""
    found = re.findall(IDENTIFIER, text)
    return [
        each[1:-1].replace('""', '"') if each.startswith('"') else each.upper() for each in found
    ]


def literal(value: object) -> str:
    """Return a value as SQL of Snowflake: text, a number, null."""
    if value is None:
        return "CAST(NULL AS VARCHAR)"
    return str(value) if isinstance(value, int) else exp.Literal.string(str(value)).sql("snowflake")


def answer(columns: Mapping[str, str], rows: list[Any]) -> str:
    """Return a query with these rows; `columns` are names, spelled as they are, and types."""
    nothing = [tuple(None for _ in columns)]
    selects = [
        "SELECT "
        + ", ".join(
            f'CAST({literal(value)} AS {kind}) AS "{name}"'
            for (name, kind), value in zip(columns.items(), row, strict=True)
        )
        for row in rows or nothing
    ]
    return " UNION ALL ".join(selects) + ("" if rows else " LIMIT 0")


Handler = Callable[..., str | None]
HANDLERS: list[tuple[re.Pattern[str], Handler]] = []
"""Statements that DuckDB cannot run, and what writes or reads the store in their place."""


def handles(pattern: str) -> Callable[[Handler], Handler]:
    """Let a function run the statements that match; it is given the session and the groups.

    It returns the query to run instead, or None for a plain success.
    """
    compiled = re.compile(rf"\s*{pattern}\s*;?\s*", re.IGNORECASE | re.DOTALL)

    def register(handler: Handler) -> Handler:
        HANDLERS.append((compiled, handler))
        return handler

    return register


def instead(cursor: Any, sql: str) -> str | None:
    """Carry out a statement about governance, and return what to run in its place."""
    for pattern, handler in HANDLERS:
        if found := pattern.fullmatch(sql):
            return handler(Session(cursor), *found.groups()) or SUCCESS
    return None


TEXT = "VARCHAR"
ALTER = rf"ALTER\s+(?:TABLE|VIEW)\s+(?:IF\s+EXISTS\s+)?{NAME}\s+"
COLUMN = rf"(?:MODIFY|ALTER)\s+(?:COLUMN\s+)?({IDENTIFIER})\s+"
LIST = rf"\(\s*({IDENTIFIER}(?:\s*,\s*{IDENTIFIER})*)\s*\)"


def quoted(name: str) -> str:
    """Return a quoted identifier."""
    return exp.to_identifier(name, quoted=True).sql("snowflake")


def qualified(table: Relation) -> str:
    """Return a relation's name as SQL."""
    return ".".join(map(quoted, table.parts))
