"""The messages about plans and runs, as plain text without colours."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Literal, assert_never

from marts.core.analysis.rules import Finding
from marts.core.authoring.checks import FreshCheck, TableCheck, WholeCheck
from marts.core.authoring.tables import Source
from marts.core.errors import MartsError
from marts.core.operations.prepared import Prepared
from marts.core.plan.proofs import Stamp
from marts.core.plan.state import ShapeChange
from marts.core.plan.steps import Build, CheckTable, Plan, PlannedPublication, SkippedCheck, Step
from marts.core.run.artifacts import deferred, describe_finding, describe_proofs, sample_path
from marts.core.run.formats import counted
from marts.core.run.report import GroupReport, Report, TableReport, explained

Label = Literal[
    "ok",
    "warn",
    "FAIL",
    "skip",
    "build",
    "keep",
    "drop",
    "read",
    "alter",
    "done",
    "stop",
    "diff",
    "same",
]
Line = tuple[Label, str]
"""A label for the outcome, and the text."""

UNCHANGED = "nothing was published; what was published before is unchanged"
RUN_AGAIN = {
    "partly_published": "partly published: run again",
    "unknown": "whether this run was published is not known: run again",
}


def line_text(line: Line) -> str:
    """Return a line as text: its label in a column of its own."""
    return f"{line[0]:<6}{line[1]}"


def head_line(prepared: Prepared) -> str:
    """Return the date of a run, its environment and engine, and where it reads and writes."""
    day, backend = prepared.plan.as_of.day, prepared.backend
    words = (f"as of {day}", prepared.environment, backend.name, backend.where)
    return " · ".join(word for word in words if word)


def doing(step: Step) -> str:
    """Return what a step does, to show while it runs."""
    match step:
        case Build(mart):
            return f"building {mart.name}"
        case CheckTable(table):
            return f"checking {table.name}"
        case _:
            assert_never(step)


def table_of(step: Step) -> str:
    """Return the table that a step is about."""
    match step:
        case Build(mart):
            return mart.name
        case CheckTable(table):
            return table.name
        case _:
            assert_never(step)


def sources_lines(sources_read: Mapping[str, str]) -> Iterator[Line]:
    """Yield one line on how sources are read as of one moment: the most usual way comes first."""
    names: dict[str, list[str]] = {}
    for name, way in sources_read.items():
        names.setdefault(way, []).append(name)
    ways = sorted(names, key=lambda way: -len(names[way]))
    if ways:
        others = (f"{', '.join(names[way])} {way}" for way in ways[1:])
        yield "read", "; ".join([f"sources {ways[0]}", *others])


def plan_lines(
    plan: Plan,
    changes: Sequence[ShapeChange] = (),
    sources_read: Mapping[str, str] = MappingProxyType({}),
) -> list[str]:
    """Return what a plan would do, with a line for each step."""
    read = [f"  {label:<8} {text}" for label, text in sources_lines(sources_read)]
    kept = [f"  keep     {name}: unchanged" for name in plan.unchanged]
    steps = [_step_line(step, plan) for step in plan.steps]
    orphans = [f"  keep     {name}: no longer a mart" for name in plan.orphans]
    read += [f"  {label:<8} {text}" for label, text in _deferred_lines(plan)]
    read += [f"  {label:<8} {text}" for label, text in _accepted_lines(plan.proofs)]
    published = [_publication_line(plan.publication)] if plan.publication else []
    changed = [f"  change   {each}" for each in changes]
    head = f"as of {plan.as_of.day}; nothing is done:"
    if plan.parts:
        parts = [line for part in plan.parts for line in _part_lines(part)]
        return [head, *read, *parts, *changed]
    return [head, *read, *kept, *orphans, *steps, *changed, *published]


def _part_lines(plan: Plan) -> list[str]:
    """Return what the plan of one of several groups would do."""
    if plan.refused:
        return [
            f"group {plan.group} is left as it is:",
            *(f"  {x}" for x in str(plan.refused).split("\n")),
        ]
    own = plan_lines(plan)[1:]
    return [f"group {plan.group}:", *(own or ["  keep     nothing to do"])]


def reason_lines(plan: Plan) -> Iterator[Line]:
    """Yield which marts will be built, and why, and which are up to date."""
    by_reason: dict[str, list[str]] = {}
    for name, reason in plan.reasons.items():
        by_reason.setdefault(reason, []).append(name)
    for reason, names in by_reason.items():
        yield "build", f"{_listed(names)}: {reason}"
    if plan.unchanged:
        yield "keep", f"{_listed(plan.unchanged)}: unchanged"
    yield from _deferred_lines(plan)
    for name in plan.orphans:
        yield "keep", f"{name}: published, but no longer a mart; --drop-orphans drops it"
    if plan.publication and plan.publication.drops:
        yield "drop", f"{_listed(plan.publication.drops)}: no longer a mart to publish"


def _deferred_lines(plan: Plan) -> Iterator[Line]:
    """Yield which marts are read where another environment has published them."""
    if plan.deferred and (there := plan.state.elsewhere):
        yield "read", f"{', '.join(sorted(plan.deferred))}: from {there.environment}, {there.where}"


def _accepted_lines(proofs: Mapping[str, Stamp]) -> Iterator[Line]:
    """Yield the marts that are published without a proof, and why."""
    for name, stamp in proofs.items():
        if stamp.accepted:
            yield "warn", f"{name} is not proven; accepted: {stamp.accepted}"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) if len(names) <= 3 else f"{len(names)} marts"


def _step_line(step: Step, plan: Plan) -> str:
    match step:
        case Build(mart):
            reason = f": {plan.reasons[mart.name]}" if mart.name in plan.reasons else ""
            return f"  build    {mart.name} ({mart.materialized}){reason}"
        case CheckTable(table, checks) if step.is_fused:
            return f"  check    {table.name}: {counted(len(checks), 'check')} in one query"
        case CheckTable(table, checks):
            return f"  check    {table.name}: {', '.join(check.name for check in checks)}"
        case _:
            assert_never(step)


def _publication_line(publication: PlannedPublication) -> str:
    if not publication.marts and not publication.drops:
        return "  record   which checks of sources held"
    dropped = f"; drop {', '.join(publication.drops)}" if publication.drops else ""
    return f"  publish  {counted(len(publication.marts), 'mart')} at once{dropped}"


def plan_document(
    plan: Plan,
    findings: Iterable[Finding] = (),
    changes: Iterable[ShapeChange] = (),
    sources_read: Mapping[str, str] = MappingProxyType({}),
) -> dict[str, object]:
    """Return a plan as data, with what `marts compile` would warn of."""
    steps = [step for part in plan.parts or (plan,) for step in _step_documents(part)]
    return {
        "as_of": str(plan.as_of.day),
        "groups": [
            {"name": each.group, "refused": str(each.refused) if each.refused else None}
            for each in plan.parts
        ],
        "unchanged": list(plan.unchanged),
        "reasons": dict(plan.reasons),
        "sources_read": dict(sources_read),
        "deferred": deferred(plan),
        "proofs": describe_proofs(plan.proofs),
        "steps": steps,
        "changes": [str(each) for each in changes],
        "warnings": [describe_finding(each) for each in findings],
    }


def _step_documents(plan: Plan) -> Iterator[dict[str, object]]:
    yield from map(_step_document, plan.steps)
    if plan.publication:
        group = {"group": plan.group} if plan.group else {}
        yield _publication_document(plan.publication) | group


def _step_document(step: Step) -> dict[str, object]:
    match step:
        case Build(mart):
            return {"step": "build", "table": mart.name, "kind": mart.materialized}
        case CheckTable(table, checks):
            names = [check.name for check in checks]
            return {"step": "check", "table": table.name, "checks": names}
        case _:
            assert_never(step)


def _publication_document(publication: PlannedPublication) -> dict[str, object]:
    marts = [mart.name for mart in publication.marts]
    return {"step": "publish", "marts": marts, "drops": list(publication.drops)}


def table_line(table: TableReport, *, group: str | None = None) -> Line:
    """Return how building and checking one table went.

    In a run of several groups, it says for which group a table was built or checked that no group
    owns: each group makes the checks that it relies on, and that no other has made.
    """
    failed, warned = table.outcomes("fail"), table.outcomes("warn")
    rows = "" if table.rows is None else counted(table.rows, "row")
    checks = counted(len(table.checks), "check") if table.checks else ""
    seconds = table.build_seconds + table.check_seconds
    text = f"{table.table.name:<34}{rows:>16}{checks:>12}{seconds:>8.2f} s"
    if group and (isinstance(table.table, Source) or table.table.is_temporary):
        text += f"  for group {group}"
    return ("FAIL" if failed else "warn" if warned else "ok"), text


def outcome_lines(report: Report, target: Path) -> Iterator[Line]:
    """Yield which checks did not hold, and how the run ended."""
    for table, made in [*report.failures, *report.warnings]:
        sample = f" → {sample_path(target, table, made)}" if made.sample else ""
        label: Label = "FAIL" if made.outcome == "fail" else "warn"
        rows = counted(made.violations, "violation")
        if isinstance(made.check, TableCheck | WholeCheck | FreshCheck) and not made.sample:
            rows = "does not hold"
        why = "".join(f"; {words}" for words in explained(made))
        yield label, f"{table.table.name}.{made.check.name}: {rows}{why}{sample}"
    for skipped in report.skipped:
        yield "skip", f"{skipped.table}.{skipped.check}: {_why_skipped(skipped)}"
    by_change: dict[str, list[str]] = {}
    for each in report.changes:
        by_change.setdefault(each.change, []).append(each.mart)
    for change, names in by_change.items():
        yield "alter", f"{_listed(names)}: {change}"
    for left in report.unfinished:
        yield "warn", f"left to the next run: {left}"
    if report.source_checks and report.source_checks.is_left_out:
        yield "skip", "the sources were not checked, as --no-source-checks says"
    if report.tables:
        yield from sources_lines(report.sources_read)
    yield from _groups_lines(report)
    if proven := [name for name, stamp in report.proofs.items() if not stamp.accepted]:
        yield "ok", f"{_listed(proven)}: proven"
    yield from _accepted_lines(report.proofs)
    behind = ", ".join(each.name for each in report.groups if not each.is_done)
    yield ("stop", f"not published: {behind}; {_took(report)}") if behind else _end(report)


def _why_skipped(skipped: SkippedCheck) -> str:
    if skipped.exempt:
        return f"exempt: {skipped.exempt}"
    are = "are" if len(skipped.missing) > 1 else "is"
    return f"{', '.join(skipped.missing)} {are} absent or not up to date"


def errors_of(report: Report) -> Iterator[MartsError]:
    """Yield the error that ended a run, or those of its groups; one of several groups once."""
    if report.error and not report.groups:
        yield report.error
    by_text: dict[str, list[GroupReport]] = {}
    for group in report.groups:
        if group.error:
            by_text.setdefault(str(group.error), []).append(group)
    for groups in by_text.values():
        error = groups[0].error
        if error:
            yield of_groups([group.name for group in groups], error)


def of_groups(groups: Sequence[str | None], error: MartsError) -> MartsError:
    """Return an error with the names of the groups that it ended."""
    word = "group" if len(groups) == 1 else "groups"
    words = f"{word} {', '.join(map(str, groups))}: {error.summary}"
    return MartsError(words, *error.facts, hint=error.hint)


def _groups_lines(report: Report) -> Iterator[Line]:
    """Yield a line on how each of several groups ended."""
    width = max((len(each.name) for each in report.groups), default=0)
    for each in report.groups:
        label, text = _group_end(each)
        has_reads = each.reads and not each.because
        reads = f"; reads {', '.join(each.reads)}" if has_reads else ""
        yield label, f"{each.name:<{width}}  {text}{reads}"


def _group_end(group: GroupReport) -> Line:
    built = len(group.report.built) if group.report else 0
    if group.is_done:
        if group.status != "published":
            return "keep", "unchanged"
        return "done", f"published {counted(built, 'mart')}" if built else "nothing to build"
    if group.status in RUN_AGAIN:
        return "stop", RUN_AGAIN[group.status]
    if group.because:
        return "stop", f"left as it was: {group.because}"
    return "stop", f"{group.status}; left as it was"


def _took(report: Report) -> str:
    made_checks = sum(len(table.checks) for table in report.tables)
    known = len(report.acknowledged)
    passed = made_checks - len(report.failures) - len(report.warnings) - known
    exempt = sum(bool(skipped.exempt) for skipped in report.skipped)
    acknowledged = f", {known} acknowledged" if known else ""
    acknowledged += f", {exempt} exempt" if exempt else ""
    checks = counted(made_checks, "check")
    return f"{passed} of {checks} passed{acknowledged}, in {report.seconds:.2f} s"


def _end(report: Report) -> Line:
    took = _took(report)
    built = len(report.built)
    builds = any(table.sql is not None for table in report.tables)
    match report.status:
        case "published":
            done = f"published {counted(built, 'mart')}" if built else "nothing to build"
            return "done", f"{done}; {took}"
        case "unchanged":
            return "done", "nothing to do; --force builds everything anyway"
        case "checked":
            done = "nothing to build" if report.unchanged else "no check failed"
            return "done", f"{done}; {took}"
        case "failed":
            is_about_sources = report.source_checks is not None
            return "stop", f"{UNCHANGED}; {took}" if builds or is_about_sources else took
        case "partly_published" | "unknown":
            return "stop", RUN_AGAIN[report.status]
        case "error" | "interrupted":
            return "stop", f"{report.status}: {UNCHANGED}"
        case _:
            assert_never(report.status)
