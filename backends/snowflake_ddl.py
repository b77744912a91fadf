"""The SQL statements that create, comment and publish on Snowflake; pure functions."""

from __future__ import annotations

import datetime
import glob
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

import ibis
import ibis.expr.datatypes as dt
import sqlglot.expressions as sge
from ibis.backends.sql.datatypes import SnowflakeType

from backends.snowflake_expression import Expression
from marts.core.plan.state import STATE_KEY

DIALECT = "snowflake"
# The maximum for a transient table: enough to query yesterday's build.
RETENTION_DAYS = 1


def literal(text: str) -> str:
    """Return a string literal; an expression is returned as it is."""
    return text if isinstance(text, Expression) else sge.Literal.string(text).sql(DIALECT)


def identifier(name: str) -> str:
    """Return a quoted, upper-case identifier."""
    return sge.to_identifier(name.upper(), quoted=True).sql(DIALECT)


def create_schema(relation: str) -> str:
    """Create a schema if it does not exist."""
    return f"CREATE SCHEMA IF NOT EXISTS {relation}"


def create_candidates_schema(relation: str) -> str:
    """Create the schema of candidates if it does not exist; nothing in it is kept."""
    return f"CREATE TRANSIENT SCHEMA IF NOT EXISTS {relation} DATA_RETENTION_TIME_IN_DAYS = 0"


def create_table_as(relation: str, query: str) -> str:
    """Create a candidate from a query, whose casts determine the columns' types."""
    return (
        f"CREATE OR REPLACE TRANSIENT TABLE {relation}\n"
        f"DATA_RETENTION_TIME_IN_DAYS = 0\n"
        f"AS\n{query}"
    )


def create_target(
    relation: str,
    columns: Mapping[str, str],
    *,
    comment: str,
    column_comments: Mapping[str, str],
) -> str:
    """Create an empty published table if it does not exist; `columns` are names and types.

    It gets the future grants of its schema, since nothing is copied.
    """
    parts = ",\n".join(
        f"  {identifier(name)} {kind}" + _commented(column_comments.get(name.lower()))
        for name, kind in columns.items()
    )
    return (
        f"CREATE TRANSIENT TABLE IF NOT EXISTS {relation} (\n{parts}\n)\n"
        f"DATA_RETENTION_TIME_IN_DAYS = {RETENTION_DAYS}\n"
        f"COMMENT = {literal(comment)}"
    )


def _commented(text: str | None) -> str:
    return f" COMMENT {literal(text)}" if text else ""


def column_type(kind: dt.DataType) -> str:
    """Return the type of a column."""
    # The account's TIMESTAMP_TYPE_MAPPING decides what a bare TIMESTAMP means.
    if kind.is_timestamp():
        return "TIMESTAMP_LTZ" if kind.timezone else "TIMESTAMP_NTZ"
    return str(SnowflakeType.to_string(kind))


def add_column(relation: str, name: str, kind: str) -> str:
    """Add a column, which may be null."""
    return f"ALTER TABLE {relation} ADD COLUMN {identifier(name)} {kind}"


def widen_column(relation: str, name: str, kind: str) -> str:
    """Change a column's type to a wider one."""
    return f"ALTER TABLE {relation} ALTER COLUMN {identifier(name)} SET DATA TYPE {kind}"


def drop_not_null(relation: str, name: str) -> str:
    """Let a column be null."""
    return f"ALTER TABLE {relation} ALTER COLUMN {identifier(name)} DROP NOT NULL"


def drop_column(relation: str, name: str) -> str:
    """Drop a column."""
    return f"ALTER TABLE {relation} DROP COLUMN {identifier(name)}"


BEGIN, COMMIT, ROLLBACK = "BEGIN TRANSACTION", "COMMIT", "ROLLBACK"


def set_lock_timeout(seconds: int) -> str:
    """Let the session's statements wait so long for locks."""
    return f"ALTER SESSION SET LOCK_TIMEOUT = {seconds}"


