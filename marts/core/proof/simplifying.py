"""Make the values of a small world simple, as long as something still differs on it."""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias, TypeVar

import pyarrow as pa

from marts.core.analysis.declared_keys import declared_keys
from marts.core.analysis.lineage import Name
from marts.core.analysis.links import Link
from marts.core.project.graph import Graph
from marts.core.proof.search import Search
from marts.core.proof.simple_values import fits, simple_values, simpler_values

Unit = TypeVar("Unit")
Values: TypeAlias = Mapping[Name, Sequence[Any]]
"""The values of columns, by row."""


def class_of(column: Name, links: Sequence[Link]) -> frozenset[Name]:
    """Return the columns that have values in common with a column, which is among them."""
    found, is_growing = {column}, True
    while is_growing:
        pairs = [{*pair} for link in links for pair in _pairs(link)]
        more = set[Name]().union(*(pair for pair in pairs if pair & found))
        is_growing = not more <= found
        found |= more
    return frozenset(found)


def _pairs(link: Link) -> Iterator[tuple[Name, Name]]:
    for own, other in zip(link.columns, link.parent_columns, strict=True):
        yield (link.child, own), (link.parent, other)


def simplify(search: Search, graph: Graph, links: Sequence[Link]) -> None:
    """Make values simple: of whole columns if possible, else of cells; and rename keys.

    Values are those that the contracts allow. Keys stay unique, and relationships whose checks stop
    a run hold as before.
    """
    trial = _Trial(search, graph, links)
    free = [name for name in trial.values if name not in trial.identifying]
    _in_groups(free, lambda some: trial.takes(_all_simple(trial, some)))
    for name in sorted(trial.identifying):
        trial.takes(_renamed(trial, class_of(name, links)))
    cells = [(name, row) for name in free for row in range(len(trial.values[name]))]
    _in_groups(cells, lambda some: trial.takes(_cells_simple(trial, some)))
    for name, row in cells:
        value = trial.values[name][row]
        for simpler in simpler_values(trial.columns[name], value, trial.as_of):
            if trial.takes({name: _replaced(trial.values[name], {row: simpler})}):
                break


def merge(search: Search, graph: Graph, links: Sequence[Link]) -> None:
    """Let rows look up the same row, so that the others may become needless."""
    trial = _Trial(search, graph, links)
    by_target: dict[tuple[str, tuple[str, ...]], list[Link]] = {}
    for link in links:
        if {link.child, link.parent} <= trial.schemas.keys():
            by_target.setdefault((link.parent, link.parent_columns), []).append(link)
    for target, several in by_target.items():

        def takes(some: Sequence[Link], target: tuple[str, tuple[str, ...]] = target) -> bool:
            return trial.takes(_merged(trial, some, *target))

        _in_groups(several, takes)


def _in_groups(units: Sequence[Unit], takes: Callable[[Sequence[Unit]], bool]) -> None:
    """Try all units at once, then halves of those that cannot be taken together."""
    if units and not takes(units) and len(units) > 1:
        half = len(units) // 2
        _in_groups(units[:half], takes)
        _in_groups(units[half:], takes)


