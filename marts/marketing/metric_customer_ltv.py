"""Customer lifetime value."""

from marts import AsOf, Table, mart, ratio, row_check, table_check
from marts.shared import (
    AVG_SPEND_PER_DAY,
    CUSTOMER_AGE_DAYS,
    CUSTOMER_ID,
    CUSTOMER_KEY,
    CUSTOMER_KEY_IS_CURRENT,
    CUSTOMER_SEGMENT,
    EXACTLY_THE_CUSTOMERS,
    FIRST_TRANSACTION_DATE,
    LAST_TRANSACTION_DATE,
    LIFETIME_VALUE,
    METRIC_CALCULATED_DATE,
    NO_DATE_AFTER_AS_OF,
    TOTAL_TRANSACTIONS,
)


@mart(
    grain="customer_id",
    tags=["metrics", "ltv"],
    columns=[
        CUSTOMER_ID,
        CUSTOMER_KEY,
        CUSTOMER_SEGMENT,
        LIFETIME_VALUE,
        TOTAL_TRANSACTIONS,
        FIRST_TRANSACTION_DATE,
        LAST_TRANSACTION_DATE,
        CUSTOMER_AGE_DAYS,
        AVG_SPEND_PER_DAY,
        METRIC_CALCULATED_DATE,
    ],
    checks=[
        EXACTLY_THE_CUSTOMERS,
        NO_DATE_AFTER_AS_OF,
        CUSTOMER_KEY_IS_CURRENT,
        row_check(
            "dates_only_with_transactions",
            offending=lambda t: (
                (t.first_transaction_date.notnull() != (t.total_transactions > 0))
                | (t.last_transaction_date.notnull() != (t.total_transactions > 0))
            ),
        ),
        table_check(
            "lifetime_value_equals_monthly_spend",
            offending=lambda this, metric_mom_spend_change: (
                this.lifetime_value.sum().fill_null(0).as_scalar()
                != metric_mom_spend_change.monthly_spend.sum().fill_null(0).as_scalar()
            ),
        ),
    ],
)
def metric_customer_ltv(
    int_customer_transaction_summary: Table, customer_segments: Table, as_of: AsOf
) -> Table:
    """Customer lifetime value: all approved spend of a customer so far.

    One row per customer that exists at as_of, zeros and nulls without transactions. Money in the
    portfolio's currency.

    Columns:
        lifetime_value: sum of amounts; 0 without transactions
        total_transactions: number of transactions
        first_transaction_date: null without transactions
        last_transaction_date: null without transactions
        customer_age_days: days from first to last transaction; 0 without transactions
        avg_spend_per_day: lifetime_value / customer_age_days; 0 where the age is 0
        metric_calculated_date: as_of
    """
    summary = int_customer_transaction_summary
    t = summary.inner_join(
        customer_segments.select("customer_id", "customer_segment"), "customer_id"
    )
    age = t.last_transaction_date.delta(t.first_transaction_date, unit="day")
    aged = t.mutate(customer_age_days=age.fill_null(0), metric_calculated_date=as_of.date)
    return aged.mutate(
        avg_spend_per_day=ratio(aged.lifetime_value, aged.customer_age_days).fill_null(0)
    )
