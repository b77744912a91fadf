"""Reference calculation of metric_mom_spend_change, with cases worked out on paper.

>>> from reference.example import answer, show, star
>>> def months(*history, as_of=date(2025, 6, 30), **more):
...     show(answer(metric_mom_spend_change, star({"c1": history}, **more), as_of),
...          "month monthly_spend prior_month_spend mom_change_pct "
...          "month_number months_since_prior mom_trend_category")

No transactions, no rows; the first month has no prior. Amounts of a month add up.

>>> months()
>>> months(("2025-05-01", "1.50"), ("2025-05-31T23:59:59.999999", "2.50"))
2025-05-01 | 4.00 | None | None | 1 | None | First Month

Above 50 % is High Growth: 50 / 100 is exactly 50 %, 50.01 / 100 is above.

>>> months(("2025-04-10", "100"), ("2025-05-10", "150"))
2025-04-01 | 100.00 | None | None | 1 | None | First Month
2025-05-01 | 150.00 | 100.00 | 50.0 | 2 | 1 | Growth
>>> months(("2025-04-10", "100"), ("2025-05-10", "150.01"))
2025-04-01 | 100.00 | None | None | 1 | None | First Month
2025-05-01 | 150.01 | 100.00 | 50.01 | 2 | 1 | High Growth

Exactly 0 is Flat; a cent more is Growth (0.01 / 100 = 0.01 %), a cent less Decline
(-0.01 / 100.01 = -0.0099990000999… %).

>>> months(("2025-03-10", "100"), ("2025-04-10", "100"), ("2025-05-10", "100.01"),
...        ("2025-06-10", "100"))
2025-03-01 | 100.00 | None | None | 1 | None | First Month
2025-04-01 | 100.00 | 100.00 | 0.0 | 2 | 1 | Flat
2025-05-01 | 100.01 | 100.00 | 0.01 | 3 | 1 | Growth
2025-06-01 | 100.00 | 100.01 | -0.00999900009999 | 4 | 1 | Decline

Above -30 % is Decline: -30 / 100 is exactly -30 % and High Decline, -25 / 100 is not.

>>> months(("2025-04-10", "100"), ("2025-05-10", "70"))
2025-04-01 | 100.00 | None | None | 1 | None | First Month
2025-05-01 | 70.00 | 100.00 | -30.0 | 2 | 1 | High Decline
>>> months(("2025-04-10", "100"), ("2025-05-10", "75"))
2025-04-01 | 100.00 | None | None | 1 | None | First Month
2025-05-01 | 75.00 | 100.00 | -25.0 | 2 | 1 | Decline

A pause: November to February crosses 3 boundaries, the numbers have no gap; 8 / 4 is
200 %.

>>> months(("2024-11-30", "4"), ("2025-02-01", "12"))
2024-11-01 | 4.00 | None | None | 1 | None | First Month
2025-02-01 | 12.00 | 4.00 | 200.0 | 2 | 3 | High Growth

A month of 0.00 is active. After it there is no baseline; into it the change is -100 %.
It is the prior of the next month even though an earlier month had spend.

>>> months(("2025-03-01", "8"), ("2025-04-01", "0"), ("2025-05-01", "5"))
2025-03-01 | 8.00 | None | None | 1 | None | First Month
2025-04-01 | 0.00 | 8.00 | -100.0 | 2 | 1 | High Decline
2025-05-01 | 5.00 | 0.00 | None | 3 | 1 | No Baseline

A month with only declined transactions is not an active month. Neither is a month after as_of; the
last moment of as_of itself counts.

>>> months(("2025-03-01", "8"), ("2025-04-01", "9", "declined"), ("2025-05-01", "8"))
2025-03-01 | 8.00 | None | None | 1 | None | First Month
2025-05-01 | 8.00 | 8.00 | 0.0 | 2 | 2 | Flat
>>> months(("2025-06-30T23:59:59.999999", "5"), ("2025-07-01", "9"))
2025-06-01 | 5.00 | None | None | 1 | None | First Month

The current month counts so far: on 15 February 2024 the 29th has not come.

>>> months(("2024-02-15", "5"), ("2024-02-29", "9"), as_of=date(2024, 2, 15))
2024-02-01 | 5.00 | None | None | 1 | None | First Month

All versions of a customer are one history, also within a month (10 + 20); unknown
categories count. Not yet opened, not there.

>>> months(("2025-05-01", "10", "v1"), ("2025-05-02", "20", "v2", "unknown category"),
...        versions={"c1": [{}, {}]})
2025-05-01 | 30.00 | None | None | 1 | None | First Month
>>> months(("2025-05-01", "9"),
...        versions={"c1": [{"account_open_date": date(2025, 7, 1)}]})

Customers do not see each other's months.

>>> both = star({"c2": [("2025-05-01", "1")], "c1": [("2025-04-01", "2")]})
>>> show(answer(metric_mom_spend_change, both, date(2025, 6, 30)),
...      "customer_id month mom_trend_category metric_calculated_date")
c1 | 2025-04-01 | First Month | 2025-06-30
c2 | 2025-05-01 | First Month | 2025-06-30
"""

