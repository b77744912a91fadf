"""Average transaction value, and how much amounts vary."""

from marts import AsOf, Table, int64, mart, row_check
from marts import shared as c


@mart(
    grain="customer_id",
    tags=["metrics", "atv"],
    owner="marketing",
    columns=[
        c.customer_id,
        c.customer_key,
        c.customer_segment,
        c.avg_transaction_value,
        c.transaction_value_stddev,
        c.min_transaction_value,
        c.max_transaction_value,
        int64(
            "transaction_count",
            doc="number of transactions",
            at_least=0,
            varies_with=(c.NUMBER_OF_TRANSACTIONS, c.ALL_HISTORY),
        ),
        c.median_transaction_value,
        c.spending_consistency,
        c.metric_calculated_date,
    ],
    checks=[
        c.exactly_the_customers,
        c.no_date_after_as_of,
        c.customer_key_is_current,
        row_check(
            "median_within_extremes",
            offending=lambda t: (
                (t.median_transaction_value < t.min_transaction_value)
                | (t.median_transaction_value > t.max_transaction_value)
            ),
        ),
    ],
)
def metric_avg_transaction_value(
    int_customer_transaction_summary: Table, customer_segments: Table, as_of: AsOf
) -> Table:
    """Average transaction value: level and spread of a customer's approved amounts.

    One row per customer that exists at as_of, zeros without transactions. Money in the
    portfolio's currency.
    """
    segments = customer_segments.select("customer_id", "customer_segment")
    t = int_customer_transaction_summary.inner_join(segments, "customer_id")
    t = t.mutate(transaction_count=t.total_transactions, metric_calculated_date=as_of.date)
    return t.mutate(spending_consistency=c.spending_consistency.of(t))
