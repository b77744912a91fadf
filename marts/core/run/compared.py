"""What distinguishes two builds of marts: plain values."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeAlias

Number: TypeAlias = Decimal | float
Key: TypeAlias = tuple[object, ...]
"""The values of the grain, with masks for personal data."""


@dataclass(frozen=True)
class Change:
    """A value that differs, in the row of a key; personal data are masked."""

    key: Key
    before: object
    after: object


@dataclass(frozen=True)
class ColumnDifference:
    """How a column differs in the rows that both sides have.

    `totals` are the sums of a numeric column over all rows of each side, exact unless it has floats
    or more than 28 digits; they are None if there are none, or they are personal.
    """

    name: str
    type: str
    changed: int
    totals: tuple[Number | None, Number | None] | None = None
    largest: tuple[Change, ...] = ()
    share: float | None = None
    """By which share its sum changes, also if it is personal; None if it is not numeric."""


@dataclass(frozen=True, kw_only=True)
class MartDifference:
    """How the two tables of a mart differ; `rows` is None for a side that has no such table.

    `notes` are differences besides those of rows, such as a column that only one side has.
    `unpaired` says how many rows of each side have a key that repeats: they are not compared.
    `only` has keys of rows that one side alone has, by side.
    """

    mart: str
    grain: tuple[str, ...]
    rows: tuple[int | None, int | None]
    as_of: tuple[datetime.date | None, datetime.date | None] = (None, None)
    added: int = 0
    removed: int = 0
    changed: int = 0
    notes: tuple[str, ...] = ()
    columns: tuple[ColumnDifference, ...] = ()
    only: Mapping[str, tuple[Key, ...]] | None = None

    @property
    def is_different(self) -> bool:
        """Whether the sides differ in anything."""
        return bool(self.added or self.removed or self.changed or self.notes)


def difference_document(mart: MartDifference) -> dict[str, object]:
    """Return how a mart differs as a JSON document."""
    only = mart.only or {}
    return {
        "mart": mart.mart,
        "different": mart.is_different,
        "grain": list(mart.grain),
        "as_of": _both(mart.as_of),
        "rows": _both(mart.rows),
        "added": mart.added,
        "removed": mart.removed,
        "changed": mart.changed,
        "notes": list(mart.notes),
        "only": {side: [_keyed(mart, key) for key in keys] for side, keys in only.items()},
        "columns": [
            {
                "column": column.name,
                "type": column.type,
                "changed": column.changed,
                "sum": column.totals and _both(column.totals),
                "largest": [
                    {"key": _keyed(mart, each.key), **_both((each.before, each.after))}
                    for each in column.largest
                ],
            }
            for column in mart.columns
        ],
    }


def _both(values: tuple[object, object]) -> dict[str, object]:
    return dict(zip(("before", "after"), values, strict=True))


def _keyed(mart: MartDifference, key: Key) -> dict[str, object]:
    return dict(zip(mart.grain, key, strict=True))
