"""What the shop's till knows."""

from marts import boolean, date, decimal, float64, relationship, source, string, timestamp

customers = source(
    "customers",
    doc="Everybody who ever left a name.",
    grain="customer_id",
    columns=[
        string("customer_id", doc="the number on the customer's card"),
        string("name"),
        string("city", doc="where a bicycle is delivered; null where it is fetched", null=True),
        date("joined_on"),
        boolean("active"),
    ],
)

orders = source(
    "orders",
    doc="Orders, paid and cancelled.",
    grain="order_id",
    columns=[
        string("order_id"),
        string("customer_id"),
        timestamp("ordered_at"),
        string("model", doc="the bicycle's model; null for parts", null=True),
        decimal("amount", 10, 2, doc="price with tax", at_least=0),
        string("status", values=["paid", "cancelled"]),
    ],
    checks=[relationship("customer_id", to="customers.customer_id", severity="warn")],
)

reviews = source(
    "reviews",
    doc="Stars that customers gave the shop; the first are expected soon.",
    grain="customer_id",
    columns=[string("customer_id"), float64("stars", at_least=0, at_most=5)],
    optional=True,
)
