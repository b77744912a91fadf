"""The history of runs: what the table of runs says of a package, the latest first."""

from __future__ import annotations

import datetime
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

import sqlglot.expressions as sge

from marts.core.errors import UsageError
from marts.core.plan.runs import (
    RUNS_KEY,
    RUNS_TABLE,
    TableResult,
    results_of_text,
)
from marts.core.plan.state import TableState
from marts.core.run.backend import Backend

RUNS_READ = 30
"""How many runs are read, and of how many the results."""
OF_A_LINE = (
    *("run_id", "status", "started_at", "ended_at", "seconds", "as_of"),
    *("marts_published", "checks_made", "checks_failed", "error"),
)
"""The columns that say how a run ended."""
OF_STATUS = (
    *OF_A_LINE,
    *("publishing_since", "selection", "environment", "backend", "marts_version"),
    *("user_name", "role_name", "host_name"),
    *("marts_built", "marts_unchanged", "checks_warned", "checks_acknowledged"),
)
"""These, and the columns that say who ran what, and what it has done."""
STARTED = "%Y%m%dT%H%M%S"
"""How the id of a run begins."""


@dataclass(frozen=True, kw_only=True)
class PastRun:
    """A run of the table of runs: how it ended, and what it found of each table, if it is read.

    Times are UTC, without a zone. What an earlier version did not record is None.
    """

    run_id: str
    status: str
    started_at: datetime.datetime
    ended_at: datetime.datetime | None = None
    seconds: float | None = None
    as_of: datetime.date | None = None
    marts_published: int | None = None
    checks_made: int | None = None
    checks_failed: int | None = None
    error: str | None = None
    publishing_since: datetime.datetime | None = None
    selection: str | None = None
    environment: str | None = None
    backend: str | None = None
    marts_version: str | None = None
    user_name: str | None = None
    role_name: str | None = None
    host_name: str | None = None
    marts_built: int | None = None
    marts_unchanged: int | None = None
    checks_warned: int | None = None
    checks_acknowledged: int | None = None
    results: Mapping[str, TableResult] = field(default_factory=dict)


def past_runs(
    backend: Backend,
    package: str,
    published: Mapping[str, TableState],
    *,
    also: Collection[str] = (),
) -> tuple[PastRun, ...]:
    """Return the last runs of a package and the runs `also`, the latest first.

    Among them are the last ones that have checked something, with what they found. There are none
    if the relations that are `published` do not include the table of runs.
    """
    table = published.get(RUNS_TABLE)
    if table is None or not {*RUNS_KEY} <= table.types.keys():
        return ()
    found = {run.run_id: run for run in _read(backend, package, table)}
    if "results" in table.types:
        with_texts = (*OF_A_LINE, "results")
        has_results = _column("results").is_(sge.null()).not_()
        with_results = [*_read(backend, package, table, where=has_results, columns=with_texts)]
        missing = {*also} - {run.run_id for run in with_results}
        if missing:
            named = _column("run_id").isin(*sorted(missing))
            with_results += _read(
                backend, package, table, where=named, columns=with_texts, limit=len(missing)
            )
        found |= {run.run_id: run for run in with_results}
    return tuple(sorted(found.values(), key=lambda run: (run.started_at, run.run_id), reverse=True))


def latest_runs(
    backend: Backend, package: str, published: Mapping[str, TableState], *, limit: int
) -> tuple[PastRun, ...] | None:
    """Return the last runs of a package, at most `limit`, the latest first.

    They say who ran what, too; `results` are read of those with checks that failed or warned. None
    if the relations that are `published` do not include the table of runs. Raises UsageError if
    marts did not make it.
    """
    table = published.get(RUNS_TABLE)
    if table is None:
        return None
    if missing := [name for name in RUNS_KEY if name not in table.types]:
        raise UsageError(
            f"the table {RUNS_TABLE} was not made by marts: it has no column {missing[0]}",
            hint="rename that table, or use another --schema",
        )
    runs = _read(backend, package, table, columns=OF_STATUS, limit=limit)
    told = [run.run_id for run in runs if run.checks_failed or run.checks_warned]
    if told and "results" in table.types:
        named, columns = (
            _column("run_id").isin(*told),
            ("run_id", "status", "started_at", "results"),
        )
        found = _read(backend, package, table, where=named, columns=columns, limit=len(told))
        results = {run.run_id: run.results for run in found}
        runs = [replace(run, results=results.get(run.run_id, {})) for run in runs]
    return tuple(sorted(runs, key=lambda run: (run.started_at, run.run_id), reverse=True))


def started_at(run_id: str) -> datetime.datetime | None:
    """Return when a run began, in UTC, as its id says; None if it does not."""
    with suppress(ValueError):
        return datetime.datetime.strptime(run_id.partition("-")[0], STARTED)  # noqa: DTZ007  (UTC)
    return None


def _read(
    backend: Backend,
    package: str,
    table: TableState,
    *,
    columns: Sequence[str] = OF_A_LINE,
    where: sge.Expression | None = None,
    limit: int = RUNS_READ,
) -> list[PastRun]:
    names = [name for name in columns if name in table.types]
    query = (
        sge.select(*map(_column, names))
        .from_(sge.table_(RUNS_TABLE, quoted=True))
        .where(_column("package").eq(package))
    )
    if where is not None:
        query = query.where(where)
    # The id begins with the time, too.
    for name in ("started_at", "run_id"):
        if name in table.types:
            newest_first = sge.Ordered(this=_column(name), desc=True, nulls_first=False)
            query = query.order_by(newest_first)
    rows = backend.fetch(query.limit(limit), about=RUNS_TABLE)
    return [run for row in rows if (run := _run_of(row))]


def _run_of(row: Mapping[str, object]) -> PastRun | None:
    values = dict(row)
    values["results"] = results_of_text(str(values.get("results") or ""))
    if not values.get("started_at"):
        values["started_at"] = started_at(str(values["run_id"]))
    # Without a time it has no place in the history.
    return PastRun(**values) if values["started_at"] else None  # type: ignore[arg-type]


def _column(name: str) -> sge.Column:
    return sge.column(name, quoted=True)
