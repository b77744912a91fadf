"""Say in plain words what a plan will do, what a run did, what mutants show; no colour."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Literal, assert_never

from marts.core.artifacts import sample_path
from marts.core.equivalents import Judgement, Stale, entry_of, entry_text
from marts.core.model import Mart, TableCheck, WholeCheck
from marts.core.mutation import Mutant
from marts.core.plan import Build, CheckAcross, CheckRows, Plan, Publish, Step
from marts.core.reliance_checks import explained
from marts.core.rules import Finding
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
    orphans = [f"  keep     {name}: no longer a mart" for name in plan.orphans]
    return [f"as of {plan.as_of.day}; nothing is done:", *kept, *orphans, *steps]


def reason_lines(plan: Plan) -> Iterator[Line]:
    """Say which marts will be built, and why, and which are up to date."""
    by_reason: dict[str, list[str]] = {}
    for name, reason in plan.reasons.items():
        by_reason.setdefault(reason, []).append(name)
    for reason, names in by_reason.items():
        yield "build", f"{_listed(names)}: {reason}"
    if plan.unchanged:
        yield "keep", f"{_listed(plan.unchanged)}: unchanged"
    for name in plan.orphans:
        yield "keep", f"{name}: published, but no longer a mart; --drop-orphans drops it"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) if len(names) <= 3 else f"{len(names)} marts"


def _counted(number: int, noun: str) -> str:
    """Return a number with its noun: 1 mart, 1,234 rows."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _step_line(step: Step, plan: Plan) -> str:
    match step:
        case Build(mart):
            reason = f": {plan.reasons[mart.name]}" if mart.name in plan.reasons else ""
            return f"  build    {mart.name} ({mart.materialized}){reason}"
        case CheckRows(table, checks):
            return f"  check    {table.name}: {_counted(len(checks), 'check')} in one query"
        case CheckAcross(table, check):
            return f"  check    {table.name}: {check.name}"
        case Publish(marts, drops):
            dropped = f"; drop {', '.join(drops)}" if drops else ""
            return f"  publish  {_counted(len(marts), 'mart')} at once{dropped}"
        case _:
            assert_never(step)


