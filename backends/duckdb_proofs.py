"""The table of proofs on DuckDB."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager

from backends import duckdb_ddl as ddl
from backends.duckdb_catalog import Catalog
from backends.duckdb_connection import translated
from backends.duckdb_publication import Execute
from backends.duckdb_runs import prepare
from backends.process_user import user_of_process
from backends.sql import PROOFS, proof_rows, proofs_in, proofs_query
from marts.core.plan.proofs import PROOFS_TABLE, Proof


class ProofsTable:
    """The table of proofs in one schema; `transaction` opens a transaction, and commits it."""

    def __init__(
        self,
        catalog: Catalog,
        execute: Execute,
        transaction: Callable[[], AbstractContextManager[None]],
    ) -> None:
        self._catalog = catalog
        self._execute = execute
        self._transaction = transaction
        self.where = f"the table {catalog.schema}.{PROOFS_TABLE}"

    def exists(self) -> bool:
        """Tell whether there is a table of proofs."""
        return PROOFS_TABLE in self._catalog.kinds()

    def read(
        self, package: str, *, digests: Collection[str] = (), mart: str | None = None
    ) -> Sequence[Proof]:
        """Return the proofs of a package with some digests, or the last ones of a mart."""
        if not self.exists():
            return ()
        query = proofs_query(package, digests, mart).from_(self._catalog.qualified(PROOFS_TABLE))
        with translated("read the proofs"):
            return proofs_in(self._catalog.rows(query.sql(ddl.DIALECT)))

    def append(self, proofs: Sequence[Proof]) -> None:
        """Add proofs, in one transaction; create the table if it does not exist."""
        with translated("record the proofs"), self._transaction():
            prepare(PROOFS, self._catalog, self._execute)
            table = self._catalog.name_of(PROOFS_TABLE)
            for row in proof_rows(proofs):
                self._execute(ddl.insert_record(table, row | {"user_name": user_of_process()}))
