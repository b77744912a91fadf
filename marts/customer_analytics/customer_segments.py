"""Behavioural segments of customers."""

from marts import AsOf, Table, mart, percent, row_check
from marts import shared as c


@mart(
    grain="customer_id",
    tags=["segmentation"],
    owner="customer analytics",
    columns=[
        c.customer_id,
        c.customer_key,
        c.customer_segment,
        c.segment_assigned_date,
        c.total_transactions,
        c.lifetime_value,
        c.avg_transaction_value,
        c.first_transaction_date,
        c.last_transaction_date,
        c.tenure_months,
        c.spend_last_90_days,
        c.spend_prior_90_days,
        c.spend_change_pct,
        c.avg_monthly_spend,
        c.travel_spend_pct,
        c.necessities_spend_pct,
    ],
    checks=[
        c.exactly_the_customers,
        c.no_date_after_as_of,
        row_check(
            "tenure_only_with_transactions",
            offending=lambda t: t.tenure_months.notnull() != (t.total_transactions > 0),
        ),
        row_check(
            "window_spend_within_lifetime",
            offending=lambda t: t.spend_last_90_days + t.spend_prior_90_days > t.lifetime_value,
        ),
    ],
)
def customer_segments(int_customer_transaction_summary: Table, as_of: AsOf) -> Table:
    """Five behavioural segments of customers, from rolling windows of 90 days.

    One row per customer that exists at as_of. Money in the portfolio's currency.
    """
    t = int_customer_transaction_summary
    t = t.mutate(
        segment_assigned_date=as_of.date,
        tenure_months=as_of.date.delta(t.first_transaction_date, unit="month"),
        spend_change_pct=percent(
            t.spend_last_90_days - t.spend_prior_90_days, t.spend_prior_90_days
        ),
        avg_monthly_spend=t.spend_last_90_days.cast("float64") / 3.0,
        travel_spend_pct=percent(t.travel_spend, t.lifetime_value),
        necessities_spend_pct=percent(t.necessities_spend, t.lifetime_value),
    )
    return t.mutate(customer_segment=c.customer_segment.of(t))
