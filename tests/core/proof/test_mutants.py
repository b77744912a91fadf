"""Mutants of a mart: distinct, within its contract, and at the line of the author."""

from __future__ import annotations

import datetime

import ibis
import ibis.expr.operations as ops
import ibis.expr.types as ir
import pytest

from marts import AsOf, Table
from marts.core.authoring.expressions import FixedAsOf
from marts.core.errors import DefinitionError
from marts.core.proof.mutants import Mutant, mutants_of
from support.mutants import AS_OF, ON_KEY, T, U, changes, declared, mutants


def test_nulls_that_a_table_fills_are_fallbacks_of_each_column() -> None:
    found = mutants(lambda t, *_: t.fill_null({"n": 0, "s": "none"}), n="int64", s="string")
    assert changes("fallback removed", found) == [
        ("coalesce(n, 0)", "n"),
        ("coalesce(s, 'none')", "s"),
    ]
    assert changes("literal", found) == [("coalesce(n, 0)", "coalesce(n, 1)")]
    assert changes("label", found) == [("coalesce(s, 'none')", "coalesce(s, 'none?')")]
    assert {mutant.location for mutant in found} == {found[0].location}


def sql(mutant: Mutant) -> str:
    return str(ibis.to_sql(mutant.query, dialect="duckdb"))


def test_a_literal_moves_where_it_stands_and_nowhere_else() -> None:
    found = mutants(lambda t, *_: t.select("k", x=t.f > 90, y=t.g < 90), x="boolean", y="boolean")
    moved = [m for m in found if (m.before, m.after) == ("f > 90", "f > 91")]
    (mutant,) = moved
    assert '"f" > 91' in sql(mutant)
    assert '"g" < 90' in sql(mutant)


def test_the_other_columns_stay_as_they_are() -> None:
    for mutant in mutants(
        lambda t, *_: t.select("k", x=t.n + 1, y=t.m - t.n), x="int64", y="int64"
    ):
        before = {"x": ops.Add, "y": ops.Subtract}
        kept = [
            name
            for name, kind in before.items()
            if type(mutant.table.op().values[name]) is kind
            and mutant.table.op().values[name].find(ops.Field)[0].name in ("n", "m")
        ]
        assert kept, mutant


def test_a_mutant_is_the_marts_contract_in_order_and_type() -> None:
    for mutant in mutants(lambda t, *_: t.select(x=t.n + 1, k=t.k), x="float64"):
        assert dict(mutant.query.schema().items()) == {
            "k": ibis.dtype("string"),
            "x": ibis.dtype("float64"),
        }


def test_no_two_mutants_are_one_and_none_is_the_original() -> None:
    found = mutants(lambda t, *_: t.select("k", x=ibis.ifelse(t.b, 1, 1)), x="int64")
    queries = [mutant.query.op() for mutant in found]
    assert len(set(queries)) == len(queries)
    names = [(mutant.operator, mutant.before, mutant.after) for mutant in found]
    assert len(set(names)) == len(names)


def test_what_occurs_several_times_is_numbered() -> None:
    found = mutants(lambda t, *_: t.filter(t.f > 5).mutate(f=-t.f).filter(lambda r: r.f > 5))
    assert changes("comparison", found) == [("f > 5", "f >= 5"), ("f > 5 (2)", "f >= 5")]


def test_what_ibis_refuses_is_no_mutant() -> None:
    # Without its cast, the sum of a text.
    found = mutants(lambda t, *_: t.group_by("k").agg(x=t.s.cast("int64").sum()), x="int64")
    assert changes("cast dropped", found) == []
    assert changes("function", found) == [("sum(cast(s, int64))", "max(cast(s, int64))")]


def test_what_the_contract_refuses_is_no_mutant() -> None:
    # Neither the mean nor the maximum of floats is a whole number.
    found = mutants(lambda t, *_: t.group_by("k").agg(x=t.f.count()), x="int64")
    assert changes("function", found) == [("count(f)", "count_distinct(f)")]
    found = mutants(lambda t, *_: t.select("k", x=t.s.cast("date")), x="date")
    assert changes("cast dropped", found) == []


def test_the_place_is_the_line_of_the_author() -> None:
    def toy(t: Table, as_of: AsOf) -> Table:
        """Toy."""
        early = t.day < as_of.minus(days=3)
        return t.filter(early).mutate(
            x=ibis.cases(
                (t.f < 1, "low"),
                (t.f < 5, "mid"),
                else_="high",
            )
        )

    first = toy.__code__.co_firstlineno
    found = mutants_of(declared(toy, x="string"), {"t": T}, AS_OF)
    lines = {(m.operator, m.before): int(m.location.rpartition(":")[2]) - first for m in found}
    assert lines["negation", "day < as_of - 3 days"] == 2
    assert lines["condition dropped", "filter(day < as_of - 3 days)"] == 2
    assert lines["label", "'low' if f < 1"] == 5
    assert lines["branch dropped", "'mid' if f < 5"] == 6
    assert [m.location for m in found] == sorted(m.location for m in found)
    assert found[0].location.startswith("tests/core/proof/test_mutants.py:")


def test_texts_are_those_of_any_date() -> None:
    def toy(t: Table, as_of: AsOf) -> Table:
        """Toy."""
        return t.filter(t.day < as_of.minus(days=3))

    earlier = FixedAsOf(datetime.date(2024, 2, 29))
    toy_mart = declared(toy)
    for one, other in zip(
        mutants_of(toy_mart, {"t": T}, AS_OF), mutants_of(toy_mart, {"t": T}, earlier), strict=True
    ):
        assert one == other


def test_inputs_are_not_mutated() -> None:
    def toy(t: Table) -> Table:
        """Toy."""
        return t.select("k")

    made = U.filter(U.n > 5)
    assert mutants_of(declared(toy), {"t": made}, AS_OF) == ()


def test_a_mart_that_is_none_raises() -> None:
    def toy(t: Table) -> Table:
        """Toy."""
        return t.select("missing")

    with pytest.raises(DefinitionError, match="mart toy failed to build its expression"):
        mutants_of(declared(toy), {"t": T}, AS_OF)


def test_a_join_that_is_returned_as_it_is_has_mutants() -> None:
    found = mutants(lambda t, u, _: t.left_join(u, "k"), v="float64")
    assert changes("join", found) == [(f"left join {ON_KEY}", f"inner join {ON_KEY}")]
    assert isinstance(found[0].query, ir.Table)
