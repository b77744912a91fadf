"""DuckDB: sources are Parquet files, relations live in one database file.

Candidates lie beside their targets, each committed when it is built: DuckDB reads what a
transaction has not committed with one thread. One transaction puts them all in the place of their
targets. While a run lasts, no other process can open the file; what is left where one was killed
is swept by the next.
"""

from __future__ import annotations

import datetime
import glob
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any, TypeVar

import duckdb
import ibis
import ibis.expr.datatypes as dt
import ibis.expr.operations as ops
import ibis.expr.types as ir
import sqlglot.expressions as sge
from ibis.backends.sql.datatypes import DuckDBType

from backends.parquet import data_as_of, files_of, find_sources, version_of
from backends.protocol import (
    STATE_TABLE,
    ColumnStatistics,
    Described,
    Kind,
    State,
    Statement,
    bare_names,
    comment_statements,
    recorded,
    relocate,
    tree_of,
)
from marts.core.errors import EngineError, SourceError, UsageError

DIALECT = "duckdb"

CANDIDATE = " (candidate)"
"""What the names of candidates end with; no mart's name does."""

STATISTICS = """
WITH chunks AS (
    SELECT path_in_schema AS name, stats_null_count AS nulls,
        -- A float's statistics leave NaN out, and a text's may be cut short.
        CASE WHEN type IN ('INT32', 'INT64', 'FIXED_LEN_BYTE_ARRAY')
            THEN try_cast(stats_min_value AS DOUBLE) END AS low,
        CASE WHEN type IN ('INT32', 'INT64', 'FIXED_LEN_BYTE_ARRAY')
            THEN try_cast(stats_max_value AS DOUBLE) END AS high,
        coalesce(low > lag(high) OVER inside, stats_min_value > lag(stats_max_value) OVER inside,
            row_number() OVER inside = 1) AS is_ascending
    FROM {metadata}
    WHERE NOT contains(path_in_schema, ', ')
    WINDOW inside AS (PARTITION BY path_in_schema ORDER BY file_name, row_group_id)
)
SELECT name,
    CASE WHEN count(nulls) = count(*) THEN sum(nulls)::BIGINT END,
    CASE WHEN count(low) = count(*) THEN min(low) END,
    CASE WHEN count(high) = count(*) THEN max(high) END,
    bool_and(is_ascending)
FROM chunks GROUP BY name
"""

Result = TypeVar("Result")


@dataclass(frozen=True, kw_only=True)
class DuckDBOptions:
    """How to reach the engine; None leaves DuckDB's default."""

    database: Path
    fixtures: Path
    schema: str = "gold"
    threads: int | None = None
    memory_limit: str | None = None


def compile_query(query: ir.Table | sge.Query, *, sources: Mapping[str, str], schema: str) -> str:
    """Return a query's SQL: sources read from Parquet files, every other name in `schema`."""
    return _text(_tree_of(query), sources, schema, candidates=())


@cache
def _type_of(kind: str) -> dt.DataType:
    return DuckDBType.from_string(kind)


def _tree_of(query: ir.Table | sge.Query) -> sge.Query:
    # Loads the compilers of all dialects, for which a run with nothing to do need not wait.
    from ibis.backends.sql.compilers import DuckDBCompiler

    return tree_of(query, DuckDBCompiler())


def _text(
    tree: sge.Query, sources: Mapping[str, str], schema: str, *, candidates: Collection[str]
) -> str:
    places = {
        name: _parquet(sources[name])
        if name in sources
        else _qualified(schema, name + CANDIDATE if name in candidates else name)
        for name in bare_names(tree)
    }
    return relocate(tree, places).sql(DIALECT, pretty=True)


def _parquet(pattern: str, function: str = "read_parquet") -> sge.Table:
    folder, slash, files = pattern.rpartition("/")
    pattern = f"{glob.escape(folder)}{slash}{files}"
    return sge.Table(this=sge.func(function, sge.Literal.string(pattern), dialect=DIALECT))


def _qualified(schema: str, name: str) -> sge.Table:
    return sge.table_(name, db=schema, quoted=True)


