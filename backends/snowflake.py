"""Snowflake: Ibis compiles, the official connector executes.

Candidates are in the schema of their targets, under other names. When all checks have passed,
publishing replaces the targets by clones of them, one statement right after the other.
"""

from __future__ import annotations

import datetime
import json
import threading
import time
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from types import MappingProxyType
from typing import Any

import ibis
import ibis.expr.types as ir
import sqlglot.expressions as sge

from backends import snowflake_ddl as ddl
from backends.snowflake_candidates import Candidate, candidate_name, is_left_over
from backends.snowflake_catalog import Catalog
from backends.snowflake_connection import SnowflakeOptions, connect
from backends.snowflake_errors import MISSING, LostAnswerError, number_of
from backends.snowflake_parameters import FIXED, SHOW_SESSION, refuse_others
from backends.snowflake_publication import Schema, publish, replace_targets
from backends.snowflake_session import Result, Sessions
from backends.snowflake_sources import SnowflakeSources
from backends.snowflake_sql import Namespace, compiled, qualified_sql
from backends.sql import recorded
from marts.core.errors import EngineError, UsageError
from marts.core.plan.state import (
    STATE_TABLE,
    CompiledQuery,
    Materialized,
    Publication,
    Query,
    RecordedTable,
    TableState,
)
from marts.core.run.backend import Contract, Statement

CLEANING_SECONDS = 20.0
"""How long dropping candidates may take; a later run drops those that are left."""
WAITS_FOR_A_CANDIDATE = (0.5, 1.0, 2.0)
"""Seconds between attempts to read what another session of this run has created."""

NOBODY = ""
"""The package under which candidates are recorded."""


