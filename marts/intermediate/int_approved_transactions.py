"""The transactions that count, by customer."""

from marts import AsOf, Table, boolean, date, decimal, int64, mart

TRAVEL = ("Travel", "Airlines", "Hotels")
NECESSITIES = ("Grocery", "Gas", "Utilities")


@mart(
    # The source's key is long, and no reader asks which transaction a row is.
    grain=(),
    tags=["intermediate"],
    materialized="temporary",
    # Its rows are the source's, and checks of everything made from them find what is wrong.
    unchecked=True,
    columns=[
        int64("customer_number"),
        date("transaction_date", doc="day of the transaction"),
        decimal("transaction_amount", 10, 2),
        boolean(
            "is_travel",
            doc="whether its category is Travel, Airlines or Hotels; null without a known one",
            null=True,
        ),
        boolean(
            "is_necessity",
            doc="whether its category is Grocery, Gas or Utilities; null without a known one",
            null=True,
        ),
    ],
)
def int_approved_transactions(
    fct_transactions: Table,
    int_customer_numbers: Table,
    dim_merchant_category: Table,
    as_of: AsOf,
) -> Table:
    """Approved transactions up to as_of, narrow.

    A transaction carries the key of whichever version of its customer was valid when it was
    loaded, so it finds its customer through all versions, not through the current one. Whether the
    customer exists at as_of is a matter of int_customers. The facts are read here alone.
    """
    transactions = fct_transactions.filter(
        fct_transactions.status == "approved",
        # A bound on the column as it is, which engines compare with their block statistics.
        fct_transactions.transaction_date < as_of.plus(days=1),
    )
    name = dim_merchant_category.category_name
    categories = dim_merchant_category.select(
        "category_key", is_travel=name.isin(TRAVEL), is_necessity=name.isin(NECESSITIES)
    )
    return transactions.inner_join(int_customer_numbers, "customer_key").left_join(
        categories, transactions.merchant_category_key == categories.category_key
    )
