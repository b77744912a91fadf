"""A version of a mart as one side of a comparison, fed with worlds of today's contracts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace

import ibis.expr.datatypes as dt
import pyarrow as pa

from marts.core.analysis.column_lineage import ANY_DAY, columns_read
from marts.core.analysis.thresholds import queries_over_sources
from marts.core.authoring.columns import type_of
from marts.core.authoring.tables import Source
from marts.core.errors import UsageError
from marts.core.project.graph import Graph
from marts.core.proof.building import WorldBuilder
from marts.core.proof.witness import Side
from marts.core.proof.worlds import World
from marts.core.query.contract import schema_of

Reads = Mapping[str, frozenset[str]]
"""The columns of each source on which a mart depends."""
Within = Callable[[], AbstractContextManager[None]]


def side_of(name: str, mart: str, builder: WorldBuilder) -> Side:
    """Return a mart of a project as it is."""
    return Side(
        name,
        builder.graph.project.marts[mart],
        lambda world: builder.build(world, [mart]).tables[mart],
        reads_of(builder.graph, mart),
    )


def former_side(
    name: str, mart: str, builder: WorldBuilder, today: Graph, *, within: Within = nullcontext
) -> Side:
    """Return a mart of another version of a project, which is called `within` a context.

    Worlds are those of `today`: the former contracts read them as far as they can. Raises
    UsageError if the mart reads what they do not have.
    """
    with within():
        reads = reads_of(builder.graph, mart)
    sources = builder.graph.project.sources
    _refuse_unmet(name, mart, reads, sources, today)

    def build(world: World) -> pa.Table | None:
        read_then = as_read_then(world, sources)
        if read_then is None:
            return None
        with within():
            return builder.build(read_then, [mart]).tables[mart]

    return Side(name, builder.graph.project.marts[mart], build, reads)


def reads_of(graph: Graph, mart: str) -> Reads:
    """Return the columns of each source on which a mart depends, also through other marts."""
    return columns_read(queries_over_sources(graph, ANY_DAY)[mart])


def as_read_then(world: World, sources: Mapping[str, Source]) -> World | None:
    """Return a world as the contracts of another version read it.

    A column that it does not have is null: no mart that is built reads it. None if a value is not
    one of the former type.
    """
    tables = {}
    for name in sources.keys() & world.tables.keys():
        table, schema = world.tables[name], schema_of(sources[name].columns).to_pyarrow()
        try:
            columns = [
                table.column(field.name).cast(field.type)
                if field.name in table.column_names and _is_like(field.type, table, field.name)
                else pa.nulls(table.num_rows, field.type)
                for field in schema
            ]
        except pa.ArrowInvalid:
            return None
        tables[name] = pa.table(columns, schema=schema)
    return replace(world, tables=tables)


def _is_like(kind: pa.DataType, table: pa.Table, name: str) -> bool:
    return _is_alike(dt.dtype(kind), dt.dtype(table.schema.field(name).type))


def _is_alike(one: dt.DataType, other: dt.DataType) -> bool:
    """Tell whether values of one type may be values of another one, without being converted."""
    return type(one) is type(other) or (one.is_integer() and other.is_integer())


def _refuse_unmet(
    name: str, mart: str, reads: Reads, then: Mapping[str, Source], today: Graph
) -> None:
    """Raise UsageError for columns that a former version reads, and today's contracts lack."""
    if lines := list(_unmet(reads, then, today.project.sources)):
        raise UsageError(
            f"{mart} of {name} reads what the sources' contracts no longer have",
            *lines,
            hint="compare with a later version, or with another version of the mart's file",
        )


def _unmet(reads: Reads, then: Mapping[str, Source], today: Mapping[str, Source]) -> Iterator[str]:
    for name, read in sorted(reads.items()):
        if name not in today:
            if not then[name].optional:
                yield f"source {name}: it is not declared any more"
            continue
        types = {column.name: column.type for column in today[name].columns}
        for column in then[name].columns:
            if column.name not in read:
                continue
            if column.name not in types:
                yield f"source {name}: it has no column {column.name} any more"
            elif not _is_alike(type_of(column.type), type_of(types[column.name])):
                was, now = column.type, types[column.name]
                yield f"source {name}: column {column.name} was {was}, and is {now}"
