"""Run several groups, one after the other: each is published as a whole, or left as it was."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from marts.core.authoring.checks import tables_read
from marts.core.authoring.tables import Source
from marts.core.errors import MartsError
from marts.core.plan.source_checks import EarlierChecks
from marts.core.plan.steps import Plan, SkippedCheck
from marts.core.project.graph import Graph
from marts.core.project.groups import Group
from marts.core.run.backend import Backend
from marts.core.run.recording import Recorder
from marts.core.run.remembering import share_of
from marts.core.run.report import CheckReport, GroupReport, GroupStatus, Report, Status, TableReport
from marts.core.run.runner import Observer, Review, carry_out

WORST: Sequence[Status] = (
    *("interrupted", "unknown", "partly_published", "error", "failed"),
    *("published", "checked", "unchanged"),
)
"""The status of a run of several groups is the first of these that one of them has."""


class Planner(Protocol):
    """Plans the groups of a run, each on what is published when its turn comes."""

    graph: Graph

    @property
    def groups(self) -> Sequence[Group]:
        """The groups with selected marts, each after those that it reads."""

    def plan(self, group: Group, *, is_last: bool, earlier: EarlierChecks) -> Plan:
        """Plan one group; raise MartsError for what makes that impossible."""

    def published(self, plan: Plan) -> None:
        """Know that a plan was carried out."""


@dataclass
class GroupedRun:
    """A run of several groups; `planned` is told each plan that is about to be carried out.

    `ending` is called when a group has only to be cleaned up; after that, no interrupt may be
    raised, until `going_on` is called, which raises one that came meanwhile.
    """

    planner: Planner
    backend: Backend
    observer: Observer
    recorder: Recorder
    planned: Callable[[Plan], None]
    ending: Callable[[], None]
    going_on: Callable[[], None]
    review: Review | None = None
    done: list[GroupReport] = field(default_factory=list)
    earlier: EarlierChecks = field(default_factory=EarlierChecks)
    failed: dict[tuple[str, str], tuple[Source, CheckReport]] = field(default_factory=dict)
    """The checks of sources that failed, by their keys."""
    is_over: str = ""
    """Why no other group is begun."""

    def go(self) -> Report:
        """Run all groups; a failure or an interrupt becomes part of the report."""
        started = datetime.datetime.now(datetime.UTC)
        try:
            for group in self.planner.groups:
                self.done.append(self._run(group))
        finally:
            # Copies of sources were kept until now.
            self.backend.discard()
        report = self._merged(started)
        self.recorder.ended(report)
        return report

    def _run(self, group: Group) -> GroupReport:
        """Run one group, unless a group that it reads was not published, or the run is over."""
        missing = [each.name for each in self.done if each.name in group.reads and not each.is_done]
        if missing:
            verb = "was" if len(missing) == 1 else "were"
            return self._left(group, f"reads {', '.join(missing)}, which {verb} not published")
        try:
            if self.done and not self.is_over:
                self.going_on()
                if not self.backend.go_on():
                    self.is_over = "the engine cannot be used any more"
            if self.is_over:
                return self._left(group, self.is_over)
            report = self._report(group)
        except KeyboardInterrupt:
            self.ending()
            self.is_over = "the run was interrupted"
            return GroupReport(group.name, group.reads, "interrupted")
        except MartsError as error:
            return GroupReport(group.name, group.reads, "error", error=error)
        if report.status == "interrupted":
            self.is_over = "the run was interrupted"
        return GroupReport(group.name, group.reads, report.status, report, report.error)

    def _left(self, group: Group, because: str) -> GroupReport:
        return GroupReport(group.name, group.reads, "left", because=because)

    def _report(self, group: Group) -> Report:
        """Plan a group and carry it out."""
        since = len(self.backend.statements())
        is_last = group is self.planner.groups[-1]
        all_are_done = all(each.is_done for each in self.done)
        plan = self.planner.plan(group, is_last=is_last and all_are_done, earlier=self.earlier)
        self.planned(plan)
        if plan.source_checks and plan.source_checks.failed:
            return self._failed_before(plan)
        report = carry_out(
            plan,
            self.backend,
            run_id=self.recorder.run_id,
            observer=self.observer,
            recorder=self.recorder,
            ending=self.ending,
            goes_on=not is_last,
            since=since,
            review=self.review,
        )
        self._remember(plan, report)
        if report.status == "published":
            self.planner.published(plan)
        return report

    def _failed_before(self, plan: Plan) -> Report:
        """Return the report of a group that relies on what failed for an earlier one."""
        tables: dict[str, TableReport] = {}
        for key in plan.source_checks.failed if plan.source_checks else ():
            source, made = self.failed[key]
            tables.setdefault(source.name, TableReport(source)).checks.append(made)
        return Report(
            run_id=self.recorder.run_id,
            status="failed",
            started_at=datetime.datetime.now(datetime.UTC),
            seconds=0.0,
            tables=tuple(tables.values()),
            skipped=(),
            unchanged=(),
            statements=(),
            source_checks=plan.source_checks,
            group=plan.group,
        )

    def _remember(self, plan: Plan, report: Report) -> None:
        """Remember what was found of sources, so that later groups do not check it again."""
        checks = plan.source_checks
        if checks is None:
            return
        outcomes, rows = dict(self.earlier.outcomes), dict(self.earlier.rows)
        shares = dict(self.earlier.shares)
        for table in report.tables:
            if not isinstance(table.table, Source):
                continue
            name = table.table.name
            if table.rows is not None:
                rows[name] = table.rows
            for made in table.checks:
                outcomes[checks.key(name, made.check)] = made.outcome
                if made.outcome == "fail":
                    self.failed[checks.key(name, made.check)] = table.table, made
                if (name, made.check.name) in checks.orphans:
                    shares[name, made.check.name] = share_of(made)
        self.earlier = EarlierChecks(outcomes, rows, shares)

    def _merged(self, started: datetime.datetime) -> Report:
        reports = [each.report for each in self.done if each.report]
        statuses: set[GroupStatus] = {each.status for each in self.done}
        wanted = [each.source_checks for each in reports if each.source_checks]
        return Report(
            run_id=self.recorder.run_id,
            status=next(status for status in WORST if status in statuses),
            started_at=started,
            # Without planning, as in a run of one group.
            seconds=sum(each.seconds for each in reports),
            tables=merged_tables(each for report in reports for each in report.tables),
            skipped=(
                *(each for report in reports for each in report.skipped),
                *checks_across(self.planner.graph, _published(reports)),
            ),
            unchanged=tuple(name for report in reports for name in report.unchanged),
            statements=tuple(each for report in reports for each in report.statements),
            error=next((each.error for each in self.done if each.error), None),
            source_checks=wanted[0] if wanted else None,
            sources_read=self.backend.sources_read(),
            changes=tuple(dict.fromkeys(each for report in reports for each in report.changes)),
            unfinished=tuple(dict.fromkeys(e for report in reports for e in report.unfinished)),
            groups=tuple(self.done),
            proofs={n: stamp for report in reports for n, stamp in report.proofs.items()},
        )


def _published(reports: Sequence[Report]) -> set[str]:
    published = [report for report in reports if report.status == "published"]
    return {table.table.name for report in published for table in report.built}


def checks_across(graph: Graph, new: Collection[str]) -> Iterator[SkippedCheck]:
    """Yield the checks of marts that are as before, but read new marts of another group."""
    marts = graph.project.marts
    for owner, check in graph.wide_checks(new):
        read = [name for name in tables_read(check) if name in new]
        is_across = any(marts[name].group != owner.group for name in read)
        if is_across and owner.name not in new and not owner.is_temporary:
            yield SkippedCheck(owner.name, check.name, (owner.name,))


def merged_tables(tables: Iterator[TableReport]) -> tuple[TableReport, ...]:
    """Return one report for each table: groups share sources and temporary marts."""
    found: dict[str, TableReport] = {}
    for table in tables:
        known = found.get(table.table.name)
        if known is None:
            found[table.table.name] = replace(table, checks=list(table.checks))
            continue
        known.rows = known.rows if table.rows is None else table.rows
        known.sql = known.sql or table.sql
        known.build_seconds += table.build_seconds
        known.check_seconds += table.check_seconds
        known.checks = _merged_checks([*known.checks, *table.checks])
    return tuple(found.values())


def _merged_checks(checks: Collection[CheckReport]) -> list[CheckReport]:
    """Return each check once: as it did not hold, if it did not."""
    found: dict[str, CheckReport] = {}
    for made in checks:
        if made.check.name not in found or found[made.check.name].outcome == "pass":
            found[made.check.name] = made
    return list(found.values())
