"""DuckDB: sources are Parquet files, relations live in one database file.

Candidates are temporary tables, which nobody else sees and which end with the connection. Each is
committed when it is built: DuckDB reads what a transaction has not committed with one thread. One
transaction copies them all to where readers find them, and records them. While a run lasts, no
other process can open the file.
"""

from __future__ import annotations

import datetime
import glob
import hashlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
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

from backends import duckdb_ddl as ddl
from backends.duckdb_connection import DuckDBOptions, connect, first_line, translated
from backends.parquet import data_as_of, files_of, find_sources, version_of
from backends.protocol import (
    EARLIER_STATE_TABLE,
    STATE_TABLE,
    Described,
    Kind,
    State,
    Statement,
    bare_names,
    recorded,
    relocate,
    tree_of,
)
from marts.core.errors import SourceError
from marts.core.state import Publication

Result = TypeVar("Result")


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
        else ddl.candidate(name)
        if name in candidates
        else ddl.qualified(schema, name)
        for name in bare_names(tree)
    }
    return relocate(tree, places).sql(ddl.DIALECT, pretty=True)


def _parquet(pattern: str, function: str = "read_parquet") -> sge.Table:
    folder, slash, files = pattern.rpartition("/")
    pattern = f"{glob.escape(folder)}{slash}{files}"
    return sge.Table(this=sge.func(function, sge.Literal.string(pattern), dialect=ddl.DIALECT))


