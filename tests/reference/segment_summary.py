"""Reference calculation of segment_summary, with cases worked out on paper.

>>> from reference.example import answer, show, star
>>> def summary(columns, histories, as_of=date(2025, 6, 30), **more):
...     show(answer(segment_summary, star(histories, **more), as_of), columns)

One row for each segment that occurs, none without customers. Without a transaction a
customer is a Stable Mid-Spender of value 0, and there is no latest month.

>>> everything = ("customer_segment customers customers_pct total_lifetime_value "
...               "avg_lifetime_value avg_transaction_value avg_spend_change_pct")
>>> summary(everything, {})
>>> summary(everything, {"c1": [], "c2": []})
Stable Mid-Spenders | 2 | 100.0 | 0.00 | 0.0 | 0.0 | 0.0
>>> activity = ("active_customers active_pct latest_month avg_mom_change_pct "
...             "summary_date")
>>> summary(activity, {"c1": [], "c2": []})
0 | 0.0 | None | None | 2025-06-30

c1 spends 15,000 on travel, which is 5,000 a month; c2, c3 and c4 are Stable
Mid-Spenders. The mean of c2's average, 2 = (1 + 3) / 2, of c3's, 8, and of c4's, 0, is
10 / 3, not the mean of the three amounts, 4; lifetime values are 4 + 8 + 0 = 12, over
three customers 4. One of four is 25 %, three are 75 %.

>>> four = {"c1": [("2025-06-01", "15000", "Travel")],
...         "c2": [("2025-06-02", "1"), ("2025-06-03", "3")],
...         "c3": [("2025-06-04", "8")], "c4": []}
>>> summary(everything, four)
High-Value Travelers | 1 | 25.0 | 15000.00 | 15000.0 | 15000.0 | 0.0
Stable Mid-Spenders | 3 | 75.0 | 12.00 | 4.0 | 3.3333333333333335 | 0.0

Active is who had a transaction in the last 30 days: 31 May is 30 days ago, 30 May 31.

>>> summary(activity, {"c1": [("2025-05-31", "1")], "c2": [("2025-05-30", "1")],
...                    "c3": [], "c4": [("2025-06-30", "9", "declined")]})
1 | 25.0 | 2025-05-01 | None | 2025-06-30

The change of spend is the mean over the customers: c1 went from 10 to 15 (50 %), c2 from
10 to 5 (-50 %), c3 from 10 to 13 (30 %), over all three 10 %. All are older than half a
year, so that nobody is New & Growing.

>>> old = ("2024-06-30", "10")
>>> prior = ("2025-02-01", "10")
>>> summary("avg_spend_change_pct customers",
...         {"c1": [old, prior, ("2025-06-01", "15")],
...          "c2": [old, prior, ("2025-06-01", "5")],
...          "c3": [old, prior, ("2025-06-01", "13")]})
10.0 | 3

The latest month is that of all segments. In June c2 changed by 100 % and c3 by -50 %, the
mean is 25 %; c4 was last active in May, and its change does not count; c5 begins in June.
c1's segment had nobody in June, so it has no mean.

>>> summary("customer_segment customers latest_month avg_mom_change_pct",
...         {"c1": [("2025-05-01", "15000", "Travel")],
...          "c2": [("2025-05-01", "1"), ("2025-06-01", "2")],
...          "c3": [("2025-05-01", "2"), ("2025-06-01", "1")],
...          "c4": [("2025-04-01", "1"), ("2025-05-01", "9")],
...          "c5": [("2025-06-01", "1")]})
High-Value Travelers | 1 | 2025-06-01 | None
Stable Mid-Spenders | 4 | 2025-06-01 | 25.0

After a month of 0 there is no percentage.

>>> summary("latest_month avg_mom_change_pct",
...         {"c1": [("2025-05-01", "0"), ("2025-06-01", "2")]})
2025-06-01 | None

A customer whose account opens later does not exist, and a run for a past date gives the
answer of that day.

>>> later = {"c1": [{}], "c2": [{"account_open_date": date(2025, 7, 1)}]}
>>> summary("customers customers_pct total_lifetime_value",
...         {"c1": [("2025-06-01", "1")], "c2": [("2025-06-01", "5")]}, versions=later)
1 | 100.0 | 1.00
>>> summary("total_lifetime_value summary_date",
...         {"c1": [("2025-06-01", "1"), ("2025-06-02", "5")]}, as_of=date(2025, 6, 1))
1.00 | 2025-06-01
"""

from collections.abc import Sequence
from datetime import date

import pandas as pd

from marts import twin
from reference.arithmetic import quotient, total
from reference.customer_360_profile import profile_row
from reference.history import Customer, Row, customers, frame
from reference.metric_mom_spend_change import month_rows

COLUMNS = (
    "customer_segment",
    "customers",
    "customers_pct",
    "total_lifetime_value",
    "avg_lifetime_value",
    "avg_transaction_value",
    "avg_spend_change_pct",
    "active_customers",
    "active_pct",
    "latest_month",
    "avg_mom_change_pct",
    "summary_date",
)


@twin("segment_summary")
def segment_summary(
    dim_customer: pd.DataFrame,
    fct_transactions: pd.DataFrame,
    dim_merchant_category: pd.DataFrame,
    churn_predictions: pd.DataFrame,
    as_of: date,
) -> pd.DataFrame:
    """Give one row per segment that occurs, ordered by its name."""
    known = customers(
        dim_customer, fct_transactions, dim_merchant_category, as_of, churn_predictions
    )
    months = [row for customer in known for row in month_rows(customer, as_of)]
    latest_month = max((row["month"] for row in months), default=None)
    members: dict[str, list[Customer]] = {}
    for customer in known:
        segment = profile_row(customer, as_of)["customer_segment"]
        members.setdefault(segment, []).append(customer)
    rows = [
        _segment_row(segment, members[segment], len(known), latest_month, as_of)
        for segment in sorted(members)
    ]
    return frame(rows, COLUMNS)


def summary_of(members: Sequence[Customer], as_of: date) -> Row:
    """Give the figures that all summaries have in common, of some customers."""
    profiles = [profile_row(customer, as_of) for customer in members]
    lifetime = total(profile["lifetime_value"] for profile in profiles)
    active = [row for row in profiles if row["recency_status"] == "Active (30 days)"]
    return {
        "customers": len(profiles),
        "total_lifetime_value": lifetime,
        "avg_lifetime_value": quotient(lifetime, len(profiles)),
        "avg_transaction_value": mean([row["avg_transaction_value"] for row in profiles]) or 0.0,
        "active_customers": len(active),
    }


def mean(values: Sequence[float]) -> float | None:
    """Give the mean of some floats, None of none.

    >>> mean([1.0, 2.0])
    1.5
    >>> mean([])
    """
    return sum(values) / len(values) if values else None


def _segment_row(
    segment: str,
    members: Sequence[Customer],
    all_customers: int,
    latest_month: date | None,
    as_of: date,
) -> Row:
    figures = summary_of(members, as_of)
    changes = [profile_row(customer, as_of)["spend_change_pct"] for customer in members]
    of_month = [
        row["mom_change_pct"]
        for customer in members
        for row in month_rows(customer, as_of)
        if row["month"] == latest_month and row["mom_change_pct"] is not None
    ]
    return {
        "customer_segment": segment,
        **figures,
        "customers_pct": quotient(len(members), all_customers) * 100,
        "avg_spend_change_pct": mean(changes),
        "active_pct": quotient(figures["active_customers"], len(members)) * 100,
        "latest_month": latest_month,
        "avg_mom_change_pct": mean(of_month),
        "summary_date": as_of,
    }
