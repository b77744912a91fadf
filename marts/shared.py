"""Columns and checks that several marts share, declared once."""

import ibis

from marts import AsOf, Table, date, float64, int64, money, relationship, string, table_check

CUSTOMER_ID = string("customer_id")
CUSTOMER_KEY = string("customer_key", varies_with="attribute")
CUSTOMER_SEGMENT = string(
    "customer_segment",
    values=[
        "High-Value Travelers",
        "Declining",
        "New & Growing",
        "Budget-Conscious",
        "Stable Mid-Spenders",
    ],
    varies_with=("judged", "history"),
)
SEGMENT_ASSIGNED_DATE = date("segment_assigned_date")
METRIC_CALCULATED_DATE = date("metric_calculated_date")

LIFETIME_VALUE = money("lifetime_value", at_least=0, varies_with=("sum", "history"))
TOTAL_TRANSACTIONS = int64("total_transactions", at_least=0, varies_with=("count", "history"))
CUSTOMER_AGE_DAYS = int64("customer_age_days", at_least=0, varies_with="history")
AVG_SPEND_PER_DAY = float64("avg_spend_per_day", at_least=0, varies_with=("sum", "history"))
FIRST_TRANSACTION_DATE = date("first_transaction_date", null=True, varies_with="history")
LAST_TRANSACTION_DATE = date("last_transaction_date", null=True)
TENURE_MONTHS = int64("tenure_months", null=True, at_least=0, varies_with="history")

AVG_TRANSACTION_VALUE = float64(
    "avg_transaction_value", at_least=0, varies_with=("level", "history")
)
TRANSACTION_VALUE_STDDEV = float64(
    "transaction_value_stddev", at_least=0, varies_with=("spread", "history")
)
MIN_TRANSACTION_VALUE = money("min_transaction_value", at_least=0, varies_with=("level", "history"))
MAX_TRANSACTION_VALUE = money("max_transaction_value", at_least=0, varies_with=("level", "history"))
MEDIAN_TRANSACTION_VALUE = float64(
    "median_transaction_value", at_least=0, varies_with=("level", "history")
)
SPENDING_CONSISTENCY = string(
    "spending_consistency",
    values=["No Transactions", "Consistent", "Moderate", "Variable"],
    varies_with=("judged", "history"),
)

SPEND_LAST_90_DAYS = money("spend_last_90_days", at_least=0)
SPEND_PRIOR_90_DAYS = money("spend_prior_90_days", at_least=0)
SPEND_CHANGE_PCT = float64("spend_change_pct", at_least=-100)
AVG_MONTHLY_SPEND = float64("avg_monthly_spend", at_least=0, varies_with="sum")
TRAVEL_SPEND_PCT = float64("travel_spend_pct", at_least=0, at_most=100, varies_with="history")
NECESSITIES_SPEND_PCT = float64(
    "necessities_spend_pct", at_least=0, at_most=100, varies_with="history"
)

MOM_TREND_CATEGORIES = (
    "First Month",
    "No Baseline",
    "High Growth",
    "Growth",
    "Flat",
    "Decline",
    "High Decline",
)


def _not_exactly_once(this: Table, dim_customer: Table, as_of: AsOf) -> Table:
    exist = dim_customer.filter(
        dim_customer.is_current, dim_customer.account_open_date <= as_of.date
    ).select("customer_id")
    both = exist.outer_join(
        this.select(row_customer_id=this.customer_id), exist.customer_id == this.customer_id
    )
    return both.filter(both.customer_id.isnull() | both.row_customer_id.isnull())


EXACTLY_THE_CUSTOMERS = table_check("exactly_the_customers", offending=_not_exactly_once)
"""The rows of a customer-grain mart are the customers that exist at as_of, no more, no fewer."""


def _after_as_of(this: Table, as_of: AsOf) -> Table:
    days = [this[name] for name, kind in this.schema().items() if kind.is_date()]
    return this.filter(ibis.or_(*(day > as_of.date for day in days)))


NO_DATE_AFTER_AS_OF = table_check("no_date_after_as_of", offending=_after_as_of)
"""A run for a past date gives the answer of that day."""

CUSTOMER_KEY_IS_CURRENT = relationship(
    "customer_key", to="dim_customer.customer_key", to_where=lambda d: d.is_current
)
