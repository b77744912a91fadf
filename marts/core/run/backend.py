"""The port: what a run and the mutation analysis require of an engine."""

from __future__ import annotations

import datetime
from collections.abc import Collection, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import ibis
import ibis.expr.types as ir
import sqlglot.expressions as sge

from marts.core.plan.proofs import Proof
from marts.core.plan.runs import RecordedRun
from marts.core.plan.state import (
    DEFAULT_GROUP,
    Annotation,
    CompiledQuery,
    Materialized,
    PlannedTable,
    Publication,
    Query,
    RecordedTable,
    ShapeChange,
    TableState,
)

if TYPE_CHECKING:
    import pyarrow as pa

Batches: TypeAlias = Generator["pa.RecordBatch", None, None]
"""Rows as they arrive."""
BATCH_ROWS = 16_384
"""The most rows of a batch."""


@dataclass(frozen=True)
class Contract:
    """What marts rely on in a source: its columns, as they must be read.

    `zones` has the time zone of each timestamp that is a point in time in the source: it is read as
    local time in that zone. `names` has the name in the source of each column that has another one
    there; `source_name` is the source's own. An `optional` source may be absent. No message
    quotes a value of the columns `personal`.
    """

    schema: ibis.Schema
    zones: Mapping[str, str] = field(default_factory=dict)
    optional: bool = False
    names: Mapping[str, str] = field(default_factory=dict)
    source_name: str | None = None
    personal: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Protection:
    """What an engine puts on columns with one kind of personal data: a masking policy, a tag."""

    masking_policy: str | None = None
    tag: str | None = None
    value: str = ""


@dataclass(frozen=True)
class Statement:
    """One executed statement: for which table, in which step, and how long it took."""

    about: str
    step: str
    query_id: str | None
    rows: int | None
    seconds: float


class Proofs(Protocol):
    """The table of proofs beside the marts; rows are only ever added to it."""

    where: str
    """Where it is, in words."""

    def exists(self) -> bool:
        """Tell whether there is such a table, that can be read."""

    def read(
        self, package: str, *, digests: Collection[str] = (), mart: str | None = None
    ) -> Sequence[Proof]:
        """Return the proofs of a package with some digests, or the last ones of a mart.

        There are none if there is no table. What another version of marts wrote is left out.
        """

    def append(self, proofs: Sequence[Proof]) -> None:
        """Add proofs; the table is created, with its schema, if it does not exist.

        Raises UsageError if another table has its name.
        """


class Published(Protocol):
    """What another environment has published on the same engine, only to be read."""

    environment: str
    """Its name."""
    where: str
    """Where its marts are, in words."""

    def describe_published(self, versions: Collection[str] = ()) -> Mapping[str, TableState]:
        """Return the state of every relation there, with the versions of those named."""

    def state(self) -> Sequence[RecordedTable]:
        """Return what any package has recorded of the relations there."""


