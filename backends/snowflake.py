"""Snowflake: Ibis compiles, the official connector executes.

Candidates are in a schema of their own. When all checks have passed, one transaction overwrites the
rows of all targets with theirs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from typing import Any

import ibis
import ibis.expr.types as ir
import sqlglot.expressions as sge

from backends import snowflake_ddl as ddl
from backends.snowflake_annotations import missing_annotations
from backends.snowflake_candidate_schema import CLEANING_SECONDS, CandidateSchema
from backends.snowflake_catalog import Catalog
from backends.snowflake_connection import SnowflakeOptions
from backends.snowflake_elsewhere import elsewhere
from backends.snowflake_locations import Places, in_words
from backends.snowflake_parameters import FIXED, SHOW_SESSION, refuse_others
from backends.snowflake_proofs import ProofsTable
from backends.snowflake_protection import Protections
from backends.snowflake_protector import Protector
from backends.snowflake_publication import Publisher
from backends.snowflake_reshape import planned_changes, refuse_reshapes
from backends.snowflake_runs import RunsTable, described
from backends.snowflake_sources import SnowflakeSources
from backends.snowflake_sql import compiled, qualified_sql
from backends.snowflake_state import Schema, digests, without_digest
from backends.snowflake_statements import Statements
from backends.sql import recorded
from marts.core.errors import EngineError, PartlyPublishedError, UsageError
from marts.core.plan.runs import RUNS_TABLE, RecordedRun
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


class SnowflakeBackend:
    """One account, with a connection for each thread."""

    name = "snowflake"

    def __init__(self, options: SnowflakeOptions, *, sources: Mapping[str, Contract]) -> None:
        self.options = options
        self.sources = sources
        self.threads = options.threads
        self._statements = Statements(options)
        self.sessions = self._statements.sessions
        self.execute = self._statements.execute
        self.records = self._statements.records
        self._publisher: Publisher | None = None
        self._goes_on = False
        self._unfinished: list[str] = []
        current = self.sessions.current().connection
        refuse_others(FIXED, self.execute(SHOW_SESSION, step="session").fetchall())
        database = options.database or current.database
        if database is None:
            raise UsageError(
                "no database is named", hint="pass --database, or set it in connections.toml"
            )
        self.catalog = Catalog(self._statements.rows, self.records)
        self.namespace = self.catalog.namespace(options.schema, database)
        others, schema = options.source_database or database, options.source_schema
        self.source_namespace = there = self.catalog.namespace(schema or options.schema, others)
        self.elsewhere = elsewhere(
            options.elsewhere, current.database, self.namespace, self.catalog, self._rows_of
        )
        self._deferred: frozenset[str] = frozenset()
        self.schema = Schema(self.namespace, self._statements.about)
        self.candidates = CandidateSchema(self.schema, self.catalog, self._statements)
        self._digests: Mapping[str, str] = {}
        self._runs = RunsTable(self.namespace, self.catalog, self._rows_of_record)
        self.proofs = ProofsTable(self.namespace, self.catalog, self._statements.rows)
        self._recorded: Sequence[RecordedTable] | None = None
        place = self.catalog.namespace
        places = Places(lambda: self.source_namespace, options.sources, place, others)
        self._sources = self.reading = SnowflakeSources(
            there, sources, catalog=self.catalog, row=self._row_of_source, places=places
        )
        protections = Protections(options.personal, self.records)
        known = lambda: self._digests if self.state() else {}  # noqa: E731
        self._protector = self.protector = Protector(protections, self.schema, self.catalog, known)
        self.protections, self.protect = self._protector.planned, self._protector.protect
        self.source_location = in_words(self.source_namespace, options.sources)
        self.where = f"{self.source_location} → {self.namespace}"

    def read_elsewhere(self, names: Collection[str]) -> None:
        """Read these marts where the other environment has published them."""
        self._deferred = frozenset(names)

    def changed_elsewhere(self, names: Collection[str]) -> list[str]:
        """Return the marts that the other environment has published or altered meanwhile."""
        return self.elsewhere.changed(names) if self.elsewhere and names else []

    def data_as_of(self) -> None:
        """Return None: tables do not state an as-of date."""

    def describe_sources(self, names: Collection[str]) -> Mapping[str, TableState]:
        """Return the state of the sources that exist, from the catalog and counts of values.

        From now on, all sources are read as they are at this moment, if they can be.
        """
        return self._sources.describe(names)

    def sources_read(self) -> Mapping[str, str]:
        """Return whether each source is pinned to a moment, copied, or compared at the end."""
        return self._sources.read()

    def changed_sources(
        self, names: Collection[str] | None = None, *, live: Collection[str] = ()
    ) -> list[str]:
        """Return which sources a run may have read in two states; pinned ones, if replaced."""
        self.catalog.forget()
        return self._sources.changed(names, live=live)

    def _row_of_source(self, query: sge.Select, about: str, step: str) -> Sequence[Any]:
        rows = self.execute(query.sql(ddl.DIALECT, pretty=True), about=about, step=step)
        return tuple(rows.fetchall()[0])

    def describe_published(
        self,
        versions: Collection[str] = (),  # noqa: ARG002  (the catalog has all versions)
    ) -> Mapping[str, TableState]:
        """Return the columns and rows of every relation in the schema.

        The version of a relation is when it was created, and how many rows it has.
        """
        return self.catalog.describe(self.namespace)

    def state(self) -> Sequence[RecordedTable]:
        """Return what any package has recorded of the relations in the schema."""
        if self._recorded is None:
            rows = recorded(self, [name.lower() for name in self.catalog.kinds(self.namespace)])
            self._digests = digests(rows)
            self._recorded = [without_digest(row) for row in rows]
        return self._recorded

    def compile(self, query: ir.Table | sge.Query) -> CompiledQuery:
        """Return a query as Snowflake's SQL over bare names."""
        return compiled(query)

    def to_sql(self, query: CompiledQuery, *, as_read: bool = False) -> str:
        """Return a query's SQL over the published relations, and the sources or what is read."""
        return self._qualified(
            query, {}, self._sources.qualified if as_read else self._sources.live
        )

    def _qualified(
        self,
        query: CompiledQuery,
        candidates: Mapping[str, sge.Table],
        source_of: Callable[[str], sge.Table | sge.Subquery],
    ) -> str:
        """Return a query's SQL, which reads candidates in place of their targets."""
        here, there = self.namespace, self.elsewhere.namespace if self.elsewhere else self.namespace
        known: dict[str, sge.Table | sge.Subquery] = {
            name: source_of(name)
            if name in self.sources
            else candidates.get(name) or (there if name in self._deferred else here).qualified(name)
            for name in query.names
        }
        return qualified_sql(query, known, self.namespace)

    def _executed(self, query: CompiledQuery, published: Mapping[str, str] | None = None) -> str:
        """Return a query's SQL over the sources, as they are read, and the candidates."""
        names = {**self.candidates.names()}
        names |= {name: self.namespace.qualified(at) for name, at in (published or {}).items()}
        return self._qualified(query, names, self._sources.qualified)

    def fetch(
        self, query: Query, *, about: str, published: Mapping[str, str] | None = None
    ) -> list[dict[str, Any]]:
        """Run a query that reads candidates in place of their targets, and return its rows."""
        return self._rows_of(self._executed(compiled(query), published), about)

    def stream(self, query: Query, *, about: str) -> Batches:
        """Run a query that reads candidates in place of their targets, and yield its rows."""
        sql = self._executed(compiled(query))
        return self.execute(sql, about=about, step="query").batches()

    def _rows_of(self, sql: str, about: str) -> list[dict[str, Any]]:
        table = self.execute(sql, about=about, step="query").fetch_arrow_all()
        names = [name.lower() for name in table.column_names]
        return list(table.rename_columns(names).to_pylist())

    def begin(
        self,
        run_id: str,
        candidates: Collection[str] = (),
        *,
        group: str = DEFAULT_GROUP,
        goes_on: bool = False,
    ) -> None:
        """Create the schemas if they do not exist, and drop candidates of runs that died.

        This run's are recorded first. Copies of sources are made once, and kept while it goes on.
        """
        self._statements.run_id = run_id
        self._statements.stopping.clear()
        self._publisher, self._goes_on = None, goes_on
        if not self.catalog.has_schema(self.namespace):
            self.execute(ddl.create_schema(self.namespace.sql), step="begin")
        self.candidates.begin(group, self.state, builds=bool(candidates))
        # Nothing is copied where nothing is built.
        copies = self._sources.to_copy() if candidates else ()
        self.candidates.claim((*candidates, *copies), group)
        if copies:
            self._sources.copy(self._copy_source)

    def _copy_source(self, name: str, query: sge.Select) -> sge.Table:
        copy = self.candidates.add(name, "temporary", tuple(query.named_selects))
        sql = ddl.create_table_as(copy.qualified, query.sql(ddl.DIALECT, pretty=True))
        self.execute(sql, about=name, step="copy")
        return self.candidates.qualified(name)

    def build(
        self,
        name: str,
        query: ir.Table,
        *,
        kind: Materialized,
        comment: str,
        column_comments: Mapping[str, str],
        key: tuple[str, ...] = (),
    ) -> None:
        """Create a candidate from a query, also a table of a view, and note what it becomes."""
        sql = self._executed(query := compiled(query))
        candidate = self.candidates.add(
            name,
            kind,
            query.columns,
            definition=self.to_sql(query) if kind == "view" else "",
            comment=comment,
            column_comments=column_comments,
            key=key,
            reads=query.names,
        )
        self.execute(ddl.create_table_as(candidate.qualified, sql), about=name, step="build")

    def publish(self, publication: Publication) -> None:
        """Overwrite all targets with their candidates and record them, in one transaction.

        Raises PartlyPublishedError if an acknowledged reshape fails after the commit, and
        UnknownPublicationError if the answer to the commit is lost and the account cannot be asked.
        """
        seen = self.state()
        self._publisher = Publisher(
            publication,
            self.candidates.published,
            self.schema.of(publication.group),
            self.candidates.namespace,
            self.catalog,
            self,
            seen=seen,
            digests=self._digests,
            records=self.records,
            wanted=partial(self._protector.wanted, publication.personal),
            recorded_in=lambda table: recorded(self, [table]),
            holders=lambda: [described(run) for run in self.publishing_runs()],
        )
        # After the commit, an interrupt leaves only what a later run completes.
        with self._completing():
            self.sessions.shielded(self._publisher.publish)
        self.candidates.keep_published()
        with self._completing():
            self.candidates.drop(copies=self._sources.copied() if self._goes_on else None)
        self.catalog.forget()
        self._recorded = None

    @contextmanager
    def _completing(self) -> Iterator[None]:
        try:
            yield
        except PartlyPublishedError:
            raise
        except (EngineError, KeyboardInterrupt) as error:
            if not self.is_published():
                raise
            if isinstance(error, EngineError):
                self._unfinished.append(f"after the commit: {error}")

    def is_published(self) -> bool:
        """Tell whether the transaction was committed."""
        return self._publisher is not None and self._publisher.is_published

    def shape_changes(
        self, tables: Collection[PlannedTable], *, acknowledged: Collection[str]
    ) -> Sequence[ShapeChange]:
        """Return what publishing marts would change besides their rows; refuse what it must not."""
        self.state()
        found = planned_changes(
            tables, self.catalog, self.namespace, digests=self._digests, definition_of=self.to_sql
        )
        refuse_reshapes(found, acknowledged)
        return found

    def annotate(self, annotations: Collection[Annotation]) -> None:
        """Set comments and declare keys where the catalog does not have them."""
        try:
            missing = missing_annotations(
                annotations, self.schema, self.catalog, self._statements.records
            )
            for name, sql in missing:
                self.execute(sql, about=name, step="annotate")
        except EngineError as error:
            self._unfinished.append(f"comments and keys: {error}")

    def changes_made(self) -> Sequence[ShapeChange]:
        """Return the changes of shape that publishing has made, also if it failed afterwards."""
        return tuple(self._publisher.made) if self._publisher else ()

    def unfinished(self) -> Sequence[str]:
        """Return what a publication that took effect has left to the next run."""
        left = self._publisher.unfinished if self._publisher else ()
        return (*left, *self._unfinished)

    def commit(self) -> None:
        """Commit the transaction that is open; no interrupt ends this, or what comes after it."""
        self.execute(ddl.COMMIT, step="publish", uninterruptible=True)
        self.sessions.finish()

    def roll_back(self) -> None:
        """Roll back the transaction that is open, if the line allows it."""
        if not self.sessions.is_unreachable:
            with suppress(EngineError):
                self.execute(ddl.ROLLBACK, step="rollback", uninterruptible=True)

    def renew(self) -> None:
        """Log in again in this thread, to ask what happened; a remembered interrupt is over."""
        self.sessions.take_interrupt()
        self.sessions.new()

    def record_run(self, run: RecordedRun) -> None:
        """Write the row of a run, and commit it; do not wait for a line that is dead."""
        self.sessions.refuse_dead_line("record")
        self._statements.run_id = run.run_id
        self._runs.write(replace(run, sources_at=self._sources.moment()))

    def publishing_runs(self) -> list[RecordedRun]:
        """Return the other runs of a day that are publishing, the most recent first."""
        return self._runs.publishing(self, but=self._statements.run_id)

    def _rows_of_record(self, sql: str) -> list[tuple[Any, ...]]:
        within = CLEANING_SECONDS if self._statements.stopping.is_set() else math.inf
        found = self._statements.execute(sql, about=RUNS_TABLE, step="record", within=within)
        return found.fetchall()

    def discard(self, *, goes_on: bool = False) -> None:
        """Cancel what runs and drop candidates; a later run drops what is left of them."""
        # This comes first, so that no other thread adds a candidate meanwhile.
        self._statements.stopping.set()
        self.sessions.cancel()
        self.sessions.take_interrupt()
        if not self.sessions.is_unreachable:
            self.candidates.drop(copies=self._sources.copied() if goes_on else None)

    def go_on(self) -> bool:
        """Send statements again, and look anew at what is published; tell if the line works."""
        self._statements.stopping.clear()
        self.catalog.forget()
        self._recorded = None
        return not self.sessions.is_unreachable

    def statements(self) -> tuple[Statement, ...]:
        """Return the executed statements, in order."""
        return self.sessions.statements()

    def versions(self) -> Mapping[str, str]:
        """Return the versions of account, driver and compiler."""
        from snowflake.connector import __version__

        (row,) = self.execute("SELECT CURRENT_VERSION()", step="version").fetchall()
        return {
            "snowflake": str(row[0]),
            "snowflake-connector-python": __version__,
            "ibis": ibis.__version__,
        }

    def close(self) -> None:
        """Close all connections."""
        self.sessions.close()
