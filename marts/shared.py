"""Columns and checks that several marts share, declared once."""

import ibis
from ibis import _

from marts import (
    AsOf,
    Table,
    date,
    float64,
    int64,
    labels,
    money,
    relationship,
    string,
    table_check,
)

# What columns vary with. marts/invariants.py changes the sources; with these words a column
# declares to which of the changes it responds.

SUM_OF_AMOUNTS = "sum"
LEVEL_OF_AMOUNTS = "level"
"""Means, medians and extremes: they stay the same if every transaction occurs twice."""
SPREAD_OF_AMOUNTS = "spread"
"""Standard deviations."""
NUMBER_OF_TRANSACTIONS = "count"
MONEY_THRESHOLD = "money_threshold"
"""Labels and flags that compare money with a constant."""
ALL_HISTORY = "history"
"""Anything computed from all transactions up to as_of, however old."""
CURRENT_VERSION = "current_version"
"""Attributes of the customer's current version."""
AMONG_CUSTOMERS = "among_customers"
"""A customer's rank among others."""

# Identifiers and dates

customer_id = string("customer_id", doc="the customer, whatever the version")
customer_key = string(
    "customer_key", doc="the customer's current version", varies_with=CURRENT_VERSION
)
metric_calculated_date = date("metric_calculated_date", doc="as_of")
segment_assigned_date = date("segment_assigned_date", doc="as_of")

# Lifetime. Amounts are in the portfolio's currency; only approved transactions up to as_of
# count.

lifetime_value = money(
    "lifetime_value",
    doc="sum of amounts; 0 without transactions",
    default=0,
    at_least=0,
    varies_with=(SUM_OF_AMOUNTS, ALL_HISTORY),
)
total_transactions = int64(
    "total_transactions",
    doc="number of transactions",
    default=0,
    at_least=0,
    varies_with=(NUMBER_OF_TRANSACTIONS, ALL_HISTORY),
)
first_transaction_date = date(
    "first_transaction_date",
    doc="day of the first transaction; null without transactions",
    null=True,
    varies_with=ALL_HISTORY,
)
last_transaction_date = date(
    "last_transaction_date", doc="day of the last transaction; null without transactions", null=True
)
customer_age_days = int64(
    "customer_age_days",
    doc="days from first to last transaction; 0 without transactions",
    default=0,
    at_least=0,
    varies_with=ALL_HISTORY,
)
avg_spend_per_day = float64(
    "avg_spend_per_day",
    doc="lifetime_value / customer_age_days; 0 where the age is 0",
    default=0,
    at_least=0,
    varies_with=(SUM_OF_AMOUNTS, ALL_HISTORY),
)

# Transactions

avg_transaction_value = float64(
    "avg_transaction_value",
    doc="mean amount; 0 without transactions",
    default=0,
    at_least=0,
    varies_with=(LEVEL_OF_AMOUNTS, ALL_HISTORY),
)
transaction_value_stddev = float64(
    "transaction_value_stddev",
    doc="sample standard deviation of amounts; 0 with fewer than two transactions",
    default=0,
    at_least=0,
    varies_with=(SPREAD_OF_AMOUNTS, ALL_HISTORY),
)
min_transaction_value = money(
    "min_transaction_value",
    doc="smallest amount; 0 without transactions",
    default=0,
    at_least=0,
    varies_with=(LEVEL_OF_AMOUNTS, ALL_HISTORY),
)
max_transaction_value = money(
    "max_transaction_value",
    doc="largest amount; 0 without transactions",
    default=0,
    at_least=0,
    varies_with=(LEVEL_OF_AMOUNTS, ALL_HISTORY),
)
median_transaction_value = float64(
    "median_transaction_value",
    doc="continuous median, the mean of the two middle amounts; 0 without transactions",
    default=0,
    at_least=0,
    varies_with=(LEVEL_OF_AMOUNTS, ALL_HISTORY),
)
spending_consistency = labels(
    "spending_consistency",
    (_.total_transactions == 0, "No Transactions"),
    (_.transaction_value_stddev < 50, "Consistent"),
    (_.transaction_value_stddev < 200, "Moderate"),
    else_="Variable",
    varies_with=(MONEY_THRESHOLD, ALL_HISTORY),
)

# Windows of 90 days, month over month, and segments

