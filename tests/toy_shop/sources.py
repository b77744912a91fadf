"""What the shop's till knows."""

from marts import boolean, date, decimal, float64, relationship, source, string, timestamp

customers = source(
    "customers",
    doc="""Everybody who ever left a name.

    Columns:
        customer_id: the number on the customer's card
        city: where a bicycle is delivered; null where it is fetched
    """,
    grain="customer_id",
    columns=[
        string("customer_id"),
        string("name"),
        string("city", null=True),
        date("joined_on"),
        boolean("active"),
    ],
)

orders = source(
    "orders",
    doc="""Orders, paid and cancelled.

    Columns:
        model: the bicycle's model; null for parts
        amount: price with tax
    """,
    grain="order_id",
    columns=[
        string("order_id"),
        string("customer_id"),
        timestamp("ordered_at"),
        string("model", null=True),
        decimal("amount", 10, 2, at_least=0),
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
