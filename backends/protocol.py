"""What the runner, and a trial of mutants, ask of an engine."""

from __future__ import annotations

import datetime
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol, cast

import ibis
import ibis.expr.types as ir
import sqlglot.expressions as sge

if TYPE_CHECKING:
    from ibis.backends.sql.compilers.base import SQLGlotCompiler


class ColumnStatistics(NamedTuple):
    """How many nulls a column has, and between which numbers it lies; None for what is unknown.

    `is_ascending` is a guess: that each row holds more than the one before it.
    """

    nulls: int | None
    low: float | None
    high: float | None
    is_ascending: bool


@dataclass(frozen=True)
class Described:
    """A table as the engine's catalog has it; `rows` is None where counting costs a scan.

    `version` changes whenever the rows of a source do, None where nothing says so. It may change
    without need: whoever compares it builds again then. `columns` has what is known of some of them
    without a look at their rows.
    """

    schema: ibis.Schema
    rows: int | None = None
    version: str | None = None
    columns: Mapping[str, ColumnStatistics] = field(default_factory=dict)


Kind = Literal["table", "view"]

STATE_TABLE = "int_published_marts"
"""Beside the marts: one row for each that is published: its date, run and origin."""


@dataclass(frozen=True)
class State:
    """What is recorded of a published mart; `origin` tells, as text, what it was made from."""

    as_of: datetime.date
    run_id: str
    origin: str | None


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
        """Return what the catalog says of the sources that exist.

        Raises SourceError where one is there but unreadable.
        """

    def describe_published(self) -> Mapping[str, Described]:
        """Return what the catalog says of every published relation."""

    def state(self) -> Mapping[str, State]:
        """Return what is recorded of each published relation."""

    def compile(self, query: ir.Table | sge.Query) -> str:
        """Return a query's SQL over the sources and the published relations."""

    def fetch(self, query: ir.Table | sge.Query, *, about: str) -> list[dict[str, Any]]:
        """Run a query and return its rows; `about` names the table it is run for."""

    def begin(self, run_id: str) -> None:
        """Prepare to build candidates; sweep what broken runs left."""

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

    def publish(self, as_of: datetime.date, run_id: str, origins: Mapping[str, str]) -> None:
        """Let readers see all candidates, at once, and record their date, run and origin."""

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


def recorded(backend: Backend) -> dict[str, State]:
    """Return what the table of state says, which is there; an earlier version's has no origins."""
    rows = backend.fetch(sge.select("*").from_(sge.table_(STATE_TABLE)), about=STATE_TABLE)
    return {row["mart"]: State(row["as_of"], row["run_id"], row.get("origin")) for row in rows}


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


def relocate(tree: sge.Query, places: Mapping[str, sge.Table]) -> sge.Query:
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
