"""Orders that are not filled."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING

from marts import AsOf, Table, date, int64, mart, money, string, twin

if TYPE_CHECKING:
    import pandas as pd


@mart(
    grain="order_id",
    tags="operations",
    materialized="view",
    columns=[
        int64("order_id"),
        int64("customer_id"),
        string("customer_name"),
        date("ordered_on"),
        string("priority"),
        money("total_price"),
    ],
)
def open_orders(orders: Table, customer: Table, as_of: AsOf) -> Table:
    """Orders until as_of of which no line, or not every line, is filled."""
    waiting = orders.filter(orders.o_orderstatus.isin(["O", "P"]), orders.o_orderdate <= as_of.date)
    t = waiting.inner_join(customer, waiting.o_custkey == customer.c_custkey)
    return t.select(
        order_id="o_orderkey",
        customer_id="c_custkey",
        customer_name="c_name",
        ordered_on="o_orderdate",
        priority="o_orderpriority",
        total_price="o_totalprice",
    )


@twin(open_orders)
def open_orders_in_pandas(
    orders: pd.DataFrame, customer: pd.DataFrame, as_of: datetime.date
) -> pd.DataFrame:
    """Look up the customer of each order that is not filled."""
    waiting = orders[(orders.o_orderstatus != "F") & (orders.o_orderdate <= as_of)]
    names = dict(zip(customer.c_custkey, customer.c_name, strict=True))
    return waiting.assign(customer_name=waiting.o_custkey.map(names)).rename(
        columns={
            "o_orderkey": "order_id",
            "o_custkey": "customer_id",
            "o_orderdate": "ordered_on",
            "o_orderpriority": "priority",
            "o_totalprice": "total_price",
        }
    )[["order_id", "customer_id", "customer_name", "ordered_on", "priority", "total_price"]]
