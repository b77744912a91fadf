"""Checks of sources that are derived from what marts rely on: what they find and report."""

from __future__ import annotations

import unicodedata
from dataclasses import replace
from pathlib import Path

import pytest
from ibis.expr.types import Table

from marts import int64, mart, money, relationship, source, string
from marts.core.authoring.tables import Mart, Source
from marts.core.plan.steps import CheckTable
from support.derived_checks import (
    ORDERS,
    SHOPS,
    int_paid,
    made,
    orders,
    towns,
)
from support.workshop import Row, Workshop, project_of

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
