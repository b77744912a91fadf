"""Reference calculation of customer_360_profile, with cases worked out on paper.

>>> from reference.example import answer, show, star
>>> def profile(columns, *history, as_of=date(2025, 6, 30), churn=None, **attributes):
...     sources = star({"c1": history}, versions={"c1": [attributes]}, churn=churn)
...     show(answer(customer_360_profile, sources, as_of), columns)

Without a transaction: zeros, nulls, the labels of nothing, and no campaign.

>>> profile("tenure_months lifetime_value ltv_tier avg_transaction_value "
...         "min_transaction_value spending_consistency spend_change_pct active_months "
...         "latest_month latest_month_spend latest_mom_change_pct")
None | 0.00 | <$10K | 0.0 | 0.00 | No Transactions | 0.0 | 0 | None | None | None
>>> profile("latest_mom_trend_category first_transaction_date "
...         "days_since_last_transaction recency_status spending_profile "
...         "credit_utilization_pct churn_risk_score churn_risk_category")
None | None | None | Inactive (90+ days) | Balanced | 0.0 | None | Not Scored
>>> profile("eligible_for_retention_campaign eligible_for_onboarding_campaign "
...         "eligible_for_premium_campaign profile_updated_date")
False | False | False | 2025-06-30

The name is first, space, last. 29 February is day 60 of the 366 of 2024, so 306 are
left, and 30 June is day 181 of 2025: 487 days. An account opened on as_of is 0 days
old, one opened later does not exist.

>>> profile("full_name age card_type credit_limit account_open_date account_age_days",
...         first_name="Grace", last_name="Hopper", age=100, card_type="Premium",
...         credit_limit=Decimal("50000"), account_open_date=date(2024, 2, 29))
Grace Hopper | 100 | Premium | 50000.00 | 2024-02-29 | 487
>>> profile("account_age_days", account_open_date=date(2025, 6, 30))
0
>>> profile("account_age_days", account_open_date=date(2025, 7, 1))

Attributes are those of the current version (the city of the first one is forgotten),
history is that of both: 10 + 30 over 10 days = 4 a day.

>>> upgraded = star({"c1": [("2025-05-01", "10", "v1"), ("2025-05-11", "30", "v2")]},
...                 versions={"c1": [{"city": "Lodi"}, {"card_type": "Premium"}]})
>>> show(answer(customer_360_profile, upgraded, date(2025, 6, 30)),
...      "customer_key city card_type lifetime_value customer_age_days "
...      "avg_spend_per_day")
k1 | Fresno | Premium | 40.00 | 10 | 4.0

Tiers begin at 10,000, 50,000 and 100,000.

>>> profile("ltv_tier", ("2025-06-01", "9999.99"))
<$10K
>>> profile("ltv_tier", ("2025-06-01", "10000"))
$10K-$50K
>>> profile("ltv_tier", ("2025-06-01", "49999.99"))
$10K-$50K
>>> profile("ltv_tier", ("2025-06-01", "50000"))
$50K-$100K
>>> profile("ltv_tier", ("2025-06-01", "99999.99"))
$50K-$100K
>>> profile("ltv_tier", ("2025-06-01", "50000"), ("2025-06-01", "50000"))
$100K+

Recency on 30 June: 31 May is 30 days ago, 30 May 31, 1 May 60 (30 + 30), 30 April 61,
1 April 90, 31 March 91. A declined transaction is not activity.

>>> recency = "days_since_last_transaction recency_status"
>>> profile(recency, ("2025-06-30T23:59:59.999999", "1"), ("2025-07-01", "1"))
0 | Active (30 days)
>>> profile(recency, ("2025-05-31", "1"), ("2025-06-30", "1", "declined"))
30 | Active (30 days)
>>> profile(recency, ("2025-05-30T23:59:59.999999", "1"))
31 | Recent (60 days)
>>> profile(recency, ("2025-05-01", "1"))
60 | Recent (60 days)
>>> profile(recency, ("2025-04-30", "1"))
61 | At Risk (90 days)
>>> profile(recency, ("2025-04-01", "1"))
90 | At Risk (90 days)
>>> profile(recency, ("2025-03-31", "1"))
91 | Inactive (90+ days)

The latest active month, 3 active ones of 5: (15 - 20) / 20 = -25 %. A first month has
no change; after a month of 0 there is no baseline.

>>> latest = ("active_months latest_month latest_month_spend latest_mom_change_pct "
...           "latest_mom_trend_category")
>>> profile(latest, ("2025-01-09", "5"), ("2025-03-09", "20"), ("2025-05-09", "15"))
3 | 2025-05-01 | 15.00 | -25.0 | Decline
>>> profile(latest, ("2025-05-09", "15"))
1 | 2025-05-01 | 15.00 | None | First Month
>>> profile(latest, ("2025-04-09", "0"), ("2025-05-09", "15"))
2 | 2025-05-01 | 15.00 | None | No Baseline

Travel is asked first: 25 of 100 travel and 60 of 100 necessities is Travel-Focused.

>>> preferences = "travel_spend_pct necessities_spend_pct spending_profile"
>>> profile(preferences, ("2025-06-01", "25", "Travel"), ("2025-06-01", "60", "Gas"),
...         ("2025-06-01", "15"))
25.0 | 60.0 | Travel-Focused
>>> profile(preferences, ("2025-06-01", "24.99", "Hotels"), ("2025-06-01", "60", "Gas"),
...         ("2025-06-01", "15.01", "unknown category"))
24.99 | 60.0 | Necessity-Focused
>>> profile(preferences, ("2025-06-01", "59.99", "Gas"),
...         ("2025-06-01", "40.01", "Retail"))
0.0 | 59.99 | Balanced

Utilisation: 3,000 in the last 90 days is 1,000 a month, of 8,000 it is 12.5 %; what was
spent 91 days ago does not count; a limit of 0 gives 0.

>>> utilisation = "spend_last_90_days avg_monthly_spend credit_utilization_pct"
>>> profile(utilisation, ("2025-04-01", "3000"), ("2025-03-31", "6000"),
...         credit_limit=Decimal("8000"))
3000.00 | 1000.0 | 12.5
>>> profile(utilisation, ("2025-04-01", "3000"), credit_limit=Decimal("0"))
3000.00 | 1000.0 | 0.0

Churn: High from 70, Medium from 40, Low below; a score of 0 is a score. With an empty
table and with somebody else's score the customer is not scored.

>>> risk = "churn_risk_score churn_risk_category eligible_for_retention_campaign"
>>> profile(risk, churn={"c1": 70.0})
70.0 | High Risk | True
>>> profile(risk, churn={"c1": 69.9})
69.9 | Medium Risk | False
>>> profile(risk, churn={"c1": 40.0})
40.0 | Medium Risk | False
>>> profile(risk, churn={"c1": 39.9})
39.9 | Low Risk | False
>>> profile(risk, churn={"c1": 0.0})
0.0 | Low Risk | False
>>> profile(risk, churn={})
None | Not Scored | False
>>> profile(risk, churn={"c2": 100.0})
None | Not Scored | False

Campaigns follow the segment: 2,000 to 1,400 declines by 30 %, 100 to 150 in the first
half year grows by 50 %, 15,000 of travel in 90 days is 5,000 a month.

>>> campaigns = ("customer_segment eligible_for_retention_campaign "
...              "eligible_for_onboarding_campaign eligible_for_premium_campaign")
>>> profile(campaigns, ("2025-02-01", "2000"), ("2025-06-01", "1400"))
Declining | True | False | False
>>> profile(campaigns, ("2025-02-01", "100"), ("2025-06-01", "150"))
New & Growing | False | True | False
>>> profile(campaigns, ("2025-06-01", "15000", "Airlines"), churn={"c1": 100.0})
High-Value Travelers | True | False | True
"""

