"""Plan a schedule: compile each step of a run as of several dates, and find the date in it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile

import ibis.expr.types as ir

from marts.core.authoring.checks import Check, FreshCheck
from marts.core.authoring.columns import personal_in
from marts.core.authoring.expressions import FixedAsOf
from marts.core.authoring.signature import naming
from marts.core.authoring.tables import Mart, Source, checked_key
from marts.core.authoring.tolerance import Rate
from marts.core.plan.dated import DAYS, UndatedAsOf, dated
from marts.core.plan.planner import plan_run
from marts.core.plan.queries import Queries
from marts.core.plan.schedule import Schedule, ScheduledCheck, ScheduledChecks, ScheduledMart
from marts.core.plan.source_checks import SourceChecks
from marts.core.plan.state import CompiledQuery, EngineState
from marts.core.plan.steps import Build, CheckTable, Plan, Step, needs
from marts.core.project.graph import Graph


def scheduled(
    graph: Graph,
    names: Collection[str],
    state: EngineState,
    checks: SourceChecks,
    compile_: Callable[[ir.Table], CompiledQuery],
) -> Schedule:
    """Return what a run of a graph's marts does on any date; `state` has the sources that exist.

    Raises DefinitionError for a mart or a check that takes the run's date apart in Python, and what
    planning a run raises.
    """
    plans = [
        plan_run(
            graph,
            names,
            state,
            FixedAsOf(day),
            source_checks=checks,
            queries=Queries(graph.project, state, UndatedAsOf(day)),
        )
        for day in DAYS
    ]
    compiling = _Compiling(plans, compile_, checks.orphans)
    steps = plans[0].steps
    on_sources = list(takewhile(lambda step: not isinstance(step, Build), steps))
    made = [compiling.checks(n, s) for n, s in enumerate(on_sources) if isinstance(s, CheckTable)]
    read = {each for step in steps for each in needs(step)}
    present = [name for name in graph.project.sources if name in read and name in state.sources]
    absent = [name for name in graph.project.sources if name in read and name not in state.sources]
    return Schedule(
        package=graph.project.package,
        group=graph.own_group,
        sources=tuple(dict.fromkeys([*present, *checks.sources])),
        required=frozenset(n for n, each in graph.project.sources.items() if not each.optional),
        absent=tuple(absent),
        relied_on=checks.sources,
        on_sources=tuple(made),
        marts=tuple(compiling.marts(steps, len(on_sources))),
    )


@dataclass(frozen=True)
class _Compiling:
    """Compiles each step of the plans for `DAYS`, which have the same steps."""

    plans: Sequence[Plan]
    compile: Callable[[ir.Table], CompiledQuery]
    orphans: frozenset[tuple[str, str]]

    def marts(self, steps: Sequence[Step], first: int) -> Iterator[ScheduledMart]:
        """Yield the marts, each with the checks that follow it."""
        starts = [n for n in range(first, len(steps)) if isinstance(steps[n], Build)]
        built = set[str]()
        for start, end in zip(starts, [*starts[1:], len(steps)], strict=True):
            step = steps[start]
            if isinstance(step, Build):
                built.add(step.mart.name)
                own = range(start + 1, end)
                read = {name for n in range(start, end) for name in needs(steps[n])}
                made = (self.checks(n, s) for n in own if isinstance(s := steps[n], CheckTable))
                mart = step.mart
                yield ScheduledMart(
                    name=mart.name,
                    kind=mart.materialized,
                    query=self._dated(start, f"mart {mart.name}", mart.location),
                    schema=step.query.schema(),
                    comment=mart.comment,
                    column_comments=step.column_comments,
                    key=checked_key(mart),
                    checks=tuple(made),
                    needs=frozenset(read & built - {mart.name}),
                    personal=personal_in(mart.columns),
                )

    def checks(self, number: int, step: CheckTable) -> ScheduledChecks:
        """Return the checks of a step."""
        table = step.table
        names = [check.name for check in step.checks]
        one = f"check {names[0]}" if len(names) == 1 else "a check"
        return ScheduledChecks(
            table.name,
            tuple(_check(each, table) for each in step.checks),
            self._dated(number, f"{one} of {table.name}", table.location),
            frozenset(name for name in names if (table.name, name) in self.orphans),
        )

    def _dated(self, number: int, what: str, location: str) -> CompiledQuery:
        with naming(what, location):
            queries = [self.compile(plan.steps[number].query) for plan in self.plans]
        return dated(queries, what=what, location=location)


def _check(check: Check, table: Source | Mart) -> ScheduledCheck:
    known = next((each for each in table.acknowledged if each.check == check.name), None)
    zones = {column.name: column.zone for column in table.columns}
    return ScheduledCheck(
        name=check.name,
        severity=check.severity,
        rows=0 if isinstance(check.threshold, Rate) else check.threshold,
        percent=check.threshold.percent if isinstance(check.threshold, Rate) else None,
        acknowledged_until=known.until if known else None,
        hours=check.hours if isinstance(check, FreshCheck) else None,
        zone=zones.get(check.column) if isinstance(check, FreshCheck) else None,
    )
