"""Mutations of values: what each operator makes of a small expression, as it is reported."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ibis
import pytest

from marts import AsOf, mean, ratio
from support.mutants import Change, changes, mutants


def of_value(operator: str, kind: str, make: Callable[..., Any]) -> list[Change]:
    """Return what an operator makes of one column's expression."""
    found = mutants(lambda t, _, as_of: t.select("k", x=make(t, as_of)), x=kind)
    return changes(operator, found)


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
    (
        "cast dropped",
        "boolean",
        lambda t, _: t.f.round(3).cast("decimal(20, 2)") > t.d,
        [("cast(round(f, digits=3), decimal(20, 2)) > d", "round(f, digits=3) > d")],
    ),
    ("cast dropped", "boolean", lambda t, _: t.f.round(2).cast("decimal(20, 2)") > t.d, []),
    (
        "literal",
        "float64",
        lambda t, _: t.f.round(2),
        [("round(f, digits=2)", "round(f, digits=3)")],
    ),
    # Smaller than what comparisons tolerate.
    ("literal", "float64", lambda t, _: t.f.round(14), []),
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
    ("cast dropped", "float64", lambda t: mean(t.f), []),
]


@pytest.mark.parametrize(("operator", "kind", "make", "expected"), AGGREGATES)
def test_an_aggregate(
    operator: str, kind: str, make: Callable[[Any], Any], expected: list[Change]
) -> None:
    found = mutants(lambda t, _, __: t.group_by("k").aggregate(x=make(t)), x=kind)
    assert changes(operator, found) == expected
