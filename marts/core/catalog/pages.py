"""The catalogue of a project as data: what a page of its site shows, before any HTML."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from marts.core.run.history import PastRun

TableKind = Literal["source", "table", "view", "temporary"]


@dataclass(frozen=True, kw_only=True)
class ColumnPage:
    """A column; `expression` is its definition in readable form, None for a source's.

    `definition` is its text, `personal` says what personal data it holds, if any; `not_personal` is
    the reason why it shows nothing of those that it is computed from.
    """

    name: str
    type: str
    null: bool
    unique: bool = False
    definition: str = ""
    expression: str | None = None
    personal: str | None = None
    not_personal: str = ""
    values: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class CheckResult:
    """What one run found of a check.

    `outcome` is pass, warn, acknowledged or fail; `held` if a source's check was not made because
    it had passed on the same rows; `skipped` if a table that it reads was missing. `run_status` is
    how the run ended: `failed`, for example, if it has published nothing.
    """

    run_id: str
    at: datetime.datetime
    outcome: str
    violations: int | None = None
    run_status: str = ""


@dataclass(frozen=True, kw_only=True)
class CheckPage:
    """A check, and what the recorded runs found, the latest first.

    `is_declared` is false if only earlier runs made it: its results say nothing of the table now.
    """

    name: str
    description: str
    severity: str
    is_declared: bool = True
    columns: tuple[str, ...] = ()
    history: tuple[CheckResult, ...] = ()


@dataclass(frozen=True, kw_only=True)
class QueryPage:
    """An example query: the question that it answers, and its SQL by dialect.

    Every table that it reads shows it. Lists of all queries have it once, under the first of these.
    """

    name: str
    question: str
    sql: Mapping[str, str]
    reads: tuple[str, ...] = ()

    def is_listed(self, table: str) -> bool:
        """Tell whether lists of all queries have it under a table that shows it."""
        return self.reads[:1] in ((), (table,))


@dataclass(frozen=True, kw_only=True)
class Bar:
    """A bar of a distribution: a label, or the range of a number, and its rows.

    Where each row of a table is a label of its own, `amount` is a number of that row.
    """

    label: str
    rows: int
    amount: float | None = None

    @property
    def size(self) -> float:
        """What the bar shows."""
        return self.rows if self.amount is None else self.amount


@dataclass(frozen=True, kw_only=True)
class Distribution:
    """How the values of a column are distributed over the rows of the last run; never personal."""

    column: str
    kind: Literal["labels", "numbers", "dates", "amounts"]
    bars: tuple[Bar, ...]
    nulls: int = 0


@dataclass(frozen=True, kw_only=True)
class Build:
    """How a published mart was built: its rows, the seconds, when and by which run.

    Of a source, when it was checked last, and the rows that were counted.
    """

    run_id: str
    at: datetime.datetime
    as_of: datetime.date | None = None
    rows: int | None = None
    seconds: float | None = None


@dataclass(frozen=True, kw_only=True)
class TablePage:
    """A source or a mart. `document` is the Markdown text beside its declaration, if any."""

    name: str
    kind: TableKind
    description: str
    grain: tuple[str, ...]
    location: str
    owner: str | None = None
    tags: tuple[str, ...] = ()
    group: str | None = None
    optional: bool = False
    columns: tuple[ColumnPage, ...]
    rows: str = ""
    """From where a mart has its rows, in readable form."""
    checks: tuple[CheckPage, ...] = ()
    inputs: tuple[str, ...] = ()
    read_by: tuple[str, ...] = ()
    sql: Mapping[str, str] = field(default_factory=dict)
    queries: tuple[QueryPage, ...] = ()
    distributions: tuple[Distribution, ...] = ()
    build: Build | None = None
    proof: str | None = None
    """In a line: the level that its proof reached and when; None if it is not proven as it is."""
    document: str = ""
    notes: tuple[str, ...] = ()
    """What a reader of the page must know first: that it is not published, or by another code."""


@dataclass(frozen=True, kw_only=True)
class ColumnEdge:
    """A column of a table is computed from a column of another, by lineage of these kinds.

    What feeds a column, directly or through others, is found by following the edges: directly if
    each of them is direct, else indirectly. Two columns may have an edge of each sort.
    """

    from_table: str
    from_column: str
    to_table: str
    to_column: str
    kinds: tuple[str, ...]
    is_direct: bool


@dataclass(frozen=True, kw_only=True)
class Site:
    """Everything the site shows. `document` is the project's own Markdown text, if any.

    `engine` says in words where the marts are; `notes` say what could not be read there. `unused`
    says which texts no page shows: it is for authors, and not for readers.
    """

    project: str
    generated_at: datetime.datetime
    version: str
    engine: str
    as_of: datetime.date | None = None
    tables: tuple[TablePage, ...]
    edges: tuple[ColumnEdge, ...] = ()
    runs: tuple[PastRun, ...] = ()
    notes: tuple[str, ...] = ()
    document: str = ""
    unused: tuple[str, ...] = ()
