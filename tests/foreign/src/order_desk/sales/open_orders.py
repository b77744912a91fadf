"""Orders that are not filled."""

from marts import AsOf, Table, date, int64, mart, money, string


@mart(
    grain="order_id",
    tags="operations",
    materialized="view",
    columns=[
        int64("order_id"),
        int64("customer_id"),
        string("customer_name"),
        date("ordered_on"),
        string("priority"),
        money("total_price"),
    ],
)
def open_orders(orders: Table, customer: Table, as_of: AsOf) -> Table:
    """Orders until as_of of which no line, or not every line, is filled."""
    waiting = orders.filter(orders.o_orderstatus.isin(["O", "P"]), orders.o_orderdate <= as_of.date)
    t = waiting.inner_join(customer, waiting.o_custkey == customer.c_custkey)
    return t.select(
        order_id="o_orderkey",
        customer_id="c_custkey",
        customer_name="c_name",
        ordered_on="o_orderdate",
        priority="o_orderpriority",
        total_price="o_totalprice",
    )
