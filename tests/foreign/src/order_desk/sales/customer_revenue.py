"""What each customer is worth."""

from ibis import _

from marts import (
    AsOf,
    Table,
    date,
    int64,
    labels,
    mart,
    money,
    relationship,
    row_check,
    string,
    table_check,
)

tier = labels(
    "tier",
    (_.orders == 0, "prospect"),
    (_.revenue >= 2_000_000, "key account"),
    (_.revenue >= 500_000, "regular"),
    else_="small",
    doc="how the customer is served",
    varies_with="bands",
)
standing = labels(
    "standing", (_.balance < 0, "owes us"), (_.balance == 0, "even"), else_="in credit"
)


@mart(
    grain="customer_id",
    tags=["finance", "customers"],
    columns=[
        int64("customer_id"),
        string("customer_name"),
        string("segment"),
        string("nation"),
        money("balance", varies_with=()),
        standing,
        int64("orders", default=0, at_least=0),
        money("revenue", default=0, at_least=0, varies_with="rounded sums"),
        date("first_order_on", null=True),
        date("last_order_on", null=True),
        int64("days_since_last_order", doc="null without an order", null=True, at_least=0),
        tier,
    ],
    checks=[
        relationship("customer_id", to="customer.c_custkey"),
        row_check(
            "first_is_not_after_last", offending=lambda t: t.first_order_on > t.last_order_on
        ),
        table_check(
            "every_customer",
            offending=lambda this, customer: this.count() != customer.count(),
        ),
    ],
)
def customer_revenue(int_order_lines: Table, customer: Table, nation: Table, as_of: AsOf) -> Table:
    """One row per customer, also for those that have never ordered."""
    bought = int_order_lines.group_by("customer_id").aggregate(
        orders=int_order_lines.order_id.nunique(),
        revenue=int_order_lines.revenue.sum().round(2),
        first_order_on=int_order_lines.ordered_on.min(),
        last_order_on=int_order_lines.ordered_on.max(),
    )
    placed = customer.inner_join(nation, customer.c_nationkey == nation.n_nationkey)
    t = placed.left_join(bought, placed.c_custkey == bought.customer_id)
    t = t.select(
        customer_id="c_custkey",
        customer_name="c_name",
        segment="c_mktsegment",
        nation="n_name",
        balance="c_acctbal",
        orders=t.orders.fill_null(0),
        revenue=t.revenue.fill_null(0),
        first_order_on="first_order_on",
        last_order_on="last_order_on",
    )
    return t.mutate(
        standing=standing.of(t),
        tier=tier.of(t),
        days_since_last_order=as_of.date.delta(t.last_order_on, unit="day"),
    )
