"""How one number of a mart came about, as data."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from marts.core.analysis.tracing import Key
from marts.core.authoring.tables import Mart


@dataclass(frozen=True)
class Input:
    """A column that a value is computed from: its value in this row, or how many rows it has.

    `expression` says how a step within the project computes it; it is empty for a column of a
    source or of a published mart.
    """

    table: str
    column: str
    value: object = None
    rows: int | None = None
    expression: str = ""


@dataclass(frozen=True)
class Comparison:
    """A value that is compared with a constant, and how far it is above it.

    `distance` is negative if the value is lower, in days between dates, a timedelta between
    timestamps, and None where values have no distance. `holds` is None if the value is null. In
    place of null, `value` is the default of the column that `operand` names, if it has one.
    """

    operand: str
    value: object
    sign: str
    threshold: object
    distance: object
    holds: bool | None


@dataclass(frozen=True)
class Branch:
    """A condition, the result if it is the first that holds, and the comparisons in it.

    The last branch of a case has no condition. `holds` is None if the condition is null.
    """

    condition: str | None
    result: str
    holds: bool | None
    comparisons: tuple[Comparison, ...]


@dataclass(frozen=True)
class Case:
    """The branches of a case, in order, and the position of the one that gave the value.

    A column that is a condition itself has one branch, and `taken` is None.
    """

    branches: tuple[Branch, ...]
    taken: int | None


@dataclass(frozen=True)
class SourceRows:
    """The rows of a source behind a value, and how many were looked at to find them.

    Those that were only looked at have the same key, but filters or conditions leave them out.
    `columns` are the source's key, and the columns on which the value depends.
    """

    table: str
    columns: Sequence[str]
    rows: Sequence[Mapping[str, object]]
    looked_at: int


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """How one value of a mart came about; personal values are masked.

    `value` is the published one. If there is none, `unpublished` says why, and it is what the
    sources give now. `recomputed` is computed from the rows of `sources` alone, and `is_same` tells
    whether it equals the published value; it is None if there is nothing to compare. `untraced`
    says why the rows behind the value are not known: then there is nothing below it.
    """

    mart: Mart
    column: str
    key: Key
    as_of: datetime.date
    value: object
    definition: str
    run_id: str | None = None
    unpublished: str | None = None
    recomputed: object = None
    is_same: bool | None = None
    missing: str | None = None
    """Why nothing is recomputed, if the sources do not give one row with the key."""
    outdated: str | None = None
    """Why the published mart is not up to date, None if it is."""
    untraced: str | None = None
    case: Case | None = None
    inputs: tuple[Input, ...] = ()
    sources: tuple[SourceRows, ...] = ()
