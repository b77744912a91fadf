"""Sales, calculated a second time."""

import datetime
from decimal import ROUND_HALF_UP, Decimal

import pandas as pd

from marts import twin

from .lines import ordered_lines

CENT = Decimal("0.01")


@twin("customer_revenue")
def customer_revenue(
    customer: pd.DataFrame,
    nation: pd.DataFrame,
    orders: pd.DataFrame,
    lineitem: pd.DataFrame,
    as_of: datetime.date,
) -> pd.DataFrame:
    """Go through the customers one by one."""
    lines = ordered_lines(orders, lineitem, as_of)
    lines_of = dict(iter(lines.groupby("o_custkey")))
    nations = dict(zip(nation.n_nationkey, nation.n_name, strict=True))
    rows = []
    for row in customer.itertuples():
        own = lines_of.get(row.c_custkey, lines.head(0))
        revenue = Decimal(own.earned.sum()).quantize(CENT, ROUND_HALF_UP)
        last = max(own.o_orderdate, default=None)
        rows.append(
            {
                "customer_id": row.c_custkey,
                "customer_name": row.c_name,
                "segment": row.c_mktsegment,
                "nation": nations[row.c_nationkey],
                "balance": row.c_acctbal,
                "standing": standing(row.c_acctbal),
                "orders": own.o_orderkey.nunique(),
                "revenue": revenue,
                "first_order_on": min(own.o_orderdate, default=None),
                "last_order_on": last,
                "days_since_last_order": (as_of - last).days if last else None,
                "tier": tier(revenue) if last else "prospect",
            }
        )
    # Without rows, a DataFrame has its columns from here alone.
    return pd.DataFrame(rows, columns=COLUMNS, dtype=object)


COLUMNS = [
    "customer_id",
    "customer_name",
    "segment",
    "nation",
    "balance",
    "standing",
    "orders",
    "revenue",
    "first_order_on",
    "last_order_on",
    "days_since_last_order",
    "tier",
]


def standing(balance: Decimal) -> str:
    """Say whether a customer owes us."""
    if balance < 0:
        return "owes us"
    return "in credit" if balance else "even"


def tier(revenue: Decimal) -> str:
    """Say how a customer who has ordered is served."""
    if revenue >= 2_000_000:
        return "key account"
    return "regular" if revenue >= 500_000 else "small"