class _Trial:
    """The values of a search's best world, and other values to try in their place."""

    def __init__(self, search: Search, graph: Graph, links: Sequence[Link]) -> None:
        self._search = search
        self.as_of: datetime.date = search.best.as_of
        tables = search.best.tables
        self.schemas = {name: table.schema for name, table in tables.items()}
        self.values: dict[Name, Sequence[Any]] = {
            (name, column): table.column(column).to_pylist()
            for name, table in tables.items()
            for column in table.column_names
        }
        self.columns = {
            (name, column.name): column
            for name in tables
            for column in graph.project.sources[name].columns
        }
        known = declared_keys(graph.project).of_all_rows
        self.keys = [(name, tuple(sorted(key))) for name in tables for key in known[name]]
        self.required = [
            link
            for link in links
            if link.is_strict and link.child in tables and link.parent in tables
        ]
        single = {(name, key[0]) for name, key in self.keys if len(key) == 1}
        linked = {name for link in links for pair in _pairs(link) for name in pair}
        self.identifying = (single | linked) & self.values.keys()

    def takes(self, changed: Values) -> bool:
        """Try other values; if something differs, they are the values from now on."""
        changed = {name: new for name, new in changed.items() if new != self.values[name]}
        if not changed:
            return True
        values = {**self.values, **changed}
        before, after = self._flaws(self.values), self._flaws(values)
        if any(new > old for new, old in zip(after, before, strict=True)):
            return False
        if not self._search.takes({**self._search.best.tables, **self._tables(values, changed)}):
            return False
        self.values = values
        return True

    def _tables(self, values: Values, changed: Iterable[Name]) -> dict[str, pa.Table]:
        return {
            source: pa.table(
                [pa.array(values[source, name], schema.field(name).type) for name in schema.names],
                schema=schema,
            )
            for source in sorted({name[0] for name in changed})
            for schema in (self.schemas[source],)
        }

    def _flaws(self, values: Values) -> list[int]:
        """Return how many rows repeat each key, and how many have no row that they must find."""
        repeated = [
            sum(count - 1 for count in Counter(_rows(values, *key)).values()) for key in self.keys
        ]
        lost = [
            sum(
                value not in {*_rows(values, link.parent, link.parent_columns)}
                for value in _rows(values, link.child, link.columns)
            )
            for link in self.required
        ]
        return [*repeated, *lost]


def _rows(values: Values, source: str, columns: Sequence[str]) -> Iterator[tuple[Any, ...]]:
    """Yield the values of columns in each row in which none is null."""
    for row in zip(*(values[source, column] for column in columns), strict=True):
        if None not in row:
            yield row


def _replaced(values: Sequence[Any], new: Mapping[int, Any]) -> list[Any]:
    return [new.get(row, value) for row, value in enumerate(values)]


def _merged(trial: _Trial, links: Sequence[Link], target: str, columns: Sequence[str]) -> Values:
    """Return columns in which all rows look up the first row of a target."""
    first = next(_rows(trial.values, target, columns), None)
    if first is None:
        return {}
    return {
        (link.child, name): [None if each is None else value for each in values]
        for link in links
        for name, value in zip(link.columns, first, strict=True)
        for values in (trial.values[link.child, name],)
    }


def _all_simple(trial: _Trial, names: Sequence[Name]) -> Values:
    """Return the simplest value for every row of columns."""
    found = {}
    for name in names:
        simple = simple_values(trial.columns[name], trial.as_of)
        if simple:
            found[name] = [simple[0]] * len(trial.values[name])
    return found


def _cells_simple(trial: _Trial, cells: Sequence[tuple[Name, int]]) -> Values:
    """Return columns with the simplest value in some cells."""
    rows: dict[Name, dict[int, Any]] = {}
    for name, row in cells:
        if simple := simple_values(trial.columns[name], trial.as_of):
            rows.setdefault(name, {})[row] = simple[0]
    return {name: _replaced(trial.values[name], new) for name, new in rows.items()}


def _renamed(trial: _Trial, names: frozenset[Name]) -> Values:
    """Return columns of keys with short names in place of their values, in the same order."""
    present = sorted(name for name in names if name in trial.values)
    columns = [trial.columns[name] for name in present]
    known = {value for name in present for value in trial.values[name] if value is not None}
    if not known or len({column.type for column in columns}) != 1:
        return {}
    kind = type(next(iter(known)))
    if kind not in (int, str) or any(type(value) is not kind for value in known):
        return {}
    initial = min(column.name for column in columns)[0]
    numbers = {value: number for number, value in enumerate(sorted(known), start=1)}
    short = {
        value: number if kind is int else f"{initial}{number}" for value, number in numbers.items()
    }
    if not all(fits(column, value) for column in columns for value in short.values()):
        return {}
    return {
        name: [None if value is None else short[value] for value in trial.values[name]]
        for name in present
    }
