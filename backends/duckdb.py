"""DuckDB: sources are Parquet files, relations live in one database file.

Candidates lie in a database of their own, which nobody else sees and which ends with the
connection. Each is committed when it is built: DuckDB reads what a transaction has not committed
with one thread. One transaction copies them all to where readers find them, and records them. While
a run lasts, no other process can open the file.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from functools import cached_property, partial
from typing import Any, TypeVar

import duckdb
import ibis
import ibis.expr.types as ir
import sqlglot.expressions as sge

from backends import duckdb_ddl as ddl
from backends.duckdb_candidates import Candidate, Scratch
from backends.duckdb_catalog import Catalog
from backends.duckdb_connection import DuckDBOptions, connect, translated
from backends.duckdb_publication import publish
from backends.duckdb_sources import ParquetSources
from backends.duckdb_sql import compiled, parquet, qualified_sql
from backends.parquet import LAYOUT, data_as_of
from backends.sql import recorded
from marts.core.errors import ChangedSourcesError, EngineError
from marts.core.plan.state import (
    CompiledQuery,
    Materialized,
    Publication,
    Query,
    RecordedTable,
    TableState,
)
from marts.core.run.backend import Contract, Statement

Result = TypeVar("Result")


def _may_lie_in_data(error: BaseException | None) -> bool:
    """Tell whether a statement may have failed for what files hold."""
    others = (
        duckdb.BinderException,
        duckdb.CatalogException,
        duckdb.FatalException,
        duckdb.InternalException,
        duckdb.InterruptException,
        duckdb.OutOfMemoryException,
        duckdb.ParserException,
    )
    return isinstance(error, duckdb.Error) and not isinstance(error, others)


class DuckDBBackend:
    """One connection to one database file."""

    name = "duckdb"
    # DuckDB spreads each query over threads itself.
    threads = 1

    def __init__(
        self, options: DuckDBOptions, *, sources: Mapping[str, Contract], read_only: bool
    ) -> None:
        self.options = options
        self.where = f"{options.fixtures} → {options.database}, schema {options.schema}"
        self.source_location = f"{options.fixtures}/ for {LAYOUT.rstrip(',')}"
        self._connection = connect(options, read_only=read_only)
        self._worker = ThreadPoolExecutor(max_workers=1)
        self._sources = ParquetSources(options.fixtures, sources, self._rows)
        self._catalog = Catalog(options.schema, self._rows)
        self._candidates: dict[str, Candidate] = {}
        in_file = not read_only and str(options.database) != ":memory:"
        self._scratch = Scratch(options.database if in_file else None, self._execute)
        self._published = False

    @cached_property
    def _database(self) -> str:
        """The name of the database of what is published."""
        return str(self._rows("SELECT current_database()")[0][0])

    def data_as_of(self) -> datetime.date | None:
        """Return the date that the data was made for, None where it does not say."""
        return data_as_of(self.options.fixtures)

    def describe_sources(self, names: Collection[str]) -> Mapping[str, TableState]:
        """Return what the footers of a source's files say, and its values where these do not tell.

        The version is a digest of paths, sizes, times, row counts, and of how they are read.
        """
        with translated("read the sources"):
            return self._sources.describe(names)

    def changed_sources(self) -> list[str]:
        """Return the files that were written to, replaced or removed since they were described."""
        return self._sources.changed()

    def describe_published(self, versions: Collection[str] = ()) -> Mapping[str, TableState]:
        """Return the columns of every relation in the schema.

        The version of a table is a digest of all its rows, of a view its definition.
        """
        return self._catalog.describe(versions)

    def state(self) -> Sequence[RecordedTable]:
        """Return what is recorded of the relations in the schema, by any package."""
        return recorded(self, self._catalog.kinds())

    def compile(self, query: ir.Table | sge.Query) -> CompiledQuery:
        """Return a query as DuckDB's SQL over bare names."""
        return compiled(query)

    def to_sql(self, query: CompiledQuery) -> str:
        """Return the SQL of a query over this connection's sources and relations, to be read.

        A source is its file, or a pattern of its folder: which files there are, and how their
        columns are found and cast, is part of its version, and of what is executed.
        """
        patterns = {name: self._sources.pattern(name) for name in query.names}
        files = {name: parquet(pattern) for name, pattern in patterns.items() if pattern}
        return qualified_sql(query, files, self.options.schema)

    def fetch(self, query: Query, *, about: str) -> list[dict[str, Any]]:
        """Run a query, in which candidates stand for their targets, and return its rows."""
        sql = self._executed(compiled(query), self._candidates)
        with self._noticing(), translated(f"query {about}", sql):
            rows = self._rows(sql)
        names = [name for name, *_ in self._connection.description]
        return [dict(zip(names, row, strict=True)) for row in rows]

    def _executed(
        self,
        query: CompiledQuery,
        candidates: Mapping[str, Candidate],
        *,
        database: str | None = None,
    ) -> str:
        """Return the SQL that is executed, in which these candidates stand for their targets.

        What is published is named with its database where one is given.
        """
        built = query.names.intersection(candidates)
        key = self, built, database
        if key not in query.texts:
            schema = self.options.schema
            sources = {name: self._sources.subquery(name) for name in query.names}
            known: dict[str, sge.Table | sge.Subquery] = {
                name: ddl.qualified(schema, name, database) for name in query.names
            }
            known |= {name: source for name, source in sources.items() if source}
            known |= {name: candidates[name].qualified for name in built}
            query.texts[key] = qualified_sql(query, known, self.options.schema)
        return query.texts[key]

    def begin(self, run_id: str, candidates: Collection[str] = ()) -> None:  # noqa: ARG002
        """Forget what an earlier run of this connection built."""
        self.discard()
        self._published = False
        if candidates:
            with translated("begin a run"):
                self._scratch.open()

    def build(
        self,
        name: str,
        query: Query,
        *,
        kind: Materialized,
        comment: str,
        column_comments: Mapping[str, str],
    ) -> None:
        """Create a candidate, or replace it; it alone is committed."""
        query, qualified = compiled(query), ddl.candidate(name, self._scratch.catalog)
        # A view looks names up in its own database first, which is that of the candidates.
        database = self._database if kind == "view" else None
        sql = self._executed(query, self._candidates, database=database)
        create = ddl.create_candidate(kind, qualified, sql)
        with self._noticing(), translated(f"build {name}", create), self._transaction():
            if name in self._candidates:
                self._connection.execute(self._drop(name))
            self._execute(create)
        comments = partial(
            ddl.comments, kind=kind, comment=comment, column_comments=column_comments
        )
        definition = self._executed(query, {}) if kind == "view" else ""
        self._candidates[name] = Candidate(qualified, kind, definition, comments)

    def publish(self, publication: Publication) -> None:
        """Copy the candidates to where readers find them, in one transaction with their record.

        An interrupt before it is committed leaves all as it was; one meanwhile comes too late.
        """
        with translated("publish"):
            self._connection.begin()
            try:
                publish(publication, self._candidates, self._catalog, self._execute)
            except BaseException:
                self._roll_back()
                raise
            self._commit()
        self.discard()

    def is_published(self) -> bool:
        """Tell whether the transaction was committed."""
        # The worker does one thing after the other: this waits for a commit under way.
        self._worker.submit(lambda: None).result()
        return self._published

    def discard(self) -> None:
        """Drop the candidates; the connection's end drops what cannot be dropped."""
        for name in self._candidates:
            with suppress(duckdb.Error):
                self._connection.execute(self._drop(name))
        self._candidates.clear()

    def _drop(self, name: str) -> str:
        found = self._candidates[name]
        return ddl.drop(found.kind, found.name)

    def _commit(self) -> None:
        """Commit, whatever interrupts: half a second for what was copied."""

        def commit() -> None:
            self._connection.commit()
            self._published = True

        committing = self._worker.submit(commit)
        while not committing.done():
            with suppress(KeyboardInterrupt):
                wait([committing])
        committing.result()

    def _roll_back(self) -> None:
        # DuckDB ends a transaction itself on some errors; then nothing is left to roll back.
        with suppress(duckdb.TransactionException):
            self._connection.rollback()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connection.begin()
        try:
            yield
            self._connection.commit()
        except BaseException:
            self._roll_back()
            raise

    def statements(self) -> tuple[Statement, ...]:
        """Return nothing: DuckDB keeps no history of queries."""
        return ()

    def versions(self) -> Mapping[str, str]:
        """Return DuckDB's version."""
        return {"duckdb": duckdb.__version__, "ibis": ibis.__version__}

    def close(self) -> None:
        """Drop what is not published, and close the connection."""
        self.discard()
        self._scratch.close()
        self._worker.shutdown()
        self._connection.close()

    def _interruptible(self, work: Callable[[], Result]) -> Result:
        """Do what may take long in a thread, so that Ctrl-C and SIGTERM reach us meanwhile.

        DuckDB looks for signals between tasks, but leaves its own threads at work when it stops.
        """
        doing = self._worker.submit(work)
        try:
            return doing.result()
        except KeyboardInterrupt:
            self._connection.interrupt()
            wait([doing])
            raise

    @contextmanager
    def _noticing(self) -> Iterator[None]:
        """Say of a statement that failed because a file is not what it was, that this is why."""
        try:
            yield
        except EngineError as error:
            if changed := self.changed_sources():
                raise ChangedSourcesError(changed) from error
            if _may_lie_in_data(error.__cause__) and (fault := self._sources.fault()):
                raise EngineError(fault.summary, *fault.facts) from error
            raise

    def _execute(self, sql: str) -> None:
        self._interruptible(lambda: self._connection.execute(sql))

    def _rows(self, sql: str) -> list[tuple[Any, ...]]:
        # No statement has parameters: binding one makes DuckDB import pandas.
        return self._interruptible(lambda: self._connection.execute(sql).fetchall())
