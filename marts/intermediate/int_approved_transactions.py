"""The transactions that count, by customer."""

from marts import AsOf, Table, decimal, int64, mart, string, timestamp


@mart(
    grain="transaction_key",
    tags=["intermediate"],
    materialized="view",
    # Its rows are the source's; checking them again would read the facts once more.
    unchecked=True,
    columns=[
        string("transaction_key"),
        string("customer_id"),
        timestamp("transaction_date"),
        decimal("transaction_amount", 10, 2),
        int64("merchant_category_key", null=True),
    ],
)
def int_approved_transactions(
    fct_transactions: Table, dim_customer: Table, int_customers: Table, as_of: AsOf
) -> Table:
    """Approved transactions up to as_of, of customers that exist.

    A transaction carries the key of whichever version of its customer was valid when it was
    loaded, so it finds its customer_id through all versions, not through the current one.
    """
    transactions = fct_transactions.filter(
        fct_transactions.status == "approved",
        # A bound on the column as it is, which engines compare with their block statistics.
        fct_transactions.transaction_date < as_of.plus(days=1),
    )
    versions = dim_customer.semi_join(int_customers, "customer_id")
    return transactions.inner_join(versions.select("customer_key", "customer_id"), "customer_key")
