"""What was sold, by month."""

from marts import Table, date, int64, mart, money, string, table_check


@mart(
    grain=("month", "model"),
    tags=["sales"],
    columns=[date("month"), string("model"), int64("sold", at_least=1), money("revenue")],
    checks=[
        table_check(
            "no_more_than_was_paid",
            offending=lambda this, int_paid_orders: (
                this.aggregate(revenue=this.revenue.sum())
                .cross_join(int_paid_orders.aggregate(paid=int_paid_orders.amount.sum()))
                .filter(lambda t: t.revenue > t.paid)
            ),
        ),
        table_check("some_revenue", offending=lambda this: this.revenue.sum() <= 0),
    ],
)
def model_sales(int_paid_orders: Table) -> Table:
    """Bicycles sold and their revenue, by calendar month and model."""
    t = int_paid_orders
    return t.group_by("model", month=t.ordered_at.truncate("month")).aggregate(
        sold=t.count(), revenue=t.amount.sum()
    )
