"""The table of proofs on Snowflake; whoever may add rows to it says what is proven."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

from backends import snowflake_runs_ddl as ddl
from backends.snowflake_catalog import Catalog
from backends.snowflake_ddl import DIALECT
from backends.snowflake_runs import prepare
from backends.snowflake_sql import Namespace, upper
from backends.sql import PROOFS, proof_rows, proofs_in, proofs_query
from marts.core.plan.proofs import PROOFS_TABLE, Proof


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
        prepare(PROOFS, self._namespace, self._catalog, self._execute)
        for row in proof_rows(proofs):
            self._execute(ddl.insert_record(self._table.sql(DIALECT), row))

    def _execute(self, sql: str) -> None:
        self._rows(sql, PROOFS_TABLE, "record")
