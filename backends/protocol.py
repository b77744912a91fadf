"""What the runner, and a trial of mutants, ask of an engine."""

from __future__ import annotations

import datetime
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol, cast

import ibis
import ibis.expr.types as ir
import sqlglot.expressions as sge

from marts.core.errors import UsageError
from marts.core.state import ColumnFacts, Publication

if TYPE_CHECKING:
    from ibis.backends.sql.compilers.base import SQLGlotCompiler


@dataclass(frozen=True)
class Contract:
    """What marts rely on in a source: its columns, as they are to be read.

    `zones` are those of the timestamps that are moments in the source: they are read as the time
    of day there. An `optional` source may be absent.
    """

    schema: ibis.Schema
    zones: Mapping[str, str] = field(default_factory=dict)
    optional: bool = False


@dataclass(frozen=True)
class Described:
    """A table as the engine's catalog has it; `rows` is None where counting costs a scan.

    `version` changes whenever the rows do, of a published table or view with its columns and
    definition too; None where nothing says so, or nobody asked. It may change without need:
    whoever compares it builds again then. `misfits` say, a line each, why columns of a source
    cannot be read as its contract says; `schema` has the contract's types nevertheless. `columns`
    has what is known of some of them without a look at their rows.
    """

    schema: ibis.Schema
    rows: int | None = None
    version: str | None = None
    misfits: tuple[str, ...] = ()
    columns: Mapping[str, ColumnFacts] = field(default_factory=dict)


Kind = Literal["table", "view", "temporary"]

STATE_TABLE = "marts_state"
"""Beside the marts: a row for each table that a package made, and for each source it checked."""
EARLIER_STATE_TABLE = "int_published_marts"
"""Where an earlier version recorded the same, of one package."""
STATE_COLUMNS = {
    "package": "string",
    "name": "string",
    "kind": "string",
    "run_id": "string",
    "as_of": "date",
    "published_at": "timestamp",
    "version": "string",
    "origin": "string",
}
"""The table's columns; the first two are its key, the last four may be null."""


@dataclass(frozen=True)
class State:
    """What is recorded of a table that a package made, or of a source that it checked.

    `kind` is table, view or source; `package` is None for what an earlier version recorded, whoever
    made it. `version` is the table's when it was published, `origin` tells, as text, what it was
    made from. A name without a date was claimed by a run that never published it.
    """

    package: str | None
    name: str
    kind: str
    run_id: str
    as_of: datetime.date | None = None
    version: str | None = None
    origin: str | None = None


@dataclass(frozen=True)
class Statement:
    """One statement that was executed: for which table, why, and what it took."""

    about: str
    step: str
    query_id: str | None
    rows: int | None
    seconds: float


class Backend(Protocol):
    """One engine, connected: sources to read, and a schema of published relations.

    Queries name relations alone; the engine knows where each is. Between `begin` and `publish`
    (or `discard`), a relation that was built stands for its published namesake in queries; readers
    on other connections see the published state only. Every method raises EngineError for what
    the engine refuses.
    """

    name: str
    threads: int
    """How many marts may be built at once; a backend with more than one is thread-safe."""
    searched: str
    """Where sources are looked for, in words."""
    where: str
    """What is read and what is written, in words."""

    def data_as_of(self) -> datetime.date | None:
        """Return the date that the source data was made for, None where it does not say."""

    def describe_sources(self, names: Collection[str]) -> Mapping[str, Described]:
        """Return what is found of the sources that exist, as their contracts read them.

        What a source consists of is fixed by this, or by the first query that reads it: what is
        added later is not seen. Raises SourceError where one is there but unreadable.
        """

    def changed_sources(self) -> list[str]:
        """Return which described sources are not as they were, a line each with what changed.

        To be asked right before publishing: what was built from them is then of no one state.
        """

    def describe_published(self, versions: Collection[str] = ()) -> Mapping[str, Described]:
        """Return what the catalog says of every relation in the schema; of some, the version."""

    def state(self) -> Sequence[State]:
        """Return what is recorded of the relations in the schema, by any package."""

    def compile(self, query: ir.Table | sge.Query) -> str:
        """Return a query's SQL over the sources and the published relations."""

    def text(self, query: ir.Table) -> str:
        """Return a query's SQL over bare names, which tells what it computes, not from where."""

    def fetch(self, query: ir.Table | sge.Query, *, about: str) -> list[dict[str, Any]]:
        """Run a query and return its rows; `about` names the table it is run for."""

    def begin(self, run_id: str, candidates: Collection[str] = ()) -> None:
        """Prepare to build candidates of these names; sweep what broken runs left."""

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

    def publish(self, publication: Publication) -> None:
        """Let readers see all candidates but temporary ones, at once, and record them."""

    def is_published(self) -> bool:
        """Tell whether `publish` took effect, when it is over: an interrupt may hide its end."""

    def discard(self) -> None:
        """Drop the candidates; the published state stays. Does nothing without `begin`."""

    def statements(self) -> tuple[Statement, ...]:
        """Return the statements executed so far, where the engine gives them an id."""

    def versions(self) -> Mapping[str, str]:
        """Return the versions of engine and driver."""

    def close(self) -> None:
        """Close the connection; what was not published is gone."""


