"""Everything about a customer's transactions that one pass over them gives."""

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


@mart(
    grain="customer_id",
    tags=["intermediate"],
    columns=[
        string("customer_id"),
        string("customer_key"),
        int64("total_transactions"),
        money("lifetime_value"),
        decimal("sum_of_squared_amounts", 28, 4),
        money("min_transaction_value"),
        money("max_transaction_value"),
        float64("median_transaction_value"),
        date("first_transaction_date", null=True),
        date("last_transaction_date", null=True),
        money("spend_last_90_days"),
        money("spend_prior_90_days"),
        money("travel_spend"),
        money("necessities_spend"),
    ],
)
def int_customer_transaction_summary(
    int_customers: Table, int_approved_transactions: Table, as_of: AsOf
) -> Table:
    """Counts, sums and extremes of each customer's transactions; zeros without any.

    Money in the portfolio's currency. The squares serve the standard deviation: exact sums do
    not depend on the order of rows, so that neither does a label at a threshold.
    """
    transactions = int_approved_transactions
    amount, day = transactions.transaction_amount, transactions.transaction_date
    last = day >= as_of.minus(days=90)
    prior = (day >= as_of.minus(days=180)) & (day < as_of.minus(days=90))
    summary = transactions.group_by("customer_number").aggregate(
        total_transactions=transactions.count(),
        lifetime_value=amount.sum(),
        # Wide first: DuckDB multiplies decimals of up to 18 digits in 18 digits.
        sum_of_squared_amounts=(amount.cast("decimal(28, 2)") * amount).sum(),
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
    dates = ("first_transaction_date", "last_transaction_date")
    zeros = {name: 0 for name in summary.columns if name not in ("customer_number", *dates)}
    return customers.left_join(summary, "customer_number").fill_null(zeros)
