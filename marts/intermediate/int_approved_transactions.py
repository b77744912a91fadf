"""The transactions that count, with their customers."""

from marts import AsOf, Table, boolean, date, decimal, int64, mart

TRAVEL = ("Travel", "Airlines", "Hotels")
NECESSITIES = ("Grocery", "Gas", "Utilities")


@mart(
    # No key: the source's is a long text, and no mart needs to tell transactions apart.
    grain=(),
    tags=["intermediate"],
    materialized="temporary",
    # Its rows are those of the source, which is checked, and so is every mart that reads it.
    unchecked=True,
    columns=[
        int64("customer_number"),
        date("transaction_date", doc="day of the transaction"),
        decimal("transaction_amount", 10, 2),
        boolean(
            "is_travel",
            doc="whether the category is Travel, Airlines or Hotels; null if it is not known",
            null=True,
        ),
        boolean(
            "is_necessity",
            doc="whether the category is Grocery, Gas or Utilities; null if it is not known",
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
    """Approved transactions up to as_of, in the few columns that marts need.

    One row per transaction. A transaction has the key of the version of its customer that was valid
    when it was loaded, so it is joined to all versions, not to the current one alone. Transactions
    of customers that do not exist at as_of are here, too; int_customers leaves them out. Amounts
    are in the portfolio's currency.
    """
    transactions = fct_transactions.filter(
        fct_transactions.status == "approved",
        # A bound on the column itself, so that engines can skip blocks by their statistics.
        fct_transactions.transaction_date < as_of.plus(days=1),
    )
    name = dim_merchant_category.category_name
    categories = dim_merchant_category.select(
        "category_key", is_travel=name.isin(TRAVEL), is_necessity=name.isin(NECESSITIES)
    )
    return transactions.inner_join(int_customer_numbers, "customer_key").left_join(
        categories, transactions.merchant_category_key == categories.category_key
    )
