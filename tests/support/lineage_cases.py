"""Queries over three tables, step by step of each kind, and the lineage of their column x."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any

import ibis
import ibis.expr.types as ir
import pyarrow as pa

from marts import date, decimal, int64, source, string, timestamp
from marts.core.analysis.declared_keys import DeclaredKeys
from marts.core.authoring.memtables import written_out
from marts.core.authoring.tables import Source
from marts.core.query.contract import schema_of

SOURCES: Mapping[str, Source] = {
    "t": source(
        "t",
        doc="Things.",
        grain="id",
        columns=[
            int64("id"),
            string("g", null=True),
            int64("n", null=True),
            int64("m", null=True),
            decimal("p", 10, 2, null=True),
            date("d", null=True),
            timestamp("at", null=True),
        ],
    ),
    "u": source(
        "u",
        doc="More.",
        grain="k",
        columns=[int64("k"), int64("v", null=True), string("w", null=True)],
    ),
    "e": source(
        "e", doc="Events.", grain="e", columns=[int64("e"), int64("k"), int64("a", null=True)]
    ),
}
TABLES = {name: ibis.table(schema_of(each.columns), name=name) for name, each in SOURCES.items()}
T, U, E = TABLES["t"], TABLES["u"], TABLES["e"]
KEYS = DeclaredKeys({name: frozenset({frozenset(each.grain)}) for name, each in SOURCES.items()})
WRITTEN = written_out(
    ibis.memtable(pa.table({"k": [1, 2], "label": ["a", "b"]})), what="a test", location="here"
)
BY_G = ibis.window(group_by=T.g, order_by=T.id)


def only(**values: Any) -> ir.Table:
    """Return the column x, beside others of the table."""
    return T.select(T.id, T.p, **values)


CASES: dict[str, tuple[ir.Table, str]] = {
    "a column": (only(x=T.n), "t.n identity"),
    "a renamed column of those that are left": (
        T.drop("m", "p").rename(x="n"),
        "t.n identity",
    ),
    "a wider type": (only(x=T.n.cast("decimal(38, 0)")), "t.n identity"),
    "a narrower type": (only(x=T.p.cast("decimal(10, 1)")), "t.p transformation"),
    "arithmetic": (only(x=T.n + T.m), "t.n transformation, t.m transformation"),
    "a constant": (only(x=ibis.literal(1)), ""),
    "a default": (only(x=T.n.fill_null(0)), "t.n transformation"),
    "one or the other": (
        only(x=ibis.coalesce(T.n, T.m, 0)),
        "t.n transformation conditional, t.m transformation",
    ),
    "a null instead": (only(x=T.n.nullif(T.m)), "t.n transformation, t.m conditional"),
    "a condition": (
        only(x=ibis.ifelse(T.n > 2, T.m, T.id)),
        "t.n conditional, t.m transformation, t.id transformation",
    ),
    "cases": (
        only(x=ibis.cases((T.n > 4, "high"), (T.m > 2, T.g), else_="low")),
        "t.n conditional, t.m conditional, t.g transformation",
    ),
    "a lookup of values": (
        only(x=T.g.cases(("a", T.n), ("b", 0), else_=T.m)),
        "t.g conditional, t.n transformation, t.m transformation",
    ),
    "a condition on a condition": (
        only(x=ibis.ifelse(ibis.ifelse(T.n > 2, T.m, 0) > 1, "a", "b")),
        "t.n conditional, t.m conditional",
    ),
    "a filter": (T.filter(T.n > 3).select("id", x="m"), "t.m identity, t.n filter"),
    "a filter of a computed column": (
        T.mutate(y=ibis.ifelse(T.n > 2, T.m, 0)).filter(lambda t: t.y > 1).select("id", x="p"),
        "t.p identity, t.n filter, t.m filter",
    ),
    "filled nulls": (
        T.fill_null({"n": 0}).select("id", x="n", y="m"),
        "t.n transformation",
    ),
    "dropped nulls": (T.drop_null(["n"]).select("id", x="m"), "t.m identity, t.n filter"),
    "distinct rows": (T.select(x="g", y="n").distinct(), "t.g identity group_by, t.n group_by"),
    "groups": (
        T.group_by(x="g").aggregate(y=T.n.sum()),
        "t.g identity group_by",
    ),
    "sums": (T.group_by("g").aggregate(x=T.n.sum()), "t.n aggregation, t.g group_by"),
    "sums of sums": (
        T.group_by("g", "n").aggregate(y=T.m.sum()).group_by("g").aggregate(x=lambda t: t.y.max()),
        "t.m aggregation, t.g group_by, t.n group_by",
    ),
    "a sum of some": (
        T.group_by("g").aggregate(x=T.n.sum(where=T.m > 2)),
        "t.n aggregation, t.m filter, t.g group_by",
    ),
    "counts": (T.group_by("g").aggregate(x=T.count()), "t.g group_by"),
    "counts of values": (T.group_by("g").aggregate(x=T.n.count()), "t.n aggregation, t.g group_by"),
    "counts of some": (
        T.group_by("g").aggregate(x=T.count(where=T.n > 2)),
        "t.n filter, t.g group_by",
    ),
    "the value of the greatest": (
        T.group_by("g").aggregate(x=T.n.argmax(T.id)),
        "t.n aggregation, t.id sort, t.g group_by",
    ),
    "the first": (
        T.group_by("g").aggregate(x=T.n.first(order_by=T.id)),
        "t.n aggregation, t.id sort, t.g group_by",
    ),
    "having": (
        T.group_by("g").having(T.m.sum() > 10).aggregate(x=T.n.sum()),
        "t.n aggregation, t.m filter, t.g group_by filter",
    ),
    "an aggregate of all": (
        T.filter(T.m > 2).aggregate(x=T.n.sum()),
        "t.n aggregation, t.m filter",
    ),
    "a constant beside an aggregate of all": (
        T.filter(T.m > 2).aggregate(n=T.n.sum()).mutate(x=ibis.literal(1)),
        "",
    ),
    "a window": (
        only(x=T.n.sum().over(group_by=T.g)),
        "t.n aggregation, t.g window",
    ),
    "an ordered window": (
        only(x=T.n.sum().over(group_by=T.g, order_by=T.id, rows=(-1, 0))),
        "t.n aggregation, t.g window, t.id window",
    ),
    "the row before": (
        only(x=T.n.lag().over(BY_G)),
        "t.n transformation, t.g window, t.id window",
    ),
    "a row number": (only(x=ibis.row_number().over(BY_G)), "t.g window, t.id window"),
    "a filter of a row number": (
        T.mutate(r=ibis.row_number().over(BY_G)).filter(lambda t: t.r == 0).select("id", x="n"),
        "t.n identity, t.g filter, t.id filter",
    ),
    "the order of a table": (T.order_by("n").select("id", x="m"), "t.m identity"),
    "the first rows": (
        T.order_by("n", "id").limit(3).select(x="p"),
        "t.p identity, t.n sort, t.id sort",
    ),
    "how many first rows": (
        T.order_by("n").limit(3).aggregate(x=lambda t: t.count()),
        "",
    ),
    "an inner join": (
        E.join(U, "k").select("e", x="v"),
        "u.v identity, e.k join, u.k join",
    ),
    "the left side of an inner join": (
        E.join(U, "k").select("e", x="a"),
        "e.a identity, e.k join, u.k join",
    ),
    "a left join that finds one row": (
        E.left_join(U, "k").select("e", x="v"),
        "u.v identity, e.k join, u.k join",
    ),
    "the left side of it": (E.left_join(U, "k").select("e", x="a"), "e.a identity"),
    "a left join that finds several rows": (
        U.left_join(E, "k").select("k", x="w"),
        "u.w identity, u.k join, e.k join",
    ),
    "a left join of a filtered side": (
        E.left_join(U.filter(U.v > 2), "k").select("e", "a", x="w"),
        "u.w identity, u.v filter, e.k join, u.k join",
    ),
    "two left joins": (
        E.left_join(U, "k").left_join(T, U.v == T.id).select("e", x="m"),
        "t.m identity, t.id join, u.v join, e.k join, u.k join",
    ),
    "an outer join": (
        E.outer_join(U, "k").select(x=E.a),
        "e.a identity, e.k join, u.k join",
    ),
    "a cross join": (U.cross_join(E.aggregate(s=E.a.sum())).select("k", x="s"), "e.a aggregation"),
    "a semi join": (
        U.semi_join(E.filter(E.a > 2), "k").select("k", x="v"),
        "u.v identity, u.k join, e.k join, e.a filter",
    ),
    "an anti join": (U.anti_join(E, "k").select("k", x="v"), "u.v identity, u.k join, e.k join"),
    "a join of computed columns": (
        E.join(U, E.k + 1 == U.k * 2).select("e", x="a"),
        "e.a identity, e.k join, u.k join",
    ),
    "a table with itself": (
        T.join(V := T.view(), T.id == V.n).select(x=T.m),
        "t.m identity, t.id join, t.n join",
    ),
    "a union": (
        E.select(x="a", y="k").union(U.select(x="v", y="k")),
        "e.a identity, u.v identity",
    ),
    "a union that changes one side": (
        E.select(x="a").union(E.select(x=E.a + 1)),
        "e.a identity transformation",
    ),
    "a distinct union": (
        E.select(x="a", y="k").union(U.select(x="v", y="k"), distinct=True),
        "e.a identity group_by, u.v identity group_by, e.k group_by, u.k group_by",
    ),
    "an intersection": (
        E.select(x="a", y="k").intersect(U.select(x="v", y="k")),
        "e.a identity join, u.v join, e.k join, u.k join",
    ),
    "a difference": (
        E.select(x="a", y="k").difference(U.select(x="v", y="k")),
        "e.a identity join, u.v join, e.k join, u.k join",
    ),
    "a share of all": (
        only(x=T.n / T.filter(T.m > 2).n.sum().as_scalar()),
        "t.n transformation aggregation, t.m filter",
    ),
    "values that another table has": (
        U.filter(U.k.isin(E.filter(E.a > 2).k)).select("k", x="v"),
        "u.v identity, u.k filter, e.k filter, e.a filter",
    ),
    "whether another table has the value": (
        U.select("k", x=U.v.isin(E.a)),
        "u.v transformation, e.a transformation",
    ),
    "a written table": (
        E.left_join(WRITTEN, "k").select("e", x="label"),
        "e.k join",
    ),
    "a list of parts": (
        T.select("id", x=T.g.split("a").unnest()),
        "t.g transformation join",
    ),
    "a day": (only(x=T["at"].date()), "t.at transformation"),
    "days between": (
        only(x=T.d.delta(datetime.date(2024, 1, 1), unit="day")),
        "t.d transformation",
    ),
    "a union of columns in another order": (
        E.select(x="a", y="k").union(U.select(y="k", x="v")),
        "e.a identity, u.v identity",
    ),
    "cases in a sum": (
        T.group_by("g").aggregate(x=ibis.ifelse(T.n > 2, T.m, 0).sum()),
        "t.n conditional, t.m aggregation, t.g group_by",
    ),
    "different values": (
        T.group_by("g").aggregate(x=T.n.nunique(where=T.m > 2)),
        "t.n aggregation, t.m filter, t.g group_by",
    ),
    "a median": (T.group_by("g").aggregate(x=T.n.median()), "t.n aggregation, t.g group_by"),
    "the rows of a join": (
        E.join(U.filter(U.v > 2), "k").aggregate(x=lambda t: t.count()),
        "e.k join, u.k join, u.v filter",
    ),
    "the rows of a left join that finds one row": (
        E.left_join(U, "k").aggregate(x=lambda t: t.count()),
        "",
    ),
    "a filter of sums": (
        T.group_by("g").aggregate(s=T.n.sum(), x=T.m.max()).filter(lambda t: t.s > 10),
        "t.m aggregation, t.n filter, t.g group_by filter",
    ),
    "the greatest number of rows": (
        T.group_by("g").aggregate(n=T.count()).aggregate(x=lambda t: t.n.max()),
        "t.g group_by",
    ),
    "a right join": (
        E.right_join(U, "k").select(U.k, x=E.a),
        "e.a identity, e.k join, u.k join",
    ),
    "a join by unequal values": (
        U.join(E, [U.k == E.k, E.a > U.v]).select("e", x="w"),
        "u.w identity, u.k join, e.k join, e.a join, u.v join",
    ),
    "an anti join by unequal values": (
        U.anti_join(E, [U.k == E.k, E.a > U.v]).select("k", x="w"),
        "u.w identity, u.k join, e.k join, e.a join, u.v join",
    ),
    "a table with itself, twice": (
        T.left_join(V := T.view(), T.n == V.id)
        .left_join(Z := T.view(), V.m == Z.id)
        .select(T.id, x=Z.p),
        "t.p identity, t.id join, t.n join, t.m join",
    ),
    "whether another table has a row": (
        U.filter((E.a > U.v).any()).select("k", x="w"),
        "u.w identity, e.a filter, u.v filter",
    ),
    "a difference of days in a condition": (
        only(x=ibis.ifelse(T.d.delta(ibis.date(2024, 1, 10), unit="day") > 0, "new", "old")),
        "t.d conditional",
    ),
    "the part of a pair": (
        only(x=ibis.struct({"a": T.n, "b": T.m}).a),
        "t.n identity",
    ),
    "a pair": (only(x=ibis.struct({"a": T.n, "b": T.m})), "t.n transformation, t.m transformation"),
    "the part of a pair of a table below": (
        T.mutate(s=ibis.struct({"a": T.n, "b": T.m})).select("id", x=lambda t: t.s["a"]),
        "t.n transformation, t.m transformation",
    ),
    "an array": (only(x=ibis.array([T.n, T.m])), "t.n transformation, t.m transformation"),
    "a list of a group": (
        T.group_by("g").aggregate(x=T.n.collect(order_by=T.id)),
        "t.n aggregation, t.id sort, t.g group_by",
    ),
    "a running sum of a condition": (
        only(x=ibis.ifelse(T.n > 2, 1, 0).sum().over(ibis.cumulative_window(order_by=T.id))),
        "t.n conditional, t.id window",
    ),
    "a share of a group": (
        only(x=T.n / T.n.sum().over(group_by=T.g)),
        "t.n transformation aggregation, t.g window",
    ),
    "a rank among ranks": (
        T.mutate(r=ibis.dense_rank().over(group_by=T.g, order_by=T.n)).select(
            "id", x=lambda t: t.r.max().over(group_by=t.m)
        ),
        "t.g window, t.n window, t.m window",
    ),
    "one row of each group": (
        T.distinct(on="g", keep="first").select(x="g"),
        "t.g identity group_by",
    ),
    "columns as rows": (
        T.pivot_longer(["n", "m"], names_to="which", values_to="x").select("id", "which", "x"),
        "t.n transformation, t.m transformation",
    ),
    "rows as columns": (
        T.select("g", "n", "m")
        .pivot_wider(names_from="g", values_from="n", names=["a"], values_agg="max")
        .select("m", x="a"),
        "t.n aggregation, t.g filter, t.m group_by",
    ),
    "a limit of a limit": (
        T.order_by("n", "id")
        .limit(9)
        .order_by(ibis.desc("m"), "id")
        .limit(3, offset=1)
        .select(x="p"),
        "t.p identity, t.n sort, t.m sort, t.id sort",
    ),
    "an intersection of filters": (
        T.filter(T.n > 1).select(x="id").intersect(T.filter(T.m > 1).select(x="id")),
        "t.id identity join, t.n filter, t.m filter",
    ),
    "a text": (only(x=T.g.upper() + T.n.cast("string")), "t.g transformation, t.n transformation"),
}
NEVER_SEEN = {
    # Groups of groups are the same, however the inner ones are split.
    ("sums of sums", "g"): ("n",),
    # The parts of a column of structs are not told apart.
    ("the part of a pair of a table below", "x"): ("m",),
    ("columns as rows", "which"): ("m", "n"),
}
"""Columns of t that are named, but have no effect, which lineage cannot know: by case, column."""
