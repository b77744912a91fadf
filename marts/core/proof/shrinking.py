"""The smallest world on which something still differs: delta debugging over linked rows.

Whole entities go first: a row takes the rows with it that look it up. What is left is tried row by
row, and then its values are made simple.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import cached_property
from typing import TypeAlias

import ibis.expr.operations as ops

from marts.core.analysis.lineage import Name, columns_read, copies_of
from marts.core.analysis.links import Link, links_of
from marts.core.analysis.thresholds import queries_over_sources
from marts.core.project.graph import Graph
from marts.core.proof.building import WorldBuilder
from marts.core.proof.conformity import conforming
from marts.core.proof.search import Kept, OutOfTimeError, RowSearch, Search
from marts.core.proof.simplifying import class_of, merge, simplify
from marts.core.proof.worlds import World

ANY_DAY = datetime.date(2000, 1, 1)
"""Links do not depend on the date."""
MOST_KEYS = 5
"""Around so many rows that differ, a smaller world is looked for."""
SECONDS = 10
MOST_ROWS = 100
"""The values of more rows are left as they are: nobody reads them."""


Near: TypeAlias = Mapping[Name, object]
"""Values of columns of sources, by which the rows are found that a difference is about."""


def smallest(
    world: World,
    differs: Callable[[World], bool],
    graph: Graph,
    *,
    seconds: float,
    marts: Collection[str] | None = None,
    near: Sequence[Near] = (),
    holds: Callable[[World], bool] = lambda _: True,
    links: Sequence[Link] | None = None,
) -> World:
    """Return a world with as few rows, and values as simple, as possible on which `differs` holds.

    It must hold on the world that is given, which is returned if nothing smaller is found. Sources
    keep their columns, and absent ones stay absent. Keys and relationships whose checks stop a run
    hold as they did before, and `holds` tells whether the other checks do (see `conforming`). What
    differs are `marts`, by default all: of sources that they do not read, only rows are kept that a
    relationship requires. Rows `near` a difference are tried first, in this order. Equal worlds
    give equal results unless time runs out: no try begins after `seconds`. What `differs` raises
    ends the search.
    """
    search = Search(world, differs, holds, seconds)
    if links is None:
        links = links_of(graph.project, queries_over_sources(graph, ANY_DAY).values())
    wanted = graph.order if marts is None else marts
    built = set(wanted).union(*map(graph.upstream, wanted))
    read = {name for each in built for name in graph.project.marts[each].inputs}
    try:
        _Reduction(search, links, read).run(near)
        if search.best.rows <= MOST_ROWS:
            merge(search, graph, links)
            _Reduction(search, links, read).run()
            simplify(search, graph, links)
            _Reduction(search, links, read).run()
    except OutOfTimeError:
        pass
    return search.best


class Shrinker:
    """Finds the smallest worlds of a project; what it must know of the project, it reads once."""

    def __init__(self, builder: WorldBuilder, *, seconds: float = SECONDS) -> None:
        """Take what evaluates the sources' checks, and how long each search may take."""
        self.builder = builder
        self.seconds = seconds

    def __call__(
        self,
        world: World,
        differs: Callable[[World], bool],
        *,
        mart: str | None = None,
        keys: Sequence[Sequence[object]] = (),
    ) -> World:
        """Return the smallest world on which `differs` holds, as `smallest` does.

        `mart` is what differs, by default any. `keys` are values of its grain in rows that differ:
        the rows of sources that have them are tried first.
        """
        return smallest(
            world,
            differs,
            self.builder.graph,
            seconds=self.seconds,
            marts=None if mart is None else [mart],
            near=self._near(mart, keys) if mart else (),
            holds=conforming(self.builder, world, self.links),
            links=self.links,
        )

    @cached_property
    def links(self) -> tuple[Link, ...]:
        """The links between the sources."""
        return links_of(self.builder.graph.project, self._queries.values())

    def columns_read(self, mart: str) -> Mapping[str, frozenset[str]]:
        """Return the columns of each source on which a mart depends."""
        return columns_read(self._queries[mart])

    @cached_property
    def _queries(self) -> Mapping[str, ops.Relation]:
        return queries_over_sources(self.builder.graph, ANY_DAY)

    def _near(self, mart: str, keys: Sequence[Sequence[object]]) -> Sequence[Near]:
        grain = self.builder.graph.project.marts[mart].grain
        copies = copies_of(self._queries[mart])
        known = [
            (n, origin)
            for n, name in enumerate(grain)
            if len(copies[name]) == 1
            for origin in copies[name]
        ]
        found = [{name: key[n] for n, name in known} for key in keys[:MOST_KEYS]]
        return [each for each in found if each]


