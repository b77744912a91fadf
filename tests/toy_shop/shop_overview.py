"""The shop on one line."""

from marts import AsOf, Table, date, int64, mart, money, relationship, string


@mart(
    grain="calculated_on",
    tags=["report"],
    columns=[
        date("calculated_on"),
        string("best_customer", null=True),
        int64("models"),
        money("revenue"),
    ],
    checks=[relationship("best_customer", to="customer_totals.customer_id")],
)
def shop_overview(customer_totals: Table, model_sales: Table, as_of: AsOf) -> Table:
    """The shop's best customer, models and revenue until as_of."""
    best = customer_totals.order_by(customer_totals.spend.desc(), "customer_id").limit(1)
    sold = model_sales.aggregate(
        models=model_sales.model.nunique(), revenue=model_sales.revenue.sum()
    )
    return best.cross_join(sold).mutate(calculated_on=as_of.date, best_customer=best.customer_id)
