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
    """All versions of customers, each with the number of its customer.

    Engines group and join numbers faster than texts. A number holds for one run alone: it is made
    here only, and whatever reads it is built in the same run.
    """
    by_id = ibis.window(order_by=dim_customer.customer_id)
    return dim_customer.mutate(customer_number=ibis.dense_rank().over(by_id))
