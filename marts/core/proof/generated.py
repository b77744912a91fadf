"""Rows of all sources, drawn from their domains along their links: many small groups of rows.

A group is what marts sum up together: the rows of a source that refer to one row of its main
parent. Its numbers meet thresholds together; its other values are plain, alike or mixed. Nothing
but a seed decides, so equal contracts and marts give equal rows.
"""

from __future__ import annotations

import datetime
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from graphlib import TopologicalSorter
from itertools import chain, count
from typing import Any

import pyarrow as pa

from marts.core.analysis.lineage import Name
from marts.core.analysis.links import Link, keys_of
from marts.core.authoring.tables import Source
from marts.core.proof.domains import Domain
from marts.core.query.contract import schema_of

Row = dict[str, Any]

FEW = 40
"""The rows of a source that no other one sums up."""
LEAST, MOST = 400, 10_000
"""How many groups there are, at least and at most."""
SMALL, LARGE = 40, 1_000
"""How many rows many groups have at most, and a few groups, if so many are counted."""
REPEATS = 20
"""How often the numbers of a group occur, each time with other values beside them."""
UNREFERENCED, RARELY = 2, 0.03
"""How many rows nothing refers to, and how often references are to the other half of the rows."""
ORPHANS, NULLS = 0.05, 0.12
CALM = 0.35
"""The share of groups in which only numbers and references are not plain."""


@dataclass(frozen=True)
class Blueprint:
    """What rows are made from: sources, links, the domains of columns, and counts of rows to meet.

    `main` has the link to its main parent for each source whose rows are summed up. `grouping` has
    the columns of which several rows have the same value, though no other source has them; marts
    sum up the groups of those that are `summed`.
    """

    sources: Mapping[str, Source]
    links: tuple[Link, ...]
    main: Mapping[str, Link]
    domains: Mapping[Name, Domain]
    counts: tuple[int, ...] = ()
    grouping: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    summed: frozenset[str] = frozenset()
    distinct: frozenset[Name] = frozenset()
    """The columns whose values are all different, though no contract says so."""
    required: Mapping[Name, tuple[Any, ...]] = field(default_factory=dict)
    """Values that must occur, because rows that are given refer to them."""
    most: int = MOST
    """The greatest number of groups."""
    seed: str = ""

    def order(self) -> tuple[str, ...]:
        """Return the sources, each after its parents."""
        parents: dict[str, set[str]] = {name: set() for name in self.sources}
        for link in self.links:
            if link.parent != link.child:
                parents[link.child].add(link.parent)
        return tuple(TopologicalSorter(parents).static_order())


