"""A number for each customer, by which transactions are grouped and joined."""

import ibis

from marts import Table, int64, mart, string


@mart(
    grain="customer_key",
    tags=["intermediate"],
    materialized="temporary",
    columns=[
        string("customer_key", doc="a version of a customer"),
        int64("customer_number", doc="0, 1, 2 ... by customer_id: one for all versions"),
    ],
)
def int_customer_numbers(dim_customer: Table) -> Table:
    """The number of the customer of each version of a customer.

    One row per version. Engines group and join by numbers faster than by texts. A number is valid
    within one run only, in which all marts that read it are built.
    """
    by_id = ibis.window(order_by=dim_customer.customer_id)
    return dim_customer.mutate(customer_number=ibis.dense_rank().over(by_id))
