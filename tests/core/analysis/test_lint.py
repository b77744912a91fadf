"""The linter finds each mistake of a toy mart at its line, and nothing in neutral forms."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace

import ibis
import ibis.expr.operations as ops
import pytest
from ibis.expr.types import Table

from marts import mart, ratio, string
from marts.core.analysis.declared_keys import DeclaredKeys
from marts.core.analysis.lint import lint
from marts.core.analysis.rules import Finding
from marts.core.analysis.trace import Trace
from marts.core.authoring.signature import location_of

SALES = ibis.table(
    {
        "key": "string",
        "customer": "string",
        "day": "date",
        "moment": "timestamp",
        "amount": "decimal(10, 2)",
        "pieces": "int64",
        "weight": "float64",
        "paid": "boolean",
        "discount": "int64",
    },
    name="sales",
)
CUSTOMERS = ibis.table({"customer": "string", "city": "string"}, name="customers")
KEYS = DeclaredKeys(
    {"sales": frozenset({frozenset({"key"})}), "customers": frozenset({frozenset({"customer"})})}
)

NOT_NULL = {
    "sales": frozenset(SALES.columns) - {"discount"},
    "customers": frozenset(CUSTOMERS.columns),
}


@mart(grain="key", columns=[string("key")])
def toy(sales: Table) -> Table:
    """A mart that is given another definition in each test."""
    return sales


def findings(define: Callable[[Table], Table]) -> tuple[Finding, ...]:
    with Trace() as trace:
        query = define(SALES)
    return lint(replace(toy, define=define), query, keys=KEYS, not_null=NOT_NULL, trace=trace)


def by(
    *order: str, group: str | tuple[str, ...] = (), **frame: object
) -> ibis.expr.builders.WindowBuilder:
    return ibis.window(group_by=group, order_by=order, **frame)


DAY = ibis.interval(days=1)

WRONG: dict[str, list[Callable[[Table], Table]]] = {
    "statistic": [
        lambda t: t.aggregate(x=t.amount.mean()),
        lambda t: t.aggregate(x=t.pieces.mean()),
        lambda t: t.aggregate(x=t.paid.mean()),
        lambda t: t.aggregate(x=t.amount.median()),
        lambda t: t.aggregate(x=t.amount.std()),
        lambda t: t.aggregate(x=t.amount.var()),
        lambda t: t.aggregate(x=t.amount.quantile(0.9)),
        lambda t: t.aggregate(x=(t.amount * 1.5).mean()),
        lambda t: t.mutate(x=t.amount.mean().over(by(group="customer"))),
    ],
    "division": [
        lambda t: t.mutate(x=t.amount / t.pieces.nullif(0)),
        lambda t: t.mutate(x=t.pieces / 3),
        lambda t: t.mutate(x=t.amount / 3.0),
        lambda t: t.mutate(x=t.pieces // 3),
        lambda t: t.mutate(half=t.amount * 0.5).mutate(x=ibis._.half / 3),
    ],
    "denominator": [
        lambda t: t.mutate(x=t.weight / t.weight),
        lambda t: t.mutate(x=t.weight / t.pieces.nullif(1)),
        lambda t: t.mutate(x=t.weight / 0),
        lambda t: t.mutate(x=t.pieces % t.pieces),
        lambda t: t.filter(t.pieces > 0).mutate(x=t.weight / t.pieces),
    ],
    "interval": [
        lambda t: t.filter(t.day >= ibis.date("2025-06-30") - ibis.interval(days=90)),
        lambda t: t.mutate(x=t.day + DAY),
        lambda t: t.mutate(x=t.moment - DAY),
        lambda t: t.mutate(x=t.day - t.day),
        lambda t: t.mutate(x=t.moment - t.moment),
    ],
    "clock": [
        lambda t: t.filter(t.moment < ibis.now().cast("timestamp")),
        lambda t: t.mutate(x=ibis.today()),
    ],
    "random": [
        lambda t: t.mutate(x=ibis.random()),
        lambda t: t.sample(0.5),
    ],
    "any_row": [
        lambda t: t.group_by("customer").aggregate(x=t.amount.first()),
        lambda t: t.group_by("customer").aggregate(x=t.amount.last()),
        lambda t: t.group_by("customer").aggregate(x=t.amount.arbitrary()),
        lambda t: t.distinct(on="customer"),
        lambda t: t.select("key").limit(3),
    ],
    "regex": [
        lambda t: t.filter(t.key.re_search("a+")),
        lambda t: t.mutate(x=t.key.re_extract("a+", 0)),
        lambda t: t.mutate(x=t.key.re_replace("a+", "b")),
    ],
    "week": [
        lambda t: t.mutate(x=t.day.week_of_year()),
        lambda t: t.mutate(x=t.day.truncate("week")),
        lambda t: t.mutate(x=t.moment.truncate("week")),
        lambda t: t.mutate(x=t.day.delta(t.day, unit="week")),
    ],
    "try_cast": [lambda t: t.mutate(x=t.key.try_cast("int64"))],
    "float_to_integer": [
        lambda t: t.mutate(x=t.weight.cast("int64")),
        lambda t: t.mutate(x=ratio(t.amount, t.pieces).cast("int64")),
    ],
    "nested": [lambda t: t.aggregate(x=t.key.collect())],
    "zone": [
        lambda t: t.mutate(x=t.moment.cast("timestamp('UTC')")),
        lambda t: t.mutate(x=t.key.as_timestamp("%Y-%m-%d")),
    ],
    "dropped_cast": [
        lambda t: t.aggregate(x=t.amount.sum().cast("decimal(38, 2)")),
        lambda t: t.aggregate(x=t.pieces.sum().cast("int64")),
        lambda t: t.mutate(x=t.day.truncate("month").cast("date")),
        lambda t: t.mutate(x=(t.amount * t.amount).cast((t.amount * t.amount).type())),
    ],
    "skipped_null": [
        lambda t: t.mutate(x=ibis.greatest(t.pieces, t.discount)),
        lambda t: t.mutate(x=ibis.least(t.discount, 3)),
        lambda t: t.mutate(x=ibis.greatest(t.pieces, t.pieces.nullif(0))),
        lambda t: t.mutate(x=ibis.greatest(t.pieces, t.discount + 1)),
        lambda t: t.mutate(x=ibis.greatest(t.pieces, ibis.ifelse(t.paid, 1, ibis.null("int64")))),
        lambda t: t.mutate(x=ibis.greatest(t.pieces, ibis.cases((t.paid, 1)))),
        lambda t: t.left_join(CUSTOMERS, "customer").mutate(x=ibis.greatest("a", ibis._.city)),
        lambda t: t.mutate(x=ibis.greatest(t.pieces, t.pieces.lag().over(by("key")))),
        lambda t: t.mutate(x=ibis.greatest(t.pieces, t.pieces.sum(where=t.paid).over(by()))),
        lambda t: t.aggregate(x=t.pieces.sum()).mutate(y=ibis.greatest(ibis._.x, 0)),
        lambda t: (
            t.group_by("customer")
            .aggregate(x=t.pieces.sum(where=t.paid))
            .mutate(y=ibis.greatest(ibis._.x, 0))
        ),
        lambda t: (
            t.select("pieces")
            .union(t.select(pieces="discount"))
            .mutate(x=ibis.greatest(ibis._.pieces, 0))
        ),
        lambda t: t.fill_null({"amount": 0}).mutate(x=ibis.greatest(ibis._.discount, 0)),
    ],
    "hash": [lambda t: t.mutate(x=t.key.hash())],
    "names_in_dates": [
        lambda t: t.mutate(x=t.day.strftime("%A")),
        lambda t: t.mutate(x=t.day.strftime("%b %Y")),
        lambda t: t.mutate(x=t.moment.strftime("%Y-%j")),
        lambda t: t.mutate(x=t.moment.strftime("day %d")),
        lambda t: t.mutate(x=t.moment.strftime(t.key)),
    ],
    "text_of_a_number": [
        lambda t: t.mutate(x=t.weight.cast("string")),
        lambda t: t.mutate(x=ratio(t.amount, t.pieces).cast("string")),
        lambda t: t.mutate(x=t.moment.cast("string")),
        lambda t: t.mutate(x=t.moment.time().cast("string")),
    ],
    "fewer_digits": [
        lambda t: t.mutate(x=t.amount.cast("decimal(10, 1)")),
        lambda t: t.mutate(x=t.weight.cast("decimal(10, 2)")),
        lambda t: t.mutate(x=(t.weight * 100).cast("decimal(10, 2)")),
    ],
    "cut_product": [
        lambda t: t.mutate(x=t.amount.cast("decimal(30, 7)") * t.amount.cast("decimal(30, 7)")),
        lambda t: t.mutate(x=t.amount * t.amount * t.amount * t.amount.cast("decimal(30, 8)")),
        lambda t: t.mutate(x=t.amount * 0.123456789012),
    ],
    "long_literal": [
        lambda t: t.mutate(x=t.amount + 0.1234567890123456),
        lambda t: t.mutate(x=0.1234567891 - t.amount),
        lambda t: t.mutate(x=t.amount * 1000000000.5),
        lambda t: t.mutate(x=t.amount * 1e30),
        lambda t: t.mutate(x=t.pieces * 1e-7),
    ],
    "total_order": [
        lambda t: t.mutate(x=t.amount.lag()),
        lambda t: t.mutate(x=t.amount.lag().over(by(group="customer"))),
        lambda t: t.mutate(x=t.amount.lead().over(by("day", group="customer"))),
        lambda t: t.mutate(x=ibis.row_number().over(by("day"))),
        lambda t: t.mutate(x=ibis.rank().over(by(group="customer"))),
        lambda t: t.mutate(x=t.amount.cumsum()),
        lambda t: t.mutate(x=t.amount.sum().over(by("day", rows=(None, 0)))),
        lambda t: t.rename(k="key").mutate(x=ibis.row_number().over(by("day", "customer"))),
        lambda t: t.inner_join(CUSTOMERS, "customer").mutate(
            x=ibis.row_number().over(by("city", "customer"))
        ),
    ],
}

RIGHT: list[Callable[[Table], Table]] = [
    lambda t: t.aggregate(x=t.amount.cast("float64").median()),
    lambda t: t.mutate(w=t.amount.cast("float64")).aggregate(x=ibis._.w.mean()),
    lambda t: t.aggregate(x=t.amount.sum(), y=t.pieces.max(), z=t.paid.sum()),
    lambda t: t.mutate(x=ratio(t.amount, t.pieces)),
    lambda t: t.mutate(x=t.weight / 3),
    lambda t: t.mutate(by=t.weight.nullif(0)).mutate(x=ibis._.weight / ibis._.by),
    lambda t: t.mutate(x=t.weight.sqrt() / 3, y=t.pieces % 3),
    lambda t: t.mutate(x=t.day.delta(t.day, unit="month"), y=t.day.truncate("month")),
    lambda t: t.mutate(x=t.weight.round(), y=t.pieces.cast("int32"), z=t.amount.cast("int64")),
    # a cast to a type that engines agree on may be dropped
    lambda t: t.mutate(x=t.weight.cast("float64"), y=t.amount.cast("decimal(10, 2)")),
    lambda t: t.aggregate(x=t.amount.max().cast("decimal(10, 2)"), y=t.count().cast("int64")),
    lambda t: t.order_by("key").select("key").limit(3),
    # order is total by the grain, by group keys, by distinct columns, and through joins
    lambda t: t.mutate(x=t.amount.lag().over(by("day", "key", group="customer"))),
    lambda t: t.rename(k="key").mutate(x=ibis.row_number().over(by("k"))),
    lambda t: (
        t.group_by("customer", month=t.day.truncate("month"))
        .aggregate(x=t.amount.sum())
        .mutate(y=ibis._.x.lag().over(by("month", group="customer")))
    ),
    lambda t: (
        t.select("customer", "day")
        .distinct()
        .mutate(x=ibis.row_number().over(by("customer", "day")))
    ),
    lambda t: t.inner_join(CUSTOMERS, "customer").mutate(x=ibis.row_number().over(by("key"))),
    lambda t: CUSTOMERS.inner_join(t, "customer").mutate(x=ibis.row_number().over(by("key"))),
    lambda t: t.semi_join(CUSTOMERS, "customer").mutate(x=ibis.row_number().over(by("key"))),
    # ranks give rows that tie the same number; without a frame an aggregate sees all rows
    lambda t: t.mutate(x=ibis.rank().over(by("day", group="customer"))),
    lambda t: t.mutate(x=t.amount.sum().over(by(group="customer"))),
    # nulls are filled, filtered, or cannot be
    lambda t: t.mutate(x=ibis.greatest(t.pieces, t.discount.fill_null(0), 1)),
    lambda t: t.fill_null({"discount": 0}).mutate(x=ibis.greatest(ibis._.discount, 0)),
    lambda t: t.select("discount").fill_null(0).mutate(x=ibis.greatest(ibis._.discount, 0)),
    lambda t: t.drop_null("discount").mutate(x=ibis.greatest(ibis._.discount, 0)),
    lambda t: t.filter(t.paid & t.discount.notnull()).mutate(x=ibis.least(ibis._.discount, 0)),
    lambda t: t.filter(t.discount > 0).view().mutate(x=ibis.greatest(ibis._.discount, 0)),
    lambda t: t.inner_join(CUSTOMERS, "customer").mutate(x=ibis.greatest("a", ibis._.city)),
    lambda t: t.mutate(x=ibis.greatest(ibis.ifelse(t.paid, t.pieces, 0), t.pieces.cast("int32"))),
    lambda t: (
        t.group_by("customer")
        .aggregate(x=t.pieces.sum(), n=t.discount.count())
        .mutate(y=ibis.greatest(ibis._.x, ibis._.n, ibis._.x.max().over(by())))
    ),
    lambda t: t.aggregate(n=t.count()).mutate(y=ibis.greatest(ibis._.n, 0)),
    lambda t: t.select("pieces").union(t.select("pieces")).mutate(x=ibis.least(ibis._.pieces, 0)),
    # texts that engines write alike
    lambda t: t.mutate(x=t.pieces.cast("string"), y=t.amount.cast("string"), z=t.paid.cast(str)),
    lambda t: t.mutate(x=t.day.cast("string"), y=t.moment.strftime("%Y-%m-%d %H:%M:%S")),
    lambda t: t.mutate(x=t.day.day_of_week.full_name()),
    # digits that both keep
    lambda t: t.mutate(x=t.amount.round(1), y=t.amount.cast("decimal(18, 2)") * t.amount),
    lambda t: t.mutate(x=t.amount * 1.5, y=t.amount + 0.25, z=t.weight * 0.1234567890123456),
    lambda t: t.mutate(x=t.weight * 1e30, y=t.weight + 1e-7),
    # where no key is known, an order is enough
    lambda t: t.union(t).mutate(x=ibis.row_number().over(by("day"))),
]


@pytest.mark.parametrize(
    ("rule", "define"), [(rule, define) for rule in WRONG for define in WRONG[rule]]
)
def test_a_mistake_is_found_where_it_was_written(
    rule: str, define: Callable[[Table], Table]
) -> None:
    found = [finding for finding in findings(define) if finding.rule == rule]
    line = define.__code__.co_firstlineno
    locations = {location_of(__file__, line + further) for further in range(4)}
    assert found
    assert {finding.table for finding in found} == {"toy"}
    assert {finding.location for finding in found} <= locations


@pytest.mark.parametrize("define", RIGHT)
def test_neutral_forms_pass(define: Callable[[Table], Table]) -> None:
    assert findings(define) == ()


def test_a_finding_says_what_where_and_how_to_mend_it() -> None:
    def define(t: Table) -> Table:
        return t.aggregate(x=t.amount.mean())

    (found,) = findings(define)
    line = define.__code__.co_firstlineno + 1
    assert str(found) == (
        "toy: Mean(amount) is a statistic of decimal(10, 2), which engines round to different"
        " scales\n"
        f"  {location_of(__file__, line)}\n"
        '  hint: cast first: amount.cast("float64").mean()'
    )


def test_without_a_trace_the_place_is_the_marts() -> None:
    (found,) = lint(toy, SALES.aggregate(x=SALES.amount.mean()))
    assert found.location == toy.location


def test_without_keys_any_order_passes() -> None:
    assert lint(toy, SALES.mutate(x=ibis.row_number().over(by("day")))) == ()


def test_a_forced_cast_is_not_dropped() -> None:
    def define(t: Table) -> Table:
        return t.aggregate(x=ops.Cast(t.amount.sum(), "decimal(38, 2)").to_expr())

    assert findings(define) == ()


def test_a_trace_gives_the_profiler_its_place_back() -> None:
    before = sys.getprofile()
    with Trace():
        assert sys.getprofile() != before
    assert sys.getprofile() is before