class Rows:
    """Makes the rows of one source after another, from those of its parents."""

    def __init__(self, blueprint: Blueprint, source: Source, made: Mapping[str, list[Row]]) -> None:
        self.blueprint = blueprint
        self.source = source
        self.main = blueprint.main.get(source.name)
        self.columns = {c.name: blueprint.domains[source.name, c.name] for c in source.columns}
        seed = blueprint.seed + source.name
        self.rng = random.Random(seed)  # noqa: S311  (rows, not secrets)
        self.keys = keys_of(source)
        self.in_key = {name for key in self.keys for name in key}
        grouping = blueprint.grouping.get(source.name, ())
        self.unique = {key[0] for key in self.keys if len(key) == 1} | {
            name
            for name, domain in self.columns.items()
            if (source.name, name) in blueprint.distinct
            and not (name in grouping or domain.groups or domain.column.values)
        }
        own = [link for link in blueprint.links if link.child == source.name]
        # Several columns at once first: they decide what their single columns refer to.
        self.links = sorted(own, key=lambda link: (link != self.main, -len(link.columns)))
        self.parents = {
            link: _Parents(
                link, self._parent_rows(link, made), self.rng, self._labels_of(link.parent)
            )
            for link in self.links
        }
        self.new = {name: self._new_values(name) for name in self.columns}
        self.patterned = [name for name, domain in self.columns.items() if domain.groups]

    def _labels_of(self, parent: str) -> int:
        """Return how many of a source's first rows have labels that marts compare with."""
        domains = self.blueprint.domains
        return max(len(its.labels) for (name, _), its in domains.items() if name == parent)

    def _parent_rows(self, link: Link, made: Mapping[str, list[Row]]) -> list[Row]:
        """Return the rows of a parent; of the source itself, the keys of the first rows to come."""
        if link.parent != self.source.name:
            return made.get(link.parent, [])
        return [{name: each.new(n) for name, each in self.columns.items()} for n in range(4)]

    def make(self) -> list[Row]:
        """Return the rows; those at thresholds of their own columns come first."""
        filled = [name for name, domain in self.columns.items() if not domain.null]
        rows = (row for group in self._groups() for row in group)
        return [row for row in rows if all(row[name] is not None for name in filled)]

    def _groups(self) -> Iterator[list[Row]]:
        sizes = self._sizes()
        for n, fixed in enumerate(self._entities()):
            yield self._group(fixed, n, sizes)

    def _entities(self) -> Iterator[Row]:
        """Yield what all rows of each group have in common."""
        grouping = self.blueprint.grouping.get(self.source.name, ())
        if self.main and self.main.child != self.main.parent:
            columns = self.main.columns
            for n, key in enumerate(self.parents[self.main].keys):
                yield dict(zip(columns, key, strict=True))
                if not self.main.is_strict and n % 40 == 0:
                    yield {name: self._unknown(name, n) for name in columns}
        else:
            for _ in range(self._count()):
                yield {name: self._next(name) for name in grouping}

    def _count(self) -> int:
        """Return the number of groups of a source without a main parent."""
        below, found = {self.source.name}, 0
        while True:
            more = {child for child, link in self.blueprint.main.items() if link.parent in below}
            if more <= below:
                break
            below |= more
        for (table, _), domain in self.blueprint.domains.items():
            found = max(found, len(domain.groups) if table in below else 0)
        required = [
            len(values)
            for (table, _), values in self.blueprint.required.items()
            if table == self.source.name
        ]
        is_alone = len(below) == 1 and not found and not below & self.blueprint.summed
        most = self._few() if is_alone else max(found * REPEATS, LEAST)
        return max(min(most, self.blueprint.most), *required, 0)

    def _few(self) -> int:
        """Return how many rows are enough: of a source that nothing refers to, of each value some.

        Its rows are then not found in the groups of another one.
        """
        if any(link.parent == self.source.name for link in self.blueprint.links):
            return FEW
        longest = max(len(domain.values) for domain in self.columns.values())
        return max(FEW, REPEATS * longest)

    def _sizes(self) -> Callable[[int], int]:
        linked = set(self.main.columns if self.main else ())
        if any(set(key) <= linked for key in self.keys):
            return lambda n: int(n % 3 > 0)
        if self.main is None and self.source.name not in self.blueprint.summed:
            few = self.source.name in self.blueprint.grouping
            return lambda n: (1, 1, 2, 1, 3)[n % 5] if few else 1
        near = [each + step for each in self.blueprint.counts for step in (-1, 0, 1, 2)]
        sizes = [0, 1, 1, 1, 2, 2, 3, 4, *(each for each in near if 0 <= each <= SMALL)]
        large = dict(enumerate(each for each in near if SMALL < each <= LARGE))
        return lambda n: large.get(n) or self.rng.choice(sizes)

    def _group(self, fixed: Row, n: int, sizes: Callable[[int], int]) -> list[Row]:
        numbers: dict[str, tuple[Any, ...]] = {}
        size = sizes(n)
        is_summed = self.main or self.source.name in self.blueprint.summed
        if self.patterned and is_summed and n % 20 and size <= SMALL:
            name = self.patterned[n % len(self.patterned)]
            every = self.columns[name].groups
            numbers[name] = every[(n * 7) % len(every)]
            size = len(numbers[name])
        is_calm = size > SMALL or self.rng.random() < CALM
        makers = {
            name: self._maker(name, is_calm=is_calm)
            for name in self.columns
            if name not in fixed and name not in numbers
        }
        picks = {
            link: self._mode(self.parents[link].pick, self.parents[link].first, is_calm=is_calm)
            for link in self.links
        }
        rows = []
        for position in range(size):
            row = dict(fixed)
            for link in self.links:
                self._refer(row, link, partial(picks[link], position))
            for name, given in numbers.items():
                row[name] = given[position]
            for name, maker in makers.items():
                if name not in row:
                    row[name] = maker(position)
            rows.append({name: row[name] for name in self.columns})
        return rows

    def _refer(self, row: Row, link: Link, pick: Callable[[], Sequence[Any] | None]) -> None:
        """Fill in the columns of a link, from one row of the parent."""
        open_ = [name for name in link.columns if name not in row]
        if not open_ or (len(open_) < len(link.columns)):
            return
        nullable = all(self.columns[name].null for name in open_)
        chance = self.rng.random()
        if nullable and chance < NULLS:
            row.update(dict.fromkeys(open_))
            return
        if not link.is_strict and chance > 1 - ORPHANS * len(open_):
            if len(open_) == 1:
                row[open_[0]] = self._unknown(open_[0], 0)
            return
        key = pick()
        if key is not None:
            row.update(zip(link.columns, key, strict=True))

    def _unknown(self, name: str, n: int) -> Any:
        match self.columns[name].new(0):
            case str():
                return f"unknown{n}"
            case datetime.date():
                return self.columns[name].new(-5_000 - n)
            case _:
                return self.columns[name].new(900_000 + n)

    def _maker(self, name: str, *, is_calm: bool) -> Callable[[int], Any]:
        """Return what makes the values of a column in one group, by the position of the row."""
        domain = self.columns[name]
        if name in self.unique:
            return lambda _: self._next(name)
        if name in self.in_key:
            # Part of a key: the row's position in its group.
            return domain.new
        draw: Callable[[], Any] = lambda: self.rng.choice(domain.values)  # noqa: E731
        if domain.spots and self.rng.random() < 0.35:
            return self._successive(domain)
        if is_calm or self.rng.random() < CALM:
            return lambda _: domain.values[0]
        mode = self._mode(draw)
        if domain.null:
            return lambda position: None if self.rng.random() < NULLS else mode(position)
        return mode

    def _successive(self, domain: Domain) -> Callable[[int], Any]:
        """Return what puts rows into one interval between thresholds after another.

        The first one may be anywhere.
        """
        spots, start = domain.spots, self.rng.randrange(len(domain.spots))
        if self.rng.random() < 0.4:
            first, start = self.rng.choice(domain.values), start - 1
            return lambda n: spots[min(start + n, len(spots) - 1)] if n else first
        return lambda n: spots[min(start + n, len(spots) - 1)]

    def _mode(
        self,
        draw: Callable[[], Any],
        draw_first: Callable[[], Any] | None = None,
        *,
        is_calm: bool = False,
    ) -> Callable[[int], Any]:
        """Return a way to draw the values of a group: all alike, the first apart, or any."""
        chance = self.rng.random()
        if chance < 0.3:
            value = draw()
            return lambda _: value
        if chance < (0.9 if is_calm else 0.5):
            first, others = (draw_first or draw)(), draw()
            return lambda position: others if position else first
        return lambda _: draw()

    def _next(self, name: str) -> Any:
        return next(self.new[name])

    def _new_values(self, name: str) -> Iterator[Any]:
        required = self.blueprint.required.get((self.source.name, name), ())
        met = set[Any]()
        for each in chain(required, map(self.columns[name].new, count())):
            # After the last value, there is only null.
            if each is None or each not in met:
                met.add(each)
                yield each