from datetime import date
from decimal import Decimal

import pandas as pd

from marts import twin
from reference.arithmetic import ZERO, months_between, percentage
from reference.history import Customer, Row, customers, frame, once_a_customer

COLUMNS = (
    "customer_id",
    "month",
    "monthly_spend",
    "prior_month_spend",
    "mom_change_pct",
    "month_number",
    "months_since_prior",
    "mom_trend_category",
    "metric_calculated_date",
)


@twin("metric_mom_spend_change")
def metric_mom_spend_change(
    dim_customer: pd.DataFrame,
    fct_transactions: pd.DataFrame,
    dim_merchant_category: pd.DataFrame,
    as_of: date,
) -> pd.DataFrame:
    """Give one row per customer and active month, ordered by both."""
    rows: list[Row] = []
    for customer in customers(dim_customer, fct_transactions, dim_merchant_category, as_of):
        rows.extend(month_rows(customer, as_of))
    return frame(rows, COLUMNS)


@once_a_customer
def month_rows(customer: Customer, as_of: date) -> list[Row]:
    """Give the rows of one customer, one for each active month, in order."""
    spend_of_month: dict[date, Decimal] = {}
    for transaction in customer.transactions:
        month = transaction.day.replace(day=1)
        spend_of_month[month] = spend_of_month.get(month, ZERO) + transaction.amount
    rows: list[Row] = []
    prior_month: date | None = None
    for month in sorted(spend_of_month):
        spend = spend_of_month[month]
        row: Row = {
            "customer_id": customer.customer_id,
            "month": month,
            "monthly_spend": spend,
            "prior_month_spend": None,
            "mom_change_pct": None,
            "month_number": len(rows) + 1,
            "months_since_prior": None,
            "metric_calculated_date": as_of,
        }
        if prior_month is not None:
            prior_spend = spend_of_month[prior_month]
            row["prior_month_spend"] = prior_spend
            row["months_since_prior"] = months_between(prior_month, month)
            if prior_spend > 0:
                row["mom_change_pct"] = percentage(spend - prior_spend, prior_spend)
        row["mom_trend_category"] = _trend(row["month_number"], row["mom_change_pct"])
        rows.append(row)
        prior_month = month
    return rows


def _trend(month_number: int, change_pct: float | None) -> str:
    if month_number == 1:
        return "First Month"
    if change_pct is None:
        return "No Baseline"
    return _trend_of_change(change_pct)


def _trend_of_change(change_pct: float) -> str:
    if change_pct > 50:
        return "High Growth"
    if change_pct > 0:
        return "Growth"
    if change_pct == 0:
        return "Flat"
    if change_pct > -30:
        return "Decline"
    return "High Decline"
