"""The table of proofs on Snowflake; whoever may add rows to it says what is proven."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

from backends import snowflake_runs_ddl as ddl
from backends.snowflake_catalog import Catalog
from backends.snowflake_ddl import DIALECT, create_own, create_schema
from backends.snowflake_sql import Namespace, upper
from backends.sql import PROOFS, columns_to_add, proof_rows, proofs_in, proofs_query
from marts.core.plan.proofs import PROOFS_COLUMNS, PROOFS_TABLE, Proof


class ProofsTable:
    """The table of proofs in one schema; `rows` runs a statement about it."""

    def __init__(
        self,
        namespace: Namespace,
        catalog: Catalog,
        rows: Callable[[str, str, str], list[tuple[Any, ...]]],
    ) -> None:
        self._table = namespace.qualified(PROOFS_TABLE)
        self._namespace = namespace
        self._catalog = catalog
        self._rows = rows
        self.where = f"the table {namespace}.{PROOFS_TABLE.upper()}"

    def exists(self) -> bool:
        """Tell whether there is a table of proofs that this role can see."""
        return PROOFS_TABLE.upper() in self._catalog.kinds(self._namespace)

    def read(
        self, package: str, *, digests: Collection[str] = (), mart: str | None = None
    ) -> Sequence[Proof]:
        """Return the proofs of a package with some digests, or the last ones of a mart."""
        if not self.exists():
            return ()
        query = upper(proofs_query(package, digests, mart)).from_(self._table)
        return proofs_in(self._rows(query.sql(DIALECT, pretty=True), PROOFS_TABLE, "query"))

    def append(self, proofs: Sequence[Proof]) -> None:
        """Add proofs, each by a statement of its own; create the table if it does not exist."""
        table = self._table.sql(DIALECT)
        if not self.exists():
            if not self._catalog.has_schema(self._namespace):
                self._execute(create_schema(self._namespace.sql))
            self._execute(create_own(table, PROOFS_COLUMNS))
        columns = self._catalog.columns(self._namespace)
        found = [
            row["COLUMN_NAME"].lower()
            for row in columns
            if row["TABLE_NAME"] == PROOFS_TABLE.upper()
        ]
        if found:
            columns_to_add(PROOFS, found)
        for row in proof_rows(proofs):
            self._execute(ddl.insert_record(table, row))

    def _execute(self, sql: str) -> None:
        self._rows(sql, PROOFS_TABLE, "record")
