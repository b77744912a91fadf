"""Carry a plan out on a backend, and report what happened; the only caller of a backend."""

from __future__ import annotations

import datetime
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, assert_never

import ibis.expr.types as ir

from marts.core.checks import ROWS, sample_query
from marts.core.errors import MartsError
from marts.core.graph import Graph
from marts.core.model import Check, Mart, Source
from marts.core.plan import (
    Build,
    CheckAcross,
    CheckRows,
    Facts,
    Plan,
    Publish,
    SkippedCheck,
    Step,
    TableFacts,
    sources_needed,
)

if TYPE_CHECKING:
    from backends.protocol import Backend

Status = Literal["published", "checked", "failed", "error", "interrupted"]
"""All is published; all checks held (nothing was to publish); an error-level check did not hold;
a step broke off; somebody stopped the run. In the last three, nothing was published."""


@dataclass(frozen=True)
class CheckReport:
    """One check made: its violations, and at most 20 of the offending rows where it fails."""

    check: Check
    violations: int
    sample: tuple[Mapping[str, object], ...] = ()

    @property
    def outcome(self) -> Literal["pass", "warn", "fail"]:
        """How it counts: as many violations as the threshold still pass."""
        if self.violations <= self.check.threshold:
            return "pass"
        return "fail" if self.check.severity == "error" else "warn"


@dataclass
class TableReport:
    """What happened to one table, filled as the run goes on; `rows` is None where not counted."""

    table: Source | Mart
    sql: str | None = None
    rows: int | None = None
    build_seconds: float = 0.0
    check_seconds: float = 0.0
    checks: list[CheckReport] = field(default_factory=list)

    def outcomes(self, outcome: Literal["pass", "warn", "fail"]) -> list[CheckReport]:
        """Return the checks that came out so."""
        return [report for report in self.checks if report.outcome == outcome]


@dataclass(frozen=True)
class Report:
    """What happened in a run."""

    run_id: str
    status: Status
    started_at: datetime.datetime
    seconds: float
    tables: tuple[TableReport, ...]
    skipped: tuple[SkippedCheck, ...]
    error: MartsError | None = None

    @property
    def failures(self) -> list[tuple[TableReport, CheckReport]]:
        """The error-level checks that did not hold."""
        return [(table, check) for table in self.tables for check in table.outcomes("fail")]

    @property
    def warnings(self) -> list[tuple[TableReport, CheckReport]]:
        """The warn-level checks that did not hold."""
        return [(table, check) for table in self.tables for check in table.outcomes("warn")]


Observer = Callable[[Step, TableReport | None], None]
"""Is told each step before it is carried out, and its table's report so far."""


def survey(
    graph: Graph, selected: Collection[str], backend: Backend, *, source_checks: bool = False
) -> Facts:
    """Ask the backend for the schemas that planning needs; nothing is changed."""
    needed = sources_needed(graph, selected, source_checks=source_checks)
    described = {name: backend.describe_source(name) for name in needed}
    return Facts(
        sources={
            name: TableFacts(dict(found.schema.items()), found.rows)
            for name, found in described.items()
            if found is not None
        },
        published={
            name: TableFacts(dict(found.schema.items()), found.rows)
            for name, found in backend.describe_published().items()
            if name in graph.project.marts
        },
        searched=backend.searched,
    )


def run(plan: Plan, backend: Backend, *, run_id: str, observe: Observer) -> Report:
    """Carry out all steps, or none that a reader could see.

    A MartsError or an interrupt becomes part of the report; any other exception is a bug, and is
    raised after the candidates are dropped.
    """
    started, clock = datetime.datetime.now(datetime.UTC), time.perf_counter()
    execution = _Execution(plan, backend, observe)
    status: Status = "error"
    error = None
    try:
        status = execution.go(run_id)
    except KeyboardInterrupt:
        status = "interrupted"
    except MartsError as raised:
        error = raised
    finally:
        if status != "published" and execution.publishes:
            backend.discard()
    return Report(
        run_id=run_id,
        status=status,
        started_at=started,
        seconds=time.perf_counter() - clock,
        tables=tuple(execution.tables.values()),
        skipped=plan.skipped,
        error=error,
    )


class _Execution:
    """One pass over a plan's steps."""

    def __init__(self, plan: Plan, backend: Backend, observe: Observer) -> None:
        self.plan = plan
        self.backend = backend
        self.observe = observe
        self.tables: dict[str, TableReport] = {}
        self.publishes = any(isinstance(step, Publish) for step in plan.steps)

    def go(self, run_id: str) -> Status:
        if self.publishes:
            self.backend.begin(run_id)
        for step in self.plan.steps:
            match step:
                case Build():
                    if self._failed(Source):
                        return "failed"
                    self.observe(step, self._table(step.mart))
                    self._build(step)
                case CheckRows():
                    self.observe(step, self._table(step.table))
                    self._check(step.table, step.checks, step.query)
                case CheckAcross():
                    self.observe(step, self._table(step.table))
                    self._check(step.table, (step.check,), step.query)
                case Publish():
                    if self._failed(Mart):
                        return "failed"
                    self.observe(step, None)
                    self.backend.publish(self.plan.as_of.day, run_id)
                    return "published"
                case _:
                    assert_never(step)
        return "failed" if self._failed(Source) or self._failed(Mart) else "checked"

    def _table(self, table: Source | Mart) -> TableReport:
        return self.tables.setdefault(table.name, TableReport(table))

    def _failed(self, kind: type[Source | Mart]) -> bool:
        return any(
            report.outcomes("fail")
            for report in self.tables.values()
            if isinstance(report.table, kind)
        )

    def _build(self, step: Build) -> None:
        report = self._table(step.mart)
        report.sql = self.backend.compile(step.query)
        start = time.perf_counter()
        self.backend.build(
            step.mart.name,
            step.query,
            kind=step.mart.materialized,
            comment=step.mart.comment,
            column_comments=step.column_comments,
        )
        report.build_seconds = time.perf_counter() - start

    def _check(self, table: Source | Mart, checks: tuple[Check, ...], query: ir.Table) -> None:
        report = self._table(table)
        start = time.perf_counter()
        counts = self.backend.fetch(query, about=table.name).to_pylist()[0]
        if ROWS in counts:
            report.rows = counts[ROWS]
        for number, check in enumerate(checks):
            made = CheckReport(check, int(counts[f"c{number}"] or 0))
            if made.outcome != "pass":
                made = CheckReport(check, made.violations, self._sample(table, check))
            report.checks.append(made)
        report.check_seconds += time.perf_counter() - start

    def _sample(self, table: Source | Mart, check: Check) -> tuple[Mapping[str, object], ...]:
        query = sample_query(table, check, self.plan.tables, self.plan.as_of)
        if query is None:
            return ()
        return tuple(self.backend.fetch(query, about=table.name).to_pylist())
