"""Snowflake: Ibis compiles, the official connector executes.

Candidates lie beside their targets under names of their own; publishing replaces the targets by
clones, back to back, when all checks have passed.
"""

from __future__ import annotations

import datetime
import json
import threading
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import ibis
import ibis.expr.types as ir
import sqlglot.expressions as sge

from backends import snowflake_ddl as ddl
from backends.snowflake_candidates import candidate_name, is_left_over
from backends.snowflake_catalog import VERSION, described
from backends.snowflake_connection import SnowflakeOptions, connect, translated
from backends.snowflake_sources import SnowflakeSources
from backends.snowflake_sql import Namespace, compile_bare, compile_query
from backends.sql import recorded
from marts.core.errors import EngineError, PartlyPublishedError, UsageError
from marts.core.plan.state import (
    EARLIER_STATE_TABLE,
    STATE_COLUMNS,
    STATE_TABLE,
    Materialized,
    Publication,
    RecordedTable,
    TableState,
)
from marts.core.run.backend import Contract, Statement

if TYPE_CHECKING:
    # 1.1 s to import, which compiling does not need.
    from snowflake.connector import SnowflakeConnection
    from snowflake.connector.cursor import SnowflakeCursor

NOBODY = ""
"""The package of candidates."""


@dataclass(frozen=True)
class Candidate:
    """A relation that is built but not published.

    `definition` is the query of a view, over published names; empty for a table.
    """

    name: str
    kind: Materialized
    definition: str
    columns: tuple[str, ...]
    comment: str
    column_comments: Mapping[str, str]


