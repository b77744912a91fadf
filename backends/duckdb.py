"""DuckDB: sources are Parquet files, relations live in one database file.

Candidates lie in a database of their own, which nobody else sees and which ends with the
connection. Each is committed when it is built: DuckDB reads what a transaction has not committed
with one thread. One transaction copies them all to where readers find them, and records them. While
a run lasts, no other process can open the file.
"""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import duckdb
import ibis
import ibis.expr.operations as ops
import ibis.expr.types as ir
import sqlglot.expressions as sge

from backends import duckdb_ddl as ddl
from backends.duckdb_connection import DuckDBOptions, connect, translated
from backends.duckdb_scratch import Scratch
from backends.duckdb_sources import ParquetSources
from backends.duckdb_types import type_of
from backends.parquet import LAYOUT, data_as_of
from backends.sql import bare_names, recorded, relocate, tree_of
from marts.core.errors import ChangedSourcesError, EngineError
from marts.core.plan.state import (
    EARLIER_STATE_TABLE,
    STATE_TABLE,
    Materialized,
    Publication,
    RecordedTable,
    TableState,
)
from marts.core.run.backend import Contract, Statement

Result = TypeVar("Result")


def compile_query(query: ir.Table | sge.Query, *, sources: Mapping[str, str], schema: str) -> str:
    """Return a query's SQL: sources read from Parquet files, every other name in `schema`.

    `sources` are paths, or patterns of them. How columns are found and cast is not shown.
    """
    return _text(_tree_of(query), {n: _parquet(sources[n]) for n in sources}, schema, candidates={})


def _tree_of(query: ir.Table | sge.Query) -> sge.Query:
    # Loads the compilers of all dialects, for which a run with nothing to do need not wait.
    from ibis.backends.sql.compilers import DuckDBCompiler

    return tree_of(query, DuckDBCompiler())


def _text(
    tree: sge.Query,
    sources: Mapping[str, sge.Table | sge.Subquery],
    schema: str,
    *,
    candidates: Mapping[str, sge.Table],
) -> str:
    places = {
        name: sources.get(name) or candidates.get(name) or ddl.qualified(schema, name)
        for name in bare_names(tree)
    }
    return relocate(tree, places).sql(ddl.DIALECT, pretty=True)


def _parquet(pattern: str) -> sge.Table:
    return sge.Table(
        this=sge.func("read_parquet", sge.Literal.string(pattern), dialect=ddl.DIALECT)
    )


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


@dataclass(frozen=True)
class Candidate:
    """A relation that is built; `definition` is a view's query over what will be published."""

    place: sge.Table
    kind: Materialized
    definition: str
    comments: Callable[[str], list[str]]


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
        self._trees: dict[ops.Node, tuple[sge.Query, set[str]]] = {}
        self._texts: dict[tuple[ops.Node, frozenset[str], bool], str] = {}
        self._candidates: dict[str, Candidate] = {}
        in_file = not read_only and str(options.database) != ":memory:"
        self._scratch = Scratch(options.database if in_file else None, self._execute)
        self._published = False

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
        columns = self._columns()
        places = {name: self._place(name) for name in versions if name in columns}
        found = self._versions(places, columns)
        return {
            name: TableState(
                ibis.schema({column: type_of(kind) for column, kind in kinds.items()}),
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

    def state(self) -> Sequence[RecordedTable]:
        """Return what is recorded of the relations in the schema, by any package."""
        return recorded(self, [name for (name,) in self._catalog("tables", "table_name")])

    def text(self, query: ir.Table) -> str:
        """Return a query's SQL over bare names."""
        return self._tree(query)[0].sql(ddl.DIALECT)

    def compile(self, query: ir.Table | sge.Query) -> str:
        """Return the SQL of a query over this connection's sources and relations, to be read.

        A source is its file, or a pattern of its folder: which files there are, and how their
        columns are found and cast, is part of its version, and of what is executed.
        """
        return self._sql(query, candidates={}, is_executed=False)

    def _sql(
        self,
        query: ir.Table | sge.Query,
        *,
        candidates: Mapping[str, sge.Table],
        is_executed: bool = True,
    ) -> str:
        if not isinstance(query, ir.Table):
            return self._text(query, bare_names(query), candidates, is_executed=is_executed)
        tree, names = self._tree(query)
        key = query.op(), frozenset(names.intersection(candidates)), is_executed
        if key not in self._texts:
            self._texts[key] = self._text(tree, names, candidates, is_executed=is_executed)
        return self._texts[key]

    def _tree(self, query: ir.Table) -> tuple[sge.Query, set[str]]:
        # What is built is compiled for the report, too; a comparison, for every mutant.
        op = query.op()
        if op not in self._trees:
            tree = _tree_of(query)
            self._trees[op] = tree, bare_names(tree)
        return self._trees[op]

    def _text(
        self,
        tree: sge.Query,
        names: Collection[str],
        candidates: Mapping[str, sge.Table],
        *,
        is_executed: bool,
    ) -> str:
        sources: dict[str, sge.Table | sge.Subquery] = {}
        for name in names:
            if is_executed and (place := self._sources.place(name)):
                sources[name] = place
            elif not is_executed and (pattern := self._sources.pattern(name)):
                sources[name] = _parquet(pattern)
        return _text(tree, sources, self.options.schema, candidates=candidates)

    def fetch(self, query: ir.Table | sge.Query, *, about: str) -> list[dict[str, Any]]:
        """Run a query, in which candidates stand for their targets, and return its rows."""
        sql = self._sql(query, candidates=self._places())
        with self._noticing(), translated(f"query {about}", sql):
            rows = self._rows(sql)
        names = [name for name, *_ in self._connection.description]
        return [dict(zip(names, row, strict=True)) for row in rows]

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
        query: ir.Table,
        *,
        kind: Materialized,
        comment: str,
        column_comments: Mapping[str, str],
    ) -> None:
        """Create a candidate, or replace it; it alone is committed."""
        place = ddl.candidate(name, self._scratch.catalog)
        create = ddl.create_candidate(kind, place, self._sql(query, candidates=self._places()))
        with self._noticing(), translated(f"build {name}", create), self._transaction():
            if name in self._candidates:
                self._connection.execute(self._drop(name))
            self._execute(create)
        comments = partial(
            ddl.comments, kind=kind, comment=comment, column_comments=column_comments
        )
        definition = self._sql(query, candidates={}) if kind == "view" else ""
        self._candidates[name] = Candidate(place, kind, definition, comments)

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
                self._execute(ddl.create_table_from(place, candidate.place.sql(ddl.DIALECT)))
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
        places = {name: each.place.sql(ddl.DIALECT) for name, each in published.items()}
        versions, fingerprints = self._versions(places, self._columns()), publication.fingerprints
        rows: list[tuple[object, ...]] = [
            (publication.package, name, each.kind, *made_by, versions[name], fingerprints.get(name))
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
        found = self._candidates[name]
        return ddl.drop(found.kind, found.place.sql(ddl.DIALECT))

    def _places(self) -> dict[str, sge.Table]:
        return {name: candidate.place for name, candidate in self._candidates.items()}

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
