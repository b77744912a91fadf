"""Say in plain words what a plan will do and what a run did; no colour, no terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal, assert_never

from marts.core.artifacts import sample_path
from marts.core.model import TableCheck
from marts.core.plan import Build, CheckAcross, CheckRows, Plan, Publish, Step
from marts.core.runner import Report, TableReport

Word = Literal["ok", "warn", "FAIL", "skip", "build", "keep", "done", "stop"]
Line = tuple[Word, str]
"""How it stands, and the words."""

UNCHANGED = "nothing was published; what was published before is unchanged"


def doing(step: Step) -> str:
    """Say what a step does, for as long as it lasts."""
    match step:
        case Build(mart):
            return f"building {mart.name}"
        case CheckRows(table) | CheckAcross(table):
            return f"checking {table.name}"
        case Publish():
            return "publishing"
        case _:
            assert_never(step)


def table_of(step: Step) -> str | None:
    """Return the table that a step is about, None for publishing."""
    match step:
        case Build(mart):
            return mart.name
        case CheckRows(table) | CheckAcross(table):
            return table.name
        case Publish():
            return None
        case _:
            assert_never(step)


def plan_lines(plan: Plan) -> list[str]:
    """Say what a plan would do, a line for each step."""
    kept = [f"  keep     {name}: unchanged" for name in plan.unchanged]
    steps = [_step_line(step, plan) for step in plan.steps]
    return [f"as of {plan.as_of.day}; nothing is done:", *kept, *steps]


def reason_lines(plan: Plan) -> Iterator[Line]:
    """Say which marts will be built, and why, and which are up to date."""
    by_reason: dict[str, list[str]] = {}
    for name, reason in plan.reasons.items():
        by_reason.setdefault(reason, []).append(name)
    for reason, names in by_reason.items():
        yield "build", f"{_listed(names)}: {reason}"
    if plan.unchanged:
        yield "keep", f"{_listed(plan.unchanged)}: unchanged"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) if len(names) <= 3 else f"{len(names)} marts"


def _step_line(step: Step, plan: Plan) -> str:
    match step:
        case Build(mart):
            reason = f": {plan.reasons[mart.name]}" if mart.name in plan.reasons else ""
            return f"  build    {mart.name} ({mart.materialized}){reason}"
        case CheckRows(table, checks):
            return f"  check    {table.name}: {len(checks)} checks in one query"
        case CheckAcross(table, check):
            return f"  check    {table.name}: {check.name}"
        case Publish(marts):
            return f"  publish  {len(marts)} marts at once"
        case _:
            assert_never(step)


def plan_document(plan: Plan) -> dict[str, object]:
    """Return a plan as data."""
    return {
        "as_of": str(plan.as_of.day),
        "unchanged": list(plan.unchanged),
        "reasons": dict(plan.reasons),
        "steps": [_step_document(step) for step in plan.steps],
    }


def _step_document(step: Step) -> dict[str, object]:
    match step:
        case Build(mart):
            return {"step": "build", "table": mart.name, "kind": mart.materialized}
        case CheckRows(table, checks):
            names = [check.name for check in checks]
            return {"step": "check", "table": table.name, "checks": names}
        case CheckAcross(table, check):
            return {"step": "check", "table": table.name, "checks": [check.name]}
        case Publish(marts):
            return {"step": "publish", "marts": [mart.name for mart in marts]}
        case _:
            assert_never(step)


def table_line(table: TableReport) -> Line:
    """Say how building and checking one table went."""
    failed, warned = table.outcomes("fail"), table.outcomes("warn")
    rows = "" if table.rows is None else f"{table.rows:,} rows"
    checks = f"{len(table.checks)} checks" if table.checks else ""
    seconds = table.build_seconds + table.check_seconds
    text = f"{table.table.name:<34}{rows:>16}{checks:>12}{seconds:>8.2f} s"
    return ("FAIL" if failed else "warn" if warned else "ok"), text


def outcome_lines(report: Report, target: Path) -> Iterator[Line]:
    """Say which checks did not hold, and how the run ended."""
    for table, made in [*report.failures, *report.warnings]:
        sample = f" → {sample_path(target, table, made)}" if made.sample else ""
        word: Word = "FAIL" if made.outcome == "fail" else "warn"
        rows = "1 violation" if made.violations == 1 else f"{made.violations:,} violations"
        if isinstance(made.check, TableCheck) and not made.sample:
            rows = "does not hold"
        yield word, f"{table.table.name}.{made.check.name}: {rows}{sample}"
    for skipped in report.skipped:
        missing = ", ".join(skipped.missing)
        yield "skip", f"{skipped.table}.{skipped.check}: not published: {missing}"
    yield _end(report)


def _end(report: Report) -> Line:
    made_checks = sum(len(table.checks) for table in report.tables)
    passed = made_checks - len(report.failures) - len(report.warnings)
    took = f"{passed} of {made_checks} checks passed, in {report.seconds:.2f} s"
    built = sum(table.sql is not None for table in report.tables)
    match report.status:
        case "published":
            return "done", f"published {built} marts; {took}"
        case "unchanged":
            return "done", "nothing to do; --force builds all the same"
        case "checked":
            return "done", f"no check failed; {took}"
        case "failed":
            return "stop", f"{UNCHANGED}; {took}" if built else took
        case "partly_published":
            return "stop", "partly published: run again"
        case "error" | "interrupted":
            return "stop", f"{report.status}: {UNCHANGED}"
        case _:
            assert_never(report.status)
