"""Snowflake: Ibis compiles, the official connector executes.

Candidates are in a schema of their own. When all checks have passed, one transaction overwrites the
rows of all targets with theirs.
"""

from __future__ import annotations

import datetime
import json
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from types import MappingProxyType
from typing import Any

import ibis
import ibis.expr.types as ir
import sqlglot.expressions as sge

from backends import snowflake_annotations
from backends import snowflake_ddl as ddl
from backends.snowflake_access import close_to_readers
from backends.snowflake_candidates import (
    LEFT_OVER_AFTER,
    Candidate,
    candidate_name,
    digest_of_text,
    is_left_over,
    is_old,
)
from backends.snowflake_catalog import Catalog
from backends.snowflake_connection import SnowflakeOptions, connect
from backends.snowflake_errors import LostAnswerError
from backends.snowflake_keys import keys
from backends.snowflake_kinds import unreplaceable
from backends.snowflake_parameters import FIXED, SHOW_SESSION, refuse_others
from backends.snowflake_publication import (
    Publisher,
    refuse_reshapes,
    with_text,
)
from backends.snowflake_runs import RunsTable, described
from backends.snowflake_session import Result, Sessions, until_seen
from backends.snowflake_shape import changes, declared, shapes
from backends.snowflake_sources import SnowflakeSources
from backends.snowflake_sql import Namespace, compiled, qualified_sql
from backends.snowflake_state import MARKER, NOBODY, Schema, digests, without_digest
from backends.sql import publishing_runs, recorded
from marts.core.errors import EngineError, UsageError
from marts.core.plan.state import (
    RUNS_TABLE,
    STATE_TABLE,
    Annotation,
    CompiledQuery,
    Materialized,
    PlannedTable,
    Publication,
    Query,
    RecordedRun,
    RecordedTable,
    ShapeChange,
    TableState,
)
from marts.core.run.backend import Contract, Statement

