"""The customers that exist at as_of, with their current attributes."""

from marts import AsOf, Table, date, decimal, int64, mart, string
from marts import shared as c


@mart(
    grain="customer_id",
    tags=["intermediate"],
    materialized="temporary",
    columns=[
        c.customer_id,
        c.customer_key,
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
def int_customers(dim_customer: Table, int_customer_numbers: Table, as_of: AsOf) -> Table:
    """The current version of every customer whose account was open at as_of.

    One row per such customer.
    """
    customers = dim_customer.filter(
        dim_customer.is_current, dim_customer.account_open_date <= as_of.date
    )
    return customers.inner_join(int_customer_numbers, "customer_key")
