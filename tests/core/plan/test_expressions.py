"""Digests of expressions: equal in every process, and equal only for what is the same SQL."""

from __future__ import annotations

import datetime
import os
import subprocess
import sys
from dataclasses import replace
from decimal import Decimal
from functools import partial
from itertools import combinations
from typing import Any

import ibis
import ibis.expr.datatypes as dt
import ibis.expr.types as ir
import pyarrow as pa
import pytest
from ibis.backends.sql.compilers.base import SQLGlotCompiler

from backends import code_files, toolchain
from marts.core.analysis.reliance_reader import reliance_of
from marts.core.authoring.expressions import FixedAsOf
from marts.core.authoring.tables import Mart
from marts.core.plan.expressions import expression_digest
from marts.core.plan.queries import Queries
from marts.core.run.inspection import inspect_engine
from support.paths import REPOSITORY
from support.updates import Updates, all_gold, edited
from support.workshop import AS_OF, SHOP, Workshop

PAID, TOTALS, MODELS, OVERVIEW = SHOP.order


def orders(**more: str) -> ir.Table:
    """Return a table of orders."""
    columns = {"id": "int64", "amount": "decimal(10, 2)", "day": "date", "note": "string"} | more
    return ibis.table(columns, name="orders")


def digest(table: ir.Table) -> str | None:
    """Return the digest of an expression."""
    return expression_digest(table.op())


def self_joined(*, by_both: bool) -> ir.Table:
    """Join two views of orders, by a column of both or of one."""
    one, other = orders().view(), orders().view()
    return one.join(other, one.id == (other if by_both else one).amount).select(one.id)


ALIKE: dict[str, ir.Table] = {
    **{
        f"literal {value!r} of {kind}": orders().mutate(x=ibis.literal(value, kind))
        for value, kind in [
            (1, "int8"),
            (1, "int64"),
            (1, "float64"),
            (True, "boolean"),
            ("1", "string"),
            (Decimal(1), "decimal(3, 0)"),
            (Decimal("1.0"), "decimal(3, 1)"),
            (0.0, "float64"),
            (-0.0, "float64"),
            (datetime.date(2025, 1, 1), "date"),
            (datetime.datetime.fromisoformat("2025-01-01"), "timestamp"),
            (None, "int64"),
            (None, "string"),
            ("a, b", "string"),
        ]
    },
    "another column": orders().mutate(y=ibis.literal(1, "int8")),
    "two texts": orders().filter(orders().note.isin(["a", "b"])),
    "one text": orders().filter(orders().note.isin(["a, b"])),
    "not null": orders(note="!string").filter(orders(note="!string").note.isin(["a, b"])),
    "another type": orders(id="int32").select("id"),
    "the type": orders().select("id"),
    "another table": ibis.table(orders().schema(), name="returns").select("id"),
    "another schema": ibis.table(orders().schema(), name="orders", database="raw").select("id"),
    "by one view": self_joined(by_both=False),
    "by two views": self_joined(by_both=True),
    "distinct": orders().aggregate(n=orders().note.nunique()),
    "all": orders().aggregate(n=orders().note.count()),
    "descending": orders().order_by(orders().id.desc()),
    "ascending": orders().order_by(orders().id),
    "nulls first": orders().order_by(orders().id.asc(nulls_first=True)),
    "3 days": orders().mutate(x=orders().day + ibis.interval(days=3)),
    "3 hours": orders().mutate(x=orders().day.cast("timestamp") + ibis.interval(hours=3)),
    "rows": orders().mutate(
        x=orders().amount.sum().over(ibis.window(order_by="id", preceding=3, following=0))
    ),
    "more rows": orders().mutate(
        x=orders().amount.sum().over(ibis.window(order_by="id", preceding=4, following=0))
    ),
}


def test_what_is_another_expression_has_another_digest() -> None:
    digests = {name: digest(table) for name, table in ALIKE.items()}
    assert [name for name, found in digests.items() if found is None] == []
    equal = [
        (one, other) for one, other in combinations(digests, 2) if digests[one] == digests[other]
    ]
    assert equal == []


