"""Worlds that hypothesis draws: a few rows of each source, from the domains of its columns.

Nothing is filtered: keys follow from positions, and each list begins with its plainest value, so
that a failing world shrinks to a few readable rows. This module alone needs hypothesis.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

from hypothesis import HealthCheck, Phase, given, reject, settings
from hypothesis import strategies as st
from hypothesis.configuration import set_hypothesis_home_dir

from marts.core.analysis.links import Link
from marts.core.authoring.proofs import ForProof, Strategy
from marts.core.authoring.tables import Source
from marts.core.errors import DefinitionError, MartsError, did_you_mean
from marts.core.project.graph import Graph
from marts.core.proof.building import WorldBuilder
from marts.core.proof.corpora import called
from marts.core.proof.corpus import AS_OF, Generator
from marts.core.proof.generated import Blueprint, Row, Rows, table_of
from marts.core.proof.slices import Slices
from marts.core.proof.worlds import World
from marts.core.run.world_engine import WorldEngine

DATES = (
    AS_OF,
    datetime.date(2024, 2, 29),
    datetime.date(2024, 12, 31),
    datetime.date(2025, 3, 1),
)
"""What no constant in a mart says: ends of months and of years, leap days."""
MOST_GROUPS, MOST_ROWS = 6, 4
MOST_POSITIONS = 6
MOST_ENDS, LARGEST_PART = 20_000, 40
Drawn = TypeVar("Drawn")
UNKNOWN = -1
"""A reference to a row that does not exist; None refers to none."""


def drawn_worlds(
    graph: Graph,
    engine: WorldEngine,
    declared: Iterable[ForProof] = (),
    *,
    dates: Sequence[datetime.date] = DATES,
) -> st.SearchStrategy[World]:
    """Return a strategy of small worlds of a project, as of one of some dates.

    The error-level checks of its sources hold in them, which the engine makes. What only warns may
    be broken. Optional sources may be absent. Rows of a source with a strategy among what the
    project declares have its values. Raises DefinitionError for a strategy of an unknown source.
    """
    generator = Generator(WorldBuilder(graph, engine))
    strategies = _strategies(graph, declared)

    @cache
    def as_of(day: datetime.date) -> st.SearchStrategy[World]:
        return _worlds(generator, strategies, day) | _slices(generator, day)

    @st.composite
    def worlds(draw: st.DrawFn) -> World:
        # A strategy of its own, because the lists of values are too long for hypothesis to show.
        return draw(as_of(draw(st.sampled_from(dates))))

    return worlds()


def _strategies(graph: Graph, declared: Iterable[ForProof]) -> dict[str, Strategy]:
    found: dict[str, Strategy] = {}
    for each in declared:
        if not isinstance(each, Strategy):
            continue
        if each.source not in graph.project.sources:
            raise DefinitionError(
                f"there is a strategy of {each.source}, which is not a source",
                each.location,
                hint=did_you_mean(each.source, graph.project.sources),
            )
        if (other := found.setdefault(each.source, each)) is not each:
            raise DefinitionError(
                f"source {each.source} has two strategies", other.location, each.location
            )
    return found


def _worlds(
    generator: Generator, strategies: Mapping[str, Strategy], as_of: datetime.date
) -> st.SearchStrategy[World]:
    blueprint = generator.blueprint(as_of)
    own = {
        name: called(each, f"the strategy of {name}", generator.graph, as_of)
        for name, each in strategies.items()
    }
    groups = {
        name: _groups(blueprint, blueprint.sources[name], own.get(name))
        for name in blueprint.order()
    }

    def world(drawn: Mapping[str, Sequence[_Group] | None]) -> World:
        rows: dict[str, list[Row]] = {}
        for name in blueprint.order():
            rows[name] = _Drawn(blueprint, blueprint.sources[name], rows).of(drawn[name] or ())
        try:
            rows = generator.repaired(rows, as_of)
        except MartsError:
            # A check that no dropped row repairs, such as one of a sum.
            reject()
        present = [name for name in blueprint.sources if drawn[name] is not None]
        tables = {name: table_of(blueprint.sources[name], rows[name]) for name in present}
        return World(tables, as_of, "drawn")

    return st.fixed_dictionaries(groups).map(world)


def _slices(generator: Generator, as_of: datetime.date) -> st.SearchStrategy[World]:
    """Draw a part of the generic corpus, in which rows meet thresholds together.

    It is so many groups up to an end: each number shrinks without the other, until the part is the
    one group that matters.
    """

    @cache
    def slices() -> Slices:
        tables = generator.tables(generator.blueprint(as_of), as_of)
        rows = {name: table.to_pylist() for name, table in tables.items()}
        return Slices(generator.blueprint(as_of), rows)

    def world(end: int, size: int) -> World:
        groups = slices().groups
        last = end % (len(groups) + 1)
        rows = slices().of(groups[max(0, last - size) : last])
        rows = generator.repaired(rows, as_of)
        tables = {name: table_of(source, rows[name]) for name, source in generator.sources.items()}
        return World(tables, as_of, "part of the generic corpus")

    return st.builds(world, st.integers(0, MOST_ENDS), st.integers(0, LARGEST_PART))


def draw(worlds: st.SearchStrategy[Drawn], number: int, each: Callable[[Drawn], bool]) -> None:
    """Call a function on worlds, the same ones in every process, until it returns false."""

    @settings(
        max_examples=number,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(world=worlds)
    def drawn(world: Drawn) -> None:
        if not each(world):
            raise _EnoughError

    # Returning would not keep hypothesis from drawing the rest.
    with _storage_elsewhere(), suppress(_EnoughError):
        drawn()


@contextmanager
def _storage_elsewhere() -> Iterator[None]:
    """Keep hypothesis from leaving a folder where the command is called."""
    with TemporaryDirectory(prefix="marts_hypothesis_") as folder:
        set_hypothesis_home_dir(folder)
        try:
            yield
        finally:
            set_hypothesis_home_dir(None)


class _EnoughError(Exception):
    """No more worlds are wanted."""


@dataclass(frozen=True)
class _Group:
    """Rows that refer to the same row of their main parent; `numbers` has those that meet.

    `rows` has what makes each row apart from this: positions of other parents, by link, and values.
    """

    parent: int | None
    numbers: tuple[str, tuple[Any, ...]]
    rows: Sequence[tuple[Mapping[Link, int | None], Row]]


def _groups(
    blueprint: Blueprint, source: Source, own: st.SearchStrategy[Row] | None
) -> st.SearchStrategy[Sequence[_Group] | None]:
    main = blueprint.main.get(source.name)
    domains = {c.name: blueprint.domains[source.name, c.name] for c in source.columns}
    links = [each for each in blueprint.links if each.child == source.name and each != main]
    values = {
        name: st.sampled_from((*domain.values, None) if domain.null else domain.values)
        for name, domain in domains.items()
    }
    row = st.fixed_dictionaries(values)
    labelled = _labelled(blueprint, source)
    if own is None and labelled:
        return st.just([_Group(None, ("", ()), [({}, each)]) for each in labelled])
    if own is not None:
        row = st.builds(lambda generic, given: {**generic, **given}, row, own)
    positions = st.fixed_dictionaries({link: _positions(blueprint, link) for link in links})
    together = [
        (name, numbers)
        for name, domain in domains.items()
        for numbers in sorted(domain.groups, key=len)
        if numbers
    ]
    group = st.builds(
        _Group,
        parent=_positions(blueprint, main) if main else st.none(),
        numbers=st.sampled_from([("", ()), *together]),
        rows=st.lists(st.tuples(positions, row), min_size=1, max_size=MOST_ROWS),
    )
    found = st.lists(group, max_size=MOST_GROUPS)
    return st.none() | found if source.optional else found


def _labelled(blueprint: Blueprint, source: Source) -> list[Row]:
    """Return a row with each label of a source that only has labels, and one with none of them.

    All of them are in each world, since any may matter.
    """
    linked = {*blueprint.main, *(each.parent for each in blueprint.main.values())}
    if source.name in linked or any(each.child == source.name for each in blueprint.links):
        return []
    domains = {c.name: blueprint.domains[source.name, c.name] for c in source.columns}
    plain = {name: domain.values[0] for name, domain in domains.items()}
    return [
        {**plain, name: label}
        for name, domain in domains.items()
        if domain.labels
        for label in domain.values
    ]


def _positions(blueprint: Blueprint, link: Link) -> st.SearchStrategy[int | None]:
    source, parent = blueprint.sources[link.child], blueprint.sources[link.parent]
    count = max(MOST_POSITIONS, len(_labelled(blueprint, parent)))
    nullable = all(c.null for c in source.columns if c.name in link.columns)
    others = [*([] if link.is_strict else [UNKNOWN]), *([None] if nullable else [])]
    return st.sampled_from((*range(count), *others))


class _Drawn(Rows):
    """Makes the rows of a source from drawn groups and the rows of its parents."""

    def of(self, groups: Iterable[_Group]) -> list[Row]:
        """Return the rows, without those that lack a value."""
        grouping = self.blueprint.grouping.get(self.source.name, ())
        filled = [name for name, domain in self.columns.items() if not domain.null]
        rows = []
        for group in groups:
            fixed = {name: self._next(name) for name in grouping}
            if self.main:
                fixed |= self._referring(self.main, group.parent)
            rows += self._rows_of(group, fixed)
        return [row for row in rows if all(row[name] is not None for name in filled)]

    def _rows_of(self, group: _Group, fixed: Row) -> list[Row]:
        column, numbers = group.numbers
        rows = []
        for n in range(len(numbers) or len(group.rows)):
            positions, values = group.rows[n % len(group.rows)]
            row = {**values, **fixed}
            for link in self.links:
                if link in positions and not set(link.columns) & fixed.keys():
                    row |= self._referring(link, positions[link])
            if numbers:
                row[column] = numbers[n]
            for name in self.columns:
                is_linked = any(name in link.columns for link in self.links)
                if name in self.unique and not is_linked:
                    row[name] = self._next(name)
                elif any(name in key for key in self.keys) and not is_linked:
                    row[name] = self.columns[name].new(n)
            rows.append({name: row[name] for name in self.columns})
        return rows

    def _referring(self, link: Link, position: int | None) -> Row:
        """Return the columns of a link to the parent at a position, or to none."""
        keys = self.parents[link].keys
        if position is None:
            return dict.fromkeys(link.columns)
        if position == UNKNOWN or not keys:
            return {name: self._unknown(name, 0) for name in link.columns}
        return dict(zip(link.columns, keys[position % len(keys)], strict=True))
