"""The comments of columns, which come from the columns that they copy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from marts.core.analysis.column_lineage import Copies
from marts.core.analysis.lineage import Name
from marts.core.project.graph import Graph


def documented(graph: Graph, copies: Mapping[str, Copies]) -> Graph:
    """Return the project with the comments that columns inherit from the columns they copy.

    `copies` are those of each mart's query. A column without a comment inherits that of the one
    documented column from which its values come, directly or through other columns, whatever its
    name. If they come from several, or from one without a comment, it has none.
    """
    sources, marts = graph.project.sources, dict(graph.project.marts)
    words: dict[Name, tuple[Name, str]] = {
        (name, column.name): ((name, column.name), column.doc)
        for name, table in sources.items()
        for column in table.columns
        if column.doc
    }
    for name in graph.order:
        columns = []
        for column in marts[name].columns:
            at = (name, column.name)
            origins = {words.get(each) for each in copies[name][column.name]}
            origin = (at, column.doc) if column.doc else None
            if not column.doc and len(origins) == 1:
                (origin,) = origins
            if origin:
                words[at] = origin
            columns.append(replace(column, doc=origin[1]) if origin else column)
        marts[name] = replace(marts[name], columns=tuple(columns))
    return replace(graph, project=replace(graph.project, marts=marts))
