"""Edges: whoever follows them finds exactly the columns behind a column, in the same ways."""

from __future__ import annotations

from collections import defaultdict

import pytest

from marts import Table, int64, mart, source, string
from marts.core.analysis.column_lineage import project_lineage
from marts.core.catalog.edges import edges_of
from marts.core.catalog.pages import ColumnEdge
from marts.core.project.graph import Graph, link
from marts.core.project.loading import load
from support.workshop import SHOP, project_of

Ways = dict[tuple[str, str], set[bool]]


def followed(edges: tuple[ColumnEdge, ...], table: str, column: str) -> Ways:
    """Return what is reached from a column, each with whether it is reached directly or not."""
    into = defaultdict(list)
    for edge in edges:
        into[edge.to_table, edge.to_column].append(edge)
    found: Ways = defaultdict(set)
    waiting = [((table, column), True)]
    while waiting:
        name, is_direct = waiting.pop()
        for edge in into[name]:
            step = (edge.from_table, edge.from_column), is_direct and edge.is_direct
            if step[1] not in found[step[0]]:
                found[step[0]].add(step[1])
                waiting.append(step)
    return dict(found)


def counting() -> Graph:
    """Return marts of which one counts the rows of another, and reads no column of it."""
    visits = source(
        "visits", doc="Visits.", grain="visit", columns=[string("visit"), int64("minutes")]
    )

    @mart(grain="visit", columns=[string("visit")])
    def long_visits(visits: Table) -> Table:
        """Return some visits."""
        return visits.filter(visits.minutes > 30)

    @mart(grain="many", columns=[int64("many")])
    def numbers(long_visits: Table) -> Table:
        """Return how many there are."""
        return long_visits.aggregate(many=long_visits.count())

    return project_of(visits, long_visits, numbers)


@pytest.mark.parametrize("name", ["shop", "ours", "counting"])
def test_following_the_edges_finds_the_lineage(name: str) -> None:
    graph = {"shop": lambda: SHOP, "ours": lambda: link(load("marts")), "counting": counting}[
        name
    ]()
    lineage = project_lineage(graph)
    edges = edges_of(lineage)
    for mart_name in graph.order:
        for column in graph.project.marts[mart_name].columns:
            upstream = lineage.upstream(mart_name, column.name)
            wanted = {name: {kind.is_direct for kind in kinds} for name, kinds in upstream.items()}
            assert followed(edges, mart_name, column.name) == wanted, (mart_name, column.name)


def test_a_count_depends_on_what_decides_the_rows_that_it_counts() -> None:
    graph = counting()
    edges = [e for e in edges_of(project_lineage(graph)) if e.to_table == "numbers"]
    assert [(e.from_table, e.from_column, e.kinds, e.is_direct) for e in edges] == [
        ("visits", "minutes", ("filter",), False)
    ]


def test_most_edges_are_between_neighbours() -> None:
    graph = link(load("marts"))
    marts = graph.project.marts
    edges = edges_of(project_lineage(graph))
    far = [edge for edge in edges if edge.from_table not in marts[edge.to_table].inputs]
    assert len(far) < len(edges) / 10
