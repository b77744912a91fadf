"""The portfolio in one row."""

from marts import AsOf, Table, int64, mart, mean, ratio, table_check
from marts import shared as c

OF_FEWER_CUSTOMERS = "its figures are those of all customers"


def _not_one_row(this: Table) -> Table:
    """Return a row unless there is exactly one."""
    rows = this.aggregate(rows=this.count())
    return rows.filter(rows.rows != 1)


def _other_segments(this: Table, segment_summary: Table) -> Table:
    """Return the row if the segments do not add up to it."""
    s = segment_summary
    return this.filter(
        (this.customers != s.customers.sum().fill_null(0).as_scalar())
        | (this.active_customers != s.active_customers.sum().fill_null(0).as_scalar())
        | (this.total_lifetime_value != s.total_lifetime_value.sum().fill_null(0).as_scalar())
    )


@mart(
    grain="summary_date",
    tags=["summaries", "executive"],
    owner="customer analytics",
    columns=[
        c.summary_date,
        int64("customers", doc="number of customers", at_least=0),
        c.total_lifetime_value,
        c.avg_lifetime_value,
        c.mean_of_avg_transaction_values,
        c.active_customers,
        int64(
            "eligible_for_retention",
            doc="customers that are eligible_for_retention_campaign",
            at_least=0,
            varies_with=(c.MONEY_THRESHOLD, c.ALL_HISTORY),
        ),
        int64(
            "eligible_for_onboarding",
            doc="customers that are eligible_for_onboarding_campaign",
            at_least=0,
            varies_with=(c.MONEY_THRESHOLD, c.ALL_HISTORY),
        ),
        int64(
            "eligible_for_premium",
            doc="customers that are eligible_for_premium_campaign",
            at_least=0,
            varies_with=(c.MONEY_THRESHOLD, c.ALL_HISTORY),
        ),
    ],
    checks=[
        c.no_date_after_as_of,
        table_check("there_is_one_row", offending=_not_one_row),
        table_check("segments_add_up_to_it", offending=_other_segments),
    ],
    exempt={
        "customers_of_one_part_stay": OF_FEWER_CUSTOMERS,
        "customers_of_the_other_part_stay": OF_FEWER_CUSTOMERS,
        "new_customers_add_a_row_each": OF_FEWER_CUSTOMERS,
    },
)
def executive_summary(customer_360_profile: Table, as_of: AsOf) -> Table:
    """Number, value and activity of all customers, and how many each campaign may reach.

    One row, of zeros if there is no customer at as_of. Money in the portfolio's currency.
    """
    t = customer_360_profile
    figures = t.aggregate(
        customers=t.count(),
        total_lifetime_value=t.lifetime_value.sum(),
        avg_transaction_value=mean(t.avg_transaction_value),
        active_customers=t.count(where=t.recency_status == c.ACTIVE),
        eligible_for_retention=t.count(where=t.eligible_for_retention_campaign),
        eligible_for_onboarding=t.count(where=t.eligible_for_onboarding_campaign),
        eligible_for_premium=t.count(where=t.eligible_for_premium_campaign),
    )
    return figures.mutate(
        summary_date=as_of.date,
        avg_lifetime_value=ratio(figures.total_lifetime_value, figures.customers),
    )