def overwrite(relation: str, candidate: str, columns: Iterable[str]) -> str:
    """Replace a table's rows by those of its candidate, in the transaction that is open."""
    names = ", ".join(map(identifier, columns))
    return f"INSERT OVERWRITE INTO {relation} ({names})\nSELECT {names} FROM {candidate}"


def contents(relations: Mapping[str, str], columns: Mapping[str, Iterable[str]]) -> str:
    """Return a query of the number of rows and a hash of all rows of each relation.

    `relations` are qualified names by the name in the result, which has the columns name, rows and
    hash; a relation without `columns` is not hashed. The hash is that of a bag of rows: the order
    of rows does not matter.
    """
    return "\nUNION ALL ".join(
        f"SELECT {literal(name)}, COUNT(*), {_hash(columns.get(name, ()))} FROM {relation}"
        for name, relation in relations.items()
    )


def _hash(columns: Iterable[str]) -> str:
    names = ", ".join(map(identifier, columns))
    return f"HASH_AGG({names})" if names else "NULL"


def comment_columns(relation: str, comments: Mapping[str, str]) -> str:
    """Comment a table's columns in one statement."""
    parts = ",\n".join(
        f"  COLUMN {identifier(name)} COMMENT {literal(text)}" for name, text in comments.items()
    )
    return f"ALTER TABLE {relation} MODIFY\n{parts}"


def comment(kind: str, relation: str, text: str) -> str:
    """Comment a table or view."""
    return f"COMMENT ON {kind.upper()} {relation} IS {literal(text)}"


def comment_column(relation: str, name: str, text: str) -> str:
    """Comment one column of a table or view."""
    return f"COMMENT ON COLUMN {relation}.{identifier(name)} IS {literal(text)}"


@dataclass(frozen=True)
class Kept:
    """What a view keeps of the one that it replaces: clauses, grants, and whether it is secure.

    A view that replaces none has no COPY GRANTS: it gets the schema's future grants, and the manual
    does not say whether it would with that clause.
    """

    column_clauses: Mapping[str, str] = field(default_factory=dict)
    clauses: str = ""
    is_secure: bool = False
    has_grants: bool = True


KEPT, NOTHING = Kept(), Kept(has_grants=False)


def create_view(
    relation: str,
    query: str,
    *,
    columns: Iterable[str],
    comment: str,
    column_comments: Mapping[str, str],
    kept: Kept = KEPT,
) -> str:
    """Create or replace a view, which keeps some things of the one that it replaces."""
    parts = ",\n".join(
        f"  {identifier(name)}{kept.column_clauses.get(name, '')}"
        + (f" COMMENT {literal(column_comments[name])}" if name in column_comments else "")
        for name in columns
    )
    return (
        f"CREATE OR REPLACE {'SECURE ' if kept.is_secure else ''}VIEW {relation} (\n{parts}\n)\n"
        + ("COPY GRANTS\n" if kept.has_grants else "")
        + f"COMMENT = {literal(comment)}\n{kept.clauses}"
        f"AS\n{query}"
    )


def keep_history(relation: str) -> str:
    """Let Time Travel reach as far into a table as into the marts."""
    return f"ALTER TABLE {relation} SET DATA_RETENTION_TIME_IN_DAYS = {RETENTION_DAYS}"


def replace_by_clone(relation: str, candidate: str) -> str:
    """Replace a table by a clone of its candidate, atomically; grants on it are kept.

    SWAP WITH would exchange the names, and the grants would stay with the old table.
    """
    return f"CREATE OR REPLACE TRANSIENT TABLE {relation} CLONE {candidate} COPY GRANTS"


def drop(kind: str, relation: str) -> str:
    """Drop a table or view if it exists."""
    return f"DROP {kind.upper()} IF EXISTS {relation}"


