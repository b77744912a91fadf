"""Reference calculation of customer_segments, with cases worked out on paper.

For as_of 30 June 2025 the last 90 days begin on 1 April (90 days earlier: 29 in June,
31 in May, 30 in April) and the prior 90 days on 1 January (31 + 28 + 31 = 90 more).

>>> from reference.example import answer, show, star
>>> def windows(*history, as_of=date(2025, 6, 30)):
...     table = answer(customer_segments, star({"c1": history}), as_of)
...     show(table, "spend_last_90_days spend_prior_90_days spend_change_pct")
>>> def segment(*history, as_of=date(2025, 6, 30)):
...     show(answer(customer_segments, star({"c1": history}), as_of), "customer_segment")
>>> def value(columns, *history, as_of=date(2025, 6, 30), **more):
...     show(answer(customer_segments, star({"c1": history}, **more), as_of), columns)

as_of - 90 days belongs to the last window, as_of - 91 to the prior one; without a prior
spend, or with a prior spend of 0, the change is 0. (100 - 0) / 0 is not computed.

>>> windows(("2025-04-01", "100"))
100.00 | 0.00 | 0.0
>>> windows(("2025-03-31T23:59:59.999999", "100"))  # (0 - 100) / 100 x 100
0.00 | 100.00 | -100.0
>>> windows(("2025-04-01", "100"), ("2025-03-31", "0"))
100.00 | 0.00 | 0.0

as_of - 180 days belongs to the prior window, as_of - 181 to neither.

>>> windows(("2025-01-01", "80"), ("2025-06-30", "100"))  # (100 - 80) / 80 x 100
100.00 | 80.00 | 25.0
>>> windows(("2024-12-31", "80"), ("2025-06-30", "100"))
100.00 | 0.00 | 0.0

as_of counts to its last microsecond; the day after and declined transactions do not.

>>> windows(("2025-06-30T23:59:59.999999", "7"), ("2025-07-01", "9"))
7.00 | 0.00 | 0.0
>>> windows(("2025-06-30", "7", "declined"), ("2025-03-31", "9", "declined"))
0.00 | 0.00 | 0.0

A leap year: 90 days before 31 March 2024 is 1 January (30 in March, 29 in February, 31
in January), so 31 December 2023 is in the prior window.

>>> windows(("2024-01-01", "5"), ("2023-12-31", "4"), as_of=date(2024, 3, 31))
5.00 | 4.00 | 25.0

High-Value Travelers: 15,000 / 3 = 5,000 a month, 3,750 / 15,000 = 25 % travel. One cent
less spend gives 4,999.996… a month; one cent less travel gives 24.9999… %.

>>> segment(("2025-06-01", "3750", "Hotels"), ("2025-06-02", "11250"))
High-Value Travelers
>>> segment(("2025-06-01", "3750", "Airlines"), ("2025-06-02", "11249.99"))
Stable Mid-Spenders
>>> segment(("2025-06-01", "3749.99", "Travel"), ("2025-06-02", "11250.01"))
Stable Mid-Spenders

High value is the first rule, so it wins over a decline: prior 30,000 to last 15,000 is
-50 %, travel is 15,000 of 45,000 = 33.3 %.

>>> segment(("2025-02-01", "30000"), ("2025-06-01", "15000", "Travel"))
High-Value Travelers

Declining: (1,400 - 2,000) / 2,000 = -30 %. With 1,400.01 it is -29.9995 %; with a prior
of 1,999.99 and a last of 1,000 it is -50 %, but the prior is too small.

>>> segment(("2025-02-01", "2000"), ("2025-06-01", "1400"))
Declining
>>> segment(("2025-02-01", "2000"), ("2025-06-01", "1400.01"))
Stable Mid-Spenders
>>> segment(("2025-02-01", "1999.99"), ("2025-06-01", "1000"))
Stable Mid-Spenders

Declining wins over Budget-Conscious (all in Grocery, 1,400 / 3 a month).

>>> segment(("2025-02-01", "2000", "Gas"), ("2025-06-01", "1400", "Grocery"))
Declining

New & Growing: (150 - 100) / 100 = 50 %. From 1 January to 30 June 5 boundaries are
crossed, from 31 December 6, from 30 November 7. 149.99 is 49.99 %. A first spend
without a prior has a change of 0, so it is not growing.

>>> segment(("2025-02-01", "100"), ("2025-06-01", "150"))
New & Growing
>>> segment(("2024-12-31", "9"), ("2025-02-01", "100"), ("2025-06-01", "150"))
New & Growing
>>> segment(("2024-11-30", "9"), ("2025-02-01", "100"), ("2025-06-01", "150"))
Stable Mid-Spenders
>>> segment(("2025-02-01", "100"), ("2025-06-01", "149.99"))
Stable Mid-Spenders
>>> segment(("2025-06-01", "150"))
Stable Mid-Spenders

Budget-Conscious: 60 of 100 is 60 % necessities; 59.99 of 100 is not. 4,500 / 3 = 1,500
a month is no longer below 1,500, 4,499.99 is. Null and unknown categories are part of
the whole: 60 / (60 + 41) is 59.4 %.

>>> segment(("2025-06-01", "60", "Utilities"), ("2025-06-01", "40", "Dining"))
Budget-Conscious
>>> segment(("2025-06-01", "59.99", "Gas"), ("2025-06-01", "40.01", "Dining"))
Stable Mid-Spenders
>>> segment(("2025-06-01", "4500", "Grocery"))
Stable Mid-Spenders
>>> segment(("2025-06-01", "4499.99", "Grocery"))
Budget-Conscious
>>> segment(("2025-06-01", "60", "Gas"), ("2025-06-01", "41", "unknown category"))
Stable Mid-Spenders

Shares are of lifetime spend, far past included: Travel 10 + Hotels 20 + Airlines 20 of
200 is 25 %, Grocery 40 + Gas 40 + Utilities 20 of 200 is 50 %, the rest is unknown 30
and null 20. Without spend both are 0.

>>> value("travel_spend_pct necessities_spend_pct lifetime_value",
...       ("2023-01-01", "10", "Travel"), ("2025-05-01", "20", "Hotels"),
...       ("2025-05-01", "20", "Airlines"), ("2025-05-01", "40", "Grocery"),
...       ("2024-05-01", "40", "Gas"), ("2025-05-01", "20", "Utilities"),
...       ("2025-05-01", "30", "unknown category"), ("2025-05-01", "20"))
25.0 | 50.0 | 200.00
>>> value("travel_spend_pct necessities_spend_pct", ("2025-05-01", "0", "Travel"))
0.0 | 0.0

Tenure counts boundaries: 31 January to 1 February is 1, 1 to 28 February is 0; null
without transactions, where everything else is 0.

>>> value("tenure_months", ("2025-01-31", "1"), as_of=date(2025, 2, 1))
1
>>> value("tenure_months", ("2025-02-01", "1"), as_of=date(2025, 2, 28))
0
>>> value("tenure_months total_transactions lifetime_value avg_transaction_value "
...       "avg_monthly_spend first_transaction_date customer_segment")
None | 0 | 0.00 | 0.0 | 0.0 | None | Stable Mid-Spenders

An upgrade keeps the history (10 on the first key, 20 on the second); 30 / 2 = 15 and
30 / 3 = 10.

>>> value("customer_key lifetime_value avg_transaction_value avg_monthly_spend",
...       ("2025-05-01", "10", "v1"), ("2025-05-02", "20", "v2"),
...       versions={"c1": [{}, {}]})
k1 | 30.00 | 15.0 | 10.0
"""

