"""Invariants of the marts: changes to the star schema, and how every mart must respond.

A column that may change declares what it varies with, in the words of marts/shared.py; every other
column must stay the same.
"""

import ibis

from marts import AsOf, Table, invariant
from marts.shared import (
    ALL_HISTORY,
    AMONG_CUSTOMERS,
    CURRENT_VERSION,
    LEVEL_OF_AMOUNTS,
    MONEY_THRESHOLD,
    NUMBER_OF_TRANSACTIONS,
    SPREAD_OF_AMOUNTS,
    SUM_OF_AMOUNTS,
)

LATER = "-later"
AGAIN = "-again"
NEW = "-new"
CENTURY = 36_525
"""In days."""


def _renamed(transactions: Table, suffix: str) -> Table:
    """Return copies of the transactions, with new keys."""
    return transactions.mutate(
        transaction_key=transactions.transaction_key + suffix,
        transaction_id=transactions.transaction_id + suffix,
    )


def _is_in_part(t: Table) -> ibis.expr.types.BooleanColumn:
    return t.customer_id.right(1).isin(["0", "2", "4", "6", "8"])


@invariant(changes="fct_transactions")
def declined_transactions_change_nothing(fct_transactions: Table) -> Table:
    """Every transaction has a declined copy."""
    again = _renamed(fct_transactions, AGAIN).mutate(status=ibis.literal("declined"))
    return fct_transactions.union(again)


@invariant(changes="fct_transactions")
def later_transactions_change_nothing(fct_transactions: Table, as_of: AsOf) -> Table:
    """Every transaction has a copy on the day after as_of."""
    again = _renamed(fct_transactions, AGAIN)
    tomorrow = as_of.plus(days=1).cast("timestamp")
    return fct_transactions.union(again.mutate(transaction_date=tomorrow))


@invariant(
    changes="fct_transactions",
    varies_with={
        SUM_OF_AMOUNTS: 4,
        LEVEL_OF_AMOUNTS: 4,
        SPREAD_OF_AMOUNTS: 4,
        MONEY_THRESHOLD: None,
    },
)
def four_times_the_amounts(fct_transactions: Table) -> Table:
    """Every amount is four times as high; amounts must be below 25 million, to fit their type.

    Four is a power of two and scales floats exactly, so no percentage crosses a threshold.
    """
    return fct_transactions.mutate(transaction_amount=fct_transactions.transaction_amount * 4)


@invariant(
    changes="fct_transactions",
    varies_with={
        SUM_OF_AMOUNTS: 2,
        NUMBER_OF_TRANSACTIONS: 2,
        SPREAD_OF_AMOUNTS: None,
        MONEY_THRESHOLD: None,
    },
)
def each_transaction_twice(fct_transactions: Table) -> Table:
    """Every transaction occurs twice, so that means, medians and extremes stay the same."""
    return fct_transactions.union(_renamed(fct_transactions, AGAIN))


@invariant(
    changes="fct_transactions",
    varies_with={ALL_HISTORY: None},
    adds={("customer_id", "month"): None},
)
def old_transactions_change_only_history(fct_transactions: Table, as_of: AsOf) -> Table:
    """Every counted transaction has a copy a century before as_of, when nobody had a card."""
    counted = fct_transactions.filter(
        fct_transactions.status == "approved",
        fct_transactions.transaction_date < as_of.plus(days=1),
        fct_transactions.transaction_date >= as_of.minus(days=CENTURY),
    )
    old = as_of.minus(days=CENTURY).cast("timestamp")
    return fct_transactions.union(_renamed(counted, AGAIN).mutate(transaction_date=old))


@invariant(
    changes="fct_transactions",
    marts="customer_segments",
    offending=lambda t: t.spend_prior_90_days + t.spend_last_90_days != t.lifetime_value,
)
def adjacent_windows_add_up(fct_transactions: Table, as_of: AsOf) -> Table:
    """No transaction is older than the two windows, so their spend is the lifetime value."""
    return fct_transactions.filter(fct_transactions.transaction_date >= as_of.minus(days=180))


@invariant(changes="dim_customer", keeps=_is_in_part, varies_with={AMONG_CUSTOMERS: None})
def customers_of_one_part_stay(dim_customer: Table) -> Table:
    """Only some of the customers exist; their rows stay the same."""
    return dim_customer.filter(_is_in_part(dim_customer))


@invariant(
    changes="dim_customer",
    keeps=lambda t: ~_is_in_part(t),
    varies_with={AMONG_CUSTOMERS: None},
)
def customers_of_the_other_part_stay(dim_customer: Table) -> Table:
    """Only the other customers exist: the marts of both parts add up to those of all customers."""
    return dim_customer.filter(~_is_in_part(dim_customer))


@invariant(changes="dim_customer", adds={"customer_id": 1})
def new_customers_add_a_row_each(dim_customer: Table) -> Table:
    """Every customer has a counterpart without transactions."""
    current = dim_customer.filter(dim_customer.is_current)
    return dim_customer.union(
        current.mutate(
            customer_key=current.customer_key + NEW, customer_id=current.customer_id + NEW
        )
    )


@invariant(changes="dim_customer")
def customers_of_tomorrow_change_nothing(dim_customer: Table, as_of: AsOf) -> Table:
    """Every customer has a counterpart whose account opens on the day after as_of."""
    current = dim_customer.filter(dim_customer.is_current)
    return dim_customer.union(
        current.mutate(
            customer_key=current.customer_key + NEW,
            customer_id=current.customer_id + NEW,
            account_open_date=as_of.plus(days=1),
        )
    )


@invariant(changes="dim_customer", varies_with={CURRENT_VERSION: None})
def later_versions_change_only_attributes(dim_customer: Table) -> Table:
    """Every customer has a new current version."""
    former = dim_customer.mutate(is_current=ibis.literal(value=False))
    current = dim_customer.filter(dim_customer.is_current)
    later = current.mutate(
        customer_key=current.customer_key + LATER,
        first_name=current.first_name + LATER,
        last_name=current.last_name + LATER,
        email=current.email + LATER,
        age=current.age % 80 + 19,
        state=current.state + LATER,
        city=current.city + LATER,
        employment_status=current.employment_status + LATER,
        card_type=ibis.literal("Premium"),
        credit_limit=(current.credit_limit + 1_000).cast("decimal(10, 2)"),
    )
    return former.union(later)
