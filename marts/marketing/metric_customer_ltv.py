"""Customer lifetime value."""

import ibis.expr.types as ir

from marts import AsOf, Table, mart, ratio, row_check, table_check
from marts import shared as c


def _other_spend(this: Table, metric_mom_spend_change: Table) -> ir.BooleanScalar:
    """Tell whether all lifetime values together differ from the spend of all months."""
    spend = metric_mom_spend_change.monthly_spend.sum().fill_null(0).as_scalar()
    return this.lifetime_value.sum().fill_null(0).as_scalar() != spend


@mart(
    grain="customer_id",
    tags=["metrics", "ltv"],
    owner="marketing",
    columns=[
        c.customer_id,
        c.customer_key,
        c.customer_segment,
        c.lifetime_value,
        c.total_transactions,
        c.first_transaction_date,
        c.last_transaction_date,
        c.customer_age_days,
        c.avg_spend_per_day,
        c.metric_calculated_date,
    ],
    checks=[
        c.exactly_the_customers,
        c.no_date_after_as_of,
        c.customer_key_is_current,
        row_check(
            "dates_only_with_transactions",
            offending=lambda t: (
                (t.first_transaction_date.notnull() != (t.total_transactions > 0))
                | (t.last_transaction_date.notnull() != (t.total_transactions > 0))
            ),
        ),
        table_check(
            "lifetime_value_equals_monthly_spend",
            offending=_other_spend,
        ),
    ],
)
def metric_customer_ltv(
    int_customer_transaction_summary: Table, customer_segments: Table, as_of: AsOf
) -> Table:
    """Customer lifetime value: all approved spend of a customer so far.

    One row per customer that exists at as_of, zeros and nulls without transactions. Money in the
    portfolio's currency.
    """
    segments = customer_segments.select("customer_id", "customer_segment")
    t = int_customer_transaction_summary.inner_join(segments, "customer_id")
    age = t.last_transaction_date.delta(t.first_transaction_date, unit="day")
    return t.mutate(
        customer_age_days=age,
        avg_spend_per_day=ratio(t.lifetime_value, age),
        metric_calculated_date=as_of.date,
    )
