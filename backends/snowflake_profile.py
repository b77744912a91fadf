"""Profile the tables of a schema on Snowflake, by aggregates only: no row leaves the account."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import ibis.expr.datatypes as dt
import sqlglot.expressions as sge

from backends import profile_queries as queries
from backends.snowflake_catalog import Catalog
from backends.snowflake_connection import SnowflakeOptions
from backends.snowflake_ddl import DIALECT
from backends.snowflake_sql import Namespace
from backends.snowflake_statements import Statements
from backends.snowflake_types import Physical, does_not_fit, physical
from backends.source_types import contract_type
from marts.core.errors import UsageError
from marts.core.plan.state import is_reserved
from marts.core.run.profiling import FoundColumn, FoundTable, Names, TableFigures


class SnowflakeProfiler:
    """Profiles one schema; logs in when it is created."""

    def __init__(self, options: SnowflakeOptions, *, database: str, schema: str) -> None:
        self._statements = Statements(options)
        self._catalog = Catalog(self._statements.rows, self._statements.records)
        self.namespace = self._catalog.namespace(schema, database)
        self.where = str(self.namespace)
        self.queries = 0
        self._columns: dict[str, tuple[Physical, ...]] = {}

    def tables(self) -> Sequence[FoundTable]:
        """Return the tables and views of the schema. Raises UsageError if it does not exist."""
        if not self._catalog.has_schema(self.namespace):
            raise UsageError(
                f"schema {self.namespace} does not exist, or the role may not use it",
                hint="check --from snowflake:DB.SCHEMA, --connection and --role",
            )
        names = [
            name for name in self._catalog.tables(self.namespace) if not is_reserved(name.lower())
        ]
        for row in self._catalog.columns(self.namespace):
            name = row["TABLE_NAME"]
            self._columns[name] = (*self._columns.get(name, ()), physical(row))
        return [
            FoundTable(name=name, columns=tuple(map(_found, self._columns.get(name, ()))))
            for name in sorted(names)
        ]

    def figures(self, table: FoundTable) -> TableFigures:
        """Return the figures of a table's columns, from one query."""
        columns = [each for each in table.columns if each.type]
        times = {
            column.name: does_not_fit(column, dt.timestamp, queries.column(column.name))
            for column in self._columns[table.name]
            if column.kind in ("timestamp", "moment")
        }
        query = queries.figures_query(self._at(table), columns, times)
        (row,) = self._rows(query, table.name)
        return queries.figures_of(row, columns)

    def may_be_unique(
        self, table: FoundTable, combinations: Collection[Names]
    ) -> Collection[Names]:
        """Return the combinations that some rows do not repeat; few partitions are read for it."""
        if not combinations:
            return ()
        (row,) = self._rows(queries.sample_query(self._at(table), combinations), table.name)
        return queries.unrepeated(row, combinations)

    def distinct(self, table: FoundTable, columns: Names) -> int:
        """Return how many different combinations of values the columns have."""
        ((number,),) = self._rows(queries.distinct_query(self._at(table), columns), table.name)
        return int(number)

    def values(self, table: FoundTable, column: str, *, limit: int) -> Sequence[str]:
        """Return up to `limit` different texts of a column."""
        query = queries.values_query(self._at(table), column, limit)
        return [str(value) for (value,) in self._rows(query, table.name)]

    def contained(
        self, table: FoundTable, column: str, other: FoundTable, key: str
    ) -> tuple[int, int]:
        """Return how many rows have a value, and how many of these values are in the key."""
        query = queries.contained_query(self._at(table), column, self._at(other), key)
        ((rows, found),) = self._rows(query, table.name)
        return int(rows or 0), int(found or 0)

    def close(self) -> None:
        """Close the connection."""
        self._statements.sessions.close()

    def _at(self, table: FoundTable) -> sge.Table:
        schema: Namespace = self.namespace
        return sge.table_(table.name, db=schema.schema, catalog=schema.database, quoted=True)

    def _rows(self, query: sge.Query, about: str) -> list[tuple[Any, ...]]:
        self.queries += 1
        return self._statements.rows(query.sql(DIALECT), about, "profile")


def _found(column: Physical) -> FoundColumn:
    """Return a column with the contract's type that holds it."""
    return FoundColumn(
        name=column.name,
        type=contract_type(column),
        found=column.type_text,
        is_moment=column.kind == "moment",
    )
