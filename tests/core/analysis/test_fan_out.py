"""Sums of rows that a join repeats are found, and sums of looked-up values are not."""

from __future__ import annotations

from dataclasses import replace

import ibis
import pytest
from ibis import _
from ibis.expr.types import Table

from marts import mart, string
from marts.core.analysis.declared_keys import DeclaredKeys
from marts.core.analysis.lint import lint

ORDERS = ibis.table({"o": "string", "c": "string", "amount": "decimal(10, 2)"}, name="orders")
LINES = ibis.table({"l": "string", "o": "string", "p": "string", "pieces": "int64"}, name="lines")
STATES = ibis.table({"o": "string", "month": "date", "paid": "int64"}, name="states")
PRODUCTS = ibis.table({"p": "string", "price": "decimal(10, 2)"}, name="products")
NOTES = ibis.table({"o": "string", "note": "string"}, name="notes")
"""Without a key."""


def key(*columns: str) -> frozenset[frozenset[str]]:
    return frozenset({frozenset(columns)})


KEYS = DeclaredKeys(
    {"orders": key("o"), "lines": key("l"), "states": key("o", "month"), "products": key("p")}
)
BOTH = ORDERS.join(LINES, "o")
FIRST = ibis.row_number().over(ibis.window(group_by="o", order_by="l"))

REPEATED = {
    "joined": BOTH.group_by("c").aggregate(x=_.amount.sum()),
    "left joined": ORDERS.left_join(LINES, "o").group_by("c").aggregate(x=_.amount.sum()),
    "without groups": BOTH.aggregate(x=_.amount.sum()),
    "in groups of the other side": BOTH.group_by("p").aggregate(x=_.amount.sum()),
    "filtered and converted": BOTH.filter(_.pieces > 1)
    .mutate(y=_.amount.cast("float64").fill_null(0))
    .group_by("c")
    .aggregate(x=_.y.sum()),
    "in a ratio": BOTH.group_by("c").aggregate(x=_.pieces.sum() / _.amount.sum()),
    "before a lookup": BOTH.join(PRODUCTS, "p").group_by("c").aggregate(x=_.amount.sum()),
    "a key of two columns": ORDERS.join(STATES, "o").group_by("c").aggregate(x=_.amount.sum()),
    "without a key": ORDERS.join(NOTES, "o").group_by("c").aggregate(x=_.amount.sum()),
}
ONCE = {
    "looked up": LINES.join(PRODUCTS, "p").group_by("o").aggregate(x=_.price.sum()),
    "looked up in orders": LINES.join(ORDERS, "o").group_by("p").aggregate(x=_.amount.sum()),
    "of the repeating side": BOTH.group_by("c").aggregate(x=_.pieces.sum()),
    "of both sides": BOTH.group_by("c").aggregate(x=(_.pieces * _.amount).sum()),
    "once in each group": ORDERS.join(STATES, "o").group_by("month").aggregate(x=_.amount.sum()),
    "in groups of the key": BOTH.group_by("l").aggregate(x=_.amount.sum()),
    "aggregated before": ORDERS.join(LINES.group_by("o").aggregate(n=_.count()), "o")
    .group_by("c")
    .aggregate(x=_.amount.sum()),
    "a filter": ORDERS.semi_join(LINES, "o").group_by("c").aggregate(x=_.amount.sum()),
    "the first of each": BOTH.mutate(n=FIRST)
    .filter(_.n == 0)
    .group_by("c")
    .aggregate(x=_.amount.sum()),
    "with a condition": BOTH.group_by("c").aggregate(x=_.amount.sum(where=_.pieces == 1)),
    "distinct rows": BOTH.select("o", "c", "amount")
    .distinct()
    .group_by("c")
    .aggregate(x=_.amount.sum()),
    "each with each": ORDERS.cross_join(PRODUCTS).group_by("p").aggregate(x=_.amount.sum()),
}


@mart(grain="c", columns=[string("c")])
def toy(orders: Table) -> Table:
    """A mart that is given another query in each test."""
    return orders


def found(query: Table, many_to_many: str = "") -> list[str]:
    given = lint(replace(toy, many_to_many=many_to_many), query, keys=KEYS)
    return [each.message for each in given if each.rule == "repeated_sum"]


@pytest.mark.parametrize("query", REPEATED.values(), ids=REPEATED)
def test_a_sum_of_repeated_rows_is_found(query: Table) -> None:
    (message,) = found(query)
    assert message.endswith("adds up rows that a join repeats: once for each row that they match")
    assert found(query, many_to_many="meant") == []


@pytest.mark.parametrize("query", ONCE.values(), ids=ONCE)
def test_a_sum_in_which_each_row_counts_as_often_as_meant_is_not(query: Table) -> None:
    assert found(query) == []