def create_own(relation: str, columns: Mapping[str, str]) -> str:
    """Create a table of marts' own if it does not exist; `columns` are names and Ibis's types."""
    types = {name: ibis.dtype(kind) for name, kind in columns.items()}
    return f"CREATE TABLE IF NOT EXISTS {relation} (\n{_columns(types)}\n)"


def add_own_column(relation: str, name: str, kind: str) -> str:
    """Add a column that an earlier version's table of marts' own lacks."""
    column = f"{identifier(name)} {column_type(ibis.dtype(kind))}"
    return f"ALTER TABLE {relation} ADD COLUMN IF NOT EXISTS {column}"


def _columns(types: Mapping[str, dt.DataType]) -> str:
    return ",\n".join(f"  {identifier(name)} {column_type(kind)}" for name, kind in types.items())


def claim(relation: str, rows: Sequence[Mapping[str, object]]) -> str:
    """Record rows with the same columns, except those whose package and name are recorded.

    An INSERT does not wait for a publication that holds the state table's lock.
    """
    names = ", ".join(map(identifier, rows[0]))
    same = " AND ".join(f'"T".{key} = "S".{key}' for key in map(identifier, STATE_KEY))
    return (
        f'INSERT INTO {relation} ({names})\nSELECT {names} FROM ({_selected(rows)}) AS "S"\n'
        f'WHERE NOT EXISTS (SELECT 1 FROM {relation} AS "T" WHERE {same})'
    )


def lock(relation: str, run_id: str, *, kind: str) -> str:
    """Update the row that publishers queue at, and so wait for one that is publishing."""
    return (
        f"UPDATE {relation} SET {identifier('run_id')} = {literal(run_id)}"
        f" WHERE {identifier('kind')} = {literal(kind)}"
    )


def recorded_runs(relation: str, names: Iterable[str]) -> str:
    """Return a query of package, name and run of the published tables and views of these names.

    A row without an as-of date is a claim: its run has published nothing yet.
    """
    columns = ", ".join(map(identifier, ("package", "name", "run_id")))
    listed = ", ".join(map(literal, names))
    return (
        f"SELECT {columns} FROM {relation} WHERE {identifier('name')} IN ({listed})"
        f" AND {identifier('kind')} IN ('table', 'view')"
        f" AND {identifier('as_of')} IS NOT NULL"
    )


def recorded_of(relation: str, name: str, kind: str) -> str:
    """Return a query of whether there is a row of this name and kind."""
    return (
        f"SELECT COUNT(*) FROM {relation} WHERE {identifier('name')} = {literal(name)}"
        f" AND {identifier('kind')} = {literal(kind)}"
    )


def merge_state(relation: str, rows: Sequence[Mapping[str, object]]) -> str:
    """Record rows with the same columns; they replace rows of the same package and name."""
    names = [identifier(name) for name in rows[0]]
    keys = [identifier(name) for name in STATE_KEY]
    sets = ", ".join(f'{n} = "S".{n}' for n in names if n not in keys)
    meets = " AND ".join(f'"T".{key} = "S".{key}' for key in keys)
    return (
        f'MERGE INTO {relation} AS "T"\n'
        f'USING ({_selected(rows)}) AS "S"\n'
        f"ON {meets}\n"
        f"WHEN MATCHED THEN UPDATE SET {sets}\n"
        f"WHEN NOT MATCHED THEN INSERT ({', '.join(names)})"
        f" VALUES ({', '.join(f'{chr(34)}S{chr(34)}.{name}' for name in names)})"
    )


def _selected(rows: Sequence[Mapping[str, object]]) -> str:
    """Return a query of rows."""
    return " UNION ALL ".join(
        f"SELECT {', '.join(f'{value(v)} AS {identifier(n)}' for n, v in row.items())}"
        for row in rows
    )


