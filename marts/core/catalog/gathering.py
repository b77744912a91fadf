"""Gather the catalogue of a project: its declarations, its lineage, and what an engine knows."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import PurePath

from marts.core.analysis.column_lineage import ProjectLineage
from marts.core.analysis.readable import Readable, readable_project
from marts.core.authoring.checks import Check
from marts.core.authoring.columns import Column
from marts.core.authoring.tables import Mart, Source, checks_of
from marts.core.catalog.check_pages import check_page
from marts.core.catalog.documents import document_of_project, documents_of, missing_tables
from marts.core.catalog.edges import edges_of
from marts.core.catalog.facts import Facts
from marts.core.catalog.pages import CheckPage, ColumnPage, QueryPage, Site, TablePage
from marts.core.project.graph import Graph

RUNS_SHOWN = 30


@dataclass(frozen=True, kw_only=True)
class Declared:
    """What is known of a project without an engine.

    `sql` has the SQL of each mart by dialect, `examples` that of each example query; `derived` are
    the checks of sources that runs make because marts rely on them.
    """

    graph: Graph
    lineage: ProjectLineage
    sql: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    examples: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    derived: Mapping[str, tuple[Check, ...]] = field(default_factory=dict)


def gather(
    declared: Declared, facts: Facts, *, version: str, now: datetime.datetime | None = None
) -> Site:
    """Return the catalogue; the project has the comments and marks that columns inherit.

    `version` is that of marts.
    """
    graph = declared.graph
    project = graph.project
    tables: list[Source | Mart] = [
        *project.sources.values(),
        *(project.marts[name] for name in graph.order),
    ]
    read, documents = readable_project(graph), documents_of(tables)
    pages = tuple(
        replace(
            _table_page(table, read.get(table.name), declared, facts),
            document=documents.texts[table.name],
        )
        for table in tables
    )
    return Site(
        project=project.package,
        generated_at=now or datetime.datetime.now(datetime.UTC),
        version=version,
        engine=facts.engine,
        as_of=facts.as_of,
        tables=pages,
        edges=edges_of(declared.lineage),
        runs=tuple(facts.runs[:RUNS_SHOWN]),
        notes=facts.notes,
        document=document_of_project(project.package),
        unused=tuple(missing_tables(documents.unused)),
    )


def _table_page(
    table: Source | Mart, read: Readable | None, declared: Declared, facts: Facts
) -> TablePage:
    graph, name = declared.graph, table.name
    mart = table if isinstance(table, Mart) else None
    columns = read.columns if read else {}
    has_groups = len(graph.groups) > 1
    return TablePage(
        name=name,
        kind=mart.materialized if mart else "source",
        description=table.comment,
        grain=table.grain,
        location=location_in_project(table.location, graph.project.package),
        owner=table.owner,
        tags=mart.tags if mart else (),
        group=mart.group if mart and has_groups and not mart.is_temporary else None,
        optional=isinstance(table, Source) and table.optional,
        columns=tuple(_column_page(table, column, columns) for column in table.columns),
        rows=read.rows if read else "",
        checks=tuple(_check_pages(table, declared, facts)),
        inputs=mart.inputs if mart else (),
        read_by=tuple(m for m in graph.order if name in graph.project.marts[m].inputs),
        sql=declared.sql.get(name, {}),
        queries=tuple(_query_pages(name, declared)),
        distributions=facts.distributions.get(name, ()),
        build=facts.build(name) if mart else facts.checked(name),
        proof=facts.proofs.get(name),
        notes=facts.notes_of.get(name, ()),
    )


def _column_page(
    table: Source | Mart, column: Column, expressions: Mapping[str, str]
) -> ColumnPage:
    return ColumnPage(
        name=column.name,
        type=column.type,
        null=column.null,
        unique=column.unique or table.grain == (column.name,),
        definition=column.doc,
        expression=expressions.get(column.name),
        personal=column.personal,
        not_personal=column.not_personal,
        values=column.values,
    )


def _query_pages(table: str, declared: Declared) -> Iterator[QueryPage]:
    """Yield the example queries that read a mart, those first that name it first."""
    queries = declared.graph.project.queries.items()
    for name, query in sorted(queries, key=lambda each: each[1].inputs[0] != table):
        if table in query.inputs:
            sql = declared.examples.get(name, {})
            yield QueryPage(name=name, question=query.question, sql=sql, reads=query.inputs)


def _check_pages(table: Source | Mart, declared: Declared, facts: Facts) -> Iterator[CheckPage]:
    """Yield the checks that are declared, those that are derived, then those of earlier runs."""
    derived = declared.derived.get(table.name, ())
    checks = {check.name: check for check in (*checks_of(table), *derived)}
    project = declared.graph.project
    tables: dict[str, Source | Mart] = {**project.sources, **project.marts}
    for check in checks.values():
        yield check_page(table, check, facts, tables)
    for name in facts.checks(table.name):
        if name not in checks:
            yield CheckPage(
                name=name,
                description="made by an earlier run, and not declared now",
                severity="",
                is_declared=False,
                history=facts.history(table.name, name),
            )


def location_in_project(location: str, package: str) -> str:
    """Return file and line of a declaration, from the folder of the package on if it is absolute.

    A site is for readers, whom the folders of a machine do not concern.
    """
    parts = PurePath(location).parts
    if not PurePath(location).is_absolute():
        return location
    folder = package.partition(".")[0]
    start = max((n for n, part in enumerate(parts) if part == folder), default=len(parts) - 1)
    return str(PurePath(*parts[start:]))
