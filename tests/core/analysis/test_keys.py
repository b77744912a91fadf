"""Keys of queries: which columns identify a row."""

from __future__ import annotations

from collections.abc import Callable

import ibis
import pytest
from ibis.expr.types import Table

from marts import boolean, date, int64, source, string, unique
from marts.core.analysis.declared_keys import declared_keys
from marts.core.analysis.keys import keys_of
from support.workshop import project_of

VERSIONS = source(
    "versions",
    doc="Versions of customers.",
    grain="version",
    columns=[
        string("version"),
        string("customer"),
        date("since"),
        boolean("current"),
        boolean("closed"),
    ],
    checks=[unique("customer", where=lambda t: t.current & ~t.closed)],
)
SALES = source(
    "sales",
    doc="Sales.",
    grain=("customer", "day"),
    columns=[string("customer"), date("day"), string("version"), int64("n"), int64("m")],
    checks=[unique("n", severity="warn"), unique("m", threshold=3)],
)
KEYS = declared_keys(project_of(VERSIONS, SALES).project)
T, V = (
    ibis.table({column.name: column.type for column in each.columns}, name=each.name)
    for each in (SALES, VERSIONS)
)

by_customer = ibis.window(group_by="customer", order_by="day")


def numbered(t: Table) -> Table:
    return t.mutate(number=ibis.row_number().over(by_customer))


def labelled(t: Table, one: str = "n", other: str = "m") -> Table:
    """Return each of two columns in rows of its own, as an unpivot does."""
    n = t.select("customer", "day", label=ibis.literal(one), x=t.n)
    return n.union(t.select("customer", "day", label=ibis.literal(other), x=t.m))


def current(v: Table) -> Table:
    return v.filter(v.current, ~v.closed)


def outer(t: Table, v: Table, key: str) -> Table:
    """Return an outer join of one row with one."""
    return t.group_by(key).aggregate(n=t.n.sum()).outer_join(v, key)


def coalesced(key: str) -> ibis.Deferred:
    return ibis.coalesce(ibis._[key], ibis._[f"{key}_right"])


Query = Callable[[Table, Table], Table]


@pytest.mark.parametrize(
    ("query", "key"),
    [
        (lambda t, _: t, {"customer", "day"}),
        (lambda t, _: t.select("day", who=t.customer), {"who", "day"}),
        (lambda t, _: t.select("customer", day=t.day.cast("string")), {"customer", "day"}),
        (lambda t, _: t.filter(t.n > 3).order_by("n").limit(9), {"customer", "day"}),
        (lambda t, _: t.filter(t.day == ibis.date(2025, 1, 1)), {"customer"}),
        (lambda t, _: t.filter(t.day == t.day.max()), {"customer"}),
        (lambda t, _: t.filter(t.day == t.day.max().over(group_by="customer")), {"customer"}),
        (lambda t, _: t.filter(t.customer == "c", t.day == ibis.date(2025, 1, 1)), set()),
        (lambda t, _: t.limit(1), set()),
        (lambda t, _: t.aggregate(n=t.n.sum()), set()),
        (lambda t, _: t.group_by("day").aggregate(n=t.n.sum()), {"day"}),
        (lambda t, _: t.select("version", "n").distinct(), {"version", "n"}),
        (lambda t, _: t.distinct(on="version", keep="first"), {"version"}),
        (lambda t, _: numbered(t).filter(lambda r: r.number == 0), {"customer"}),
        (lambda t, _: numbered(t).filter(lambda r: r.number < 1), {"customer"}),
        (lambda t, _: t.filter(ibis.row_number().over(by_customer) == 0), {"customer"}),
        (lambda t, _: numbered(t).select("customer", "number"), {"customer", "number"}),
        (lambda t, _: t.union(t, distinct=True).select("customer", "day", "version", "n", "m"),
         {"customer", "day", "version", "n", "m"}),
        (lambda t, _: t.difference(t.filter(t.n == 0)), {"customer", "day"}),
        (lambda t, _: labelled(t), {"customer", "day", "label"}),
        (lambda t, _: labelled(t).filter(lambda r: r.label == "n"), {"customer", "day"}),
        # conditions of a key that not all rows have
        (lambda _, v: current(v), {"customer"}),
        (lambda _, v: v.filter(v.current & ~v.closed & (v.version != "")), {"customer"}),
        (lambda _, v: current(v.mutate(x=v.customer + "x")), {"customer"}),
        (lambda _, v: current(v).select(who="customer"), {"who"}),
        # joins
        (lambda t, v: t.inner_join(v, "version"), {"customer", "day"}),
        (lambda t, v: t.left_join(v, "version").select("customer", "day"), {"customer", "day"}),
        (lambda t, v: t.semi_join(v, "customer"), {"customer", "day"}),
        (lambda t, v: t.anti_join(v, "customer"), {"customer", "day"}),
        (lambda t, v: t.left_join(current(v), "customer"), {"customer", "day"}),
        (lambda t, _: t.cross_join(t.aggregate(total=t.n.sum())), {"customer", "day"}),
        (lambda t, v: v.left_join(t, "customer").select("version", "day"), {"version", "day"}),
        (
            lambda t, _: t.group_by("customer").aggregate(day=t.day.max())
            .inner_join(t, ["customer", "day"]).select("customer", "n"),
            {"customer"},
        ),
        (lambda t, v: t.left_join(v, [t.customer == v.customer, v.current, ~v.closed]),
         {"customer", "day"}),
        (lambda t, v: outer(t, v, "version").select(who=coalesced("version")), {"who"}),
        (lambda t, v: outer(t, v, "version").mutate(who=coalesced("version")), {"who"}),
    ],
)  # fmt: skip
def test_a_key_is_derived(query: Query, key: set[str]) -> None:
    assert frozenset(key) in keys_of(query(T, V).op(), KEYS)


