"""Parts of a world: some rows of its main source, with the rows that belong to them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from marts.core.analysis.links import Link
from marts.core.proof.generated import Blueprint, Row


class Slices:
    """A world's rows by what marts sum up: a row of the main source, or those of one group."""

    def __init__(self, blueprint: Blueprint, rows: Mapping[str, Sequence[Row]]) -> None:
        self.blueprint = blueprint
        self._rows = rows
        self._children: dict[Link, dict[tuple[Any, ...], list[Row]]] = {}
        self._parents: dict[Link, dict[tuple[Any, ...], list[Row]]] = {}
        for link in blueprint.links:
            self._children[link] = _indexed(rows[link.child], link.columns)
            self._parents[link] = _indexed(rows[link.parent], link.parent_columns)
        self.root = self._main_source()
        grouping = blueprint.grouping.get(self.root, ())
        self.groups = (
            [*_indexed(rows[self.root], grouping).values()]
            if grouping
            else [[row] for row in rows[self.root]]
        )

    def _main_source(self) -> str:
        """Return the source without a main parent that has the most rows."""
        roots = [name for name in self._rows if name not in self.blueprint.main]
        return max(roots or self._rows, key=lambda name: len(self._rows[name]))

    def of(self, groups: Iterable[Sequence[Row]]) -> dict[str, list[Row]]:
        """Return the rows of some groups, those that they are the main parents of, and parents."""
        found: dict[str, dict[int, Row]] = {name: {} for name in self._rows}
        below = [(self.root, row) for group in groups for row in group]
        for name, row in below:
            found[name][id(row)] = row
            below += [
                (link.child, child)
                for link in self.blueprint.main.values()
                if link.parent == name
                for child in self._children[link].get(_key(row, link.parent_columns), ())
                if id(child) not in found[link.child]
            ]
        above = [(name, row) for name, its in found.items() for row in its.values()]
        for name, row in above:
            for link in self.blueprint.links:
                if link.child == name:
                    for parent in self._parents[link].get(_key(row, link.columns), ()):
                        if id(parent) not in found[link.parent]:
                            found[link.parent][id(parent)] = parent
                            above.append((link.parent, parent))
        return {name: list(its.values()) for name, its in found.items()}


def _indexed(rows: Iterable[Row], columns: Sequence[str]) -> dict[tuple[Any, ...], list[Row]]:
    found = defaultdict[tuple[Any, ...], list[Row]](list)
    for row in rows:
        found[_key(row, columns)].append(row)
    return found


def _key(row: Row, columns: Sequence[str]) -> tuple[Any, ...]:
    return tuple(row[name] for name in columns)
