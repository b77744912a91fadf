"""Reference calculation of campaign_audiences, with cases worked out on paper.

>>> from reference.example import answer, show, star
>>> def audiences(columns, histories, as_of=date(2025, 6, 30), **more):
...     show(answer(campaign_audiences, star(histories, **more), as_of), columns)

Nobody, and somebody whom no campaign may reach.

>>> who = "campaign customer_id priority_rank"
>>> audiences(who, {})
>>> audiences(who, {"c1": [("2025-06-01", "5")]})

One of each: 2,000 to 1,400 declines by 30 %, 100 to 150 in the first half year grows by
50 %, 15,000 of travel in 90 days is 5,000 a month.

>>> declining = [("2025-02-01", "2000"), ("2025-06-01", "1400")]
>>> growing = [("2025-02-01", "100"), ("2025-06-01", "150")]
>>> travelling = [("2025-06-01", "15000", "Airlines")]
>>> audiences("campaign customer_id customer_segment lifetime_value spend_change_pct "
...           "avg_monthly_spend churn_risk_score priority_rank audience_date",
...           {"c1": declining, "c2": growing, "c3": travelling})
Onboarding | c2 | New & Growing | 250.00 | 50.0 | 50.0 | None | 1 | 2025-06-30
Premium | c3 | High-Value Travelers | 15000.00 | 0.0 | 5000.0 | None | 1 | 2025-06-30
Retention | c1 | Declining | 3400.00 | -30.0 | 466.6666666666667 | None | 1 | 2025-06-30
>>> audiences("full_name email", {"c1": declining},
...           versions={"c1": [{"first_name": "Grace", "last_name": "Hopper",
...                             "email": "grace@example.com"}]})
Grace Hopper | grace@example.com

Retention goes by lifetime value: c2 has spent 4,400, c1 and c3 3,400 each, so their ids
decide; c4 is there for its score of 70 alone, with 5, and c5's 69.9 is too low.

>>> audiences(who, {"c1": declining, "c2": [("2024-01-01", "1000"), *declining],
...                 "c3": declining, "c4": [("2025-06-01", "5")], "c5": []},
...           churn={"c4": 70.0, "c5": 69.9})
Retention | c1 | 2
Retention | c2 | 1
Retention | c3 | 3
Retention | c4 | 4

With a score of 70 alone, without any transaction, all figures are 0.

>>> audiences("campaign lifetime_value spend_change_pct avg_monthly_spend", {"c1": []},
...           churn={"c1": 70.0})
Retention | 0.00 | 0.0 | 0.0

Onboarding goes by the change, not by value: c1 grows by 50 %, c2 from 1 to 2 by 100 %.

>>> audiences(who, {"c1": growing, "c2": [("2025-02-01", "1"), ("2025-06-01", "2")]})
Onboarding | c1 | 2
Onboarding | c2 | 1

Premium goes by what is spent now: c1 has spent 30,000, of which 15,000 in the last 90
days, c2 18,000, all of it now.

>>> audiences("campaign customer_id avg_monthly_spend lifetime_value priority_rank",
...           {"c1": [("2024-01-01", "15000", "Hotels"), *travelling],
...            "c2": [("2025-06-01", "18000", "Travel")]})
Premium | c1 | 5000.0 | 30000.00 | 2
Premium | c2 | 6000.0 | 18000.00 | 1

A customer may be in two audiences, with a rank in each.

>>> audiences(f"{who} churn_risk_score", {"c1": travelling, "c2": declining},
...           churn={"c1": 70.0})
Premium | c1 | 1 | 70.0
Retention | c1 | 1 | 70.0
Retention | c2 | 2 | None

A customer of tomorrow is in none, and a run for a past date gives that day's answer.

>>> audiences(who, {"c1": travelling},
...           versions={"c1": [{"account_open_date": date(2025, 7, 1)}]})
>>> audiences("campaign audience_date", {"c1": travelling}, as_of=date(2025, 6, 1))
Premium | 2025-06-01
"""

from datetime import date

import pandas as pd

from marts import twin
from reference.customer_360_profile import profile_row
from reference.history import Row, customers, frame

COLUMNS = (
    "campaign",
    "customer_id",
    "full_name",
    "email",
    "customer_segment",
    "lifetime_value",
    "spend_change_pct",
    "avg_monthly_spend",
    "churn_risk_score",
    "priority_rank",
    "audience_date",
)
FROM_PROFILE = COLUMNS[1:9]
CAMPAIGNS = {
    "Onboarding": ("eligible_for_onboarding_campaign", "spend_change_pct"),
    "Premium": ("eligible_for_premium_campaign", "avg_monthly_spend"),
    "Retention": ("eligible_for_retention_campaign", "lifetime_value"),
}


@twin("campaign_audiences")
def campaign_audiences(
    dim_customer: pd.DataFrame,
    fct_transactions: pd.DataFrame,
    dim_merchant_category: pd.DataFrame,
    churn_predictions: pd.DataFrame,
    as_of: date,
) -> pd.DataFrame:
    """Give one row per campaign and customer, ordered by both."""
    known = customers(
        dim_customer, fct_transactions, dim_merchant_category, as_of, churn_predictions
    )
    profiles = [profile_row(customer, as_of) for customer in known]
    rows: list[Row] = []
    for campaign, (eligible, value) in CAMPAIGNS.items():
        audience = [profile for profile in profiles if profile[eligible]]
        best_first = sorted(audience, key=lambda row: (-row[value], row["customer_id"]))
        ranks = {row["customer_id"]: rank for rank, row in enumerate(best_first, start=1)}
        rows.extend(
            {
                "campaign": campaign,
                **{column: profile[column] for column in FROM_PROFILE},
                "priority_rank": ranks[profile["customer_id"]],
                "audience_date": as_of,
            }
            for profile in audience
        )
    return frame(rows, COLUMNS)