class SnowflakeBackend:
    """One account, with a connection for each thread."""

    name = "snowflake"

    def __init__(self, options: SnowflakeOptions, *, sources: Mapping[str, Contract]) -> None:
        self.options = options
        self.sources = sources
        self.threads = options.threads
        self.sessions = Sessions(lambda: connect(options))
        self._candidates: dict[str, Candidate] = {}
        self._run_id = ""
        self._stopping = threading.Event()
        self._published = False
        self._claimed: set[str] = set()
        """The names of the recorded candidates."""
        current = self.sessions.current().connection
        refuse_others(FIXED, self.execute(SHOW_SESSION, step="session").fetchall())
        database = options.database or current.database
        if database is None:
            raise UsageError(
                "no database is named", hint="pass --database, or set it in connections.toml"
            )
        self.namespace = Namespace(options.schema.upper(), database.upper())
        self.source_namespace = Namespace(
            (options.source_schema or options.schema).upper(),
            (options.source_database or database).upper(),
        )
        self.catalog = Catalog(self._rows_of_catalog)
        self.schema = Schema(self.namespace, self._execute_about)
        self._recorded: Sequence[RecordedTable] | None = None
        self._sources = SnowflakeSources(
            self.source_namespace,
            sources,
            tables=lambda: self.catalog.tables(self.source_namespace),
            columns=lambda: self.catalog.columns(self.source_namespace),
            row=self._row_of_source,
        )
        self.source_location = f"{self.source_namespace}"
        self.where = f"{self.source_namespace} → {self.namespace}"

    def data_as_of(self) -> None:
        """Return None: tables do not state an as-of date."""

    def describe_sources(self, names: Collection[str]) -> Mapping[str, TableState]:
        """Return the state of the sources that exist, from the catalog and counts of values."""
        return self._sources.describe(names)

    def changed_sources(self) -> list[str]:
        """Return the sources, except views, whose catalog entry changed or is gone."""
        self.catalog.forget()
        return self._sources.changed()

    def _row_of_source(self, query: sge.Select, about: str) -> Sequence[Any]:
        rows = self.execute(query.sql(ddl.DIALECT, pretty=True), about=about, step="source")
        (row,) = rows.fetchall()
        return tuple(row)

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
            kinds = self.catalog.kinds(self.namespace)
            self._recorded = recorded(self, [name.lower() for name in kinds])
        return self._recorded

    def compile(self, query: ir.Table | sge.Query) -> CompiledQuery:
        """Return a query as Snowflake's SQL over bare names."""
        return compiled(query)

    def to_sql(self, query: CompiledQuery) -> str:
        """Return a query's SQL over the sources and the published relations."""
        return self._qualified(query, {})

    def _qualified(self, query: CompiledQuery, candidates: Mapping[str, str]) -> str:
        """Return a query's SQL, which reads candidates in place of their targets."""
        known: dict[str, sge.Table | sge.Subquery] = {
            name: self._sources.qualified(name)
            if name in self.sources
            else self.namespace.qualified(candidates.get(name, name))
            for name in query.names
        }
        return qualified_sql(query, known, self.namespace)

    def fetch(self, query: Query, *, about: str) -> list[dict[str, Any]]:
        """Run a query that reads candidates in place of their targets, and return its rows."""
        sql = self._qualified(compiled(query), self._candidate_names())
        cursor = self.execute(sql, about=about, step="query")
        table = cursor.fetch_arrow_all()
        names = [name.lower() for name in table.column_names]
        rows: list[dict[str, Any]] = table.rename_columns(names).to_pylist()
        return rows

    def begin(self, run_id: str, candidates: Collection[str] = ()) -> None:
        """Create the schema if it does not exist, and drop candidates that failed runs left behind.

        The candidates of this run are recorded before they are created.
        """
        self._run_id = run_id
        self._stopping.clear()
        if not self.catalog.has_schema(self.namespace):
            schema = sge.table_(self.namespace.schema, db=self.namespace.database, quoted=True)
            self.execute(ddl.create_schema(schema.sql(ddl.DIALECT)), step="begin")
        kinds = self.catalog.kinds(self.namespace)
        if STATE_TABLE.upper() in kinds:
            self._sweep(kinds)
        elif candidates:
            self.schema.create_state()
        self._claimed = {self.candidate_name(name).lower() for name in candidates}
        claims = [
            RecordedTable(NOBODY, name, "candidate", run_id) for name in sorted(self._claimed)
        ]
        self.schema.record(claims, step="begin")

    def _sweep(self, kinds: Mapping[str, Materialized]) -> None:
        now = datetime.datetime.now(datetime.UTC).replace(tzinfo=None)
        left = [
            row.name
            for row in self.state()
            if row.kind == "candidate" and is_left_over(row.name, now)
        ]
        for name in left:
            if kind := kinds.get(name.upper()):
                sql = ddl.drop(kind, self.schema.qualified(name))
                self.execute(sql, about=name, step="sweep")
        self.schema.forget(left, step="sweep")

    def build(
        self,
        name: str,
        query: ir.Table,
        *,
        kind: Materialized,
        comment: str,
        column_comments: Mapping[str, str],
    ) -> None:
        """Create a candidate from a query, with comments for the catalog."""
        query = compiled(query)
        sql = self._qualified(query, self._candidate_names())
        candidate = self.add_candidate(
            name,
            kind,
            query.columns,
            definition=self.to_sql(query) if kind == "view" else "",
            comment=comment,
            column_comments=column_comments,
        )
        qualified = candidate.qualified
        if kind == "view":
            self.execute(candidate.create_view(qualified, sql), about=name, step="build")
            return
        self.execute(ddl.create_table_as(qualified, sql, comment=comment), about=name, step="build")
        if column_comments:
            self.execute(
                ddl.comment_columns(qualified, column_comments), about=name, step="comment"
            )

    def add_candidate(
        self,
        name: str,
        kind: Materialized,
        columns: tuple[str, ...],
        *,
        definition: str = "",
        comment: str = "",
        column_comments: Mapping[str, str] = MappingProxyType({}),
    ) -> Candidate:
        """Register a candidate that is about to be created, and return it.

        It is registered first, so that it is dropped however its creation ends.
        """
        qualified = self.schema.qualified(self.candidate_name(name))
        candidate = Candidate(name, qualified, kind, columns, definition, comment, column_comments)
        self._candidates[name] = candidate
        return candidate

    def publish(self, publication: Publication) -> None:
        """Replace every target by its candidate, one right after the other; then record them.

        New names are recorded before that. Raises PartlyPublishedError if it fails after the first
        target was replaced.
        """
        publish(
            publication,
            self._candidates,
            self.schema,
            self.catalog,
            recorded_in=lambda table: recorded(self, [table]),
        )
        self._published = True
        self.catalog.forget()
        self._recorded = None
        # Everything is published: an interrupt now leaves only candidates, which a later run drops.
        with suppress(KeyboardInterrupt):
            self.drop_candidates()

    def replace_targets(self) -> None:
        """Replace every target by its candidate, without recording it."""
        self.catalog.forget()
        kinds = self.catalog.kinds(self.namespace)
        replace_targets(list(self._candidates.values()), self.schema, kinds)

    def is_published(self) -> bool:
        """Tell whether every target was replaced."""
        return self._published

    def discard(self) -> None:
        """Cancel running statements and drop the candidates; a later run drops what is left."""
        # This comes first, so that no other thread adds a candidate meanwhile.
        self._stopping.set()
        self.sessions.cancel()
        self.sessions.take_interrupt()
        if not self.sessions.is_unreachable:
            self.drop_candidates()

    def drop_candidates(self) -> None:
        """Drop this run's candidates; a later run drops those that cannot be dropped now."""
        candidates, self._candidates = self._candidates, {}
        claimed, self._claimed = self._claimed, set()
        deadline = time.monotonic() + CLEANING_SECONDS
        for name, candidate in candidates.items():
            kind = "view" if candidate.kind == "view" else "table"
            if (left := deadline - time.monotonic()) < 0:
                return
            try:
                sql = ddl.drop(kind, candidate.qualified)
                self.execute(sql, about=name, step="discard", within=left)
            except LostAnswerError:
                return
            except EngineError:
                claimed.discard(self.candidate_name(name).lower())
        with suppress(EngineError):
            self.schema.forget(sorted(claimed), step="discard")

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

    def candidate_name(self, name: str) -> str:
        """Return the name of a mart's candidate in this run."""
        return candidate_name(name, self._run_id)

    def execute(
        self,
        sql: str,
        *,
        about: str = "",
        step: str,
        uninterruptible: bool = False,
        within: float | None = None,
    ) -> Result:
        """Run one statement, with a query tag that says what it is for.

        See `Session.execute` for interrupts and lost answers.
        """
        tag = {
            "tool": "marts",
            "version": self.options.version,
            "run": self._run_id,
            "mart": about,
            "step": step,
        }

        def attempt() -> Result:
            if self._stopping.is_set() and step != "discard":
                raise EngineError(f"the run is stopping: no {step} {about}".rstrip())
            return self.sessions.current().execute(
                sql,
                about=about,
                step=step,
                tag=json.dumps(tag),
                uninterruptible=uninterruptible,
                within=within,
            )

        for seconds in WAITS_FOR_A_CANDIDATE:
            try:
                return attempt()
            except EngineError as error:
                if not self._misses_a_candidate(error):
                    raise
            time.sleep(seconds)
        return attempt()

    def _misses_a_candidate(self, error: EngineError) -> bool:
        """Tell whether another session made a candidate that this one does not see yet.

        https://docs.snowflake.com/en/sql-reference/parameters#read-consistency-mode
        """
        of_this_run = candidate_name("", self._run_id)
        return number_of(error) in MISSING and of_this_run in str(error).upper()

    def _execute_about(self, sql: str, about: str, step: str) -> None:
        self.execute(sql, about=about, step=step)

    def _rows_of_catalog(self, sql: str, view: str) -> list[tuple[Any, ...]]:
        rows: list[tuple[Any, ...]] = self.execute(sql, about=view, step="catalog").fetchall()
        return rows

    def _candidate_names(self) -> dict[str, str]:
        # A copy, because other threads add to it.
        return {name: self.candidate_name(name) for name in list(self._candidates)}
