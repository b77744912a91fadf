"""The segments side by side, for dashboards."""

import ibis

from marts import AsOf, Table, date, float64, int64, mart, mean, percent, ratio, table_check
from marts import shared as c

OF_OTHER_SEGMENTS = "customers change their segment"
OF_FEWER_CUSTOMERS = "a segment's figures are those of all its customers"


def _other_customers(this: Table, customer_360_profile: Table) -> Table:
    """Return a row if the segments do not add up to all customers and their lifetime value."""
    segments = this.aggregate(
        customers=this.customers.sum().fill_null(0),
        lifetime_value=this.total_lifetime_value.sum().fill_null(0),
    )
    profiles = customer_360_profile
    return segments.filter(
        (segments.customers != profiles.count().as_scalar())
        | (segments.lifetime_value != profiles.lifetime_value.sum().fill_null(0).as_scalar())
    )


def _another_month(this: Table, metric_mom_spend_change: Table) -> Table:
    """Return the segments whose latest month is not that of all customers."""
    latest = metric_mom_spend_change.month.max().as_scalar()
    return this.filter(~this.latest_month.identical_to(latest))


@mart(
    grain="customer_segment",
    tags=["summaries", "segments"],
    owner="customer analytics",
    columns=[
        c.customer_segment,
        int64("customers", doc="number of customers", at_least=1),
        float64("customers_pct", doc="customers / all customers x 100", at_least=0, at_most=100),
        c.total_lifetime_value,
        c.avg_lifetime_value,
        c.mean_of_avg_transaction_values,
        float64(
            "avg_spend_change_pct", doc="mean of the customers' spend_change_pct", at_least=-100
        ),
        c.active_customers,
        float64("active_pct", doc="active_customers / customers x 100", at_least=0, at_most=100),
        date(
            "latest_month",
            doc="the latest month in which any customer, of whatever segment, has a transaction;"
            " null without transactions",
            null=True,
        ),
        float64(
            "avg_mom_change_pct",
            doc="mean of mom_change_pct in latest_month over the customers that have one; null"
            " where none has",
            null=True,
            at_least=-100,
        ),
        c.summary_date,
    ],
    checks=[
        c.no_date_after_as_of,
        table_check("segments_add_up_to_all_customers", offending=_other_customers),
        table_check("latest_month_is_that_of_all", offending=_another_month),
    ],
    exempt={
        "four_times_the_amounts": OF_OTHER_SEGMENTS,
        "each_transaction_twice": OF_OTHER_SEGMENTS,
        "old_transactions_change_only_history": OF_OTHER_SEGMENTS,
        "customers_of_one_part_stay": OF_FEWER_CUSTOMERS,
        "customers_of_the_other_part_stay": OF_FEWER_CUSTOMERS,
        "new_customers_add_a_row_each": "its rows are segments",
    },
)
def segment_summary(customer_360_profile: Table, as_of: AsOf) -> Table:
    """Number, value and activity of the customers of each segment.

    One row per segment that has a customer at as_of. Money in the portfolio's currency.
    """
    t = customer_360_profile
    all_customers, latest_month = t.count().as_scalar(), t.latest_month.max().as_scalar()
    in_latest_month = ibis.ifelse(t.latest_month == latest_month, t.latest_mom_change_pct, None)
    t = t.mutate(change_in_latest_month=in_latest_month)
    segments = t.group_by("customer_segment").aggregate(
        customers=t.count(),
        total_lifetime_value=t.lifetime_value.sum(),
        avg_transaction_value=mean(t.avg_transaction_value),
        avg_spend_change_pct=mean(t.spend_change_pct),
        active_customers=t.count(where=t.recency_status == c.ACTIVE),
        avg_mom_change_pct=mean(t.change_in_latest_month),
    )
    return segments.mutate(
        customers_pct=percent(segments.customers, all_customers),
        avg_lifetime_value=ratio(segments.total_lifetime_value, segments.customers),
        active_pct=percent(segments.active_customers, segments.customers),
        latest_month=latest_month,
        summary_date=as_of.date,
    )
