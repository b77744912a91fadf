"""The customers that exist at as_of, each with the transactions that count.

The way in and the way out of every twin: DataFrames become plain Python rows, rows become a
DataFrame.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from functools import wraps
from typing import Any, TypeVar

import pandas as pd

Row = dict[str, Any]
Calculated = TypeVar("Calculated")


@dataclass(frozen=True)
class Transaction:
    """An approved transaction; without a known category its category is None."""

    day: date
    amount: Decimal
    category: str | None


@dataclass(frozen=True)
class Customer:
    """A customer: the current version's attributes, the history of all versions."""

    customer_id: str
    attributes: Row
    churn_risk_score: float | None
    transactions: list[Transaction] = field(default_factory=list)
    calculated: dict[tuple[str, date], Any] = field(default_factory=dict, compare=False, repr=False)

    @property
    def customer_key(self) -> str:
        """Give the key of the current version."""
        return str(self.attributes["customer_key"])

    @property
    def amounts(self) -> list[Decimal]:
        """List what each transaction was worth."""
        return [transaction.amount for transaction in self.transactions]

    @property
    def first_day(self) -> date | None:
        """Give the day of the first transaction, if there is one."""
        return min((transaction.day for transaction in self.transactions), default=None)

    @property
    def last_day(self) -> date | None:
        """Give the day of the last transaction, if there is one."""
        return max((transaction.day for transaction in self.transactions), default=None)


def once_a_customer(
    function: Callable[[Customer, date], Calculated],
) -> Callable[[Customer, date], Calculated]:
    """Calculate once what several twins say of a customer; none of them changes it."""

    @wraps(function)
    def calculated(customer: Customer, as_of: date) -> Calculated:
        key = function.__name__, as_of
        if key not in customer.calculated:
            customer.calculated[key] = function(customer, as_of)
        found: Calculated = customer.calculated[key]
        return found

    return calculated


def customers(
    dimension: pd.DataFrame,
    facts: pd.DataFrame,
    categories: pd.DataFrame,
    as_of: date,
    predictions: pd.DataFrame | None = None,
) -> list[Customer]:
    """List the customers that exist at as_of, ordered by customer_id.

    A transaction counts if it is approved and dated on or before as_of, the whole last
    day included; it belongs to the customer_id of whichever version it names.
    """
    given = [dimension, facts, categories, *([] if predictions is None else [predictions])]
    if not _is_latest(given, as_of):
        made = _customers(dimension, facts, categories, as_of, predictions)
        # Copies, because a twin may change what it is given.
        _latest[:] = [([each.copy() for each in given], as_of, made)]
    return list(_latest[0][2])


_latest: list[tuple[list[pd.DataFrame], date, list[Customer]]] = []
"""The customers of the world that was asked for last: one twin after another reads the same."""


def _is_latest(given: Sequence[pd.DataFrame], as_of: date) -> bool:
    if not _latest:
        return False
    frames, day, _ = _latest[0]
    same = len(frames) == len(given) and day == as_of
    return same and all(map(pd.DataFrame.equals, frames, given))


def _customers(
    dimension: pd.DataFrame,
    facts: pd.DataFrame,
    categories: pd.DataFrame,
    as_of: date,
    predictions: pd.DataFrame | None,
) -> list[Customer]:
    versions = dimension.to_dict("records")
    scores = {} if predictions is None else _churn_scores(predictions)
    by_id = {
        version["customer_id"]: Customer(
            customer_id=version["customer_id"],
            attributes=version,
            churn_risk_score=scores.get(version["customer_id"]),
        )
        for version in versions
        if version["is_current"] and version["account_open_date"] <= as_of
    }
    id_of_key = {version["customer_key"]: version["customer_id"] for version in versions}
    for customer_key, transaction in _countable_transactions(facts, categories, as_of):
        customer = by_id.get(id_of_key.get(customer_key))
        if customer is not None:
            customer.transactions.append(transaction)
    return [by_id[customer_id] for customer_id in sorted(by_id)]


def frame(rows: Sequence[Row], columns: Sequence[str]) -> pd.DataFrame:
    """Make a DataFrame of object columns, in the order of `columns`."""
    for row in rows:
        if row.keys() != set(columns):
            message = f"row and columns differ in {sorted(row.keys() ^ set(columns))}"
            raise ValueError(message)
    cells = [[row[column] for column in columns] for row in rows]
    return pd.DataFrame(cells, columns=list(columns), dtype=object)


def _countable_transactions(
    facts: pd.DataFrame, categories: pd.DataFrame, as_of: date
) -> list[tuple[str, Transaction]]:
    name_of_key = dict(zip(categories["category_key"], categories["category_name"], strict=True))
    columns = (
        facts["customer_key"],
        facts["transaction_date"],
        facts["transaction_amount"],
        facts["merchant_category_key"],
        facts["status"],
    )
    return [
        (customer_key, Transaction(when.date(), amount, name_of_key.get(category_key)))
        for customer_key, when, amount, category_key, status in zip(*columns, strict=True)
        if status == "approved" and when.date() <= as_of
    ]


def _churn_scores(predictions: pd.DataFrame) -> dict[str, float]:
    return dict(zip(predictions["customer_id"], predictions["churn_risk_score"], strict=True))
