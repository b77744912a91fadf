"""Worlds: small data sets of a project's sources, on which its marts are tried."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa


@dataclass(frozen=True)
class World:
    """The tables of the sources, and the date to calculate for.

    Each table has the columns of its contract, in the contract's types. An optional source may be
    absent. `origin` says where the world comes from, in words for people.
    """

    tables: Mapping[str, pa.Table]
    as_of: datetime.date
    origin: str = ""

    @property
    def rows(self) -> int:
        """How many rows it has, over all sources."""
        return sum(table.num_rows for table in self.tables.values())
