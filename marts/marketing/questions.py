"""What marketing asks of its marts, and the queries that answer it."""

from ibis import _

from marts import Table, example_query


@example_query("Which 100 customers have the highest lifetime value?")
def highest_lifetime_values(metric_customer_ltv: Table) -> Table:
    """List the customers by value, with what it is made of."""
    return (
        metric_customer_ltv.order_by(_.lifetime_value.desc(), "customer_id")
        .limit(100)
        .select(
            *("customer_id", "customer_segment", "lifetime_value", "total_transactions"),
            *("customer_age_days", "avg_spend_per_day"),
        )
    )


@example_query("What do customers of each segment spend per day of their history?")
def spend_per_day_by_segment(metric_customer_ltv: Table) -> Table:
    """Leave out customers whose transactions are all of one day: they have no rate."""
    t = metric_customer_ltv.filter(_.customer_age_days > 0)
    return (
        t.group_by("customer_segment")
        .aggregate(customers=t.count(), avg_spend_per_day=t.avg_spend_per_day.mean())
        .order_by("customer_segment")
    )


@example_query("What did the portfolio spend in each month, and how many customers were active?")
def spend_by_month(metric_mom_spend_change: Table) -> Table:
    """Sum the customers' months; the last one ends with the as-of date."""
    t = metric_mom_spend_change
    return (
        t.group_by("month")
        .aggregate(active_customers=t.count(), spend=t.monthly_spend.sum())
        .order_by("month")
    )


@example_query(
    "Whose spend fell by 30% or more in the latest month, from the month just before it?"
)
def sharp_declines(metric_mom_spend_change: Table) -> Table:
    """Leave out those who paused before: their change spans several months."""
    t = metric_mom_spend_change
    return (
        t.filter(
            t.month == t.month.max().as_scalar(), t.months_since_prior == 1, t.mom_change_pct <= -30
        )
        .order_by("mom_change_pct", "customer_id")
        .select("customer_id", "month", "monthly_spend", "prior_month_spend", "mom_change_pct")
    )


@example_query("Which customers make large purchases, but of very different amounts?")
def large_and_unsteady(metric_avg_transaction_value: Table) -> Table:
    """List those whose typical purchase, the median, is large as well."""
    t = metric_avg_transaction_value
    return (
        t.filter(t.spending_consistency == "Variable", t.median_transaction_value >= 2_000)
        .order_by(_.transaction_value_stddev.desc(), "customer_id")
        .select(
            *("customer_id", "customer_segment", "median_transaction_value"),
            *("avg_transaction_value", "transaction_value_stddev", "max_transaction_value"),
        )
    )


@example_query("How consistent are the amounts of each segment's customers?")
def consistency_by_segment(metric_avg_transaction_value: Table) -> Table:
    """Count the customers by segment and consistency."""
    t = metric_avg_transaction_value
    return (
        t.group_by("customer_segment", "spending_consistency")
        .aggregate(customers=t.count(), avg_transaction_value=t.avg_transaction_value.mean())
        .order_by("customer_segment", "spending_consistency")
    )


@example_query("Whom does each campaign reach first?")
def first_of_each_campaign(campaign_audiences: Table) -> Table:
    """List the first 50 customers of each campaign, ready to be exported."""
    return (
        campaign_audiences.filter(_.priority_rank <= 50)
        .order_by("campaign", "priority_rank")
        .select(
            "campaign", "priority_rank", "customer_id", "full_name", "email", "customer_segment"
        )
    )


@example_query("How large is the audience of each campaign, and what has it spent so far?")
def size_of_audiences(campaign_audiences: Table) -> Table:
    """Count the customers of each campaign."""
    t = campaign_audiences
    return (
        t.group_by("campaign")
        .aggregate(customers=t.count(), lifetime_value=t.lifetime_value.sum())
        .order_by("campaign")
    )
