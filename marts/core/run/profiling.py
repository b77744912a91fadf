"""The port by which a new project measures data that are there: what an engine counts of tables."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Protocol

Number = int | float | Decimal
Names = tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class FoundColumn:
    """A column as it is spelled, with the contract's type that holds it.

    `type` is empty if no contract can hold it; `found` is its type in the engine, in words.
    `is_moment` says that it is a point in time, which a contract reads in a zone.
    """

    name: str
    type: str
    found: str = ""
    is_moment: bool = False


@dataclass(frozen=True, kw_only=True)
class FoundTable:
    """A table as it is spelled; `location` says where, if it is not found by its name."""

    name: str
    columns: tuple[FoundColumn, ...]
    location: str = ""


@dataclass(frozen=True, kw_only=True)
class ColumnFigures:
    """What all rows say of a column.

    `distinct` is approximate. `least` and `greatest` are numbers, or dates and times as text; they
    are None for other types, and without values. `unfit` counts values that no contract takes: NaN,
    infinity, infinite dates, and times finer than a microsecond.
    """

    nulls: int
    distinct: int
    least: Number | str | None = None
    greatest: Number | str | None = None
    unfit: int = 0


@dataclass(frozen=True, kw_only=True)
class TableFigures:
    """The number of rows of a table, and the figures of each column that a contract can hold."""

    rows: int
    columns: Mapping[str, ColumnFigures] = field(default_factory=dict)


class Profiler(Protocol):
    """Measures the tables of one place, without writing anything.

    Columns are named as they are spelled. Every method raises EngineError if the engine fails, and
    SourceError for data that cannot be read.
    """

    where: str
    """What is measured, in words."""
    queries: int
    """How many queries of rows were made so far."""

    def tables(self) -> Sequence[FoundTable]:
        """Return the tables that are there, in order of their names."""

    def figures(self, table: FoundTable) -> TableFigures:
        """Read all rows of a table once, and return the figures of its columns."""

    def may_be_unique(
        self, table: FoundTable, combinations: Collection[Names]
    ) -> Collection[Names]:
        """Return the combinations of columns without nulls that some rows do not repeat."""

    def distinct(self, table: FoundTable, columns: Names) -> int:
        """Return how many different combinations of values the columns have, without nulls."""

    def values(self, table: FoundTable, column: str, *, limit: int) -> Sequence[str]:
        """Return up to `limit` different texts of a column, in no order."""

    def contained(
        self, table: FoundTable, column: str, other: FoundTable, key: str
    ) -> tuple[int, int]:
        """Return how many rows have a value, and how many of these values are in the other key.

        The key must be unique.
        """

    def close(self) -> None:
        """Close the connection."""
