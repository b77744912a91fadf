"""Sites to look at: those of whole projects, with runs that never were, and a hostile one."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import ibis

from marts.core.analysis.lineage import SourcesOf, columns_read
from marts.core.authoring.expressions import FixedAsOf
from marts.core.authoring.tables import Mart, Source, checks_of
from marts.core.catalog.pages import (
    Bar,
    Build,
    CheckPage,
    CheckResult,
    ColumnEdge,
    ColumnPage,
    Distribution,
    QueryPage,
    RunLine,
    Site,
    TablePage,
)
from marts.core.project.graph import Graph
from marts.core.query.definition import defining_query, logical_tables

NOW = datetime.datetime(2025, 7, 1, 2, 14, tzinfo=datetime.UTC)
AS_OF = datetime.date(2025, 6, 30)
RUNS = tuple(f"run_{n:02}" for n in range(14, 0, -1))
DIALECTS = ("duckdb", "snowflake")


def site_of(graph: Graph) -> Site:
    """Return the site of a project as if it had run every night; every seventh check has failed."""
    tables = logical_tables(graph.project)
    queries = {
        name: defining_query(graph.project.marts[name], tables, FixedAsOf(AS_OF))
        for name in graph.order
    }
    sources = [_page(graph, table, {}) for table in graph.project.sources.values()]
    marts = [
        _page(
            graph, graph.project.marts[name], {d: str(ibis.to_sql(q, dialect=d)) for d in DIALECTS}
        )
        for name, q in queries.items()
    ]
    return Site(
        project=graph.project.package,
        generated_at=NOW,
        version="0.1.0",
        engine="DuckDB, marts.duckdb",
        as_of=AS_OF,
        tables=(*sources, *marts),
        edges=tuple(edge for name, q in queries.items() for edge in _edges(name, q.op())),
        runs=tuple(_runs()),
        document="# The project\n\nIts marts, `nothing` and more:\n\n```sql\nSELECT 1\n```\n",
    )


def _runs() -> Iterator[RunLine]:
    for n, run_id in enumerate(RUNS):
        at = NOW - datetime.timedelta(days=n)
        failed = n == 3
        yield RunLine(
            run_id=run_id,
            status="failed" if failed else "published",
            started_at=at,
            seconds=61.5 + n,
            as_of=at.date(),
            marts_published=0 if failed else 12,
            checks_made=240,
            checks_failed=int(failed),
            error="checks that did not hold: a.b" if failed else None,
        )


def _page(graph: Graph, table: Source | Mart, sql: Mapping[str, str]) -> TablePage:
    readers = [m.name for m in graph.project.marts.values() if table.name in m.inputs]
    is_mart = isinstance(table, Mart)
    columns = tuple(
        ColumnPage(
            name=column.name,
            type=column.type,
            null=column.null,
            unique=column.unique,
            definition=column.doc,
            expression=f"case\n  when {column.name} > 0 then 1\n  else 0" if is_mart else None,
            personal="name" if "name" in column.name else None,
            values=tuple(map(str, column.values or ())),
        )
        for column in table.columns
    )
    checks = tuple(
        CheckPage(
            name=check.name,
            description=check.because or f"no row of `{table.name}` breaks it",
            severity=check.severity,
            columns=tuple(c.name for c in table.columns if check.name.startswith(c.name)),
            history=tuple(_history(n)),
        )
        for n, check in enumerate(checks_of(table))
    )
    return TablePage(
        name=table.name,
        kind=table.materialized if isinstance(table, Mart) else "source",
        description=table.comment,
        grain=table.grain,
        location=table.location,
        owner="Analytics" if is_mart else None,
        tags=table.tags if isinstance(table, Mart) else (),
        group=table.group if isinstance(table, Mart) and not table.is_temporary else None,
        optional=isinstance(table, Source) and table.optional,
        columns=columns,
        checks=checks,
        inputs=table.inputs if isinstance(table, Mart) else (),
        read_by=tuple(readers),
        sql=sql,
        queries=(_query(table),) if is_mart else (),
        distributions=tuple(_distributions(table)) if is_mart else (),
        build=Build(run_id=RUNS[0], at=NOW, as_of=AS_OF, rows=2000, seconds=1.25)
        if is_mart
        else None,
        proof="proven on both engines, 2025-06-30" if is_mart else None,
        document=f"## How to use it\n\nJoin by `{columns[0].name}`.\n" if is_mart else "",
    )


def _query(table: Source | Mart) -> QueryPage:
    sql = {d: f'SELECT *\nFROM "{table.name}"\nLIMIT 10 -- {d}' for d in DIALECTS}
    return QueryPage(name="first_rows", question=f"What is in {table.name}?", sql=sql)


def _history(number: int) -> Iterator[CheckResult]:
    for n, run_id in enumerate(RUNS[: 1 + number]):
        outcome = "fail" if number % 7 == 3 and n == number % 4 else "pass"
        at = NOW - datetime.timedelta(days=n)
        yield CheckResult(
            run_id=run_id, at=at, outcome=outcome, violations=3 if outcome == "fail" else 0
        )


def _distributions(table: Source | Mart) -> Iterator[Distribution]:
    for column in table.columns[:6]:
        if column.values:
            bars = tuple(Bar(label=str(v), rows=40 * n + 7) for n, v in enumerate(column.values))
            yield Distribution(column=column.name, kind="labels", bars=bars)
        elif column.type.startswith(("int", "float", "decimal")):
            bars = tuple(
                Bar(label=f"{n * 1000:,} to {n * 1000 + 1000:,}", rows=(n * 37) % 23)
                for n in range(20)
            )
            yield Distribution(column=column.name, kind="numbers", bars=bars, nulls=4)


def _edges(mart: str, query: ibis.expr.operations.Relation) -> Iterator[ColumnEdge]:
    """Yield edges that are good enough to look at: what a value reads, and what its rows do."""
    sources_of = SourcesOf()
    every = {(table, column) for table, names in columns_read(query).items() for column in names}
    for column, value in query.values.items():
        direct = sources_of(value)
        for table, name in sorted(every):
            is_direct = (table, name) in direct
            yield ColumnEdge(
                from_table=table,
                from_column=name,
                to_table=mart,
                to_column=column,
                kinds=("transformation",) if is_direct else ("filter", "join"),
                is_direct=is_direct,
            )


def written(site: Site, folder: Path) -> Path:
    """Return a folder with a site."""
    from marts.core.catalog.site import write_site

    write_site(site, folder)
    return folder


def hostile_site() -> Site:
    """Return a site whose every text tries to be markup, code, an address or very long."""
    bad = "</script><script>alert(1)</script>\"'&<b onclick=alert(1)>\u2028 ../../ü%20#?`{{ 7*7 }}"
    names = ("../../etc", "A", "a", "größe", "x" * 300, f"{'x' * 300}y", "__proto__", bad)
    result = CheckResult(run_id=bad, at=NOW, outcome="fail", violations=1)
    odd = CheckResult(run_id=bad, at=NOW, outcome=bad)
    columns = tuple(
        ColumnPage(
            name=name,
            type=bad,
            null=True,
            definition=bad,
            expression=bad,
            personal=bad,
            values=(bad,),
        )
        for name in names
    )
    check = CheckPage(name=bad, description=bad, severity=bad, columns=names, history=(result, odd))
    query = QueryPage(name=bad, question=bad, sql={bad: bad})
    bars = (Bar(label=bad, rows=1), Bar(label=bad, rows=2), Bar(label="", rows=0))
    tables = tuple(
        TablePage(
            name=name,
            kind="source" if n == 0 else "table",
            description=bad,
            grain=names[:2],
            location=bad,
            owner=bad,
            tags=(bad,),
            group=bad,
            columns=columns,
            checks=(check, replace(check, name="never run", history=())),
            inputs=names[:1] if n else (),
            read_by=names[1:] if n == 0 else (),
            sql={bad: bad},
            queries=(query,),
            distributions=tuple(
                Distribution(column=names[1], kind=kind, bars=bars, nulls=1)
                for kind in ("labels", "numbers")
            ),
            build=Build(run_id=bad, at=NOW),
            proof=bad,
            document=f"# {bad}\n\n[{bad}](<{bad}>)\n\n~~~sql\n{bad}\n~~~\n",
        )
        for n, name in enumerate(names)
    )
    edges = tuple(
        ColumnEdge(
            from_table=names[0],
            from_column=column,
            to_table=table,
            to_column=column,
            kinds=(bad,),
            is_direct=column != bad,
        )
        for table in names[1:]
        for column in names
    )
    return Site(
        project=bad,
        generated_at=NOW,
        version=bad,
        engine=bad,
        tables=tables,
        edges=edges,
        runs=(RunLine(run_id=bad, status=bad, started_at=NOW, error=bad),),
        notes=(bad,),
        document=bad,
    )
