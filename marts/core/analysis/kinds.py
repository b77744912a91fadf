"""Kinds of lineage, as OpenLineage defines them, and what follows from one step after another."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import Enum

from marts.core.analysis.lineage import Name


class Kind(Enum):
    """How a column depends on another: its values are made of it (direct), or it decides them."""

    IDENTITY = "identity"
    """The value is taken as it is, from one row."""
    TRANSFORMATION = "transformation"
    """The value is computed from values of one row."""
    AGGREGATION = "aggregation"
    """The value is computed from values of many rows."""
    FILTER = "filter"
    """It decides which rows there are, or which rows are summed up."""
    JOIN = "join"
    """It decides which rows are joined."""
    GROUP_BY = "group_by"
    """It decides which rows are one group, or one row of several equal ones."""
    SORT = "sort"
    """It decides which rows come first, where only some are taken."""
    WINDOW = "window"
    """It decides which rows a window has, or their order in it."""
    CONDITIONAL = "conditional"
    """It decides which of several values is taken."""

    @property
    def is_direct(self) -> bool:
        """Whether values are made of the column, and not only decided by it."""
        return self in DIRECT

    def __lt__(self, other: Kind) -> bool:
        """Tell whether it comes first: from identity to aggregation, then the indirect kinds."""
        return ORDER[self] < ORDER[other]


DIRECT = frozenset({Kind.IDENTITY, Kind.TRANSFORMATION, Kind.AGGREGATION})
ORDER = {kind: number for number, kind in enumerate(Kind)}

Edges = Mapping[Name, frozenset[Kind]]
"""The columns on which something depends, each with the kinds of the dependence."""

ROWS = "*"
"""Stands for the rows of a table: which there are, whatever is in them."""
COUNTED = "#"
"""Stands for the number of a table's rows, where a value counts them."""
MADE: Name = ("", "=")
"""Stands for a value that is in no column: a constant, or one that is made of rows alone."""
NO_COLUMN: Edges = {MADE: frozenset({Kind.IDENTITY})}


def then(first: Kind, last: Kind) -> Kind:
    """Return the kind of two steps, the last of which is nearer to the result.

    The greater of two direct kinds; else the indirect kind, of two the one nearer to the result.
    """
    if last.is_direct and first.is_direct:
        return max(first, last)
    return first if last.is_direct else last


def used(last: Kind, edges: Edges) -> Edges:
    """Return on what a result depends that uses, in a way of kind `last`, what depends on `edges`.

    Which rows a table has is as it is, whatever values are computed from them.
    """
    if last is Kind.IDENTITY:
        return edges
    return {
        name: kinds
        if last.is_direct and name[1] == ROWS
        else frozenset(then(each, last) for each in kinds)
        for name, kinds in edges.items()
    }


def merged(several: Iterable[Edges]) -> Edges:
    """Return the edges of all, with all their kinds."""
    found: dict[Name, frozenset[Kind]] = {}
    for edges in several:
        for name, kinds in edges.items():
            found[name] = found[name] | kinds if name in found else kinds
    return found


def of_columns(edges: Edges) -> dict[Name, frozenset[Kind]]:
    """Return the edges to columns, without those to the rows of tables and to made values."""
    others = (ROWS, COUNTED, MADE[1])
    return {name: kinds for name, kinds in edges.items() if name[1] not in others}


def direct(edges: Edges) -> dict[Name, frozenset[Kind]]:
    """Return the edges to what values are made of, each with its direct kinds."""
    return {name: found for name, kinds in edges.items() if (found := kinds & DIRECT)}


def without(edges: Edges, others: Edges) -> dict[Name, frozenset[Kind]]:
    """Return the edges that are not among others, each with the kinds that are not."""
    left = {name: kinds - others.get(name, frozenset()) for name, kinds in edges.items()}
    return {name: kinds for name, kinds in left.items() if kinds}
