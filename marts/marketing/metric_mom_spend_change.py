"""Month-over-month change of spend."""

import ibis

from marts import AsOf, Table, date, float64, int64, mart, money, percent, row_check, table_check
from marts import shared as c


def _gaps(this: Table) -> Table:
    """Return the customers whose month numbers are not exactly 1, 2, 3 … n."""
    numbers = this.group_by("customer_id").aggregate(
        months=this.count(),
        numbers=this.month_number.nunique(),
        lowest=this.month_number.min(),
        highest=this.month_number.max(),
    )
    return numbers.filter(
        (numbers.lowest != 1)
        | (numbers.highest != numbers.months)
        | (numbers.numbers != numbers.months)
    )


@mart(
    grain=("customer_id", "month"),
    tags=["metrics", "mom"],
    owner="marketing",
    columns=[
        c.customer_id,
        date("month", doc="first day of the month"),
        money("monthly_spend", doc="sum of the month's amounts", at_least=0),
        money(
            "prior_month_spend",
            doc="spend of the customer's previous active month; null in the first",
            null=True,
            at_least=0,
            varies_with=(c.SUM_OF_AMOUNTS, c.ALL_HISTORY),
        ),
        float64(
            "mom_change_pct",
            doc="(monthly_spend - prior_month_spend) / prior_month_spend x 100;"
            " null where there is no prior, or it is not above 0",
            null=True,
            at_least=-100,
            varies_with=c.ALL_HISTORY,
        ),
        int64(
            "month_number",
            doc="1, 2, 3 ... over the customer's active months",
            at_least=1,
            varies_with=c.ALL_HISTORY,
        ),
        int64(
            "months_since_prior",
            doc="calendar months since the previous active month; 1 means consecutive; null in the"
            " first",
            null=True,
            at_least=1,
            varies_with=c.ALL_HISTORY,
        ),
        c.mom_trend_category,
        c.metric_calculated_date,
    ],
    checks=[
        c.no_date_after_as_of,
        row_check(
            "first_month_has_no_prior",
            offending=lambda t: (
                (t.month_number == 1)
                & (t.prior_month_spend.notnull() | t.months_since_prior.notnull())
            ),
        ),
        row_check(
            "later_month_has_a_prior",
            offending=lambda t: (
                (t.month_number > 1)
                & (t.prior_month_spend.isnull() | t.months_since_prior.isnull())
            ),
        ),
        table_check("month_numbers_have_no_gaps", offending=_gaps),
    ],
)
def metric_mom_spend_change(
    int_customers: Table, int_approved_transactions: Table, as_of: AsOf
) -> Table:
    """Month-over-month change of a customer's spend, by active month.

    One row per customer and calendar month with an approved transaction, even of amount 0; the
    month of as_of ends with as_of. Money in the portfolio's currency.
    """
    t = int_approved_transactions
    monthly = t.group_by("customer_number", month=t.transaction_date.truncate("month")).aggregate(
        monthly_spend=t.transaction_amount.sum()
    )
    by_month = ibis.window(group_by="customer_number", order_by="month")
    ranked = monthly.mutate(
        prior_month_spend=monthly.monthly_spend.lag().over(by_month),
        prior_month=monthly.month.lag().over(by_month),
        month_number=ibis.row_number().over(by_month) + 1,
    )
    prior = ranked.prior_month_spend
    change = ranked.mutate(
        mom_change_pct=ibis.ifelse(
            prior > 0, percent(ranked.monthly_spend - prior, prior), ibis.null()
        ),
        months_since_prior=ranked.month.delta(ranked.prior_month, unit="month"),
        metric_calculated_date=as_of.date,
    )
    categorized = change.mutate(mom_trend_category=c.mom_trend_category.of(change))
    customers = int_customers.select("customer_id", "customer_number")
    return customers.inner_join(categorized, "customer_number")
