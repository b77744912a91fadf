"""Generic worlds: from contracts and thresholds alone, for any project."""

from __future__ import annotations

import datetime
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cache, partial
from types import MappingProxyType
from typing import Any

import pyarrow as pa

from marts.core.analysis.column_lineage import copied_in
from marts.core.analysis.declared_keys import declared_keys
from marts.core.analysis.keys import keys_of
from marts.core.analysis.lineage import Name
from marts.core.analysis.links import Link, links_of, main_links
from marts.core.analysis.links import keys_of as keys_of_source
from marts.core.analysis.relation_lineage import Lineage
from marts.core.analysis.thresholds import Threshold, measured_thresholds, queries_over_sources
from marts.core.authoring.checks import TableCheck, UniqueCheck
from marts.core.authoring.expressions import FixedAsOf
from marts.core.errors import MartsError
from marts.core.project.graph import Graph
from marts.core.proof.building import WorldBuilder
from marts.core.proof.canonical import DAYS
from marts.core.proof.domains import domains_of, with_greatest
from marts.core.proof.generated import FEW, Blueprint, Row, Rows, mixed, table_of
from marts.core.proof.repair import Repair
from marts.core.proof.worlds import World
from marts.core.query.checks import offending_rows
from marts.core.query.definition import defining_query, logical_tables
from marts.core.run.world_engine import WorldEngine

_, AS_OF = DAYS
"""The last day of a month, three months after a leap day."""
SUMMED = ("counts", "numbers", "shares")
NOTHING: Mapping[str, pa.Table | None] = MappingProxyType({})


def generic_worlds(
    graph: Graph, engine: WorldEngine, *, as_of: datetime.date = AS_OF
) -> tuple[World, ...]:
    """Return the generic worlds of a project, always the same ones.

    These are one of many groups of rows at thresholds, one of a few rows with the greatest numbers
    that fit the types, unless a mart's query fails on them, and one without rows. The error-level
    checks of the sources hold in them. Raises MartsError for a check that none of the rows fulfil.
    """
    return Generator(WorldBuilder(graph, engine)).worlds(as_of)


class Generator:
    """Makes rows of a project's sources, on a builder's engine, which makes their checks."""

    def __init__(self, builder: WorldBuilder) -> None:
        self.builder = builder
        self.graph = builder.graph
        self.sources = self.graph.project.sources
        self.blueprint = cache(partial(blueprint_of, self.graph))
        self._repair = cache(self._made_repair)

    def worlds(self, as_of: datetime.date) -> tuple[World, ...]:
        """Return the generic worlds as of a date."""
        worlds = [World(self.tables(self.blueprint(as_of), as_of), as_of, "generic corpus")]
        for make in (self._with_greatest_numbers, self._without_rows):
            with suppress(MartsError):
                self.builder.build(world := make(as_of))
                worlds.append(world)
        return tuple(worlds)

    def _with_greatest_numbers(self, as_of: datetime.date) -> World:
        blueprint = self.blueprint(as_of)
        domains = {name: with_greatest(each) for name, each in blueprint.domains.items()}
        few = replace(blueprint, domains=domains, most=FEW, seed="greatest ")
        return World(self.tables(few, as_of), as_of, "generic corpus of the greatest numbers")

    def _without_rows(self, as_of: datetime.date) -> World:
        sources = self.graph.project.sources.values()
        tables = {each.name: table_of(each, ()) for each in sources if not each.optional}
        return World(tables, as_of, "sources without rows")

    def tables(
        self,
        blueprint: Blueprint,
        as_of: datetime.date,
        *,
        given: Mapping[str, pa.Table | None] = NOTHING,
    ) -> dict[str, pa.Table]:
        """Return tables of the sources: those given, and rows of the others that fit them.

        A source that is given as None is absent. Raises MartsError for an error-level check of a
        source that no rows fulfil, or that given rows break.
        """
        sources, repair = blueprint.sources, self._repair(as_of)
        rows = {name: [] if table is None else table.to_pylist() for name, table in given.items()}
        blueprint = replace(blueprint, required=_required(blueprint, rows))
        for name in blueprint.order():
            if name not in given:
                rows[name] = Rows(blueprint, sources[name], rows).make()
                # Now, so that its children refer to rows that stay.
                rows = repair(rows, about=(name,), given=given)
        rows = repair(rows, given=given)
        made = {name: mixed(sources[name], rows[name]) for name in sources if name not in given}
        tables = {name: table_of(sources[name], its) for name, its in made.items()}
        return {
            name: each
            for name in sources
            if (each := tables.get(name, given.get(name))) is not None
        }

    def repaired(
        self, rows: Mapping[str, Sequence[Row]], as_of: datetime.date
    ) -> dict[str, list[Row]]:
        """Return the rows that are left if the error-level checks of the sources are to hold.

        Raises MartsError for a check that they break whichever are dropped.
        """
        return self._repair(as_of)(rows, may_be_empty=True)

    def _made_repair(self, as_of: datetime.date) -> Repair:
        links = self.blueprint(as_of).links
        return Repair(self.graph, links, self.builder.engine, FixedAsOf(as_of))


