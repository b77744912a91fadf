"""How late suppliers are."""

import ibis

from marts import AsOf, Table, float64, int64, mart, percent, string


@mart(
    grain="supplier_id",
    tags=["operations"],
    columns=[
        int64("supplier_id"),
        string("supplier_name"),
        string("nation"),
        int64("lines", default=0, at_least=0, varies_with="lines"),
        int64(
            "late_lines",
            doc="received after the day that was promised",
            default=0,
            at_least=0,
            varies_with="lines",
        ),
        float64("late_percent", doc="null without lines", null=True, at_least=0, at_most=100),
        float64(
            "average_delay", doc="days, of late lines; null without any", null=True, at_least=1
        ),
        int64("worst_delay", doc="days; null without late lines", null=True, at_least=1),
        int64("rank_in_nation", doc="1 has the highest late_percent", at_least=1),
    ],
)
def supplier_delays(lineitem: Table, supplier: Table, nation: Table, as_of: AsOf) -> Table:
    """One row per supplier, for the lines received until as_of."""
    t = lineitem.filter(lineitem.l_receiptdate <= as_of.date)
    delay = t.l_receiptdate.delta(t.l_commitdate, unit="day")
    late = delay > 0
    counted = t.group_by("l_suppkey").aggregate(
        lines=t.count(),
        late_lines=late.sum(),
        average_delay=delay.cast("float64").mean(where=late),
        worst_delay=delay.max(where=late),
    )
    placed = supplier.inner_join(nation, supplier.s_nationkey == nation.n_nationkey)
    rows = placed.left_join(counted, placed.s_suppkey == counted.l_suppkey).mutate(
        late_percent=lambda r: percent(r.late_lines, r.lines)
    )
    rank = (
        ibis.row_number().over(
            group_by=rows.n_name, order_by=[rows.late_percent.desc(), rows.s_suppkey]
        )
        + 1
    )
    return rows.select(
        supplier_id="s_suppkey",
        supplier_name="s_name",
        nation="n_name",
        lines="lines",
        late_lines="late_lines",
        late_percent="late_percent",
        average_delay="average_delay",
        worst_delay="worst_delay",
        rank_in_nation=rank,
    )