CANDIDATES = "_CANDIDATES"
"""What the name of the candidates' schema adds to that of the marts' schema."""
CLEANING_SECONDS = 20.0
"""How long dropping candidates may take; a later run drops those that are left."""


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
        self._publisher: Publisher | None = None
        self._unfinished: list[str] = []
        self._claimed: set[str] = set()
        """The names of the recorded candidates."""
        current = self.sessions.current().connection
        refuse_others(FIXED, self.execute(SHOW_SESSION, step="session").fetchall())
        database = options.database or current.database
        if database is None:
            raise UsageError(
                "no database is named", hint="pass --database, or set it in connections.toml"
            )
        self.catalog = Catalog(self._rows_of_catalog, self.records)
        self.namespace = self.catalog.namespace(options.schema, database)
        self.candidates_namespace = Namespace(
            f"{self.namespace.schema}{CANDIDATES}", self.namespace.database
        )
        self.source_namespace = self.catalog.namespace(
            options.source_schema or options.schema, options.source_database or database
        )
        self.schema = Schema(self.namespace, self._execute_about)
        self._digests: Mapping[str, str] = {}
        self._runs = RunsTable(self.namespace, self.catalog, self._rows_of_record)
        self._recorded: Sequence[RecordedTable] | None = None
        self._sources = SnowflakeSources(
            self.source_namespace,
            sources,
            catalog=self.catalog,
            row=self._row_of_source,
        )
        self.source_location = f"{self.source_namespace}"
        self.where = f"{self.source_namespace} → {self.namespace}"

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

    def changed_sources(self) -> list[str]:
        """Return the sources that changed so that a run may have read two states of them.

        Only those are compared that are not pinned or copied. A pinned one must not be replaced.
        """
        self.catalog.forget()
        return self._sources.changed()

    def _row_of_source(self, query: sge.Select, about: str, step: str) -> Sequence[Any]:
        rows = self.execute(query.sql(ddl.DIALECT, pretty=True), about=about, step=step)
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
            rows = recorded(self, [name.lower() for name in kinds])
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
        candidates: Mapping[str, str],
        source_of: Callable[[str], sge.Table | sge.Subquery],
    ) -> str:
        """Return a query's SQL, which reads candidates in place of their targets."""
        known: dict[str, sge.Table | sge.Subquery] = {
            name: source_of(name)
            if name in self.sources
            else self._qualified_mart(name, candidates)
            for name in query.names
        }
        return qualified_sql(query, known, self.namespace)

    def _qualified_mart(self, name: str, candidates: Mapping[str, str]) -> sge.Table:
        if name in candidates:
            return self.candidates_namespace.qualified(candidates[name])
        return self.namespace.qualified(name)

    def _executed(self, query: CompiledQuery) -> str:
        """Return a query's SQL over the sources, as they are read, and the candidates."""
        return self._qualified(query, self._candidate_names(), self._sources.qualified)

    def fetch(self, query: Query, *, about: str) -> list[dict[str, Any]]:
        """Run a query that reads candidates in place of their targets, and return its rows."""
        sql = self._executed(compiled(query))
        cursor = self.execute(sql, about=about, step="query")
        table = cursor.fetch_arrow_all()
        names = [name.lower() for name in table.column_names]
        rows: list[dict[str, Any]] = table.rename_columns(names).to_pylist()
        return rows

    def begin(self, run_id: str, candidates: Collection[str] = ()) -> None:
        """Create the schemas if they do not exist, and drop candidates of runs that died.

        The candidates of this run are recorded before they are created.
        """
        self._run_id = run_id
        self._stopping.clear()
        self._publisher = None
        self._create_schemas(with_candidates=bool(candidates))
        kinds = self.catalog.kinds(self.namespace)
        if STATE_TABLE.upper() in kinds:
            self._sweep()
        elif candidates:
            self.schema.create_state()
        # Nothing is copied where nothing is built.
        copies = self._sources.to_copy() if candidates else ()
        self._claimed = {self.candidate_name(name).lower() for name in (*candidates, *copies)}
        claims = [
            RecordedTable(NOBODY, name, "candidate", run_id) for name in sorted(self._claimed)
        ]
        self.schema.claim(claims, step="begin")
        if copies:
            self._sources.copy(self._copy_source)

    def _copy_source(self, name: str, query: sge.Select) -> sge.Table:
        copy = self.add_candidate(name, "temporary", tuple(query.named_selects))
        sql = ddl.create_table_as(copy.qualified, query.sql(ddl.DIALECT, pretty=True))
        self.execute(sql, about=name, step="copy")
        return self.candidates_namespace.qualified(self.candidate_name(name))

    def _create_schemas(self, *, with_candidates: bool) -> None:
        if not self.catalog.has_schema(self.namespace):
            self.execute(ddl.create_schema(f"{self.namespace.sql}"), step="begin")
        if not with_candidates:
            return
        is_new = not self.catalog.has_schema(self.candidates_namespace)
        if is_new:
            sql = ddl.create_candidates_schema(self.candidates_namespace.sql)
            self.execute(sql, step="begin")
        close_to_readers(
            self.candidates_namespace,
            is_new=is_new,
            records=self.records,
            execute=self._execute_about,
        )

    def _sweep(self) -> None:
        """Drop the candidates of runs that died, and forget publications of earlier days."""
        now = datetime.datetime.now(datetime.UTC).replace(tzinfo=None)
        left = [
            row.name
            for row in self.state()
            if row.kind == "candidate" and is_left_over(row.name, now)
        ]
        kinds = self.catalog.kinds(self.candidates_namespace) if left else {}
        for name in left:
            if kind := kinds.get(name.upper()):
                sql = ddl.drop(kind, self._candidate(name))
                self.execute(sql, about=name, step="sweep")
        old = [row.name for row in self.state() if row.kind == MARKER and is_old(row.name, now)]
        self.schema.forget([*left, *old], step="sweep")

    def _candidate(self, table: str) -> str:
        """Return the qualified name of a relation among the candidates, as SQL."""
        return self.candidates_namespace.qualified(table).sql(ddl.DIALECT)

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
        """Create a candidate from a query; comments and key are for what will be published."""
        query = compiled(query)
        sql = self._executed(query)
        candidate = self.add_candidate(
            name,
            kind,
            query.columns,
            definition=self.to_sql(query) if kind == "view" else "",
            comment=comment,
            column_comments=column_comments,
            key=key,
            reads=query.names,
        )
        qualified = candidate.qualified
        if kind == "view":
            self.execute(
                candidate.create_view(qualified, sql, kept=ddl.NOTHING), about=name, step="build"
            )
            return
        self.execute(ddl.create_table_as(qualified, sql), about=name, step="build")

    def add_candidate(
        self,
        name: str,
        kind: Materialized,
        columns: tuple[str, ...],
        *,
        definition: str = "",
        comment: str = "",
        column_comments: Mapping[str, str] = MappingProxyType({}),
        key: tuple[str, ...] = (),
        reads: frozenset[str] = frozenset(),
    ) -> Candidate:
        """Register a candidate that is about to be created, and return it.

        It is registered first, so that it is dropped however its creation ends.
        """
        qualified = self._candidate(self.candidate_name(name))
        candidate = Candidate(
            name, qualified, kind, columns, definition, comment, column_comments, key, reads
        )
        self._candidates[name] = candidate
        return candidate

    def publish(self, publication: Publication) -> None:
        """Overwrite all targets with their candidates and record them, in one transaction.

        Raises PartlyPublishedError if an acknowledged reshape fails after the commit, and
        UnknownPublicationError if the answer to the commit is lost and the account cannot be asked.
        """
        self.state()
        self._publisher = Publisher(
            publication,
            {name: each for name, each in self._candidates.items() if each.kind != "temporary"},
            self.schema,
            self.candidates_namespace,
            self.catalog,
            self,
            seen=self._recorded or (),
            digests=self._digests,
            records=self.records,
            recorded_in=lambda table: recorded(self, [table]),
            holders=self._holders,
        )
        # After the commit, an interrupt leaves only what a later run completes.
        with self._completing():
            self.sessions.shielded(self._publisher.publish)
            self.drop_candidates()
        self.catalog.forget()
        self._recorded = None

    @contextmanager
    def _completing(self) -> Iterator[None]:
        try:
            yield
        except KeyboardInterrupt:
            if not self.is_published():
                raise

    def is_published(self) -> bool:
        """Tell whether the transaction was committed."""
        return self._publisher is not None and self._publisher.is_published

    def shape_changes(
        self, tables: Collection[PlannedTable], *, acknowledged: Collection[str]
    ) -> Sequence[ShapeChange]:
        """Return what publishing marts would change besides their rows; refuse what it must not."""
        kinds, columns = self.catalog.kinds(self.namespace), self.catalog.columns(self.namespace)
        old = shapes(kinds, columns)
        self._refuse_other_kinds({each.name: each.kind for each in tables})
        self.state()
        names = {each.name for each in tables}
        found = [
            change
            for each in tables
            for change in changes(
                with_text(old.get(each.name.upper()), self._digests.get(each.name)),
                declared(each.kind, each.types, text=self._text_of(each)),
                key=each.key,
            ).described(each.name, reads=bool(each.query.names & names))
        ]
        refuse_reshapes(found, acknowledged)
        return found

    def _refuse_other_kinds(self, targets: Mapping[str, Materialized]) -> None:
        """Refuse to publish into what is neither an ordinary table nor a view."""
        tables, views = self.catalog.tables(self.namespace), self.catalog.views(self.namespace)
        found = [
            reason
            for name, kind in targets.items()
            if (table := tables.get(name.upper()))
            and (reason := unreplaceable(table, kind, views.get(name.upper())))
        ]
        if found:
            raise UsageError(
                "marts must not replace what is not a table or view of theirs; nothing was built",
                *found,
                hint="rename it, or use another --schema",
            )

    def _text_of(self, table: PlannedTable) -> str | None:
        return digest_of_text(self.to_sql(table.query)) if table.kind == "view" else None

    def annotate(self, annotations: Collection[Annotation]) -> None:
        """Set comments and declare keys where the catalog does not have them."""
        try:
            for name, sql in self._annotating(annotations):
                self.execute(sql, about=name, step="annotate")
        except EngineError as error:
            self._unfinished.append(f"comments and keys: {error}")

    def _annotating(self, annotations: Collection[Annotation]) -> Iterator[tuple[str, str]]:
        tables, columns = self.catalog.tables(self.namespace), self.catalog.columns(self.namespace)
        found = keys(self.namespace, self.records) if annotations else {}
        for each in annotations:
            name = each.name.upper()
            if name in tables:
                missing = snowflake_annotations.statements(
                    each,
                    self.schema.qualified(name),
                    table=tables[name],
                    columns=[row for row in columns if row["TABLE_NAME"] == name],
                    key=found.get(name),
                )
                yield from ((each.name, sql) for sql in missing)

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

    def _holders(self) -> list[str]:
        """Return who may hold the lock, a line for each run that announced its publication."""
        return [described(run) for run in self.publishing_runs()]

    def record_run(self, run: RecordedRun) -> None:
        """Write the row of a run, and commit it; do not wait for a line that is dead."""
        if self.sessions.is_unreachable:
            raise EngineError("the connection to Snowflake is lost")
        self._runs.write(run)

    def publishing_runs(self) -> list[RecordedRun]:
        """Return the other runs of a day that are publishing, the most recent first.

        Runs that were killed while they published are among them.
        """
        if not self._runs.exists():
            return []
        since = datetime.datetime.now(datetime.UTC).replace(tzinfo=None) - LEFT_OVER_AFTER
        return publishing_runs(self, but=self._run_id, since=since)

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
            if self._stopping.is_set() and step not in ("discard", "rollback", "record"):
                raise EngineError(f"the run is stopping: no {step} {about}".rstrip())
            return self.sessions.current().execute(
                sql,
                about=about,
                step=step,
                tag=json.dumps(tag),
                uninterruptible=uninterruptible,
                within=within,
            )

        return until_seen(attempt, candidate_name("", self._run_id))

    def _execute_about(self, sql: str, about: str, step: str) -> Result:
        return self.execute(sql, about=about, step=step)

    def _rows_of_record(self, sql: str) -> list[tuple[Any, ...]]:
        self.sessions.refuse_dead_line("record")
        within = CLEANING_SECONDS if self._stopping.is_set() else None
        found = self.execute(sql, about=RUNS_TABLE, step="record", within=within)
        return found.fetchall()

    def _rows_of_catalog(self, sql: str, view: str) -> list[tuple[Any, ...]]:
        rows: list[tuple[Any, ...]] = self.execute(sql, about=view, step="catalog").fetchall()
        return rows

    def records(self, sql: str, about: str) -> list[dict[str, Any]]:
        """Run a query of the catalog, and return its rows by lower-case column name."""
        return self.execute(sql, about=about, step="catalog").records()

    def _candidate_names(self) -> dict[str, str]:
        # A copy, because other threads add to it.
        return {name: self.candidate_name(name) for name in list(self._candidates)}
