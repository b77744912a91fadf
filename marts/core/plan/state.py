"""What an engine says of the sources and the published marts before a run: plain values."""

from __future__ import annotations

import datetime
import json
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field
from typing import Literal

import ibis.expr.datatypes as dt

from marts.core.project.loading import Project
from marts.core.query.contract import schema_of


@dataclass(frozen=True)
class ColumnFacts:
    """How many nulls a column has, and between which numbers it lies; None for what is unknown.

    `is_ascending` is a guess: that each row holds more than the one before it.
    """

    nulls: int | None = None
    low: float | None = None
    high: float | None = None
    is_ascending: bool = False


@dataclass(frozen=True)
class TableFacts:
    """What an engine says of a table that exists; `rows` is None where counting costs a scan.

    `version` changes whenever the rows do, None where the engine does not say; of a published
    table or view it also changes with its columns, or its definition. `misfits` say, a line each,
    why columns of a source cannot be read as its contract says. `columns` is what is known of
    columns without a look at their rows.
    """

    types: Mapping[str, dt.DataType]
    rows: int | None = None
    version: str | None = None
    misfits: tuple[str, ...] = ()
    columns: Mapping[str, ColumnFacts] = field(default_factory=dict)


@dataclass(frozen=True)
class Origin:
    """What a mart was made from: a digest of its SQL, versions of sources, runs of marts.

    What temporary marts read is read by the mart that reads them. `is_unchecked` says that nobody
    looked whether its sources are what it relies on.
    """

    sql: str
    sources: Mapping[str, str]
    marts: Mapping[str, str]
    is_unchecked: bool = False

    def to_text(self) -> str:
        """Return the origin as an engine keeps it."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_text(cls, text: str | None) -> Origin | None:
        """Return the origin of its text; None where another version of the framework wrote it."""
        try:
            return cls(**json.loads(text or ""))
        except (ValueError, TypeError):
            return None


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


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """What is recorded of a table that marts made: by which run, as of when, and from what.

    `version` is the table's when it was published. The last four are None where a run claimed the
    name, and never published it.
    """

    kind: Literal["table", "view"] = "table"
    run_id: str
    as_of: datetime.date | None = None
    origin: str | None = None
    version: str | None = None


@dataclass(frozen=True)
class Facts:
    """What an engine says of the sources and the published marts; absent tables are absent.

    `published` are the tables that bear a mart's name, `recorded` those that this package made,
    `foreign` the packages that made others, by name. `checked` is what the last publication
    recorded of each source.
    """

    sources: Mapping[str, TableFacts] = field(default_factory=dict)
    published: Mapping[str, TableFacts] = field(default_factory=dict)
    recorded: Mapping[str, Recorded] = field(default_factory=dict)
    foreign: Mapping[str, str] = field(default_factory=dict)
    checked: Mapping[str, CheckedSource] = field(default_factory=dict)
    searched: str = "nowhere"
    """Where the sources were looked for, in words."""

    def source_version(self, name: str) -> str | None:
        """Return what changes whenever a source does, also when it appears or vanishes."""
        return self.sources[name].version if name in self.sources else "absent"


@dataclass(frozen=True, kw_only=True)
class Publication:
    """What a run publishes, beside its candidates: what is recorded, and which tables go.

    `origins` says of each published mart from what it was made, as text, `checked` what is
    recorded of each source; `drops` are tables of this package that no mart is any more.
    """

    package: str
    as_of: datetime.date
    run_id: str
    origins: Mapping[str, str] = field(default_factory=dict)
    checked: Mapping[str, str] = field(default_factory=dict)
    drops: tuple[str, ...] = ()


def declared_facts(project: Project, *, sources: Collection[str]) -> Facts:
    """Return the facts of an engine that holds just what is declared: to compile without one.

    `sources` are those that are there.
    """
    return Facts(
        sources={
            name: TableFacts(schema_of(source.columns))
            for name, source in project.sources.items()
            if name in sources
        },
        published={name: TableFacts(schema_of(m.columns)) for name, m in project.marts.items()},
    )