from datetime import date
from decimal import Decimal

import pandas as pd

from marts import twin
from reference.customer_segments import segment_row
from reference.history import Customer, Row, customers, frame, once_a_customer
from reference.metric_avg_transaction_value import atv_row
from reference.metric_customer_ltv import ltv_row
from reference.metric_mom_spend_change import month_rows

COLUMNS = (
    # identifiers
    "customer_id",
    "customer_key",
    # demographics
    "full_name",
    "first_name",
    "last_name",
    "email",
    "age",
    "state",
    "city",
    "employment_status",
    # account
    "card_type",
    "credit_limit",
    "account_open_date",
    "account_age_days",
    # segmentation
    "customer_segment",
    "segment_assigned_date",
    "tenure_months",
    # lifetime
    "lifetime_value",
    "total_transactions",
    "customer_age_days",
    "avg_spend_per_day",
    "ltv_tier",
    # average transaction
    "avg_transaction_value",
    "transaction_value_stddev",
    "min_transaction_value",
    "max_transaction_value",
    "median_transaction_value",
    "spending_consistency",
    # recent activity
    "spend_last_90_days",
    "spend_prior_90_days",
    "spend_change_pct",
    "avg_monthly_spend",
    # month over month
    "active_months",
    "latest_month",
    "latest_month_spend",
    "latest_mom_change_pct",
    "latest_mom_trend_category",
    # timeline
    "first_transaction_date",
    "last_transaction_date",
    "days_since_last_transaction",
    "recency_status",
    # preferences
    "travel_spend_pct",
    "necessities_spend_pct",
    "spending_profile",
    "credit_utilization_pct",
    # churn
    "churn_risk_score",
    "churn_risk_category",
    # campaigns
    "eligible_for_retention_campaign",
    "eligible_for_onboarding_campaign",
    "eligible_for_premium_campaign",
    # metadata
    "profile_updated_date",
)
FROM_DIMENSION = (
    "first_name",
    "last_name",
    "email",
    "age",
    "state",
    "city",
    "employment_status",
    "card_type",
    "credit_limit",
    "account_open_date",
)


