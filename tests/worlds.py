"""Hypothesis draws small worlds: a few customers, their histories and a date.

Everything leans to the edges of the definitions (window bounds, thresholds, month ends)
and nothing is filtered: keys follow from positions, each list begins with its simplest
value, so a failing example shrinks to a few readable rows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import cache
from random import Random
from typing import Any, NamedTuple

import pyarrow as pa
from hypothesis import strategies as st

from reference.example import (
    CATEGORY_KEYS,
    DEFAULT_VERSION,
    UNKNOWN_CUSTOMER_KEY,
    tables,
)
from world_edges import (
    AMOUNT_FAMILIES,
    AS_OF_DATES,
    CATEGORIES_AND_STATUSES,
    DAY_EDGES,
    FARTHEST_DAY,
    OPENING_DAYS,
    PEOPLE,
    SCORES,
    SCRIPTS,
    TIMES_AND_VERSIONS_BACK,
    VERSIONS_BACK,
    Script,
)

Row = dict[str, Any]


@dataclass(frozen=True)
class World:
    """The sources of one example, and the date to calculate them for."""

    tables: Mapping[str, pa.Table]
    as_of: date

    def __repr__(self) -> str:
        """Show the drawn rows, a line each; the categories are always the same."""
        lines = [f"World(as_of={self.as_of}"]
        lines += [_version_line(row) for row in self.tables["dim_customer"].to_pylist()]
        lines += [_fact_line(row) for row in self.tables["fct_transactions"].to_pylist()]
        if "churn_predictions" in self.tables:
            scores = self.tables["churn_predictions"].to_pylist()
            scored = {row["customer_id"]: row["churn_risk_score"] for row in scores}
            lines.append(f"churn_predictions {scored}")
        return "\n    ".join(lines) + ")"

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """Show the same in hypothesis's reports, which know dataclasses otherwise."""
        printer.text("World(...)" if cycle else repr(self))


@st.composite
def worlds(
    draw: st.DrawFn,
    amount_families: tuple[tuple[int, ...], ...] = tuple(AMOUNT_FAMILIES.values()),
    as_of_dates: tuple[date, ...] = AS_OF_DATES,
) -> World:
    """Draw a world of 1 to 5 customers with 0 to 12 transactions each.

    A customer begins with a script of up to 3 transactions that meets some edge exactly.
    Every other one has drawn transactions too, and one transaction may be a stray.
    The families hold cents, by default up to the largest that decimal(10,2) holds:
    leave the last one out for an engine that sums in floats.
    """
    as_of = draw(st.sampled_from(as_of_dates))
    dimension: list[Row] = []
    facts: list[Row] = []
    for number, customer in enumerate(draw(_customers(as_of, amount_families))):
        versions = _versions(customer, f"c{number}", len(dimension))
        keys = [version["customer_key"] for version in versions]
        dimension += versions
        scripted = _scripted_spending(customer.script, as_of)
        drawn_spending = _drawn_spending(customer.history, customer.amounts)
        facts += _facts([*scripted, *drawn_spending], keys, len(facts))
    strays = _drawn_spending(draw(_histories(as_of, 1)), amount_families[0])
    facts += _facts(strays, [UNKNOWN_CUSTOMER_KEY], len(facts))
    customer_ids = list(dict.fromkeys(row["customer_id"] for row in dimension))
    sources = tables(
        _shuffled(facts, draw(_SHUFFLES)),
        _shuffled(dimension, draw(_SHUFFLES)),
        _churn(draw(_CHURN), customer_ids),
    )
    return World(tables=sources, as_of=as_of)


def scripted_world(as_of: date = AS_OF_DATES[0]) -> World:
    """Give one world with a customer for each script: all the edges, none by chance."""
    dimension: list[Row] = []
    facts: list[Row] = []
    for number, script in enumerate(SCRIPTS):
        customer = _Customer([{}], 0, script, amounts=(), history=[])
        dimension += _versions(customer, f"c{number:02}", number)
        facts += _facts(_scripted_spending(script, as_of), [f"k{number}"], len(facts))
    return World(tables=tables(facts, dimension, None), as_of=as_of)


# Hypothesis deletes an element of a list only if it was drawn in few steps, so each
# transaction is four draws, each from a list that begins with its simplest value.


class _Transaction(NamedTuple):
    day: date
    amount_position: int
    category_and_status: tuple[int | None, str]
    time_and_versions_back: tuple[time, int]


class _Customer(NamedTuple):
    versions: list[Row]
    current_from_last: int
    script: Script
    amounts: tuple[int, ...]
    history: list[_Transaction]


class _Spending(NamedTuple):
    when: datetime
    cents: int
    category_key: int | None
    status: str
    versions_back: int


# No table, or a score for each position; the one after the last customer is unknown.
_CHURN = st.none() | st.lists(st.sampled_from(SCORES), max_size=6)
_SHUFFLES = st.integers(0, 99)


