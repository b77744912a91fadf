"""What parts earn."""

import ibis

from marts import Table, decimal, float64, int64, mart, money, percent, row_check, string


@mart(
    grain="part_id",
    tags=["finance"],
    columns=[
        int64("part_id"),
        string("part_name"),
        string("brand"),
        money("quantity", default=0, at_least=0),
        decimal("revenue", 20, 4, default=0, at_least=0, varies_with="sum"),
        decimal("cost", 20, 4, default=0, at_least=0, varies_with="sum"),
        decimal(
            "margin",
            20,
            4,
            doc="revenue less cost; below 0 at a loss",
            default=0,
            varies_with="sum",
        ),
        float64("margin_percent", doc="of revenue; null without revenue", null=True, at_most=100),
        int64("rank_in_brand", doc="1 earns most; parts of equal margin by number", at_least=1),
    ],
    checks=[
        row_check(
            "sells_above_cost", offending=lambda t: t.margin < 0, severity="warn", threshold="5%"
        )
    ],
)
def part_margins(int_order_lines: Table, partsupp: Table, part: Table) -> Table:
    """Revenue, supply cost and margin of each part, over all orders until as_of."""
    lines = int_order_lines.inner_join(
        partsupp,
        [
            int_order_lines.part_id == partsupp.ps_partkey,
            int_order_lines.supplier_id == partsupp.ps_suppkey,
        ],
    )
    sold = lines.group_by("part_id").aggregate(
        quantity=lines.quantity.sum(),
        revenue=lines.revenue.sum(),
        cost=(lines.ps_supplycost * lines.quantity).sum(),
    )
    t = part.left_join(sold, part.p_partkey == sold.part_id)
    t = t.mutate(revenue=t.revenue.fill_null(0), cost=t.cost.fill_null(0))
    t = t.mutate(margin=t.revenue - t.cost)
    rank = ibis.row_number().over(group_by=t.p_brand, order_by=[t.margin.desc(), t.p_partkey]) + 1
    return t.select(
        part_id="p_partkey",
        part_name="p_name",
        brand="p_brand",
        quantity="quantity",
        revenue="revenue",
        cost="cost",
        margin="margin",
        margin_percent=percent(t.margin, t.revenue),
        rank_in_brand=rank,
    )
