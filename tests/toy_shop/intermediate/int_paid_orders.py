"""The orders that count."""

from marts import AsOf, Table, decimal, mart, string, timestamp


@mart(
    grain="order_id",
    tags=["intermediate"],
    materialized="view",
    columns=[
        string("order_id"),
        string("customer_id"),
        timestamp("ordered_at"),
        string("model", doc="the bicycle's model; `parts` where there is none", default="parts"),
        decimal("amount", 18, 2, at_least=0),
    ],
)
def int_paid_orders(orders: Table, as_of: AsOf) -> Table:
    """Paid orders until as_of."""
    return orders.filter(
        orders.status == "paid", orders.ordered_at < as_of.plus(days=1).cast("timestamp")
    )