@twin("customer_360_profile")
def customer_360_profile(
    dim_customer: pd.DataFrame,
    fct_transactions: pd.DataFrame,
    dim_merchant_category: pd.DataFrame,
    churn_predictions: pd.DataFrame,
    as_of: date,
) -> pd.DataFrame:
    """Give one row per customer, ordered by customer_id."""
    known = customers(
        dim_customer, fct_transactions, dim_merchant_category, as_of, churn_predictions
    )
    return frame([profile_row(customer, as_of) for customer in known], COLUMNS)


@once_a_customer
def profile_row(customer: Customer, as_of: date) -> Row:
    """Give the row of one customer: what the other marts say of it, and what is new."""
    known = {
        **{column: customer.attributes[column] for column in FROM_DIMENSION},
        **segment_row(customer, as_of),
        **ltv_row(customer, as_of),
        **atv_row(customer, as_of),
    }
    row = {
        **{column: value for column, value in known.items() if column in COLUMNS},
        **_latest_month(customer, as_of),
        **_churn_and_campaigns(customer.churn_risk_score, known["customer_segment"]),
    }
    last_day = customer.last_day
    days_since = None if last_day is None else (as_of - last_day).days
    row["full_name"] = row["first_name"] + " " + row["last_name"]
    row["account_age_days"] = (as_of - row["account_open_date"]).days
    row["ltv_tier"] = _ltv_tier(row["lifetime_value"])
    row["days_since_last_transaction"] = days_since
    row["recency_status"] = _recency(days_since)
    row["spending_profile"] = _spending_profile(
        row["travel_spend_pct"], row["necessities_spend_pct"]
    )
    row["credit_utilization_pct"] = _utilization_pct(row["spend_last_90_days"], row["credit_limit"])
    row["profile_updated_date"] = as_of
    return row


def _latest_month(customer: Customer, as_of: date) -> Row:
    months = month_rows(customer, as_of)
    latest = months[-1] if months else {}
    return {
        "active_months": len(months),
        "latest_month": latest.get("month"),
        "latest_month_spend": latest.get("monthly_spend"),
        "latest_mom_change_pct": latest.get("mom_change_pct"),
        "latest_mom_trend_category": latest.get("mom_trend_category"),
    }


def _churn_and_campaigns(score: float | None, segment: str) -> Row:
    is_high_risk = score is not None and score >= 70
    return {
        "churn_risk_score": score,
        "churn_risk_category": _churn_category(score),
        "eligible_for_retention_campaign": segment == "Declining" or is_high_risk,
        "eligible_for_onboarding_campaign": segment == "New & Growing",
        "eligible_for_premium_campaign": segment == "High-Value Travelers",
    }


def _churn_category(score: float | None) -> str:
    if score is None:
        return "Not Scored"
    if score >= 70:
        return "High Risk"
    if score >= 40:
        return "Medium Risk"
    return "Low Risk"


def _ltv_tier(lifetime_value: Decimal) -> str:
    if lifetime_value < 10_000:
        return "<$10K"
    if lifetime_value < 50_000:
        return "$10K-$50K"
    if lifetime_value < 100_000:
        return "$50K-$100K"
    return "$100K+"


def _recency(days_since_last: int | None) -> str:
    if days_since_last is None or days_since_last > 90:
        return "Inactive (90+ days)"
    if days_since_last > 60:
        return "At Risk (90 days)"
    if days_since_last > 30:
        return "Recent (60 days)"
    return "Active (30 days)"


def _spending_profile(travel_pct: float, necessities_pct: float) -> str:
    if travel_pct >= 25:
        return "Travel-Focused"
    if necessities_pct >= 60:
        return "Necessity-Focused"
    return "Balanced"


def _utilization_pct(spend_last_90_days: Decimal, credit_limit: Decimal) -> float:
    if credit_limit <= 0:
        return 0.0
    return (float(spend_last_90_days) / 3) / float(credit_limit) * 100
