"""The SQL statements that create, comment and publish on Snowflake; pure functions."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping, Sequence

import ibis
import ibis.expr.datatypes as dt
import sqlglot.expressions as sge
from ibis.backends.sql.datatypes import SnowflakeType

from marts.core.plan.state import STATE_KEY

DIALECT = "snowflake"

# The maximum for a transient table: enough to query yesterday's build.
RETENTION_DAYS = 1


def literal(text: str) -> str:
    """Return a string literal."""
    return sge.Literal.string(text).sql(DIALECT)


def identifier(name: str) -> str:
    """Return a quoted, upper-case identifier."""
    return sge.to_identifier(name.upper(), quoted=True).sql(DIALECT)


def create_schema(relation: str) -> str:
    """Create a schema if it does not exist."""
    return f"CREATE SCHEMA IF NOT EXISTS {relation}"


def create_table_as(relation: str, query: str, *, comment: str) -> str:
    """Create a transient table from a query, whose casts determine the columns' types."""
    return (
        f"CREATE OR REPLACE TRANSIENT TABLE {relation}\n"
        f"DATA_RETENTION_TIME_IN_DAYS = {RETENTION_DAYS}\n"
        f"COMMENT = {literal(comment)}\n"
        f"AS\n{query}"
    )


def create_table(relation: str, schema: ibis.Schema) -> str:
    """Create an empty transient table with a schema."""
    columns = ",\n".join(f"  {identifier(name)} {_type(kind)}" for name, kind in schema.items())
    return (
        f"CREATE OR REPLACE TRANSIENT TABLE {relation} (\n{columns}\n)\n"
        f"DATA_RETENTION_TIME_IN_DAYS = {RETENTION_DAYS}"
    )


def _type(kind: dt.DataType) -> str:
    # The account's TIMESTAMP_TYPE_MAPPING decides what a bare TIMESTAMP means.
    return "TIMESTAMP_NTZ" if kind.is_timestamp() else str(SnowflakeType.to_string(kind))


def comment_columns(relation: str, comments: Mapping[str, str]) -> str:
    """Comment a table's columns in one statement."""
    parts = ",\n".join(
        f"  COLUMN {identifier(name)} COMMENT {literal(text)}" for name, text in comments.items()
    )
    return f"ALTER TABLE {relation} MODIFY\n{parts}"


def create_view(
    relation: str,
    query: str,
    *,
    columns: Iterable[str],
    comment: str,
    column_comments: Mapping[str, str],
) -> str:
    """Create or replace a view; grants on it are kept."""
    parts = ",\n".join(
        f"  {identifier(name)}"
        + (f" COMMENT {literal(column_comments[name])}" if name in column_comments else "")
        for name in columns
    )
    return (
        f"CREATE OR REPLACE VIEW {relation} (\n{parts}\n)\n"
        f"COPY GRANTS\n"
        f"COMMENT = {literal(comment)}\n"
        f"AS\n{query}"
    )


def replace_by_clone(relation: str, candidate: str) -> str:
    """Replace a table by a clone of its candidate, atomically; grants on it are kept.

    SWAP WITH would exchange the names, and the grants would stay with the old table.
    """
    return f"CREATE OR REPLACE TRANSIENT TABLE {relation} CLONE {candidate} COPY GRANTS"


def drop(kind: str, relation: str) -> str:
    """Drop a table or view if it exists."""
    return f"DROP {kind.upper()} IF EXISTS {relation}"


def create_state(relation: str, columns: Mapping[str, str]) -> str:
    """Create the state table if it does not exist; `columns` are names and Ibis's types."""
    parts = ",\n".join(
        f"  {identifier(name)} {_type(ibis.dtype(kind))}" for name, kind in columns.items()
    )
    return f"CREATE TABLE IF NOT EXISTS {relation} (\n{parts}\n)"


def merge_state(relation: str, rows: Sequence[Mapping[str, object]]) -> str:
    """Record rows with the same columns; they replace rows of the same package and name."""
    selects = " UNION ALL ".join(
        f"SELECT {', '.join(f'{_value(v)} AS {identifier(n)}' for n, v in row.items())}"
        for row in rows
    )
    names = [identifier(name) for name in rows[0]]
    keys = [identifier(name) for name in STATE_KEY]
    sets = ", ".join(f'{n} = "S".{n}' for n in names if n not in keys)
    meets = " AND ".join(f'"T".{key} = "S".{key}' for key in keys)
    return (
        f'MERGE INTO {relation} AS "T"\n'
        f'USING ({selects}) AS "S"\n'
        f"ON {meets}\n"
        f"WHEN MATCHED THEN UPDATE SET {sets}\n"
        f"WHEN NOT MATCHED THEN INSERT ({', '.join(names)})"
        f" VALUES ({', '.join(f'{chr(34)}S{chr(34)}.{name}' for name in names)})"
    )


def _value(value: object) -> str:
    match value:
        case None:
            return "NULL"
        case datetime.datetime():
            at = (value.year, value.month, value.day, value.hour, value.minute, value.second)
            # The session's formats decide what a date as text means, if it means anything.
            parts = ", ".join(map(str, (*at, value.microsecond * 1000)))
            return f"TIMESTAMP_NTZ_FROM_PARTS({parts})"
        case datetime.date():
            return f"DATE_FROM_PARTS({value.year}, {value.month}, {value.day})"
        case _:
            return literal(str(value))


def delete_state(
    relation: str, column: str, names: Iterable[str], *, but: Mapping[str, str] | None = None
) -> str:
    """Delete the rows under these names, except for rows with the values of `but`."""
    listed = ", ".join(map(literal, names))
    kept = "".join(f" AND {identifier(n)} <> {literal(v)}" for n, v in (but or {}).items())
    return f"DELETE FROM {relation} WHERE {identifier(column)} IN ({listed}){kept}"


def copy_into(relation: str, stage: str) -> str:
    """Fill a table from the Parquet files in a stage's folder."""
    return (
        f"COPY INTO {relation} FROM {stage}\n"
        # Without logical types, a timestamp arrives as the integer that Parquet stores.
        "FILE_FORMAT = (TYPE = PARQUET USE_LOGICAL_TYPE = TRUE)\n"
        "MATCH_BY_COLUMN_NAME = CASE_INSENSITIVE"
    )
