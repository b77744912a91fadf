"""A search for a smaller world, try by try."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import pyarrow as pa

from marts.core.proof.worlds import World

Kept = Mapping[str, Sequence[int]]
"""The rows of each source that are kept, by their positions, ascending."""
Predicate = Callable[[World], bool]


class OutOfTimeError(Exception):
    """The search has used its time; the best world so far is the result."""


class Search:
    """A search for a smaller world: `best` is the smallest so far on which something differs.

    `holds` tells whether a world may be tried at all. Raises OutOfTimeError instead of a try after
    `seconds`.
    """

    def __init__(self, world: World, differs: Predicate, holds: Predicate, seconds: float) -> None:
        self.best = world
        self.tries = 0
        self._differs = differs
        self._holds = holds
        self._deadline = time.monotonic() + seconds

    def takes(self, tables: Mapping[str, pa.Table]) -> bool:
        """Try a world with other tables; if something differs, it is the best from now on."""
        if time.monotonic() >= self._deadline:
            raise OutOfTimeError
        self.tries += 1
        tried = replace(self.best, tables=tables)
        if not (self._holds(tried) and self._differs(tried)):
            return False
        self.best = tried
        return True


class RowSearch:
    """A search among the rows of the best world so far: `kept` are those still needed."""

    def __init__(self, search: Search) -> None:
        self._search = search
        self._refused = set[tuple[tuple[int, ...], ...]]()
        self.whole = search.best
        self.kept: Kept = {name: range(t.num_rows) for name, t in self.whole.tables.items()}

    def keeps(self, kept: Kept) -> bool:
        """Try a world with fewer rows; if something differs, it is the best from now on."""
        key = tuple(tuple(kept[name]) for name in self.whole.tables)
        if key in self._refused or key == tuple(map(tuple, self.kept.values())):
            return False
        tables = {
            name: table
            if len(kept[name]) == table.num_rows
            else table.take(pa.array(kept[name], pa.int64()))
            for name, table in self.whole.tables.items()
        }
        if self._search.takes(tables):
            self.kept = kept
            return True
        self._refused.add(key)
        return False
