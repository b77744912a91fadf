"""All figures of a customer's transactions that one scan of them gives."""

from marts import AsOf, Table, mart, money, ratio, sample_stddev
from marts import shared as c

WINDOW_DAYS = 90


@mart(
    grain="customer_id",
    tags=["intermediate"],
    materialized="temporary",
    columns=[
        c.customer_id,
        c.customer_key,
        c.total_transactions,
        c.lifetime_value,
        c.avg_transaction_value,
        c.transaction_value_stddev,
        c.min_transaction_value,
        c.max_transaction_value,
        c.median_transaction_value,
        c.first_transaction_date,
        c.last_transaction_date,
        c.spend_last_90_days,
        c.spend_prior_90_days,
        money(
            "travel_spend",
            doc="sum of amounts in Travel, Airlines and Hotels; null without any",
            null=True,
        ),
        money(
            "necessities_spend",
            doc="sum of amounts in Grocery, Gas and Utilities; null without any",
            null=True,
        ),
    ],
)
def int_customer_transaction_summary(
    int_customers: Table, int_approved_transactions: Table, as_of: AsOf
) -> Table:
    """Counts, sums, averages and extremes of each customer's approved transactions.

    One row per customer that exists at as_of. Money in the portfolio's currency.
    """
    t = int_approved_transactions
    amount, day = t.transaction_amount, t.transaction_date
    last, prior = as_of.minus(days=WINDOW_DAYS), as_of.minus(days=2 * WINDOW_DAYS)
    summary = t.group_by("customer_number").aggregate(
        total_transactions=t.count(),
        lifetime_value=amount.sum(),
        avg_transaction_value=ratio(amount.sum(), t.count()),
        transaction_value_stddev=sample_stddev(amount),
        min_transaction_value=amount.min(),
        max_transaction_value=amount.max(),
        median_transaction_value=amount.cast("float64").median(),
        first_transaction_date=day.min(),
        last_transaction_date=day.max(),
        spend_last_90_days=amount.sum(where=day >= last),
        spend_prior_90_days=amount.sum(where=(day >= prior) & (day < last)),
        travel_spend=amount.sum(where=t.is_travel),
        necessities_spend=amount.sum(where=t.is_necessity),
    )
    customers = int_customers.select("customer_id", "customer_key", "customer_number")
    return customers.left_join(summary, "customer_number")
