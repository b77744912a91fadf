"""The customers that exist, as they are now."""

from marts import AsOf, Table, date, decimal, int64, mart, string
from marts.vocabulary import numbered


@mart(
    grain="customer_id",
    tags=["intermediate"],
    columns=[
        string("customer_id"),
        string("customer_key"),
        int64("customer_number", unique=True),
        string("first_name"),
        string("last_name"),
        string("email"),
        int64("age"),
        string("state"),
        string("city"),
        string("employment_status"),
        string("card_type"),
        decimal("credit_limit", 18, 2),
        date("account_open_date"),
    ],
)
def int_customers(dim_customer: Table, as_of: AsOf) -> Table:
    """The current version of every customer whose account was open at as_of.

    Columns:
        customer_number: the customer's number among all of dim_customer, by which the facts are
            grouped and joined
    """
    customers = numbered(dim_customer)
    return customers.filter(customers.is_current, customers.account_open_date <= as_of.date)
