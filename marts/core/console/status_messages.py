"""The messages of `marts status`."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping, Sequence

from marts.core.console.messages import Label, Line
from marts.core.operations.status import ProjectStatus, PublishedMart, RunStatus
from marts.core.plan.runs import TASK
from marts.core.run.formats import counted
from marts.core.run.history import PastRun

LABELS: Mapping[str, Label] = {
    "published": "ok",
    "unchanged": "ok",
    "checked": "ok",
    "failed": "FAIL",
    "error": "FAIL",
    "refused": "FAIL",
    "partly_published": "FAIL",
}
"""The label of a run by its status; of any other, a warning."""
WORDS = {
    "error": "ended by an error",
    "partly_published": "partly published",
    "unknown": "not known whether published",
}
"""How a run ended, where its status alone does not say it well."""
NOT_SAID = "did not say how it ended"
FINDINGS: Mapping[str, Label] = {"fail": "FAIL", "warn": "warn"}
INDENT = "  "


def head_of(status: ProjectStatus) -> str:
    """Return which package is shown, its environment and engine, and where it is published."""
    words = (status.package, status.environment, status.backend, status.where)
    return " · ".join(word for word in (*words, "times in UTC") if word)


def status_lines(status: ProjectStatus) -> Iterator[Line]:
    """Yield the last runs, the latest first, each with what was wrong, and what is published."""
    table = [_cells(each) for each in status.runs]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for each, cells in zip(status.runs, table, strict=True):
        padded = (f"{cell:<{width}}" for cell, width in zip(cells, widths, strict=True) if width)
        yield _label(each), "  ".join(padded).rstrip()
        yield from _details(each, status.read_at)
    for note in status.notes:
        yield "skip", note
    yield from _published_lines(status)


def _label(status: RunStatus) -> Label:
    if status.is_over is None:
        return "build"
    return LABELS.get(status.run.status, "warn")


def _cells(status: RunStatus) -> tuple[str, ...]:
    run = status.run
    return (
        f"{run.started_at:%Y-%m-%d %H:%M:%S}",
        _ended(status),
        f"as of {run.as_of}" if run.as_of else "",
        "" if run.marts_built is None else f"{run.marts_built:,} built",
        "" if run.marts_unchanged is None else f"{run.marts_unchanged:,} unchanged",
        "" if run.checks_made is None else counted(run.checks_made, "check"),
        "" if run.seconds is None else f"{run.seconds:,.2f} s",
        _who(run),
    )


def _ended(status: RunStatus) -> str:
    if status.ended:
        return WORDS.get(status.run.status, status.run.status)
    return status.run.status if status.is_over is None else NOT_SAID


def _who(run: PastRun) -> str:
    """Return who ran it on which machine, or which task did."""
    is_task = (run.host_name or "").startswith(TASK)
    user = None if is_task else run.user_name
    who = " on ".join(word for word in (user, run.host_name) if word)
    return f"{who} ({run.selection})" if run.selection else who


def _details(status: RunStatus, now: datetime.datetime) -> Iterator[Line]:
    run, found = status.run, _found(status.run)
    if not status.ended:
        yield ("build" if status.is_over is None else "warn"), INDENT + _unfinished(status, now)
    for table, check, outcome, violations in found:
        text = f"{table}.{check}: {counted(violations or 0, 'violation')}"
        yield FINDINGS[outcome], INDENT + text
    if run.error and not any(outcome == "fail" for _, _, outcome, _ in found):
        yield _label(status), INDENT + run.error


def _unfinished(status: RunStatus, now: datetime.datetime) -> str:
    """Return what can be said of a run that has not said how it ended."""
    run, count = status.run, len(status.shown)
    if status.is_over is None:
        hours, seconds = divmod(
            int((now.replace(tzinfo=None) - run.started_at).total_seconds()), 3600
        )
        return f"for {hours} h {seconds // 60} min: it is still running, or was killed"
    if count:
        return f"it was killed after it had published {counted(count, 'mart')}"
    if run.status == "publishing":
        return "it was killed while it published, and readers see nothing of it"
    return "it was killed before it published anything"


def _published_lines(status: ProjectStatus) -> Iterator[Line]:
    """Yield which marts readers see, by date and run, the latest first."""
    by_run: dict[tuple[datetime.date, str], list[PublishedMart]] = {}
    for mart in status.published:
        by_run.setdefault((mart.as_of, mart.run_id), []).append(mart)
    for (as_of, run_id), marts in sorted(by_run.items(), reverse=True):
        names = ", ".join(mart.name for mart in marts)
        yield "done", f"published as of {as_of} by run {run_id}: {names}"
    if altered := [mart.name for mart in status.published if mart.is_altered]:
        yield "warn", f"altered after publication: {', '.join(altered)}; run again"


def _found(run: PastRun) -> Sequence[tuple[str, str, str, int | None]]:
    """Return the checks that failed or warned: table, check, outcome, violations."""
    found = [
        (table, check, outcome, violations)
        for table, result in run.results.items()
        for check, (outcome, violations) in result.checks.items()
        if outcome in FINDINGS
    ]
    return sorted(found, key=lambda each: (each[2], each[:2]))


def status_document(status: ProjectStatus) -> dict[str, object]:
    """Return the same as data; times are UTC."""
    return {
        "package": status.package,
        "environment": status.environment,
        "backend": status.backend,
        "where": status.where,
        "read_at": status.read_at,
        "published": [
            {
                "mart": mart.name,
                "as_of": mart.as_of,
                "run_id": mart.run_id,
                "is_altered": mart.is_altered,
            }
            for mart in status.published
        ],
        "runs": [_run_document(each) for each in status.runs],
        "notes": status.notes,
    }


def _run_document(status: RunStatus) -> dict[str, object]:
    run = status.run
    document = {name: _in_utc(value) for name, value in vars(run).items() if name != "results"}
    return document | {
        "is_over": status.is_over,
        "shown": status.shown,
        "findings": [
            dict(zip(("table", "check", "outcome", "violations"), each, strict=True))
            for each in _found(run)
        ],
    }


def _in_utc(value: object) -> object:
    if isinstance(value, datetime.datetime):
        return value.replace(tzinfo=datetime.UTC)
    return value