def test_every_process_finds_the_same_digests() -> None:
    code = "from core.plan.test_expressions import ALIKE, digest; import json;"
    code += "print(json.dumps([digest(each) for each in ALIKE.values()]))"
    found = {
        subprocess.run(
            [sys.executable, "-c", f"import ibis; ibis.table(dict(a='int64')).view(); {code}"],
            cwd=REPOSITORY / "tests",
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": f"{REPOSITORY / 'tests'}"},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(found) == 1


@ibis.udf.scalar.builtin(name="jaro")  # type: ignore[untyped-decorator]
def alike(one: str, other: str) -> float:  # type: ignore[empty-body]
    """Another name of a function of the engine, which no argument shows."""


@pytest.mark.parametrize(
    "table",
    [
        orders().mutate(x=alike(orders().note, orders().note)),
        orders().filter(orders().id.isin(ibis.memtable(pa.table({"id": [1, 2]})).id)),
        orders().mutate(
            x=ibis.literal(
                datetime.datetime(2025, 1, 1, tzinfo=datetime.UTC), dt.Timestamp(timezone="UTC")
            )
        ),
    ],
    ids=["function", "table in memory", "zone"],
)
def test_what_may_differ_without_a_sign_has_no_digest(table: ir.Table) -> None:
    assert digest(table) is None


@pytest.fixture
def updates(shop: Workshop) -> Updates:
    """Return a shop that is built, by a known toolchain."""
    found = Updates(shop, toolchain="1")
    found.update()
    return found


@pytest.fixture
def compiled(updates: Updates, monkeypatch: pytest.MonkeyPatch) -> list[ir.Table]:
    """Return the list of what is compiled, once the shop is built."""
    assert updates.runs
    found: list[ir.Table] = []
    compile_ = SQLGlotCompiler.to_sqlglot

    def to_sqlglot(self: SQLGlotCompiler, query: ir.Table, **words: Any) -> Any:
        found.append(query)
        return compile_(self, query, **words)

    monkeypatch.setattr(SQLGlotCompiler, "to_sqlglot", to_sqlglot)
    return found


def test_nothing_is_compiled_if_expressions_show_that_nothing_is_to_do(
    updates: Updates, compiled: list[ir.Table]
) -> None:
    assert updates.update().status == "unchanged"
    assert compiled == []


@pytest.mark.parametrize("other", ["2", None])
def test_with_another_toolchain_all_is_compiled_and_compared(
    other: str | None, updates: Updates, compiled: list[ir.Table]
) -> None:
    updates.toolchain = other
    assert updates.update().status == "unchanged"
    assert compiled


def test_marts_whose_sql_is_another_by_another_toolchain_are_built(
    updates: Updates, monkeypatch: pytest.MonkeyPatch
) -> None:
    compile_ = SQLGlotCompiler.to_sqlglot

    def limited(self: SQLGlotCompiler, query: ir.Table, **words: Any) -> Any:
        return compile_(self, query, **words).limit(1_000_000)

    monkeypatch.setattr(SQLGlotCompiler, "to_sqlglot", limited)
    updates.toolchain = "2"
    updates.update()
    assert updates.reasons[PAID] == "code changed"


def _with_first_threshold(mart: Mart) -> Mart:
    return replace(mart, checks=(replace(mart.checks[0], threshold=7), *mart.checks[1:]))


@pytest.mark.parametrize(
    "edit",
    [
        all_gold,
        _with_first_threshold,
        lambda mart: replace(mart, comment="In other words."),
        lambda mart: replace(mart, checks=mart.checks[1:]),
        lambda mart: replace(
            mart, columns=(replace(mart.columns[0], doc="Whose"), *mart.columns[1:])
        ),
    ],
)
def test_every_edit_is_noticed_by_the_same_toolchain(edit: Any, updates: Updates) -> None:
    updates.shop = replace(updates.shop, graph=edited(SHOP, TOTALS, edit))
    updates.update()
    assert updates.reasons[TOTALS] == "code changed"


def test_an_edit_of_a_temporary_mart_is_noticed(updates: Updates) -> None:
    def temporary(mart: Mart) -> Mart:
        return replace(mart, materialized="temporary")

    def cheap(mart: Mart) -> Mart:
        def define(*inputs: ir.Table) -> ir.Table:
            found = mart.define(*inputs)
            return found.filter(found.amount < 10)

        return replace(mart, define=define)

    graph = edited(SHOP, PAID, temporary)
    updates.shop = replace(updates.shop, graph=graph)
    updates.update()
    updates.shop = replace(updates.shop, graph=edited(graph, PAID, cheap))
    updates.update()
    assert updates.reasons[TOTALS] == "code changed"


def test_a_toolchain_is_known_by_the_content_of_its_files(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "compiler.py"
    monkeypatch.setattr(toolchain, "_folders", lambda: iter([str(tmp_path)]))
    monkeypatch.delitem(sys.modules, toolchain.COMPILERS)
    found = set()
    for text in ("a = 1", "a = 2"):
        file.write_text(text)
        os.utime(file, (1, 1))
        found.add(toolchain.toolchain())
    monkeypatch.setattr(ibis.options.sql, "fuse_selects", False)
    found.add(toolchain.toolchain())
    assert len(found) == 3


def test_a_toolchain_is_not_known_once_the_compilers_are_loaded() -> None:
    assert toolchain.COMPILERS in sys.modules
    assert toolchain.toolchain() is None


def test_a_toolchain_has_the_files_of_all_that_compiles(monkeypatch: pytest.MonkeyPatch) -> None:
    names = list[str]()
    monkeypatch.setattr(code_files, "add_file", lambda _, name: names.append(name))
    monkeypatch.setattr(toolchain, "add_file", lambda _, name: names.append(name))
    monkeypatch.delitem(sys.modules, toolchain.COMPILERS)
    assert toolchain.toolchain()
    for part in (
        "ibis/backends/sql/compilers/duckdb.py",
        "ibis/backends/sql/rewrites.py",
        "ibis/expr/operations/core.py",
        "sqlglot/generators/duckdb.py",
        "sqlglot/generator.py",
        "backends/sql.py",
        "backends/duckdb_sql.py",
        "marts/core/plan/state.py",
    ):
        assert any(name.endswith(part) for name in names), part


def test_queries_without_a_date_are_made_once_and_others_again(shop: Workshop) -> None:
    marts, known = SHOP.project.marts, reliance_of(SHOP).queries
    with shop.backend() as backend:
        state = inspect_engine(SHOP, SHOP.order, backend)
    queries = Queries(SHOP.project, state, FixedAsOf(AS_OF), known=known)
    found = {name: queries.of(marts[name]).op() for name in SHOP.order}
    again = {name for name in found if found[name] is not known[name]}
    assert again == {name for name in found if "as_of" in marts[name].parameters} != {*found}
    fresh = Queries(SHOP.project, state, FixedAsOf(AS_OF))
    assert found == {name: fresh.of(marts[name]).op() for name in SHOP.order}


def test_a_known_query_of_a_source_that_is_absent_is_made_again(shop: Workshop) -> None:
    def undated(mart: Mart) -> Mart:
        define = partial(mart.define, as_of=FixedAsOf(AS_OF))
        return replace(mart, define=define, parameters=("orders",))

    graph = edited(SHOP, PAID, undated)
    mart, known = graph.project.marts[PAID], reliance_of(graph).queries
    with shop.backend() as backend:
        state = inspect_engine(graph, graph.order, backend)
    for sources, is_known in ((state.sources, True), ({}, False)):
        found = replace(state, sources=sources)
        queries = Queries(graph.project, found, FixedAsOf(AS_OF), known=known)
        assert (queries.of(mart).op() is known[PAID]) == is_known