@dataclass(frozen=True)
class Candidate:
    """A temporary relation; `definition` is a view's query over what will be published."""

    kind: Kind
    definition: str
    comments: Callable[[str], list[str]]


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
        self._connection = connect(options, read_only=read_only)
        self._worker = ThreadPoolExecutor(max_workers=1)
        self._trees: dict[ops.Node, tuple[sge.Query, set[str]]] = {}
        self._texts: dict[tuple[ops.Node, frozenset[str]], str] = {}
        self._candidates: dict[str, Candidate] = {}
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
        return Described(first, sum(counts.values()), version_of(files, counts))

    def _schema_of(self, source: str, file: Path) -> ibis.Schema:
        everything = sge.select("*").from_(_parquet(str(file)))
        try:
            columns = self._rows(f"DESCRIBE {everything.sql(ddl.DIALECT)}")
        except duckdb.Error as error:
            raise SourceError(
                f"source {source}: {file.name} is no readable Parquet file",
                first_line(error),
                str(file),
            ) from error
        return ibis.schema({name: _type_of(kind) for name, kind, *_ in columns})

    def _row_counts(self, source: str) -> dict[str, int]:
        """Return the rows of each of a source's files, from their footers."""
        metadata = _parquet(self.sources[source], "parquet_file_metadata")
        with translated(f"read the files of {source}"):
            return dict(
                self._rows(sge.select("file_name", "num_rows").from_(metadata).sql(ddl.DIALECT))
            )

    def describe_published(self, versions: Collection[str] = ()) -> Mapping[str, Described]:
        """Return the columns of every relation in the schema.

        The version of a table is a digest of all its rows, of a view its definition.
        """
        columns = self._columns()
        places = {name: self._place(name) for name in versions if name in columns}
        found = self._versions(places, columns)
        return {
            name: Described(
                ibis.schema({column: _type_of(kind) for column, kind in kinds.items()}),
                version=found.get(name),
            )
            for name, kinds in columns.items()
        }

    def _columns(self) -> dict[str, dict[str, str]]:
        """Return the columns of every relation in the schema, with DuckDB's types."""
        found: dict[str, dict[str, str]] = {}
        for table, column, kind in self._catalog(
            "columns", "table_name", "column_name", "data_type"
        ):
            found.setdefault(table, {})[column] = kind
        return found

    def _versions(
        self, places: Mapping[str, str], columns: Mapping[str, Mapping[str, str]]
    ) -> dict[str, str]:
        """Return the version of each relation; its rows are read at the place that is given."""
        found = {}
        for name, place in places.items():
            with translated(f"read {name}"):
                view = self._rows(ddl.definition_of_view(self.options.schema, name))
                rows = ddl.words(*view[0]) if view else self._rows(ddl.digest_of_rows(place))
            text = f"{columns[name]} {rows}"
            found[name] = hashlib.sha256(text.encode()).hexdigest()
        return found

    def changed_sources(self) -> Sequence[str]:
        """Say which sources have other files than when they were described."""
        return []

    def state(self) -> Sequence[State]:
        """Return what is recorded of the relations in the schema, by any package."""
        return recorded(self, [name for (name,) in self._catalog("tables", "table_name")])

    def text(self, query: ir.Table) -> str:
        """Return a query's SQL over bare names."""
        return self._tree(query)[0].sql(ddl.DIALECT)

    def compile(self, query: ir.Table | sge.Query) -> str:
        """Return the SQL of a query over this connection's sources and relations."""
        return self._sql(query, candidates=())

    def _sql(self, query: ir.Table | sge.Query, *, candidates: Collection[str]) -> str:
        if not isinstance(query, ir.Table):
            return _text(query, self.sources, self.options.schema, candidates=candidates)
        tree, names = self._tree(query)
        key = query.op(), frozenset(names.intersection(candidates))
        if key not in self._texts:
            self._texts[key] = _text(tree, self.sources, self.options.schema, candidates=candidates)
        return self._texts[key]

    def _tree(self, query: ir.Table) -> tuple[sge.Query, set[str]]:
        # What is built is compiled for the report, too; a comparison, for every mutant.
        op = query.op()
        if op not in self._trees:
            tree = _tree_of(query)
            self._trees[op] = tree, bare_names(tree)
        return self._trees[op]

    def fetch(self, query: ir.Table | sge.Query, *, about: str) -> list[dict[str, Any]]:
        """Run a query, in which candidates stand for their targets, and return its rows."""
        sql = self._sql(query, candidates=self._candidates)
        with translated(f"query {about}", sql):
            rows = self._rows(sql)
        names = [name for name, *_ in self._connection.description]
        return [dict(zip(names, row, strict=True)) for row in rows]

    def begin(self, run_id: str, candidates: Collection[str] = ()) -> None:  # noqa: ARG002
        """Forget what an earlier run of this connection built."""
        self.discard()
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
        place = ddl.candidate(name).sql(ddl.DIALECT)
        relation = "TEMP VIEW" if kind == "view" else "TEMP TABLE"
        create = ddl.create(relation, place, self._sql(query, candidates=self._candidates))
        with translated(f"build {name}", create), self._transaction():
            if name in self._candidates:
                self._connection.execute(self._drop(name))
            self._execute(create)
        comments = partial(
            ddl.comments, kind=kind, comment=comment, column_comments=column_comments
        )
        definition = self.compile(query) if kind == "view" else ""
        self._candidates[name] = Candidate(kind, definition, comments)

    def publish(self, publication: Publication) -> None:
        """Copy the candidates to where readers find them, in one transaction with their record.

        An interrupt before it is committed leaves all as it was; one meanwhile comes too late.
        """
        with translated("publish"):
            self._connection.begin()
            try:
                self._publish(publication)
            except BaseException:
                self._roll_back()
                raise
            self._commit()
        self.discard()

    def _publish(self, publication: Publication) -> None:
        self._execute(f"CREATE SCHEMA IF NOT EXISTS {ddl.quoted(self.options.schema)}")
        kinds = dict(self._catalog("tables", "table_name", "table_type"))
        published = {n: c for n, c in self._candidates.items() if c.kind != "temporary"}
        for name in {*published, *publication.drops} & kinds.keys():
            self._execute(ddl.drop(kinds[name], self._place(name)))
        for name, candidate in published.items():
            place = self._place(name)
            if candidate.kind == "view":
                self._execute(ddl.create("VIEW", place, candidate.definition))
            else:
                self._execute(ddl.create_table_from(place, ddl.candidate(name).sql(ddl.DIALECT)))
            for comment in candidate.comments(place):
                self._execute(comment)
        self._record(publication, published)
        if EARLIER_STATE_TABLE in kinds:
            self._take_over([*published, *publication.drops])

    def _record(self, publication: Publication, published: Mapping[str, Candidate]) -> None:
        state = self._place(STATE_TABLE)
        self._execute(ddl.create_state(state))
        if names := [*published, *publication.drops]:
            # Another package's, too: who takes a table over, takes its record.
            self._execute(ddl.forget(state, names))
        now = datetime.datetime.now(datetime.UTC).replace(tzinfo=None)
        made_by = (publication.run_id, publication.as_of, now)
        # A candidate has the same rows, which are committed, and so are read with all threads.
        places = {name: ddl.candidate(name).sql(ddl.DIALECT) for name in published}
        versions, origins = self._versions(places, self._columns()), publication.origins
        rows: list[tuple[object, ...]] = [
            (publication.package, name, each.kind, *made_by, versions[name], origins.get(name))
            for name, each in published.items()
        ]
        rows += [
            (publication.package, name, "source", *made_by, None, text)
            for name, text in publication.checked.items()
        ]
        if rows:
            self._execute(ddl.record(state, rows))

    def _take_over(self, names: Collection[str]) -> None:
        """Forget what an earlier version recorded of these, and its table when it is empty."""
        earlier = self._place(EARLIER_STATE_TABLE)
        if names:
            self._execute(ddl.forget_earlier(earlier, names))
        if not self._rows(f"FROM {earlier} LIMIT 1"):
            self._execute(ddl.drop("TABLE", earlier))

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
        return ddl.drop(self._candidates[name].kind, ddl.candidate(name).sql(ddl.DIALECT))

    def _place(self, name: str) -> str:
        return ddl.qualified(self.options.schema, name).sql(ddl.DIALECT)

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
        # DuckDB ends a transaction itself on some errors; then there is none to roll back.
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
        with translated("read the catalog"):
            return self._rows(query.sql(ddl.DIALECT))

    def _execute(self, sql: str) -> None:
        self._interruptible(lambda: self._connection.execute(sql))

    def _rows(self, sql: str) -> list[tuple[Any, ...]]:
        # No statement has parameters: binding one makes DuckDB import pandas.
        return self._interruptible(lambda: self._connection.execute(sql).fetchall())


def _one_line(schema: ibis.Schema) -> str:
    return ", ".join(f"{name} {kind}" for name, kind in schema.items())
