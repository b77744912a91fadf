"""Reference calculation of metric_avg_transaction_value, with cases from paper.

>>> from reference.example import answer, show, star
>>> def atv(*history, as_of=date(2025, 6, 30), **more):
...     show(answer(metric_avg_transaction_value, star({"c1": history}, **more), as_of),
...          "avg_transaction_value transaction_value_stddev min_transaction_value "
...          "max_transaction_value transaction_count median_transaction_value "
...          "spending_consistency")
>>> def spread(*amounts):
...     history = [("2025-06-01", amount) for amount in amounts]
...     show(answer(metric_avg_transaction_value, star({"c1": history}), date(2025, 6, 30)),
...          "transaction_value_stddev spending_consistency")

None: zeros, and a label of its own. One: no deviation. Two: mean (2 + 8) / 2 = 5,
median the same, squares of -3 and 3 add to 18, 18 / (2 - 1) has the root 4.2426….

>>> atv()
0.0 | 0.0 | 0.00 | 0.00 | 0 | 0.0 | No Transactions
>>> atv(("2025-06-01", "12.50"))
12.5 | 0.0 | 12.50 | 12.50 | 1 | 12.5 | Consistent
>>> atv(("2025-06-01", "8"), ("2025-06-02", "2"))
5.0 | 4.242640687119285 | 2.00 | 8.00 | 2 | 5.0 | Consistent

Odd and even medians: 1, 2, 9 has 2 in the middle, mean 12 / 3 = 4, squares 9 + 4 + 25
= 38, 38 / 2 = 19 has the root 4.3588…; 1, 2, 4, 9 has (2 + 4) / 2 = 3, mean 16 / 4 = 4,
squares 9 + 4 + 0 + 25 = 38, 38 / 3 = 12.67 has the root 3.5590….

>>> atv(("2025-06-01", "9"), ("2025-06-02", "1"), ("2025-06-03", "2"))
4.0 | 4.358898943540674 | 1.00 | 9.00 | 3 | 2.0 | Consistent
>>> atv(("2025-06-01", "9"), ("2025-06-02", "1"), ("2025-06-03", "2"),
...     ("2025-06-03", "4"))
4.0 | 3.559026084010437 | 1.00 | 9.00 | 4 | 3.0 | Consistent

A median between two cents is not cut to cents: (0.01 + 0.02) / 2, squares of 0.005
twice, 0.00005 / 1, root 0.00707….

>>> atv(("2025-06-01", "0.01"), ("2025-06-02", "0.02"))
0.015 | 0.007071067811865475 | 0.01 | 0.02 | 2 | 0.015 | Consistent

Exactly 50 is Moderate: 0, 50, 100 has squares 2,500 + 0 + 2,500 = 5,000 / 2 = 2,500. A
cent less on one side is below 50: (3 x 12,498.0001 - 149.99 x 149.99) / 6 = 2,499.50….
Exactly 200 (0, 200, 400: 80,000 / 2 = 40,000) is Variable, a cent less Moderate:
(3 x 199,992.0001 - 599.99 x 599.99) / 6 = 39,998.00….

>>> spread("0", "50", "100")
50.0 | Moderate
>>> spread("0", "50", "99.99")
49.995000083341665 | Consistent
>>> spread("0", "200", "400")
200.0 | Variable
>>> spread("0", "200", "399.99")
199.99500002083386 | Moderate

Equal amounts deviate by exactly 0, also where floats would not add up.

>>> spread("0.10", "0.10", "0.10")
0.0 | Consistent

An amount of 0.00 is a transaction; a declined one and one after as_of are not, whatever
extremes they hold.

>>> atv(("2025-06-01", "0"), ("2025-06-02", "5"))  # squares 6.25 twice, root of 12.5
2.5 | 3.5355339059327378 | 0.00 | 5.00 | 2 | 2.5 | Consistent
>>> atv(("2025-06-30T23:59:59.999999", "5"), ("2025-06-01", "9", "declined"),
...     ("2025-07-01", "1"))
5.0 | 0.0 | 5.00 | 5.00 | 1 | 5.0 | Consistent

Both versions' transactions count: mean (10 + 30) / 2, squares 100 twice, root of 200;
segment, key and date are those of the customer and the run.

>>> on_two_keys = [("2025-05-01", "10", "v1", "Gas"), ("2025-05-02", "30", "v2")]
>>> upgraded = star({"c1": on_two_keys}, versions={"c1": [{}, {}]})
>>> show(answer(metric_avg_transaction_value, upgraded, date(2025, 6, 30)),
...      "customer_key customer_segment avg_transaction_value transaction_value_stddev "
...      "metric_calculated_date")
k1 | Stable Mid-Spenders | 20.0 | 14.142135623730951 | 2025-06-30
>>> atv(("2025-05-01", "9"), versions={"c1": [{"account_open_date": date(2025, 7, 1)}]})
"""

from datetime import date

import pandas as pd

from marts import twin
from reference.arithmetic import ZERO, median, quotient, sample_deviation, total
from reference.customer_segments import segment_row
from reference.history import Customer, Row, customers, frame, once_a_customer

COLUMNS = (
    "customer_id",
    "customer_key",
    "customer_segment",
    "avg_transaction_value",
    "transaction_value_stddev",
    "min_transaction_value",
    "max_transaction_value",
    "transaction_count",
    "median_transaction_value",
    "spending_consistency",
    "metric_calculated_date",
)


@twin("metric_avg_transaction_value")
def metric_avg_transaction_value(
    dim_customer: pd.DataFrame,
    fct_transactions: pd.DataFrame,
    dim_merchant_category: pd.DataFrame,
    as_of: date,
) -> pd.DataFrame:
    """Give one row per customer, ordered by customer_id."""
    known = customers(dim_customer, fct_transactions, dim_merchant_category, as_of)
    return frame([atv_row(customer, as_of) for customer in known], COLUMNS)


@once_a_customer
def atv_row(customer: Customer, as_of: date) -> Row:
    """Give the row of one customer."""
    amounts = customer.amounts
    deviation = sample_deviation(amounts)
    return {
        "customer_id": customer.customer_id,
        "customer_key": customer.customer_key,
        "customer_segment": segment_row(customer, as_of)["customer_segment"],
        "avg_transaction_value": quotient(total(amounts), len(amounts)),
        "transaction_value_stddev": deviation,
        "min_transaction_value": min(amounts, default=ZERO),
        "max_transaction_value": max(amounts, default=ZERO),
        "transaction_count": len(amounts),
        "median_transaction_value": median(amounts),
        "spending_consistency": _consistency(len(amounts), deviation),
        "metric_calculated_date": as_of,
    }


def _consistency(count: int, deviation: float) -> str:
    if count == 0:
        return "No Transactions"
    if deviation < 50:
        return "Consistent"
    if deviation < 200:
        return "Moderate"
    return "Variable"
