"""The engine state before a run, of sources and published marts: plain values.

They are exchanged with the engines, which implement the port in `run/backend.py`.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from typing import TypeAlias

import ibis
import ibis.expr.datatypes as dt
import ibis.expr.types as ir
import sqlglot.expressions as sge

# Engines import them from here: of the rooms before `plan`, they know only these values.
from marts.core.authoring.tables import DEFAULT_GROUP as DEFAULT_GROUP  # noqa: PLC0414
from marts.core.authoring.tables import Materialized as Materialized  # noqa: PLC0414
from marts.core.errors import MartsError
from marts.core.project.loading import Declarations
from marts.core.project.reserved import RESERVED, STATE_PREFIX
from marts.core.project.reserved import is_reserved as is_reserved  # noqa: PLC0414
from marts.core.query.contract import schema_of

STATE_TABLE, EARLIER_STATE_TABLE, _, _ = RESERVED
"""The table beside the marts with a row for each table that a package made, and for each source
that it checked; and the table in which an earlier version of marts recorded the same. Each group
but the default one has a state table of its own."""

STATE_COLUMNS = {
    "package": "string",
    "name": "string",
    "kind": "string",
    "run_id": "string",
    "as_of": "date",
    "published_at": "timestamp",
    "version": "string",
    "origin": "string",
    "proof": "string",
}
"""The columns of the state table; the last five may be null. An earlier version's table lacks the
last one: it is added."""

STATE_KEY = ("package", "name")
"""The columns that identify a row of the state table."""


def state_table(group: str) -> str:
    """Return the name of a group's state table.

    On Snowflake, a change of one row locks the whole table: groups with a common one would wait.
    """
    return STATE_TABLE if group == DEFAULT_GROUP else f"{STATE_PREFIX}{group}"


def group_of_state(table: str) -> str | None:
    """Return the group whose state table has this name in lower case, None for other tables."""
    if table == STATE_TABLE:
        return DEFAULT_GROUP
    return table.removeprefix(STATE_PREFIX) if table.startswith(STATE_PREFIX) else None


@dataclass(frozen=True, eq=False)
class CompiledQuery:
    """A query in an engine's SQL, compiled once, independent of where its tables are.

    It has only bare names of tables, those in `names`. An engine qualifies them in a copy of
    `tree`, and may cache the result in `texts`, because a query may run more than once.
    """

    tree: sge.Query
    columns: tuple[str, ...]
    names: frozenset[str]
    dialect: str
    texts: dict[object, str] = field(default_factory=dict, repr=False)

    @cached_property
    def sql(self) -> str:
        """Its SQL over bare names: what it computes, not where the tables are."""
        return self.tree.sql(self.dialect)


Query: TypeAlias = ir.Table | sge.Query | CompiledQuery
"""A query over bare names of tables. One that runs more than once is compiled first."""


@dataclass(frozen=True)
class ColumnStatistics:
    """The number of nulls of a column and the bounds of its numbers; None for what is unknown.

    `is_ascending` is a guess that each row has a greater value than the row before it, and `middle`
    one of a value, as text, that half of the rows do not exceed.
    """

    nulls: int | None = None
    low: float | None = None
    high: float | None = None
    is_ascending: bool = False
    middle: str | None = None


@dataclass(frozen=True)
class TableState:
    """The state of a table that exists; `rows` is None if counting would cost a scan.

    `version` changes whenever the rows do, and for a published table or view also with its columns
    and definition. It is None if the engine does not know it or was not asked. It may change
    without need; then marts are rebuilt. `misfits` has a line for each column of a source that
    cannot be read as its contract says; `types` has the contract's types nevertheless. `columns`
    has the statistics that are known of some columns without reading rows.
    """

    types: Mapping[str, dt.DataType]
    rows: int | None = None
    version: str | None = None
    misfits: tuple[str, ...] = ()
    columns: Mapping[str, ColumnStatistics] = field(default_factory=dict)


@dataclass(frozen=True)
class RecordedTable:
    """A row of the state table: a table that a package made, or a source that it checked.

    `kind` is table, view, source or candidate; `package` is None for a row of an earlier version of
    marts, which did not record it. `version` is the table's version when it was published; `origin`
    is its fingerprint, or what was found of a source, as text; `proof` says by which proof it was
    published, or that it was accepted without, null if none was asked for. A row without a date was
    written by a run that has not published the table. `group` is that whose state table has it.
    """

    package: str | None
    name: str
    kind: str
    run_id: str
    as_of: datetime.date | None = None
    version: str | None = None
    origin: str | None = None
    proof: str | None = None
    group: str = DEFAULT_GROUP


@dataclass(frozen=True)
class CheckedSource:
    """What a published run found of one version of a source.

    `checks` are digests of the checks that held; `rows` is None if they were not counted; `orphans`
    are the shares, from 0 to 1, of rows without a match in a lookup, by the name of the check.
    """

    version: str
    checks: frozenset[str] = frozenset()
    rows: int | None = None
    orphans: Mapping[str, float] = field(default_factory=dict)

    def to_text(self) -> str:
        """Return the record as text, which the state table stores."""
        return json.dumps(asdict(self) | {"checks": sorted(self.checks)}, sort_keys=True)

    @classmethod
    def from_text(cls, text: str | None) -> CheckedSource | None:
        """Return the record of a text, None if another version of marts wrote it."""
        try:
            found = json.loads(text or "")
            return cls(**found | {"checks": frozenset(found["checks"])})
        except (ValueError, TypeError, KeyError):
            return None


@dataclass(frozen=True)
class Elsewhere:
    """The marts that another environment has published and recorded, by name.

    `where` says in words where they are.
    """

    environment: str
    where: str
    published: Mapping[str, TableState] = field(default_factory=dict)
    recorded: Mapping[str, RecordedTable] = field(default_factory=dict)


@dataclass(frozen=True)
class EngineState:
    """The state of the sources and published marts that exist, by name.

    `published` has the tables with the name of a mart, `recorded` those that this package made,
    `foreign` the packages that made others. `source_rows` are what publications have recorded of
    sources; `checked` is that of the group's last one, or of another group's if it has recorded
    nothing; `held` has the digests of checks that held according to any group, by a source and its
    version. `faults` has the sources of which the state is not known, and why.
    """

    sources: Mapping[str, TableState] = field(default_factory=dict)
    published: Mapping[str, TableState] = field(default_factory=dict)
    recorded: Mapping[str, RecordedTable] = field(default_factory=dict)
    foreign: Mapping[str, str] = field(default_factory=dict)
    source_rows: tuple[RecordedTable, ...] = ()
    checked: Mapping[str, CheckedSource] = field(default_factory=dict)
    held: Mapping[tuple[str, str], frozenset[str]] = field(default_factory=dict)
    faults: Mapping[str, MartsError] = field(default_factory=dict)
    source_location: str = "nowhere"
    """Where the sources were searched for, in words."""
    elsewhere: Elsewhere | None = None
    """Another environment, whose marts may be read in place of those that are not up to date."""
    deferred: frozenset[str] = frozenset()
    """The marts that are read there: `published` and `recorded` have their state there."""

    def of_group(self, group: str) -> EngineState:
        """Return the state with what a group must know of checked sources."""
        checked: dict[str, CheckedSource] = {}
        held: dict[tuple[str, str], frozenset[str]] = {}
        # The group's own comes last, and otherwise that of the latest run.
        for row in sorted(self.source_rows, key=lambda row: (row.group == group, row.run_id)):
            if found := CheckedSource.from_text(row.origin):
                checked[row.name] = found
                key = row.name, found.version
                held[key] = held.get(key, frozenset()) | found.checks
        return replace(self, checked=checked, held=held)

    def source_version(self, name: str) -> str | None:
        """Return text that changes whenever a source does, also when it appears or disappears."""
        if name in self.faults:
            return None
        return self.sources[name].version if name in self.sources else "absent"

    def deferring(self, name: str) -> EngineState:
        """Return the state in which a mart is read where the other environment published it."""
        there = self.elsewhere or Elsewhere("", "")
        return replace(
            self,
            published={**self.published, name: there.published[name]},
            recorded={**self.recorded, name: there.recorded[name]},
            deferred=self.deferred | {name},
        )


@dataclass(frozen=True, kw_only=True)
class Publication:
    """What a run publishes besides its candidates: what is recorded, and which tables are dropped.

    `fingerprints` has the fingerprint of each published mart as text, `proofs` what is recorded of
    its proof if one was asked for, `checked` what is recorded of each source; `drops` are tables of
    this package that are no longer marts. `read` are the marts that were read as published: if
    another run has replaced one of them, nothing is published. `reshapes` are the marts whose
    columns, types or kind may change for readers; `personal` has kinds of personal data by mart and
    column. What is published is recorded in the state table of its `group`, and in no other.
    """

    package: str
    as_of: datetime.date
    run_id: str
    group: str = DEFAULT_GROUP
    fingerprints: Mapping[str, str] = field(default_factory=dict)
    proofs: Mapping[str, str] = field(default_factory=dict)
    checked: Mapping[str, str] = field(default_factory=dict)
    drops: tuple[str, ...] = ()
    read: frozenset[str] = frozenset()
    reshapes: frozenset[str] = frozenset()
    personal: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


@dataclass(frozen=True)
class PlannedTable:
    """A mart that a run will publish: its kind, its columns, its key and its compiled query.

    `key` is its grain, or empty if the grain is not checked.
    """

    name: str
    kind: Materialized
    types: ibis.Schema
    query: CompiledQuery
    key: tuple[str, ...] = ()


@dataclass(frozen=True)
class Annotation:
    """What an engine's catalog should say of a published mart: comments, and its checked key.

    `key` is its grain, or empty if the grain is not checked. `personal` has the kind of personal
    data of each column that holds any.
    """

    name: str
    kind: Materialized
    comment: str
    column_comments: Mapping[str, str]
    key: tuple[str, ...] = ()
    personal: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ShapeChange:
    """What publishing changes about a mart besides its rows, in words.

    A reshape takes something away from readers, or cannot be made in the same transaction as the
    rest; the caller must have acknowledged it.
    """

    mart: str
    change: str
    is_reshape: bool = False

    def __str__(self) -> str:
        return f"{self.mart}: {self.change}"


def declared_state(project: Declarations, *, sources: Collection[str]) -> EngineState:
    """Return the state of an engine that has exactly what is declared, to compile without one.

    `sources` are the sources that exist.
    """
    return EngineState(
        sources={
            name: TableState(schema_of(source.columns))
            for name, source in project.sources.items()
            if name in sources
        },
        published={name: TableState(schema_of(m.columns)) for name, m in project.marts.items()},
    )
