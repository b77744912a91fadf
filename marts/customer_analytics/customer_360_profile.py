"""The denormalised view of a customer that applications read."""

import ibis
import ibis.expr.types as ir
from ibis import _

from marts import (
    AsOf,
    Table,
    acknowledge,
    boolean,
    date,
    float64,
    int64,
    labels,
    mart,
    money,
    percent,
    row_check,
    string,
    table_check,
)
from marts import shared as c

HIGH_CHURN_RISK = 70

ltv_tier = labels(
    "ltv_tier",
    (_.lifetime_value < 10_000, "<$10K"),
    (_.lifetime_value < 50_000, "$10K-$50K"),
    (_.lifetime_value < 100_000, "$50K-$100K"),
    else_="$100K+",
    varies_with=(c.MONEY_THRESHOLD, c.ALL_HISTORY),
)
recency_status = labels(
    "recency_status",
    (_.days_since_last_transaction <= 30, c.ACTIVE),
    (_.days_since_last_transaction <= 60, "Recent (60 days)"),
    (_.days_since_last_transaction <= 90, "At Risk (90 days)"),
    else_="Inactive (90+ days)",
)
spending_profile = labels(
    "spending_profile",
    (_.travel_spend_pct >= 25, "Travel-Focused"),
    (_.necessities_spend_pct >= 60, "Necessity-Focused"),
    else_="Balanced",
    varies_with=c.ALL_HISTORY,
)
churn_risk_category = labels(
    "churn_risk_category",
    (_.churn_risk_score.isnull(), "Not Scored"),
    (_.churn_risk_score >= HIGH_CHURN_RISK, "High Risk"),
    (_.churn_risk_score >= 40, "Medium Risk"),
    else_="Low Risk",
)


def _other_figures(
    this: Table,
    metric_customer_ltv: Table,
    metric_avg_transaction_value: Table,
    customer_segments: Table,
) -> Table:
    """Return the customers for whom another mart has a different figure."""
    both, copies = this, dict[str, str]()
    for other in (metric_customer_ltv, metric_avg_transaction_value, customer_segments):
        same = [name for name in this.columns if name in other.columns and name != "customer_id"]
        its = {f"{name}_{len(copies)}": name for name in same}
        both = both.inner_join(other.select("customer_id", **its), "customer_id")
        copies |= its
    alike = (both[name].identical_to(both[copy]) for copy, name in copies.items())
    return both.filter(~ibis.and_(*alike))


def _no_score(this: Table) -> ir.BooleanScalar:
    """Tell whether no customer has a churn score, though there are customers."""
    return ((this.count() > 0) & (this.churn_risk_score.count() == 0)).as_scalar()


