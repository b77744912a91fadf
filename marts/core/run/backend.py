"""The port: what a run, and the proof of mutants, ask of an engine."""

from __future__ import annotations

import datetime
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import ibis
import ibis.expr.types as ir
import sqlglot.expressions as sge

from marts.core.plan.state import (
    CompiledQuery,
    Materialized,
    Publication,
    Query,
    RecordedTable,
    TableState,
)


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
    source_location: str
    """Where sources are looked for, in words."""
    where: str
    """What is read and what is written, in words."""

    def data_as_of(self) -> datetime.date | None:
        """Return the date that the source data was made for, None where it does not say."""

    def describe_sources(self, names: Collection[str]) -> Mapping[str, TableState]:
        """Return what is found of the sources that exist, as their contracts read them.

        What a source consists of is fixed by this, or by the first query that reads it: what is
        added later is not seen. Raises SourceError where one is there but unreadable.
        """

    def changed_sources(self) -> list[str]:
        """Return which described sources are not as they were, a line each with what changed.

        Called right before publishing: what was built from changed sources fits no state of theirs.
        """

    def describe_published(self, versions: Collection[str] = ()) -> Mapping[str, TableState]:
        """Return what the catalog says of every relation in the schema; of some, the version."""

    def state(self) -> Sequence[RecordedTable]:
        """Return what is recorded of the relations in the schema, by any package."""

    def compile(self, query: ir.Table | sge.Query) -> CompiledQuery:
        """Return a query in the engine's SQL, over the bare names of the tables it reads."""

    def to_sql(self, query: CompiledQuery) -> str:
        """Return a query's SQL over the sources and the published relations, to be read."""

    def fetch(self, query: Query, *, about: str) -> list[dict[str, Any]]:
        """Run a query and return its rows; `about` names the table it is run for."""

    def begin(self, run_id: str, candidates: Collection[str] = ()) -> None:
        """Prepare to build candidates of these names; sweep what broken runs left."""

    def build(
        self,
        name: str,
        query: Query,
        *,
        kind: Materialized,
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