class _Parents:
    """The keys of a parent's rows, to refer to: often the first half, rarely the other.

    The first `special` of them have labels that marts compare with.
    """

    def __init__(
        self, link: Link, rows: Sequence[Row], rng: random.Random, special: int = 0
    ) -> None:
        every = dict.fromkeys(tuple(row[name] for name in link.parent_columns) for row in rows)
        self.keys = [key for key in every if None not in key]
        self.rng = rng
        self.special = self.keys[:special]
        self.half = len(self.keys) if len(self.keys) <= 12 else len(self.keys) // 2

    def first(self) -> Sequence[Any] | None:
        """Return the key of a row that is told apart, if there are any."""
        return self.rng.choice(self.special) if self.special else self.pick()

    def pick(self) -> Sequence[Any] | None:
        """Return the key of a row; None if there is none."""
        if not self.keys:
            return None
        if self.half < len(self.keys) and self.rng.random() < RARELY:
            return self.rng.choice(self.keys[self.half : -UNREFERENCED])
        share = self.rng.random()
        return self.keys[int(self.half * (share if self.half <= 12 else share * share))]


def mixed(source: Source, rows: Sequence[Row]) -> list[Row]:
    """Return rows in an order in which no column is sorted."""
    random.Random(source.name).shuffle(found := list(rows))  # noqa: S311
    return found


def table_of(source: Source, rows: Sequence[Row]) -> pa.Table:
    """Return rows as a table of the contract's types."""
    return pa.Table.from_pylist(list(rows), schema_of(source.columns).to_pyarrow())
