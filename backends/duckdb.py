"""DuckDB: sources are files, or tables of DuckDB files; relations are in one database file.

Candidates are built in a database of their own, which no other connection can read and which is
removed with the connection. Each is committed when it is built, because DuckDB reads uncommitted
rows with one thread only. One transaction copies all of them to where readers find them, and
records them. No other process can open the file during a run.
"""

from __future__ import annotations

import datetime
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import cached_property, partial
from typing import Any

import duckdb
import ibis
import ibis.expr.types as ir
import sqlglot.expressions as sge

from backends import duckdb_ddl as ddl
from backends.data_files import data_as_of
from backends.duckdb_again import state_of
from backends.duckdb_candidates import Candidate, CandidateDatabase
from backends.duckdb_catalog import Catalog, spelled
from backends.duckdb_connection import (
    DuckDBOptions,
    connect,
    fetched,
    interruptible,
    may_be_caused_by_data,
    streamed,
    translated,
)
from backends.duckdb_elsewhere import elsewhere, names_there
from backends.duckdb_locations import Locations
from backends.duckdb_proofs import ProofsTable
from backends.duckdb_publication import publish
from backends.duckdb_runs import RunsTable
from backends.duckdb_sources import DuckDBSources
from backends.duckdb_sql import compiled, qualified_sql
from backends.sql import recorded
from marts.core.errors import ChangedSourcesError, EngineError
from marts.core.plan.runs import RecordedRun
from marts.core.plan.state import (
    DEFAULT_GROUP,
    Annotation,
    CompiledQuery,
    Materialized,
    PlannedTable,
    Publication,
    Query,
    RecordedTable,
    ShapeChange,
    TableState,
)
from marts.core.run.backend import Batches, Contract, Statement


