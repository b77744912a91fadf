"""Carry a plan out on a backend, and report what happened; trials aside, its only caller."""

from __future__ import annotations

import datetime
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import takewhile
from typing import TYPE_CHECKING, Literal, Protocol, assert_never

import ibis.expr.types as ir

from marts.core.authored import naming
from marts.core.checked import SourceChecks
from marts.core.checks import ROWS, checks_of, sample_query, tables_read
from marts.core.concurrency import in_order_of_need
from marts.core.errors import ChangedSourcesError, MartsError, PartlyPublishedError
from marts.core.graph import Graph
from marts.core.model import Check, Mart, Source
from marts.core.plan import (
    Build,
    CheckAcross,
    CheckRows,
    Plan,
    Publish,
    SkippedCheck,
    Step,
    across,
)
from marts.core.remembering import checked_sources
from marts.core.state import CheckedSource, Facts, Publication, Recorded, TableFacts
from marts.core.tolerance import Acknowledgement, Rate

if TYPE_CHECKING:
    from backends.protocol import Backend, Described, Statement

Status = Literal[
    "published", "unchanged", "checked", "failed", "error", "interrupted", "partly_published"
]
"""All is published; nothing was to do; no check failed (nothing was to publish); an error-level
check did not hold; a step broke off; somebody stopped the run: in these three, nothing was
published. The last: an engine without transactions over several tables broke off while
publishing."""


Outcome = Literal["pass", "warn", "acknowledged", "fail"]


@dataclass(frozen=True)
class CheckReport:
    """One check made: its violations, and at most 20 of the offending rows where it fails."""

    check: Check
    violations: int
    sample: tuple[Mapping[str, object], ...] = ()
    rows: int = 0
    """How many rows it looked at, of which a rate is one."""
    acknowledgement: Acknowledgement | None = None
    """Who knows of it, if anybody does."""
    is_acknowledged: bool = False
    """Whether that still counts."""

    @property
    def outcome(self) -> Outcome:
        """How it counts: as many violations as the threshold still pass."""
        threshold = self.check.threshold
        if self.violations <= (
            threshold.of(self.rows) if isinstance(threshold, Rate) else threshold
        ):
            return "pass"
        if self.check.severity == "error":
            return "fail"
        return "acknowledged" if self.is_acknowledged else "warn"


@dataclass
class TableReport:
    """What happened to one table, filled as the run goes on; `rows` is None where not counted."""

    table: Source | Mart
    sql: str | None = None
    rows: int | None = None
    build_seconds: float = 0.0
    check_seconds: float = 0.0
    checks: list[CheckReport] = field(default_factory=list)

    def outcomes(self, outcome: Outcome) -> list[CheckReport]:
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
    unchanged: tuple[str, ...]
    statements: tuple[Statement, ...]
    error: MartsError | None = None
    source_checks: SourceChecks | None = None
    """Which checks of sources were derived; None where that was not the question."""

    @property
    def failures(self) -> list[tuple[TableReport, CheckReport]]:
        """The error-level checks that did not hold."""
        return [(table, check) for table in self.tables for check in table.outcomes("fail")]

    @property
    def acknowledged(self) -> list[tuple[TableReport, CheckReport]]:
        """The warn-level checks that did not hold, as somebody knows."""
        return [(table, check) for table in self.tables for check in table.outcomes("acknowledged")]

    @property
    def warnings(self) -> list[tuple[TableReport, CheckReport]]:
        """The warn-level checks that did not hold."""
        return [(table, check) for table in self.tables for check in table.outcomes("warn")]


class Observer(Protocol):
    """Is told what a run does, as it does it; with several threads, from each of them."""

    def started(self, step: Step) -> None:
        """A step begins."""

    def finished(self, step: Step, table: TableReport | None) -> None:
        """A step is done; its table's report so far, None for publishing."""