class Backend(Protocol):
    """A connected engine: sources to read, and a schema of published relations.

    Queries use bare names of relations; the engine knows where each is. Between `begin` and
    `publish` (or `discard`), queries read candidates in place of the published relations of the
    same name; readers on other connections read only what is published. Every method raises
    EngineError if the engine fails.
    """

    name: str
    threads: int
    """How many marts may be built at once; a backend with more than one is thread-safe."""
    source_location: str
    """Where sources are searched for, in words."""
    where: str
    """What is read and where results are written, in words."""

    @property
    def proofs(self) -> Proofs:
        """What is proven, as it is recorded beside the marts."""

    @property
    def elsewhere(self) -> Published | None:
        """Another environment, whose marts queries may read; None if the caller names none."""

    def data_as_of(self) -> datetime.date | None:
        """Return the as-of date that the source data states, None if it states none."""

    def describe_sources(self, names: Collection[str]) -> Mapping[str, TableState]:
        """Return the state of the sources that exist, as their contracts read them.

        This, or the first query of a source, fixes the files that it consists of: files that are
        added later are not read. Raises SourceError if a source exists but cannot be read.
        """

    def sources_read(self) -> Mapping[str, str]:
        """Return how described sources are read as of one moment, in words, where it varies.

        After `begin` it may be another way than before.
        """

    def changed_sources(
        self, names: Collection[str] | None = None, *, live: Collection[str] = ()
    ) -> list[str]:
        """Return a line for each described source of which a run may have read two states.

        `names` are those asked about; by default, all are. The sources `live` were also read
        through published views, which show them as they are at any time.

        It is called right before publishing, since marts built from changing sources would mix
        two states of them. A source that is read as it was at one moment may change meanwhile.
        """

    def read_elsewhere(self, names: Collection[str]) -> None:
        """Read these marts where the other environment has published them, from now on.

        Nothing is ever written there.
        """

    def changed_elsewhere(self, names: Collection[str]) -> list[str]:
        """Return a line for each of these marts that was published or altered there since `state`.

        It is called right before publishing, like `changed_sources`.
        """

    def describe_published(self, versions: Collection[str] = ()) -> Mapping[str, TableState]:
        """Return the state of every relation in the schema, with the versions of those named."""

    def state(self) -> Sequence[RecordedTable]:
        """Return what any package has recorded of the relations in the schema."""

    def compile(self, query: ir.Table | sge.Query) -> CompiledQuery:
        """Return a query in the engine's SQL, over the bare names of the tables it reads."""

    def to_sql(self, query: CompiledQuery, *, as_read: bool = False) -> str:
        """Return a query's SQL over sources and published relations, for people to read.

        With `as_read`, it reads the sources as this run does, as of its moment.
        """

    def fetch(
        self, query: Query, *, about: str, published: Mapping[str, str] | None = None
    ) -> list[dict[str, Any]]:
        """Run a query and return its rows; `about` names the table it is run for.

        The names in `published` stand for these published relations, even where there are
        candidates of their names.
        """

    def stream(self, query: Query, *, about: str) -> Batches:
        """Run a query, and yield its rows in batches, in the query's order.

        Columns have the query's names, and the engine's types, which may differ from batch to
        batch: `marts.core.run.streaming` gives them the types of a contract. Other queries may run
        meanwhile. It ends with the iterator, also if that is closed, and at an interrupt.
        """

    def begin(
        self,
        run_id: str,
        candidates: Collection[str] = (),
        *,
        group: str = DEFAULT_GROUP,
        goes_on: bool = False,
    ) -> None:
        """Prepare to build candidates of these names; remove what failed runs left behind.

        If the run `goes_on` with other groups after this one, they read sources as this one does.
        """

    def build(
        self,
        name: str,
        query: Query,
        *,
        kind: Materialized,
        comment: str,
        column_comments: Mapping[str, str],
        key: tuple[str, ...] = (),
    ) -> None:
        """Create a candidate from a query, with comments for the catalog.

        `key` has the columns that the run checks to identify a row, and to have no nulls; it is
        empty if it does not. An engine may declare them for its optimizer.
        """

    def shape_changes(
        self, tables: Collection[PlannedTable], *, acknowledged: Collection[str]
    ) -> Sequence[ShapeChange]:
        """Return what publishing these marts would change besides their rows.

        It is empty where publication is atomic whatever changes. Raises UsageError for a reshape of
        a mart that is not `acknowledged`, and for a table that must not be replaced.
        """

    def protections(self, annotations: Collection[Annotation]) -> Sequence[ShapeChange]:
        """Return what a run would put on published columns with personal data.

        It is what the settings name for each kind of them; nothing where an engine has no such
        thing. Raises UsageError for something that does not exist, and for a column that has
        something else already.
        """

    def protect(
        self, annotations: Collection[Annotation], *, read: Mapping[str, Sequence[str]]
    ) -> Iterable[ShapeChange]:
        """Put it on the columns of published marts that lack it; yield each when it is there.

        Nothing is put on before it is asked for. `read` are marts with personal data that the run
        will read as published, with their columns in order. Raises EngineError if the engine hides
        values of them from this run.
        """

    def publish(self, publication: Publication) -> None:
        """Publish all candidates except temporary ones, atomically, and record them."""

    def is_published(self) -> bool:
        """Tell whether `publish` took effect, since an interrupt may end it early or late."""

    def annotate(self, annotations: Collection[Annotation]) -> None:
        """Make the catalog say what it should of published marts, where it does not.

        What fails is `unfinished`: it changes no number, and the next run does it.
        """

    def changes_made(self) -> Sequence[ShapeChange]:
        """Return what publishing has changed besides rows, even if nothing was published then."""

    def unfinished(self) -> Sequence[str]:
        """Return a line for each thing that a publication has left to the next run."""

    def record_run(self, run: RecordedRun) -> None:
        """Write the row of a run; it replaces the row of the same run.

        It commits in a transaction of its own, and never while `publish` has one open. The table of
        runs is created, with its schema, if it does not exist. Raises UsageError if another table
        has its name.
        """

    def discard(self, *, goes_on: bool = False) -> None:
        """Drop the candidates; published relations stay. Does nothing without `begin`.

        If the run `goes_on` with another group, `go_on` comes next.
        """

    def go_on(self) -> bool:
        """Prepare to plan the next group of a run on what is published now.

        Return whether the engine can still be used, as far as that is known.
        """

    def statements(self) -> tuple[Statement, ...]:
        """Return the statements executed so far, if the engine gives them an id."""

    def versions(self) -> Mapping[str, str]:
        """Return the versions of engine and driver."""

    def close(self) -> None:
        """Close the connection; candidates that are not published are lost."""
