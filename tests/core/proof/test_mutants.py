"""Mutation: what each operator makes of a small expression, in the words of the report."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from typing import Any

import ibis
import ibis.expr.operations as ops
import ibis.expr.types as ir
import pytest

from marts import AsOf, Table, mart, ratio, string
from marts.core.authoring.columns import Column
from marts.core.authoring.expressions import FixedAsOf
from marts.core.authoring.tables import Mart
from marts.core.errors import DefinitionError
from marts.core.proof.mutants import Mutant, mutants_of

AS_OF = FixedAsOf(datetime.date(2025, 6, 30))
T = ibis.table(
    {
        "k": "string",
        "n": "int64",
        "m": "int64",
        "f": "float64",
        "g": "float64",
        "d": "decimal(10, 2)",
        "s": "string",
        "b": "boolean",
        "day": "date",
        "at": "timestamp",
    },
    name="t",
)
U = ibis.table({"k": "string", "n": "int64", "v": "float64"}, name="u")

Change = tuple[str, str]


def mutants(make: Callable[..., Any], **columns: str) -> tuple[Mutant, ...]:
    """Return the mutants of a mart with a key and these columns: `make(t, u, as_of)`."""

    def toy(t: Table, u: Table, as_of: AsOf) -> Table:
        """Toy."""
        made: Table = make(t, u, as_of)
        return made

    return mutants_of(declared(toy, **columns), {"t": T, "u": U}, AS_OF)


def declared(define: Callable[..., Table], **columns: str) -> Mart:
    kinds = [Column(name=name, type=kind, null=True) for name, kind in columns.items()]
    return mart(grain="k", columns=[string("k"), *kinds])(define)


def changes(operator: str, found: tuple[Mutant, ...]) -> list[Change]:
    """Return what an operator changed: before and after."""
    return [(m.before, m.after) for m in found if m.operator == operator]


def of_value(operator: str, kind: str, make: Callable[..., Any]) -> list[Change]:
    """Return what an operator makes of one column's expression."""
    found = mutants(lambda t, _, as_of: t.select("k", x=make(t, as_of)), x=kind)
    return changes(operator, found)


def of_rows(operator: str, make: Callable[..., Any]) -> list[Change]:
    """Return what an operator makes of the rows that a mart returns."""
    return changes(operator, mutants(make))


def case(t: Any) -> Any:
    return ibis.cases((t.f < 1, "low"), (t.f < 5, "mid"), else_="high")


by_n = ibis.window(group_by="s", order_by="n")

