"""What the script of the site searches and follows: tables, columns, questions and lineage."""

from __future__ import annotations

import json

from marts.core.catalog import addresses
from marts.core.catalog.drawing import layers
from marts.core.catalog.pages import ColumnEdge, Site
from marts.core.catalog.texts import summary


def script(site: Site) -> str:
    """Return the data of a site as a script that defines `MARTS`.

    It is a script of its own since a page that is opened from a file may load no other data. It is
    ASCII, and a string of JSON, so that no name is taken for code.
    """
    numbers = {table.name: n for n, table in enumerate(site.tables)}
    columns = [(table, column) for table in site.tables for column in table.columns]
    places = {(table.name, column.name): n for n, (table, column) in enumerate(columns)}
    layer_of = layers(site.tables)
    kinds: dict[tuple[str, ...], int] = {}
    found = {
        "tables": [
            [t.name, t.kind, addresses.page(t.name), summary(t.description), layer_of[t.name]]
            for t in site.tables
        ],
        "columns": [
            [numbers[t.name], c.name, addresses.column_anchor(c.name), c.definition, c.personal]
            for t, c in columns
        ],
        "queries": [
            [numbers[t.name], addresses.query_anchor(q.name), q.question]
            for t in site.tables
            for q in t.queries
            if q.is_listed(t.name)
        ],
        "reads": [
            [numbers[each], numbers[t.name]]
            for t in site.tables
            for each in t.inputs
            if each in numbers
        ],
        "edges": [_edge(edge, places, kinds) for edge in site.edges],
        "kinds": [list(words) for words in kinds],
    }
    text = json.dumps(found, ensure_ascii=True, separators=(",", ":"))
    return f"const MARTS = JSON.parse({json.dumps(text)});\n"


def _edge(
    edge: ColumnEdge,
    places: dict[tuple[str, str], int],
    kinds: dict[tuple[str, ...], int],
) -> list[int]:
    kind = kinds.setdefault(edge.kinds, len(kinds))
    start = places[edge.from_table, edge.from_column]
    return [start, places[edge.to_table, edge.to_column], kind]
