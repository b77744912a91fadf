"""A number for each customer, by which transactions are grouped and joined."""

import ibis

from marts import Table, int64, mart, string


@mart(
    grain="customer_key",
    tags=["intermediate"],
    materialized="temporary",
    columns=[string("customer_key"), int64("customer_number")],
)
def int_customer_numbers(dim_customer: Table) -> Table:
    """All versions of customers, with 0, 1, 2 ... by customer_id.

    Engines group and join numbers faster than texts. A number holds for one run alone: it is made
    here only, and whatever reads it is built in the same run.

    Columns:
        customer_number: the same for all versions of a customer
    """
    by_id = ibis.window(order_by=dim_customer.customer_id)
    return dim_customer.mutate(customer_number=ibis.dense_rank().over(by_id))
