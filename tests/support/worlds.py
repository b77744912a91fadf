"""Hypothesis draws small worlds: a few customers, their histories and a date.

Everything leans to the thresholds of the marts, which are the marts' own constants, and nothing is
filtered: keys follow from positions, each list begins with its simplest value, so a failing
example shrinks to a few readable rows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, time, timedelta
from functools import cache
from itertools import chain, product
from typing import Any, NamedTuple

import pyarrow as pa
from hypothesis import strategies as st

from fixtures.corpus import AS_OF, VERSIONS, corpus, families, histories, scores
from fixtures.corpus import customers as customers_of_corpus
from fixtures.stars import (
    CATEGORY_KEYS,
    FIRST_MOMENT,
    LAST_MOMENT,
    Customer,
    History,
    Payment,
    Row,
    Version,
    star,
)
from marts.core.analysis.thresholds import around, thresholds_of
from support.engines import GRAPH, Layout

# What no constant in a mart says: ends of months and of years, leap days.
AS_OF_DATES = (
    AS_OF,
    date(2024, 6, 30),
    date(2024, 2, 29),
    date(2024, 3, 1),
    date(2024, 3, 31),
    date(2024, 12, 31),
    date(2025, 1, 1),
    date(2025, 2, 28),
)
FARTHEST_DAY = 900
MOST_CUSTOMERS = 5
# They cost an engine next to nothing: it plans for longer than it calculates.
LARGEST_CROWD = 60

THRESHOLDS = thresholds_of(GRAPH, AS_OF)


@dataclass(frozen=True)
class World:
    """The sources of one example, how they are handed over, and the date to calculate for."""

    tables: Mapping[str, pa.Table]
    as_of: date
    layout: Layout = field(default_factory=Layout)

    def __repr__(self) -> str:
        """Show the drawn rows, a line each; the categories are always the same."""
        lines = [f"World(as_of={self.as_of}, {self.layout}"]
        lines += [_version_line(row) for row in self.tables["dim_customer"].to_pylist()]
        lines += [_fact_line(row) for row in self.tables["fct_transactions"].to_pylist()]
        if "churn_predictions" in self.tables:
            rows = self.tables["churn_predictions"].to_pylist()
            scored = {row["customer_id"]: row["churn_risk_score"] for row in rows}
            lines.append(f"churn_predictions {scored}")
        return "\n    ".join(lines) + ")"

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """Show the same in hypothesis's reports, which know dataclasses otherwise."""
        printer.text("World(...)" if cycle else repr(self))


@cache
def corpus_world(as_of: date = AS_OF) -> World:
    """Return the world that meets all thresholds, none of them by chance."""
    return World(tables=corpus(THRESHOLDS, as_of), as_of=as_of)


@st.composite
def worlds(draw: st.DrawFn, as_of_dates: tuple[date, ...] = AS_OF_DATES) -> World:
    """Draw a world of a few customers, and of a crowd that the corpus has as well.

    Each of the few has a history of the corpus, and every other one drawn transactions beyond it;
    one transaction may be a stray.
    """
    as_of = draw(st.sampled_from(as_of_dates))
    customers = draw(_customers(as_of))
    unknown_payments = _history((), _AMOUNTS[0], draw(_transactions(as_of, 1)))
    tables = star(
        [*customers, *draw(_crowds(as_of))],
        as_of,
        unknown_payments=unknown_payments,
        unknown_scores=draw(_UNKNOWN_SCORES),
    )
    return World(tables=tables, as_of=as_of, layout=draw(_LAYOUTS))


# Hypothesis deletes an element of a list only if it was drawn in few steps, so each
# transaction is four draws, each from a list that begins with its simplest value.


class _Transaction(NamedTuple):
    days_before: int
    amount_position: int
    category_and_status: tuple[str | None, str]
    time_and_versions_back: tuple[time, int]


_AMOUNTS = families(THRESHOLDS)
_OPENING_DAYS = (400, *around(THRESHOLDS.days), 365, 2000)
_CATEGORIES_AND_STATUSES = [
    (category, status)
    for status in ("approved", "approved", "approved", "declined")
    for category in (None, *CATEGORY_KEYS)
]
_TIMES_AND_VERSIONS_BACK = list(product((FIRST_MOMENT, time(12), LAST_MOMENT), (0, 1, 2)))
_SCORES = st.sampled_from((None, *scores(THRESHOLDS)))
# No table, or one that may name unknown customers too.
_UNKNOWN_SCORES = st.none() | st.lists(st.sampled_from(scores(THRESHOLDS)), max_size=1)
_LAYOUTS = st.builds(
    Layout,
    shuffle=st.integers(0, 99),
    pieces=st.sampled_from((1, 1, 2, 3)),
    threads=st.sampled_from((1, 2, 4)),
)


