"""Lineage of values: what a column copies, and whose words it inherits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ibis
import ibis.expr.types as ir
import pytest

from marts import Table, int64, mart, source, string
from marts.core.analysis.column_lineage import copies_of
from marts.core.analysis.comments import documented
from marts.core.authoring.expressions import FixedAsOf
from marts.core.authoring.tables import column_comments
from marts.core.project.graph import Graph
from marts.core.query.definition import defining_query, logical_tables
from support.workshop import AS_OF, SHOP, project_of

T = ibis.table(
    {"id": "string", "n": "int64", "price": "decimal(10, 2)", "day": "date", "at": "timestamp"},
    name="t",
)
U = ibis.table({"id": "string", "n": "int64"}, name="u")

COPIES: dict[str, ir.Table] = {
    "a column of the table": T.select(x=T.n),
    "a renamed one": T.rename(x="n"),
    "behind a filter, an order and a limit": T.filter(T.n > 1).order_by("n").limit(3).rename(x="n"),
    "beside what is computed": T.mutate(n2=T.n + 1, x=T.n),
    "without other columns": T.rename(x="n").drop("price"),
    "in different rows": T.select(x=T.n).distinct(),
    "without nulls": T.drop_null("n").select(x=T.n),
    "what is grouped by": T.group_by(x=T.n).aggregate(rows=T.count()),
    "of the table that is joined": U.join(T, "id", how="left").select(x=T.n),
    "of the table that others are joined to": T.join(U, "id").select(x=T.n),
    "of a view": T.view().select(x="n"),
    "of a named query": T.filter(T.n > 1).alias("some").select(x="n"),
    "of both sides of a union": T.select(x=T.n).union(T.filter(T.n > 1).select(x=T.n)),
    "wider": T.select(x=T.n.cast("decimal(38, 0)")),
    "with another's nulls filled": T.fill_null({"price": 0}).select(x="n"),
}
COMPUTED: dict[str, ir.Table] = {
    "arithmetic": T.select(x=T.n + 1),
    "an aggregate": T.group_by("id").aggregate(x=T.n.max()),
    "a window": T.select(x=T.n.max().over(ibis.window(group_by=T.id))),
    "a default": T.select(x=T.n.fill_null(0)),
    "a filled table": T.fill_null({"n": 0}).select(x="n"),
    "fewer digits": T.select(x=T.price.cast("decimal(10, 1)")),
    "another type": T.select(x=T.n.cast("string")),
    "the day of a moment": T.select(x=T["at"].date()),
    "a choice": T.select(x=ibis.ifelse(T.n > 1, T.n, T.n)),
    "what only one side of a union copies": T.select(x=T.n).union(T.select(x=T.n + 1)),
    "a constant": T.select(x=ibis.literal(1)),
}


@pytest.mark.parametrize("query", COPIES.values(), ids=COPIES)
def test_a_copy_is_the_same_value(query: ir.Table) -> None:
    assert copies_of(query.op())["x"] == {("t", "n")}


@pytest.mark.parametrize("query", COMPUTED.values(), ids=COMPUTED)
def test_what_is_computed_copies_nothing(query: ir.Table) -> None:
    assert copies_of(query.op())["x"] == frozenset()


def test_a_union_copies_both_sides() -> None:
    both = T.select("id", "n").union(U)
    assert copies_of(both.op())["n"] == {("t", "n"), ("u", "n")}


def test_many_unions_are_followed_once_each() -> None:
    query = U
    for _ in range(60):
        query = query.union(query.filter(query.n > 1))
    assert copies_of(query.op())["n"] == {("u", "n")}


# Whose words


def words_of(graph: Graph, name: str) -> dict[str, str]:
    marts, tables, day = graph.project.marts, logical_tables(graph.project), FixedAsOf(AS_OF)
    queries = {each: defining_query(marts[each], tables, day) for each in graph.order}
    found = documented(graph, {each: copies_of(query.op()) for each, query in queries.items()})
    return column_comments(found.project.marts[name])


def test_columns_inherit_the_words_of_what_they_copy_and_no_others() -> None:
    assert words_of(SHOP, "customer_totals") == {
        "customer_id": "the number on the customer's card",
        "city": "where a bicycle is delivered; null where it is fetched",
        "tier": "gold if spend >= 1000; else plain",
        "last_order_on": "day of the last paid order; null where there is none",
    }
    # A default makes it another value than the source's, with words of its own.
    assert words_of(SHOP, "int_paid_orders") == {
        "model": "the bicycle's model; `parts` where there is none",
        "amount": "price with tax",
    }
    # Through two marts, and in another name.
    assert words_of(SHOP, "model_sales") == {
        "model": "the bicycle's model; `parts` where there is none",
    }
    assert words_of(SHOP, "shop_overview") == {
        "best_customer": "the number on the customer's card",
    }


def test_words_come_through_a_tangle_of_marts(tangle: Graph) -> None:
    assert words_of(tangle, tangle.order[-1]) == {"bike": "its frame's number"}


def bikes(name: str, doc: str) -> Any:
    columns = [string("bike"), int64("wheels", doc=doc)]
    return source(name, doc="Bikes.", grain="bike", columns=columns)


def both(define: Callable[[Table, Table], Table], doc: str = "") -> Any:
    columns = [string("bike"), int64("wheels", doc=doc)]

    @mart(grain=(), unchecked=True, columns=columns, many_to_many="all of them")
    def all_bikes(lent: Table, sold: Table) -> Table:
        """Bikes."""
        return define(lent, sold)

    return all_bikes


def union(lent: Table, sold: Table) -> Table:
    return lent.union(sold)


def last(lent: Table, sold: Table) -> Table:  # noqa: ARG001
    return sold


def with_one_more(lent: Table, sold: Table) -> Table:  # noqa: ARG001
    return sold.mutate(wheels=sold.wheels + 1)


@pytest.mark.parametrize(
    ("lent", "sold", "made", "expected"),
    [
        ("as lent", "as sold", both(lambda lent, sold: lent.join(sold, "bike")), "as lent"),
        ("as lent", "as sold", both(lambda lent, sold: sold.join(lent, "bike")), "as sold"),
        ("as lent", "as sold", both(union, "its own"), "its own"),
        ("as lent", "as sold", both(union), None),
        ("as lent", "", both(union), None),
        ("", "", both(union), None),
        ("as lent", "", both(last), None),
        ("", "as sold", both(with_one_more), None),
    ],
)
def test_words_come_from_exactly_one_documented_column(
    lent: str, sold: str, made: Any, expected: str | None
) -> None:
    graph = project_of(bikes("lent", lent), bikes("sold", sold), made)
    assert words_of(graph, "all_bikes").get("wheels") == expected