class DuckDBBackend:
    """One connection to one database file."""

    name = "duckdb"
    # DuckDB spreads each query over threads itself.
    threads = 1

    def __init__(self, options: DuckDBOptions, *, read_only: bool) -> None:
        self.options = options
        self.sources = find_sources(options.fixtures)
        self.where = f"{options.fixtures} → {options.database}, schema {options.schema}"
        self.searched = f"{options.fixtures}/ for <table>.parquet or <table>/*.parquet"
        self._connection = _connect(options, read_only=read_only)
        self._worker = ThreadPoolExecutor(max_workers=1)
        self._trees: dict[ops.Node, tuple[sge.Query, set[str]]] = {}
        self._texts: dict[tuple[ops.Node, frozenset[str]], str] = {}
        self._candidates: dict[str, tuple[str, ...]] = {}
        """The statements that put each candidate in its target's place."""
        self._published = False

    def data_as_of(self) -> datetime.date | None:
        """Return the date that the data was made for, None where it does not say."""
        return data_as_of(self.options.fixtures)

    def describe_sources(self, names: Collection[str]) -> Mapping[str, Described]:
        """Return the columns that every file of a source agrees on, their rows and version.

        The version is a digest of paths, sizes, times and row counts.
        """
        return {name: self._describe_source(name) for name in names if name in self.sources}

    def _describe_source(self, name: str) -> Described:
        files = files_of(self.sources[name])
        first, *others = (self._schema_of(name, file) for file in files)
        for file, other in zip(files[1:], others, strict=True):
            if other != first:
                raise SourceError(
                    f"source {name}: its files have different columns",
                    f"{files[0].name}: {_one_line(first)}",
                    f"{file.name}: {_one_line(other)}",
                )
        counts = self._row_counts(name)
        return Described(
            first, sum(counts.values()), version_of(files, counts), self._statistics(name)
        )

    def _schema_of(self, source: str, file: Path) -> ibis.Schema:
        everything = sge.select("*").from_(_parquet(str(file)))
        try:
            columns = self._rows(f"DESCRIBE {everything.sql(DIALECT)}")
        except duckdb.Error as error:
            raise SourceError(
                f"source {source}: {file.name} is no readable Parquet file",
                _first_line(error),
                str(file),
            ) from error
        return ibis.schema({name: _type_of(kind) for name, kind, *_ in columns})

    def _row_counts(self, source: str) -> dict[str, int]:
        """Return the rows of each of a source's files, from their footers."""
        metadata = _parquet(self.sources[source], "parquet_file_metadata")
        with _translated(f"read the files of {source}"):
            return dict(
                self._rows(sge.select("file_name", "num_rows").from_(metadata).sql(DIALECT))
            )

    def _statistics(self, source: str) -> dict[str, ColumnStatistics]:
        """Return what the footers of a source's files say of its columns."""
        metadata = _parquet(self.sources[source], "parquet_metadata").sql(DIALECT)
        with _translated(f"read the files of {source}"):
            rows = self._rows(STATISTICS.format(metadata=metadata))
        return {name: ColumnStatistics(*known) for name, *known in rows}

    def describe_published(self) -> Mapping[str, Described]:
        """Return the columns of every relation in the schema, candidates aside."""
        rows = self._catalog("columns", "table_name", "column_name", "data_type")
        found: dict[str, dict[str, str]] = {}
        for table, column, kind in rows:
            found.setdefault(table, {})[column] = kind
        return {
            name: Described(
                ibis.schema({column: _type_of(kind) for column, kind in columns.items()})
            )
            for name, columns in found.items()
            if not name.endswith(CANDIDATE)
        }

    def state(self) -> Mapping[str, State]:
        """Return what is recorded of each published mart, from the table of state."""
        return recorded(self) if (STATE_TABLE,) in self._catalog("tables", "table_name") else {}

    def compile(self, query: ir.Table | sge.Query) -> str:
        """Return the SQL of a query over this connection's sources and relations."""
        return self._sql(query, candidates=())

    def _sql(self, query: ir.Table | sge.Query, *, candidates: Collection[str]) -> str:
        if not isinstance(query, ir.Table):
            return _text(query, self.sources, self.options.schema, candidates=candidates)
        # What is built is compiled for the report, too; a comparison, for every mutant.
        op = query.op()
        if op not in self._trees:
            tree = _tree_of(query)
            self._trees[op] = tree, bare_names(tree)
        tree, names = self._trees[op]
        key = op, frozenset(names.intersection(candidates))
        if key not in self._texts:
            self._texts[key] = _text(tree, self.sources, self.options.schema, candidates=candidates)
        return self._texts[key]

    def fetch(self, query: ir.Table | sge.Query, *, about: str) -> list[dict[str, Any]]:
        """Run a query, in which candidates stand for their targets, and return its rows."""
        sql = self._sql(query, candidates=self._candidates)
        with _translated(f"query {about}", sql):
            rows = self._rows(sql)
        names = [name for name, *_ in self._connection.description]
        return [dict(zip(names, row, strict=True)) for row in rows]

    def begin(self, run_id: str) -> None:  # noqa: ARG002  (names candidates on other engines)
        """Make the schema where there is none, and sweep candidates that a killed run left."""
        with _translated("begin a run"):
            self._connection.execute(f"CREATE SCHEMA IF NOT EXISTS {_quoted(self.options.schema)}")
            self._kinds = dict(self._catalog("tables", "table_name", "table_type"))
            for name in [name for name in self._kinds if name.endswith(CANDIDATE)]:
                self._connection.execute(self._drop(name))
                del self._kinds[name]
        self._candidates.clear()
        self._published = False

    def build(
        self,
        name: str,
        query: ir.Table,
        *,
        kind: Kind,
        comment: str,
        column_comments: Mapping[str, str],
    ) -> None:
        """Create a candidate, or replace it; it alone is committed."""
        beside, place = name + CANDIDATE, self._place(name + CANDIDATE)
        create = f"CREATE {kind.upper()} {place} AS\n"
        create += self._sql(query, candidates=self._candidates)
        comments = partial(_comments, kind=kind, comment=comment, column_comments=column_comments)
        with _translated(f"build {name}", create), self._transaction():
            if beside in self._kinds:
                self._connection.execute(self._drop(beside))
            self._interruptible(lambda: self._connection.execute(create))
            for statement in comments(place):
                self._connection.execute(statement)
        self._kinds[beside] = kind.upper()
        if kind == "table":
            self._candidates[name] = (f"ALTER TABLE {place} RENAME TO {_quoted(name)}",)
            return
        target = self._place(name)
        definition = f"CREATE VIEW {target} AS\n{self.compile(query)}"
        self._candidates[name] = (f"DROP VIEW {place}", definition, *comments(target))

    def publish(self, as_of: datetime.date, run_id: str, origins: Mapping[str, str]) -> None:
        """Put the candidates in their targets' place, in one transaction with their record.

        It takes milliseconds; an interrupt meanwhile comes too late.
        """
        statements = [*self._replacing(), *self._recording(as_of, run_id, origins)]

        def replace_all() -> None:
            with self._transaction():
                for statement in statements:
                    self._connection.execute(statement)
            self._published = True
            self._candidates.clear()

        with _translated("publish"):
            publishing = self._worker.submit(replace_all)
            while not publishing.done():
                with suppress(KeyboardInterrupt):
                    wait([publishing])
            publishing.result()

    def _replacing(self) -> Iterator[str]:
        for name, statements in self._candidates.items():
            if name in self._kinds:
                yield self._drop(name)
            yield from statements

    def _recording(
        self, as_of: datetime.date, run_id: str, origins: Mapping[str, str]
    ) -> Iterator[str]:
        now = datetime.datetime.now(datetime.UTC).replace(tzinfo=None)
        state = self._place(STATE_TABLE)
        yield (
            f"CREATE TABLE IF NOT EXISTS {state} (mart TEXT PRIMARY KEY, as_of DATE NOT NULL,"
            " run_id TEXT NOT NULL, published_at TIMESTAMP NOT NULL, origin TEXT)"
        )
        # Where an earlier version of this package made it.
        yield f"ALTER TABLE {state} ADD COLUMN IF NOT EXISTS origin TEXT"
        rows = [(name, as_of, run_id, now, origins.get(name)) for name in self._candidates]
        values = sge.values([tuple(sge.convert(value) for value in row) for row in rows])
        yield f"INSERT OR REPLACE INTO {state} {values.sql(DIALECT)}"

    def is_published(self) -> bool:
        """Tell whether the transaction was committed."""
        # The worker does one thing after the other: this waits for a commit under way.
        self._worker.submit(lambda: None).result()
        return self._published

    def discard(self) -> None:
        """Drop the candidates; what cannot be dropped is swept later."""
        for name in self._candidates:
            with suppress(duckdb.Error):
                self._connection.execute(self._drop(name + CANDIDATE))
        self._candidates.clear()

    def _drop(self, name: str) -> str:
        kind = "VIEW" if self._kinds[name] == "VIEW" else "TABLE"
        return f"DROP {kind} {self._place(name)}"

    def _place(self, name: str) -> str:
        return _qualified(self.options.schema, name).sql(DIALECT)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connection.begin()
        try:
            yield
            self._connection.commit()
        except BaseException:
            # DuckDB ends a transaction itself on some errors; then there is none to roll back.
            with suppress(duckdb.TransactionException):
                self._connection.rollback()
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

    def _catalog(self, view: str, *columns: str) -> list[tuple[Any, ...]]:
        """Read a view of the information schema, what concerns the schema of the marts."""
        query = (
            sge.select(*columns)
            .from_(sge.table_(view, db="information_schema"))
            .where(sge.column("table_catalog").eq(sge.func("current_database")))
            .where(sge.column("table_schema").eq(self.options.schema))
        )
        if view == "columns":
            query = query.order_by("ordinal_position")
        with _translated("read the catalog"):
            return self._rows(query.sql(DIALECT))

    def _rows(self, sql: str) -> list[tuple[Any, ...]]:
        # No statement has parameters: binding one makes DuckDB import pandas.
        return self._interruptible(lambda: self._connection.execute(sql).fetchall())


