"""Checks of sources in a plan: once for each version, by statistics where they suffice."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import ibis.expr.operations as ops
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from ibis.expr.types import Table

from marts import decimal, float64, int64, mart, relationship, row_check, source, string, unique
from marts.core.authoring.checks import Check
from marts.core.authoring.columns import Column
from marts.core.authoring.tolerance import Severity
from marts.core.errors import DefinitionError, SourceError
from marts.core.operations.run_options import RunOptions
from marts.core.plan import statistics
from marts.core.plan.source_checks import SourceCheckOptions
from marts.core.plan.state import CheckedSource
from marts.core.plan.steps import CheckTable, SkippedCheck
from marts.core.project.graph import Graph
from marts.core.run.report import explained
from support.derived_checks import (
    ALL,
    ORDERS,
    SHOP_ROWS,
    SHOPS,
    int_paid,
    made,
    order,
    orders,
    towns,
)
from support.grouped import Grouped
from support.workshop import Workshop, checks_by_name, project_of, shop_in

# Shares, shrinking


@pytest.mark.parametrize(
    ("last", "warns"), [(None, True), (0.0, True), (0.3, False), (0.25, False), (0.24, True)]
)
def test_orphans_warn_where_their_share_has_more_than_doubled(
    last: float | None, warns: bool, tmp_path: Path
) -> None:
    known = CheckedSource("other", orphans={} if last is None else {"shop_in_shops": last})
    done = made(
        tmp_path, checked={"orders": known}, orders=orders({"shop": "gone"}, {"shop": "gone"})
    )
    assert done.found == ({"orders.shop_in_shops": ("warn", 2)} if warns else {})
    assert done.recorded["orders"].orphans == {"shop_in_shops": 0.5}


@pytest.mark.parametrize(
    ("last", "accept", "status"),
    [
        (8, False, "published"),
        (9, False, "failed"),
        (9, True, "published"),
        (0, False, "published"),
    ],
)
def test_a_source_that_lost_more_than_half_of_its_rows_is_refused(
    last: int, accept: bool, status: str, tmp_path: Path
) -> None:
    known = {"orders": CheckedSource("other", rows=last)}
    wanted = SourceCheckOptions(accept_shrink=accept)
    done = made(tmp_path, checked=known, wanted=wanted, orders=orders())
    assert done.report.status == status
    if status == "failed":
        assert "orders.not_shrunk: does not hold; less than half of the 9 rows" in done.said


# Declared relationships with sources that no built mart reads


def looking_up(severity: Severity = "error") -> Graph:
    """Return a project whose mart reads orders alone, of which each must be of a known shop."""
    known = relationship("shop", to="shops.shop", severity=severity)
    return project_of(replace(ORDERS, checks=(known,)), SHOPS, int_paid)


def test_a_relationship_with_a_source_that_no_mart_reads_is_checked(tmp_path: Path) -> None:
    done = made(tmp_path, looking_up(), orders=orders({"shop": "gone"}))
    assert done.found == {"orders.shop_in_shops": ("fail", 1)}


def test_a_relationship_that_cannot_be_checked_refuses_the_run(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="source shops, column shop: expected string, found no"):
        made(tmp_path, looking_up(), orders=orders(), shops=pa.table({"other": [1]}))
    done = made(tmp_path, looking_up("warn"), orders=orders(), shops=pa.table({"other": [1]}))
    assert done.report.status == "published"
    assert done.plan.skipped == (SkippedCheck("orders", "shop_in_shops", ("shops",)),)


def test_a_lookup_that_cannot_be_read_refuses_the_run(tmp_path: Path) -> None:
    made(tmp_path, looking_up(), orders=orders())
    (tmp_path / "data" / "shops.parquet").write_bytes(b"PAR1")
    with pytest.raises(SourceError, match="shops"):
        made(tmp_path, looking_up())
    assert made(tmp_path, looking_up("warn")).report.status == "published"


def test_the_lookups_of_a_view_that_is_built_for_a_mart_are_inspected(tmp_path: Path) -> None:
    lands = source("lands", doc="Lands.", grain="shop", columns=[string("shop")])

    @mart(grain="shop", columns=[string("shop")])
    def known(lands: Table) -> Table:
        """Shops."""
        return lands

    @mart(grain="order_id", columns=[int64("order_id")], materialized="view")
    def local(orders: Table, known: Table) -> Table:
        """Orders of known shops."""
        return orders.inner_join(known, "shop").select("order_id")

    checked = looking_up().project.sources.values()
    shop = Grouped(Workshop(tmp_path, project_of(*checked, lands, known, local)), ())
    shop.shop.write(orders=orders(), shops=SHOP_ROWS, lands=[{"shop": "north"}])
    assert shop.run().status == "published"
    shop.shop.write(lands=[{"shop": "north"}, {"shop": "south"}])
    assert shop.run("known").status == "published"
    assert {step.mart.name for step in shop.plans[0].builds} == {"known", "local"}


# Once for each version


def test_a_version_that_was_checked_is_not_checked_again(tmp_path: Path) -> None:
    first = made(tmp_path, orders=orders())
    records = {
        name: CheckedSource.from_text(each.to_text()) for name, each in first.recorded.items()
    }
    assert records == first.recorded
    assert {name: each.rows for name, each in first.recorded.items()} == {"orders": 4, "shops": 2}
    again = made(tmp_path, checked=first.recorded)
    assert not [name for name in again.checks if name.startswith(("orders.", "shops."))]
    assert again.recorded == first.recorded


def test_another_version_is_checked_and_what_looks_something_up_in_it(tmp_path: Path) -> None:
    first = made(tmp_path, orders=orders())
    fewer = [*SHOP_ROWS, {"shop": "west", "town": None}]
    again = made(tmp_path, checked=first.recorded, orders=orders(), shops=fewer)
    assert "orders.status_spelling" in again.checks  # written anew, so another version
    Workshop(tmp_path, ALL).write(shops=SHOP_ROWS)
    third = made(tmp_path, checked=again.recorded)
    made_again = [name for name in third.checks if name.startswith("orders.")]
    assert made_again == ["orders.shop_in_shops"]


def test_another_constant_is_another_check(tmp_path: Path) -> None:
    first = made(tmp_path, orders=orders())

    def define(orders: Table) -> Table:
        return orders.filter(orders.status == "paid", orders.channel.isin(["web", "fax"]))

    graph = project_of(ORDERS, SHOPS, replace(int_paid, define=define), towns)
    again = made(tmp_path, graph, checked=first.recorded)
    assert [name for name in again.checks if name.startswith("orders.")] == [
        "orders.channel_spelling",
        "orders.channel_compared_in_int_paid",
    ]


def test_a_check_that_warned_is_made_again(tmp_path: Path) -> None:
    first = made(tmp_path, orders=orders({"pieces": 10}))
    again = made(tmp_path, checked=first.recorded)
    assert again.found == first.found == {"orders.few_pieces": ("warn", 1)}
    assert [name for name in again.checks if name.startswith("orders.")] == ["orders.few_pieces"]


def test_a_record_of_another_version_of_the_framework_is_none() -> None:
    for text in (None, "", "[]", '{"version": "1"}', '{"version": "1", "checks": [], "more": 1}'):
        assert CheckedSource.from_text(text) is None


def test_checks_of_sources_can_be_left_out_and_the_report_says_so(tmp_path: Path) -> None:
    done = made(
        tmp_path, wanted=SourceCheckOptions(source_checks=False), orders=orders({"status": "PAID"})
    )
    assert done.report.status == "published"
    assert not [name for name in done.checks if name.startswith("orders.")]
    assert "the sources were not checked, as --no-source-checks says" in done.said
    assert (done.recorded["orders"].checks, done.recorded["orders"].rows) == (frozenset(), 4)


def test_a_source_that_shrank_unchecked_is_compared_with_the_last_checked_one(
    tmp_path: Path,
) -> None:
    shop = Grouped(Workshop(tmp_path, ALL), ())
    for count, options, status in (
        (9, RunOptions(), "published"),
        (4, RunOptions(checks_sources=False), "published"),
        (4, RunOptions(), "failed"),
        (4, RunOptions(accept_shrink=True), "published"),
    ):
        shop.shop.write(orders=orders(least=count), shops=SHOP_ROWS)
        report = shop.run(options=options)
        assert report.status == status


def test_the_toy_shop_has_no_warnings(tmp_path: Path) -> None:
    shop = shop_in(tmp_path)
    done = made(tmp_path, shop.graph)
    assert (done.report.status, done.found) == ("published", {})
    assert done.checks["orders.customer_id_in_customers"].outcome == "pass"


# What many rows and the footers of files change


@pytest.fixture
def many(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every table have many rows."""
    monkeypatch.setattr(statistics, "MANY_ROWS", 1)
    monkeypatch.setattr(statistics, "ROWS_TO_HALVE", 1)


