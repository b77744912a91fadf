"""The smallest world: planted bugs among many rows, and what stays true of the sources."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from backends.factory import worlds_on_duckdb
from marts import (
    AsOf,
    Table,
    date,
    decimal,
    int64,
    mart,
    money,
    relationship,
    row_check,
    source,
    string,
    table_check,
)
from marts.core.authoring.tables import Mart
from marts.core.proof.building import Built, WorldBuilder
from marts.core.proof.comparison import Differences, differences
from marts.core.proof.shrinking import Shrinker, smallest
from marts.core.proof.worlds import World
from marts.core.query.contract import schema_of
from support.workshop import project_of

AS_OF = datetime.date(2025, 6, 30)

regions = source(
    "regions", doc="Regions.", grain="region", columns=[string("region"), string("manager")]
)
shops = source(
    "shops",
    doc="Shops.",
    grain="shop_id",
    columns=[int64("shop_id"), string("region"), string("kind", values=["own", "franchise"])],
    checks=[relationship("region", to="regions.region")],
)


sellers = source(
    "sellers",
    doc="Who sells; everybody has.",
    grain="seller_id",
    columns=[int64("seller_id"), string("name")],
    checks=[
        table_check(
            "everybody_sold",
            offending=lambda this, sales: this.anti_join(sales, this.seller_id == sales.seller_id),
        )
    ],
)
sales = source(
    "sales",
    doc="What shops sold.",
    grain=("shop_id", "receipt"),
    columns=[
        int64("shop_id"),
        int64("receipt"),
        int64("seller_id"),
        date("sold_on"),
        decimal("amount", 10, 2, at_least=2),
        string("status", values=["open", "paid", "void"]),
        string("slip", unique=True),
        string("note", null=True),
    ],
    checks=[
        relationship("shop_id", to="shops.shop_id"),
        relationship("seller_id", to="sellers.seller_id"),
        row_check("void_has_note", offending=lambda t: (t.status == "void") & t.note.isnull()),
    ],
)
SOURCES = (regions, shops, sellers, sales)


def takings(
    *,
    days: int = 30,
    keeps: Callable[[Table], Any] = lambda t: t.status == "paid",
    how: str = "left",
    by: tuple[str, ...] = ("region",),
) -> Mart:
    """Return the mart as it is, or with a bug."""

    def takings(shops: Table, sales: Table, as_of: AsOf) -> Table:
        """What the shops of a region took in 30 days, and the most in a shop."""
        recent = sales.filter(sales.sold_on > as_of.minus(days=days), keeps(sales))
        sold = recent.group_by("shop_id").aggregate(amount=recent.amount.sum())
        t = shops.join(sold, "shop_id", how=how)
        return t.group_by(list(by)).aggregate(amount=t.amount.sum())

    declare = mart(
        grain="region", columns=[string("region"), money("amount", default=0)], unchecked=True
    )
    return declare(takings)


def world() -> World:
    """Return 61 shops in 7 regions, 20 sellers and 1,500 sales on the days around the window."""
    rows = {
        "regions": [{"region": f"r{n}", "manager": f"m{n}"} for n in range(7)],
        "shops": [
            {"shop_id": 99, "region": "r6", "kind": "own"},
            *(
                {"shop_id": n, "region": f"r{n % 6}", "kind": ("own", "franchise")[n % 2]}
                for n in range(100, 160)
            ),
        ],
        "sellers": [{"seller_id": n, "name": f"Seller {n}"} for n in range(20)],
        "sales": [
            {
                "shop_id": 100 + n * 7 % 59,
                "receipt": n,
                "seller_id": n % 20,
                "sold_on": AS_OF - datetime.timedelta(days=n * 11 % 43),
                "amount": Decimal(n * 37 % 9973 + 200) / 100,
                "status": ("paid", "open", "void")[n * 13 % 3],
                "slip": f"s{n}",
                "note": f"note {n}" if n % 3 else "other",
            }
            for n in range(1500)
        ],
    }
    schemas = {each.name: schema_of(each.columns).to_pyarrow() for each in SOURCES}
    tables = {name: pa.Table.from_pylist(its, schemas[name]) for name, its in rows.items()}
    return World(tables, AS_OF, "made up")


GRAPH = project_of(*SOURCES, takings())


@pytest.fixture
def builder() -> Iterator[WorldBuilder]:
    engine = worlds_on_duckdb()
    yield WorldBuilder(GRAPH, engine)
    engine.close()


BUGS: dict[str, tuple[dict[str, Any], dict[str, int]]] = {
    "a window off by a day": ({"days": 31}, {"sales": 1, "shops": 1}),
    "a filter dropped": ({"keeps": lambda t: t.amount > 0}, {"sales": 1, "shops": 1}),
    "a wrong value": (
        {"keeps": lambda t: t.status.isin(["paid", "void"])},
        {"sales": 1, "shops": 1},
    ),
    "an inner join": ({"how": "inner"}, {"sales": 0, "shops": 1}),
    "a wrong grain": ({"by": ("region", "shop_id")}, {"sales": 0, "shops": 2}),
}


def compared(one: Built, other: Built) -> Differences:
    tables = (each.tables["takings"] for each in (one, other))
    return differences(*tables, grain=())


@pytest.mark.parametrize("is_near", [False, True])
@pytest.mark.parametrize("bug", BUGS)
def test_a_planted_bug_shows_on_a_few_simple_rows(
    bug: str, is_near: bool, builder: WorldBuilder
) -> None:
    changed, expected = BUGS[bug]
    wrong = WorldBuilder(project_of(*SOURCES, takings(**changed)), builder.engine)

    def differs(smaller: World) -> bool:
        return bool(compared(wrong.build(smaller), builder.build(smaller)))

    keys = [(f"r{n}",) for n in range(7)] if is_near else ()
    start = world()
    assert differs(start)
    found = Shrinker(builder, seconds=60)(start, differs, mart="takings", keys=keys)
    assert differs(found)
    assert found.as_of == start.as_of
    counts = {name: table.num_rows for name, table in found.tables.items()}
    assert counts == {"regions": 1, "sellers": expected["sales"], **expected}
    for row in found.tables["sales"].to_pylist():
        # The least that the contract allows, and values that say nothing.
        assert (row["amount"], row["slip"], row["seller_id"]) == (2, "s1", 1)
    assert [row["region"] for row in found.tables["regions"].to_pylist()] == ["r1"]
    again = Shrinker(builder, seconds=60)(start, differs, mart="takings", keys=keys)
    assert again == found


def test_the_checks_of_sources_hold(builder: WorldBuilder) -> None:
    """Rows are needed because of a check, and a value because of another one."""

    def differs(smaller: World) -> bool:
        rows = smaller.tables["sales"].to_pylist()
        has_void = any(row["status"] == "void" for row in rows)
        return has_void and len(smaller.tables["sellers"]) >= 2 and None not in rows

    found = Shrinker(builder, seconds=60)(world(), differs)
    sold = found.tables["sales"].to_pylist()
    assert {row["seller_id"] for row in sold} == {1, 2}
    assert all(row["note"] == "a" for row in sold)
    assert [row["status"] for row in sold].count("void") == 1
    assert len({row["slip"] for row in sold}) == len(sold) == 2
    assert len(found.tables["shops"]) == len(found.tables["regions"]) == 1


versions = source(
    "versions",
    doc="Versions of shops, one of which is current.",
    grain="version",
    columns=[int64("version"), int64("shop"), string("kind"), int64("current")],
    checks=[
        table_check(
            "one_is_current",
            offending=lambda this: (
                this.group_by("shop")
                .aggregate(currents=this.current.sum())
                .filter(lambda t: t.currents != 1)
            ),
        )
    ],
)


def test_rows_that_a_check_ties_together_are_left_out_together(builder: WorldBuilder) -> None:
    graph = project_of(versions)
    rows = [
        {"version": n, "shop": n * 7 % 500, "kind": f"k{n % 10}", "current": int(n < 500)}
        for n in range(2000)
    ]
    schema = schema_of(versions.columns).to_pyarrow()
    tried = []

    def differs(smaller: World) -> bool:
        tried.append(smaller.rows)
        its = smaller.tables["versions"].to_pylist()
        return any(row["kind"] == "k7" and not row["current"] for row in its)

    start = World({"versions": pa.Table.from_pylist(rows, schema)}, AS_OF, "made up")
    found = Shrinker(WorldBuilder(graph, builder.engine), seconds=60)(start, differs)
    former, current = sorted(found.tables["versions"].to_pylist(), key=lambda row: row["current"])
    assert (former["current"], former["kind"], former["shop"]) == (0, "k7", 1)
    assert (current["current"], current["kind"], current["shop"]) == (1, "a", 1)
    # A few of all rows are enough, so no try is large.
    assert max(tried) < 100
    assert len(tried) < 60


def test_without_time_the_world_stays_as_it_is() -> None:
    start = world()
    assert smallest(start, lambda _: pytest.fail("it was tried"), GRAPH, seconds=0) is start


def test_what_a_condition_raises_is_raised(builder: WorldBuilder) -> None:
    def differs(_: World) -> bool:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        Shrinker(builder)(world(), differs)
