"""Lines that were shipped, by their state (TPC-H Q1)."""

from marts import AsOf, Table, decimal, float64, int64, mart, money, string


@mart(
    grain=("return_flag", "line_status"),
    tags=["finance"],
    columns=[
        string("return_flag", values=["A", "N", "R"]),
        string("line_status", values=["F", "O"]),
        money("quantity", at_least=0),
        money("base_price", at_least=0),
        decimal("discounted_price", 20, 4, at_least=0, varies_with="sum"),
        decimal("charge", 22, 6, doc="discounted price with tax", at_least=0, varies_with="sum"),
        float64("average_quantity", at_least=0),
        float64("average_price", at_least=0),
        float64("average_discount", doc="a share, 0 to 1", at_least=0, at_most=1),
        int64("lines", at_least=1, varies_with="lines"),
    ],
)
def pricing_summary(lineitem: Table, as_of: AsOf) -> Table:
    """Quantities and prices of the lines shipped at least 90 days before as_of."""
    t = lineitem.filter(lineitem.l_shipdate <= as_of.minus(days=90))
    discounted = t.l_extendedprice * (1 - t.l_discount)
    return t.group_by(return_flag="l_returnflag", line_status="l_linestatus").aggregate(
        quantity=t.l_quantity.sum(),
        base_price=t.l_extendedprice.sum(),
        discounted_price=discounted.sum(),
        charge=(discounted * (1 + t.l_tax)).sum(),
        average_quantity=t.l_quantity.cast("float64").mean(),
        average_price=t.l_extendedprice.cast("float64").mean(),
        average_discount=t.l_discount.cast("float64").mean(),
        lines=t.count(),
    )
