"""Revenue by the customers' nation and year."""

from marts import Table, decimal, float64, int64, mart, percent, string, table_check


@mart(
    grain=("nation", "year"),
    tags=["finance", "geography"],
    columns=[
        string("region"),
        string("nation"),
        int64("year", at_least=1992),
        decimal("revenue", 20, 4, at_least=0, varies_with="sum"),
        int64("orders", at_least=1),
        float64("share_of_region", doc="percent of the region's revenue of the year", at_most=100),
        float64(
            "growth", doc="percent over the nation's year before; null in the first", null=True
        ),
    ],
    checks=[
        table_check(
            "all_revenue_has_a_nation",
            offending=lambda this, int_order_lines: (
                this.revenue.sum().as_scalar() != int_order_lines.revenue.sum().as_scalar()
            ),
        )
    ],
)
def nation_revenue(int_order_lines: Table, customer: Table, nation: Table, region: Table) -> Table:
    """Revenue and orders of each nation's customers, by calendar year of the order."""
    places = nation.inner_join(region, nation.n_regionkey == region.r_regionkey)
    customers = customer.inner_join(places, customer.c_nationkey == places.n_nationkey)
    lines = int_order_lines.inner_join(
        customers, int_order_lines.customer_id == customers.c_custkey
    )
    t = lines.group_by(region="r_name", nation="n_name", year=lines.ordered_on.year()).aggregate(
        revenue=lines.revenue.sum(), orders=lines.order_id.nunique()
    )
    before = t.revenue.lag().over(group_by=[t.region, t.nation], order_by=t.year)
    of_region = t.revenue.sum().over(group_by=[t.region, t.year])
    return t.mutate(
        share_of_region=percent(t.revenue, of_region),
        growth=percent(t.revenue - before, before),
    )
