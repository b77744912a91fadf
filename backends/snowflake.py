"""Snowflake: Ibis compiles, the official connector executes.

Candidates lie beside their targets under names of their own; publishing replaces the targets by
clones, back to back, when all checks have passed.
"""

from __future__ import annotations

import datetime
import json
import re
import threading
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import ibis
import ibis.expr.datatypes as dt
import ibis.expr.types as ir
import sqlglot.expressions as sge

from backends import snowflake_ddl as ddl
from backends.protocol import (
    STATE_TABLE,
    Contract,
    Described,
    Kind,
    State,
    Statement,
    recorded,
)
from backends.snowflake_connection import SnowflakeOptions, connect, translated
from backends.snowflake_sql import Namespace, compile_query
from marts.core.errors import EngineError, PartlyPublishedError, UsageError

if TYPE_CHECKING:
    # 1.1 s to import, which compiling does not need.
    from snowflake.connector import SnowflakeConnection
    from snowflake.connector.cursor import SnowflakeCursor

CANDIDATE = re.compile(r".+__CANDIDATE_(\d{8}T\d{6})_[0-9A-F]{8}")
LEFT_OVER_AFTER = datetime.timedelta(hours=24)
"""A candidate this old belongs to no run that is still going on."""


@dataclass(frozen=True)
class Candidate:
    """A relation that is built but not published.

    `definition` is the query of a view, over published names; empty for a table.
    """

    name: str
    kind: Kind
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
        self._versions: dict[str, str | None] = {}
        """What the sources were when they were described."""
        self.threads = options.threads
        self._local = threading.local()
        self._connections: list[SnowflakeConnection] = []
        self._statements: list[Statement] = []
        self._candidates: dict[str, Candidate] = {}
        self._run_id = ""
        self._stopping = threading.Event()
        self._published = False
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
        self.searched = f"{self.source_namespace}"
        self.where = f"{self.source_namespace} → {self.namespace}"

    def data_as_of(self) -> None:
        """Return None: tables do not say the date they were made for."""

    def describe_sources(self, names: Collection[str]) -> Mapping[str, Described]:
        """Return the columns, rows and versions of the sources that exist, from the catalog."""
        catalog = self.catalog(self.source_namespace)
        found = {
            name: _read_in_zones(catalog[name], self.sources.get(name))
            for name in names
            if name in catalog
        }
        self._versions |= {name: table.version for name, table in found.items()}
        return found

    def changed_sources(self) -> list[str]:
        """Return the sources whose catalog entry is another, or gone; of views nothing is known."""
        if not any(self._versions.values()):
            return []
        catalog = self.catalog(self.source_namespace)
        return [
            f"source {name}: {self.source_namespace}.{name.upper()}"
            + (" changed" if name in catalog else " is gone")
            for name, version in self._versions.items()
            if version is not None and (name not in catalog or catalog[name].version != version)
        ]

    def describe_published(self) -> Mapping[str, Described]:
        """Return the columns and rows of every relation in the schema."""
        return self.catalog(self.namespace)

    def catalog(self, namespace: Namespace) -> Mapping[str, Described]:
        """Return what the catalog says of a schema's relations, names in lower case.

        Raises UsageError where the database does not exist for this role.
        """
        rows = self._select(
            "TABLES",
            namespace,
            *("TABLE_NAME", "TABLE_TYPE", *VERSION),
            where={"TABLE_SCHEMA": namespace.schema},
        )
        tables = {row["TABLE_NAME"]: row for row in rows}
        columns = self._select(
            "COLUMNS",
            namespace,
            *("TABLE_NAME", "COLUMN_NAME", "DATA_TYPE", "NUMERIC_PRECISION", "NUMERIC_SCALE"),
            where={"TABLE_SCHEMA": namespace.schema},
            order_by="ORDINAL_POSITION",
        )
        types: dict[str, dict[str, dt.DataType]] = {name: {} for name in tables}
        for row in columns:
            found = types.setdefault(row["TABLE_NAME"], {})
            found[row["COLUMN_NAME"].lower()] = _data_type(row)
        return {
            name.lower(): _described(ibis.schema(schema), tables.get(name, {}))
            for name, schema in types.items()
        }

    def state(self) -> Mapping[str, State]:
        """Return what is recorded of each published mart, from the table of state."""
        return recorded(self) if STATE_TABLE.upper() in self._kinds() else {}

    def compile(self, query: ir.Table | sge.Query) -> str:
        """Return a query's SQL over the sources and the published relations."""
        return self._compile(query, {})

    def _compile(self, query: ir.Table | sge.Query, aliases: Mapping[str, str]) -> str:
        return compile_query(
            query,
            sources=self.sources,
            source_namespace=self.source_namespace,
            namespace=self.namespace,
            aliases=aliases,
            contracts=self.sources,
        )

    def fetch(self, query: ir.Table | sge.Query, *, about: str) -> list[dict[str, Any]]:
        """Run a query, in which candidates stand for their targets, and return its rows."""
        cursor = self.execute(self._compile(query, self._aliases()), about=about, step="query")
        table = cursor.fetch_arrow_all(force_return_table=True)
        names = [name.lower() for name in table.column_names]
        rows: list[dict[str, Any]] = table.rename_columns(names).to_pylist()
        return rows

    def begin(self, run_id: str) -> None:
        """Make the schema where there is none, and sweep candidates that a broken run left."""
        self._run_id = run_id
        self._stopping.clear()
        schemas = self._select("SCHEMATA", self.namespace, "SCHEMA_NAME")
        if self.namespace.schema not in [row["SCHEMA_NAME"] for row in schemas]:
            place = f"{ddl.identifier(self.namespace.database or '')}"
            place = f"{place}.{ddl.identifier(self.namespace.schema)}"
            self.execute(ddl.create_schema(place), step="begin")
        now = datetime.datetime.now(datetime.UTC).replace(tzinfo=None)
        for name, kind in self._kinds().items():
            if (found := CANDIDATE.fullmatch(name)) and now - _moment(found[1]) > LEFT_OVER_AFTER:
                self.execute(ddl.drop(kind, self.place(name)), about=name, step="sweep")

    def build(
        self,
        name: str,
        query: ir.Table,
        *,
        kind: Kind,
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

    def publish(self, as_of: datetime.date, run_id: str, origins: Mapping[str, str]) -> None:
        """Replace every target by its candidate, back to back; then record it.

        Raises PartlyPublishedError where it breaks off after the first.
        """
        state = self.place(STATE_TABLE)
        for statement in (ddl.create_state(state), ddl.complete_state(state)):
            self.execute(statement, step="publish")
        marts = list(self._candidates)
        self.replace_targets()
        now = datetime.datetime.now(datetime.UTC).replace(tzinfo=None, microsecond=0)
        recorded = {name: origins.get(name) for name in marts}
        merge = ddl.merge_state(state, recorded, as_of=as_of, run_id=run_id, now=now)
        try:
            self.execute(merge, step="publish")
        except (EngineError, KeyboardInterrupt) as error:
            raise PartlyPublishedError(marts, [], error) from error
        self._published = True
        # All is published: an interrupt now only leaves candidates, which are swept later.
        with suppress(KeyboardInterrupt):
            self.drop_candidates()

    def replace_targets(self) -> None:
        """Replace every target by its candidate, in build order.

        Raises PartlyPublishedError where it breaks off after the first.
        """
        kinds = self._kinds()
        new: list[str] = []
        executed = 0
        try:
            for name, candidate in self._candidates.items():
                for sql in self._replacing(candidate, kinds.get(name.upper())):
                    self.execute(sql, about=name, step="publish")
                    executed += 1
                new.append(name)
        except (EngineError, KeyboardInterrupt) as error:
            # A statement that was refused changed nothing; one that was interrupted may have.
            if not executed and isinstance(error, EngineError):
                raise
            old = [name for name in self._candidates if name not in new]
            raise PartlyPublishedError(new, old, error) from error

    def _replacing(self, candidate: Candidate, existing: Kind | None) -> Iterator[str]:
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
        for name, candidate in candidates.items():
            with suppress(EngineError):
                place = self.place(self.candidate_name(name))
                self.execute(ddl.drop(candidate.kind, place), about=name, step="discard")

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
        return f"{name}__CANDIDATE_{self._run_id.replace('-', '_')}".upper()

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

    def _kinds(self) -> dict[str, Kind]:
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


def _moment(text: str) -> datetime.datetime:
    return datetime.datetime.strptime(text, "%Y%m%dT%H%M%S")  # noqa: DTZ007  (all are UTC)


VERSION = ("CREATED", "LAST_ALTERED", "ROW_COUNT", "BYTES")
"""What the catalog says of a table that changes with its rows."""


def _described(schema: ibis.Schema, table: Mapping[str, Any]) -> Described:
    """Return what the catalog says of a relation; a view has no version.

    What a view shows changes while the catalog says nothing of it.
    """
    is_dated = table.get("TABLE_TYPE") == "BASE TABLE" and table["LAST_ALTERED"]
    version = " ".join(str(table[column]) for column in VERSION) if is_dated else None
    return Described(schema, table.get("ROW_COUNT"), version)


def _read_in_zones(table: Described, contract: Contract | None) -> Described:
    """Return a source with its moments as the time of day in their zones; misfits for others."""
    types, misfits = dict(table.schema.items()), []
    for name, zone in (contract.zones if contract else {}).items():
        if getattr(types.get(name), "timezone", None) is not None:
            types[name] = dt.timestamp
        elif name in types:
            misfits.append(
                f"column {name}: expected timestamp with a zone, to read in {zone},"
                f" found {types[name]}"
            )
    return replace(table, schema=ibis.schema(types), misfits=tuple(misfits))


TYPES: Mapping[str, dt.DataType] = {
    "TEXT": dt.string,
    "FLOAT": dt.float64,
    "DATE": dt.date,
    "BOOLEAN": dt.boolean,
    "TIMESTAMP_NTZ": dt.timestamp,
    "TIMESTAMP_LTZ": dt.Timestamp(timezone="UTC"),
    "TIMESTAMP_TZ": dt.Timestamp(timezone="UTC"),
}


def _data_type(row: Mapping[str, Any]) -> dt.DataType:
    """Return Ibis's type of a column in the catalog; every whole number is an int64."""
    if row["DATA_TYPE"] != "NUMBER":
        return TYPES.get(row["DATA_TYPE"], dt.unknown)
    if row["NUMERIC_SCALE"] == 0:
        return dt.int64
    return dt.Decimal(row["NUMERIC_PRECISION"], row["NUMERIC_SCALE"])
