"""Definitions in readable form: what an analyst who knows SQL reads about a column."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping

import ibis
import pytest
from ibis import _
from ibis.expr.types import Table

from marts import AsOf, date, int64, mart, percent, ratio, sample_stddev, source, string
from marts.core.analysis.known_values import Context
from marts.core.analysis.readable import (
    TOO_DEEP,
    Readable,
    readable,
    readable_project,
    readable_query,
)
from marts.core.analysis.wording import AS_OF_DAY
from support.workshop import SHOP, project_of

ORDERS = ibis.table(
    {
        "order_id": "string",
        "shop": "string",
        "day": "date",
        "at": "timestamp",
        "amount": "decimal(10, 2)",
        "tax": "decimal(10, 2)",
        "n": "int64",
        "paid": "boolean",
        "note": "string",
    },
    name="orders",
)
SHOPS = ibis.table({"shop": "string", "city": "string", "opened": "date"}, name="shops")
NOT_NULL = {
    "orders": frozenset(ORDERS.columns) - {"note"},
    "shops": frozenset(SHOPS.columns),
}
O, S = ORDERS, SHOPS  # noqa: E741
as_of = ibis.date(AS_OF_DAY)


def shown(query: Table) -> Readable:
    return readable_query(Context(query.op(), NOT_NULL))


def totals() -> Table:
    return O.group_by("shop").aggregate(
        total=O.amount.sum(), big=O.amount.sum(where=O.n > 3), orders=O.count()
    )


def labelled() -> Table:
    t = S.left_join(totals(), "shop")
    return t.select(
        total=t.total.fill_null(0),
        label=ibis.cases((t.total < 100, "low"), (t.total > 5, "mid"), else_="none"),
    )


def neighbours(*, named: bool) -> Table:
    later = O.view()
    t = O.inner_join(later, O.n == later.n + 1)
    own = {"amount": O.amount, "other": later.amount} if named else {}
    return t.select(**own, difference=O.amount - later.amount)


def chained(steps: int) -> Table:
    t = O.select("order_id", x="n")
    for _step in range(steps):
        t = t.mutate(x=t.x * t.x + t.x)
    return t


CASES: Mapping[str, tuple[Callable[[], Table], dict[str, str]]] = {
    "arithmetic has the parentheses that it needs, and no casts": (
        lambda: O.select(
            a=(O.amount - O.tax) * O.n,
            b=O.amount - (O.tax - O.n),
            c=O.amount / (O.tax * O.n),
            d=-(O.n + 1),
            e=O.amount.cast("float64") / 3.0,
        ),
        {
            "a": "(amount - tax) * n",
            "b": "amount - (tax - n)",
            "c": "amount / (tax * n)",
            "d": "-(n + 1)",
            "e": "amount / 3",
        },
    ),
    "a divisor of 0 is said at the end": (
        lambda: O.select(
            a=percent(O.amount, O.tax),
            b=percent(O.amount, O.tax).fill_null(0),
            c=ibis.ifelse(O.n > 0, ratio(O.amount, O.n), 0.0),
            d=ratio(O.amount, O.tax).isnull(),
        ),
        {
            "a": "amount / tax * 100; null where tax is 0",
            "b": "amount / tax * 100; 0 where null or tax is 0",
            "c": "if n > 0: amount / n\nelse: 0",
            "d": "amount / nullif(tax, 0) is null",
        },
    ),
    "other columns of the mart are named, but not by mistake": (
        lambda: O.select(n="tax", tax="n", sum=O.tax + O.n, share=ratio(O.tax, O.tax + O.n)),
        {
            "n": "orders.tax",
            "tax": "orders.n",
            "sum": "n + tax",
            "share": "n / sum; null where sum is 0",
        },
    ),
    "equal columns do not explain each other": (
        lambda: O.select(a=O.n + O.tax, b=O.n + O.tax),
        {"a": "n + tax", "b": "n + tax"},
    ),
    "a changed column of the same name is another one": (
        lambda: O.select(amount=O.amount * 2, more=O.amount + 1),
        {"amount": "orders.amount * 2", "more": "orders.amount + 1"},
    ),
    "a default is part of a name only where it makes no difference": (
        labelled,
        {
            "total": "sum of amount, per shop of orders; 0 where null",
            "label": "if (sum(amount) per shop of orders) < 100: low\n"
            "else if total > 5: mid\n"
            "else: none",
        },
    ),
    "conditions": (
        lambda: O.select(
            a=(O.paid & (O.n > 3)) | O.note.isnull(),
            b=~(O.paid | (O.n > 3)),
            c=O.paid & (O.note == "it's").fill_null(False),
            d=~(O.note == "a").fill_null(False),
            e=O.note.isin(["a", "b"]),
        ),
        {
            "a": "(paid and n > 3) or note is null",
            "b": "not (paid or n > 3)",
            "c": "paid and note = 'it''s'; false where null",
            "d": "not coalesce(note = 'a', false)",
            "e": "note in ('a', 'b')",
        },
    ),
    "cases": (
        lambda: O.select(
            a=ibis.cases((O.n > 3, ibis.cases((O.paid, "it's paid"), else_=" open ")), else_="1"),
            b=ibis.cases((O.paid, 1), else_=0) + O.n,
        ),
        {
            "a": "if n > 3:\n  if paid: it's paid\n  else: ' open '\nelse: '1'",
            "b": "case when paid then 1 else 0 end + n",
        },
    ),
    "windows": (
        lambda: O.select(
            a=O.n.lag().over(group_by=O.shop, order_by=O.day),
            b=O.n.cumsum(order_by="day", group_by="shop"),
            c=O.n.mean().over(ibis.window(order_by=O.day.desc(), preceding=2, following=0)),
            d=ibis.row_number().over(order_by=O.n) + 1,
            e=ibis.rank().over(order_by=O.n),
            f=ratio(O.n, O.n.sum().over()),
            g=O.n.lag(2).over(order_by=O.day),
        ),
        {
            "a": "previous n by shop in order of day",
            "b": "sum(n) by shop from the first row to this row in order of day",
            "c": "avg(n) from 2 before to this row in order of day descending",
            "d": "row number in order of n",
            "e": "rank from 0 in order of n",
            "f": "n / (sum(n) over all rows); null where (sum(n) over all rows) is 0",
            "g": "lag(n, offset=2) in order of day",
        },
    ),
    "dates": (
        lambda: O.select(
            a=O.day >= as_of - ibis.interval(days=90),
            b=O.day < ibis.date(AS_OF_DAY - datetime.timedelta(90)),
            c=as_of.delta(O.day, unit="day"),
            d=as_of.delta(O.day, unit="month"),
            e=O.at.truncate("month").cast("date"),
            f=O.at.cast("date"),
            g=O.day == datetime.date(2020, 1, 31),
            h=ibis.date(AS_OF_DAY + datetime.timedelta(1)),
        ),
        {
            "a": "day >= as_of - 90 days",
            "b": "day < as_of - 90 days",
            "c": "days from day to as_of",
            "d": "month boundaries crossed from day to as_of",
            "e": "first day of the month of at",
            "f": "date(at)",
            "g": "day = '2020-01-31'",
            "h": "as_of + 1 day",
        },
    ),
    "casts that change values are said": (
        lambda: O.select(
            a=O.amount.cast("decimal(10, 1)"),
            b=(O.amount * O.tax).cast("decimal(18, 2)"),
            c=O.n.cast("string"),
            d=O.amount.cast("int64"),
        ),
        {
            "a": "round(amount, 1)",
            "b": "round(amount * tax, 2)",
            "c": "cast(n as string)",
            "d": "cast(amount as int64)",
        },
    ),
    "aggregates": (
        lambda: (
            O.filter(O.paid, (O.n > 3) | (O.n < 0))
            .group_by("shop")
            .aggregate(
                a=O.amount.sum(),
                b=O.amount.sum(where=O.tax > 1),
                c=ratio(O.amount.sum(), O.n.sum()),
                d=sample_stddev(O.amount),
                e=O.note.nunique(),
                f=O.paid.sum(),
                g=O.amount.quantile(0.9),
            )
        ),
        {
            "shop": "orders.shop",
            "a": "sum of amount where paid and (n > 3 or n < 0), per shop",
            "b": "sum of amount where tax > 1 and paid and (n > 3 or n < 0), per shop;"
            " null without such rows",
            "c": "a / sum(n) where paid and (n > 3 or n < 0), per shop; null where sum(n) is 0",
            "d": "sample standard deviation of amount where paid and (n > 3 or n < 0), per shop",
            "e": "number of distinct note where paid and (n > 3 or n < 0), per shop",
            "f": "number of rows where paid and paid and (n > 3 or n < 0), per shop;"
            " null without such rows",
            "g": "quantile(amount, quantile=0.9) where paid and (n > 3 or n < 0), per shop",
        },
    ),
    "aggregates of aggregates": (
        lambda: totals().aggregate(a=_.total.mean(), b=_.count()),
        {
            "a": "average of (sum(amount) per shop), over all rows of (orders grouped by shop)",
            "b": "number of rows, over all rows of (orders grouped by shop)",
        },
    ),
    "several aggregates": (
        lambda: totals().cross_join(O.aggregate(all=O.amount.sum())).select(x=_.total / _.all),
        {"x": "(sum(amount) per shop) / (sum(amount) over all rows)"},
    ),
    "what is joined beside says how": (
        lambda: O.left_join(S.filter(S.city != "x"), [O.shop == S.shop, O.day >= S.opened]).select(
            city=_.city,
            is_new=_.city.isnull(),
            size=ibis.cases((_.opened > datetime.date(2020, 1, 1), "new"), else_="old"),
        ),
        {
            "city": "shops.city where shops.city != 'x' and orders.day >= shops.opened;"
            " null without a match",
            "is_new": "city is null",
            "size": "if shops.opened > '2020-01-01': new\nelse: old\n"
            "where shops.city != 'x' and orders.day >= shops.opened",
        },
    ),
    "a right join leaves the left side without a match": (
        lambda: O.right_join(S, "shop").select("n", "city"),
        {"n": "orders.n; null without a match", "city": "shops.city"},
    ),
    "a table that is joined with itself has a number": (
        lambda: neighbours(named=False),
        {"difference": "orders.amount - orders (2).amount"},
    ),
    "but the columns of the mart have names": (
        lambda: neighbours(named=True),
        {
            "amount": "orders.amount",
            "other": "orders (2).amount",
            "difference": "amount - other",
        },
    ),
    "a union says what its parts have, or what all have": (
        lambda: ibis.union(
            *(O.filter(O.n == n).select("shop", x=O.n + n, is_it=O.n > 3) for n in (1, 2))
        ).union(O.select("shop", x="n", is_it=O.n > 3)),
        {
            "shop": "orders.shop",
            "x": "in orders where n = 1: n + 1\nin orders where n = 2: n + 2\nin orders: orders.n",
            "is_it": "n > 3",
        },
    ),
    "subqueries": (
        lambda: O.select(
            a=O.amount - O.amount.mean().as_scalar(),
            b=O.shop.isin(S.filter(S.city == "x").shop),
        ),
        {
            "a": "orders.amount - (avg(amount) over all rows of orders)",
            "b": "orders.shop in (shops.shop of shops where shops.city = 'x')",
        },
    ),
    "a long part is said by the name that its author gave it": (
        lambda: O.mutate(score=ibis.cases((O.n > 3, O.amount * O.tax), else_=0)).select(
            a=_.score * 2, b=_.score + 1
        ),
        {
            "a": "score * 2\nscore:\n  if n > 3: amount * tax\n  else: 0",
            "b": "score + 1\nscore:\n  if n > 3: amount * tax\n  else: 0",
        },
    ),
    "a function without words is a call": (
        lambda: O.select(a=O.note.levenshtein(O.shop), b=O.note.strip().upper()),
        {"a": "levenshtein(note, shop)", "b": "upper(trim(note))"},
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_column_reads_as_a_person_would_write_it(case: str) -> None:
    query, expected = CASES[case]
    assert shown(query()).columns == expected


def best() -> Table:
    return totals().order_by(_.orders.desc()).limit(3)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (lambda: O.filter(O.paid, O.n > 3), "orders\nwhere paid and n > 3"),
        (
            lambda: O.filter(O.paid).inner_join(S.filter(S.city != "x"), "shop").select("n"),
            "orders\njoined with shops on shop\nwhere orders.paid and shops.city != 'x'",
        ),
        (
            lambda: S.left_join(totals(), "shop").select("shop"),
            "shops\nleft joined with (orders grouped by shop) on shop",
        ),
        (
            best,
            "the first 3 rows in order of count(*) descending of orders grouped by shop",
        ),
        (lambda: O.semi_join(S, "shop").select("n"), "orders\nthat have a row in shops on shop"),
        (
            lambda: totals().filter(_.orders > 5),
            "orders grouped by shop\nwhere count(*) > 5",
        ),
        (lambda: O.aggregate(x=O.n.sum()), "one row for all of orders"),
        (lambda: O.select("shop").distinct(), "the distinct rows of orders"),
        (lambda: O.select("note").drop_null("note"), "orders\nwhere note is not null"),
    ],
)
def test_rows_are_said_apart(query: Callable[[], Table], expected: str) -> None:
    assert shown(query()).rows == expected


def test_a_mart_reads_the_same_for_every_date() -> None:
    @mart(grain="day", columns=[date("day"), int64("n")])
    def recent(visits: Table, as_of: AsOf) -> Table:
        """Visits of the last days."""
        t = visits.filter(visits.day >= as_of.minus(days=7), visits.day <= as_of.date)
        return t.mutate(n=as_of.date.delta(t.day, unit="day"))

    visits = source("visits", doc="Visits.", grain="day", columns=[date("day")])
    graph = project_of(visits, recent)
    assert readable(graph.project.marts["recent"], graph) == {
        "day": "visits.day",
        "n": "days from day to as_of",
    }


def test_a_shop_reads_like_its_marts() -> None:
    found = readable(SHOP.project.marts["customer_totals"], SHOP)
    assert found["spend"] == "sum of amount, per customer_id of int_paid_orders; 0 where null"
    assert found["tier"] == "if spend >= 1000: gold\nelse: plain"
    assert found["stars"] == "reviews.stars; null without a match"


def test_a_copy_has_the_definition_of_what_it_copies() -> None:
    @mart(grain="customer_id", columns=[string("customer_id"), string("tier")])
    def lists(customer_totals: Table) -> Table:
        """Customers with their tiers."""
        return customer_totals

    @mart(grain="customer_id", columns=[string("customer_id"), string("tier")])
    def letters(lists: Table) -> Table:
        """The same."""
        return lists

    sources, marts = SHOP.project.sources.values(), SHOP.project.marts.values()
    found = readable_project(project_of(*sources, *marts, lists, letters))
    tier = "\n  if spend >= 1000: gold\n  else: plain"
    assert found["lists"].columns["tier"] == f"customer_totals.tier:{tier}"
    assert found["letters"].columns == {
        "customer_id": "lists.customer_id, from customers.customer_id",
        "tier": f"lists.tier, from customer_totals.tier:{tier}",
    }
    assert found["customer_totals"].columns["name"] == "customers.name"


def test_a_value_that_is_used_twice_at_every_step_stays_short() -> None:
    text = shown(chained(20)).columns["x"]
    assert len(text) < 10_000
    assert text.splitlines()[-1].startswith("x_")


def test_what_is_too_deep_says_so() -> None:
    assert shown(chained(300)).columns == {"order_id": "orders.order_id", "x": TOO_DEEP}