class _Columns:
    """The values of columns as Python lists, each read when it is needed."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._read: dict[tuple[str, tuple[str, ...]], list[object]] = {}

    def __call__(self, source: str, columns: tuple[str, ...]) -> list[object]:
        """Return the values by row: tuples for several columns, None where one is null."""
        key = (source, columns)
        if key not in self._read:
            lists = [self.world.tables[source].column(name).to_pylist() for name in columns]
            rows = [None if None in row else row for row in zip(*lists, strict=True)]
            self._read[key] = [*rows] if len(lists) > 1 else lists[0]
        return self._read[key]

    def present(self, links: Sequence[Link]) -> tuple[Link, ...]:
        """Return the links whose sources are both present."""
        known = self.world.tables
        return tuple(each for each in links if each.child in known and each.parent in known)


class _Reduction:
    """Leaves out rows of the best world, until none can be."""

    def __init__(self, search: Search, links: Sequence[Link], read: Collection[str]) -> None:
        self.search = RowSearch(search)
        self.columns = _Columns(self.search.whole)
        self.links = links
        self.followed = self.columns.present(links)
        self.required = tuple(link for link in self.followed if link.is_strict)
        self.order = _looked_up_first(self.search.kept, self.followed)
        self.read = read

    def run(self, near: Sequence[Near] = ()) -> None:
        """Leave out rows: all but those near a difference, then entities, then single rows."""
        self._keeps(self.search.kept)
        for each in near:
            seeds = _seeds(each, self.links, self.columns)
            found = _neighbourhood(seeds, self.columns, self.followed)
            if any(seeds.values()) and self._keeps(found):
                break
        for followed in dict.fromkeys((self.followed, self.required)):
            while sum(self._reduced(name, followed) for name in self.order if name in self.read):
                pass

    def _reduced(self, name: str, followed: Sequence[Link]) -> bool:
        """Leave out rows of a source in ever smaller pieces, each with the rows that look it up."""
        is_reduced, size = False, len(self.search.kept[name])
        while size:
            for piece in _pieces(self.search.kept[name], size):
                kept = self.search.kept
                dropped = {*piece}.intersection(kept[name])
                if dropped and self._keeps(_without(kept, name, dropped, followed, self.columns)):
                    is_reduced = True
            size = min(size, len(self.search.kept[name])) // 2
        return is_reduced

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


# Rows near a difference


def _seeds(near: Near, links: Sequence[Link], columns: _Columns) -> dict[str, set[int]]:
    """Return the rows that have all given values, in these columns or in those of their class."""
    seeds: dict[str, set[int]] = {}
    for name, value in near.items():
        for source, column in sorted(class_of(name, links)):
            if source in columns.world.tables:
                values = columns(source, (column,))
                rows = {row for row, each in enumerate(values) if each == value}
                seeds[source] = seeds[source] & rows if source in seeds else rows
    return seeds


def _neighbourhood(seeds: Mapping[str, set[int]], columns: _Columns, links: Sequence[Link]) -> Kept:
    """Return rows, those that look them up, and those that any of these look up."""
    found = {name: set(seeds.get(name, ())) for name in columns.world.tables}
    upward = [((link.child, link.columns), (link.parent, link.parent_columns)) for link in links]
    for steps in ([step[::-1] for step in upward], upward):
        while any(_follow(found, columns, *step) for step in steps):
            pass
    return {name: sorted(rows) for name, rows in found.items()}


def _follow(
    found: dict[str, set[int]],
    columns: _Columns,
    start: tuple[str, tuple[str, ...]],
    end: tuple[str, tuple[str, ...]],
) -> bool:
    """Add the rows at the end of a step that have values of those found at its start."""
    values, others = columns(*start), columns(*end)
    wanted = {values[row] for row in found[start[0]]} - {None}
    new = {row for row, value in enumerate(others) if value in wanted} - found[end[0]]
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


def _pieces(rows: Sequence[int], size: int) -> Iterator[Sequence[int]]:
    """Yield consecutive pieces of rows, the last first."""
    for start in reversed(range(0, len(rows), size)):
        yield rows[start : start + size]


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
