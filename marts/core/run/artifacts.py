"""Write the artifacts of a run."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from functools import partial
from pathlib import Path

from marts.core.analysis.rules import Finding
from marts.core.authoring.checks import Check
from marts.core.authoring.tables import Source
from marts.core.errors import EngineError
from marts.core.plan.proofs import Stamp
from marts.core.plan.steps import Plan
from marts.core.run.files import (
    FAILURES,
    MANIFEST,
    RUN_RESULTS,
    Document,
    write_json,
    writing,
)
from marts.core.run.formats import csv_lines
from marts.core.run.report import (
    CheckReport,
    GroupReport,
    Report,
    TableReport,
    explained,
    groups_of,
)

SCHEMA_VERSION = 1


def write_artifacts(
    target: Path, report: Report, results: Document, declared: Document
) -> list[EngineError]:
    """Replace the last run's artifacts by this one's; return an error for each failed write.

    Errors are not raised, since the marts may be published: each file is tried, and a report that
    cannot be replaced is removed, so that it is not taken for this run's.
    """
    errors = []
    for write in (
        partial(write_failures, target, report),
        partial(write_json, target / RUN_RESULTS, results),
        partial(write_json, target / MANIFEST, declared),
    ):
        try:
            write()
        except EngineError as error:
            errors.append(error)
    return errors


def write_sql(directory: Path, statements: Mapping[str, str]) -> None:
    """Write one file `<mart>.sql` for each statement."""
    with writing(directory):
        directory.mkdir(parents=True, exist_ok=True)
        for name, sql in statements.items():
            (directory / f"{name}.sql").write_text(sql + "\n", "utf-8")


def write_failures(target: Path, report: Report) -> None:
    """Write each failing check's sample to `failures/<table>.<check>.csv`; remove earlier ones.

    The files contain rows of the data: only their owner can read them, and no text in them is a
    formula to a spreadsheet program. Raises EngineError.
    """
    folder = target / FAILURES
    with writing(folder):
        for file in folder.glob("*.csv"):
            file.unlink()
        for table, made in [*report.failures, *report.warnings]:
            if made.sample:
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                folder.chmod(0o700)
                _write_sample(sample_path(target, table, made), made.sample)
        with suppress(OSError):
            # This fails unless the folder is empty.
            folder.rmdir()


def _write_sample(path: Path, sample: Sequence[Mapping[str, object]]) -> None:
    with os.fdopen(_private(path), "w", encoding="utf-8", newline="") as file:
        file.writelines(csv_lines([sample[0], *(row.values() for row in sample)], safe=True))


def _private(path: Path) -> int:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    # The umask does not apply to this, and the file may have existed with another mode.
    os.fchmod(descriptor, 0o600)
    return descriptor


def sample_path(target: Path, table: TableReport, made: CheckReport) -> Path:
    """Return where a failing check's sample is written."""
    return target / FAILURES / f"{table.table.name}.{made.check.name}.csv"


def describe_check(check: Check) -> Document:
    """Return a check's declaration as data."""
    threshold = check.threshold if isinstance(check.threshold, int) else str(check.threshold)
    return {"name": check.name, "severity": check.severity, "threshold": threshold}


def describe_finding(finding: Finding) -> Document:
    """Return a finding as data: what engines would compute differently."""
    return {
        "table": finding.table,
        "rule": finding.rule,
        "message": finding.message,
        "place": finding.location,
        "hint": finding.hint,
    }


def describe_proofs(proofs: Mapping[str, Stamp]) -> Document:
    """Return by which proof each mart was published, or why without one."""
    return {
        name: {"digest": stamp.digest or None, "accepted_unproven": stamp.accepted or None}
        for name, stamp in proofs.items()
    }


def deferred(plan: Plan) -> dict[str, Document]:
    """Return which marts are read in another environment, and which run has published each."""
    recorded, there = plan.state.recorded, plan.state.elsewhere
    return {
        name: {"environment": there and there.environment, "run_id": recorded[name].run_id}
        for name in sorted(plan.deferred)
    }


def run_results(report: Report, *, context: Document, target: Path) -> Document:
    """Return what happened in a run as data; `context` names its date, backend and versions."""
    return {
        "schema_version": SCHEMA_VERSION,
        "run_id": report.run_id,
        "status": report.status,
        **context,
        "started_at": report.started_at.isoformat(timespec="seconds"),
        "seconds": round(report.seconds, 3),
        "error": str(report.error) if report.error else None,
        "tables": [_table(table, target) for table in report.tables],
        "statements": [
            {**asdict(statement), "seconds": round(statement.seconds, 3)}
            for statement in report.statements
        ],
        "groups": [_group(each) for each in groups_of(report)],
        "unchanged": list(report.unchanged),
        "proofs": describe_proofs(report.proofs),
        "sources_read": dict(report.sources_read),
        "changes": [str(each) for each in report.changes],
        "unfinished": list(report.unfinished),
        "source_checks_left_out": bool(report.source_checks and report.source_checks.is_left_out),
        "skipped_checks": [
            {
                "table": each.table,
                "check": each.check,
                "missing": list(each.missing),
                "exempt": each.exempt or None,
            }
            for each in report.skipped
        ],
    }


def _group(group: GroupReport) -> Document:
    report = group.report
    is_published = report is not None and report.status == "published"
    return {
        "name": group.name,
        "reads": list(group.reads),
        "status": group.status,
        "published": [t.table.name for t in report.built] if report and is_published else [],
        "unchanged": list(report.unchanged) if report else [],
        "error": str(group.error) if group.error else None,
        "because": group.because or None,
    }


def _table(report: TableReport, target: Path) -> Document:
    return {
        "name": report.table.name,
        "kind": "source" if isinstance(report.table, Source) else report.table.materialized,
        "rows": report.rows,
        "build_seconds": round(report.build_seconds, 3),
        "check_seconds": round(report.check_seconds, 3),
        "sql": report.sql,
        "checks": [
            {
                **describe_check(made.check),
                "outcome": made.outcome,
                "violations": made.violations,
                "explanation": "; ".join(explained(made)) or None,
                "sample": str(sample_path(target, report, made)) if made.sample else None,
            }
            for made in report.checks
        ],
    }
