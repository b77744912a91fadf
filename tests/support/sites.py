"""Sites to look at: those of whole projects, with runs that never were, and a hostile one."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from marts.core.analysis.column_lineage import project_lineage
from marts.core.catalog.facts import Facts
from marts.core.catalog.gathering import Declared, gather
from marts.core.catalog.pages import (
    Bar,
    Build,
    CheckPage,
    CheckResult,
    ColumnEdge,
    ColumnPage,
    Distribution,
    QueryPage,
    Site,
    TablePage,
)
from marts.core.catalog.site import write_site
from marts.core.project.graph import Graph
from marts.core.run.history import PastRun

NOW = datetime.datetime(2025, 7, 1, 2, 14, tzinfo=datetime.UTC)
AS_OF = datetime.date(2025, 6, 30)
RUNS = tuple(f"run_{n:02}" for n in range(14, 0, -1))
DIALECTS = ("duckdb", "snowflake")


def site_of(graph: Graph) -> Site:
    """Return the site of a project as if it had run every night; some checks have failed."""
    declared = Declared(graph=graph, lineage=project_lineage(graph))
    facts = Facts(engine="DuckDB, marts.duckdb", as_of=AS_OF)
    site = gather(declared, facts, version="0.1.0", now=NOW)
    return replace(
        site,
        tables=tuple(map(_built, site.tables)),
        runs=tuple(_runs()),
        document="# The project\n\nIts marts, `nothing` and more:\n\n```sql\nSELECT 1\n```\n",
    )


def _built(table: TablePage) -> TablePage:
    """Return a table with results of its checks, and as a mart with all that one may have."""
    checks = tuple(
        replace(check, history=tuple(_history(n))) for n, check in enumerate(table.checks)
    )
    columns = tuple(
        replace(column, personal="name" if "name" in column.name else None)
        for column in table.columns
    )
    if table.kind == "source":
        return replace(table, checks=checks, columns=columns)
    statements = {d: f'SELECT *\nFROM "{table.name}"\nLIMIT 10 -- {d}' for d in DIALECTS}
    query = QueryPage(name="first_rows", question=f"What is in {table.name}?", sql=statements)
    return replace(
        table,
        checks=checks,
        columns=tuple(
            replace(each, expression=f"case\n  when {each.name} > 0 then 1\n  else 0")
            for each in columns
        ),
        owner="Analytics",
        sql=statements,
        queries=(query,),
        distributions=tuple(_distributions(table)),
        build=Build(run_id=RUNS[0], at=NOW, as_of=AS_OF, rows=2000, seconds=1.25),
        proof="proven on both engines, 2025-06-30",
        document=f"## How to use it\n\nJoin by `{columns[0].name}`.\n",
    )


def _runs() -> Iterator[PastRun]:
    for n, run_id in enumerate(RUNS):
        at = NOW - datetime.timedelta(days=n)
        failed = n == 3
        yield PastRun(
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


def _history(number: int) -> Iterator[CheckResult]:
    for n, run_id in enumerate(RUNS[: 1 + number]):
        outcome = "fail" if number % 7 == 3 and n == number % 4 else "pass"
        at = NOW - datetime.timedelta(days=n)
        yield CheckResult(
            run_id=run_id, at=at, outcome=outcome, violations=3 if outcome == "fail" else 0
        )


def _distributions(table: TablePage) -> Iterator[Distribution]:
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


def written(site: Site, folder: Path) -> Path:
    """Return a folder with a site."""
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
            not_personal=f"not {bad}",
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
        runs=(PastRun(run_id=bad, status=bad, started_at=NOW, error=bad),),
        notes=(bad,),
        document=bad,
    )