@pytest.mark.usefixtures("many")
@pytest.mark.parametrize(
    ("numbers", "violations", "queries"),
    [([1, 2, 3, 4], 0, 1), ([4, 2, 3, 1], 0, 2), ([1, 2, 2, 2], 2, 3), ([2, 1, 2, 1], 2, 3)],
)
def test_uniqueness_of_many_rows_is_proven_or_counted(
    numbers: list[int], violations: int, queries: int, tmp_path: Path
) -> None:
    workshop = Workshop(tmp_path, ALL)
    workshop.write(orders=[order(n) for n in numbers], shops=SHOP_ROWS)
    asked: list[str] = []
    done = made(tmp_path)
    (step,) = [s for s in done.plan.steps if isinstance(s, CheckTable) and s.quick
               and s.table.name == "orders"]  # fmt: skip
    assert done.checks["orders.order_id_unique"].violations == violations
    with workshop.backend(read_only=True) as backend:
        for query in (*step.quick, step.query):
            asked.append("asked")
            if not backend.fetch(query, about="orders")[0]["c0"]:
                break
    assert len(asked) == queries


@pytest.mark.usefixtures("many")
@pytest.mark.parametrize(
    ("numbers", "is_halved"),
    [
        ([10, 11, 12, 13, 14, 15], [True, False]),
        ([10, 10, 12, 13, 14, 15], [True, False]),
        ([10, 11, 12, 13, 14, 14], [True, False]),
        ([10, 11, 11, 13, 14, 15], [False]),
        ([10, 11, 12, 13, 13, 15], [False]),
        ([10, 11, 12, 13, 14, 10], [False]),
    ],
)
@pytest.mark.parametrize("kind", [int64, string])
def test_groups_of_rows_that_ascend_are_read_in_two_halves(
    kind: Callable[..., Column], numbers: list[int], is_halved: list[bool], tmp_path: Path
) -> None:
    table = source("orders", doc="O.", grain="order_id", columns=[kind("order_id")])

    @mart(grain="order_id", columns=table.columns)
    def copied(orders: Table) -> Table:
        """Return all orders."""
        return orders

    workshop = Workshop(tmp_path, project_of(table, copied))
    keys = pa.array(numbers) if kind is int64 else pa.array([f"it's {n}" for n in numbers])
    workshop.data.mkdir()
    pq.write_table(pa.table({"order_id": keys}), workshop.data / "orders.parquet", row_group_size=2)
    steps = workshop.plan(source_checks=True).steps
    (quick,) = (step.quick for step in steps if isinstance(step, CheckTable) and step.quick)
    assert [
        isinstance(each, Table) and bool(each.op().find(ops.Union)) for each in quick
    ] == is_halved
    checks = checks_by_name(workshop.check(source_checks=True), "orders")
    assert checks["order_id_unique"].violations == len(numbers) - len({*numbers})