def _connect(options: DuckDBOptions, *, read_only: bool) -> duckdb.DuckDBPyConnection:
    database = options.database
    if database.stem == options.schema:
        raise UsageError(
            f"database {database} and schema {options.schema} have one name,"
            " and DuckDB cannot tell which is meant",
            hint="pass another --database or --schema",
        )
    if read_only and not database.exists():
        # Nothing is published yet: an empty database says so to whoever asks.
        database = Path(":memory:")
    # Extensions are downloaded: none is needed, and none may be.
    config: dict[str, str | bool | int | float | list[str]] = {
        "autoinstall_known_extensions": False,
        # Of new files; packs texts in one way instead of trying two, and so closes them faster.
        "storage_compatibility_version": "v1.3.0",
    }
    if options.threads is not None:
        config["threads"] = options.threads
    if options.memory_limit is not None:
        config["memory_limit"] = options.memory_limit
    try:
        if str(database) != ":memory:" and not read_only:
            database.parent.mkdir(parents=True, exist_ok=True)
        in_memory = str(database) == ":memory:"
        connection = duckdb.connect(
            str(database), read_only=read_only and not in_memory, config=config
        )
    except (duckdb.Error, OSError) as error:
        raise _unreachable(options, error) from error
    connection.execute("SET enable_progress_bar = false")
    connection.execute("SET TimeZone = 'UTC'")
    # Not at every candidate's commit: closing the database writes one.
    connection.execute("SET checkpoint_threshold = '10GB'")
    return connection


