"""An example of the bicycle shop, and examples of a chain of tables that refer to each other."""

from __future__ import annotations

from pathlib import Path

from marts import (
    Table,
    boolean,
    date,
    decimal,
    float64,
    int64,
    mart,
    relationship,
    source,
    string,
    timestamp,
    unique,
)
from marts.core.project.graph import Graph
from marts.core.proof.building import WorldBuilder
from marts.core.proof.examples import (
    Example,
    ExampleResult,
    read_example,
    run_examples,
)
from support.workshop import SHOP, project_of

PARAGRAPH = "1,200 is gold; what was cancelled does not count."
GOOD = f"""\
# A cancelled order is not paid

as_of: 2025-06-30

{PARAGRAPH}

## customers

| customer_id | name |
| ----------- | ---- |
| c1          | Ada  |

## orders

| customer_id | amount  | status    |
| ----------- | ------: | --------- |
| c1          | 1200.00 | paid      |
| c1          |    5    | cancelled |

## → customer_totals

| customer_id | orders_paid | spend   | tier | stars |
| ----------- | ----------: | ------- | ---- | ----- |
| c1          |           1 | 1200.00 | gold | null  |
"""


def read(text: str, folder: Path, graph: Graph = SHOP) -> Example:
    file = folder / "some.md"
    file.write_text(text, "utf-8")
    return read_example(file, graph.project)


def result_of(builder: WorldBuilder, example: Example) -> ExampleResult:
    (result,) = run_examples(builder, [example])
    return result


region = source(
    "region", doc="Regions.", grain="region_id", columns=[int64("region_id"), string("name")]
)
shop = source(
    "shop",
    doc="Shops.",
    grain="shop_id",
    columns=[int64("shop_id", at_least=100), int64("region_id"), boolean("open")],
    checks=[relationship("region_id", to="region.region_id")],
)
sale = source(
    "sale",
    doc="Sales.",
    grain=("shop_id", "number"),
    columns=[
        int64("shop_id"),
        int64("number"),
        string("code", unique=True),
        string("kind", values=["retail", "online"]),
        decimal("price", 10, 2, at_least=1),
        float64("weight", at_most=-1),
        date("day"),
        timestamp("at"),
        string("note", null=True),
    ],
    checks=[relationship("shop_id", to="shop.shop_id"), unique("day", "at")],
)
rating = source(
    "rating",
    doc="Ratings, one of each shop.",
    grain="shop_id",
    columns=[int64("shop_id"), int64("stars", at_least=1, at_most=5)],
    checks=[relationship("shop_id", to="shop.shop_id", severity="warn")],
    optional=True,
)


@mart(grain=("shop_id", "number"), columns=[int64("shop_id"), int64("number")])
def sold(sale: Table, shop: Table, region: Table, rating: Table) -> Table:
    """Sales."""
    placed = sale.join(shop, "shop_id").join(region, "region_id")
    return placed.left_join(rating.select("shop_id", "stars"), "shop_id")


CHAIN = project_of(region, shop, sale, rating, sold)
END = "\n## → sold\n| number |\n| --- |\n"


def completed(tables: str, folder: Path) -> Example:
    return read(f"# T\n\nas_of: 2025-06-30\n{tables}{END}", folder, CHAIN)
