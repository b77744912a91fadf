"""What each customer bought."""

from ibis import _

from marts import (
    AsOf,
    Table,
    date,
    float64,
    int64,
    labels,
    mart,
    money,
    relationship,
    row_check,
    string,
    table_check,
)

tier = labels("tier", (_.spend >= 1000, "gold"), else_="plain")


def _missing(this: Table, customers: Table, as_of: AsOf) -> Table:
    """Return the active customers without a row."""
    due = customers.filter(customers.active, customers.joined_on <= as_of.date)
    return due.filter(due.customer_id.notin(this.customer_id))


@mart(
    grain="customer_id",
    tags=["sales", "by_customer"],
    columns=[
        string("customer_id"),
        string("name"),
        string("city", null=True),
        int64("orders_paid", default=0, at_least=0),
        money("spend", default=0, at_least=0),
        float64("average_order", null=True, at_least=0),
        float64("stars", null=True, at_least=0, at_most=5),
        date(
            "last_order_on", doc="day of the last paid order; null where there is none", null=True
        ),
        tier,
    ],
    checks=[
        row_check(
            "average_within_spend",
            offending=lambda t: t.average_order > t.spend.cast("float64"),
            where=lambda t: t.orders_paid > 1,
        ),
        row_check(
            "has_stars", offending=lambda t: t.stars.isnull(), severity="warn", threshold=100
        ),
        relationship("customer_id", to="customers.customer_id", to_where=lambda c: c.active),
        table_check("every_active_customer", offending=_missing),
    ],
)
def customer_totals(customers: Table, int_paid_orders: Table, reviews: Table, as_of: AsOf) -> Table:
    """One row per active customer, who may have bought nothing."""
    paid = int_paid_orders.group_by("customer_id").aggregate(
        orders_paid=int_paid_orders.count(),
        spend=int_paid_orders.amount.sum(),
        average_order=int_paid_orders.amount.cast("float64").mean(),
        last_order_on=int_paid_orders.ordered_at.max(),
    )
    known = customers.filter(customers.active, customers.joined_on <= as_of.date)
    rows = known.left_join(paid, "customer_id").left_join(
        reviews, "customer_id", rname="{name}_of_review"
    )
    return rows.mutate(tier=tier.of(rows))
