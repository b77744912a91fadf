"""What a run or a test has done: a report that prints as the command line does."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Self

from marts.core.api.html import lines_html
from marts.core.authoring.tables import Source
from marts.core.console import exit_codes
from marts.core.console.messages import (
    Line,
    errors_of,
    head_line,
    line_text,
    of_groups,
    outcome_lines,
    plan_document,
    plan_lines,
    reason_lines,
    table_line,
)
from marts.core.errors import FailedChecksError, MartsError
from marts.core.operations.prepared import Ended, Prepared
from marts.core.run.report import CheckReport, Outcome, Status, TableReport, explained, groups_of


@dataclass(frozen=True)
class CheckResult:
    """A check that was made, and what it found."""

    table: str
    name: str
    severity: str
    outcome: Outcome
    violations: int
    explanation: str | None
    """What the number of violations does not say, if it did not pass."""
    sample: tuple[Mapping[str, object], ...] = ()
    """At most 20 of the offending rows, if it failed or warned."""

    def __str__(self) -> str:
        return f"{self.table}.{self.name}"


@dataclass(frozen=True)
class TableResult:
    """A table that was built or checked; `rows` is None if they were not counted."""

    name: str
    kind: str
    """`source`, or how the mart is stored."""
    rows: int | None
    seconds: float
    checks: tuple[CheckResult, ...]


@dataclass(frozen=True, repr=False, eq=False)
class RunReport:
    """How a run or a test ended; it prints as the command line does.

    `status` is one of those in run_results.json, or `planned` after a dry run.
    """

    status: Status | Literal["planned"]
    run_id: str
    as_of: datetime.date
    backend: str
    seconds: float
    tables: tuple[TableResult, ...]
    """The tables that were built or checked."""
    built: tuple[str, ...]
    """The marts that were built."""
    unchanged: tuple[str, ...]
    """The selected marts that were up to date."""
    differences: tuple[str, ...]
    """What engines would compute differently, as `marts compile` warns of it."""
    error: MartsError | None
    """What ended the run early, if anything did."""
    document: Mapping[str, Any]
    """The report as data: run_results.json, after a dry run the plan."""
    groups: Mapping[str, str] = field(default_factory=dict)
    """How each group ended, by name: a status, or `left` if it was not begun."""
    lines: tuple[Line | str, ...] = field(default=())
    """What the command line prints, each line with its label."""

    @property
    def ok(self) -> bool:
        """Tell whether it is done: no error, no failed check."""
        if self.status == "planned":
            return self.error is None
        return exit_codes.BY_STATUS[self.status] == exit_codes.DONE

    @property
    def checks(self) -> tuple[CheckResult, ...]:
        """All checks that were made."""
        return tuple(check for table in self.tables for check in table.checks)

    @property
    def failures(self) -> tuple[CheckResult, ...]:
        """The error-level checks that did not hold."""
        return self._with("fail")

    @property
    def warnings(self) -> tuple[CheckResult, ...]:
        """The warn-level checks that did not hold and are not acknowledged."""
        return self._with("warn")

    def _with(self, outcome: Outcome) -> tuple[CheckResult, ...]:
        return tuple(check for check in self.checks if check.outcome == outcome)

    def raise_for_status(self) -> Self:
        """Return the report if it is done; else raise its error, or FailedChecksError."""
        if self.error:
            raise self.error
        if not self.ok:
            left = (f"group {name}: {status}" for name, status in self.groups.items())
            raise FailedChecksError([*map(str, self.failures)] or left)
        return self

    def __repr__(self) -> str:
        return "\n".join(each if isinstance(each, str) else line_text(each) for each in self.lines)

    def _repr_html_(self) -> str:
        return lines_html(self.lines)


def planned_report(prepared: Prepared) -> RunReport:
    """Return what a dry run says."""
    plan, findings, changes = prepared.plan, prepared.findings, prepared.changes
    read = prepared.backend.sources_read()
    return RunReport(
        status="planned",
        run_id=prepared.recorder.run_id,
        as_of=plan.as_of.day,
        backend=prepared.backend.name,
        seconds=0.0,
        tables=(),
        built=(),
        unchanged=plan.unchanged,
        differences=tuple(map(str, findings)),
        error=next(
            (of_groups([part.group], part.refused) for part in plan.parts if part.refused), None
        ),
        groups={str(part.group): "refused" for part in plan.parts if part.refused},
        document=plan_document(plan, findings, changes, read),
        lines=(*(("warn", str(each)) for each in findings), *plan_lines(plan, changes, read)),
    )


def ended_report(prepared: Prepared, ended: Ended) -> RunReport:
    """Return what a run or a test has done."""
    report, plan = ended.report, prepared.plan
    return RunReport(
        status=report.status,
        run_id=report.run_id,
        as_of=plan.as_of.day,
        backend=prepared.backend.name,
        seconds=report.seconds,
        tables=tuple(map(_table, report.tables)),
        built=tuple(table.table.name for table in report.built),
        unchanged=report.unchanged,
        differences=tuple(map(str, ended.findings)),
        error=report.error,
        document=ended.results,
        groups={each.name: each.status for each in groups_of(report)},
        lines=tuple(_lines(prepared, ended)),
    )


def _lines(prepared: Prepared, ended: Ended) -> Iterator[Line | str]:
    report = ended.report
    yield head_line(prepared)
    for plan in ended.plans:
        yield from reason_lines(plan)
    for finding in ended.findings:
        yield "warn", str(finding)
    yield from map(table_line, report.tables)
    for error in errors_of(report):
        yield f"error: {error}"
    yield from outcome_lines(report, prepared.target)


def _table(table: TableReport) -> TableResult:
    declared = table.table
    return TableResult(
        name=declared.name,
        kind="source" if isinstance(declared, Source) else declared.materialized,
        rows=table.rows,
        seconds=table.build_seconds + table.check_seconds,
        checks=tuple(_check(declared.name, made) for made in table.checks),
    )


def _check(table: str, made: CheckReport) -> CheckResult:
    return CheckResult(
        table=table,
        name=made.check.name,
        severity=made.check.severity,
        outcome=made.outcome,
        violations=made.violations,
        explanation=None if made.outcome == "pass" else "; ".join(explained(made)) or None,
        sample=made.sample,
    )