def recorded(backend: Backend, tables: Collection[str]) -> list[State]:
    """Return what the tables of state say, of those that are among `tables`."""

    def rows_of(table: str) -> list[dict[str, Any]]:
        if table not in tables:
            return []
        return backend.fetch(sge.select("*").from_(sge.table_(table)), about=table)

    try:
        found = [
            State(
                *(row[name] for name in ("package", "name", "kind", "run_id")),
                *(row[name] for name in ("as_of", "version", "origin")),
            )
            for row in rows_of(STATE_TABLE)
        ]
    except KeyError as error:
        raise UsageError(
            f"the table {STATE_TABLE} was not made by marts: it has no column {error.args[0]}",
            hint="rename that table, or choose another --schema",
        ) from error
    known = {row.name for row in found}
    earlier = [row for row in rows_of(EARLIER_STATE_TABLE) if row["mart"] not in known]
    return found + [
        State(None, row["mart"], "table", row["run_id"], row["as_of"]) for row in earlier
    ]


def tree_of(query: ir.Table | sge.Query, compiler: SQLGlotCompiler) -> sge.Query:
    """Return a query's SQL as a tree whose every node can be reached."""
    if isinstance(query, sge.Query):
        return query
    tree = compiler.to_sqlglot(query)
    for node in tree.dfs():
        for name, value in node.args.items():
            # Ibis puts a window's keys into tuples, which SQLGlot does not walk.
            if isinstance(value, tuple):
                node.set(name, list(value))
    return cast("sge.Query", tree)


def bare_names(tree: sge.Query) -> set[str]:
    """Return the relations that a query names without a schema, its own WITH clauses aside."""
    named = {table.name for table in tree.find_all(sge.Table) if not table.db}
    return named - {cte.alias for cte in tree.find_all(sge.CTE)}


def relocate(tree: sge.Query, places: Mapping[str, sge.Table | sge.Subquery]) -> sge.Query:
    """Return the query with every bare name in `places` replaced by its place."""

    def move(node: sge.Expression) -> sge.Expression:
        if not isinstance(node, sge.Table) or node.db or node.name not in places:
            return node
        place = places[node.name].copy()
        place.set(
            "alias", node.args.get("alias") or sge.TableAlias(this=sge.to_identifier(node.name))
        )
        return place

    return cast("sge.Query", tree.transform(move))


def comment_statements(
    table: sge.Table, *, kind: Kind, comment: str, column_comments: Mapping[str, str]
) -> list[sge.Comment]:
    """Return the statements that comment a relation and its columns."""
    parts = {part: table.args.get(part) for part in ("db", "catalog")}
    about: list[tuple[sge.Expression, str, str]] = [(table, kind.upper(), comment)]
    for name, text in column_comments.items():
        column = sge.Column(this=sge.to_identifier(name, quoted=True), table=table.this, **parts)
        about.append((column, "COLUMN", text))
    return [
        sge.Comment(this=this, kind=what, expression=sge.Literal.string(text))
        for this, what, text in about
    ]