@cache
def _customers(
    as_of: date, amount_families: tuple[tuple[int, ...], ...]
) -> st.SearchStrategy[list[_Customer]]:
    opened = [{"account_open_date": as_of - timedelta(days=n)} for n in OPENING_DAYS]
    version = st.builds(dict.__or__, st.sampled_from(opened), st.sampled_from(PEOPLE))
    customer = st.builds(
        _Customer,
        versions=st.lists(version, min_size=1, max_size=3),
        current_from_last=st.sampled_from(VERSIONS_BACK),
        script=st.sampled_from(SCRIPTS),
        amounts=st.sampled_from(amount_families),
        history=st.just([]) | _histories(as_of, 9),
    )
    return st.lists(customer, min_size=1, max_size=5)


@cache
def _histories(as_of: date, max_size: int) -> st.SearchStrategy[list[_Transaction]]:
    transaction = st.builds(
        _Transaction,
        st.sampled_from([as_of - timedelta(days=n) for n in _days_before(as_of)]),
        st.integers(0, 99),
        st.sampled_from(CATEGORIES_AND_STATUSES),
        st.sampled_from(TIMES_AND_VERSIONS_BACK),
    )
    return st.lists(transaction, max_size=max_size)


def _days_before(as_of: date) -> list[int]:
    """List days before as_of: window bounds most often, month ends, some of all."""
    month_edges = [
        n
        for n in range(FARTHEST_DAY)
        if 1 in {(as_of - timedelta(days=n)).day, (as_of - timedelta(days=n - 1)).day}
    ]
    return [*DAY_EDGES * 8, *month_edges, *range(0, FARTHEST_DAY, 13)]


def _versions(customer: _Customer, customer_id: str, first_key: int) -> list[Row]:
    """Give a customer's rows in the dimension."""
    count = len(customer.versions)
    current = (count - 1 - customer.current_from_last) % count
    return [
        {
            **DEFAULT_VERSION,
            **attributes,
            "customer_key": f"k{first_key + n}",
            "customer_id": customer_id,
            "email": f"{customer_id}@example.com",
            "is_current": n == current,
        }
        for n, attributes in enumerate(customer.versions)
    ]


def _scripted_spending(script: Script, as_of: date) -> list[_Spending]:
    """Spread a script over the versions, one transaction after the other."""
    return [
        _Spending(
            when=datetime.combine(as_of - timedelta(days=days_before), time()),
            cents=cents,
            category_key=None if category is None else CATEGORY_KEYS[category],
            status="approved",
            versions_back=position,
        )
        for position, (days_before, cents, category) in enumerate(script)
    ]


def _drawn_spending(history: list[_Transaction], amounts: tuple[int, ...]) -> list[_Spending]:
    """Give drawn transactions the amounts of one family."""
    spending = []
    for day, amount_position, (category_key, status), (moment, back) in history:
        cents = amounts[amount_position % len(amounts)]
        when = datetime.combine(day, moment)
        spending.append(_Spending(when, cents, category_key, status, back))
    return spending


def _facts(spending: list[_Spending], keys: Sequence[str], first_key: int) -> list[Row]:
    """Give rows with keys of their own and of the version they were loaded with."""
    return [
        {
            "transaction_key": f"t{n}",
            "transaction_id": f"id-t{n}",
            "customer_key": keys[-1 - each.versions_back % len(keys)],
            "merchant_category_key": each.category_key,
            "transaction_date": each.when,
            "transaction_amount": Decimal(each.cents).scaleb(-2),
            "status": each.status,
        }
        for n, each in enumerate(spending, start=first_key)
    ]


def _churn(
    scores: Sequence[float | None] | None, customer_ids: Sequence[str]
) -> Mapping[str, float] | None:
    if scores is None:
        return None
    candidates = zip([*customer_ids, "unknown"], scores, strict=False)
    return {customer_id: score for customer_id, score in candidates if score is not None}


def _shuffled(rows: list[Row], seed: int) -> list[Row]:
    """Permute rows; seed 0 leaves them as they are, so that examples shrink to it."""
    return rows if seed == 0 else Random(seed).sample(rows, len(rows))


def _version_line(row: Row) -> str:
    current = "current" if row["is_current"] else "former"
    return (
        f"{row['customer_id']} {row['customer_key']} {current}: "
        f"opened {row['account_open_date']}, {row['card_type']} {row['credit_limit']}, "
        f"{row['first_name']} {row['last_name']}, {row['age']}"
    )


def _fact_line(row: Row) -> str:
    category = _CATEGORY_NAMES.get(row["merchant_category_key"], "unknown category")
    return (
        f"{row['transaction_key']} {row['customer_key']}: {row['transaction_date']} "
        f"{row['transaction_amount']} {row['status']}, {category}"
    )


_CATEGORY_NAMES: Mapping[int | None, str] = {
    None: "no category",
    **{key: name for name, key in CATEGORY_KEYS.items()},
}
