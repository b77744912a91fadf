"""The lineage of columns as data, in the words of OpenLineage's facet of column lineage."""

from __future__ import annotations

from collections.abc import Mapping

from marts.core.analysis.column_lineage import Edges, TableLineage
from marts.core.run.artifacts import SCHEMA_VERSION
from marts.core.run.files import Document


def upstream_document(name: str, inputs: TableLineage, sources: TableLineage) -> Document:
    """Return on what the columns of a mart depend: in its inputs, and in sources through all marts.

    `dataset` has the columns that decide which rows the mart has, and so about every column; they
    are not repeated in `fields`.
    """
    return {
        "schema_version": SCHEMA_VERSION,
        "name": name,
        "fields": {
            column: {
                "inputFields": _fields(edges),
                "sourceFields": _fields(sources.columns[column]),
                "countedRows": sorted({table for table, _ in sources.counted[column]}),
            }
            for column, edges in inputs.columns.items()
        },
        "dataset": {"inputFields": _fields(inputs.rows), "sourceFields": _fields(sources.rows)},
    }


def downstream_document(name: str, readers: Mapping[str, Edges]) -> Document:
    """Return which columns of marts depend on the columns of a table, by column."""
    return {
        "schema_version": SCHEMA_VERSION,
        "name": name,
        "fields": {column: {"outputFields": _fields(edges)} for column, edges in readers.items()},
    }


def _fields(edges: Edges) -> list[Document]:
    return [
        {
            "name": table,
            "field": column,
            "transformations": [
                {"type": "DIRECT" if kind.is_direct else "INDIRECT", "subtype": kind.name}
                for kind in sorted(kinds)
            ],
        }
        for (table, column), kinds in sorted(edges.items())
    ]
