"""A plan on a connected engine: what `run` and `test` prepare, and carry out in the same way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from marts.core import DISTRIBUTION
from marts.core.analysis.rules import Finding
from marts.core.catalog.manifest import manifest
from marts.core.errors import EngineError
from marts.core.operations.planning import RunPlanner
from marts.core.operations.wiring import version_of_marts
from marts.core.plan.state import ShapeChange
from marts.core.plan.steps import Plan
from marts.core.project.graph import Graph
from marts.core.run import artifacts
from marts.core.run.backend import Backend
from marts.core.run.compared import difference_document
from marts.core.run.files import Document
from marts.core.run.grouped import GroupedRun
from marts.core.run.recording import Recorder
from marts.core.run.report import Report
from marts.core.run.runner import Observer, run

if TYPE_CHECKING:
    from marts.core.operations.reviewing import Reviewer


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A plan, and what is needed to carry it out; valid while the engine is connected."""

    graph: Graph
    plan: Plan
    backend: Backend
    recorder: Recorder
    target: Path
    environment: str | None = None
    findings: tuple[Finding, ...] = ()
    """What engines would compute differently."""
    changes: tuple[ShapeChange, ...] = ()
    """What publishing would change besides rows."""
    review: Reviewer | None = None
    """Compares what is built with what is published."""
    planner: RunPlanner | None = None
    """Plans the groups of a run of several, when their turn comes; `plan` is empty then, unless it
    is that of a dry run."""


@dataclass(frozen=True)
class Ended:
    """How a plan ended; `errors` are those of writing the artifacts."""

    report: Report
    results: Document
    errors: tuple[EngineError, ...]
    findings: tuple[Finding, ...] = ()
    """What engines would compute differently in what was planned."""
    plans: tuple[Plan, ...] = ()
    """What was planned: one plan, or that of each group."""


def carry_out(
    prepared: Prepared,
    observer: Observer,
    *,
    ending: Callable[[], None] = lambda: None,
    going_on: Callable[[], None] = lambda: None,
    planned: Callable[[Plan], None] = lambda _: None,
) -> Ended:
    """Carry out a plan, or those of several groups, and write the artifacts.

    `ending` is called when only cleaning up and the report are left; after that, no interrupt may
    be raised. If another group follows, `going_on` is called; it raises an interrupt that came
    meanwhile. `planned` is told the plan of each of several groups before it is carried out. A
    failure or an interrupt becomes part of the report.
    """
    backend, target, planner = prepared.backend, prepared.target, prepared.planner
    versions = {DISTRIBUTION: version_of_marts(), **backend.versions()}
    if planner:
        report = GroupedRun(
            planner,
            backend,
            observer,
            prepared.recorder,
            planned=planned,
            ending=ending,
            going_on=going_on,
            review=prepared.review,
        ).go()
    else:
        report = run(
            prepared.plan,
            backend,
            run_id=prepared.recorder.run_id,
            observer=observer,
            recorder=prepared.recorder,
            ending=ending,
            review=prepared.review,
        )
    findings = planner.findings if planner else prepared.findings
    plans = planner.plans if planner else [prepared.plan]
    context: Document = {
        "as_of": str(prepared.plan.as_of.day),
        "environment": prepared.environment,
        "backend": backend.name,
        "deferred": {
            name: found for plan in plans for name, found in artifacts.deferred(plan).items()
        },
        "versions": versions,
        "warnings": [artifacts.describe_finding(each) for each in findings],
    }
    if prepared.review:
        context["differences"] = [difference_document(each) for each in prepared.review.marts]
    results = artifacts.run_results(report, context=context, target=target)
    declared = manifest(prepared.graph.project)
    errors = artifacts.write_artifacts(target, report, results, declared)
    return Ended(report, results, tuple(errors), tuple(findings), tuple(plans))
