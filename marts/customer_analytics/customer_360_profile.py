"""The denormalised view of a customer that applications read."""

import ibis
from ibis.expr.types import NumericColumn, StringColumn

from marts import (
    AsOf,
    Table,
    acknowledge,
    boolean,
    date,
    float64,
    int64,
    mart,
    money,
    percent,
    row_check,
    string,
    table_check,
)
from marts.shared import (
    AVG_MONTHLY_SPEND,
    AVG_SPEND_PER_DAY,
    AVG_TRANSACTION_VALUE,
    CUSTOMER_AGE_DAYS,
    CUSTOMER_ID,
    CUSTOMER_KEY,
    CUSTOMER_SEGMENT,
    EXACTLY_THE_CUSTOMERS,
    FIRST_TRANSACTION_DATE,
    LAST_TRANSACTION_DATE,
    LIFETIME_VALUE,
    MAX_TRANSACTION_VALUE,
    MEDIAN_TRANSACTION_VALUE,
    MIN_TRANSACTION_VALUE,
    MOM_TREND_CATEGORIES,
    NECESSITIES_SPEND_PCT,
    NO_DATE_AFTER_AS_OF,
    SEGMENT_ASSIGNED_DATE,
    SPEND_CHANGE_PCT,
    SPEND_LAST_90_DAYS,
    SPEND_PRIOR_90_DAYS,
    SPENDING_CONSISTENCY,
    TENURE_MONTHS,
    TOTAL_TRANSACTIONS,
    TRANSACTION_VALUE_STDDEV,
    TRAVEL_SPEND_PCT,
)


def _other_figures(
    this: Table,
    metric_customer_ltv: Table,
    metric_avg_transaction_value: Table,
    customer_segments: Table,
) -> Table:
    """Return the customers of whom another mart says something else."""
    both, copies = this, dict[str, str]()
    for other in (metric_customer_ltv, metric_avg_transaction_value, customer_segments):
        same = [name for name in this.columns if name in other.columns and name != "customer_id"]
        its = {f"{name}_{len(copies)}": name for name in same}
        both = both.inner_join(other.select("customer_id", **its), "customer_id")
        copies |= its
    alike = (both[name].identical_to(both[copy]) for copy, name in copies.items())
    return both.filter(~ibis.and_(*alike))