spend_last_90_days = money(
    "spend_last_90_days",
    doc="sum of amounts from as_of - 90 days through as_of; 0 without any",
    default=0,
    at_least=0,
)
spend_prior_90_days = money(
    "spend_prior_90_days",
    doc="sum of amounts from as_of - 180 days up to, not including, as_of - 90 days; 0 without any",
    default=0,
    at_least=0,
)
spend_change_pct = float64(
    "spend_change_pct",
    doc="(spend_last_90_days - spend_prior_90_days) / spend_prior_90_days x 100;"
    " 0 where the prior is 0",
    default=0,
    at_least=-100,
)
avg_monthly_spend = float64(
    "avg_monthly_spend", doc="spend_last_90_days / 3", at_least=0, varies_with=SUM_OF_AMOUNTS
)
travel_spend_pct = float64(
    "travel_spend_pct",
    doc="share of lifetime spend in Travel, Airlines and Hotels; 0 without spend",
    default=0,
    at_least=0,
    at_most=100,
    varies_with=ALL_HISTORY,
)
necessities_spend_pct = float64(
    "necessities_spend_pct",
    doc="share of lifetime spend in Grocery, Gas and Utilities; 0 without spend",
    default=0,
    at_least=0,
    at_most=100,
    varies_with=ALL_HISTORY,
)
tenure_months = int64(
    "tenure_months",
    doc="month boundaries crossed from the first transaction to as_of; null without transactions",
    null=True,
    at_least=0,
    varies_with=ALL_HISTORY,
)
mom_trend_category = labels(
    "mom_trend_category",
    (_.month_number == 1, "First Month"),
    (_.mom_change_pct.isnull(), "No Baseline"),
    (_.mom_change_pct > 50, "High Growth"),
    (_.mom_change_pct > 0, "Growth"),
    (_.mom_change_pct == 0, "Flat"),
    (_.mom_change_pct > -30, "Decline"),
    else_="High Decline",
    varies_with=ALL_HISTORY,
)
customer_segment = labels(
    "customer_segment",
    ((_.avg_monthly_spend >= 5000) & (_.travel_spend_pct >= 25), "High-Value Travelers"),
    ((_.spend_change_pct <= -30) & (_.spend_prior_90_days >= 2000), "Declining"),
    ((_.tenure_months <= 6) & (_.spend_change_pct >= 50), "New & Growing"),
    ((_.avg_monthly_spend < 1500) & (_.necessities_spend_pct >= 60), "Budget-Conscious"),
    else_="Stable Mid-Spenders",
    doc="the first rule that holds",
    varies_with=(MONEY_THRESHOLD, ALL_HISTORY),
)

# The current version's attributes, and the score

full_name = string(
    "full_name",
    doc="first name, a space, last name",
    personal="name",
    varies_with=CURRENT_VERSION,
)
email = string("email", personal="email", varies_with=CURRENT_VERSION)
churn_risk_score = float64(
    "churn_risk_score",
    doc="0 to 100, from the model; null where it has not scored the customer",
    null=True,
    at_least=0,
    at_most=100,
)

# Summaries over customers

ACTIVE = "Active (30 days)"
"""The recency_status of customers that count as active."""

summary_date = date("summary_date", doc="as_of")
total_lifetime_value = money(
    "total_lifetime_value",
    doc="sum of the customers' lifetime_value",
    default=0,
    at_least=0,
    varies_with=(SUM_OF_AMOUNTS, ALL_HISTORY),
)
avg_lifetime_value = float64(
    "avg_lifetime_value",
    doc="total_lifetime_value / customers; 0 without customers",
    default=0,
    at_least=0,
    varies_with=(SUM_OF_AMOUNTS, ALL_HISTORY),
)
mean_of_avg_transaction_values = float64(
    "avg_transaction_value",
    doc="mean of the customers' avg_transaction_value; 0 without customers",
    default=0,
    at_least=0,
    varies_with=(LEVEL_OF_AMOUNTS, ALL_HISTORY),
)
active_customers = int64(
    "active_customers", doc="customers of recency_status Active (30 days)", default=0, at_least=0
)


# Checks


def _missing_or_unexpected(this: Table, dim_customer: Table, as_of: AsOf) -> Table:
    """Return the customers that exist without a row, and the rows without such a customer."""
    exist = dim_customer.filter(
        dim_customer.is_current, dim_customer.account_open_date <= as_of.date
    ).select("customer_id")
    both = exist.outer_join(
        this.select(row_customer_id=this.customer_id), exist.customer_id == this.customer_id
    )
    return both.filter(both.customer_id.isnull() | both.row_customer_id.isnull())


exactly_the_customers = table_check("exactly_the_customers", offending=_missing_or_unexpected)
"""A customer-grain mart has a row for each customer that exists at as_of, and no other row."""


def _after_as_of(this: Table, as_of: AsOf) -> Table:
    """Return the rows that have a date after as_of in any column."""
    days = [this[name] for name, kind in this.schema().items() if kind.is_date()]
    return this.filter(ibis.or_(*(day > as_of.date for day in days)))


no_date_after_as_of = table_check("no_date_after_as_of", offending=_after_as_of)
"""A run for a past date gives the answer of that day, so no date is later."""

customer_key_is_current = relationship(
    "customer_key", to="dim_customer.customer_key", to_where=lambda d: d.is_current
)
"""The customer_key is that of a current version."""