@cache
def _crowds(as_of: date) -> st.SearchStrategy[Sequence[Customer]]:
    """Draw some of the corpus's customers, of all kinds.

    They are so many up to an end: each number shrinks without the other, until the crowd is the
    one customer who matters.
    """
    every = customers_of_corpus(THRESHOLDS, as_of)
    mixed = [each for start in range(100) for each in every[start::100]]
    return st.builds(
        lambda end, size: mixed[max(0, end - size) : end],
        st.integers(0, len(mixed)),
        st.integers(0, LARGEST_CROWD),
    )


@cache
def _customers(as_of: date) -> st.SearchStrategy[list[Customer]]:
    version = st.builds(
        lambda version, opened: version._replace(opened=opened),
        st.sampled_from(VERSIONS),
        st.sampled_from(_OPENING_DAYS),
    )
    customer = st.builds(
        _customer,
        versions=st.lists(version, min_size=1, max_size=3),
        current_from_last=st.sampled_from((0, 1, 2)),
        score=_SCORES,
        scripted=st.sampled_from([*chain(*histories(THRESHOLDS, as_of))]),
        amounts=st.sampled_from(_AMOUNTS),
        drawn=st.just([]) | _transactions(as_of, 9),
    )
    return st.lists(customer, min_size=1, max_size=MOST_CUSTOMERS)


def _customer(
    versions: Sequence[Version],
    current_from_last: int,
    score: float | None,
    scripted: History,
    amounts: Sequence[int],
    drawn: Sequence[_Transaction],
) -> Customer:
    return Customer(
        versions=versions,
        current_from_last=current_from_last,
        score=score,
        history=_history(scripted, amounts, drawn),
    )


def _history(scripted: History, amounts: Sequence[int], drawn: Sequence[_Transaction]) -> History:
    """Spread a scripted history over the versions; give drawn ones the amounts of one family."""
    spread = [payment._replace(versions_back=n) for n, payment in enumerate(scripted)]
    further = [
        Payment(days_before, amounts[position % len(amounts)], category, clock, status, back)
        for days_before, position, (category, status), (clock, back) in drawn
    ]
    return (*spread, *further)


@cache
def _transactions(as_of: date, max_size: int) -> st.SearchStrategy[list[_Transaction]]:
    transaction = st.builds(
        _Transaction,
        st.sampled_from(_days_before(as_of)),
        st.integers(0, 99),
        st.sampled_from(_CATEGORIES_AND_STATUSES),
        st.sampled_from(_TIMES_AND_VERSIONS_BACK),
    )
    return st.lists(transaction, max_size=max_size)


def _days_before(as_of: date) -> list[int]:
    """List days before as_of: window bounds most often, month ends, some of all."""
    month_edges = [
        n
        for n in range(FARTHEST_DAY)
        if 1 in {(as_of - timedelta(days=n)).day, (as_of - timedelta(days=n - 1)).day}
    ]
    near = sorted(around(THRESHOLDS.days), key=abs)
    return [*near * 8, *month_edges, *range(0, FARTHEST_DAY, 13)]


def _version_line(row: Row) -> str:
    current = "current" if row["is_current"] else "former"
    return (
        f"{row['customer_id']} {row['customer_key']} {current}: "
        f"opened {row['account_open_date']}, {row['card_type']} {row['credit_limit']}, "
        f"{row['first_name']} {row['last_name']}, {row['age']}"
    )


def _fact_line(row: Row) -> str:
    category = _CATEGORY_NAMES[row["merchant_category_key"]]
    return (
        f"{row['transaction_key']} {row['customer_key']}: {row['transaction_date']} "
        f"{row['transaction_amount']} {row['status']}, {category}"
    )


_CATEGORY_NAMES: Mapping[int | None, str] = {
    None: "no category",
    **{key: name for name, key in CATEGORY_KEYS.items()},
}
