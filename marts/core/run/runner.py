"""Carry out a plan on a backend, and report what happened."""

from __future__ import annotations

import datetime
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import takewhile
from typing import TYPE_CHECKING, Any, Protocol, assert_never

from marts.core.analysis.personal import shown_by
from marts.core.authoring.checks import Check, FreshCheck
from marts.core.authoring.signature import naming
from marts.core.authoring.tables import DEFAULT_GROUP, Mart, Source
from marts.core.errors import (
    ChangedSourcesError,
    EngineError,
    MartsError,
    PartlyPublishedError,
    UnknownPublicationError,
)
from marts.core.plan.state import Publication, ShapeChange
from marts.core.plan.steps import Build, CheckTable, Plan, PlannedPublication, Step, needs
from marts.core.query.checks import ROWS, sample_query
from marts.core.run.building import begin, build, compiled
from marts.core.run.freshness import age, moment_of
from marts.core.run.masking import masked_rows
from marts.core.run.recording import Recorder
from marts.core.run.remembering import checked_sources
from marts.core.run.report import CheckReport, Report, Status, TableReport
from marts.core.run.scheduler import run_in_parallel

if TYPE_CHECKING:
    from marts.core.run.backend import Backend, Statement


Review = Callable[[Plan, "Backend"], None]
"""Looks at what is built and checked, before it is published; raises a MartsError to stop that."""


class Observer(Protocol):
    """Is notified of the progress of a run; with several threads, from each of them."""

    def started(self, step: Step) -> None:
        """A step begins."""

    def finished(self, step: Step, table: TableReport) -> None:
        """A step is done; `table` is the report of its table so far."""

    def publishing(self) -> None:
        """All steps are done, and publishing begins."""


def run(
    plan: Plan,
    backend: Backend,
    *,
    run_id: str,
    observer: Observer,
    recorder: Recorder | None = None,
    ending: Callable[[], None] = lambda: None,
    review: Review | None = None,
) -> Report:
    """Carry out all steps and publish, or publish nothing; record it, given a recorder.

    `ending` is called when only cleaning up and the report are left; after that, no interrupt may
    be raised.

    A MartsError or an interrupt becomes part of the report; any other exception is a bug, and is
    raised after the candidates are dropped.
    """
    recorder = recorder or Recorder(backend, run_id)
    report = carry_out(
        plan,
        backend,
        run_id=run_id,
        observer=observer,
        recorder=recorder,
        ending=ending,
        review=review,
    )
    recorder.ended(report)
    return report


def carry_out(  # noqa: PLR0913  (what one of several groups is told)
    plan: Plan,
    backend: Backend,
    *,
    run_id: str,
    observer: Observer,
    recorder: Recorder,
    ending: Callable[[], None],
    goes_on: bool = False,
    since: int = 0,
    review: Review | None = None,
) -> Report:
    """Do the same for one of several groups if the run `goes_on`; do not record how it ended.

    `since` is the number of the run's statements that belong to earlier groups.
    """
    started, clock = datetime.datetime.now(datetime.UTC), time.perf_counter()
    execution = _Execution(plan, backend, observer, recorder, goes_on=goes_on, review=review)
    status: Status = "error"
    error: MartsError | None = None
    try:
        try:
            status = execution.go(run_id)
        finally:
            ending()
    except KeyboardInterrupt:
        is_published = execution.is_publishing and backend.is_published()
        status = "published" if is_published else "interrupted"
    except PartlyPublishedError as raised:
        status, error = "partly_published", raised
    except UnknownPublicationError as raised:
        status, error = "unknown", raised
    except MartsError as raised:
        error = raised
    finally:
        if status != "published" and execution.begins:
            backend.discard(goes_on=goes_on)
            if goes_on:
                execution.wait_for_threads()
    return Report(
        run_id=run_id,
        status=status,
        started_at=started,
        seconds=time.perf_counter() - clock,
        tables=tuple(execution.tables.values()),
        skipped=plan.skipped,
        unchanged=plan.unchanged,
        statements=tuple(map(execution.with_rows, backend.statements()[since:])),
        error=error,
        source_checks=plan.source_checks,
        sources_read=backend.sources_read(),
        changes=(
            *execution.protected,
            *(backend.changes_made() if execution.begins else ()),
        ),
        unfinished=tuple(backend.unfinished()),
        group=plan.group,
        proofs=plan.proofs,
    )


