"""What an engine says of the sources and the published marts before a run: plain values.

They travel between the plan and the engines, which implement the port in `run/backend.py`.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import TypeAlias

import ibis.expr.datatypes as dt
import ibis.expr.types as ir
import sqlglot.expressions as sge

# Engines import it from here: they know of the rooms before the plan through its values alone.
from marts.core.authoring.tables import Materialized as Materialized  # noqa: PLC0414
from marts.core.project.graph import RESERVED
from marts.core.project.loading import Project
from marts.core.query.contract import schema_of

STATE_TABLE, EARLIER_STATE_TABLE = RESERVED
"""Beside the marts: a row for each table that a package made, and for each source it checked;
the other is where an earlier version recorded the same, of one package."""

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
"""The columns of the state table; the last four may be null."""

STATE_KEY = ("package", "name")
"""The columns that name a row of the state table."""


@dataclass(frozen=True, eq=False)
class CompiledQuery:
    """A query in an engine's SQL: compiled once, wherever its tables are.

    It names tables alone, those of `names`. An engine qualifies these names in a copy of `tree`,
    and may keep what comes of it in `texts`: a query may run more than once.
    """

    tree: sge.Query
    columns: tuple[str, ...]
    names: frozenset[str]
    dialect: str
    texts: dict[object, str] = field(default_factory=dict, repr=False)

    @cached_property
    def sql(self) -> str:
        """Its SQL over bare names, which tells what it computes, not from where."""
        return self.tree.sql(self.dialect)


Query: TypeAlias = ir.Table | sge.Query | CompiledQuery
"""A query over tables that it names alone. What runs more than once is compiled before."""


@dataclass(frozen=True)
class ColumnStatistics:
    """How many nulls a column has, and between which numbers it lies; None for what is unknown.

    `is_ascending` is a guess: that each row holds more than the one before it.
    """

    nulls: int | None = None
    low: float | None = None
    high: float | None = None
    is_ascending: bool = False


@dataclass(frozen=True)
class TableState:
    """What an engine says of a table that exists; `rows` is None where counting costs a scan.

    `version` changes whenever the rows do, of a published table or view with its columns and
    definition too; None where the engine does not say, or nobody asked. It may change without need:
    then marts are built again. `misfits` say, a line each, why columns of a source
    cannot be read as its contract says; `types` has the contract's types nevertheless. `columns`
    has what is known of some columns without a look at their rows.
    """

    types: Mapping[str, dt.DataType]
    rows: int | None = None
    version: str | None = None
    misfits: tuple[str, ...] = ()
    columns: Mapping[str, ColumnStatistics] = field(default_factory=dict)


@dataclass(frozen=True)
class RecordedTable:
    """What the state table says of a table that a package made, or of a source that it checked.

    `kind` is table, view or source; `package` is None for what an earlier version recorded, whoever
    made it. `version` is the table's when it was published; `origin` tells, as text, what it was
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
class CheckedSource:
    """What a published run found of one version of a source.

    `checks` are digests of the checks that held; `rows` is None where nobody counted; `orphans` are
    the shares, from 0 to 1, of rows that found nothing in a lookup, by the name of the check.
    """

    version: str
    checks: frozenset[str] = frozenset()
    rows: int | None = None
    orphans: Mapping[str, float] = field(default_factory=dict)

    def to_text(self) -> str:
        """Return the record as an engine keeps it."""
        return json.dumps(asdict(self) | {"checks": sorted(self.checks)}, sort_keys=True)

    @classmethod
    def from_text(cls, text: str | None) -> CheckedSource | None:
        """Return the record of its text; None where another version of the framework wrote it."""
        try:
            found = json.loads(text or "")
            return cls(**found | {"checks": frozenset(found["checks"])})
        except (ValueError, TypeError, KeyError):
            return None


@dataclass(frozen=True)
class EngineState:
    """What an engine says of the sources and the published marts; absent tables are absent.

    `published` are the tables that bear a mart's name, `recorded` those that this package made,
    `foreign` the packages that made others, by name. `checked` is what the last publication
    recorded of each source.
    """

    sources: Mapping[str, TableState] = field(default_factory=dict)
    published: Mapping[str, TableState] = field(default_factory=dict)
    recorded: Mapping[str, RecordedTable] = field(default_factory=dict)
    foreign: Mapping[str, str] = field(default_factory=dict)
    checked: Mapping[str, CheckedSource] = field(default_factory=dict)
    source_location: str = "nowhere"
    """Where the sources were looked for, in words."""

    def source_version(self, name: str) -> str | None:
        """Return what changes whenever a source does, also when it appears or vanishes."""
        return self.sources[name].version if name in self.sources else "absent"


@dataclass(frozen=True, kw_only=True)
class Publication:
    """What a run publishes, beside its candidates: what is recorded, and which tables go.

    `fingerprints` says of each published mart from what it was made, as text, `checked` what is
    recorded of each source; `drops` are tables of this package that are no longer marts.
    """

    package: str
    as_of: datetime.date
    run_id: str
    fingerprints: Mapping[str, str] = field(default_factory=dict)
    checked: Mapping[str, str] = field(default_factory=dict)
    drops: tuple[str, ...] = ()


def declared_state(project: Project, *, sources: Collection[str]) -> EngineState:
    """Return the state of an engine that holds just what is declared: to compile without one.

    `sources` are those that are there.
    """
    return EngineState(
        sources={
            name: TableState(schema_of(source.columns))
            for name, source in project.sources.items()
            if name in sources
        },
        published={name: TableState(schema_of(m.columns)) for name, m in project.marts.items()},
    )
