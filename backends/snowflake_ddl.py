"""The SQL statements that create, comment and publish on Snowflake; pure functions."""

from __future__ import annotations

import datetime
import glob
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

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


def _type(kind: dt.DataType) -> str:
    # The account's TIMESTAMP_TYPE_MAPPING decides what a bare TIMESTAMP means.
    if kind.is_timestamp():
        return "TIMESTAMP_LTZ" if kind.timezone else "TIMESTAMP_NTZ"
    return str(SnowflakeType.to_string(kind))


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
            return f"CAST({literal(value.isoformat(sep=' '))} AS TIMESTAMP_NTZ)"
        case datetime.date():
            return f"CAST({literal(value.isoformat())} AS DATE)"
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
    columns = ",\n".join(f"  {identifier(name)} {_type(kind)}" for name, kind in types.items())
    return f"CREATE TEMPORARY TABLE {relation} (\n{columns}\n)"


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