VALUES: list[tuple[str, str, Callable[[Any, AsOf], Any], list[Change]]] = [
    ("comparison", "boolean", lambda t, _: t.f >= 5, [("f >= 5", "f > 5")]),
    ("comparison", "boolean", lambda t, _: t.f > 5, [("f > 5", "f >= 5")]),
    ("comparison", "boolean", lambda t, _: t.f <= t.g, [("f <= g", "f < g")]),
    ("comparison", "boolean", lambda t, _: t.f < 5, [("f < 5", "f <= 5")]),
    ("comparison", "boolean", lambda t, _: t.f == 5, []),
    # A literal of whole steps, moved, says the same.
    ("comparison", "boolean", lambda t, _: t.n < 5, []),
    ("comparison", "boolean", lambda t, _: t.n < t.m, [("n < m", "n <= m")]),
    ("comparison", "boolean", lambda t, as_of: t.day <= as_of.date, []),
    ("comparison", "boolean", lambda t, as_of: t.at < as_of.date, [("at < as_of", "at <= as_of")]),
    (
        "comparison",
        "boolean",
        lambda t, _: t.f.between(1, 5),
        [
            ("f between 1 and 5", "(f > 1) and (f <= 5)"),
            ("f between 1 and 5", "(f >= 1) and (f < 5)"),
        ],
    ),
    ("negation", "boolean", lambda t, _: t.f >= 5, [("f >= 5", "f < 5")]),
    ("negation", "boolean", lambda t, _: t.s == "x", [("s == 'x'", "s != 'x'")]),
    ("negation", "boolean", lambda t, _: t.s != "x", [("s != 'x'", "s == 'x'")]),
    ("negation", "boolean", lambda t, _: ~t.b, [("not b", "b")]),
    ("null test", "boolean", lambda t, _: t.s.isnull(), [("s is null", "s is not null")]),
    ("null test", "boolean", lambda t, _: t.s.notnull(), [("s is not null", "s is null")]),
    ("and for or", "boolean", lambda t, _: t.b & (t.n == 1), [("b and (n == 1)", "b or (n == 1)")]),
    ("and for or", "boolean", lambda t, _: t.b | (t.n == 1), [("b or (n == 1)", "b and (n == 1)")]),
    (
        "condition dropped",
        "boolean",
        lambda t, _: t.b & (t.n == 1),
        [("b and (n == 1)", "b"), ("b and (n == 1)", "n == 1")],
    ),
    (
        "value dropped",
        "boolean",
        lambda t, _: t.s.isin(["x", "y"]),
        [("s in ('x', 'y')", "s in ('y')"), ("s in ('x', 'y')", "s in ('x')")],
    ),
    ("value dropped", "boolean", lambda t, _: t.s.isin(["x"]), []),
    (
        "branch dropped",
        "string",
        lambda t, _: case(t),
        [("'low' if f < 1", "no such branch"), ("'mid' if f < 5", "no such branch")],
    ),
    (
        "branch dropped",
        "float64",
        lambda t, _: ibis.ifelse(t.b, t.f, t.g),
        [("f if b", "no such branch")],
    ),
    (
        "branch dropped",
        "string",
        lambda t, _: t.s.cases(("x", "X"), else_="?"),
        [("'X' if 'x'", "no such branch")],
    ),
    (
        "branches exchanged",
        "string",
        lambda t, _: case(t),
        [("f < 1 before f < 5", "f < 5 before f < 1")],
    ),
    (
        "branches exchanged",
        "int64",
        lambda t, _: ibis.cases((t.f.isnull(), 1), (t.f > 0, 2), (t.f == 0, 3), else_=4),
        [],
    ),
    (
        "label",
        "string",
        lambda t, _: case(t),
        [
            ("'low' if f < 1", "'low?' if f < 1"),
            ("'mid' if f < 5", "'mid?' if f < 5"),
            ("else 'high'", "else 'high?'"),
        ],
    ),
    ("label", "boolean", lambda t, _: t.s == "x", [("s == 'x'", "s == 'x?'")]),
    ("label", "boolean", lambda t, _: t.s.isin(["x"]), [("s in ('x')", "s in ('x?')")]),
    (
        "label",
        "string",
        lambda t, _: t.s.fill_null("none"),
        [("coalesce(s, 'none')", "coalesce(s, 'none?')")],
    ),
    ("literal", "boolean", lambda t, _: t.f > 5, [("f > 5", "f > 6"), ("f > 5", "f > 4")]),
    (
        "literal",
        "boolean",
        lambda t, _: t.f > 0.25,
        [("f > 0.25", "f > 0.26"), ("f > 0.25", "f > 0.24")],
    ),
    (
        "literal",
        "boolean",
        lambda t, _: t.n == 127,
        [("n == 127", "n == 128"), ("n == 127", "n == 126")],
    ),
    (
        "literal",
        "boolean",
        lambda t, as_of: t.day >= as_of.minus(days=90),
        [
            ("day >= as_of - 90 days", "day >= as_of - 89 days"),
            ("day >= as_of - 90 days", "day >= as_of - 91 days"),
        ],
    ),
    (
        "literal",
        "boolean",
        lambda t, _: t.day == ibis.date("2020-02-28"),
        [("day == 2020-02-28", "day == 2020-02-29"), ("day == 2020-02-28", "day == 2020-02-27")],
    ),
    ("literal", "float64", lambda t, _: t.f * 100, [("f * 100", "f * 101")]),
    ("literal", "float64", lambda t, _: t.f / 3.0, [("f / 3.0", "f / 4.0")]),
    ("literal", "float64", lambda t, _: t.f.fill_null(0), [("coalesce(f, 0)", "coalesce(f, 1)")]),
    (
        "literal",
        "boolean",
        lambda t, _: t.b.fill_null(False),
        [("coalesce(b, False)", "coalesce(b, True)")],
    ),
    (
        "literal",
        "int64",
        lambda t, _: t.n.lag(1).over(by_n),
        [("lag(n, offset=1)", "lag(n, offset=2)")],
    ),
    ("literal", "date", lambda _, as_of: as_of.date, [("x = as_of", "x = as_of + 1 day")]),
    ("literal", "float64", lambda t, _: t.f.nullif(0), []),
    ("literal", "boolean", lambda t, _: t.n.isin([1, 2]), []),
    ("fallback removed", "float64", lambda t, _: t.f.fill_null(0), [("coalesce(f, 0)", "f")]),
    (
        "fallback removed",
        "float64",
        lambda t, _: ibis.coalesce(t.f, t.g, 0.0),
        [("coalesce(f, g, 0.0)", "coalesce(f, 0.0)"), ("coalesce(f, g, 0.0)", "coalesce(f, g)")],
    ),
    ("null guard removed", "float64", lambda t, _: t.f.nullif(0), [("nullif(f, 0)", "f")]),
    ("operands exchanged", "int64", lambda t, _: t.n - t.m, [("n - m", "m - n")]),
    (
        "operands exchanged",
        "float64",
        lambda t, _: ratio(t.f, t.g),
        [("f / nullif(g, 0)", "g / nullif(f, 0)")],
    ),
    (
        "operands exchanged",
        "int64",
        lambda t, as_of: as_of.date.delta(t.day, unit="day"),
        [("delta(as_of, day, 'day')", "delta(day, as_of, 'day')")],
    ),
    ("minus for plus", "int64", lambda t, _: t.n + 1, [("n + 1", "n - 1")]),
    (
        "unit",
        "timestamp",
        lambda t, _: t.at.truncate("month"),
        [("truncate(at, 'month')", "truncate(at, 'quarter')")],
    ),
    (
        "unit",
        "int64",
        lambda t, as_of: as_of.date.delta(t.day, unit="day"),
        [("delta(as_of, day, 'day')", "delta(as_of, day, 'month')")],
    ),
    (
        "function",
        "float64",
        lambda t, _: ibis.greatest(t.f, t.g),
        [("greatest(f, g)", "least(f, g)")],
    ),
    ("function", "int64", lambda t, _: t.n.lag().over(by_n), [("lag(n)", "lead(n)")]),
    ("function", "int64", lambda t, _: t.n.lead().over(by_n), [("lead(n)", "lag(n)")]),
    (
        "order reversed",
        "int64",
        lambda *_: ibis.row_number().over(by_n),
        [
            (
                "row_number() over (partition by s, order by n)",
                "row_number() over (partition by s, order by n desc)",
            )
        ],
    ),
    (
        "partition dropped",
        "int64",
        lambda *_: ibis.row_number().over(by_n),
        [("row_number() over (partition by s, order by n)", "row_number() over (order by n)")],
    ),
    # What narrows may change a value; what widens only where the result gets another type.
    (
        "cast dropped",
        "boolean",
        lambda t, _: t.at.date() == t.day,
        [("date(at) == day", "at == day")],
    ),
    (
        "cast dropped",
        "boolean",
        lambda t, _: t.at.cast("date") == t.day,
        [("cast(at, date) == day", "at == day")],
    ),
    ("cast dropped", "boolean", lambda t, as_of: t.at < as_of.date.cast("timestamp"), []),
    ("cast dropped", "float64", lambda t, _: ratio(t.d, t.n), []),
    (
        "cast dropped",
        "decimal(38, 4)",
        lambda t, _: t.n.cast("decimal(20, 2)") * t.n,
        [("cast(n, decimal(20, 2)) * n", "n * n")],
    ),
]