@pytest.mark.parametrize(
    "query",
    [
        lambda t, _: t.select("customer"),
        lambda t, _: t.select("n", "m"),
        lambda t, _: t.select("customer", day=t.day.truncate("month")),
        lambda t, _: t.select("customer", "day", x=ibis.array([1, 2]).unnest()),
        lambda t, _: t.fill_null({"customer": "nobody"}),
        lambda t, _: t.filter(t.day > ibis.date(2025, 1, 1)).select("customer"),
        lambda t, _: t.filter(t.day == t.day.max().over(by_customer)).select("customer"),
        lambda t, _: t.filter(t.day.isin([ibis.date(2025, 1, 1), ibis.date(2025, 1, 2)]))
        .select("customer"),
        lambda t, _: numbered(t).filter(lambda r: r.number <= 1).select("customer"),
        lambda t, _: t.mutate(rank=ibis.rank().over(by_customer)).filter(lambda r: r["rank"] == 0)
        .select("customer"),
        lambda t, _: t.union(t),
        lambda t, _: labelled(t, "n", "n"),
        lambda t, _: labelled(t).select("customer", "day"),
        lambda t, _: t.select("customer", day=t.day.cast("timestamp(6)").cast("timestamp(0)")),
        lambda t, v: t.left_join(v, [t.customer == v.customer, v.current])
        .select("customer", "day"),
        lambda t, v: t.left_join(v, [t.customer == v.customer, t.n > 0])
        .select("customer", "day"),
        lambda t, _: t.limit(2).select("n"),
        lambda _, v: v.filter(v.current).select("customer"),
        lambda _, v: v.filter(v.current | ~v.closed).select("customer"),
        lambda t, v: t.inner_join(v, "customer").select("customer", "day"),
        lambda t, v: v.inner_join(t, "customer").select("version"),
        lambda t, v: t.inner_join(v, t.version < v.version).select("customer", "day"),
        lambda t, v: t.cross_join(v.limit(2)).select("customer", "day"),
        lambda t, v: t.right_join(v, "version").select("customer", "day"),
        lambda t, v: t.outer_join(v, "version").select(who=coalesced("version")),
        lambda t, v: outer(t, v, "version").select(who=ibis._.version),
    ],
)  # fmt: skip
def test_no_key_is_derived(query: Query) -> None:
    assert not keys_of(query(T, V).op(), KEYS)
