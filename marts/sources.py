"""The star schema: the contracts of the sources, on which the marts may rely."""

from marts import (
    Table,
    boolean,
    date,
    decimal,
    float64,
    int64,
    relationship,
    row_check,
    source,
    string,
    table_check,
    timestamp,
)


def _not_one_current(this: Table) -> Table:
    """Return the customers that have no current version, or several."""
    counts = this.group_by("customer_id").aggregate(current_versions=this.is_current.sum())
    return counts.filter(counts.current_versions != 1)


fct_transactions = source(
    "fct_transactions",
    doc="Card transactions, approved and declined.",
    grain="transaction_key",
    columns=[
        string("transaction_key"),
        string("transaction_id", unique=True),
        string(
            "customer_key",
            doc="the version of the customer that was valid when the transaction was loaded",
        ),
        int64(
            "merchant_category_key",
            doc="null or unknown if the merchant's category is",
            null=True,
        ),
        timestamp("transaction_date"),
        decimal("transaction_amount", 10, 2, doc="in the portfolio's currency", at_least=0),
        string("status", values=["approved", "declined"]),
    ],
    checks=[
        relationship("customer_key", to="dim_customer.customer_key", severity="warn"),
        # A few merchants have no category, or one that the table does not have yet. Many of them
        # mean that something is wrong with the categories.
        relationship(
            "merchant_category_key",
            to="dim_merchant_category.category_key",
            severity="warn",
            threshold="1%",
        ),
        row_check(
            "merchant_category_key_missing",
            offending=lambda t: t.merchant_category_key.isnull(),
            severity="warn",
            threshold="2%",
        ),
    ],
)

dim_customer = source(
    "dim_customer",
    doc="Versions of customers (type 2): a customer_id has one or several, one of them current.",
    grain="customer_key",
    columns=[
        string("customer_key", doc="a version of a customer"),
        string("customer_id", doc="the customer, whatever the version"),
        string("first_name", personal="name"),
        string("last_name", personal="name"),
        string("email", personal="email"),
        int64("age"),
        string("state"),
        string("city"),
        string("employment_status"),
        string("card_type"),
        decimal("credit_limit", 10, 2, doc="in the portfolio's currency"),
        date("account_open_date"),
        boolean("is_current"),
    ],
    checks=[
        table_check("one_current_version", offending=_not_one_current),
    ],
)

dim_merchant_category = source(
    "dim_merchant_category",
    doc="Merchant categories.",
    grain="category_key",
    columns=[int64("category_key"), string("category_name", unique=True)],
)

churn_predictions = source(
    "churn_predictions",
    doc="Churn risk of scored customers, 0 to 100; absent until its model exists.",
    grain="customer_id",
    columns=[string("customer_id"), float64("churn_risk_score", at_least=0, at_most=100)],
    optional=True,
)
