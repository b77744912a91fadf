"""Data sets that every engine builds the marts of: bundled, many small worlds in one, generated."""

from __future__ import annotations

import datetime
import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TypeAlias

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from fixtures.generate import Portfolio, generate
from fixtures.stars import SCHEMAS, UNKNOWN_CUSTOMER_KEY
from marts.core.proof.drawing import draw
from support.paths import BUNDLED
from support.saved_worlds import saved_worlds
from support.worlds import World, corpus_world, worlds

# Columns that name a customer, a version or a transaction: of one world alone, then.
KEYS = {"customer_key", "customer_id", "transaction_key", "transaction_id"}
LARGER = Portfolio(customers=5_000, transactions=120_000, seed=7)


def bundled() -> World:
    """Return the data that `marts run` builds from, as of its last day."""
    return World(_read(BUNDLED), datetime.date(2025, 6, 30))


def larger() -> World:
    """Return 5,000 generated customers, as of a day with six weeks of transactions after it."""
    with tempfile.TemporaryDirectory() as folder:
        generate(Path(folder), LARGER)
        return World(_read(Path(folder)), datetime.date(2025, 5, 17))


def many_worlds(as_of: datetime.date, number: int) -> World:
    """Return drawn worlds, those that were kept of that date, and the corpus, as one."""
    kept = [world for world in saved_worlds().values() if world.as_of == as_of]
    return World(packed([*drawn(as_of, number), *kept, corpus_world(as_of)]), as_of)


DataSets: TypeAlias = Mapping[str, Callable[[], World]]


def worlds_of(days: Sequence[datetime.date], *, number: int) -> DataSets:
    """Return a data set for each day, of many worlds."""
    return {f"worlds of {day}": partial(many_worlds, day, number) for day in days}


DRAWN_DATES = (datetime.date(2024, 6, 15), datetime.date(2024, 2, 29))
KEPT_DATES = {world.as_of for world in saved_worlds().values()}
DATA_SETS: DataSets = {
    "bundled": bundled,
    **worlds_of(DRAWN_DATES, number=40),
    **worlds_of(sorted(KEPT_DATES - set(DRAWN_DATES)), number=1),
    "5,000 customers": larger,
}


def drawn(as_of: datetime.date, number: int) -> Sequence[World]:
    """Return worlds that hypothesis draws: the same wherever the same modules are loaded.

    It tries the constants that it finds in them.
    """
    found: list[World] = []

    def collect(world: World) -> bool:
        found.append(world)
        return True

    draw(worlds(as_of_dates=(as_of,)), number, collect)
    return found


def packed(several: Sequence[World]) -> dict[str, pa.Table]:
    """Return the tables of several worlds as one world's, with names that tell them apart."""
    return {
        name: pa.concat_tables(
            _renamed(world.tables[name], f"w{number}-")
            for number, world in enumerate(several)
            if name in world.tables
        )
        for name in SCHEMAS
        if name != "dim_merchant_category"
    } | {"dim_merchant_category": several[0].tables["dim_merchant_category"]}


def _renamed(table: pa.Table, prefix: str) -> pa.Table:
    for number, column in enumerate(table.schema):
        if column.name in KEYS:
            values = table.column(number)
            named = pc.binary_join_element_wise(prefix, values, "")
            known = pc.not_equal(values, UNKNOWN_CUSTOMER_KEY)
            table = table.set_column(number, column, pc.if_else(known, named, values))
    return table


def _read(folder: Path) -> dict[str, pa.Table]:
    return {path.stem: pq.read_table(path) for path in sorted(folder.glob("*.parquet"))}
