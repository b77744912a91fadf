"""Links: what refers to what, from relationships and from joins, and what marts sum up by it."""

from __future__ import annotations

import datetime

from marts import Table, decimal, int64, mart, relationship, source, string
from marts.core.analysis.links import Link, links_of, main_links
from marts.core.analysis.thresholds import measured_thresholds, queries_over_sources
from marts.core.project.graph import Graph
from support.engines import GRAPH
from support.workshop import SHOP, project_of

AS_OF = datetime.date(2024, 6, 15)


def links(graph: Graph) -> tuple[Link, ...]:
    return links_of(graph.project, queries_over_sources(graph, AS_OF).values())


def mains(graph: Graph) -> dict[str, str]:
    queries = queries_over_sources(graph, AS_OF).values()
    found = main_links(links(graph), measured_thresholds(queries, AS_OF))
    return {child: link.parent for child, link in found.items()}


def test_relationships_and_joins_are_links() -> None:
    assert links(SHOP) == (
        Link("orders", ("customer_id",), "customers", ("customer_id",), is_declared=True),
        # An optional source is nobody's parent.
        Link("reviews", ("customer_id",), "customers", ("customer_id",)),
    )


def test_marts_sum_up_by_the_main_parent() -> None:
    assert mains(SHOP) == {"orders": "customers", "reviews": "customers"}
    assert mains(GRAPH) == {
        "fct_transactions": "dim_customer",
        "churn_predictions": "dim_customer",
    }


LINES = source(
    "lines",
    doc="Lines.",
    grain=("order_id", "number"),
    columns=[
        int64("order_id"),
        int64("number"),
        string("part"),
        string("maker"),
        decimal("price", 10, 2),
    ],
    checks=[
        relationship("part", to="parts.part"),
        relationship("order_id", to="orders.order_id"),
    ],
)
ORDERS = source(
    "orders",
    doc="Orders.",
    grain="order_id",
    columns=[int64("order_id"), string("buyer")],
    checks=[relationship("buyer", to="parts.part", severity="warn", where=lambda t: t.buyer != "")],
)
PARTS = source("parts", doc="Parts.", grain="part", columns=[string("part")])
OFFERS = source(
    "offers",
    doc="Offers.",
    grain=("part", "maker"),
    columns=[string("part"), string("maker"), decimal("cost", 10, 2)],
)


@mart(grain="order_id", columns=[int64("order_id"), string("size")])
def sizes(lines: Table, orders: Table, offers: Table, parts: Table) -> Table:
    """Orders by size."""
    t = lines.inner_join(offers, ["part", "maker"]).inner_join(parts, "part")
    sums = t.group_by("order_id").aggregate(price=t.price.sum())
    joined = orders.left_join(sums, "order_id")
    is_large = joined.price > 100
    return joined.select("order_id", size=is_large.ifelse("large", "small"))


def test_columns_that_are_joined_together_are_one_link() -> None:
    graph = project_of(LINES, ORDERS, PARTS, OFFERS, sizes)
    part = Link("lines", ("part",), "parts", ("part",), is_strict=True, is_declared=True)
    assert links(graph) == (
        part,
        Link("lines", ("order_id",), "orders", ("order_id",), is_strict=True, is_declared=True),
        # A relationship of some rows is not that of all.
        Link("orders", ("buyer",), "parts", ("part",), is_declared=True),
        Link("lines", ("maker", "part"), "offers", ("maker", "part")),
    )
    assert mains(graph)["lines"] == "orders"


def test_links_form_no_cycle() -> None:
    there = relationship("buyer", to="lines.part", severity="warn")
    back = source("orders", doc="Orders.", grain="order_id", columns=ORDERS.columns, checks=[there])
    found = links(project_of(LINES, back, PARTS, OFFERS, sizes))
    assert [each.parent for each in found if each.child == "orders"] == []