@pytest.mark.parametrize(("operator", "kind", "make", "expected"), VALUES)
def test_a_value(
    operator: str, kind: str, make: Callable[[Any, AsOf], Any], expected: list[Change]
) -> None:
    assert of_value(operator, kind, make) == expected


AGGREGATES: list[tuple[str, str, Callable[[Any], Any], list[Change]]] = [
    ("function", "int64", lambda t: t.n.sum(), [("sum(n)", "max(n)")]),
    ("function", "float64", lambda t: t.f.sum(), [("sum(f)", "max(f)"), ("sum(f)", "mean(f)")]),
    (
        "function",
        "float64",
        lambda t: t.f.mean(),
        [("mean(f)", "median(f)"), ("mean(f)", "max(f)")],
    ),
    ("function", "float64", lambda t: t.f.median(), [("median(f)", "mean(f)")]),
    ("function", "int64", lambda t: t.n.min(), [("min(n)", "max(n)")]),
    ("function", "int64", lambda t: t.n.max(), [("max(n)", "min(n)")]),
    ("function", "int64", lambda t: t.s.count(), [("count(s)", "count_distinct(s)")]),
    ("function", "int64", lambda t: t.s.nunique(), [("count_distinct(s)", "count(s)")]),
    ("function", "boolean", lambda t: t.b.any(), [("any(b)", "all(b)")]),
    ("function", "boolean", lambda t: t.b.all(), [("all(b)", "any(b)")]),
    ("function", "float64", lambda t: t.f.std(), [("std(f, how='sample')", "std(f, how='pop')")]),
    (
        "function",
        "float64",
        lambda t: t.f.var(how="pop"),
        [("var(f, how='pop')", "var(f, how='sample')")],
    ),
    ("condition dropped", "int64", lambda t: t.n.sum(where=t.b), [("sum(n, where=b)", "sum(n)")]),
    ("condition dropped", "int64", lambda t: t.count(where=t.b), [("count(where=b)", "count()")]),
    (
        "cast dropped",
        "float64",
        lambda t: t.d.cast("float64").mean(),
        [("mean(cast(d, float64))", "mean(d)")],
    ),
]


