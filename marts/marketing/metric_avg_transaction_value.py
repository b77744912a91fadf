"""Average transaction value, and how much amounts vary."""

import ibis

from marts import AsOf, Table, int64, mart, ratio, row_check
from marts.shared import (
    AVG_TRANSACTION_VALUE,
    CUSTOMER_ID,
    CUSTOMER_KEY,
    CUSTOMER_KEY_IS_CURRENT,
    CUSTOMER_SEGMENT,
    EXACTLY_THE_CUSTOMERS,
    MAX_TRANSACTION_VALUE,
    MEDIAN_TRANSACTION_VALUE,
    METRIC_CALCULATED_DATE,
    MIN_TRANSACTION_VALUE,
    NO_DATE_AFTER_AS_OF,
    SPENDING_CONSISTENCY,
    TRANSACTION_VALUE_STDDEV,
)


@mart(
    grain="customer_id",
    tags=["metrics", "atv"],
    columns=[
        CUSTOMER_ID,
        CUSTOMER_KEY,
        CUSTOMER_SEGMENT,
        AVG_TRANSACTION_VALUE,
        TRANSACTION_VALUE_STDDEV,
        MIN_TRANSACTION_VALUE,
        MAX_TRANSACTION_VALUE,
        int64("transaction_count", at_least=0, varies_with=("count", "history")),
        MEDIAN_TRANSACTION_VALUE,
        SPENDING_CONSISTENCY,
        METRIC_CALCULATED_DATE,
    ],
    checks=[
        EXACTLY_THE_CUSTOMERS,
        NO_DATE_AFTER_AS_OF,
        CUSTOMER_KEY_IS_CURRENT,
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

    Columns:
        avg_transaction_value: mean amount; 0 without transactions
        transaction_value_stddev: sample standard deviation; 0 with fewer than two transactions
        min_transaction_value: smallest amount; 0 without transactions
        max_transaction_value: largest amount; 0 without transactions
        transaction_count: number of transactions
        median_transaction_value: continuous median, the mean of the two middle amounts; 0 without
            transactions
        spending_consistency: by the deviation: below 50 Consistent, below 200 Moderate, else
            Variable; No Transactions without any
        metric_calculated_date: as_of
    """
    summary = int_customer_transaction_summary
    t = summary.inner_join(
        customer_segments.select("customer_id", "customer_segment", "avg_transaction_value"),
        "customer_id",
    )
    measured = t.mutate(
        transaction_count=t.total_transactions,
        transaction_value_stddev=_sample_stddev(
            t.total_transactions, t.lifetime_value, t.sum_of_squared_amounts
        ),
        metric_calculated_date=as_of.date,
    )
    stddev = measured.transaction_value_stddev
    return measured.mutate(
        spending_consistency=ibis.cases(
            (measured.transaction_count == 0, "No Transactions"),
            (stddev < 50, "Consistent"),
            (stddev < 200, "Moderate"),
            else_="Variable",
        )
    )


def _sample_stddev(
    count: ibis.expr.types.IntegerColumn,
    total: ibis.expr.types.DecimalColumn,
    squares: ibis.expr.types.DecimalColumn,
) -> ibis.expr.types.FloatingColumn:
    """Return the deviation from exact sums: sqrt((n Σx² - (Σx)²) / (n (n - 1))); 0 if n < 2."""
    # Wide first: DuckDB multiplies decimals of up to 18 digits in 18 digits.
    spread = count.cast("decimal(10, 0)") * squares - total.cast("decimal(28, 2)") * total
    return ratio(spread, count * (count - 1)).sqrt().fill_null(0)