def _comments(
    place: str, *, kind: Kind, comment: str, column_comments: Mapping[str, str]
) -> list[str]:
    table = sge.to_table(place, dialect=DIALECT)
    statements = comment_statements(
        table, kind=kind, comment=comment, column_comments=column_comments
    )
    return [statement.sql(DIALECT) for statement in statements]


def _unreachable(options: DuckDBOptions, error: Exception) -> EngineError | UsageError:
    message = _first_line(error)
    if "Could not set lock" in message:
        holder = re.search(r"held in (.+? \(PID \d+\))", message)
        return EngineError(
            f"another process holds {options.database}",
            *([f"held in {holder[1]}"] if holder else [message]),
            hint="close it, or pass another --database",
        )
    if isinstance(error, duckdb.InvalidInputException | duckdb.ParserException):
        return UsageError(f"DuckDB does not take these options for {options.database}", message)
    return EngineError(
        f"cannot open {options.database}", message, hint="pass a writable --database FILE"
    )


@contextmanager
def _translated(action: str, sql: str | None = None) -> Iterator[None]:
    try:
        yield
    except duckdb.Error as error:
        facts = [str(error).strip()] + ([f"the statement:\n{sql}"] if sql else [])
        raise EngineError(f"DuckDB could not {action}", *facts) from error
    except RuntimeError as error:
        # So DuckDB calls what a signal's handler raises while a statement runs.
        if isinstance(error.__cause__, KeyboardInterrupt):
            raise KeyboardInterrupt from error
        raise


def _quoted(name: str) -> str:
    return sge.to_identifier(name, quoted=True).sql(DIALECT)


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]


def _one_line(schema: ibis.Schema) -> str:
    return ", ".join(f"{name} {kind}" for name, kind in schema.items())