class SnowflakeBackend:
    """One account, a connection for each thread."""

    name = "snowflake"

    def __init__(self, options: SnowflakeOptions, *, sources: Mapping[str, Contract]) -> None:
        self.options = options
        self.sources = sources
        self.threads = options.threads
        self._local = threading.local()
        self._connections: list[SnowflakeConnection] = []
        self._statements: list[Statement] = []
        self._candidates: dict[str, Candidate] = {}
        self._run_id = ""
        self._stopping = threading.Event()
        self._published = False
        self._claimed: set[str] = set()
        """The names of candidates that are recorded."""
        current = self._connection()
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
        self._sources = SnowflakeSources(
            self.source_namespace,
            sources,
            tables=lambda: self._tables(self.source_namespace),
            columns=lambda: self._columns(self.source_namespace),
            row=self._look,
        )
        self.source_location = f"{self.source_namespace}"
        self.where = f"{self.source_namespace} → {self.namespace}"

    def data_as_of(self) -> None:
        """Return None: tables do not say the date they were made for."""

    def describe_sources(self, names: Collection[str]) -> Mapping[str, TableState]:
        """Return what the catalog, and a look at doubtful values, say of the sources that exist."""
        return self._sources.describe(names)

    def changed_sources(self) -> list[str]:
        """Return the sources whose catalog entry is another, or gone; of views nothing is known."""
        return self._sources.changed()

    def _look(self, query: sge.Select, about: str) -> Sequence[Any]:
        rows = self.execute(query.sql(ddl.DIALECT, pretty=True), about=about, step="source")
        (row,) = rows.fetchall()
        return tuple(row)

    def describe_published(
        self,
        versions: Collection[str] = (),  # noqa: ARG002  (the catalog has them all)
    ) -> Mapping[str, TableState]:
        """Return the columns and rows of every relation in the schema.

        The version of one is when it was made, and how many rows it has.
        """
        return self.catalog(self.namespace)

    def catalog(self, namespace: Namespace) -> Mapping[str, TableState]:
        """Return what the catalog says of a schema's published relations, names in lower case.

        Raises UsageError where the database does not exist for this role.
        """
        return described(self._tables(namespace), self._columns(namespace))

    def _tables(self, namespace: Namespace) -> dict[str, dict[str, Any]]:
        rows = self._select(
            "TABLES",
            namespace,
            *("TABLE_NAME", "TABLE_TYPE", *VERSION),
            where={"TABLE_SCHEMA": namespace.schema},
        )
        return {row["TABLE_NAME"]: row for row in rows}

    def _columns(self, namespace: Namespace) -> list[dict[str, Any]]:
        return self._select(
            "COLUMNS",
            namespace,
            *("TABLE_NAME", "COLUMN_NAME", "DATA_TYPE", "NUMERIC_PRECISION", "NUMERIC_SCALE"),
            where={"TABLE_SCHEMA": namespace.schema},
            order_by="ORDINAL_POSITION",
        )

    def state(self) -> Sequence[RecordedTable]:
        """Return what is recorded of the relations in the schema, by any package."""
        return recorded(self, [name.lower() for name in self._kinds()])

    def compile(self, query: ir.Table | sge.Query) -> str:
        """Return a query's SQL over the sources and the published relations."""
        return self._compile(query, {})

    def text(self, query: ir.Table) -> str:
        """Return a query's SQL over bare names."""
        return compile_bare(query)

    def _compile(self, query: ir.Table | sge.Query, aliases: Mapping[str, str]) -> str:
        return compile_query(
            query,
            sources=self.sources,
            source_namespace=self.source_namespace,
            namespace=self.namespace,
            aliases=aliases,
            place_of=self._sources.place,
        )

    def fetch(self, query: ir.Table | sge.Query, *, about: str) -> list[dict[str, Any]]:
        """Run a query, in which candidates stand for their targets, and return its rows."""
        cursor = self.execute(self._compile(query, self._aliases()), about=about, step="query")
        table = cursor.fetch_arrow_all(force_return_table=True)
        names = [name.lower() for name in table.column_names]
        rows: list[dict[str, Any]] = table.rename_columns(names).to_pylist()
        return rows

    def begin(self, run_id: str, candidates: Collection[str] = ()) -> None:
        """Make the schema where there is none, and sweep candidates that a broken run left.

        Those that this run will make are recorded before they are.
        """
        self._run_id = run_id
        self._stopping.clear()
        schemas = self._select("SCHEMATA", self.namespace, "SCHEMA_NAME")
        if self.namespace.schema not in [row["SCHEMA_NAME"] for row in schemas]:
            place = f"{ddl.identifier(self.namespace.database or '')}"
            place = f"{place}.{ddl.identifier(self.namespace.schema)}"
            self.execute(ddl.create_schema(place), step="begin")
        kinds = self._kinds()
        if STATE_TABLE.upper() in kinds:
            self._sweep(kinds)
        elif candidates:
            self.execute(ddl.create_state(self.place(STATE_TABLE), STATE_COLUMNS), step="begin")
        self._claimed = {self.candidate_name(name).lower() for name in candidates}
        claims = [
            RecordedTable(NOBODY, name, "candidate", run_id) for name in sorted(self._claimed)
        ]
        self._record(claims, step="begin")

    def _sweep(self, kinds: Mapping[str, Materialized]) -> None:
        now = datetime.datetime.now(datetime.UTC).replace(tzinfo=None)
        left = [
            row.name
            for row in recorded(self, [STATE_TABLE])
            if row.kind == "candidate" and is_left_over(row.name, now)
        ]
        for name in left:
            if kind := kinds.get(name.upper()):
                self.execute(ddl.drop(kind, self.place(name)), about=name, step="sweep")
        self._forget(left, step="sweep")

    def _forget(self, names: Collection[str], *, step: str, but_of: str | None = None) -> None:
        """Forget what is recorded of relations, by whichever package but that one."""
        but = {"kind": "source"} | ({} if but_of is None else {"package": but_of})
        if names:
            sql = ddl.delete_state(self.place(STATE_TABLE), "name", names, but=but)
            self.execute(sql, step=step)

    def _record(self, rows: Sequence[RecordedTable], *, step: str) -> None:
        """Record rows; those with a date as published now."""
        now = datetime.datetime.now(datetime.UTC).replace(tzinfo=None, microsecond=0)
        written = [asdict(row) | {"published_at": now if row.as_of else None} for row in rows]
        if rows:
            ordered = [{name: row[name] for name in STATE_COLUMNS} for row in written]
            self.execute(ddl.merge_state(self.place(STATE_TABLE), ordered), step=step)

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
        sql = self._compile(query, self._aliases())
        definition = self.compile(query) if kind == "view" else ""
        candidate = Candidate(name, kind, definition, query.columns, comment, column_comments)
        place = self.add_candidate(candidate)
        if kind == "view":
            self.execute(_create_view(place, sql, candidate), about=name, step="build")
            return
        self.execute(ddl.create_table_as(place, sql, comment=comment), about=name, step="build")
        if column_comments:
            self.execute(ddl.comment_columns(place, column_comments), about=name, step="comment")

    def add_candidate(self, candidate: Candidate) -> str:
        """Take note of a candidate about to be created, and return its place.

        Before it is there, so that it is dropped however its creation ends.
        """
        self._candidates[candidate.name] = candidate
        return self.place(self.candidate_name(candidate.name))

    def publish(self, publication: Publication) -> None:
        """Replace every target by its candidate, back to back; then record it.

        What is about to be made is recorded first. Raises PartlyPublishedError where it breaks
        off after the first.
        """
        kinds = self._kinds()
        published = {n: c for n, c in self._candidates.items() if c.kind != "temporary"}
        package, run_id = publication.package, publication.run_id
        new = [name for name in published if name.upper() not in kinds]
        claims = [RecordedTable(package, name, published[name].kind, run_id) for name in new]
        self._record(claims, step="claim")
        self.replace_targets()
        try:
            for name in publication.drops:
                if kind := kinds.get(name.upper()):
                    self.execute(ddl.drop(kind, self.place(name)), about=name, step="drop")
            self._record_published(publication, published, kinds)
        except (EngineError, KeyboardInterrupt) as error:
            raise PartlyPublishedError(list(published), [], error) from error
        self._published = True
        # All is published: an interrupt now only leaves candidates, which are swept later.
        with suppress(KeyboardInterrupt):
            self.drop_candidates()

    def _record_published(
        self,
        publication: Publication,
        published: Mapping[str, Candidate],
        kinds: Mapping[str, Materialized],
    ) -> None:
        made_by = (publication.run_id, publication.as_of)
        found = self.describe_published()
        marts = [
            RecordedTable(
                publication.package,
                name,
                candidate.kind,
                *made_by,
                found[name].version,
                publication.fingerprints.get(name),
            )
            for name, candidate in published.items()
        ]
        sources = [
            RecordedTable(publication.package, name, "source", *made_by, None, text)
            for name, text in publication.checked.items()
        ]
        self._record([*marts, *sources], step="publish")
        self._forget(publication.drops, step="publish")
        # Who takes a table over, takes its record: last, so that a table always has one.
        self._forget(list(published), step="publish", but_of=publication.package)
        names = [*published, *publication.drops]
        if names and EARLIER_STATE_TABLE.upper() in kinds:
            earlier = self.place(EARLIER_STATE_TABLE)
            self.execute(ddl.delete_state(earlier, "mart", names), step="publish")
            if not recorded(self, [EARLIER_STATE_TABLE]):
                self.execute(ddl.drop("table", earlier), step="publish")

    def replace_targets(self) -> None:
        """Replace every target by its candidate, in build order.

        Raises PartlyPublishedError where it breaks off after the first.
        """
        kinds = self._kinds()
        new: list[str] = []
        executed = 0
        try:
            for name, candidate in self._candidates.items():
                if candidate.kind == "temporary":
                    continue
                for sql in self._replacing(candidate, kinds.get(name.upper())):
                    self.execute(sql, about=name, step="publish")
                    executed += 1
                new.append(name)
        except (EngineError, KeyboardInterrupt) as error:
            # A statement that was refused changed nothing; one that was interrupted may have.
            if not executed and isinstance(error, EngineError):
                raise
            old = [n for n, c in self._candidates.items() if n not in new and c.kind != "temporary"]
            raise PartlyPublishedError(new, old, error) from error

    def _replacing(self, candidate: Candidate, existing: Materialized | None) -> Iterator[str]:
        target = self.place(candidate.name)
        if existing not in (None, candidate.kind):
            # CREATE OR REPLACE does not turn a view into a table, nor back.
            yield ddl.drop(existing, target)
        if candidate.kind == "view":
            yield _create_view(target, candidate.definition, candidate)
        else:
            yield ddl.replace_by_clone(target, self.place(self.candidate_name(candidate.name)))

    def is_published(self) -> bool:
        """Tell whether every target was replaced."""
        return self._published

    def discard(self) -> None:
        """Cancel what runs and drop the candidates; what cannot be dropped is swept later."""
        # First, so that no thread between two statements adds a candidate behind our back.
        self._stopping.set()
        for connection in self._connections:
            with suppress(EngineError):
                session = connection.session_id
                self.execute(f"SELECT SYSTEM$CANCEL_ALL_QUERIES({session})", step="cancel")
        self.drop_candidates()

    def drop_candidates(self) -> None:
        """Drop this run's candidates; what cannot be dropped is swept later."""
        candidates, self._candidates = self._candidates, {}
        claimed, self._claimed = self._claimed, set()
        for name, candidate in candidates.items():
            kind = "view" if candidate.kind == "view" else "table"
            place = self.place(self.candidate_name(name))
            try:
                self.execute(ddl.drop(kind, place), about=name, step="discard")
            except EngineError:
                claimed.discard(self.candidate_name(name).lower())
        with suppress(EngineError):
            self._forget(sorted(claimed), step="discard")

    def statements(self) -> tuple[Statement, ...]:
        """Return what was executed, in order."""
        return tuple(self._statements)

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
        for connection in self._connections:
            connection.close()

    def candidate_name(self, name: str) -> str:
        """Return the name of a mart's candidate in this run."""
        return candidate_name(name, self._run_id)

    def execute(self, sql: str, *, about: str = "", step: str) -> SnowflakeCursor:
        """Run one statement, tagged with what it is for."""
        tag = {
            "tool": "marts",
            "version": self.options.version,
            "run": self._run_id,
            "mart": about,
            "step": step,
        }
        if self._stopping.is_set() and step not in ("cancel", "discard"):
            raise EngineError(f"the run is stopping: no {step} {about}".rstrip())
        start = time.perf_counter()
        cursor = self._connection().cursor()
        with translated(f"{step} {about}".strip()):
            cursor.execute(sql, _statement_params={"QUERY_TAG": json.dumps(tag)})
        seconds = time.perf_counter() - start
        # The row that says "successfully created" is none that anybody counts.
        rows = cursor.rowcount if step in ("query", "catalog") else None
        self._statements.append(Statement(about, step, cursor.sfqid, rows, seconds))
        return cursor

    def _connection(self) -> SnowflakeConnection:
        if not hasattr(self._local, "connection"):
            self._local.connection = connect(self.options)
            self._connections.append(self._local.connection)
        connection: SnowflakeConnection = self._local.connection
        return connection

    def _aliases(self) -> dict[str, str]:
        # A copy: other threads add to it.
        return {name: self.candidate_name(name) for name in list(self._candidates)}

    def place(self, name: str) -> str:
        """Return the qualified name of a relation in the schema of the marts."""
        return self.namespace.place(name).sql(ddl.DIALECT)

    def _kinds(self) -> dict[str, Materialized]:
        """Return what the schema holds, upper-case names, candidates included."""
        rows = self._select(
            "TABLES",
            self.namespace,
            *("TABLE_NAME", "TABLE_TYPE"),
            where={"TABLE_SCHEMA": self.namespace.schema},
        )
        return {
            row["TABLE_NAME"]: "view" if row["TABLE_TYPE"] == "VIEW" else "table" for row in rows
        }

    def _select(
        self,
        view: str,
        namespace: Namespace,
        *columns: str,
        where: Mapping[str, str] | None = None,
        order_by: str | None = None,
    ) -> list[dict[str, Any]]:
        """Read a view of a database's INFORMATION_SCHEMA."""
        table = sge.table_(view, db="INFORMATION_SCHEMA", catalog=namespace.database, quoted=True)
        query = sge.select(*columns).from_(table)
        for column, value in (where or {}).items():
            query = query.where(sge.column(column).eq(value))
        if order_by:
            query = query.order_by(order_by)
        try:
            rows = self.execute(query.sql(ddl.DIALECT), about=view, step="catalog").fetchall()
        except EngineError as error:
            if getattr(error.__cause__, "errno", None) not in (2003, 2043):
                raise
            raise UsageError(
                f"database {namespace.database} does not exist, or the role may not use it",
                hint="check --database and --role; the README lists the grants",
            ) from error
        return [dict(zip(columns, row, strict=True)) for row in rows]


def _create_view(place: str, query: str, candidate: Candidate) -> str:
    return ddl.create_view(
        place,
        query,
        columns=candidate.columns,
        comment=candidate.comment,
        column_comments=candidate.column_comments,
    )
