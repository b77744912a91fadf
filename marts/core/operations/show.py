"""Look up rows of one mart."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from marts.core.authoring.expressions import FixedAsOf
from marts.core.authoring.tables import Mart
from marts.core.errors import UsageError
from marts.core.operations import wiring
from marts.core.operations.wiring import Linked
from marts.core.plan.changes import plan_changes
from marts.core.plan.fingerprint import CurrentInputs
from marts.core.plan.state import RecordedTable
from marts.core.project.graph import Graph
from marts.core.project.settings import Settings
from marts.core.query.lookup import COUNT, count, lookup
from marts.core.run import building
from marts.core.run.backend import Backend
from marts.core.run.inspection import inspect_engine


@dataclass(frozen=True)
class Rows:
    """Rows of a mart, each a value by column."""

    mart: Mart
    columns: tuple[str, ...]
    rows: Sequence[Mapping[str, object]]
    total: int
    """How many rows meet the condition."""


def rows_of(
    settings: Settings,
    mart: str,
    *,
    where: str | None = None,
    columns: Sequence[str] = (),
    order_by: Sequence[str] = (),
    limit: int,
    is_counted: bool = True,
    project: Linked | None = None,
) -> Rows:
    """Return rows of a published mart, or of a temporary one that is built for it.

    With `is_counted`, all rows that meet the condition are counted if there may be more than the
    limit. The project is loaded unless it is given. Raises UsageError for a mart that is unknown or
    not published, and for a wrong condition.
    """
    graph, _ = project or wiring.linked(settings)
    wiring.refuse_unknown(mart, graph)
    known = graph.project.marts
    query = lookup(known[mart], where=where, columns=columns, order_by=order_by, limit=limit)
    with (
        wiring.connected(graph, settings, read_only=True) as backend,
        readable(graph, known[mart], backend, settings),
    ):
        rows = backend.fetch(query, about=mart)
        total = len(rows)
        if is_counted and total == limit:
            total = count_rows(known[mart], backend, where=where)
    return Rows(known[mart], tuple(query.named_selects), rows, total)


def count_rows(mart: Mart, backend: Backend, *, where: str | None) -> int:
    """Return how many rows of a mart meet a condition."""
    return int(backend.fetch(count(mart, where=where), about=mart.name)[0][COUNT])


@contextmanager
def readable(
    graph: Graph, mart: Mart, backend: Backend, settings: Settings
) -> Iterator[datetime.date | None]:
    """Build a mart if it is temporary, and give the date of its rows; None if it is not recorded.

    Raises UsageError if another mart is not published, or not as of the date that is asked for.
    """
    if mart.is_temporary:
        fixed = wiring.as_of(settings, backend.data_as_of)
        with built(graph, mart, backend, fixed):
            yield fixed.day
        return
    if mart.name not in backend.describe_published():
        raise UsageError(
            f"{mart.name} is not published: {backend.where}", hint="publish it: marts run"
        )
    found = publication_of(mart, backend)
    as_of = found.as_of if found else None
    _refuse_another_day(mart.name, as_of, settings.as_of)
    yield as_of


def publication_of(mart: Mart, backend: Backend) -> RecordedTable | None:
    """Return what is recorded of a mart as it is published, None if that is nothing."""
    return publication_named(mart.name, backend)


def publication_named(name: str, backend: Backend) -> RecordedTable | None:
    """Return what is recorded of a published table, None if that is nothing."""
    # Another package may have recorded a source of this name.
    rows = [row for row in backend.state() if row.name == name and row.kind != "source"]
    return next((row for row in rows if row.as_of), next(iter(rows), None))


def _refuse_another_day(
    mart: str, found: datetime.date | None, wanted: datetime.date | None
) -> None:
    """Raise UsageError if a mart is not published as of the date that is asked for."""
    if wanted and found and wanted != found:
        raise UsageError(
            f"{mart} is published as of {found}, not {wanted}",
            hint=f"leave out --as-of, or publish it: marts run --as-of {wanted}",
        )


@contextmanager
def built(graph: Graph, mart: Mart, backend: Backend, as_of: FixedAsOf) -> Iterator[None]:
    """Build a temporary mart and the temporary ones that it reads, and drop them at the end."""
    name = wiring.run_id()
    state = inspect_engine(graph, [mart.name], backend)
    current = CurrentInputs(graph, state, as_of, backend.compile, checks_sources=False)
    plan = plan_changes(graph, [mart.name], current, run_id=name)
    with building.built(plan, backend, run_id=name):
        yield