@mart(
    grain="customer_id",
    tags=["profile"],
    columns=[
        # identifiers
        CUSTOMER_ID,
        CUSTOMER_KEY,
        # demographics
        string("full_name", varies_with="attribute"),
        string("first_name", varies_with="attribute"),
        string("last_name", varies_with="attribute"),
        string("email", varies_with="attribute"),
        int64("age", at_least=18, at_most=100, varies_with="attribute"),
        string("state", varies_with="attribute"),
        string("city", varies_with="attribute"),
        string("employment_status", varies_with="attribute"),
        # account
        string("card_type", values=["Standard", "Premium"], varies_with="attribute"),
        money("credit_limit", at_least=5_000, at_most=50_000, varies_with="attribute"),
        date("account_open_date"),
        int64("account_age_days", at_least=0),
        # segmentation
        CUSTOMER_SEGMENT,
        SEGMENT_ASSIGNED_DATE,
        TENURE_MONTHS,
        # lifetime
        LIFETIME_VALUE,
        TOTAL_TRANSACTIONS,
        CUSTOMER_AGE_DAYS,
        AVG_SPEND_PER_DAY,
        string(
            "ltv_tier",
            values=["<$10K", "$10K-$50K", "$50K-$100K", "$100K+"],
            varies_with=("judged", "history"),
        ),
        # average transaction
        AVG_TRANSACTION_VALUE,
        TRANSACTION_VALUE_STDDEV,
        MIN_TRANSACTION_VALUE,
        MAX_TRANSACTION_VALUE,
        MEDIAN_TRANSACTION_VALUE,
        SPENDING_CONSISTENCY,
        # recent activity
        SPEND_LAST_90_DAYS,
        SPEND_PRIOR_90_DAYS,
        SPEND_CHANGE_PCT,
        AVG_MONTHLY_SPEND,
        # month over month
        int64("active_months", at_least=0, varies_with="history"),
        date("latest_month", null=True),
        money("latest_month_spend", null=True, at_least=0),
        float64("latest_mom_change_pct", null=True, at_least=-100, varies_with="history"),
        string(
            "latest_mom_trend_category",
            null=True,
            values=MOM_TREND_CATEGORIES,
            varies_with="history",
        ),
        # timeline
        FIRST_TRANSACTION_DATE,
        LAST_TRANSACTION_DATE,
        int64("days_since_last_transaction", null=True, at_least=0),
        string(
            "recency_status",
            values=[
                "Active (30 days)",
                "Recent (60 days)",
                "At Risk (90 days)",
                "Inactive (90+ days)",
            ],
        ),
        # preferences
        TRAVEL_SPEND_PCT,
        NECESSITIES_SPEND_PCT,
        string(
            "spending_profile",
            values=["Travel-Focused", "Necessity-Focused", "Balanced"],
            varies_with="history",
        ),
        float64("credit_utilization_pct", at_least=0, varies_with=("sum", "attribute")),
        # churn
        float64("churn_risk_score", null=True, at_least=0, at_most=100),
        string(
            "churn_risk_category", values=["High Risk", "Medium Risk", "Low Risk", "Not Scored"]
        ),
        # campaigns
        boolean("eligible_for_retention_campaign", varies_with=("judged", "history")),
        boolean("eligible_for_onboarding_campaign", varies_with=("judged", "history")),
        boolean("eligible_for_premium_campaign", varies_with=("judged", "history")),
        # metadata
        date("profile_updated_date"),
    ],
    checks=[
        EXACTLY_THE_CUSTOMERS,
        NO_DATE_AFTER_AS_OF,
        row_check(
            "required_fields_are_filled",
            offending=lambda t: (
                t.full_name.isnull()
                | (t.full_name.strip() == "")
                | t.email.isnull()
                | (t.email.strip() == "")
                | t.customer_segment.isnull()
                | t.lifetime_value.isnull()
                | t.avg_transaction_value.isnull()
            ),
        ),
        table_check("figures_are_those_of_their_marts", offending=_other_figures),
        row_check(
            "latest_month_only_with_active_months",
            offending=lambda t: t.latest_month.notnull() != (t.active_months > 0),
        ),
        table_check(
            "churn_scores_are_there",
            offending=lambda this: (
                (this.count() > 0) & (this.churn_risk_score.count() == 0)
            ).as_scalar(),
            severity="warn",
        ),
    ],
    acknowledged=[
        acknowledge(
            "churn_scores_are_there",
            reason="the model that fills churn_predictions does not exist yet",
            until="2027-06-30",
        )
    ],
)
def customer_360_profile(
    int_customers: Table,
    metric_customer_ltv: Table,
    metric_avg_transaction_value: Table,
    metric_mom_spend_change: Table,
    customer_segments: Table,
    churn_predictions: Table,
    as_of: AsOf,
) -> Table:
    """Customer 360: all that applications look up about a customer, without a join.

    One row per customer that exists at as_of. What other marts define comes from them. Money in
    the portfolio's currency.

    Columns:
        full_name: first name, a space, last name
        account_age_days: days from account_open_date to as_of
        ltv_tier: by lifetime_value: below 10,000; 50,000; 100,000; else $100K+
        active_months: months with a transaction; 0 if none
        latest_month: the latest month with a transaction; null without transactions
        latest_month_spend: monthly_spend of the latest month; null without transactions
        latest_mom_change_pct: mom_change_pct of the latest month; null where it is
        latest_mom_trend_category: mom_trend_category of the latest month; null without
            transactions
        days_since_last_transaction: days from the last transaction to as_of; null without
            transactions
        recency_status: by days since the last: up to 30 Active, 60 Recent, 90 At Risk; else, and
            without transactions, Inactive
        spending_profile: travel share >= 25 Travel-Focused; necessities share >= 60
            Necessity-Focused; else Balanced
        credit_utilization_pct: (spend_last_90_days / 3) / credit_limit x 100; 0 where the limit
            is not above 0
        churn_risk_score: 0 to 100, from the model; null where it has not scored the customer
        churn_risk_category: by score: from 70 High Risk, from 40 Medium Risk, else Low Risk; Not
            Scored without a score
        eligible_for_retention_campaign: segment Declining, or a score from 70
        eligible_for_onboarding_campaign: segment New & Growing
        eligible_for_premium_campaign: segment High-Value Travelers
        profile_updated_date: as_of
    """
    ltv, atv, segments = metric_customer_ltv, metric_avg_transaction_value, customer_segments
    t = (
        int_customers.inner_join(_beyond(int_customers, ltv), "customer_id")
        .inner_join(_beyond(int_customers, ltv, atv), "customer_id")
        .inner_join(_beyond(int_customers, ltv, atv, segments), "customer_id")
        .left_join(_latest_month(metric_mom_spend_change), "customer_id", rname="month_{name}")
        .left_join(churn_predictions, "customer_id", rname="churn_{name}")
    )
    t = t.mutate(days_since_last_transaction=as_of.date.delta(t.last_transaction_date, unit="day"))
    score, segment = t.churn_risk_score, t.customer_segment
    return t.mutate(
        full_name=t.first_name + " " + t.last_name,
        account_age_days=as_of.date.delta(t.account_open_date, unit="day"),
        ltv_tier=_ltv_tier(t.lifetime_value),
        active_months=t.active_months.fill_null(0),
        recency_status=_recency_status(t.days_since_last_transaction),
        spending_profile=ibis.cases(
            (t.travel_spend_pct >= 25, "Travel-Focused"),
            (t.necessities_spend_pct >= 60, "Necessity-Focused"),
            else_="Balanced",
        ),
        credit_utilization_pct=ibis.ifelse(
            t.credit_limit > 0, percent(t.avg_monthly_spend, t.credit_limit), 0.0
        ),
        churn_risk_category=_churn_risk_category(score),
        eligible_for_retention_campaign=(segment == "Declining") | (score >= 70).fill_null(False),
        eligible_for_onboarding_campaign=segment == "New & Growing",
        eligible_for_premium_campaign=segment == "High-Value Travelers",
        profile_updated_date=as_of.date,
    )


