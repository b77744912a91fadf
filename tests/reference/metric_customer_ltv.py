"""Reference calculation of metric_customer_ltv, with cases worked out on paper.

>>> from reference.example import answer, show, star
>>> def ltv(*history, as_of=date(2025, 6, 30), **more):
...     show(answer(metric_customer_ltv, star({"c1": history}, **more), as_of),
...          "lifetime_value total_transactions first_transaction_date "
...          "last_transaction_date customer_age_days avg_spend_per_day")

None, one, and two transactions: the age runs from the first to the last one, not to
as_of; (12.50 + 7.50) / 10 days = 2.

>>> ltv()
0.00 | 0 | None | None | 0 | 0.0
>>> ltv(("2025-06-01", "12.50"))
12.50 | 1 | 2025-06-01 | 2025-06-01 | 0 | 0.0
>>> ltv(("2025-06-11", "12.50"), ("2025-06-01", "7.50"))
20.00 | 2 | 2025-06-01 | 2025-06-11 | 10 | 2.0

Two on one day are 0 days apart; two minutes around midnight are 1 day apart (3 / 1).

>>> ltv(("2025-06-01T00:00:00", "1"), ("2025-06-01T23:59:59.999999", "2"))
3.00 | 2 | 2025-06-01 | 2025-06-01 | 0 | 0.0
>>> ltv(("2025-06-01T23:59:00", "1"), ("2025-06-02T00:01:00", "2"))
3.00 | 2 | 2025-06-01 | 2025-06-02 | 1 | 3.0

Declined transactions count in no column; one of 0.00 is a transaction all the same.

>>> ltv(("2025-05-01", "3", "declined"), ("2025-06-01", "12.50"))
12.50 | 1 | 2025-06-01 | 2025-06-01 | 0 | 0.0
>>> ltv(("2025-06-01", "0"))
0.00 | 1 | 2025-06-01 | 2025-06-01 | 0 | 0.0

as_of counts to its last microsecond, the next day does not; a run for a past date gives
the answer of that day.

>>> ltv(("2025-06-30T23:59:59.999999", "5"), ("2025-07-01", "9"))
5.00 | 1 | 2025-06-30 | 2025-06-30 | 0 | 0.0
>>> ltv(("2025-06-01", "5"), ("2025-06-03", "9"), as_of=date(2025, 6, 2))
5.00 | 1 | 2025-06-01 | 2025-06-01 | 0 | 0.0

Null and unknown categories lose no spend: 1 + 2 + 4 over 29 days of February 2024 and 2
of March = 7 / 30 days from 1 February to 2 March.

>>> ltv(("2024-02-01", "1"), ("2024-02-29", "2", "unknown category"),
...     ("2024-03-02", "4", "Gas"))
7.00 | 3 | 2024-02-01 | 2024-03-02 | 30 | 0.23333333333333334

The history of all versions counts (10 + 20 over 1 day), the key is the current one's;
a transaction of a key outside the dimension belongs to nobody.

>>> ltv(("2025-05-01", "10", "v1"), ("2025-05-02", "20", "v2"),
...     versions={"c1": [{}, {}]})
30.00 | 2 | 2025-05-01 | 2025-05-02 | 1 | 30.0
>>> later = [("2025-05-01", "10", "v1"), ("2025-05-02", "20", "nobody")]
>>> two_versions = star({"c1": later}, versions={"c1": [{}, {}]})
>>> show(answer(metric_customer_ltv, two_versions, date(2025, 6, 30)),
...      "customer_id customer_key customer_segment lifetime_value "
...      "metric_calculated_date")
c1 | k1 | Stable Mid-Spenders | 10.00 | 2025-06-30

An account that opens on as_of exists, one that opens a day later does not, whatever it
has spent; only the current version's opening date decides.

>>> spent = ("2025-06-01", "5")
>>> ltv(spent, versions={"c1": [{"account_open_date": date(2025, 6, 30)}]})
5.00 | 1 | 2025-06-01 | 2025-06-01 | 0 | 0.0
>>> ltv(spent, versions={"c1": [{"account_open_date": date(2025, 7, 1)}]})
>>> ltv(("2025-06-01", "5", "v1"),
...     versions={"c1": [{"account_open_date": date(2025, 7, 1)}, {}]})
5.00 | 1 | 2025-06-01 | 2025-06-01 | 0 | 0.0
"""

from datetime import date

import pandas as pd

from marts import twin
from reference.arithmetic import quotient, total
from reference.customer_segments import segment_row
from reference.history import Customer, Row, customers, frame, once_a_customer

COLUMNS = (
    "customer_id",
    "customer_key",
    "customer_segment",
    "lifetime_value",
    "total_transactions",
    "first_transaction_date",
    "last_transaction_date",
    "customer_age_days",
    "avg_spend_per_day",
    "metric_calculated_date",
)


@twin("metric_customer_ltv")
def metric_customer_ltv(
    dim_customer: pd.DataFrame,
    fct_transactions: pd.DataFrame,
    dim_merchant_category: pd.DataFrame,
    as_of: date,
) -> pd.DataFrame:
    """Give one row per customer, ordered by customer_id."""
    known = customers(dim_customer, fct_transactions, dim_merchant_category, as_of)
    return frame([ltv_row(customer, as_of) for customer in known], COLUMNS)


@once_a_customer
def ltv_row(customer: Customer, as_of: date) -> Row:
    """Give the row of one customer."""
    first_day, last_day = customer.first_day, customer.last_day
    age_days = (last_day - first_day).days if first_day and last_day else 0
    lifetime = total(customer.amounts)
    return {
        "customer_id": customer.customer_id,
        "customer_key": customer.customer_key,
        "customer_segment": segment_row(customer, as_of)["customer_segment"],
        "lifetime_value": lifetime,
        "total_transactions": len(customer.transactions),
        "first_transaction_date": first_day,
        "last_transaction_date": last_day,
        "customer_age_days": age_days,
        "avg_spend_per_day": quotient(lifetime, age_days),
        "metric_calculated_date": as_of,
    }
