"""A plan on a connected engine: what `run` and `test` prepare, and carry out in the same way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from marts.core import DISTRIBUTION
from marts.core.analysis.rules import Finding
from marts.core.catalog.manifest import manifest
from marts.core.errors import EngineError
from marts.core.operations.wiring import version_of_marts
from marts.core.plan.state import ShapeChange
from marts.core.plan.steps import Plan
from marts.core.project.graph import Graph
from marts.core.run import artifacts
from marts.core.run.backend import Backend
from marts.core.run.recording import Recorder
from marts.core.run.report import Report
from marts.core.run.runner import Observer, run


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A plan, and what is needed to carry it out; valid while the engine is connected."""

    graph: Graph
    plan: Plan
    backend: Backend
    recorder: Recorder
    target: Path
    findings: tuple[Finding, ...] = ()
    """What engines would compute differently."""
    changes: tuple[ShapeChange, ...] = ()
    """What publishing would change besides rows."""


@dataclass(frozen=True)
class Ended:
    """How a plan ended; `errors` are those of writing the artifacts."""

    report: Report
    results: artifacts.Document
    errors: tuple[EngineError, ...]


def carry_out(
    prepared: Prepared, observer: Observer, *, ending: Callable[[], None] = lambda: None
) -> Ended:
    """Carry out a plan, and write the artifacts.

    `ending` is called when only cleaning up and the report are left; after that, no interrupt may
    be raised. A failure or an interrupt becomes part of the report.
    """
    plan, backend, target = prepared.plan, prepared.backend, prepared.target
    context: artifacts.Document = {
        "as_of": str(plan.as_of.day),
        "backend": backend.name,
        "versions": {DISTRIBUTION: version_of_marts(), **backend.versions()},
        "warnings": [artifacts.describe_finding(each) for each in prepared.findings],
    }
    report = run(
        plan,
        backend,
        run_id=prepared.recorder.run_id,
        observer=observer,
        recorder=prepared.recorder,
        ending=ending,
    )
    results = artifacts.run_results(report, context=context, target=target)
    declared = manifest(prepared.graph.project)
    errors = artifacts.write_artifacts(target, report, results, declared)
    return Ended(report, results, tuple(errors))