def _required(
    blueprint: Blueprint, given: Mapping[str, Sequence[Row]]
) -> dict[Name, tuple[Any, ...]]:
    """Return the values to which given rows refer in single columns of sources that are not."""
    found: dict[Name, dict[Any, None]] = {}
    for link in blueprint.links:
        if link.child in given and link.parent not in given and len(link.columns) == 1:
            values = found.setdefault((link.parent, link.parent_columns[0]), {})
            values |= dict.fromkeys(row[link.columns[0]] for row in given[link.child])
    return {
        name: tuple(value for value in values if value is not None)
        for name, values in found.items()
    }


def blueprint_of(graph: Graph, as_of: datetime.date) -> Blueprint:
    """Read from a project what its worlds are made from, as of a day."""
    queries = queries_over_sources(graph, as_of)
    thresholds = measured_thresholds(queries.values(), as_of)
    links = links_of(graph.project, queries.values())
    counts = {each.at for each in thresholds if each.kind == "counts"}
    main = main_links(links, thresholds)
    by_checks = grouping_columns(graph, links, FixedAsOf(as_of))
    by_marts = _summed_by(graph, thresholds, {*main, *by_checks})
    return Blueprint(
        graph.project.sources,
        links,
        main,
        domains_of(graph, queries, thresholds, as_of),
        tuple(sorted(counts)),
        {**by_checks, **by_marts},
        frozenset(by_marts),
        frozenset(_relied_on(graph, queries, FixedAsOf(as_of))),
    )


def _summed_by(
    graph: Graph, thresholds: Iterable[Threshold], others: Collection[str]
) -> dict[str, tuple[str, ...]]:
    """Return the columns of a source by which marts sum up its rows, where it has no main parent.

    Columns with few values are not among them: rows have the same values anyway.
    """
    found: dict[str, dict[str, None]] = {}
    for each in sorted(thresholds, key=lambda each: str(sorted(each.keys))):
        tables = {table for table, _ in each.sources | each.keys}
        if each.kind not in SUMMED or not each.keys or len(tables) != 1 or tables & set(others):
            continue
        (table,) = tables
        source = graph.project.sources[table]
        keys = {column for key in keys_of_source(source) for column in key}
        few = {column.name for column in source.columns if column.values}
        named = [name for _, name in sorted(each.keys) if name not in keys | few]
        found.setdefault(table, {}).update(dict.fromkeys(named))
    return {table: tuple(names) for table, names in found.items() if names}


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
    lineage = Lineage()
    for name in graph.order:
        mart = graph.project.marts[name]
        keys = keys_of(defining_query(mart, tables, as_of).op(), declared)
        if not any(key <= set(mart.grain) for key in keys):
            copies = copied_in(lineage.of_relation(queries[name]))
            yield from (each for column in mart.grain for each in copies[column])