class DuckDBBackend:
    """One connection to one database file."""

    name = "duckdb"
    # DuckDB runs each query on several threads itself.
    threads = 1

    def __init__(
        self, options: DuckDBOptions, *, sources: Mapping[str, Contract], read_only: bool
    ) -> None:
        self._connection = connect(options, read_only=read_only)
        self._worker = ThreadPoolExecutor(max_workers=1)
        options = replace(options, schema=spelled(options.schema, self._rows))
        self.options = options
        locations = Locations(options.data, options.sources, options.folder)
        self.where = f"{locations} → {options.database}, schema {options.schema}"
        self.source_location = locations.layout
        self.sources = DuckDBSources(locations, sources, self._rows, schema=options.schema)
        self._catalog = Catalog(options.schema, self._rows)
        self._runs = RunsTable(self._catalog, self.execute)
        self.proofs = ProofsTable(self._catalog, self.execute, self._transaction)
        self._candidates: dict[str, Candidate] = {}
        in_file = not read_only and str(options.database) != ":memory:"
        self._candidate_database = CandidateDatabase(
            options.database if in_file else None, self.execute
        )
        self._published = False
        self._deferred: frozenset[str] = frozenset()
        try:
            self.elsewhere = elsewhere(options, self._rows, self._named_rows, self.execute)
        except BaseException:
            self.close()
            raise

    @cached_property
    def _database(self) -> str:
        """The name of the database that holds the published relations."""
        return str(self._rows("SELECT current_database()")[0][0])

    def data_as_of(self) -> datetime.date | None:
        """Return the as-of date that the data states, None if it states none."""
        return data_as_of(self.options.data) if self.options.data else None

    def describe_sources(self, names: Collection[str]) -> Mapping[str, TableState]:
        """Return the state of sources from the footers of their files, and from values if need be.

        The version is a digest of the files' paths, sizes, times and row counts, and of how they
        are read.
        """
        with translated("read the sources"):
            return self.sources.describe(names)

    def sources_read(self) -> Mapping[str, str]:
        """Return nothing: all files are fixed, and compared again before publication."""
        return {}

    def changed_sources(
        self, names: Collection[str] | None = None, *, live: Collection[str] = ()
    ) -> list[str]:
        """Return the files that were changed, replaced or removed since they were described."""
        return self.sources.changed(None if names is None else {*names, *live})

    def read_elsewhere(self, names: Collection[str]) -> None:
        """Read these marts where the other environment has published them."""
        self._deferred = frozenset(names)

    def changed_elsewhere(self, names: Collection[str]) -> list[str]:  # noqa: ARG002
        """Return nothing: nobody can write there while this connection is open."""
        return []

    def describe_published(self, versions: Collection[str] = ()) -> Mapping[str, TableState]:
        """Return the columns of every relation in the schema.

        The version of a table is a digest of all its rows; of a view, a digest of its definition.
        """
        return self._catalog.describe(versions)

    def state(self) -> Sequence[RecordedTable]:
        """Return what any package has recorded of the relations in the schema."""
        return recorded(self, self._catalog.kinds())

    def compile(self, query: ir.Table | sge.Query) -> CompiledQuery:
        """Return a query as DuckDB's SQL over bare names."""
        return compiled(query)

    def to_sql(self, query: CompiledQuery, *, as_read: bool = False) -> str:  # noqa: ARG002
        """Return a query's SQL over this connection's sources and relations, for people to read.

        A source appears as its file, or as a pattern for its folder. The executed SQL lists the
        files and casts their columns.
        """
        found = {name: self.sources.found(name) for name in query.names}
        known: dict[str, sge.Table | sge.Subquery] = {
            name: source.shown for name, source in found.items() if source
        }
        known |= names_there(self.elsewhere, query.names & self._deferred)
        return qualified_sql(query, known, self.options.schema)

    def fetch(
        self, query: Query, *, about: str, published: Mapping[str, str] | None = None
    ) -> list[dict[str, Any]]:
        """Run a query that reads candidates in place of their targets, and return its rows."""
        sql = self._executed(compiled(query), self._candidates, published=published)
        with self._explaining_source_errors(), translated(f"query {about}", sql):
            return self._named_rows(sql)

    def stream(self, query: Query, *, about: str) -> Batches:
        """Run a query that reads candidates in place of their targets, and yield its rows."""
        query = compiled(query)
        sql = self._executed(query, self._candidates)
        are_temporary = self._candidate_database.catalog == ddl.TEMPORARY
        run = fetched if are_temporary and query.names & self._candidates.keys() else streamed
        with self._explaining_source_errors():
            yield from run(self._connection, sql, self._worker, action=f"query {about}")

    def _executed(
        self,
        query: CompiledQuery,
        candidates: Mapping[str, Candidate],
        *,
        database: str | None = None,
        published: Mapping[str, str] | None = None,
    ) -> str:
        """Return the SQL to execute, which reads these candidates in place of their targets.

        With `database`, published relations are qualified with it; `published` are other names.
        """
        built, others = query.names.intersection(candidates), tuple((published or {}).items())
        key = self, built, database, self._deferred, others
        if key not in query.texts:
            schema = self.options.schema
            sources = {name: self.sources.subquery(name) for name in query.names}
            known: dict[str, sge.Table | sge.Subquery] = {
                name: ddl.qualified(schema, name, database) for name in query.names
            }
            known |= names_there(self.elsewhere, query.names & self._deferred)
            known |= {name: source for name, source in sources.items() if source}
            known |= {name: candidates[name].qualified for name in built}
            known |= {name: ddl.qualified(schema, target, database) for name, target in others}
            query.texts[key] = qualified_sql(query, known, self.options.schema)
        return query.texts[key]

    def begin(
        self,
        run_id: str,  # noqa: ARG002
        candidates: Collection[str] = (),
        *,
        group: str = DEFAULT_GROUP,  # noqa: ARG002
        goes_on: bool = False,  # noqa: ARG002
    ) -> None:
        """Drop what an earlier run of this connection built, and prepare for candidates."""
        self.discard()
        self._published = False
        if candidates:
            with translated("begin a run"):
                self._candidate_database.open()

    def build(
        self,
        name: str,
        query: Query,
        *,
        kind: Materialized,
        comment: str,
        column_comments: Mapping[str, str],
        key: tuple[str, ...] = (),  # noqa: ARG002  (DuckDB enforces keys, with an index)
    ) -> None:
        """Create or replace one candidate, in a transaction of its own.

        The key is not declared: the run has checked it, and DuckDB would check it again.
        """
        query, qualified = compiled(query), ddl.candidate(name, self._candidate_database.catalog)
        # A view resolves names in its own database first, and that is the candidates' database.
        database = self._database if kind == "view" else None
        sql = self._executed(query, self._candidates, database=database)
        create = ddl.create_candidate(kind, qualified, sql)
        with (
            self._explaining_source_errors(),
            translated(f"build {name}", create),
            self._transaction(),
        ):
            if name in self._candidates:
                self._connection.execute(self._drop(name))
            self.execute(create)
        comments = partial(
            ddl.comments, kind=kind, comment=comment, column_comments=column_comments
        )
        definition = self._executed(query, {}) if kind == "view" else ""
        self._candidates[name] = Candidate(qualified, kind, definition, comments)

    def shape_changes(self, tables: Collection[PlannedTable], **_: object) -> Sequence[ShapeChange]:
        """Return nothing: one transaction replaces marts of any shape.

        Raises UsageError for a view over a table of another file, which no reader has attached.
        """
        self.sources.refuse_views(tables)
        return ()

    def protections(self, *_: object, **__: object) -> Sequence[ShapeChange]:
        """Return nothing: DuckDB has neither policies nor tags to put on."""
        return ()

    protect = protections

    def annotate(self, annotations: Collection[Annotation]) -> None:
        """Do nothing: the transaction has written comments, and keys are not declared."""

    def changes_made(self) -> tuple[()]:
        """Return nothing: no change is visible before the commit, and it does everything."""
        return ()

    unfinished = changes_made

    def settled(self) -> str | None:
        """Write everything to the file, and return its state, if files show what has changed."""
        self.execute("CHECKPOINT")
        return state_of(self.options.database) if self.sources.are_by_file() else None

    def publish(self, publication: Publication) -> None:
        """Copy the candidates to where readers find them, and record them, in one transaction.

        An interrupt before the commit rolls everything back; one during the commit has no effect.
        """
        with translated("publish"):
            self._connection.begin()
            try:
                publish(publication, self._candidates, self._catalog, self.execute)
            except BaseException:
                self._roll_back()
                raise
            self._commit()
        self.discard()

    def is_published(self) -> bool:
        """Tell whether the transaction was committed."""
        # The worker runs one task at a time, so this waits for a commit in progress.
        self._worker.submit(lambda: None).result()
        return self._published

    def record_run(self, run: RecordedRun) -> None:
        """Write the row of a run, in a transaction of its own."""
        with translated("record the run"):
            try:
                with self._transaction():
                    self._runs.write(run)
            except (duckdb.CatalogException, duckdb.BinderException):
                # The table does not exist, or lacks columns: this is cheaper than to look first.
                with self._transaction():
                    self._runs.prepare()
                    self._runs.write(run)

    def discard(self, *, goes_on: bool = False) -> None:  # noqa: ARG002
        """Drop the candidates; those that cannot be dropped end with the connection."""
        for name in self._candidates:
            with suppress(duckdb.Error):
                self._connection.execute(self._drop(name))
        self._candidates.clear()

    def go_on(self) -> bool:
        """Tell whether the database still answers: after some errors it does not."""
        try:
            return bool(self._rows("SELECT 1"))
        except duckdb.Error:
            return False

    def _drop(self, name: str) -> str:
        found = self._candidates[name]
        return ddl.drop(found.kind, found.name)

    def _commit(self) -> None:
        """Commit, and let no interrupt stop it: it takes about half a second."""

        def commit() -> None:
            self._connection.commit()
            self._published = True

        committing = self._worker.submit(commit)
        while not committing.done():
            with suppress(KeyboardInterrupt):
                wait([committing])
        committing.result()

    def _roll_back(self) -> None:
        # On some errors DuckDB ends the transaction itself, and there is nothing to roll back.
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
        self._candidate_database.close()
        self._worker.shutdown()
        self._connection.close()

    @contextmanager
    def _explaining_source_errors(self) -> Iterator[None]:
        """Raise the error of a source if a changed or unreadable file made a statement fail."""
        try:
            yield
        except EngineError as error:
            if changed := self.changed_sources():
                raise ChangedSourcesError(changed) from error
            if may_be_caused_by_data(error.__cause__) and (fault := self.sources.fault()):
                raise EngineError(fault.summary, *fault.facts) from error
            raise

    def execute(self, sql: str) -> None:
        """Execute a statement."""
        interruptible(lambda: self._connection.execute(sql), self._connection, self._worker)

    def _rows(self, sql: str) -> list[tuple[Any, ...]]:
        # No statement has parameters: binding one makes DuckDB import pandas.
        execute = self._connection.execute
        return interruptible(lambda: execute(sql).fetchall(), self._connection, self._worker)

    def _named_rows(self, sql: str) -> list[dict[str, Any]]:
        rows = self._rows(sql)
        names = [name for name, *_ in self._connection.description]
        return [dict(zip(names, row, strict=True)) for row in rows]
