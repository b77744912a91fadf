"""The SQL statements that publish and record on DuckDB; pure functions."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

import sqlglot.expressions as sge

from backends.duckdb_settings import STORAGE_VERSION
from backends.sql import comment_statements
from marts.core.plan.state import STATE_COLUMNS, STATE_KEY, Materialized

DIALECT = "duckdb"
TEMPORARY = "temp"
"""DuckDB's own name for the database of temporary relations."""

TYPES = {
    "string": "TEXT",
    "date": "DATE",
    "timestamp": "TIMESTAMP",
    "int64": "BIGINT",
    "float64": "DOUBLE",
}
"""The types of the columns of our own tables."""


def literal(text: str) -> str:
    """Return a string literal."""
    return sge.Literal.string(text).sql(DIALECT)


def quoted(name: str) -> str:
    """Return a quoted identifier."""
    return sge.to_identifier(name, quoted=True).sql(DIALECT)


def qualified(schema: str, name: str, catalog: str | None = None) -> sge.Table:
    """Return the qualified name of a published relation, with its database if one is given."""
    return sge.table_(name, db=schema, catalog=catalog, quoted=True)


def candidate(name: str, catalog: str) -> sge.Table:
    """Return the qualified name of a candidate in the candidates' database."""
    return sge.table_(name, db="main", catalog=catalog, quoted=True)


def attach(file: str, catalog: str) -> str:
    """Attach a database file under a name, in the same storage format as the others."""
    return f"ATTACH {literal(file)} AS {quoted(catalog)} (STORAGE_VERSION '{STORAGE_VERSION}')"


def relations_of(catalog: str) -> str:
    """Return a query of the tables and views of a database.

    Its columns are schema, name, whether it is a view, and whether a text may have a collation.
    """
    where = f"WHERE database_name = {literal(catalog)} AND NOT internal"
    return (
        "SELECT schema_name, table_name, false, sql ILIKE '% COLLATE %' FROM duckdb_tables()"
        f" {where} UNION ALL"
        f" SELECT schema_name, view_name, true, true FROM duckdb_views() {where} ORDER BY ALL"
    )


def described(relation: str) -> str:
    """Return a query of the columns of a table or view: names and types."""
    return f"DESCRIBE SELECT * FROM {relation}"


def rows_of(relation: str) -> str:
    """Return a query of the number of rows."""
    return f"SELECT count(*) FROM {relation}"


def attach_read_only(file: str, catalog: str) -> str:
    """Attach a database file under a name, only to be read."""
    return f"ATTACH {literal(file)} AS {quoted(catalog)} (READ_ONLY)"


def copy_to_parquet(query: str, file: str) -> str:
    """Write the rows of a query to a Parquet file."""
    return f"COPY ({query}) TO {literal(file)} (FORMAT PARQUET)"


def detach(catalog: str) -> str:
    """Detach a database."""
    return f"DETACH {quoted(catalog)}"


def create_candidate(kind: Materialized, relation: sge.Table, query: str) -> str:
    """Create a candidate from a query: a view or a table."""
    temporary = "TEMP " if relation.catalog == TEMPORARY else ""
    return create(
        f"{temporary}{'VIEW' if kind == 'view' else 'TABLE'}", relation.sql(DIALECT), query
    )


def create(kind: str, relation: str, query: str) -> str:
    """Create a table or a view, TEMP or not, from a query."""
    return f"CREATE {kind} {relation} AS\n{query}"


def create_table_from(relation: str, source: str) -> str:
    """Create a table with the rows of another."""
    return create("TABLE", relation, f"SELECT * FROM {source}")


def drop(kind: str, relation: str) -> str:
    """Drop a table or a view; `kind` is the catalog's word for it, or ours."""
    return f"DROP {'VIEW' if kind.upper() == 'VIEW' else 'TABLE'} {relation}"


def digest_of_rows(relation: str) -> str:
    """Return a query of one row that changes with any row of a table, in whatever order."""
    # A sum: two equal rows do not cancel out.
    return f"SELECT count(*), sum(CAST(hash(t) AS HUGEINT)) FROM {relation} AS t"


def schemas_named(name: str, database: str | None = None) -> str:
    """Return a query of the schemas that a name may mean, as they are spelled."""
    of = "current_database()" if database is None else literal(database)
    return (
        f"SELECT schema_name FROM duckdb_schemas() WHERE database_name = {of}"
        f" AND lower(schema_name) = lower({literal(name)})"
    )


def definition_of_view(schema: str, name: str, database: str | None = None) -> str:
    """Return a query of a view's definition; it has no rows if there is no such view."""
    of = "current_database()" if database is None else literal(database)
    return (
        f"SELECT sql FROM duckdb_views() WHERE database_name = {of}"
        f" AND schema_name = {literal(schema)} AND view_name = {literal(name)}"
    )


def create_state(relation: str) -> str:
    """Create the state table if it does not exist."""
    columns = ", ".join(f"{name} {TYPES[kind]}" for name, kind in STATE_COLUMNS.items())
    key = ", ".join(STATE_KEY)
    return f"CREATE TABLE IF NOT EXISTS {relation} ({columns}, PRIMARY KEY ({key}))"


def forget(relation: str, names: Collection[str]) -> str:
    """Delete what any package recorded of these tables."""
    listed = ", ".join(map(literal, names))
    return f"DELETE FROM {relation} WHERE name IN ({listed}) AND kind <> 'source'"


def forget_earlier(relation: str, names: Collection[str]) -> str:
    """Delete what an earlier version of marts recorded of these tables."""
    return f"DELETE FROM {relation} WHERE mart IN ({', '.join(map(literal, names))})"


def record(relation: str, rows: Iterable[Sequence[object]]) -> str:
    """Record rows of all columns; they replace rows of the same package and name."""
    values = sge.values([tuple(sge.convert(value) for value in row) for row in rows])
    return f"INSERT OR REPLACE INTO {relation} ({', '.join(STATE_COLUMNS)}) {values.sql(DIALECT)}"


def create_own(relation: str, columns: Mapping[str, str]) -> str:
    """Create a table of marts' own; `columns` are names and Ibis's types."""
    listed = ", ".join(f"{name} {TYPES[kind]}" for name, kind in columns.items())
    return f"CREATE TABLE {relation} ({listed})"


def add_own_column(relation: str, name: str, kind: str) -> str:
    """Add a column that an earlier version's table of marts' own lacks."""
    return f"ALTER TABLE {relation} ADD COLUMN {name} {TYPES[kind]}"


def forget_run(relation: str, run_id: str) -> str:
    """Delete the row of a run."""
    return f"DELETE FROM {relation} WHERE run_id = {literal(run_id)}"


def insert_record(relation: str, row: Mapping[str, object]) -> str:
    """Insert a row, by the names of its columns."""
    values = sge.values([tuple(sge.convert(value) for value in row.values())])
    return f"INSERT INTO {relation} ({', '.join(row)}) {values.sql(DIALECT)}"


def comments(
    relation: str, *, kind: Materialized, comment: str, column_comments: Mapping[str, str]
) -> list[str]:
    """Return the statements that comment a relation and its columns."""
    table = sge.to_table(relation, dialect=DIALECT)
    found = comment_statements(table, kind=kind, comment=comment, column_comments=column_comments)
    return [statement.sql(DIALECT) for statement in found]