@pytest.mark.parametrize(("operator", "kind", "make", "expected"), AGGREGATES)
def test_an_aggregate(
    operator: str, kind: str, make: Callable[[Any], Any], expected: list[Change]
) -> None:
    found = mutants(lambda t, _, __: t.group_by("k").aggregate(x=make(t)), x=kind)
    assert changes(operator, found) == expected


def distinct_union(t: Any, u: Any, _: AsOf) -> Any:
    return t.select("k").union(u.select("k"), distinct=True)


ON_KEY = "u on t.k == u.k"
ROWS: list[tuple[str, Callable[..., Any], list[Change]]] = [
    (
        "condition dropped",
        lambda t, *_: t.filter(t.b, t.n == 1),
        [("filter(b)", "every row"), ("filter(n == 1)", "every row")],
    ),
    (
        "join",
        lambda t, u, _: t.inner_join(u, "k"),
        [(f"inner join {ON_KEY}", f"left join {ON_KEY}")],
    ),
    (
        "join",
        lambda t, u, _: t.left_join(u, "k"),
        [(f"left join {ON_KEY}", f"inner join {ON_KEY}")],
    ),
    (
        "join",
        lambda t, u, _: t.semi_join(u, "k"),
        [
            (f"semi join {ON_KEY}", f"anti join {ON_KEY}"),
            (f"semi join {ON_KEY}", f"left join {ON_KEY}"),
        ],
    ),
    (
        "join",
        lambda t, u, _: t.anti_join(u.filter(u.n == 1), "k"),
        [
            ("anti join (from u) on t.k == u.k", "semi join (from u) on t.k == u.k"),
            ("anti join (from u) on t.k == u.k", "left join (from u) on t.k == u.k"),
        ],
    ),
    (
        "condition dropped",
        lambda t, u, _: t.left_join(u, ["k", "n"]),
        [
            (f"left join {ON_KEY} and t.n == u.n", "… without t.k == u.k"),
            (f"left join {ON_KEY} and t.n == u.n", "… without t.n == u.n"),
        ],
    ),
    # Every pair of rows but the wanted ones is no slip.
    ("negation", lambda t, u, _: t.left_join(u, "k"), []),
    (
        "distinct dropped",
        lambda t, *_: t.select("k").distinct(),
        [("distinct (from t)", "all rows")],
    ),
    (
        "set",
        distinct_union,
        [
            ("union of (from t) and (from u)", "the first alone"),
            ("union of (from t) and (from u)", "the second alone"),
            ("union of (from t) and (from u), distinct rows", "all rows"),
        ],
    ),
    (
        "set",
        lambda t, u, _: t.select("k").difference(u.select("k")),
        [("difference of (from t) and (from u)", "the first alone")],
    ),
    (
        "order reversed",
        lambda t, *_: t.order_by(t.n.desc(), "k").limit(3),
        [
            ("order by n desc, k", "order by n, k"),
            ("order by n desc, k", "order by n desc, k desc"),
        ],
    ),
    ("order reversed", lambda t, *_: t.order_by("n"), []),
    ("literal", lambda t, *_: t.order_by("n").limit(3), [("limit 3", "limit 4")]),
]


@pytest.mark.parametrize(("operator", "make", "expected"), ROWS)
def test_rows(operator: str, make: Callable[..., Any], expected: list[Change]) -> None:
    assert of_rows(operator, make) == expected


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
    # The mean of floats is no whole number, nor is their maximum.
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
