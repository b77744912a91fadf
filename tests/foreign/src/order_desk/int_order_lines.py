"""Lines of orders, with what they earn."""

from marts import AsOf, Table, date, decimal, int64, mart, money


@mart(
    grain=("order_id", "line_number"),
    materialized="temporary",
    columns=[
        int64("order_id"),
        int64("line_number"),
        int64("customer_id"),
        int64("part_id"),
        int64("supplier_id"),
        date("ordered_on"),
        decimal("quantity", 18, 2),
        decimal("revenue", 18, 4, doc="price after discount, before tax", at_least=0),
        money("list_price"),
    ],
)
def int_order_lines(orders: Table, lineitem: Table, as_of: AsOf) -> Table:
    """The lines of all orders until as_of."""
    placed = orders.filter(orders.o_orderdate <= as_of.date)
    lines = lineitem.inner_join(placed, lineitem.l_orderkey == placed.o_orderkey)
    return lines.select(
        order_id="l_orderkey",
        line_number="l_linenumber",
        customer_id="o_custkey",
        part_id="l_partkey",
        supplier_id="l_suppkey",
        ordered_on="o_orderdate",
        quantity="l_quantity",
        revenue=lines.l_extendedprice * (1 - lines.l_discount),
        list_price="l_extendedprice",
    )
