"""The smallest world on which something still differs: delta debugging over linked rows.

Whole entities go first: a row takes the rows with it that look it up. What is left is tried row by
row, and then its values are made simple.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import cached_property

import ibis.expr.operations as ops

from marts.core.analysis.column_lineage import ANY_DAY, columns_read, copies_of
from marts.core.analysis.links import links_of
from marts.core.analysis.thresholds import queries_over_sources
from marts.core.authoring.expressions import FixedAsOf
from marts.core.project.graph import Graph
from marts.core.proof.building import WorldBuilder
from marts.core.proof.conformity import conforming
from marts.core.proof.corpus import grouping_columns
from marts.core.proof.reduction import Near, Reduction, Related
from marts.core.proof.search import OutOfTimeError, Search
from marts.core.proof.simplifying import merge, simplify
from marts.core.proof.worlds import World

MOST_KEYS = 64
"""Around so many rows that differ, a smaller world is looked for."""
SECONDS = 10
MOST_ROWS = 100
"""The values of more rows are left as they are: nobody reads them."""


def smallest(
    world: World,
    differs: Callable[[World], bool],
    graph: Graph,
    *,
    seconds: float,
    marts: Collection[str] | None = None,
    near: Sequence[Near] = (),
    holds: Callable[[World], bool] = lambda _: True,
    related: Related | None = None,
) -> World:
    """Return a world with as few rows, and values as simple, as possible on which `differs` holds.

    It must hold on the world that is given, which is returned if nothing smaller is found. Sources
    keep their columns, and absent ones stay absent. Keys and relationships whose checks stop a run
    hold as they did before, and `holds` tells whether the other checks do (see `conforming`). If it
    is `marts` that differ, only rows that a relationship requires are kept of sources that they do
    not read. Rows `near` a difference are tried first, in this order; `related` says which rows
    belong together. Equal worlds give equal results unless time runs out: no try begins after
    `seconds`. What `differs` raises ends the search.
    """
    search = Search(world, differs, holds, seconds)
    related = related or related_rows(graph)
    read = {*world.tables} if marts is None else _sources_read(graph, marts)
    try:
        Reduction(search, related, read).run(near)
        if search.best.rows <= MOST_ROWS:
            for change in (merge, simplify):
                change(search, graph, related.links)
                Reduction(search, related, read).run()
    except OutOfTimeError:
        pass
    return search.best


def _sources_read(graph: Graph, marts: Collection[str]) -> set[str]:
    built = set(marts).union(*map(graph.upstream, marts))
    return {name for each in built for name in graph.project.marts[each].inputs}


def related_rows(graph: Graph) -> Related:
    """Return which rows of a project's sources belong together."""
    links = links_of(graph.project, queries_over_sources(graph, ANY_DAY).values())
    return Related(links, grouping_columns(graph, links, FixedAsOf(ANY_DAY)))


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
            holds=conforming(self.builder, world, self._related.links),
            related=self._related,
        )

    def columns_read(self, mart: str) -> Mapping[str, frozenset[str]]:
        """Return the columns of each source on which a mart depends."""
        return columns_read(self._queries[mart])

    @cached_property
    def _related(self) -> Related:
        return related_rows(self.builder.graph)

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