class _Execution:
    """One execution of a plan's steps."""

    def __init__(
        self,
        plan: Plan,
        backend: Backend,
        observer: Observer,
        recorder: Recorder,
        *,
        goes_on: bool,
        review: Review | None,
    ) -> None:
        self.review = review
        self.plan = plan
        self.backend = backend
        self.observer = observer
        self.recorder = recorder
        self.now = datetime.datetime.now(datetime.UTC)
        self.moment = moment_of(plan.as_of, self.now)
        self.tables: dict[str, TableReport] = {}
        self.publishes = plan.publication is not None
        self.begins = self.publishes or bool(plan.builds)
        self.is_publishing = False
        self.goes_on = goes_on
        self.pool: ThreadPoolExecutor | None = None
        self.protected: list[ShapeChange] = []

    def go(self, run_id: str) -> Status:
        plan, backend = self.plan, self.backend
        if plan.steps or plan.publication:
            self.recorder.running()
        backend.read_elsewhere(plan.deferred)
        # First of all: nothing that is built may read what a policy hides from this run.
        for change in backend.protect(plan.annotations, read=self._personal_as_published()):
            self.protected.append(change)
        if self.begins:
            begin(plan, backend, run_id=run_id, goes_on=self.goes_on)
        on_sources = list(takewhile(lambda step: not isinstance(step, Build), plan.steps))
        # Nothing is built from sources that fail their checks.
        self._carry_out(on_sources, plan.steps[len(on_sources) :])
        if self._failed():
            return "failed"
        if changed := backend.changed_sources(plan.sources, live=plan.live):
            raise ChangedSourcesError(changed)
        if changed := backend.changed_elsewhere(plan.watched):
            raise EngineError(
                "what the run read elsewhere was published again; nothing was published",
                *changed,
                hint="run again",
            )
        if plan.publication is None:
            if plan.annotations:
                backend.annotate(plan.annotations)
            return "checked" if plan.steps else "unchanged"
        if self.review:
            self.review(plan, backend)
        self.observer.publishing()
        self.recorder.publishing()
        self.is_publishing = True
        backend.publish(self._publication(plan.publication, run_id))
        backend.annotate(plan.annotations)
        return "published"

    def _publication(self, planned: PlannedPublication, run_id: str) -> Publication:
        plan = self.plan
        return Publication(
            package=plan.package,
            as_of=plan.as_of.day,
            run_id=run_id,
            group=plan.group or DEFAULT_GROUP,
            fingerprints={
                step.mart.name: step.fingerprint.to_text()
                for step in plan.builds
                if step.fingerprint
            },
            proofs={
                step.mart.name: plan.proofs[step.mart.name].to_text()
                for step in plan.builds
                if step.mart.name in plan.proofs
            },
            checked={
                name: found.to_text() for name, found in checked_sources(plan, self.tables).items()
            },
            drops=planned.drops,
            read=self._read_as_published(),
            reshapes=plan.reshapes,
            personal={each.name: each.personal for each in plan.annotations},
        )

    def _personal_as_published(self) -> Mapping[str, Sequence[str]]:
        """Return the published marts with personal data that the run reads, with their columns."""
        plan = self.plan
        return {
            name: plan.tables[name].columns
            for name in sorted(self._read_as_published())
            if any((name, column) in plan.personal for column in plan.tables[name].columns)
        }

    def _read_as_published(self) -> frozenset[str]:
        """Return the published marts that builds and checks have read, and those behind them.

        Those of another environment are not among them: it publishes for itself.
        """
        plan, built = self.plan, {step.mart.name for step in self.plan.builds}
        read = {name for step in plan.steps for name in needs(step)}
        for step in plan.builds:
            read.update(step.fingerprint.marts if step.fingerprint else ())
        return frozenset(read & plan.state.recorded.keys() - built - plan.state.deferred)

    def with_rows(self, statement: Statement) -> Statement:
        """Return a statement with its rows; for a build, the checks have counted them."""
        if statement.step == "build" and statement.about in self.tables:
            return replace(statement, rows=self.tables[statement.about].rows)
        return statement

    def _carry_out(self, *stages: Sequence[Step]) -> None:
        """Carry out one stage after the other, until a check fails."""
        if self.backend.threads > 1:
            # One pool for all stages, because each of its threads has a connection of its own.
            self.pool = ThreadPoolExecutor(self.backend.threads)
            run_in_parallel(
                *stages,
                carry_out=self._do,
                pool=self.pool,
                goes_on=lambda: not self._failed(),
            )
            return
        for steps in stages:
            if not self._failed():
                for step in steps:
                    self._do(step)

    def wait_for_threads(self) -> None:
        """Wait until no step runs: none may build a candidate while another group is built."""
        if self.pool:
            self.pool.shutdown(wait=True)

    def _do(self, step: Step) -> None:
        self.observer.started(step)
        match step:
            case Build():
                self._build(step)
                table = step.mart.name
            case CheckTable():
                self._check(step)
                table = step.table.name
            case _:
                assert_never(step)
        self.observer.finished(step, self.tables[table])

    def _failed(self) -> bool:
        return any(report.outcomes("fail") for report in self.tables.values())

    def _table(self, table: Source | Mart) -> TableReport:
        return self.tables.setdefault(table.name, TableReport(table))

    def _build(self, step: Build) -> None:
        report = self._table(step.mart)
        query = compiled(step, self.backend)
        report.sql = self.backend.to_sql(query, as_read=True)
        start = time.perf_counter()
        build(step, query, self.backend)
        report.build_seconds = time.perf_counter() - start

    def _check(self, step: CheckTable) -> None:
        """Make checks: try the quick queries first, until one finds no violation."""
        table, report = step.table, self._table(step.table)
        start = time.perf_counter()
        with naming(f"a check of {table.name}", table.location):
            for query in (*step.quick, step.query):
                counts = self.backend.fetch(query, about=table.name)[0]
                if not counts["c0"]:
                    break
        if ROWS in counts:
            report.rows = counts[ROWS]
        for number, check in enumerate(step.checks):
            rows = counts.get(f"l{number}", report.rows)
            known = next((a for a in table.acknowledged if a.check == check.name), None)
            violations, detail = self._violations(table, check, counts[f"c{number}"])
            made = CheckReport(
                check,
                violations,
                rows=int(rows or 0),
                acknowledgement=known,
                is_acknowledged=known is not None and self.plan.as_of.day <= known.until,
                detail=detail,
            )
            if made.outcome in ("warn", "fail"):
                made = replace(made, sample=self._sample(table, check))
            report.checks.append(made)
        report.check_seconds += time.perf_counter() - start

    def _violations(self, table: Source | Mart, check: Check, found: Any) -> tuple[int, str]:
        """Return how often a check is violated, and what else to say of it."""
        if isinstance(check, FreshCheck):
            is_old, detail = age(found, check, table, self.moment, self.now)
            if (table.name, check.column) in self.plan.personal:
                detail = f"the age of the newest {check.column} is not shown: it is personal"
            return int(is_old), detail
        return int(found or 0), ""

    def _sample(self, table: Source | Mart, check: Check) -> tuple[Mapping[str, object], ...]:
        query = sample_query(table, check, self.plan.tables, self.plan.as_of)
        if query is None:
            return ()
        rows = self.backend.fetch(query, about=table.name)
        return masked_rows(rows, shown_by(query, self.plan.personal))
