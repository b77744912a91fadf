"""The edges of the catalogue's lineage: between neighbouring tables, as far as these suffice."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from marts.core.analysis.column_lineage import Edges, Kind, Name, ProjectLineage
from marts.core.catalog.pages import ColumnEdge

Reached = dict[Name, set[bool]]
"""The columns behind one, each with whether it is reached directly, indirectly, or both."""


def edges_of(lineage: ProjectLineage) -> tuple[ColumnEdge, ...]:
    """Return the edges to the columns of each mart from those of its inputs.

    Following them leads to all that a column depends on. A column that counts the rows of a mart
    depends on what decides these, and on no column of the mart itself: it has edges of its own.
    """
    found: list[ColumnEdge] = []
    behind: dict[Name, Reached] = {}
    for mart in lineage.own:
        for column, edges in lineage.inputs(mart).items():
            to = mart, column
            found += _edges(edges, to)
            behind[to] = _reached(edges, behind)
            rest = dict(_missing(lineage.upstream(mart, column), behind[to]))
            found += _edges(rest, to)
            for name, kinds in rest.items():
                behind[to].setdefault(name, set()).update(kind.is_direct for kind in kinds)
    return tuple(found)


def _edges(edges: Edges, to: Name) -> Iterator[ColumnEdge]:
    for (table, column), kinds in edges.items():
        for is_direct in (True, False):
            names = tuple(kind.value for kind in sorted(kinds) if kind.is_direct is is_direct)
            if names:
                yield ColumnEdge(
                    from_table=table,
                    from_column=column,
                    to_table=to[0],
                    to_column=to[1],
                    kinds=names,
                    is_direct=is_direct,
                )


def _reached(edges: Edges, behind: Mapping[Name, Reached]) -> Reached:
    found: Reached = {}
    for name, kinds in edges.items():
        steps = {kind.is_direct for kind in kinds}
        found.setdefault(name, set()).update(steps)
        for further, ways in behind.get(name, {}).items():
            found.setdefault(further, set()).update(a and b for a in steps for b in ways)
    return found


def _missing(upstream: Edges, reached: Reached) -> Iterable[tuple[Name, frozenset[Kind]]]:
    """Yield what is upstream, but cannot be reached in this way, directly or indirectly."""
    for name, kinds in upstream.items():
        ways = reached.get(name, set())
        if rest := frozenset(kind for kind in kinds if kind.is_direct not in ways):
            yield name, rest