def survey(
    graph: Graph,
    selected: Collection[str],
    backend: Backend,
    *,
    source_checks: bool = False,
    also: Collection[str] = (),
) -> Facts:
    """Ask the backend for what planning needs, `also` of these sources; nothing is changed."""
    project = graph.project
    related = _related(graph, selected)
    read = {
        name
        for mart in (project.marts[name] for name in related)
        for name in {*mart.inputs}.union(*(tables_read(check) for check in checks_of(mart)))
    }
    needed = [name for name in project.sources if source_checks or name in {*read, *also}]
    rows = backend.state()
    own = {
        row.name: row
        for row in rows
        # An earlier version recorded no package: its tables are taken over by name.
        if row.kind != "source"
        and (row.package == project.package or (row.package is None and row.name in project.marts))
    }
    published = _facts(backend.describe_published([name for name in own if name in related]))
    return Facts(
        sources=_facts(backend.describe_sources(needed)),
        published={name: found for name, found in published.items() if name in project.marts},
        recorded={
            name: Recorded(
                kind="view" if row.kind == "view" else "table",
                run_id=row.run_id,
                as_of=row.as_of,
                origin=row.origin,
                version=row.version,
            )
            for name, row in own.items()
            if name in published or name in project.marts
        },
        foreign={
            row.name: row.package
            for row in rows
            if row.package and row.package != project.package and row.kind != "source"
        },
        checked={
            row.name: found
            for row in rows
            if row.kind == "source" and row.package == project.package
            if (found := CheckedSource.from_text(row.origin))
        },
        searched=backend.searched,
    )


def _related(graph: Graph, selected: Collection[str]) -> set[str]:
    """Return the marts whose state a run of the selected ones may depend on.

    They are the views behind them, what these and their checks read, and so on.
    """
    marts = graph.project.marts
    found, new = set[str](), set(selected)
    while new:
        found |= new
        behind = {each for name in new for each in graph.downstream(name)}
        views = {name for name in behind if marts[name].materialized == "view"}
        checked = {
            name
            for owner, check in across(graph, found)
            for name in (owner.name, *tables_read(check))
            if name in marts
        }
        new = views.union(checked, *map(graph.upstream, found | checked)) - found
    return found


def _facts(described: Mapping[str, Described]) -> dict[str, TableFacts]:
    return {
        name: TableFacts(
            dict(found.schema.items()), found.rows, found.version, found.misfits, found.columns
        )
        for name, found in described.items()
    }


def run(plan: Plan, backend: Backend, *, run_id: str, observer: Observer) -> Report:
    """Carry out all steps, or none that a reader could see.

    A MartsError or an interrupt becomes part of the report; any other exception is a bug, and is
    raised after the candidates are dropped.
    """
    started, clock = datetime.datetime.now(datetime.UTC), time.perf_counter()
    execution = _Execution(plan, backend, observer)
    status: Status = "error"
    error: MartsError | None = None
    try:
        status = execution.go(run_id)
    except KeyboardInterrupt:
        status = "published" if execution.publishes and backend.is_published() else "interrupted"
    except PartlyPublishedError as raised:
        status, error = "partly_published", raised
    except MartsError as raised:
        error = raised
    finally:
        if status != "published" and execution.begins:
            backend.discard()
    return Report(
        run_id=run_id,
        status=status,
        started_at=started,
        seconds=time.perf_counter() - clock,
        tables=tuple(execution.tables.values()),
        skipped=plan.skipped,
        unchanged=plan.unchanged,
        statements=tuple(map(execution.counted, backend.statements())),
        error=error,
        source_checks=plan.source_checks,
    )


