"""Behavioural segments of customers."""

import ibis

from marts import AsOf, Table, mart, percent, ratio, row_check
from marts.shared import (
    AVG_MONTHLY_SPEND,
    AVG_TRANSACTION_VALUE,
    CUSTOMER_ID,
    CUSTOMER_KEY,
    CUSTOMER_SEGMENT,
    EXACTLY_THE_CUSTOMERS,
    FIRST_TRANSACTION_DATE,
    LAST_TRANSACTION_DATE,
    LIFETIME_VALUE,
    NECESSITIES_SPEND_PCT,
    NO_DATE_AFTER_AS_OF,
    SEGMENT_ASSIGNED_DATE,
    SPEND_CHANGE_PCT,
    SPEND_LAST_90_DAYS,
    SPEND_PRIOR_90_DAYS,
    TENURE_MONTHS,
    TOTAL_TRANSACTIONS,
    TRAVEL_SPEND_PCT,
)


@mart(
    grain="customer_id",
    tags=["segmentation"],
    columns=[
        CUSTOMER_ID,
        CUSTOMER_KEY,
        CUSTOMER_SEGMENT,
        SEGMENT_ASSIGNED_DATE,
        TOTAL_TRANSACTIONS,
        LIFETIME_VALUE,
        AVG_TRANSACTION_VALUE,
        FIRST_TRANSACTION_DATE,
        LAST_TRANSACTION_DATE,
        TENURE_MONTHS,
        SPEND_LAST_90_DAYS,
        SPEND_PRIOR_90_DAYS,
        SPEND_CHANGE_PCT,
        AVG_MONTHLY_SPEND,
        TRAVEL_SPEND_PCT,
        NECESSITIES_SPEND_PCT,
    ],
    checks=[
        EXACTLY_THE_CUSTOMERS,
        NO_DATE_AFTER_AS_OF,
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

    One row per customer that exists at as_of. The last 90 days are those from as_of - 90 days
    through as_of, the prior 90 days those before, from as_of - 180 days. Money in the portfolio's
    currency.

    Columns:
        customer_segment: the first rule that holds: avg_monthly_spend >= 5000 and travel share
            >= 25 High-Value Travelers; change <= -30 and prior spend >= 2000 Declining; tenure
            <= 6 and change >= 50 New & Growing; avg_monthly_spend < 1500 and necessities share
            >= 60 Budget-Conscious; else Stable Mid-Spenders
        segment_assigned_date: as_of
        total_transactions: number of transactions
        lifetime_value: sum of amounts; 0 without transactions
        avg_transaction_value: mean amount; 0 without transactions
        first_transaction_date: null without transactions
        last_transaction_date: null without transactions
        tenure_months: month boundaries crossed from the first transaction to as_of; null without
            transactions
        spend_last_90_days: sum of amounts in the last 90 days
        spend_prior_90_days: sum of amounts in the prior 90 days
        spend_change_pct: (last - prior) / prior x 100; 0 where the prior is 0
        avg_monthly_spend: spend_last_90_days / 3
        travel_spend_pct: share of lifetime spend in Travel, Airlines and Hotels; 0 without spend
        necessities_spend_pct: share of lifetime spend in Grocery, Gas and Utilities; 0 without
            spend
    """
    t = int_customer_transaction_summary
    change = t.spend_last_90_days - t.spend_prior_90_days
    measured = t.mutate(
        segment_assigned_date=as_of.date,
        avg_transaction_value=ratio(t.lifetime_value, t.total_transactions).fill_null(0),
        tenure_months=as_of.date.delta(t.first_transaction_date, unit="month"),
        spend_change_pct=percent(change, t.spend_prior_90_days).fill_null(0),
        avg_monthly_spend=t.spend_last_90_days.cast("float64") / 3.0,
        travel_spend_pct=percent(t.travel_spend, t.lifetime_value).fill_null(0),
        necessities_spend_pct=percent(t.necessities_spend, t.lifetime_value).fill_null(0),
    )
    return measured.mutate(customer_segment=_segment(measured))


def _segment(t: Table) -> ibis.expr.types.StringColumn:
    traveller = (t.avg_monthly_spend >= 5000) & (t.travel_spend_pct >= 25)
    declining = (t.spend_change_pct <= -30) & (t.spend_prior_90_days >= 2000)
    growing = (t.tenure_months <= 6) & (t.spend_change_pct >= 50)
    budget = (t.avg_monthly_spend < 1500) & (t.necessities_spend_pct >= 60)
    return ibis.cases(
        (traveller, "High-Value Travelers"),
        (declining, "Declining"),
        (growing, "New & Growing"),
        (budget, "Budget-Conscious"),
        else_="Stable Mid-Spenders",
    )
