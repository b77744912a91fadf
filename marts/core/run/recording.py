"""Record a run in the table of runs: what it is doing, and how it ended."""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from marts.core.errors import MartsError, PartlyPublishedError
from marts.core.plan.runs import HELD, SKIPPED, CheckFinding, RecordedRun, TableResult, results_text
from marts.core.run.report import Report

if TYPE_CHECKING:
    from marts.core.run.backend import Backend

QUERY_IDS = 200
LONGEST_ERROR = 1_000
ATTEMPTS = 4
"""How often the last write is tried if it is interrupted."""


class Recorder:
    """Writes the row of one run; without a row, it writes nothing.

    A write that fails has no other effect: `failure` is its error, None once a later one succeeds.
    """

    def __init__(self, backend: Backend, run_id: str, run: RecordedRun | None = None) -> None:
        self.run_id = run_id
        self.failure: MartsError | None = None
        self._backend = backend
        self._run = run

    def planned(self, as_of: datetime.date) -> None:
        """Remember the run's date; write nothing."""
        self._change(as_of=as_of)

    def running(self) -> None:
        """Record that the run has begun, or that it goes on with another group."""
        self._change(status="running")
        self._write()

    def publishing(self) -> None:
        """Record that publishing begins."""
        self._change(status="publishing", publishing_since=_now())
        self._write()

    def ended(self, report: Report) -> None:
        """Record how the run ended, unless that is recorded already."""
        reason = "; ".join(_reasons(report)) or None
        self._end(reason, status=report.status, **counts_of(report))

    def broke_off(self, status: str, reason: str | None) -> None:
        """Record that the run ended without a report, unless its end is recorded already."""
        self._end(reason, status=status)

    def _change(self, **changes: Any) -> None:
        if self._run:
            self._run = replace(self._run, **changes)

    def _end(self, reason: str | None, **changes: Any) -> None:
        if self._run is None:
            return
        now = _now()
        seconds = round((now - self._run.started_at).total_seconds(), 3)
        self._change(ended_at=now, seconds=seconds, error=_shortened(reason), **changes)
        for _ in range(ATTEMPTS):
            with suppress(KeyboardInterrupt):
                self._write()
                break
        self._run = None
        if self.failure and self.failure.summary == reason:
            # Once is enough.
            self.failure = None

    def _write(self) -> None:
        if self._run is None:
            return
        try:
            self._backend.record_run(self._run)
        except MartsError as error:
            self.failure = error
        else:
            self.failure = None


def counts_of(report: Report) -> Mapping[str, Any]:
    """Return the columns of the table of runs that a report has, except its status and error."""
    made = [check.outcome for table in report.tables for check in table.checks]
    return {
        "marts_built": len(report.built),
        "marts_published": _published(report),
        "marts_unchanged": len(report.unchanged),
        "rows_built": sum(table.rows or 0 for table in report.built),
        "checks_made": len(made),
        "checks_passed": made.count("pass"),
        "checks_warned": made.count("warn"),
        "checks_acknowledged": made.count("acknowledged"),
        "checks_failed": made.count("fail"),
        "query_ids": _query_ids(report),
        "results": results_text(results_of(report)),
    }


def results_of(report: Report) -> dict[str, TableResult]:
    """Return what was found of each table, as far as a run has come; nothing if it did nothing."""
    if not report.tables:
        return {}
    known: dict[str, dict[str, CheckFinding]] = {}
    for each in (report, *(group.report for group in report.groups if group.report)):
        for source, check in each.source_checks.held() if each.source_checks else ():
            known.setdefault(source, {})[check] = HELD, None
    for left_out in report.skipped:
        known.setdefault(left_out.table, {})[left_out.check] = SKIPPED, None
    found = {name: TableResult(checks=checks) for name, checks in known.items()}
    for table in report.tables:
        name = table.table.name
        # What was made counts: for an earlier group of the run, perhaps.
        made = {each.check.name: (each.outcome, each.violations) for each in table.checks}
        found[name] = TableResult(
            rows=table.rows,
            seconds=round(table.build_seconds, 3) if table.build_seconds else None,
            check_seconds=round(table.check_seconds, 3) if table.checks else None,
            checks={**known.get(name, {}), **made},
        )
    return found


def _published(report: Report) -> int | None:
    if report.groups:
        counts = [_published(each.report) for each in report.groups if each.report]
        known = [count for count in counts if count is not None]
        return sum(known) if len(known) == len(counts) else None
    if report.status == "unknown":
        return None
    if isinstance(report.error, PartlyPublishedError):
        return len(report.error.new)
    return len(report.built) if report.status == "published" else 0


def _query_ids(report: Report) -> str | None:
    ids = [statement.query_id for statement in report.statements if statement.query_id]
    return json.dumps(ids[-QUERY_IDS:]) if ids else None


def _reasons(report: Report) -> Iterator[str]:
    """Yield why a run has not published everything, for each group if there are several."""
    if not report.groups:
        why = report.error.summary if report.error else _failed_checks(report)
        yield from [why] if why else []
    for group in report.groups:
        if not group.is_done:
            failed = _failed_checks(group.report) if group.report else None
            why = group.error.summary if group.error else failed or group.because
            yield f"group {group.name}: {group.status}" + (f": {why}" if why else "")


def _failed_checks(report: Report) -> str | None:
    names = [f"{table.table.name}.{made.check.name}" for table, made in report.failures]
    return f"checks that did not hold: {', '.join(names)}" if names else None


def _shortened(text: str | None) -> str | None:
    if text is None:
        return None
    line = " ".join(text.split())
    return line if len(line) <= LONGEST_ERROR else f"{line[: LONGEST_ERROR - 1]}…"


def _now() -> datetime.datetime:
    """Return the time in UTC, as engines store it: without a zone."""
    return datetime.datetime.now(datetime.UTC).replace(tzinfo=None)