@pytest.mark.usefixtures("many")
@pytest.mark.parametrize("column", [string("mail"), string("mail", personal="email")])
def test_no_statement_has_a_value_of_a_personal_key(column: Column, tmp_path: Path) -> None:
    keys = ["a@b.c", "d@e.f", "g@h.i", "j@k.l"]
    table = source("people", doc="P.", grain="mail", columns=[column])

    @mart(grain="mail", columns=[column])
    def copied(people: Table) -> Table:
        """Return all people."""
        return people

    workshop = Workshop(tmp_path, project_of(table, copied))
    workshop.data.mkdir()
    pq.write_table(pa.table({"mail": keys}), workshop.data / "people.parquet", row_group_size=1)
    steps = workshop.plan(source_checks=True).steps
    (quick,) = (step.quick for step in steps if isinstance(step, CheckTable) and step.quick)
    assert any("d@e.f" in repr(each) for each in quick) == (column.personal is None)


@pytest.mark.usefixtures("many")
def test_texts_of_many_rows_are_checked_by_value(tmp_path: Path) -> None:
    changed = [{"status": "Paid", "channel": "phone"}] * 3 + [{"channel": None}]
    done = made(tmp_path, orders=orders(*changed))
    assert done.found == {
        "orders.status_accepted_values": ("fail", 3),
        "orders.status_spelling": ("fail", 3),
        "orders.channel_compared_in_int_paid": ("warn", 1),
    }
    assert "'Paid' for 'paid' in 3 rows" in done.said
    assert done.report.tables[0].rows == 4


