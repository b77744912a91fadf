"""What a scheduled run does in an engine without marts: its queries, with the date as a parameter.

Plain values, which engines know from here. They depend on the project and on which sources exist,
but on no earlier run.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

import ibis
import sqlglot.expressions as sge

from marts.core.plan.state import CompiledQuery, Materialized

PARAMETER = "MARTS_AS_OF"
"""The function in a query that stands for the run's date, plus a number of days."""
ROWS = "rows"
"""The column of a query of checks that counts all rows."""


@dataclass(frozen=True, kw_only=True)
class ScheduledCheck:
    """A check: how many violations it tolerates, in rows or in percent, and until when it is known.

    One of freshness has `hours`: the newest value must not be older. `zone` is that of the value.
    """

    name: str
    severity: str
    rows: int = 0
    percent: Decimal | None = None
    acknowledged_until: datetime.date | None = None
    hours: float | None = None
    zone: str | None = None


@dataclass(frozen=True)
class ScheduledChecks:
    """Checks of one table by one query: of a row with `c<n>`, and perhaps `l<n>` and `rows`.

    `orphans` are the names of those of which the share of violations is recorded.
    """

    table: str
    checks: tuple[ScheduledCheck, ...]
    query: CompiledQuery
    orphans: frozenset[str] = frozenset()


@dataclass(frozen=True, kw_only=True)
class ScheduledMart:
    """A mart to be built, and the checks that can be made once it is there.

    `needs` are the marts that must be built before. `schema` is that of the query's result, `key`
    its grain, or empty if the grain is not checked; `personal` has kinds of personal data by
    column.
    """

    name: str
    kind: Materialized
    query: CompiledQuery
    schema: ibis.Schema
    comment: str
    column_comments: Mapping[str, str]
    key: tuple[str, ...]
    checks: tuple[ScheduledChecks, ...] = ()
    needs: frozenset[str] = frozenset()
    personal: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """A run of one group: checks of sources, then marts in build order, which are published.

    `sources` are those that are read, the `required` ones must have rows, `absent` are optional
    ones that do not exist. `relied_on` are the sources of which a run records what it found.
    `proofs` is what is recorded of the proof of each mart, if proofs are asked for.
    """

    package: str
    group: str
    sources: tuple[str, ...]
    required: frozenset[str]
    absent: tuple[str, ...]
    relied_on: tuple[str, ...]
    on_sources: tuple[ScheduledChecks, ...]
    marts: tuple[ScheduledMart, ...]
    proofs: Mapping[str, str] = field(default_factory=dict)

    @property
    def published(self) -> tuple[ScheduledMart, ...]:
        """The marts that are published."""
        return tuple(each for each in self.marts if each.kind != "temporary")

    @property
    def checks(self) -> Iterator[ScheduledChecks]:
        """The checks of all tables."""
        yield from self.on_sources
        for each in self.marts:
            yield from each.checks


def with_date(tree: sge.Query, date_of: Callable[[int], sge.Expr]) -> sge.Query:
    """Return a copy of a dated query; `date_of` returns the date so many days after the run's."""
    tree = tree.copy()
    for each in list(tree.find_all(sge.Anonymous)):
        if each.name == PARAMETER:
            each.replace(date_of(int(each.expressions[0].sql())))
    return tree


def is_dated(query: CompiledQuery) -> bool:
    """Tell whether a dated query depends on the date."""
    return any(each.name == PARAMETER for each in query.tree.find_all(sge.Anonymous))
