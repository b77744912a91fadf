"""Checks of sources that follow from what marts rely on: what they find, say and remember."""

from __future__ import annotations

import datetime
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from ibis.expr.types import Table

from marts import (
    acknowledge,
    decimal,
    float64,
    int64,
    mart,
    money,
    relationship,
    row_check,
    source,
    string,
    unique,
)
from marts.core.analysis.acknowledgements import (
    refuse_wrong_acknowledgements,
    with_acknowledged,
)
from marts.core.analysis.reliance_errors import relied_on
from marts.core.authoring.checks import Check
from marts.core.authoring.expressions import FixedAsOf
from marts.core.authoring.tables import Mart, Source
from marts.core.console.messages import outcome_lines
from marts.core.errors import DefinitionError, UsageError
from marts.core.plan import statistics
from marts.core.plan.planner import plan_run
from marts.core.plan.source_checks import Wanted, source_checks
from marts.core.plan.state import CheckedSource, EngineState
from marts.core.plan.steps import CheckTable, Plan
from marts.core.project.graph import Graph
from marts.core.project.settings import acknowledged_in
from marts.core.run.inspection import inspect_engine
from marts.core.run.remembering import checked_sources
from marts.core.run.report import CheckReport, Report, explained
from marts.core.run.runner import run
from support.workshop import AS_OF, Observed, Row, Workshop, checks_by_name, project_of, shop_in

ORDERS = source(
    "orders",
    doc="Orders.",
    grain="order_id",
    columns=[
        int64("order_id"),
        string("shop", null=True),
        string("status", values=["paid", "cancelled"]),
        string("channel", null=True),
        int64("pieces", at_least=0),
        string("unread", unique=True),
    ],
    checks=[
        row_check("few_pieces", offending=lambda t: t.pieces > 9, severity="warn"),
        row_check("unread_short", offending=lambda t: t.unread.length() > 1),
    ],
)
SHOPS = source(
    "shops", doc="Shops.", grain="shop", columns=[string("shop"), string("town", null=True)]
)


@mart(grain="order_id", columns=[int64("order_id"), string("shop", null=True), int64("pieces")])
def int_paid(orders: Table) -> Table:
    """Paid orders from the web."""
    return orders.filter(orders.status == "paid", orders.channel.isin(["web", "Ärger"]))


@mart(grain="order_id", columns=[int64("order_id"), string("town", null=True)])
def towns(int_paid: Table, shops: Table) -> Table:
    """The town of each order."""
    return int_paid.left_join(shops, "shop")


def order(number: int, **changes: object) -> Row:
    row = {
        "order_id": number,
        "shop": "north",
        "status": "paid",
        "channel": "web",
        "pieces": 1,
        "unread": "x",
    }
    return row | changes


def orders(*changes: Mapping[str, object], least: int = 4) -> list[Row]:
    """Return paid orders, the first of them changed."""
    count = max(len(changes), least)
    return [order(n, **(changes[n] if n < len(changes) else {})) for n in range(count)]


SHOP_ROWS = [{"shop": "north", "town": "Kiel"}, {"shop": "south", "town": None}]
ALL = project_of(ORDERS, SHOPS, int_paid, towns)


@dataclass(frozen=True)
class Made:
    """A run with the checks that were derived for it."""

    plan: Plan
    report: Report
    facts: EngineState

    @property
    def checks(self) -> dict[str, CheckReport]:
        """All checks that were made, by table and name."""
        return {
            f"{table.table.name}.{made.check.name}": made
            for table in self.report.tables
            for made in table.checks
        }

    @property
    def found(self) -> dict[str, tuple[str, int]]:
        """What did not pass: how it counts, and how often."""
        return {
            name: (made.outcome, made.violations)
            for name, made in self.checks.items()
            if made.outcome != "pass"
        }

    @property
    def said(self) -> str:
        """What a user reads of it."""
        assert self.report.error is None, self.report.error
        return "\n".join(text for _, text in outcome_lines(self.report, Path("target")))

    @property
    def recorded(self) -> dict[str, CheckedSource]:
        """What is to be remembered of the sources."""
        tables = {table.table.name: table for table in self.report.tables}
        return checked_sources(self.plan, tables)


def made(
    folder: Path,
    graph: Graph = ALL,
    *,
    checked: Mapping[str, CheckedSource] | None = None,
    wanted: Wanted = Wanted(),  # noqa: B008  (frozen)
    selected: Sequence[str] = (),
    as_of: datetime.date = AS_OF,
    **tables: Sequence[Row] | pa.Table,
) -> Made:
    """Run with all that a run derives, on these tables."""
    folder.mkdir(exist_ok=True)
    workshop = Workshop(folder, graph)
    if tables:
        workshop.write(**({"shops": SHOP_ROWS} | tables))
    names = tuple(selected) or graph.order
    reliance = relied_on(graph)
    with workshop.backend() as backend:
        found = inspect_engine(graph, names, backend, also=reliance.columns_of_sources(names))
        facts = replace(found, checked=dict(checked or {}))
        derived = source_checks(graph, reliance, facts, wanted, names)
        plan = plan_run(graph, names, facts, FixedAsOf(as_of), source_checks=derived)
        return Made(plan, run(plan, backend, run_id="run", observer=Observed()), facts)