def value(value: object) -> str:
    """Return a number, a text, a date, a time without a zone, None or an expression as SQL."""
    match value:
        case None | Expression():
            return "NULL" if value is None else str(value)
        case datetime.datetime():
            at = (value.year, value.month, value.day, value.hour, value.minute, value.second)
            # The session's formats decide what a date as text means, if it means anything.
            parts = ", ".join(map(str, (*at, value.microsecond * 1000)))
            return f"TIMESTAMP_NTZ_FROM_PARTS({parts})"
        case datetime.date():
            return f"DATE_FROM_PARTS({value.year}, {value.month}, {value.day})"
        case int() | float():
            return repr(value)
        case _:
            return literal(str(value))


def delete_state(
    relation: str, column: str, names: Iterable[str], *, but: Mapping[str, str] | None = None
) -> str:
    """Delete the rows under these names, except for rows with the values of `but`."""
    listed = ", ".join(map(literal, names))
    kept = "".join(f" AND {identifier(n)} <> {literal(v)}" for n, v in (but or {}).items())
    return f"DELETE FROM {relation} WHERE {identifier(column)} IN ({listed}){kept}"


def put(file: Path, stage_path: str) -> str:
    """Upload one file, named by its absolute path, into a stage's folder."""
    # The connector expands patterns.
    path = glob.escape(file.as_posix())
    return f"PUT {literal(f'file://{path}')} {literal(stage_path)} AUTO_COMPRESS = FALSE"


def stage_folder(stage: str, folder: str) -> str:
    """Return the location of a folder in a stage, whose name is SQL.

    It ends with a slash, since a location stands for all paths that begin like it.
    """
    return f"@{stage}/{folder}/"


def create_temporary_stage(stage: str) -> str:
    """Create a stage that ends with the session."""
    return f"CREATE TEMPORARY STAGE {stage}"


def create_temporary_table(relation: str, types: Mapping[str, dt.DataType]) -> str:
    """Create an empty table that ends with the session."""
    return f"CREATE TEMPORARY TABLE {relation} (\n{_columns(types)}\n)"


def create_empty(relation: str, types: Mapping[str, dt.DataType]) -> str:
    """Create an empty table of which no history is kept, or replace it."""
    return (
        f"CREATE OR REPLACE TRANSIENT TABLE {relation} (\n{_columns(types)}\n)\n"
        "DATA_RETENTION_TIME_IN_DAYS = 0"
    )


def insert(relation: str, rows: Iterable[Iterable[object]]) -> str:
    """Insert a few rows; dates and timestamps are written as text, which Snowflake converts."""
    values = ",\n".join(f"({', '.join(map(_value, row))})" for row in rows)
    return f"INSERT INTO {relation} VALUES\n{values}"


def _value(value: object) -> str:
    match value:
        case None:
            return "NULL"
        case bool():
            return str(value).upper()
        case int() | float() | Decimal():
            return f"{value!r}" if isinstance(value, float) else f"{value}"
        case _:
            return literal(str(value))


def copy_into(relation: str, stage_path: str) -> str:
    """Fill a table from the Parquet files in a stage's folder: all of their rows, or none."""
    return (
        f"COPY INTO {relation} FROM {literal(stage_path)}\n"
        # Without logical types, a timestamp arrives as the integer that Parquet stores.
        "FILE_FORMAT = (TYPE = PARQUET USE_LOGICAL_TYPE = TRUE)\n"
        "MATCH_BY_COLUMN_NAME = CASE_INSENSITIVE\n"
        "ON_ERROR = ABORT_STATEMENT"
    )


def column_contents(relation: str, bounded: Mapping[str, bool]) -> str:
    """Count a table's rows, and the values of each column; read the bounds of those `bounded`."""
    parts = ["COUNT(*)"]
    for name, has_bounds in bounded.items():
        functions = ("COUNT", "MIN", "MAX") if has_bounds else ("COUNT",)
        parts += [f"{function}({identifier(name)})" for function in functions]
    return f"SELECT {', '.join(parts)} FROM {relation}"


def clone(relation: str, source: str) -> str:
    """Create a table, which must not exist, as a clone; the schema's future grants apply."""
    return f"CREATE TRANSIENT TABLE {relation} CLONE {source}"
