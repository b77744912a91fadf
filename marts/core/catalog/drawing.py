"""The graph of tables as a picture: where igraph's layered layout puts each box and line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter
from typing import Any

import igraph

from marts.core.catalog.pages import TablePage

ROW, BOX, LETTER, PADDING, GAP, MARGIN = 46.0, 36.0, 6.7, 14.0, 30.0, 8.0
LONGEST_LINE = 20
ONE_LINE = 16


@dataclass(frozen=True)
class Box:
    """A table in the picture."""

    number: int
    table: TablePage
    lines: tuple[str, ...]
    x: float
    y: float
    width: float
    height: float = BOX


@dataclass(frozen=True)
class Line:
    """A table reads another: the numbers of both, and the path of an SVG."""

    start: int
    end: int
    path: str


@dataclass(frozen=True)
class Picture:
    """Boxes and lines; sources are at the left, and what reads a table is at its right."""

    boxes: tuple[Box, ...]
    lines: tuple[Line, ...]
    width: float
    height: float


def layers(tables: Sequence[TablePage]) -> dict[str, int]:
    """Return how many steps each table is from its farthest source."""
    known = {table.name: table for table in tables}
    inputs = {name: [i for i in table.inputs if i in known] for name, table in known.items()}
    found: dict[str, int] = {}
    for name in TopologicalSorter(inputs).static_order():
        found[name] = max((found[each] + 1 for each in inputs[name]), default=0)
    return found


def picture(tables: Sequence[TablePage]) -> Picture:
    """Return the picture of the tables' graph."""
    numbers = {table.name: n for n, table in enumerate(tables)}
    layer_of = layers(tables)
    edges = [
        (numbers[each], numbers[table.name])
        for table in tables
        for each in table.inputs
        if each in numbers
    ]
    order = [layer_of[table.name] + 1 for table in tables]
    layout = _layout(edges, order)
    points = [point for each in layout.edge_routing for point in each]
    rows = _apart([y for y, _ in layout.coords[:-1]], order)
    top = min((*rows, *(y for y, _ in points)), default=0)
    labels = [_lines(table.name) for table in tables]
    sizes = [max(map(len, lines)) * LETTER + PADDING for lines in labels]
    lefts, widths = _columns(order, sizes)
    boxes = [
        Box(n, table, labels[n], lefts[order[n]], (rows[n] - top) * ROW + MARGIN, sizes[n])
        for n, table in enumerate(tables)
    ]
    lines = []
    for (start, end), route in zip(edges, layout.edge_routing, strict=False):
        between = [(y - top, layer) for y, layer in route]
        path = _path(boxes[start], boxes[end], between, lefts, widths)
        lines.append(Line(start, end, path))
    width = max((lefts[n] + widths[n] for n in lefts), default=0) + MARGIN
    height = max((box.y + BOX for box in boxes), default=0) + MARGIN
    return Picture(tuple(boxes), tuple(lines), width, height)


def _layout(edges: Sequence[tuple[int, int]], order: Sequence[int]) -> Any:
    """Return igraph's layout of tables in layers from 1 on, and of an origin that comes last.

    The origin, in layer 0, connects the graph: igraph 1.0 mixes up the routes of edges in a graph
    of several parts.
    """
    origin = len(order)
    to_first = [(origin, n) for n, layer in enumerate(order) if layer == 1]
    graph = igraph.Graph(n=origin + 1, edges=[*edges, *to_first], directed=True)
    return graph.layout_sugiyama(layers=[*order, 0], hgap=1, vgap=1)


def _apart(rows: Sequence[float], order: Sequence[int]) -> list[float]:
    """Return the rows with at least one between two boxes of a layer: igraph may leave a half."""
    found, last = list(rows), dict[int, float]()
    for n in sorted(range(len(rows)), key=lambda n: rows[n]):
        if order[n] in last:
            found[n] = max(found[n], last[order[n]] + 1)
        last[order[n]] = found[n]
    return found


def _lines(name: str) -> tuple[str, ...]:
    """Return a name in one line or two, which are broken at the underscore nearest the middle."""
    if len(name) <= ONE_LINE:
        return (name,)
    middle = len(name) / 2
    breaks = [n + 1 for n, letter in enumerate(name[:-1]) if letter == "_" and n]
    at = min(breaks, key=lambda n: abs(n - middle), default=round(middle))
    return _shortened(name[:at]), _shortened(name[at:])


def _shortened(line: str) -> str:
    return line if len(line) <= LONGEST_LINE else f"{line[: LONGEST_LINE - 1]}…"


def _columns(
    order: Sequence[int], sizes: Sequence[float]
) -> tuple[Mapping[int, float], Mapping[int, float]]:
    """Return where each layer begins, and how wide it is."""
    widths: dict[int, float] = {}
    for layer, size in zip(order, sizes, strict=True):
        widths[layer] = max(widths.get(layer, 0), size)
    lefts, left = {}, MARGIN
    for layer in sorted(widths):
        lefts[layer] = left
        left += widths[layer] + GAP
    return lefts, widths


def _path(
    start: Box,
    end: Box,
    points: Sequence[Sequence[float]],
    lefts: Mapping[int, float],
    widths: Mapping[int, float],
) -> str:
    """Return a line from box to box, which crosses the layers between them where they are free."""
    x, y = start.x + start.width, start.y + BOX / 2
    steps = [f"M{x:.1f} {y:.1f}"]
    for row, layer in points:
        below, left = row * ROW + MARGIN + BOX / 2, lefts[round(layer)]
        steps.append(_curve(x, y, left, below))
        x, y = left + widths[round(layer)], below
        steps.append(f"H{x:.1f}")
    steps.append(_curve(x, y, end.x, end.y + BOX / 2))
    return "".join(steps)


def _curve(x: float, y: float, to_x: float, to_y: float) -> str:
    middle = (x + to_x) / 2
    return f"C{middle:.1f} {y:.1f} {middle:.1f} {to_y:.1f} {to_x:.1f} {to_y:.1f}"
