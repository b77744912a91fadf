"""How many lines orders have."""

from ibis import _

from marts import Table, float64, int64, labels, mart, percent

size = labels("size", (_.lines == 1, "single"), (_.lines <= 4, "small"), else_="large")


@mart(
    grain="size",
    tags=["operations"],
    columns=[
        size,
        int64("orders", at_least=1),
        float64("share", doc="percent of all orders", at_least=0, at_most=100),
    ],
    exempt={"every_line_twice": "an order with twice the lines is of another size"},
)
def order_sizes(int_order_lines: Table) -> Table:
    """Orders by the number of their lines."""
    orders = int_order_lines.group_by("order_id").aggregate(lines=int_order_lines.count())
    sizes = orders.mutate(size=size.of(orders))
    counted = sizes.group_by("size").aggregate(orders=sizes.count())
    return counted.mutate(share=percent(counted.orders, counted.orders.sum()))
