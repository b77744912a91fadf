"""What Snowflake's catalog says about tables and columns."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeAlias

import ibis
import ibis.expr.datatypes as dt
import sqlglot.expressions as sge

from backends.snowflake_ddl import DIALECT, literal
from backends.snowflake_errors import MISSING, number_of
from backends.snowflake_names import bare, spelled
from backends.snowflake_sql import Namespace
from marts.core.errors import EngineError, UsageError
from marts.core.plan.state import Materialized, TableState

Row: TypeAlias = Mapping[str, Any]
"""A row of INFORMATION_SCHEMA."""

VERSION = ("CREATED", "LAST_ALTERED", "ROW_COUNT", "BYTES")
"""The columns of the catalog that change with the rows of a table."""
KIND = ("TABLE_TYPE", "IS_TRANSIENT", "IS_TEMPORARY", "IS_DYNAMIC", "IS_ICEBERG", "IS_HYBRID")
"""The columns of the catalog that say what kind of table one is."""
COLUMN = (
    *("TABLE_NAME", "COLUMN_NAME", "DATA_TYPE", "NUMERIC_PRECISION", "NUMERIC_SCALE"),
    *("CHARACTER_MAXIMUM_LENGTH", "IS_NULLABLE", "COMMENT"),
)
"""What the catalog says of a column."""
SETTINGS = ("RETENTION_TIME", "CLUSTERING_KEY", "COMMENT")


class Catalog:
    """The catalog of some schemas: each of its views is read once, until `forget`.

    `rows` runs a query and returns its rows, `shown` a SHOW statement, whose columns are named in
    lower case. Both are told what they read.
    """

    def __init__(
        self,
        rows: Callable[[str, str], list[tuple[Any, ...]]],
        shown: Callable[[str, str], Sequence[Row]],
    ) -> None:
        self._rows = rows
        self._shown = shown
        self._tables: dict[Namespace, dict[str, Row]] = {}
        self._views: dict[Namespace, dict[str, Row]] = {}
        self._columns: dict[Namespace, list[Row]] = {}
        self._databases: dict[str, str] = {}
        self._schemas: dict[str | None, list[str]] = {}

    def namespace(self, schema: str, database: str) -> Namespace:
        """Return a schema as the catalog spells it; one that does not exist is upper-case.

        Raises UsageError if the database does not exist for this role, or a name is ambiguous.
        """
        if database not in self._databases:
            self._databases[database] = self._database(database)
        found = self._databases[database]
        return Namespace(
            spelled("schema", schema, self._schemas_of(found)) or bare(schema).upper(), found
        )

    def _database(self, name: str) -> str:
        # The pattern ignores case, and may match more than the name.
        sql = f"SHOW DATABASES LIKE {literal(bare(name))}"
        with _explained(name):
            rows = self._shown(sql, "DATABASES")
        found = spelled("database", name, [row["name"] for row in rows])
        if found is None:
            raise _no_database(name)
        return found

    def _schemas_of(self, database: str | None) -> list[str]:
        if database not in self._schemas:
            rows = self._select("SCHEMATA", database, "SCHEMA_NAME")
            self._schemas[database] = [row["SCHEMA_NAME"] for row in rows]
        return self._schemas[database]

    def streams(self, namespace: Namespace) -> list[str]:
        """Return the names of a schema's streams, which TABLES does not have."""
        if not self.has_schema(namespace):
            return []
        sql = f"SHOW STREAMS IN SCHEMA {namespace.sql}"
        return [row["name"] for row in self._shown(sql, "STREAMS")]

    def forget(self) -> None:
        """Discard what was read, since it may have changed."""
        self._tables, self._views, self._columns = {}, {}, {}

    def describe(self, namespace: Namespace) -> dict[str, TableState]:
        """Return the state of a schema's published relations, with names in lower case.

        Raises UsageError if the database does not exist for this role.
        """
        return described(self.tables(namespace), self.columns(namespace))

    def tables(self, namespace: Namespace) -> dict[str, Row]:
        """Return a schema's rows of TABLES, by name, candidates included."""
        if namespace not in self._tables:
            where = {"TABLE_SCHEMA": namespace.schema}
            columns = ("TABLE_NAME", *KIND, *SETTINGS, *VERSION, "LAST_DDL")
            rows = self._select("TABLES", namespace.database, *columns, where=where)
            self._tables[namespace] = {row["TABLE_NAME"]: row for row in rows}
        return self._tables[namespace]

    def views(self, namespace: Namespace) -> dict[str, Row]:
        """Return a schema's rows of VIEWS, by name: which views are secure."""
        if namespace not in self._views:
            where = {"TABLE_SCHEMA": namespace.schema}
            rows = self._select("VIEWS", namespace.database, "TABLE_NAME", "IS_SECURE", where=where)
            self._views[namespace] = {row["TABLE_NAME"]: row for row in rows}
        return self._views[namespace]

    def columns(self, namespace: Namespace) -> list[Row]:
        """Return a schema's rows of COLUMNS, in order."""
        if namespace not in self._columns:
            self._columns[namespace] = self._select(
                "COLUMNS",
                namespace.database,
                *COLUMN,
                where={"TABLE_SCHEMA": namespace.schema},
                order_by="ORDINAL_POSITION",
            )
        return self._columns[namespace]

    def versions(
        self, namespace: Namespace, dropped: Mapping[str, Collection[str]]
    ) -> dict[str, str]:
        """Return the versions of relations less their number of rows, which ends a version.

        `dropped` has each relation's name, and its columns that will be gone.
        """
        tables, columns = self.tables(namespace), self.columns(namespace)
        found = {}
        for name, gone in dropped.items():
            types = {
                row["COLUMN_NAME"].lower(): _data_type(row)
                for row in columns
                if row["TABLE_NAME"] == name.upper() and row["COLUMN_NAME"] not in gone
            }
            found[name] = _version(ibis.schema(types), tables[name.upper()])
        return found

    def kinds(self, namespace: Namespace) -> dict[str, Materialized]:
        """Return the kind of each relation in a schema by upper-case name, candidates included."""
        return {
            name: "view" if row["TABLE_TYPE"] == "VIEW" else "table"
            for name, row in self.tables(namespace).items()
        }

    def has_schema(self, namespace: Namespace) -> bool:
        """Tell whether a schema exists."""
        is_used = bool(self.tables(namespace))
        return is_used or namespace.schema in self._schemas_of(namespace.database)

    def _select(
        self,
        view: str,
        database: str | None,
        *columns: str,
        where: Mapping[str, str] | None = None,
        order_by: str | None = None,
    ) -> list[Row]:
        """Read a view of a database's INFORMATION_SCHEMA."""
        table = sge.table_(view, db="INFORMATION_SCHEMA", catalog=database, quoted=True)
        query = sge.select(*columns).from_(table)
        for column, value in (where or {}).items():
            query = query.where(sge.column(column).eq(value))
        if order_by:
            query = query.order_by(order_by)
        with _explained(database):
            rows = self._rows(query.sql(DIALECT), view)
        return [dict(zip(columns, row, strict=True)) for row in rows]


