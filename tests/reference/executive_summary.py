"""Reference calculation of executive_summary, with cases worked out on paper.

>>> from reference.example import answer, show, star
>>> def summary(columns, histories, as_of=date(2025, 6, 30), **more):
...     show(answer(executive_summary, star(histories, **more), as_of), columns)

There is always one row, of zeros without a customer.

>>> everything = ("summary_date customers total_lifetime_value avg_lifetime_value "
...               "avg_transaction_value active_customers eligible_for_retention "
...               "eligible_for_onboarding eligible_for_premium")
>>> summary(everything, {})
2025-06-30 | 0 | 0.00 | 0.0 | 0.0 | 0 | 0 | 0 | 0
>>> summary(everything, {"c1": []})
2025-06-30 | 1 | 0.00 | 0.0 | 0.0 | 0 | 0 | 0 | 0

The averages of 1 and 3, of 8 and of nothing are 2, 8 and 0, their mean is 10 / 3;
lifetime values are 4 + 8 + 0 = 12, over three customers 4.

>>> figures = "customers total_lifetime_value avg_lifetime_value avg_transaction_value"
>>> three = {"c1": [("2025-06-02", "1"), ("2025-06-03", "3")],
...          "c2": [("2025-06-04", "8")], "c3": []}
>>> summary(figures, three)
3 | 12.00 | 4.0 | 3.3333333333333335

Active: 31 May is 30 days before 30 June, 30 May is 31 days.

>>> summary("active_customers", {"c1": [("2025-05-31", "1")],
...                              "c2": [("2025-05-30", "1")], "c3": []})
1

c1 declines by 30 % from 2,000, c2 has a score of 70, c3 grows by 50 % in its first half
year, c4 travels for 5,000 a month; with a score of 70 c4 is in two audiences.

>>> eligible = "eligible_for_retention eligible_for_onboarding eligible_for_premium"
>>> of_each = {"c1": [("2025-02-01", "2000"), ("2025-06-01", "1400")], "c2": [],
...            "c3": [("2025-02-01", "100"), ("2025-06-01", "150")],
...            "c4": [("2025-06-01", "15000", "Airlines")]}
>>> summary(eligible, of_each, churn={"c2": 70.0})
2 | 1 | 1
>>> summary(eligible, of_each, churn={"c2": 69.9, "c4": 70.0})
2 | 1 | 1
>>> summary(eligible, of_each)
1 | 1 | 1

A customer of tomorrow does not exist, and a run for a past date gives that day's answer.

>>> later = {"c1": [{}], "c2": [{"account_open_date": date(2025, 7, 1)}]}
>>> summary(figures, {"c1": [("2025-06-01", "1")], "c2": [("2025-06-01", "5")]},
...         versions=later)
1 | 1.00 | 1.0 | 1.0
>>> summary("summary_date total_lifetime_value",
...         {"c1": [("2025-06-01", "1"), ("2025-06-02", "5")]}, as_of=date(2025, 6, 1))
2025-06-01 | 1.00
"""

from datetime import date

import pandas as pd

from marts import twin
from reference.customer_360_profile import profile_row
from reference.history import customers, frame
from reference.segment_summary import summary_of

COLUMNS = (
    "summary_date",
    "customers",
    "total_lifetime_value",
    "avg_lifetime_value",
    "avg_transaction_value",
    "active_customers",
    "eligible_for_retention",
    "eligible_for_onboarding",
    "eligible_for_premium",
)


@twin("executive_summary")
def executive_summary(
    dim_customer: pd.DataFrame,
    fct_transactions: pd.DataFrame,
    dim_merchant_category: pd.DataFrame,
    churn_predictions: pd.DataFrame,
    as_of: date,
) -> pd.DataFrame:
    """Give one row."""
    known = customers(
        dim_customer, fct_transactions, dim_merchant_category, as_of, churn_predictions
    )
    profiles = [profile_row(customer, as_of) for customer in known]
    eligible = {
        f"eligible_for_{campaign}": sum(
            profile[f"eligible_for_{campaign}_campaign"] for profile in profiles
        )
        for campaign in ("retention", "onboarding", "premium")
    }
    row = {"summary_date": as_of, **summary_of(known, as_of), **eligible}
    return frame([row], COLUMNS)
