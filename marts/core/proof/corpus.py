"""Generic worlds: from contracts and thresholds alone, for any project."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator, Mapping

import pyarrow as pa

from marts.core.analysis.declared_keys import declared_keys
from marts.core.analysis.keys import keys_of
from marts.core.analysis.lineage import Name, copies_of
from marts.core.analysis.links import Link, links_of, main_links
from marts.core.analysis.links import keys_of as keys_of_source
from marts.core.analysis.thresholds import measured_thresholds, queries_over_sources
from marts.core.authoring.checks import TableCheck, UniqueCheck
from marts.core.authoring.expressions import FixedAsOf
from marts.core.project.graph import Graph
from marts.core.proof.domains import domains_of
from marts.core.proof.generated import Blueprint, Row, Rows, mixed, table_of
from marts.core.proof.repair import Repair
from marts.core.proof.worlds import World
from marts.core.query.checks import offending_rows
from marts.core.query.definition import defining_query, logical_tables
from marts.core.run.world_engine import WorldEngine

AS_OF = datetime.date(2024, 5, 31)
"""The last day of a month, three months after a leap day."""


def generic_worlds(
    graph: Graph, engine: WorldEngine, *, as_of: datetime.date = AS_OF
) -> tuple[World, ...]:
    """Return the generic worlds of a project, always the same ones.

    The error-level checks of its sources hold in them. Raises MartsError for a check that none of
    the rows fulfil.
    """
    blueprint = blueprint_of(graph, as_of)
    tables = generated(graph, blueprint, engine, FixedAsOf(as_of))
    return (World(tables, as_of, "generic corpus"),)


def generated(
    graph: Graph,
    blueprint: Blueprint,
    engine: WorldEngine,
    as_of: FixedAsOf,
    *,
    given: Mapping[str, pa.Table] | None = None,
) -> dict[str, pa.Table]:
    """Return tables of all sources: those given, and rows of the others that fit them."""
    known = {name: table.to_pylist() for name, table in (given or {}).items()}
    repair = Repair(graph, blueprint.links, engine, as_of)
    rows: dict[str, list[Row]] = dict(known)
    for name in blueprint.order():
        if name not in known:
            rows[name] = Rows(blueprint, blueprint.sources[name], rows).make()
            # Now, so that its children refer to rows that stay.
            rows = repair(rows, about=(name,), given=known)
    rows = repair(rows, given=known)
    sources = blueprint.sources
    return {name: table_of(sources[name], mixed(sources[name], rows[name])) for name in sources}


def blueprint_of(graph: Graph, as_of: datetime.date) -> Blueprint:
    """Read from a project what its worlds are made from, as of a day."""
    queries = queries_over_sources(graph, as_of)
    thresholds = measured_thresholds(queries.values(), as_of)
    links = links_of(graph.project, queries.values())
    counts = {each.at for each in thresholds if each.kind == "counts"}
    grouping = grouping_columns(graph, links, FixedAsOf(as_of))
    return Blueprint(
        graph.project.sources,
        links,
        main_links(links, thresholds),
        domains_of(graph, queries, thresholds, as_of),
        tuple(sorted(counts)),
        grouping,
        frozenset(_relied_on(graph, queries, FixedAsOf(as_of))),
    )


def grouping_columns(
    graph: Graph, links: Iterable[Link], as_of: FixedAsOf
) -> dict[str, tuple[str, ...]]:
    """Return the columns by which a source's checks group its rows, such as versions of one thing.

    Columns that refer to another source, or identify a row, are not among them.
    """
    tables = logical_tables(graph.project)
    linked = {(link.child, column) for link in links for column in link.columns}
    found: dict[str, tuple[str, ...]] = {}
    for source in graph.project.sources.values():
        keys = {column for key in keys_of_source(source) for column in key}
        named = list[str]()
        for check in source.checks:
            if isinstance(check, TableCheck) and set(check.inputs) <= graph.project.sources.keys():
                named += offending_rows(source, check, tables, as_of).columns
            elif isinstance(check, UniqueCheck) and check.where is not None:
                named += check.columns
        own = {column.name for column in source.columns}
        columns = [
            each
            for each in dict.fromkeys(named)
            if each in own - keys and (source.name, each) not in linked
        ]
        # All columns of a row are those of a check of single rows.
        if columns and len(columns) < len(own - keys):
            found[source.name] = tuple(columns)
    return found


def _relied_on(graph: Graph, queries: Mapping[str, object], as_of: FixedAsOf) -> Iterator[Name]:
    """Yield the columns that identify rows of a mart only if their values are all different.

    A mart's grain is checked to be unique. Where no contract says why it is, its author knows more
    of the sources than the contract.
    """
    tables, declared = logical_tables(graph.project), declared_keys(graph.project)
    for name in graph.order:
        mart = graph.project.marts[name]
        keys = keys_of(defining_query(mart, tables, as_of).op(), declared)
        if not any(key <= set(mart.grain) for key in keys):
            copies = copies_of(queries[name])
            yield from (each for column in mart.grain for each in copies[column])
