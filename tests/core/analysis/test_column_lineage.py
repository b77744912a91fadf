"""Lineage of columns, kind by kind: what is said is what brute force finds."""

from __future__ import annotations

import datetime
from collections.abc import Collection, Mapping
from contextlib import closing
from decimal import Decimal
from functools import cache
from random import Random

import ibis
import ibis.expr.operations as ops
import ibis.expr.types as ir
import pyarrow as pa
import pytest

from backends.factory import worlds_on_duckdb
from marts.core.analysis.column_lineage import Edges, Kind, Name, column_lineage
from marts.core.query.contract import schema_of
from support.lineage_cases import CASES, KEYS, NEVER_SEEN, SOURCES, U
from support.lineage_oracle import Observations, Oracle, Watched

ROWS = 40


def edges(text: str) -> Edges:
    """Return the edges of `t.n identity join, u.k join`."""
    found = {}
    for each in text.split(", ") if text else ():
        name, *kinds = each.split()
        table, _, column = name.partition(".")
        found[table, column] = frozenset(Kind(kind) for kind in kinds)
    return found


@pytest.mark.parametrize(("query", "expected"), CASES.values(), ids=CASES)
def test_each_kind_of_step_has_its_kind_of_lineage(query: ir.Table, expected: str) -> None:
    assert column_lineage(query, keys=KEYS)["x"] == edges(expected)


ARRAYS = ibis.table({"k": "int64", "a": "array<int64>", "t": "timestamp('UTC')"}, name="arrays")
RARE = {
    "elements of arrays": (
        ARRAYS.drop("t").unnest("a", offset="at").select(x="k", y="a", z="at"),
        {
            "x": "arrays.k identity, arrays.a join",
            "y": "arrays.a transformation join",
            "z": "arrays.a transformation join",
        },
    ),
    "the same moment in another zone": (
        ARRAYS.select(x=ARRAYS.t.cast("timestamp('Europe/Berlin')")),
        {"x": "arrays.t transformation"},
    ),
    "elements of another type": (
        ARRAYS.select(x=ARRAYS.a.cast("array<string>"), y=ARRAYS.a.cast("array<decimal(38, 0)>")),
        {"x": "arrays.a transformation", "y": "arrays.a identity"},
    ),
    "a relation that is not known": (
        ops.SQLStringView(U.op(), "SELECT k AS x FROM u", ibis.schema({"x": "int64"})).to_expr(),
        {"x": ", ".join(f"u.{name} transformation filter" for name in U.columns)},
    ),
    "as many rows as there are": (
        U.order_by("v").limit(U.count()).select(x="k"),
        {"x": "u.k identity, u.v sort"},
    ),
}


@pytest.mark.parametrize(("query", "expected"), RARE.values(), ids=RARE)
def test_what_few_queries_have_is_followed_too(
    query: ir.Table, expected: Mapping[str, str]
) -> None:
    found = column_lineage(query)
    assert found == {name: edges(text) for name, text in expected.items()}


@cache
def tables() -> dict[str, pa.Table]:
    rng = Random(1)

    def small() -> int | None:
        value: int | None = rng.choice([None, *range(6)])
        return value

    day = datetime.date(2024, 1, 1)
    rows = {
        "t": [
            {
                "id": n,
                "g": rng.choice("aab ab").strip() or None,
                "n": small(),
                "m": small(),
                "p": Decimal(rng.randrange(1000)) / 100,
                "d": day + datetime.timedelta(rng.randrange(20)),
                "at": datetime.datetime(2024, 1, 1) + datetime.timedelta(hours=rng.randrange(99)),  # noqa: DTZ001
            }
            for n in range(ROWS)
        ],
        "u": [{"k": n, "v": small(), "w": rng.choice("xyz")} for n in range(6)],
        "e": [{"e": n, "k": rng.choice([0, 1, 2, 3, 9]), "a": small()} for n in range(ROWS)],
    }
    return {
        name: pa.Table.from_pylist(rows[name], schema_of(each.columns).to_pyarrow())
        for name, each in SOURCES.items()
    }


@cache
def observations() -> Observations:
    """Return what changed in the tables of the cases when the columns of their tables did."""
    lineage = {name: column_lineage(query, keys=KEYS) for name, (query, _) in CASES.items()}
    with closing(worlds_on_duckdb()) as engine:
        compiled = {name: engine.compile(query) for name, (query, _) in CASES.items()}

        def named(changed: Name) -> Collection[Name]:
            return {
                (name, column)
                for name, columns in lineage.items()
                for column, of in columns.items()
                if changed in of
            }

        watched = {name: Watched(tuple(query.columns)) for name, (query, _) in CASES.items()}
        oracle = Oracle(engine.show, lambda name: engine.rows(compiled[name]), watched, named)
        oracle.watch(tables(), SOURCES)
    return oracle.observed


@pytest.mark.parametrize("name", CASES)
def test_exactly_what_lineage_names_changes(name: str) -> None:
    observed = observations()
    unnamed = {edge: how for edge, how in observed.unnamed.items() if edge[1][0] == name}
    assert not unnamed
    lineage = column_lineage(CASES[name][0], keys=KEYS)
    named = {(each, (name, column)) for column, of in lineage.items() for each in of}
    never = {
        (("t", each), (case, column))
        for (case, column), several in NEVER_SEEN.items()
        for each in several
    }
    assert named - observed.seen == {edge for edge in never if edge[1][0] == name}
