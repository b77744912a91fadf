"""Say what is published, and how the last runs ended."""

from __future__ import annotations

import datetime
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import sqlglot.expressions as sge

from marts.core.errors import EngineError, UsageError
from marts.core.operations import wiring
from marts.core.plan.runs import RUNS_TABLE
from marts.core.plan.state import STATE_TABLE, RecordedTable, group_of_state
from marts.core.project.settings import DUCKDB, Settings
from marts.core.run.backend import Backend
from marts.core.run.history import PastRun, latest_runs

LAST_RUNS = 10
"""How many runs are shown by default."""
ATTEMPTS = 3
"""How often the tables of marts' own are read if a run publishes meanwhile."""
UNFINISHED = ("running", "publishing")
"""What the row of a run says until the run has ended, and for ever if the run was killed."""
LONGEST_RUN = datetime.timedelta(days=1)
"""After this time, a run is taken for killed; the next one drops its candidates then, too."""


@dataclass(frozen=True)
class PublishedMart:
    """A mart as readers see it, and the run that published it."""

    name: str
    as_of: datetime.date
    run_id: str
    is_altered: bool
    """Whether it was altered after it was published and checked."""


@dataclass(frozen=True)
class RunStatus:
    """A run of the table of runs, and what is left of it."""

    run: PastRun
    is_over: bool | None
    """None if that is not known: its row says that it is running, and it may have been killed."""
    shown: tuple[str, ...]
    """The marts that readers see as this run has published them."""

    @property
    def ended(self) -> bool:
        """Whether its row says how it ended."""
        return self.run.status not in UNFINISHED


@dataclass(frozen=True)
class ProjectStatus:
    """What is published of a package in one place, and its last runs, the latest first.

    `notes` say what is missing.
    """

    package: str
    environment: str | None
    backend: str
    where: str
    read_at: datetime.datetime
    published: tuple[PublishedMart, ...]
    runs: tuple[RunStatus, ...]
    notes: tuple[str, ...]


def status_of(settings: Settings, *, limit: int = LAST_RUNS) -> ProjectStatus:
    """Return what is published of the settings' package, and at most `limit` of its last runs.

    It reads the engine alone, not the project's files: also if these are wrong. Raises UsageError
    for a database that does not exist, EngineError if the engine fails.
    """
    package = wiring.package_of(settings)
    _refuse_no_database(settings)
    with wiring.connected_to_marts(settings) as backend:
        return _read(backend, package, settings, limit)


def _refuse_no_database(settings: Settings) -> None:
    file = settings.database_file
    if file is not None and not file.exists():
        raise UsageError(
            f"there is no database {file}: nothing is published there",
            hint="publish the marts: marts run; or name another environment or database: --env NAME"
            " or --database FILE",
        )


def _read(backend: Backend, package: str, settings: Settings, limit: int) -> ProjectStatus:
    """Read everything of one moment, or at least of one publication of each mart."""
    for _ in range(ATTEMPTS):
        before = _recorded(backend, package)
        relations = backend.describe_published([*before])
        published = tuple(
            PublishedMart(
                name,
                row.as_of,
                row.run_id,
                None not in (row.version, relations[name].version)
                and row.version != relations[name].version,
            )
            for name, row in sorted(before.items())
            if name in relations and row.as_of
        )
        runs = latest_runs(backend, package, relations, limit=limit)
        notes = [] if runs else _missing(backend, package, found=runs is not None)
        notes += [] if published else [_nothing_published(package, relations)]
        backend.go_on()
        after = _recorded(backend, package)
        if {n: row.run_id for n, row in before.items()} == {
            n: row.run_id for n, row in after.items()
        }:
            break
    else:
        raise EngineError(
            "runs published marts whenever these were read", hint="run marts status again"
        )
    now = datetime.datetime.now(datetime.UTC)
    return ProjectStatus(
        package=package,
        environment=settings.env,
        backend=backend.name,
        where=backend.where.rpartition(" → ")[2],
        read_at=now,
        published=published,
        runs=tuple(_status(run, published, backend, now) for run in runs or ()),
        notes=tuple(notes),
    )


def _recorded(backend: Backend, package: str) -> Mapping[str, RecordedTable]:
    """Return the rows of the marts that a package has published."""
    # Where two groups have recorded a mart, the later run counts.
    rows = sorted(backend.state(), key=lambda row: row.run_id)
    return {
        row.name: row
        for row in rows
        if row.package == package and row.kind in ("table", "view") and row.as_of
    }


def _missing(backend: Backend, package: str, *, found: bool) -> list[str]:
    """Return why there are no runs to show."""
    if not found:
        return [f"there is no table {RUNS_TABLE}, or it cannot be read: no run is known"]
    query = sge.select(sge.column("package", quoted=True)).distinct()
    rows = backend.fetch(query.from_(sge.table_(RUNS_TABLE, quoted=True)), about=RUNS_TABLE)
    others = sorted({str(row["package"]) for row in rows} - {package})
    also = f"; there are runs of {', '.join(others)}" if others else ""
    return [f"no run of {package} is recorded{also}"]


def _nothing_published(package: str, relations: Collection[str]) -> str:
    """Return what can be said of marts if no record of them was read."""
    if any(group_of_state(name) for name in relations):
        return f"no mart of {package} is published"
    return f"there is no table {STATE_TABLE}, or it cannot be read: no published mart is known"


def _status(
    run: PastRun, published: Sequence[PublishedMart], backend: Backend, now: datetime.datetime
) -> RunStatus:
    shown = tuple(mart.name for mart in published if mart.run_id == run.run_id)
    is_over: bool | None = True
    if run.status in UNFINISHED and backend.name != DUCKDB:
        age = now.replace(tzinfo=None) - run.started_at
        is_over = True if age > LONGEST_RUN else None
    # DuckDB lets nobody else open a file while a run writes it.
    return RunStatus(run, is_over, shown)
