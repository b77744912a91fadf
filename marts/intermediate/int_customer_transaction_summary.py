"""Everything about a customer's transactions that one pass over them gives."""

import ibis

from marts import (
    AsOf,
    Table,
    date,
    decimal,
    float64,
    int64,
    mart,
    money,
    string,
)

SQUARE_CENT = ibis.literal("0.0001", "decimal(5, 4)")


@mart(
    grain="customer_id",
    tags=["intermediate"],
    materialized="temporary",
    columns=[
        string("customer_id"),
        string("customer_key"),
        int64("total_transactions"),
        money("lifetime_value"),
        decimal("sum_of_squared_amounts", 28, 4, null=True),
        money("min_transaction_value"),
        money("max_transaction_value"),
        float64("median_transaction_value"),
        date("first_transaction_date", null=True),
        date("last_transaction_date", null=True),
        money("spend_last_90_days"),
        money("spend_prior_90_days"),
        money("travel_spend", null=True),
        money("necessities_spend", null=True),
    ],
)
def int_customer_transaction_summary(
    int_customers: Table, int_approved_transactions: Table, as_of: AsOf
) -> Table:
    """Counts, sums and extremes of each customer's transactions.

    Money in the portfolio's currency; zeros without transactions, but null where the parts of the
    spend are and the squares. These serve the standard deviation: exact sums do not depend on the
    order of rows, so that neither does a label at a threshold.
    """
    t = int_approved_transactions
    transactions = t.mutate(
        dollars=t.transaction_amount.cast("int64"),
        cents=(t.transaction_amount * 100).cast("int64"),
    )
    amount, day = transactions.transaction_amount, transactions.transaction_date
    dollars, cents = transactions.dollars, transactions.cents
    last = day >= as_of.minus(days=90)
    prior = (day >= as_of.minus(days=180)) & (day < as_of.minus(days=90))
    summary = transactions.group_by("customer_number").aggregate(
        total_transactions=transactions.count(),
        lifetime_value=amount.sum(),
        # Products of 64 bits, which engines multiply fast and a square would not fit. It is
        # c² = 100 c d + c (c - 100 d), however the dollars d are rounded.
        sum_of_squared_amounts=(
            (cents * dollars).sum() * 100 + (cents * (cents - dollars * 100)).sum()
        )
        * SQUARE_CENT,
        min_transaction_value=amount.min(),
        max_transaction_value=amount.max(),
        median_transaction_value=amount.cast("float64").median(),
        first_transaction_date=day.min(),
        last_transaction_date=day.max(),
        spend_last_90_days=amount.sum(where=last),
        spend_prior_90_days=amount.sum(where=prior),
        travel_spend=amount.sum(where=transactions.is_travel),
        necessities_spend=amount.sum(where=transactions.is_necessity),
    )
    customers = int_customers.select("customer_id", "customer_key", "customer_number")
    return customers.left_join(summary, "customer_number").fill_null(
        {
            "total_transactions": 0,
            "lifetime_value": 0,
            "min_transaction_value": 0,
            "max_transaction_value": 0,
            "median_transaction_value": 0,
            "spend_last_90_days": 0,
            "spend_prior_90_days": 0,
        }
    )
