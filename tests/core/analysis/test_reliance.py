"""What marts rely on, read from their expressions, and what is refused without any data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import ibis
import pyarrow as pa
import pytest
from ibis.expr.types import Table

from marts import boolean, date, int64, mart, money, source, string, table_check, unique
from marts.core.analysis.reliance import Lookup, Reliance
from marts.core.analysis.reliance_errors import relied_on
from marts.core.analysis.text_values import TextColumn
from marts.core.authoring.memtables import written_out
from marts.core.authoring.tables import Mart
from marts.core.errors import DefinitionError
from marts.core.project.graph import Graph
from support.engines import GRAPH
from support.workshop import SHOP, project_of

ORDERS = source(
    "orders",
    doc="Orders.",
    grain="order_id",
    columns=[
        string("order_id"),
        string("customer_id"),
        string("shop", null=True),
        date("day"),
        money("amount"),
        string("status", values=["paid", "cancelled"]),
        string("channel", null=True),
        int64("never_read"),
    ],
)
VERSIONS = source(
    "versions",
    doc="Versions of customers.",
    grain="version",
    columns=[
        string("version"),
        string("customer_id"),
        boolean("current"),
        string("kind", values=["person", "firm"]),
    ],
    checks=[unique("customer_id", where=lambda t: t.current)],
)
SHOPS = source(
    "shops", doc="Shops.", grain="shop", columns=[string("shop"), string("town", null=True)]
)
HINTS = source(
    "hints",
    doc="Hints.",
    grain="shop",
    columns=[string("shop"), string("hint")],
    optional=True,
)


@mart(grain="order_id", columns=[string("order_id")])
def answer(orders: Table, versions: Table, shops: Table, hints: Table) -> Table:
    """A mart that each test defines otherwise."""
    return orders.join(versions, "customer_id").join(shops, "shop").join(hints, "shop")


@mart(grain="order_id", columns=[string("order_id"), string("state"), string("shop", null=True)])
def int_orders(orders: Table) -> Table:
    """A mart between: other names, and nothing declared of them."""
    return orders.filter(orders.amount > 0).select("order_id", "shop", state=orders.status)


@mart(grain="shop", columns=[string("shop"), string("town", null=True)])
def int_shops(shops: Table) -> Table:
    """All shops, as they are."""
    return shops.mutate(town=shops.town.strip())


Define = Callable[[Table, Table, Table, Table], Table]


def of(define: Define, *others: Mart, **changes: object) -> Graph:
    """Return a project of one mart with this definition."""
    changed = replace(answer, define=define, **changes)  # type: ignore[arg-type]
    return project_of(ORDERS, VERSIONS, SHOPS, HINTS, changed, *others)


def relied(define: Define, *others: Mart, **changes: object) -> Reliance:
    return relied_on(of(define, *others, **changes))


def refusal(define: Define, *others: Mart, **changes: object) -> str:
    graph = of(define, *others, **changes)
    with pytest.raises(DefinitionError) as refused:
        relied_on(graph)
    assert f"{Path(__file__).name}:" in str(refused.value)
    return str(refused.value)


THROUGH = {"parameters": ("int_orders", "int_shops", "shops", "hints")}
"""The inputs of a mart that reads marts instead."""


@pytest.mark.parametrize("graph", [GRAPH, SHOP], ids=["ours", "toy shop"])
def test_what_is_declared_here_can_be_relied_on(graph: Graph) -> None:
    assert list(relied_on(graph).by_mart) == list(graph.order)


# Columns


@pytest.mark.parametrize(
    ("define", "read"),
    [
        (lambda o, *_: o.mutate(x=o.amount), {"order_id"}),
        (lambda o, *_: o.filter(o.status == "paid"), {"order_id", "status"}),
        (lambda o, *_: o.order_by("day").limit(3), {"order_id", "day"}),
        (lambda o, *_: o.distinct(), set(ORDERS.grain) | {c.name for c in ORDERS.columns}),
        (lambda o, *_: o.select("order_id", "day").distinct(), {"order_id", "day"}),
        (
            lambda o, *_: o.group_by("order_id", "shop").aggregate(n=o.amount.sum()),
            {"order_id", "shop"},
        ),
        (lambda o, *_: o.filter(o.amount > o.amount.mean()), {"order_id", "amount"}),
        (lambda o, *_: o.semi_join(o.filter(o.day.notnull()).view(), "shop"),
         {"order_id", "day", "shop"}),
        (lambda o, *_: o.filter(o.shop.isin(o.filter(o.amount > 3).channel)),
         {"order_id", "shop", "amount", "channel"}),
        (lambda o, *_: o.drop("amount", "day").union(o.drop("amount", "day")), {"order_id"}),
        (lambda o, *_: o.drop_null("shop"), {"order_id", "shop"}),
    ],
)  # fmt: skip
def test_a_column_is_read_if_the_result_depends_on_it(define: Define, read: set[str]) -> None:
    assert relied(define).columns_of_sources(["answer"])["orders"] == read


def test_what_a_mart_below_reads_is_read_and_what_checks_look_up() -> None:
    check = table_check(
        "sold_somewhere", offending=lambda this, shops: this.filter(shops.count() == 0)
    )
    reliance = relied(lambda o, *_: o.select("order_id"), int_orders, int_shops, **THROUGH,
                      checks=(check,))  # fmt: skip
    assert reliance.columns_of_sources(["answer"]) == {
        "orders": {"order_id", "amount", "status", "shop"},
        "shops": {"shop", "town"},
    }


# Constants


@pytest.mark.parametrize(
    ("value", "seen"),
    [
        (lambda o: o.channel, TextColumn("orders", "channel")),
        (lambda o: o.channel.lower(), TextColumn("orders", "channel", ("lower",))),
        (lambda o: o.channel.strip().upper(), TextColumn("orders", "channel", ("strip", "upper"))),
        (lambda o: o.channel.fill_null(""), TextColumn("orders", "channel")),
        (lambda o: ibis.ifelse(o.amount > 3, o.channel, "x"), TextColumn("orders", "channel")),
        (lambda o: o.channel.max().over(group_by=o.shop), TextColumn("orders", "channel")),
        (lambda o: o.channel.substr(0, 3), None),
        (lambda o: o.channel + "x", None),
    ],
)
@pytest.mark.parametrize(
    ("compare", "texts"),
    [
        (lambda v: v == "web", ("web",)),
        (lambda v: ibis.literal("web") != v, ("web",)),
        (lambda v: v.isin(["web", "phone"]), ("web", "phone")),
        (lambda v: (v == "web") | (v == "phone"), ("web", "phone")),
        (lambda v: v.nullif("web").isnull(), ("web",)),
        (lambda v: v.cases(("web", 1), ("phone", 2), else_=0) == 1, ("web", "phone")),
        (lambda v: ibis.cases((v == "web", 1), (v == "phone", 2), else_=0) == 1, ("web", "phone")),
    ],
)
def test_the_texts_that_a_column_of_a_source_is_compared_with_are_known(
    value: Callable[[Table], ibis.expr.types.StringColumn],
    seen: TextColumn | None,
    compare: Callable[[ibis.expr.types.StringColumn], ibis.expr.types.BooleanColumn],
    texts: tuple[str, ...],
) -> None:
    reliance = relied(lambda o, *_: o.filter(compare(value(o))))
    found = [(each.column, each.texts) for each in reliance.by_mart["answer"].conditions]
    assert found == ([(seen, texts)] if seen else [])


def test_a_comparison_is_followed_through_marts_to_the_source() -> None:
    reliance = relied(lambda o, *_: o.filter(o.state == "paid"), int_orders, int_shops, **THROUGH)
    (condition,) = reliance.by_mart["answer"].conditions
    assert condition.column == TextColumn("orders", "status")
    assert condition.formatted == "state == 'paid'"


@pytest.mark.parametrize(
    "define",
    [
        lambda o, *_: o.filter(o.status.lower() == "paid"),
        lambda o, *_: o.filter(o.status.fill_null("none") == "none"),
        lambda o, *_: o.filter(o.status.upper() == "PAID"),
        lambda o, *_: o.filter(o.channel == "whatever"),
        lambda o, *_: o.filter((o.status + "x") == "paidx"),
        lambda o, *_: o.filter(ibis.ifelse(o.amount > 3, o.status, "big") == "big"),
        lambda o, *_: o.filter(ibis.ifelse(o.amount > 3, o.status, o.channel) == "big"),
        lambda o, *_: o.mutate(size=ibis.ifelse(o.amount > 3, "big", "small")).filter(
            lambda t: t["size"] == "middle"
        ),
        lambda o, v, *_: o.join(v.filter(v.current), "customer_id").filter(
            lambda t: t.kind == "firm"
        ),
    ],
)
def test_constants_among_the_declared_values_or_of_unknown_ones_pass(define: Define) -> None:
    relied(define)


@pytest.mark.parametrize(
    "define",
    [
        lambda o, *_: o.filter(o.status == "Paid"),
        lambda o, *_: o.filter(o.status != "Paid"),
        lambda o, *_: o.filter(o.status.isin(["paid", "Paid"])),
        lambda o, *_: o.filter(o.status.cases(("Paid", 1), else_=0) == 1),
        lambda o, *_: o.filter(o.status.nullif("Paid").notnull()),
        lambda o, *_: o.filter(ibis.ifelse(o.status == "Paid", 1, 0) == 1),
        lambda o, *_: o.filter(o.status.strip() == "Paid"),
        lambda o, *_: o.filter(o.status.fill_null("none") == "Paid"),
        lambda o, *_: o.mutate(x=o.status).filter(lambda t: t.x == "Paid"),
        lambda o, *_: o.aggregate(order_id=o.order_id.max(where=o.status == "Paid")),
        lambda o, v, *_: o.join(v.filter(v.kind == "Paid"), o.order_id == v.version),
        lambda o, *_: o.union(o).filter(lambda t: t.status == "Paid"),
    ],
)
def test_a_constant_that_no_declared_value_equals_is_refused(define: Define) -> None:
    said = refusal(define)
    assert "'Paid'" in said
    assert "not among its declared values" in said


def test_the_refusal_of_a_constant_names_the_column_and_the_nearest_value() -> None:
    said = refusal(lambda o, *_: o.filter(o.state == "payed"), int_orders, int_shops, **THROUGH)
    assert "mart answer compares orders.status with 'payed'" in said
    assert "declared: 'cancelled', 'paid'" in said
    assert said.endswith("hint: did you mean paid?")


# Joins


@pytest.mark.parametrize(
    "define",
    [
        lambda o, v, *_: o.join(v, "customer_id"),
        lambda o, v, *_: o.left_join(v, "customer_id"),
        lambda o, v, *_: o.outer_join(v, "customer_id"),
        lambda o, v, *_: o.cross_join(v),
        lambda o, v, *_: o.join(v.filter(~v.current), "customer_id"),
        lambda o, v, *_: o.join(v, [o.customer_id == v.customer_id, o.shop < v.version]),
        lambda o, v, s, _: o.join(s, "shop").join(v, "customer_id"),
        lambda o, v, *_: o.join(v, [o.customer_id == v.customer_id, v.kind == "firm"]),
    ],
)
def test_a_join_of_many_with_many_is_refused_without_a_reason(define: Define) -> None:
    assert "joins orders and versions" in refusal(define)
    relied(define, many_to_many="each version counts")


@pytest.mark.parametrize(
    "define",
    [
        lambda o, v, *_: o.join(v.filter(v.current), "customer_id"),
        lambda o, v, *_: o.semi_join(v, "customer_id"),
        lambda o, v, *_: o.anti_join(v, "customer_id"),
        lambda o, v, *_: o.join(v.select("customer_id").distinct(), "customer_id"),
        lambda o, v, *_: o.join(v.group_by("customer_id").aggregate(n=v.count()), "customer_id"),
        lambda o, v, *_: o.join(v, [o.customer_id == v.customer_id, o.shop == v.version]),
        lambda o, *_: o.cross_join(o.aggregate(total=o.amount.sum())),
        lambda o, *_: o.cross_join(ibis.array([1, 2]).unnest().name("half").as_table()),
        lambda o, v, *_: o.left_join(v, [o.customer_id == v.customer_id, v.current]),
        lambda o, *_: o.join(written_twice("paid", "late"), "status"),
        lambda o, *_: o.join(lows := written_twice(0, 9), o.amount > lows.status),
        lambda o, *_: o.asof_join(o.view(), "day", predicates="shop"),
        lambda o, *_: o.join(o.view(), "order_id"),
        lambda o, _, s, h: o.join(s, "shop").left_join(h, "shop"),
    ],
)
def test_a_join_that_a_key_makes_single_passes(define: Define) -> None:
    relied(define)


def written_twice(*keys: object) -> Table:
    rows = written_out(
        ibis.memtable(pa.table({"status": keys, "word": ["a", "b"]})), what="", location=""
    )
    assert isinstance(rows, Table)
    return rows


def test_texts_of_written_rows_are_compared_with_what_finds_them() -> None:
    found = relied(
        lambda o, *_: o.left_join(w := written_twice("web", "fax"), o.channel == w.status)
    )
    (condition,) = found.by_mart["answer"].conditions
    assert (condition.column.column, condition.texts) == ("channel", ("fax", "web"))
    # Whoever writes a label down for each value need not know which there are.
    relied(lambda o, *_: o.left_join(written_twice("paid", "lost"), "status"))


def test_written_rows_that_repeat_a_key_are_many() -> None:
    repeated = written_twice("paid", "paid")
    assert "joins orders and " in refusal(lambda o, *_: o.join(repeated, "status"))


@pytest.mark.parametrize("join", ["semi_join", "anti_join", "left_join"])
def test_a_column_that_ibis_compares_with_itself_is_refused(join: str) -> None:
    def define(o: Table, *_: Table) -> Table:
        spelt = o.mutate(word=o.channel.lower()).filter(o.amount > 3)
        return getattr(o, join)(
            spelt, [o.order_id == spelt.order_id, o.channel.lower() == spelt.word]
        )

    def through_a_view(o: Table, *_: Table) -> Table:
        spelt = o.mutate(word=o.channel.lower()).filter(o.amount > 3).view()
        return getattr(o, join)(
            spelt, [o.order_id == spelt.order_id, o.channel.lower() == spelt.word]
        )

    assert "joins orders and orders where word equals itself" in refusal(define)
    relied(through_a_view)


# Facts and lookups

SHOP_OF_ORDER = Lookup("answer", "orders", ("shop",), "shops", ("shop",))


@pytest.mark.parametrize(
    ("define", "expected"),
    [
        (lambda o, _, s, __: o.join(s, "shop"), [SHOP_OF_ORDER]),
        (lambda o, _, s, __: o.left_join(s, "shop"), [SHOP_OF_ORDER]),
        (lambda o, _, s, __: s.join(o, "shop"), [SHOP_OF_ORDER]),
        (lambda o, _, s, __: o.filter(o.amount > 3).join(s.select("shop"), "shop"),
         [SHOP_OF_ORDER]),
        (lambda o, _, s, h: o.join(s.left_join(h, "shop"), "shop"), [SHOP_OF_ORDER]),
        # filtered, optional, aggregated, all of the shops, or meant to find nothing
        (lambda o, _, s, __: o.join(s.filter(s.town.notnull()), "shop"), []),
        (lambda o, _, __, h: o.left_join(h, "shop"), []),
        (lambda o, _, s, __: o.join(s.group_by("shop").aggregate(n=s.count()), "shop"), []),
        (lambda o, _, s, __: s.left_join(o, "shop").mutate(order_id=lambda t: t.shop), []),
        (lambda o, _, s, __: o.anti_join(s, "shop"), []),
        (lambda o, _, s, __: o.left_join(s, "shop").filter(lambda t: t.town.isnull()), []),
        (lambda o, _, s, __: o.left_join(s, o.shop == s.shop).filter(s.shop.isnull()), []),
        # a history of its own
        (lambda o, *_: o.group_by("shop").aggregate(last=o.day.max())
         .join(o, "shop").select("order_id"), []),
        # one row for one row
        (lambda o, v, *_: o.left_join(v, o.order_id == v.version), []),
        (lambda o, _, s, __: o.mutate(shop=o.shop.upper()).join(s, "shop"), []),
    ],
)  # fmt: skip
def test_what_facts_look_up_in_a_whole_source_is_known(
    define: Define, expected: list[Lookup]
) -> None:
    assert list(relied(define).by_mart["answer"].lookups) == expected


def test_lookups_are_followed_through_marts() -> None:
    reliance = relied(lambda o, s, *_: o.join(s, "shop"), int_orders, int_shops, **THROUGH)
    assert reliance.by_mart["answer"].lookups == (SHOP_OF_ORDER,)