from datetime import date, timedelta

import pandas as pd

from marts import twin
from reference.arithmetic import months_between, percentage, quotient, total
from reference.history import Customer, Row, customers, frame, once_a_customer

COLUMNS = (
    "customer_id",
    "customer_key",
    "customer_segment",
    "segment_assigned_date",
    "total_transactions",
    "lifetime_value",
    "avg_transaction_value",
    "first_transaction_date",
    "last_transaction_date",
    "tenure_months",
    "spend_last_90_days",
    "spend_prior_90_days",
    "spend_change_pct",
    "avg_monthly_spend",
    "travel_spend_pct",
    "necessities_spend_pct",
)
TRAVEL = {"Travel", "Airlines", "Hotels"}
NECESSITIES = {"Grocery", "Gas", "Utilities"}


@twin("customer_segments")
def customer_segments(
    dim_customer: pd.DataFrame,
    fct_transactions: pd.DataFrame,
    dim_merchant_category: pd.DataFrame,
    as_of: date,
) -> pd.DataFrame:
    """Give one row per customer, ordered by customer_id."""
    known = customers(dim_customer, fct_transactions, dim_merchant_category, as_of)
    return frame([segment_row(customer, as_of) for customer in known], COLUMNS)


@once_a_customer
def segment_row(customer: Customer, as_of: date) -> Row:
    """Give the row of one customer."""
    transactions = customer.transactions
    last_starts = as_of - timedelta(days=90)
    prior_starts = as_of - timedelta(days=180)
    lifetime = total(customer.amounts)
    last = total(t.amount for t in transactions if last_starts <= t.day)
    prior = total(t.amount for t in transactions if prior_starts <= t.day < last_starts)
    travel = total(t.amount for t in transactions if t.category in TRAVEL)
    necessities = total(t.amount for t in transactions if t.category in NECESSITIES)
    first_day = customer.first_day
    row = {
        "customer_id": customer.customer_id,
        "customer_key": customer.customer_key,
        "segment_assigned_date": as_of,
        "total_transactions": len(transactions),
        "lifetime_value": lifetime,
        "avg_transaction_value": quotient(lifetime, len(transactions)),
        "first_transaction_date": first_day,
        "last_transaction_date": customer.last_day,
        "tenure_months": None if first_day is None else months_between(first_day, as_of),
        "spend_last_90_days": last,
        "spend_prior_90_days": prior,
        "spend_change_pct": percentage(last - prior, prior),
        "avg_monthly_spend": quotient(last, 3),
        "travel_spend_pct": percentage(travel, lifetime),
        "necessities_spend_pct": percentage(necessities, lifetime),
    }
    return row | {"customer_segment": _segment(row)}


def _segment(row: Row) -> str:
    if row["avg_monthly_spend"] >= 5000 and row["travel_spend_pct"] >= 25:
        return "High-Value Travelers"
    if row["spend_change_pct"] <= -30 and row["spend_prior_90_days"] >= 2000:
        return "Declining"
    is_new = row["tenure_months"] is not None and row["tenure_months"] <= 6
    if is_new and row["spend_change_pct"] >= 50:
        return "New & Growing"
    if row["avg_monthly_spend"] < 1500 and row["necessities_spend_pct"] >= 60:
        return "Budget-Conscious"
    return "Stable Mid-Spenders"