NFD = unicodedata.normalize("NFD", "Ärger")


@pytest.mark.parametrize(
    ("changed", "found", "words"),
    [
        ([{}], {}, []),
        ([{"order_id": 1}], {"orders.order_id_unique": ("fail", 1)}, []),
        ([{"pieces": -1}], {"orders.pieces_at_least_0": ("fail", 1)}, []),
        ([{"pieces": 10}], {"orders.few_pieces": ("warn", 1)}, []),
        # what nobody reads
        ([{"unread": "too long"}], {}, []),
        ([{"status": "cancelled"}, {"channel": None}, {"channel": "phone"}], {}, []),
        (
            [{"status": "returned"}],
            {"orders.status_accepted_values": ("fail", 1)},
            [],
        ),
        (
            [{"status": "Paid"}, {"status": "Paid"}, {"status": "cancelled "}],
            {
                "orders.status_accepted_values": ("fail", 3),
                "orders.status_spelling": ("fail", 3),
            },
            ["'Paid' for 'paid' in 2 rows", "'cancelled ' for 'cancelled' in 1 row"],
        ),
        *(
            (
                [{"channel": spelt}],
                {"orders.channel_spelling": ("fail", 1)},
                [f"{spelt!r} for {meant!r} in 1 row"],
            )
            for spelt, meant in [
                ("Web", "web"),
                ("WEB", "web"),
                (" web", "web"),
                ("web\u00a0", "web"),
                ("w eb\t", "web"),
                ("web\u200b", "web"),
                ("we\u00adb\u3000", "web"),
                ("\uff57\uff25b", "web"),
                ("\U0001d430eⓑ", "web"),
                ("ärger", "Ärger"),
                (NFD, "Ärger"),
                (NFD.upper(), "Ärger"),
            ]
        ),
        ([{"channel": "Ärger"}, {"channel": "webs"}, {"channel": ""}], {}, []),
        (
            [{"channel": "phone"}] * 4,
            {
                "orders.channel_compared_in_int_paid": ("warn", 1),
                "int_paid.not_empty": ("warn", 1),
                "towns.not_empty": ("warn", 1),
            },
            ["int_paid: channel in ('web', 'Ärger'), and no row has 'web' or 'Ärger'", "0 rows"],
        ),
        (
            [{"shop": "gone"}, {"shop": "north "}, {"shop": None}],
            {"orders.shop_in_shops": ("warn", 2)},
            [],
        ),
    ],
)
def test_what_marts_rely_on_is_checked(
    changed: list[dict[str, object]],
    found: dict[str, tuple[str, int]],
    words: list[str],
    tmp_path: Path,
) -> None:
    done = made(tmp_path, orders=orders(*changed))
    assert done.found == found
    failed = any(outcome == "fail" for outcome, _ in found.values())
    assert done.report.status == ("failed" if failed else "published")
    for each in words:
        assert each in done.said


def test_the_checks_of_sources_come_before_any_mart_and_in_one_scan(tmp_path: Path) -> None:
    steps = made(tmp_path, orders=orders()).plan.steps
    names = [step.table.name for step in steps if isinstance(step, CheckTable)]
    assert names[:3] == ["orders", "orders", "shops"]
    assert [isinstance(step, CheckTable) and step.is_fused for step in steps[:4]] == [
        True, False, True, False,
    ]  # fmt: skip
    assert not isinstance(steps[3], CheckTable)


def test_what_only_other_marts_rely_on_is_not_checked(tmp_path: Path) -> None:
    checks = made(tmp_path, orders=orders(), selected=["int_paid"]).checks
    assert not [name for name in checks if name.startswith("shops.") or "in_shops" in name]
    assert "orders.channel_spelling" in checks


def test_a_mart_alone_relies_on_what_the_marts_below_it_do(tmp_path: Path) -> None:
    made(tmp_path, orders=orders())
    checks = made(tmp_path, selected=["towns"]).checks
    assert {"orders.status_spelling", "orders.shop_in_shops", "shops.shop_unique"} <= set(checks)


DECLARED = replace(
    ORDERS, checks=(relationship("shop", to="shops.shop", severity="warn", threshold=2),)
)
BELOW = replace(int_paid, checks=(relationship("shop", to="shops.shop"),))


@pytest.mark.parametrize(
    ("tables", "found"),
    [
        ((DECLARED, SHOPS, int_paid, towns), {"orders.shop_in_shops": "warn"}),
        ((ORDERS, SHOPS, BELOW, towns), {"int_paid.shop_in_shops": "fail"}),
    ],
)
def test_a_declared_relationship_takes_the_place_of_the_derived_one(
    tables: tuple[Source | Mart, ...], found: dict[str, str], tmp_path: Path
) -> None:
    gone: dict[str, object] = {"shop": "gone"}
    done = made(tmp_path, project_of(*tables), orders=orders(gone, gone, gone))
    assert {name: outcome for name, (outcome, _) in done.found.items()} == found
    assert [name for name in done.checks if name.endswith("shop_in_shops")] == list(found)


