"""Runs: the row of each in the table of runs, and what it found of each table.

Plain values; they are exchanged with engines, which know their table from here.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from marts.core.project.reserved import RESERVED

RUNS_TABLE = RESERVED[2]
"""The table beside the marts with a row for each run."""

RUNS_COLUMNS = {
    "run_id": "string",
    "package": "string",
    "status": "string",
    "started_at": "timestamp",
    "publishing_since": "timestamp",
    "ended_at": "timestamp",
    "seconds": "float64",
    "as_of": "date",
    "selection": "string",
    "user_name": "string",
    "role_name": "string",
    "host_name": "string",
    "backend": "string",
    "marts_version": "string",
    "environment": "string",
    "sources_at": "timestamp",
    "marts_built": "int64",
    "marts_published": "int64",
    "marts_unchanged": "int64",
    "rows_built": "int64",
    "checks_made": "int64",
    "checks_passed": "int64",
    "checks_warned": "int64",
    "checks_acknowledged": "int64",
    "checks_failed": "int64",
    "error": "string",
    "query_ids": "string",
    "results": "string",
}
"""The columns of the table of runs; `RecordedRun` says what they hold. An earlier version's table
lacks some: they are added. No row is ever deleted."""

TASK = "task "
"""How the host begins in the row of a run that no machine of ours has run, before its name."""

RUNS_KEY = ("run_id", "package", "status")
"""The columns that every version's table of runs has; the first identifies a row."""


@dataclass(frozen=True, kw_only=True)
class RecordedRun:
    """A row of the table of runs: one run, from its start to its end.

    `status` is `running`, then `publishing`, then how the run ended: as a report says, or
    `refused` if it ended while it was planned. A run that was killed keeps one of the first two.
    Times are UTC; `seconds` are from `started_at` to `ended_at`, both null until it has ended.
    `selection` is as typed, empty for all marts; `host_name` is where marts ran, or the task that
    did; `environment` is null if the run had none. The engine fills in the user, the role and
    `sources_at`: the moment at which all sources were read, null if there is no such moment. The
    counts are null until the run has ended, and for one that was refused; those of marts and rows
    leave temporary marts out, and `marts_published` is null if it is not known. `error` says in a
    line why the run ended, without values of rows. `query_ids` is a JSON list of the last
    statements' ids, if the engine gives them one. `results` has what was found of each table, as
    `results_text` writes it.
    """

    run_id: str
    package: str
    status: str
    started_at: datetime.datetime
    publishing_since: datetime.datetime | None = None
    ended_at: datetime.datetime | None = None
    seconds: float | None = None
    as_of: datetime.date | None = None
    selection: str = ""
    user_name: str | None = None
    role_name: str | None = None
    host_name: str | None = None
    backend: str
    marts_version: str
    environment: str | None = None
    sources_at: datetime.datetime | None = None
    marts_built: int | None = None
    marts_published: int | None = None
    marts_unchanged: int | None = None
    rows_built: int | None = None
    checks_made: int | None = None
    checks_passed: int | None = None
    checks_warned: int | None = None
    checks_acknowledged: int | None = None
    checks_failed: int | None = None
    error: str | None = None
    query_ids: str | None = None
    results: str | None = None


CheckFinding = tuple[str, int | None]
"""What a run found of a check: its outcome, and its violations.

The outcome is pass, warn, acknowledged or fail. It is `held` for a check of a source that was not
made, because it had passed on the same version of the source, and `skipped` for one that could not
be made, because a table that it reads was absent or not up to date; both have no violations.
"""

HELD, SKIPPED = "held", "skipped"
LONGEST_RESULTS = 400_000
"""The most characters: Snowflake takes no statement of more than a million."""


@dataclass(frozen=True, kw_only=True)
class TableResult:
    """What a run found of a source or a mart; None is what it has not counted or not done.

    `seconds` is how long it took to build a mart, `check_seconds` to check the table. `left_out`
    is the number of checks that passed without a violation, or held, but are not among `checks`.
    """

    rows: int | None = None
    seconds: float | None = None
    check_seconds: float | None = None
    checks: Mapping[str, CheckFinding] = field(default_factory=dict)
    left_out: int = 0


def results_text(results: Mapping[str, TableResult]) -> str | None:
    """Return the results by table as text, which the table of runs stores; None if there are none.

    It has no value of a row. If it were too long, checks without a violation would be left out, and
    everything if that did not suffice.
    """
    if not results:
        return None
    for shown in (results, {name: _shortened(each) for name, each in results.items()}):
        document = {name: _document(each) for name, each in shown.items()}
        text = json.dumps(document, separators=(",", ":"))
        if len(text) <= LONGEST_RESULTS:
            return text
    return None


def results_of_text(text: str | None) -> dict[str, TableResult]:
    """Return the results of a text; none if there is no text, or another version wrote it."""
    try:
        found = json.loads(text or "{}")
        return {name: _result(each) for name, each in found.items()}
    except (ValueError, TypeError, KeyError, AttributeError):
        return {}


def _shortened(result: TableResult) -> TableResult:
    kept = {
        name: found
        for name, found in result.checks.items()
        if found[0] != HELD and found != ("pass", 0)
    }
    return replace(result, checks=kept, left_out=len(result.checks) - len(kept))


def _document(result: TableResult) -> dict[str, Any]:
    """Return a result as JSON data, without what is not known."""
    return {name: value for name, value in asdict(result).items() if value not in (None, 0, {})} | (
        # Zero rows are a finding.
        {} if result.rows is None else {"rows": result.rows}
    )


def _result(found: Mapping[str, Any]) -> TableResult:
    checks = {
        name: (outcome, number) for name, (outcome, number) in found.get("checks", {}).items()
    }
    return TableResult(**{**found, "checks": checks})