@mart(
    grain="customer_id",
    tags=["profile"],
    owner="customer analytics",
    columns=[
        # identifiers
        c.customer_id,
        c.customer_key,
        # demographics
        c.full_name,
        string("first_name", personal="name", varies_with=c.CURRENT_VERSION),
        string("last_name", personal="name", varies_with=c.CURRENT_VERSION),
        c.email,
        int64("age", at_least=18, at_most=100, varies_with=c.CURRENT_VERSION),
        string("state", varies_with=c.CURRENT_VERSION),
        string("city", varies_with=c.CURRENT_VERSION),
        string("employment_status", varies_with=c.CURRENT_VERSION),
        # account
        string("card_type", values=["Standard", "Premium"], varies_with=c.CURRENT_VERSION),
        money("credit_limit", at_least=5_000, at_most=50_000, varies_with=c.CURRENT_VERSION),
        date("account_open_date"),
        int64("account_age_days", doc="days from account_open_date to as_of", at_least=0),
        # segmentation
        c.customer_segment,
        c.segment_assigned_date,
        c.tenure_months,
        # lifetime
        c.lifetime_value,
        c.total_transactions,
        c.customer_age_days,
        c.avg_spend_per_day,
        ltv_tier,
        # average transaction
        c.avg_transaction_value,
        c.transaction_value_stddev,
        c.min_transaction_value,
        c.max_transaction_value,
        c.median_transaction_value,
        c.spending_consistency,
        # recent activity
        c.spend_last_90_days,
        c.spend_prior_90_days,
        c.spend_change_pct,
        c.avg_monthly_spend,
        # month over month
        int64(
            "active_months",
            doc="number of months with a transaction; 0 without transactions",
            default=0,
            at_least=0,
            varies_with=c.ALL_HISTORY,
        ),
        date(
            "latest_month",
            doc="the latest month with a transaction; null without transactions",
            null=True,
        ),
        money(
            "latest_month_spend",
            doc="monthly_spend of the latest month; null without transactions",
            null=True,
            at_least=0,
        ),
        float64(
            "latest_mom_change_pct",
            doc="mom_change_pct of the latest month; null where it is",
            null=True,
            at_least=-100,
            varies_with=c.ALL_HISTORY,
        ),
        string(
            "latest_mom_trend_category",
            doc="mom_trend_category of the latest month; null without transactions",
            null=True,
            values=c.mom_trend_category.values,
            varies_with=c.ALL_HISTORY,
        ),
        # timeline
        c.first_transaction_date,
        c.last_transaction_date,
        int64(
            "days_since_last_transaction",
            doc="days from the last transaction to as_of; null without transactions",
            null=True,
            at_least=0,
        ),
        recency_status,
        # preferences
        c.travel_spend_pct,
        c.necessities_spend_pct,
        spending_profile,
        float64(
            "credit_utilization_pct",
            doc="(spend_last_90_days / 3) / credit_limit x 100; 0 where the limit is not above 0",
            at_least=0,
            varies_with=(c.SUM_OF_AMOUNTS, c.CURRENT_VERSION),
        ),
        # churn
        c.churn_risk_score,
        churn_risk_category,
        # campaigns
        boolean(
            "eligible_for_retention_campaign",
            doc=f"segment Declining, or a churn_risk_score from {HIGH_CHURN_RISK}",
            varies_with=(c.MONEY_THRESHOLD, c.ALL_HISTORY),
        ),
        boolean(
            "eligible_for_onboarding_campaign",
            doc="segment New & Growing",
            varies_with=(c.MONEY_THRESHOLD, c.ALL_HISTORY),
        ),
        boolean(
            "eligible_for_premium_campaign",
            doc="segment High-Value Travelers",
            varies_with=(c.MONEY_THRESHOLD, c.ALL_HISTORY),
        ),
        # metadata
        date("profile_updated_date", doc="as_of"),
    ],
    checks=[
        c.exactly_the_customers,
        c.no_date_after_as_of,
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
            offending=_no_score,
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
    """
    t = (
        int_customers.inner_join(metric_customer_ltv, "customer_id", rname="ltv_{name}")
        .inner_join(metric_avg_transaction_value, "customer_id", rname="atv_{name}")
        .inner_join(customer_segments, "customer_id", rname="segments_{name}")
        .left_join(_latest_month(metric_mom_spend_change), "customer_id", rname="month_{name}")
        .left_join(churn_predictions, "customer_id", rname="churn_{name}")
    )
    t = t.mutate(days_since_last_transaction=as_of.date.delta(t.last_transaction_date, unit="day"))
    segment, is_high_risk = t.customer_segment, t.churn_risk_score >= HIGH_CHURN_RISK
    return t.mutate(
        full_name=t.first_name + " " + t.last_name,
        account_age_days=as_of.date.delta(t.account_open_date, unit="day"),
        ltv_tier=ltv_tier.of(t),
        recency_status=recency_status.of(t),
        spending_profile=spending_profile.of(t),
        credit_utilization_pct=ibis.ifelse(
            t.credit_limit > 0, percent(t.avg_monthly_spend, t.credit_limit), 0.0
        ),
        churn_risk_category=churn_risk_category.of(t),
        eligible_for_retention_campaign=(segment == "Declining") | is_high_risk.fill_null(False),
        eligible_for_onboarding_campaign=segment == "New & Growing",
        eligible_for_premium_campaign=segment == "High-Value Travelers",
        profile_updated_date=as_of.date,
    )


def _latest_month(months: Table) -> Table:
    """Return the latest active month of each customer; its number is how many there are."""
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