class _Execution:
    """One pass over a plan's steps."""

    def __init__(self, plan: Plan, backend: Backend, observer: Observer) -> None:
        self.plan = plan
        self.backend = backend
        self.observer = observer
        self.tables: dict[str, TableReport] = {}
        self.publishes = any(isinstance(step, Publish) for step in plan.steps)
        self.begins = any(isinstance(step, Build | Publish) for step in plan.steps)

    def go(self, run_id: str) -> Status:
        if self.begins:
            builds = [step.mart.name for step in self.plan.steps if isinstance(step, Build)]
            self.backend.begin(run_id, builds)
        steps = [step for step in self.plan.steps if not isinstance(step, Publish)]
        on_sources = list(takewhile(lambda step: not isinstance(step, Build), steps))
        # Sources that fail their checks are not built upon.
        self._carry_out(on_sources, steps[len(on_sources) :])
        if self._failed():
            return "failed"
        if changed := self.backend.changed_sources():
            raise ChangedSourcesError(changed)
        publish = self.plan.steps[-1] if self.publishes else None
        if not isinstance(publish, Publish):
            return "checked" if steps else "unchanged"
        self.observer.started(publish)
        self.backend.publish(
            Publication(
                package=self.plan.package,
                as_of=self.plan.as_of.day,
                run_id=run_id,
                origins={name: origin.to_text() for name, origin in self.plan.origins.items()},
                checked={
                    name: found.to_text()
                    for name, found in checked_sources(self.plan, self.tables).items()
                },
                drops=publish.drops,
            )
        )
        self.observer.finished(publish, None)
        return "published"

    def counted(self, statement: Statement) -> Statement:
        """Return a statement with its rows; those of a build are known from its checks."""
        if statement.step == "build" and statement.about in self.tables:
            return replace(statement, rows=self.tables[statement.about].rows)
        return statement

    def _carry_out(self, *stages: Sequence[Step]) -> None:
        """Carry out one stage after the other, until a check of one fails."""
        if self.backend.threads > 1:
            in_order_of_need(
                *stages,
                carry_out=self._do,
                threads=self.backend.threads,
                goes_on=lambda: not self._failed(),
            )
            return
        for steps in stages:
            if not self._failed():
                for step in steps:
                    self._do(step)

    def _do(self, step: Step) -> None:
        self.observer.started(step)
        match step:
            case Build():
                self._build(step)
                table = step.mart.name
            case CheckRows():
                self._check(step.table, step.checks, step.query)
                table = step.table.name
            case CheckAcross():
                self._check(step.table, (step.check,), *step.quick, step.query)
                table = step.table.name
            case Publish():
                raise AssertionError("publishing is the last step, and no other")
            case _:
                assert_never(step)
        self.observer.finished(step, self.tables[table])

    def _failed(self) -> bool:
        return any(report.outcomes("fail") for report in self.tables.values())

    def _table(self, table: Source | Mart) -> TableReport:
        return self.tables.setdefault(table.name, TableReport(table))

    def _build(self, step: Build) -> None:
        report = self._table(step.mart)
        with naming(f"mart {step.mart.name}", step.mart.place):
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

    def _check(self, table: Source | Mart, checks: tuple[Check, ...], *queries: ir.Table) -> None:
        """Make checks by the first of several queries that finds nothing, or the last."""
        report = self._table(table)
        start = time.perf_counter()
        with naming(f"a check of {table.name}", table.place):
            for query in queries:
                counts = self.backend.fetch(query, about=table.name)[0]
                if not counts["c0"]:
                    break
        if ROWS in counts:
            report.rows = counts[ROWS]
        for number, check in enumerate(checks):
            rows = counts.get(f"l{number}", report.rows)
            known = next((a for a in table.acknowledged if a.check == check.name), None)
            made = CheckReport(
                check,
                int(counts[f"c{number}"] or 0),
                rows=int(rows or 0),
                acknowledgement=known,
                is_acknowledged=known is not None and self.plan.as_of.day <= known.until,
            )
            if made.outcome in ("warn", "fail"):
                made = replace(made, sample=self._sample(table, check))
            report.checks.append(made)
        report.check_seconds += time.perf_counter() - start

    def _sample(self, table: Source | Mart, check: Check) -> tuple[Mapping[str, object], ...]:
        query = sample_query(table, check, self.plan.tables, self.plan.as_of)
        if query is None:
            return ()
        return tuple(self.backend.fetch(query, about=table.name))
