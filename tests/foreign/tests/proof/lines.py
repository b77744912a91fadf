"""What the twins share."""

import datetime

import pandas as pd


def ordered_lines(
    orders: pd.DataFrame, lineitem: pd.DataFrame, as_of: datetime.date
) -> pd.DataFrame:
    """Return the lines of all orders until as_of, with what they earn."""
    placed = orders[orders.o_orderdate <= as_of]
    lines = lineitem.merge(placed, left_on="l_orderkey", right_on="o_orderkey")
    return lines.assign(earned=lines.l_extendedprice * (1 - lines.l_discount))
