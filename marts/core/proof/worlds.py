"""Worlds: small data sets of a project's sources, on which its marts are tried."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

MOST_SHOWN = 20
"""As many rows of a table are shown where a world is printed."""


@dataclass(frozen=True, repr=False)
class World:
    """The tables of the sources, and the date to calculate for.

    Each table has the columns of its contract, in the contract's types. An optional source may be
    absent. `origin` says where the world comes from, in words for people.
    """

    tables: Mapping[str, pa.Table]
    as_of: datetime.date
    origin: str = ""
    without: frozenset[str] = frozenset()
    """The sources left out of another world: marts that read none of them are as there."""

    def __repr__(self) -> str:
        """Show the date, and the rows, a line each."""
        lines = [f"World(as_of={self.as_of}, {self.origin or 'given'}"]
        for name, table in self.tables.items():
            rows = table.slice(0, MOST_SHOWN).to_pylist()
            lines += [f"    {name}: {_text(row)}" for row in rows] or [f"    {name}: no rows"]
            more = table.num_rows - len(rows)
            lines += [f"    {name}: {more:,} more rows"] if more else []
        return "\n".join(lines) + ")"

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """Show the same where hypothesis reports a world, which knows dataclasses otherwise."""
        printer.text("World(…)" if cycle else repr(self))

    @property
    def rows(self) -> int:
        """How many rows it has, over all sources."""
        return sum(table.num_rows for table in self.tables.values())


def _text(row: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in row.items())