def test_what_footers_say_of_columns_is_known(tmp_path: Path) -> None:
    kinds = [int64("order_id"), string("shop", null=True), decimal("amount", 10, 2)]
    kinds += [float64("share"), int64("nothing", null=True)]
    workshop = Workshop(
        tmp_path, project_of(source("orders", doc="O.", grain="order_id", columns=kinds))
    )
    workshop.write(
        orders=pa.table(
            {
                "ORDER_ID": [3, 1],
                "shop": [None, "a"],
                "amount": pa.array([1, -2], pa.decimal128(10, 2)),
                "share": [float("nan"), 1.0],
                "nothing": pa.array([None, None], pa.int64()),
            }
        ),
    )
    with workshop.backend() as backend:
        known = backend.describe_sources(["orders"])["orders"].columns
    assert {name: (facts.nulls, facts.low, facts.high) for name, facts in known.items()} == {
        "order_id": (0, 1, 3),
        "shop": (1, None, None),
        "amount": (0, -2, 1),
        "share": (0, None, None),
        "nothing": (2, None, None),
    }


@pytest.mark.parametrize(
    ("pieces", "status"), [([0, 5], "published"), ([-1, 5], "failed"), ([None, 5], "failed")]
)
def test_what_footers_prove_passes_and_what_they_do_not_is_looked_at(
    pieces: list[int | None], status: str, tmp_path: Path
) -> None:
    done = made(tmp_path, orders=[order(n, pieces=p) for n, p in enumerate(pieces)])
    assert done.report.status == status
    assert {"orders.pieces_not_null", "orders.pieces_at_least_0"} <= set(done.checks)


# Rates


RATED: Mapping[str, Callable[[str], Check]] = {
    "row": lambda rate: row_check("v", offending=lambda t: t.shop == "a", threshold=rate),
    "unique": lambda rate: unique("shop", "unread", threshold=rate),
    "relationship": lambda rate: relationship("shop", to="shops.shop", threshold=rate),
}


@pytest.mark.parametrize(("rate", "outcome"), [("25%", "pass"), ("24.9%", "fail"), ("0%", "fail")])
@pytest.mark.parametrize(
    ("kind", "shops"),
    [("row", "abcd"), ("unique", "bbcd"), ("relationship", "xbcd")],
)
def test_a_rate_is_of_the_rows_of_the_table(
    rate: str, outcome: str, kind: str, shops: str, tmp_path: Path
) -> None:
    check = RATED[kind](rate)
    workshop = Workshop(tmp_path, project_of(replace(ORDERS, checks=(check,)), SHOPS))
    workshop.write(
        orders=[order(n, shop=shop) for n, shop in enumerate(shops)],
        shops=[{"shop": shop, "town": None} for shop in "abcd"],
    )
    found = checks_by_name(workshop.check(source_checks=True), "orders")[check.name]
    assert (found.violations, found.outcome) == (1, outcome)
    if outcome == "fail":
        assert f"more than {rate} of 4 rows" in [*explained(found)]


def test_a_rate_of_some_rows_is_of_these(tmp_path: Path) -> None:
    check = row_check(
        "v", offending=lambda t: t.shop == "bad", where=lambda t: t.pieces == 1, threshold="50%"
    )
    rows = [order(0, shop="bad"), order(1), order(2, pieces=2), order(3, pieces=2)]
    workshop = Workshop(tmp_path, project_of(replace(ORDERS, checks=(check,))))
    workshop.write(orders=rows)
    found = checks_by_name(workshop.check(source_checks=True), "orders")["v"]
    assert (found.violations, found.rows, found.outcome) == (1, 2, "pass")


@pytest.mark.parametrize("threshold", [-1, "5", "x%", "101%", "-1%", True, 0.5, None])
def test_a_threshold_that_is_none_is_refused(threshold: Any) -> None:
    check = row_check("v", offending=lambda t: t.shop == "", threshold=threshold)
    with pytest.raises(DefinitionError, match="check v: threshold is"):
        source("s", doc="S.", grain="k", columns=[string("k")], checks=[check])


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_statistics_of_files_leave_out_is_found(value: float, tmp_path: Path) -> None:
    table = source("s", doc="S.", grain="k", columns=[string("k"), float64("v")])
    workshop = Workshop(tmp_path, project_of(table))
    workshop.write(s=[{"k": "a", "v": 1.0}, {"k": "b", "v": value}])
    found = checks_by_name(workshop.check(source_checks=True), "s")["v_finite"]
    assert (found.violations, found.outcome, found.sample is None) == (1, "fail", False)
