"""Plan what a run does: all marts of a group, on what is published when its turn comes."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace

from marts.core.analysis.reliance import Reliance
from marts.core.analysis.rules import Finding
from marts.core.authoring.expressions import FixedAsOf
from marts.core.errors import MartsError
from marts.core.operations.run_options import RunOptions
from marts.core.plan.changes import plan_changes, refuse_unknown_marts, with_reshapes
from marts.core.plan.findings import findings_of, findings_of_views, refuse_not_repeatable
from marts.core.plan.fingerprint import CurrentInputs
from marts.core.plan.source_checks import (
    EarlierChecks,
    SourceCheckOptions,
    SourceChecks,
    source_checks,
)
from marts.core.plan.state import (
    EngineState,
    RecordedTable,
    ShapeChange,
    TableState,
)
from marts.core.plan.steps import Plan, PlannedPublication
from marts.core.project.graph import Graph
from marts.core.project.groups import Group
from marts.core.proof.requirement import Requirement
from marts.core.query.contract import schema_of
from marts.core.run.backend import Backend
from marts.core.run.building import planned_tables
from marts.core.run.grouped import checks_across
from marts.core.run.inspection import inspect_again, inspect_engine

SUPPOSED = "supposed"
"""The version of a mart that a plan would publish."""


@dataclass
class RunPlanner:
    """Plans the groups of a run; the sources are inspected once, before the first.

    `plans` are those made so far, `findings` what engines would compute differently in them,
    `changes` what publishing them would change besides rows.
    """

    graph: Graph
    selected: tuple[str, ...]
    reliance: Reliance
    backend: Backend
    as_of: FixedAsOf
    run_id: str
    options: RunOptions
    reshape: Collection[str] = ()
    requirement: Requirement | None = None
    """What it asks of marts that it publishes; None if it asks for no proof."""
    toolchain: str | None = None
    """A digest of the code that compiles; without it, every mart is compiled."""
    plans: list[Plan] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    changes: list[ShapeChange] = field(default_factory=list)
    _current: CurrentInputs | None = None
    _anew: set[str] | None = None
    """What has been published since the last inspection; None if nothing can have been."""

    @property
    def groups(self) -> tuple[Group, ...]:
        """The groups with selected marts, each after those that it reads."""
        return tuple(each for each in self.graph.groups if each.marts & {*self.selected})

    def refuse_unknown(self) -> None:
        """Raise UsageError for options that name what no group has."""
        refuse_unknown_marts("--adopt", self.options.adopt, self.graph)
        refuse_unknown_marts("--reshape", self.reshape, self.graph)

    def refuse_unproven(self) -> None:
        """Raise UsageError for marts that the run may publish, or keeps, and that are not proven.

        These are the selected marts, and the published views that read them.
        """
        if self.requirement is None:
            return
        marts, current = self.graph.project.marts, self._inputs(self.graph)
        groups, names = {group.name for group in self.groups}, {*self.selected}
        for name in self.graph.order:
            mart = marts[name]
            is_shown = mart.materialized == "view" and name in current.state.published
            if is_shown and mart.group in groups and names.intersection(mart.inputs):
                names.add(name)
        published = [n for n in self.graph.order if n in names and not marts[n].is_temporary]
        self.requirement.refuse_unproven(
            published, current.queries, self.as_of.day, current.state.sources
        )
        # Nothing has been published since the inspection.
        self._anew = None

    def plan(
        self,
        group: Group | None,
        *,
        is_last: bool = True,
        earlier: EarlierChecks | None = None,
    ) -> Plan:
        """Plan one group on what is published now; without a group, all that is selected."""
        graph = self.graph.within(group.name) if group else self.graph
        current, options = self._inputs(graph), self.options
        selected = self._selected(group) if group else self.selected

        def checks_for(names: Collection[str]) -> SourceChecks:
            wanted = SourceCheckOptions(options.checks_sources, options.accept_shrink)
            due = source_checks(graph, self.reliance, current.state, wanted, names)
            return due.after(earlier) if earlier else due

        plan = plan_changes(
            graph,
            selected,
            current,
            run_id=self.run_id,
            force=options.force,
            source_checks=checks_for,
            adopt=options.adopt,
            drop_orphans=options.drop_orphans,
            is_last=is_last,
        )
        # A table that is adopted is replaced, whatever its columns are.
        plan = with_reshapes(plan, graph, {*self.reshape, *options.adopt})
        tables = planned_tables(plan, self.backend)
        self.changes += self.backend.shape_changes(tables, acknowledged=plan.reshapes)
        self.changes += self.backend.protections(plan.annotations)
        if group and len(self.groups) == 1:
            # No other group of this run makes the checks between the groups.
            new = {step.mart.name for step in plan.builds}
            plan = replace(plan, skipped=(*plan.skipped, *checks_across(self.graph, new)))
        findings = (*findings_of(graph.project, plan), *findings_of_views(graph.project, plan))
        refuse_not_repeatable(findings)
        self.plans.append(plan)
        self.findings += findings
        return plan

    def published(self, plan: Plan) -> None:
        """Know that a plan was carried out, and that its marts are published."""
        self._anew = (self._anew or set()) | {step.mart.name for step in plan.builds}

    def supposed(self) -> Plan:
        """Plan all groups as if each could be published; do nothing."""
        parts, earlier = list[Plan](), EarlierChecks()
        for group in self.groups:
            # Nothing has been published: what is supposed must stay.
            self._anew, is_last = None, group is self.groups[-1]
            missing = [part.group or "" for part in parts if part.refused]
            if behind := [name for name in missing if name in group.reads]:
                parts.append(self._refused(group, MartsError(f"reads {', '.join(behind)}")))
                continue
            try:
                plan = self.plan(group, is_last=is_last and not missing, earlier=earlier)
            except MartsError as error:
                parts.append(self._refused(group, error))
                continue
            parts.append(plan)
            earlier = _supposing_checks(plan, earlier)
            if self._current:
                state = _supposing(plan, self._current.state, self.run_id)
                self._current = self._current.within(self._current.graph, state)
        return combined(parts)

    def _refused(self, group: Group, why: MartsError) -> Plan:
        empty = Plan(self.graph.project.package, self.as_of, (), {}, ())
        return replace(empty, group=group.name, refused=why)

    def _selected(self, group: Group) -> tuple[str, ...]:
        """Return the selected marts of a group, and the selected temporary ones that it reads."""
        own = group.marts & {*self.selected}
        temporary = self.graph.temporaries(*own, through_checks=True)
        return tuple(name for name in self.selected if name in own | temporary)

    def _inputs(self, graph: Graph) -> CurrentInputs:
        if self._current is None:
            state = inspect_engine(
                self.graph,
                self.selected,
                self.backend,
                also=self.reliance.columns_of_sources(self.selected),
                isolates=len(self.groups) > 1,
            )
            self._current = CurrentInputs(
                self.graph,
                state,
                self.as_of,
                self.backend.compile,
                checks_sources=self.options.checks_sources,
                run_id=self.run_id,
                stamp=self.requirement.stamp if self.requirement else None,
                toolchain=self.toolchain,
                known=self.reliance.queries,
            )
        elif self._anew is not None:
            state = inspect_again(graph, self._current.state, self.backend, anew=self._anew)
            self._current = self._current.within(graph, state)
        self._anew = set()
        state = self._current.state.of_group(graph.own_group)
        return self._current.within(graph, state)


def _supposing(plan: Plan, state: EngineState, run_id: str) -> EngineState:
    """Return the state after a plan has been carried out."""
    new = [step for step in plan.builds if step.fingerprint]
    day, group = plan.as_of.day, plan.group or ""
    recorded = {
        step.mart.name: RecordedTable(
            plan.package,
            step.mart.name,
            step.mart.materialized,
            run_id,
            day,
            SUPPOSED,
            step.fingerprint.to_text() if step.fingerprint else None,
            stamp.to_text() if (stamp := plan.proofs.get(step.mart.name)) else None,
            group,
        )
        for step in new
    }
    tables = {s.mart.name: TableState(schema_of(s.mart.columns), version=SUPPOSED) for s in new}
    return replace(
        state,
        recorded={**state.recorded, **recorded},
        published={**state.published, **tables},
    )


def _supposing_checks(plan: Plan, earlier: EarlierChecks) -> EarlierChecks:
    """Return what is known of sources if all checks of a plan hold."""
    if (checks := plan.source_checks) is None:
        return earlier
    made = {
        checks.key(name, check): "pass"
        for name, several in checks.by_source.items()
        for check in several
    }
    return replace(earlier, outcomes={**earlier.outcomes, **made})


def combined(parts: Collection[Plan]) -> Plan:
    """Return the plan of several groups, which are published one by one."""
    first = next(iter(parts))
    publications = [part.publication for part in parts if part.publication]
    published = PlannedPublication(
        tuple(mart for each in publications for mart in each.marts),
        tuple(name for each in publications for name in each.drops),
    )
    return replace(
        first,
        steps=tuple(step for part in parts for step in part.steps),
        skipped=tuple(each for part in parts for each in part.skipped),
        reasons={name: why for part in parts for name, why in part.reasons.items()},
        unchanged=tuple(name for part in parts for name in part.unchanged),
        publication=published if publications else None,
        orphans=tuple(name for part in parts for name in part.orphans),
        annotations=tuple(each for part in parts for each in part.annotations),
        proofs={name: stamp for part in parts for name, stamp in part.proofs.items()},
        group=None,
        parts=tuple(parts),
    )
