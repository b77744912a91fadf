"""Carry out a plan, or only print it: the last part of `marts run` and `marts test`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from marts.core import DISTRIBUTION
from marts.core.analysis.rules import Finding
from marts.core.catalog.manifest import manifest
from marts.core.console import exit_codes, terminal
from marts.core.console.interrupts import Interrupts
from marts.core.console.messages import outcome_lines, plan_document, plan_lines, reason_lines
from marts.core.console.streams import print_error
from marts.core.console.wiring import version_of_marts
from marts.core.errors import EngineError
from marts.core.plan.state import ShapeChange
from marts.core.plan.steps import Plan
from marts.core.project.graph import Graph
from marts.core.run import artifacts
from marts.core.run.backend import Backend
from marts.core.run.recording import Recorder
from marts.core.run.runner import run


def carry_out(
    graph: Graph,
    plan: Plan,
    backend: Backend,
    *,
    recorder: Recorder,
    environment: str | None = None,
    target: Path,
    stop: Interrupts,
    findings: Sequence[Finding] = (),
    as_json: bool,
) -> int:
    """Carry out a plan, write the artifacts, print what happened; return the exit code."""
    console = terminal.console(to_stderr=as_json)
    versions = {DISTRIBUTION: version_of_marts(), **backend.versions()}
    words = (f"as of {plan.as_of.day}", environment, backend.name, backend.where)
    console.print(" · ".join(word for word in words if word))
    for line in (*reason_lines(plan), *(("warn", str(each)) for each in findings)):
        terminal.say(console, line)
    with terminal.progress(console, plan, stop=stop) as observer:
        report = run(
            plan,
            backend,
            run_id=recorder.run_id,
            observer=observer,
            recorder=recorder,
            ending=stop.hold,
        )
    results = artifacts.run_results(
        report,
        context={
            "as_of": str(plan.as_of.day),
            "environment": environment,
            "backend": backend.name,
            "deferred": artifacts.deferred(plan),
            "versions": versions,
            "warnings": [artifacts.describe_finding(each) for each in findings],
        },
        target=target,
    )
    errors = artifacts.write_artifacts(target, report, results, manifest(graph.project))
    if report.error:
        print_error(report.error)
    for line in outcome_lines(report, target):
        terminal.say(console, line)
    if as_json:
        try:
            terminal.print_json(results)
        except EngineError as error:
            errors.append(error)
    return exit_codes.of_run(report.status, errors)


def print_plan(
    plan: Plan,
    findings: Sequence[Finding],
    changes: Sequence[ShapeChange],
    sources_read: Mapping[str, str],
    *,
    as_json: bool,
) -> None:
    """Print what a plan would do, and warnings of what engines would compute differently."""
    for finding in findings:
        terminal.say(terminal.console(to_stderr=True), ("warn", str(finding)))
    if as_json:
        terminal.print_json(plan_document(plan, findings, changes, sources_read))
    else:
        terminal.print_text("\n".join(plan_lines(plan, changes, sources_read)))