def test_a_lookup_by_several_columns_is_checked_too(tmp_path: Path) -> None:
    prices = source(
        "prices",
        doc="Prices.",
        grain=("shop", "channel"),
        columns=[string("shop"), string("channel"), money("price")],
    )

    @mart(grain="order_id", columns=[int64("order_id"), money("price", null=True)])
    def priced(orders: Table, prices: Table) -> Table:
        """Orders and prices."""
        return orders.left_join(prices, ["shop", "channel"])

    known = [{"shop": "north", "channel": "web", "price": 3}]
    unpriced: list[Row] = [{"channel": "phone"}, {"shop": "south"}, {"shop": None}]
    workshop = Workshop(tmp_path, project_of(ORDERS, prices, priced))
    workshop.write(orders=orders(*unpriced), prices=known)
    done = made(tmp_path, workshop.graph)
    assert done.found == {"orders.shop_and_channel_in_prices": ("warn", 2)}


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
    wanted = Wanted(accept_shrink=accept)
    done = made(tmp_path, checked=known, wanted=wanted, orders=orders())
    assert done.report.status == status
    if status == "failed":
        assert "orders.not_shrunk: does not hold; less than half of the 9 rows" in done.said


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
    done = made(tmp_path, wanted=Wanted(source_checks=False), orders=orders({"status": "PAID"}))
    assert done.report.status == "published"
    assert not [name for name in done.checks if name.startswith("orders.")]
    assert "the sources were not checked, as --no-source-checks says" in done.said
    assert (done.recorded["orders"].checks, done.recorded["orders"].rows) == (frozenset(), 4)


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


# Acknowledged


def known(check: str, until: str = "2027-06-30") -> Any:
    return acknowledge(check, reason="we know", until=until)


@pytest.mark.parametrize(
    ("until", "outcome"), [("2025-06-30", "acknowledged"), ("2025-06-29", "warn")]
)
def test_an_acknowledged_warning_is_counted_not_shown_until_its_date(
    until: str, outcome: str, tmp_path: Path
) -> None:
    table = replace(ORDERS, acknowledged=(known("few_pieces", until),))
    done = made(tmp_path, project_of(table, SHOPS, int_paid, towns), orders=orders({"pieces": 10}))
    assert done.found == {"orders.few_pieces": (outcome, 1)}
    assert ("1 acknowledged" in done.said) == (outcome == "acknowledged")
    assert (f"acknowledged until {until}: we know" in done.said) == (outcome == "warn")
    assert ("orders.few_pieces" in done.said) == (outcome == "warn")


@pytest.mark.parametrize(
    ("table", "entry"),
    [("orders", "shop_in_shops"), ("orders", "channel_compared_in_int_paid"),
     ("orders", "few_pieces"), ("towns", "not_empty")],
)  # fmt: skip
def test_warnings_declared_or_derived_can_be_acknowledged_in_the_settings(
    table: str, entry: str
) -> None:
    settings = [{"table": table, "check": entry, "reason": "so", "until": datetime.date.max}]
    graph = with_acknowledged(ALL, acknowledged_in(settings, Path("settings")), "settings")
    refuse_wrong_acknowledgements(graph, relied_on(graph))
    tables = graph.project.sources | graph.project.marts
    assert tables[table].acknowledged[0].until == datetime.date.max


@pytest.mark.parametrize(
    ("acknowledged", "words"),
    [
        ([known("few_piece")], "it has no check few_piece; did you mean few_pieces?"),
        ([known("status_not_null")], "status_not_null is an error: only a warning can be"),
        ([known("status_spelling")], "status_spelling is an error"),
        ([known("few_pieces"), known("few_pieces")], "few_pieces is acknowledged twice"),
    ],
)
def test_wrong_acknowledgements_are_refused(acknowledged: list[Any], words: str) -> None:
    table = replace(ORDERS, acknowledged=tuple(acknowledged))
    graph = project_of(table, SHOPS, int_paid, towns)
    with pytest.raises(DefinitionError) as refused:
        refuse_wrong_acknowledgements(graph, relied_on(graph))
    assert words in str(refused.value)


def test_an_acknowledgement_needs_a_reason_and_a_date() -> None:
    with pytest.raises(DefinitionError, match="has no reason"):
        source("s", doc="S.", grain="k", columns=[string("k")],
               acknowledged=[acknowledge("x", reason=" ", until="2027-01-01")])  # fmt: skip
    with pytest.raises(ValueError, match="isoformat"):
        acknowledge("x", reason="y", until="next year")


@pytest.mark.parametrize(
    "entry",
    [
        {},
        {"table": "orders", "check": "few_pieces", "reason": "so"},
        {"table": "orders", "check": "few_pieces", "reason": "so", "until": "soon"},
        {"table": "orders", "check": "few_pieces", "reason": "", "until": "2027-01-01"},
        {"table": "order", "check": "few_pieces", "reason": "so", "until": "2027-01-01"},
    ],
)
def test_wrong_entries_of_the_settings_are_refused(entry: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        with_acknowledged(ALL, acknowledged_in([entry], Path("settings")), "settings")
