"""Whom each campaign may reach, the most valuable first."""

import ibis

from marts import AsOf, Table, date, int64, mart, string, table_check
from marts import shared as c

RETENTION, ONBOARDING, PREMIUM = "Retention", "Onboarding", "Premium"
OF_OTHER_AUDIENCES = "customers become eligible for other campaigns"


def _gaps(this: Table) -> Table:
    """Return the campaigns whose ranks are not exactly 1, 2, 3 … n."""
    ranks = this.group_by("campaign").aggregate(
        customers=this.count(),
        ranks=this.priority_rank.nunique(),
        highest=this.priority_rank.max(),
    )
    return ranks.filter((ranks.highest != ranks.customers) | (ranks.ranks != ranks.customers))


def _other_audiences(this: Table, executive_summary: Table) -> Table:
    """Return a row if the audiences are not as large as the executive summary says."""
    of_campaign = {
        RETENTION: executive_summary.eligible_for_retention,
        ONBOARDING: executive_summary.eligible_for_onboarding,
        PREMIUM: executive_summary.eligible_for_premium,
    }
    sizes = this.aggregate(
        **{name.lower(): this.count(where=this.campaign == name) for name in of_campaign}
    )
    return sizes.filter(
        ibis.or_(
            *(sizes[name.lower()] != size.max().as_scalar() for name, size in of_campaign.items())
        )
    )


@mart(
    grain=("campaign", "customer_id"),
    tags=["campaigns"],
    owner="marketing",
    columns=[
        string("campaign", values=[RETENTION, ONBOARDING, PREMIUM]),
        c.customer_id,
        c.full_name,
        c.email,
        c.customer_segment,
        c.lifetime_value,
        c.spend_change_pct,
        c.avg_monthly_spend,
        c.churn_risk_score,
        int64(
            "priority_rank",
            doc="1, 2, 3 ... within the campaign: Retention by lifetime_value, Onboarding by"
            " spend_change_pct, Premium by avg_monthly_spend, the greatest first; ties by"
            " customer_id",
            at_least=1,
            varies_with=c.AMONG_CUSTOMERS,
        ),
        date("audience_date", doc="as_of"),
    ],
    checks=[
        c.no_date_after_as_of,
        table_check("ranks_have_no_gaps", offending=_gaps),
        table_check("audiences_are_those_of_the_summary", offending=_other_audiences),
    ],
    exempt={
        "four_times_the_amounts": OF_OTHER_AUDIENCES,
        "each_transaction_twice": OF_OTHER_AUDIENCES,
        "old_transactions_change_only_history": OF_OTHER_AUDIENCES,
    },
)
def campaign_audiences(customer_360_profile: Table, as_of: AsOf) -> Table:
    """The customers that each campaign may reach, in the order in which it should.

    One row per campaign and customer that is eligible for it at as_of. Money in the portfolio's
    currency.
    """
    return ibis.union(
        _audience(
            customer_360_profile, RETENTION, "eligible_for_retention_campaign", "lifetime_value"
        ),
        _audience(
            customer_360_profile, ONBOARDING, "eligible_for_onboarding_campaign", "spend_change_pct"
        ),
        _audience(
            customer_360_profile, PREMIUM, "eligible_for_premium_campaign", "avg_monthly_spend"
        ),
    ).mutate(audience_date=as_of.date)


def _audience(customers: Table, campaign: str, eligible: str, value: str) -> Table:
    """Return the customers of one campaign, ranked by a value."""
    t = customers.filter(customers[eligible])
    best_first = ibis.window(order_by=[t[value].desc(), t.customer_id])
    return t.select(
        *("customer_id", "full_name", "email", "customer_segment", "lifetime_value"),
        *("spend_change_pct", "avg_monthly_spend", "churn_risk_score"),
        campaign=ibis.literal(campaign),
        priority_rank=ibis.row_number().over(best_first) + 1,
    )
