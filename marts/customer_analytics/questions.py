"""What dashboards, campaign tools and customer service ask, and the queries that answer it."""

from ibis import _

from marts import Table, example_query


@example_query("What do we know of one customer?")
def one_customer(customer_360_profile: Table) -> Table:
    """Look up all columns by the customer's identifier."""
    return customer_360_profile.filter(_.customer_id == "C000042")


@example_query("Whom should a retention campaign reach, of those worth 10,000 or more?")
def retention_list(customer_360_profile: Table) -> Table:
    """List the steepest declines first, at most 1,000, with name and email."""
    return (
        customer_360_profile.filter(_.eligible_for_retention_campaign, _.lifetime_value >= 10_000)
        .order_by("spend_change_pct", "customer_id")
        .limit(1_000)
        .select(
            *("customer_id", "full_name", "email", "customer_segment"),
            *("lifetime_value", "spend_change_pct"),
        )
    )


@example_query("How many customers worth 50,000 or more have spent nothing for over 90 days?")
def valuable_and_inactive(customer_360_profile: Table) -> Table:
    """Count them by card type, with what they have spent so far."""
    t = customer_360_profile.filter(
        _.recency_status == "Inactive (90+ days)", _.ltv_tier.isin(["$50K-$100K", "$100K+"])
    )
    return (
        t.group_by("card_type")
        .aggregate(customers=t.count(), lifetime_value=t.lifetime_value.sum())
        .order_by("card_type")
    )


@example_query("How many customers does each segment have, and what is one of them worth?")
def segment_dashboard(segment_summary: Table) -> Table:
    """Read the summary; it has a row for each segment."""
    return segment_summary.order_by(_.customers.desc(), "customer_segment").select(
        *("customer_segment", "customers", "customers_pct"),
        *("avg_lifetime_value", "avg_transaction_value"),
    )


@example_query("How did spend change in the latest month, by segment?")
def latest_change_by_segment(segment_summary: Table) -> Table:
    """Leave out segments of which no customer has a change in that month."""
    return (
        segment_summary.filter(_.avg_mom_change_pct.notnull())
        .order_by("avg_mom_change_pct", "customer_segment")
        .select("customer_segment", "latest_month", "avg_mom_change_pct", "active_pct")
    )


@example_query("How is the portfolio doing?")
def portfolio_at_a_glance(executive_summary: Table) -> Table:
    """Read the one row, with the share of customers who were active in the last 30 days."""
    t = executive_summary
    share = t.active_customers.cast("float64") / t.customers.cast("float64").nullif(0) * 100
    return t.select(
        *("summary_date", "customers", "total_lifetime_value", "avg_lifetime_value"),
        active_pct=share,
    )


@example_query("Which customers travel most, whatever their segment?")
def frequent_travelers(customer_segments: Table) -> Table:
    """List those who spend at least half of their money on travel, and spend it now."""
    t = customer_segments
    return (
        t.filter(t.travel_spend_pct >= 50, t.spend_last_90_days > 0)
        .order_by(_.travel_spend_pct.desc(), "customer_id")
        .select("customer_id", "customer_segment", "travel_spend_pct", "avg_monthly_spend")
    )


@example_query("Which customers are close to the segment Declining?")
def almost_declining(customer_segments: Table) -> Table:
    """List falls of 20 to 30% of a spend that is large enough for the segment Declining."""
    t = customer_segments
    return (
        t.filter(
            t.spend_prior_90_days >= 2_000, t.spend_change_pct > -30, t.spend_change_pct <= -20
        )
        .order_by("spend_change_pct", "customer_id")
        .select(
            *("customer_id", "customer_segment", "spend_prior_90_days", "spend_last_90_days"),
            "spend_change_pct",
        )
    )