def _beyond(*tables: Table) -> Table:
    """Return the last table with its key and the columns that none before it has."""
    *before, last = tables
    known = {name for table in before for name in table.columns}
    return last.select("customer_id", *(name for name in last.columns if name not in known))


def _latest_month(months: Table) -> Table:
    """Return a row per customer: the month with the highest number, which counts the months."""
    last = months.group_by("customer_id").aggregate(active_months=months.month_number.max())
    return last.inner_join(
        months,
        (last.customer_id == months.customer_id) & (last.active_months == months.month_number),
    ).select(
        "customer_id",
        "active_months",
        latest_month=months.month,
        latest_month_spend=months.monthly_spend,
        latest_mom_change_pct=months.mom_change_pct,
        latest_mom_trend_category=months.mom_trend_category,
    )


def _ltv_tier(lifetime_value: NumericColumn) -> StringColumn:
    return ibis.cases(
        (lifetime_value < 10_000, "<$10K"),
        (lifetime_value < 50_000, "$10K-$50K"),
        (lifetime_value < 100_000, "$50K-$100K"),
        else_="$100K+",
    )


def _recency_status(days: NumericColumn) -> StringColumn:
    return ibis.cases(
        (days <= 30, "Active (30 days)"),
        (days <= 60, "Recent (60 days)"),
        (days <= 90, "At Risk (90 days)"),
        else_="Inactive (90+ days)",
    )


def _churn_risk_category(score: NumericColumn) -> StringColumn:
    return ibis.cases(
        (score.isnull(), "Not Scored"),
        (score >= 70, "High Risk"),
        (score >= 40, "Medium Risk"),
        else_="Low Risk",
    )