def plan_document(plan: Plan, findings: Iterable[Finding] = ()) -> dict[str, object]:
    """Return a plan as data, with what `marts compile` would warn of."""
    return {
        "as_of": str(plan.as_of.day),
        "unchanged": list(plan.unchanged),
        "reasons": dict(plan.reasons),
        "steps": [_step_document(step) for step in plan.steps],
        "warnings": [asdict(finding) for finding in findings],
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
        case Publish(marts, drops):
            return {
                "step": "publish",
                "marts": [mart.name for mart in marts],
                "drops": list(drops),
            }
        case _:
            assert_never(step)


def table_line(table: TableReport) -> Line:
    """Say how building and checking one table went."""
    failed, warned = table.outcomes("fail"), table.outcomes("warn")
    rows = "" if table.rows is None else _counted(table.rows, "row")
    checks = _counted(len(table.checks), "check") if table.checks else ""
    seconds = table.build_seconds + table.check_seconds
    text = f"{table.table.name:<34}{rows:>16}{checks:>12}{seconds:>8.2f} s"
    return ("FAIL" if failed else "warn" if warned else "ok"), text


def outcome_lines(report: Report, target: Path) -> Iterator[Line]:
    """Say which checks did not hold, and how the run ended."""
    for table, made in [*report.failures, *report.warnings]:
        sample = f" → {sample_path(target, table, made)}" if made.sample else ""
        word: Word = "FAIL" if made.outcome == "fail" else "warn"
        rows = _counted(made.violations, "violation")
        if isinstance(made.check, TableCheck | WholeCheck) and not made.sample:
            rows = "does not hold"
        why = "".join(f"; {words}" for words in explained(made))
        yield word, f"{table.table.name}.{made.check.name}: {rows}{why}{sample}"
    for skipped in report.skipped:
        missing = ", ".join(skipped.missing)
        are = "are" if len(skipped.missing) > 1 else "is"
        yield (
            "skip",
            f"{skipped.table}.{skipped.check}: {missing} {are} not published or not up to date",
        )
    if report.source_checks and report.source_checks.is_left_out:
        yield "skip", "the sources were not checked, as --no-source-checks says"
    yield _end(report)


def _end(report: Report) -> Line:
    made_checks = sum(len(table.checks) for table in report.tables)
    known = len(report.acknowledged)
    passed = made_checks - len(report.failures) - len(report.warnings) - known
    acknowledged = f", {known} acknowledged" if known else ""
    checks = _counted(made_checks, "check")
    took = f"{passed} of {checks} passed{acknowledged}, in {report.seconds:.2f} s"
    built = sum(
        table.sql is not None and isinstance(table.table, Mart) and not table.table.is_temporary
        for table in report.tables
    )
    builds = any(table.sql is not None for table in report.tables)
    match report.status:
        case "published":
            return "done", f"published {_counted(built, 'mart')}; {took}"
        case "unchanged":
            return "done", "nothing to do; --force builds all the same"
        case "checked":
            return "done", f"no check failed; {took}"
        case "failed":
            is_about_sources = report.source_checks is not None
            return "stop", f"{UNCHANGED}; {took}" if builds or is_about_sources else took
        case "partly_published":
            return "stop", "partly published: run again"
        case "error" | "interrupted":
            return "stop", f"{report.status}: {UNCHANGED}"
        case _:
            assert_never(report.status)


def judgement_line(judgement: Judgement) -> Line:
    """Say how many mutants of a mart there are, and what became of them."""
    report = judgement.report
    alive = f"{len(judgement.surviving)} survive" if judgement.surviving else ""
    tried = _counted(len(report.trials), "mutant")
    text = (
        f"{report.mart.name:<34}{tried:>13}{judgement.killed:>6} killed"
        f"{len(judgement.allowed):>5} allowed{alive:>13}{report.seconds:>8.2f} s"
    )
    return ("FAIL" if judgement.has_failed else "ok"), text


def stale_line(stale: Stale) -> Line:
    """Say which entry of the list of allowed mutants is to be removed, and why."""
    entry = stale.entry
    named = f"{entry.mart}, {entry.operator}: {entry.before} → {entry.after}"
    return "FAIL", f"list of allowed mutants: {named}\n      {stale.why}; remove the entry"


def remedy_lines(surviving: Iterable[Mutant], allowed_in: str) -> Iterator[str]:
    """Say what to do about mutants that survive."""
    yield "A mutant that survives is a slip that nobody would notice. For each, either add to the"
    yield "data a row on which it shows, so that the tests on that data notice it; or, where no row"
    yield f"could show it, add to {allowed_in}, with the reason:"
    for mutant in surviving:
        yield ""
        yield entry_text(entry_of(mutant, reason=""))


def verdict_line(judgements: Iterable[Judgement], unknown: Iterable[Stale]) -> Line:
    """Say how all of it ended."""
    judged = list(judgements)
    total = sum(len(each.report.trials) for each in judged)
    alive = sum(len(each.surviving) for each in judged)
    stale = sum(len(each.stale) for each in judged) + len(list(unknown))
    seconds = sum(each.report.seconds for each in judged)
    if not alive and not stale:
        return "done", f"each of {total} mutants is killed or allowed, in {seconds:.2f} s"
    found = [f"{alive} of {total} mutants survive"] if alive else []
    entries = "1 entry of the list is" if stale == 1 else f"{stale} entries of the list are"
    found += [f"{entries} stale"] if stale else []
    return "stop", f"{'; '.join(found)}, in {seconds:.2f} s"


def judgement_document(
    judgements: Iterable[Judgement], unknown: Iterable[Stale]
) -> dict[str, object]:
    """Return what became of all mutants as data."""
    return {
        "schema_version": 1,
        "marts": [
            {
                "mart": each.report.mart.name,
                "mutants": len(each.report.trials),
                "killed": each.killed,
                "noticed_by": Counter(t.noticed_by for t in each.report.trials if t.noticed_by),
                "allowed": [_mutant_document(mutant) for mutant in each.allowed],
                "surviving": [_mutant_document(mutant) for mutant in each.surviving],
                "stale": [_stale_document(stale) for stale in each.stale],
                "seconds": round(each.report.seconds, 3),
            }
            for each in judgements
        ],
        "stale": [_stale_document(stale) for stale in unknown],
    }


def _mutant_document(mutant: Mutant) -> dict[str, str]:
    names = ("operator", "before", "after", "place")
    return {name: getattr(mutant, name) for name in names}


def _stale_document(stale: Stale) -> dict[str, str]:
    return {**asdict(stale.entry), "why": stale.why}