@contextmanager
def _explained(database: str | None) -> Iterator[None]:
    """Say that a database does not exist if that is why a statement failed."""
    try:
        yield
    except EngineError as error:
        if number_of(error) not in MISSING:
            raise
        raise _no_database(database) from error


def _no_database(name: str | None) -> UsageError:
    return UsageError(
        f"database {name} does not exist, or the role may not use it",
        hint="check --database and --role; `marts help snowflake` lists the grants",
    )


def described(
    tables: Mapping[str, Mapping[str, Any]], columns: Iterable[Mapping[str, Any]]
) -> dict[str, TableState]:
    """Return the state of each published relation from the rows of TABLES and COLUMNS.

    Names are in lower case; versions change with the columns, too.
    """
    types: dict[str, dict[str, dt.DataType]] = {name: {} for name in tables}
    for row in columns:
        found = types.setdefault(row["TABLE_NAME"], {})
        found[row["COLUMN_NAME"].lower()] = _data_type(row)
    return {
        name.lower(): _described(ibis.schema(schema), tables.get(name, {}))
        for name, schema in types.items()
    }


def _described(schema: ibis.Schema, table: Mapping[str, Any]) -> TableState:
    version = f"{_version(schema, table)} {table.get('ROW_COUNT')}"
    return TableState(schema, table.get("ROW_COUNT"), version)


def _version(schema: ibis.Schema, table: Mapping[str, Any]) -> str:
    # Of what is stable for an unaltered mart: maintenance by Snowflake changes the rest.
    columns = hashlib.sha256(str(list(schema.items())).encode()).hexdigest()
    return f"{table.get('CREATED')} {columns}"


def source_version(table: Mapping[str, Any]) -> str | None:
    """Return text that changes whenever a source's rows do; None for a view.

    The catalog does not show when the rows of a view change.
    """
    is_dated = table.get("TABLE_TYPE") == "BASE TABLE" and table["LAST_ALTERED"]
    return " ".join(str(table[column]) for column in VERSION) if is_dated else None


TYPES: Mapping[str, dt.DataType] = {
    "TEXT": dt.string,
    "FLOAT": dt.float64,
    "DATE": dt.date,
    "BOOLEAN": dt.boolean,
    "TIMESTAMP_NTZ": dt.timestamp,
    "TIMESTAMP_LTZ": dt.Timestamp(timezone="UTC"),
    "TIMESTAMP_TZ": dt.Timestamp(timezone="UTC"),
}


def _data_type(row: Mapping[str, Any]) -> dt.DataType:
    """Return Ibis's type of a column in the catalog; every whole number is an int64."""
    if row["DATA_TYPE"] != "NUMBER":
        return TYPES.get(row["DATA_TYPE"], dt.unknown)
    if row["NUMERIC_SCALE"] == 0:
        return dt.int64
    return dt.Decimal(row["NUMERIC_PRECISION"], row["NUMERIC_SCALE"])
