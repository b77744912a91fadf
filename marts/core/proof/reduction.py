"""Leave out rows while something still differs: entities first, then single rows."""

from __future__ import annotations

import random
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from marts.core.analysis.lineage import Name
from marts.core.analysis.links import Link
from marts.core.proof.search import Kept, RowSearch, Search
from marts.core.proof.simplifying import class_of
from marts.core.proof.worlds import World

Near: TypeAlias = Mapping[Name, object]
"""Values of columns of sources, by which the rows are found that a difference is about."""
Ends: TypeAlias = tuple[str, tuple[str, ...]]
"""A source, and columns of it."""
SINGLY = 5
"""Around so many of the rows that differ, each is tried alone."""
MANY = 50
"""Of more rows, samples are tried first."""
GROWTH = 4
"""How many times larger each sample is than the one before."""


class _Columns:
    """The values of columns as Python lists, each read when it is needed."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._read: dict[Ends, list[object]] = {}
        self._rows: dict[Ends, dict[object, list[int]]] = {}

    def __call__(self, source: str, columns: tuple[str, ...]) -> list[object]:
        """Return the values by row: tuples for several columns, None where one is null."""
        key = (source, columns)
        if key not in self._read:
            lists = [self.world.tables[source].column(name).to_pylist() for name in columns]
            rows = [None if None in row else row for row in zip(*lists, strict=True)]
            self._read[key] = [*rows] if len(lists) > 1 else lists[0]
        return self._read[key]

    def rows(self, source: str, columns: tuple[str, ...]) -> Mapping[object, Sequence[int]]:
        """Return the rows that have each value."""
        key = (source, columns)
        if key not in self._rows:
            found = self._rows[key] = dict[object, list[int]]()
            for row, value in enumerate(self(source, columns)):
                found.setdefault(value, []).append(row)
        return self._rows[key]

    def present(self, links: Sequence[Link]) -> tuple[Link, ...]:
        """Return the links whose sources are both present."""
        known = self.world.tables
        return tuple(each for each in links if each.child in known and each.parent in known)


@dataclass(frozen=True)
class Related:
    """Which rows belong together: those that a link names, and those of a group in one source.

    `groups` has the columns of a source whose equal values make a group, such as versions.
    """

    links: tuple[Link, ...]
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


class Reduction:
    """Leaves out rows of the best world of a search, until none can be."""

    def __init__(self, search: Search, related: Related, read: Collection[str]) -> None:
        self.search = RowSearch(search)
        self.columns = _Columns(self.search.whole)
        self.links = related.links
        self.groups = {n: its for n, its in related.groups.items() if n in self.search.kept}
        self.followed = self.columns.present(related.links)
        self.required = tuple(link for link in self.followed if link.is_strict)
        self.order = _looked_up_first(self.search.kept, self.followed)
        self.read = [name for name in self.order if name in read]

    def run(self, near: Sequence[Near] = ()) -> None:
        """Leave out rows: all but a few, if these are enough, then entities, then single rows."""
        self._keeps(self.search.kept)
        if not self._around(near) and self.search.whole.rows > MANY:
            self._sampled()
        for followed, groups in ((self.followed, self.groups), (self.required, {})):
            while sum(self._reduced(name, followed, groups.get(name, ())) for name in self.read):
                pass

    def _around(self, near: Sequence[Near]) -> bool:
        """Keep only what belongs to rows with given values: of one of them, or of more and more."""
        downward, upward = self._steps()
        found = [_seeds(each, self.links, self.columns) for each in near]
        several = [found[:size] for size in _sizes(GROWTH * len(found))]
        for some in (*([each] for each in found[:SINGLY]), *several):
            rows = {name: {r for one in some for r in one.get(name, ())} for name in self.order}
            if any(rows.values()) and self._keeps(_closed(rows, self.columns, (downward, upward))):
                return True
        return False

    def _sampled(self) -> bool:
        """Keep only some rows of each source, few or more, and all that they look up."""
        _, upward = self._steps()
        kept = {name: self.search.kept[name] for name in self.read if self.search.kept[name]}
        for size in _sizes(max(map(len, kept.values()), default=0)):
            rows = {
                # Not at regular distances, at which values of data often repeat.
                name: {*random.Random(size).sample(its, min(size, len(its)))}  # noqa: S311
                for name, its in kept.items()
            }
            if self._keeps(_closed(rows, self.columns, (upward,))):
                return True
        return False

    def _steps(self) -> tuple[list[tuple[Ends, Ends]], list[tuple[Ends, Ends]]]:
        """Return the steps from rows to those that look them up, and to those that they look up.

        Each includes the steps to the other rows of a group.
        """
        within = [((name, its), (name, its)) for name, its in self.groups.items()]
        pairs = [
            ((link.child, link.columns), (link.parent, link.parent_columns))
            for link in self.followed
        ]
        return [*(pair[::-1] for pair in pairs), *within], [*pairs, *within]

    def _reduced(self, name: str, followed: Sequence[Link], group: tuple[str, ...]) -> bool:
        """Leave out rows of a source in ever smaller pieces, each with the rows that look it up."""
        units = self._units(name, group)
        is_reduced, size = False, len(units)
        while size:
            for piece in _pieces(units, size):
                kept = self.search.kept
                dropped = {row for unit in piece for row in unit}.intersection(kept[name])
                if dropped and self._keeps(_without(kept, name, dropped, followed, self.columns)):
                    is_reduced = True
            units = self._units(name, group)
            size = min(size, len(units)) // 2
        return is_reduced

    def _units(self, name: str, group: tuple[str, ...]) -> list[list[int]]:
        """Return the rows of a source that are left, those of a group together."""
        if not group:
            return [[row] for row in self.search.kept[name]]
        values, found = self.columns(name, group), dict[object, list[int]]()
        for row in self.search.kept[name]:
            found.setdefault(values[row], []).append(row)
        return [*found.values()]

    def _keeps(self, kept: Kept) -> bool:
        """Try some rows, and only what these require of the sources that are not read."""
        left = dict(kept)
        for name in (each for each in reversed(self.order) if each not in self.read):
            values = {
                (link.parent_columns, value)
                for link in self.required
                if link.parent == name
                for row in left[link.child]
                if (value := self.columns(link.child, link.columns)[row]) is not None
            }
            named = sorted({columns for columns, _ in values})
            left[name] = [
                row
                for row in left[name]
                if any((each, self.columns(name, each)[row]) in values for each in named)
            ]
        return self.search.keeps(left)


def _sizes(less_than: int) -> Iterator[int]:
    """Yield growing numbers, from 1."""
    size = 1
    while size < less_than:
        yield size
        size *= GROWTH


# Rows that belong together


def _seeds(near: Near, links: Sequence[Link], columns: _Columns) -> dict[str, set[int]]:
    """Return the rows that have all given values, in these columns or in those of their class."""
    seeds: dict[str, set[int]] = {}
    for name, value in near.items():
        for source, column in sorted(class_of(name, links)):
            if source in columns.world.tables:
                rows = {*columns.rows(source, (column,)).get(value, ())}
                seeds[source] = seeds[source] & rows if source in seeds else rows
    return seeds


def _closed(
    seeds: Mapping[str, set[int]],
    columns: _Columns,
    directions: Sequence[Sequence[tuple[Ends, Ends]]],
) -> Kept:
    """Return rows and those that belong to them, along the steps of one direction after another."""
    found = {name: set(seeds.get(name, ())) for name in columns.world.tables}
    for steps in directions:
        while any(_follow(found, columns, *step) for step in steps):
            pass
    return {name: sorted(rows) for name, rows in found.items()}


def _follow(found: dict[str, set[int]], columns: _Columns, start: Ends, end: Ends) -> bool:
    """Add the rows at the end of a step that have values of those found at its start."""
    values, known = columns(*start), columns.rows(*end)
    wanted = {values[row] for row in found[start[0]]} - {None}
    new = {row for value in wanted for row in known.get(value, ())} - found[end[0]]
    found[end[0]] |= new
    return bool(new)


# Rows left out


def _looked_up_first(names: Mapping[str, object], links: Sequence[Link]) -> list[str]:
    """Return the sources in an order in which those that others look up come before these."""
    behind: dict[str, set[str]] = {name: set() for name in names}
    for link in links:
        behind[link.child].add(link.parent)
    order, left = list[str](), sorted(behind)
    while left:
        free = [name for name in left if not (behind[name] - {name}).intersection(left)]
        order += free or left[:1]
        left = [name for name in left if name not in order]
    return order


def _pieces(units: Sequence[Sequence[int]], size: int) -> Iterator[Sequence[Sequence[int]]]:
    """Yield consecutive pieces, the last first."""
    for start in reversed(range(0, len(units), size)):
        yield units[start : start + size]


def _without(
    kept: Kept, name: str, dropped: set[int], links: Sequence[Link], columns: _Columns
) -> Kept:
    """Return what is kept without some rows, and without the rows that no longer find them."""
    left = {**kept, name: [row for row in kept[name] if row not in dropped]}
    waiting = [name]
    while waiting:
        changed = waiting.pop()
        for link in links:
            if link.parent != changed:
                continue
            targets, values = (
                columns(changed, link.parent_columns),
                columns(link.child, link.columns),
            )
            lost = {targets[row] for row in kept[changed]} - {None}
            lost -= {targets[row] for row in left[changed]}
            rows = [row for row in left[link.child] if values[row] not in lost]
            if len(rows) < len(left[link.child]):
                left[link.child] = rows
                waiting.append(link.child)
    return left
