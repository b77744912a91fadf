"""Whatever happens to data, date and code, what is published is right about its data.

Runs of some marts, interrupted runs and hands in the database are part of it.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import pyarrow.parquet as pq
from hypothesis import given, settings
from hypothesis import strategies as st

from marts.core.errors import UsageError
from marts.core.kit.building import MartsBuilder, on_duckdb
from support.updates import (
    PAID_IS_A_TABLE,
    PAID_IS_TEMPORARY,
    Updates,
    Watched,
    all_gold,
    edited,
)
from support.workshop import (
    AS_OF,
    CUSTOMERS,
    ORDERS,
    SHOP,
    Row,
    Workshop,
    customer,
    order,
)

PAID, TOTALS, MODELS, OVERVIEW = SHOP.order

Change = Callable[["World"], None]
PLAIN = (SHOP, PAID_IS_A_TABLE, PAID_IS_TEMPORARY)
GRAPHS = (*PLAIN, *(edited(graph, TOTALS, all_gold) for graph in PLAIN))


@cache
def marts_of(number: int) -> MartsBuilder:
    """Return what builds a version of the code from nothing, compiled once for each date."""
    return on_duckdb(GRAPHS[number])


@dataclass
class World:
    """A shop whose data, code and database change; and what readers must see of it."""

    updates: Updates
    orders: list[Row]
    code: int = 0
    as_of: datetime.date = AS_OF
    must_see: dict[str, list[Any]] = field(default_factory=dict)

    def from_nothing(self) -> dict[str, list[Any]]:
        """Return what a build from nothing gives of all that is there now."""
        data = self.updates.shop.data
        tables = {file.stem: pq.read_table(file) for file in data.glob("*.parquet")}
        built = marts_of(self.code).build(tables, self.as_of)
        return {
            name: duckdb.from_arrow(rows).order("ALL").fetchall() for name, rows in built.items()
        }

    def use(self, code: int) -> None:
        """Take another version of the code."""
        self.code = code
        self.updates.shop = replace(self.updates.shop, graph=GRAPHS[code])

    def run(self, selected: Collection[str], at: int, meanwhile: Change) -> None:
        """Bring some marts up to date while something happens; see what readers see."""
        marts = self.updates.shop.graph.project.marts
        kept, fresh = self.seen(), self.from_nothing()
        watched = Watched(at, lambda: meanwhile(self))
        try:
            report = self.updates.update(as_of=self.as_of, selected=selected, through=watched.over)
        except UsageError:
            assert self.seen() == kept
            return
        seen = self.seen()
        if watched.has_happened:
            assert report.status == ("interrupted" if meanwhile is interrupt else "error")
            assert seen == kept
            return
        assert report.status in ("published", "unchanged", "checked"), report
        chosen = selected or marts.keys()
        for name, rows in seen.items():
            if name in chosen or name in self.updates.reasons:
                assert rows == fresh[name], (name, selected)
            else:
                assert rows == kept[name], (name, selected)
        expected = {name for name in chosen if not marts[name].is_temporary}
        assert expected - self.open_views() <= seen.keys()

    def seen(self) -> dict[str, list[Any]]:
        """Return what readers see of all but views of sources, which show these as they are."""
        shop = self.updates.shop
        published = shop.published() if shop.database.exists() else {}
        return {name: rows for name, rows in published.items() if name not in self.open_views()}

    def open_views(self) -> set[str]:
        """Return the views that were published over a source, by whichever code."""
        if not self.updates.shop.database.exists():
            return set()
        views = "SELECT view_name FROM duckdb_views() WHERE sql LIKE '%read_parquet%'"
        return {name for (name,) in self.updates.shop.query(views)}


def write(world: World) -> None:
    world.updates.shop.write(orders=world.orders)


def append(world: World) -> None:
    world.orders.append(order(f"n{len(world.orders)}", "c2", "12.34"))
    write(world)


def correct(world: World) -> None:
    first = world.orders[0]
    world.orders[0] = {**first, "amount": Decimal(str(first["amount"])) + 1}
    write(world)


def delete(world: World) -> None:
    if len(world.orders) > 2:
        world.orders.pop()
    write(world)


def add_a_customer(world: World) -> None:
    number = len(world.orders) + 10
    world.updates.shop.write(customers=[*CUSTOMERS, customer(f"c{number}")])


def edit_totals(world: World) -> None:
    world.use((world.code + len(PLAIN)) % len(GRAPHS))


def use(code: int) -> Change:
    def change(world: World) -> None:
        world.use(code)

    return change


def interrupt(_: World) -> None:
    raise KeyboardInterrupt


def another_day(world: World) -> None:
    world.as_of += datetime.timedelta(days=1)


def by_hand(statement: str) -> Change:
    def change(world: World) -> None:
        with world.updates.shop.backend() as backend, suppress(duckdb.Error):
            backend._connection.execute(statement)

    return change


CHANGES: tuple[Change, ...] = (
    append,
    correct,
    delete,
    add_a_customer,
    edit_totals,
    *map(use, range(len(PLAIN))),
    another_day,
    by_hand(f"DELETE FROM gold.{TOTALS} WHERE customer_id = 'c1'"),
    by_hand(f"UPDATE gold.{TOTALS} SET spend = spend + 1"),
    by_hand(f"ALTER TABLE gold.{TOTALS} DROP COLUMN tier"),
    by_hand(f"DROP TABLE gold.{MODELS}"),
)
SELECTIONS = st.one_of(
    st.just(()), st.lists(st.sampled_from(SHOP.order), min_size=1, max_size=3, unique=True)
)


@settings(max_examples=15)
@given(
    steps=st.lists(
        st.tuples(
            st.lists(st.sampled_from(CHANGES), max_size=2),
            SELECTIONS,
            st.one_of(st.just(0), st.integers(1, 20)),
            st.sampled_from([interrupt, append]),
        ),
        min_size=1,
        max_size=5,
    )
)
def test_what_is_published_is_what_a_build_from_nothing_gives(
    steps: list[tuple[list[Change], list[str], int, Change]],
) -> None:
    with TemporaryDirectory() as here:
        shop = Workshop(Path(here), SHOP)
        world = World(Updates(shop), list(ORDERS))
        shop.write(customers=CUSTOMERS, orders=ORDERS)
        for changes, selected, at, meanwhile in steps:
            for change in changes:
                change(world)
            world.run(selected, at, meanwhile)
        world.run((), 0, interrupt)
