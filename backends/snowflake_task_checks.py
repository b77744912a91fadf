"""Checks in scheduled runs: their queries, and which of their outcomes is recorded; pure functions.

The outcome is decided as `CheckReport` decides it: by threshold, severity, acknowledgement.
"""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import indent

from backends.snowflake_ddl import identifier, literal, value
from marts.core.plan.schedule import ROWS, ScheduledCheck, ScheduledChecks

CHECKS_COLUMNS = {
    "run_id": "string",
    "deployment": "string",
    "table_name": "string",
    "check_name": "string",
    "outcome": "string",
    "violations": "int64",
    "row_count": "int64",
    "contents": "string",
}
"""The columns of the table with what scheduled runs have found. A mart has a row without a name of
a check: its rows, and a hash of them, before it was checked."""
NUMBER = "MARTS_N"


def recorded(checks: ScheduledChecks, query: str, into: str, deployment: str) -> str:
    """Return the statement that makes checks by one scan, and inserts a row for each."""
    numbered = list(enumerate(checks.checks))
    return insertion(
        into,
        deployment,
        checks.table,
        query,
        [named(each.name, each.severity, each.acknowledged_until) for each in checks.checks],
        violations=_choice([_violations(n, check) for n, check in numbered]),
        rows=_choice([_rows(n, checks) for n, _ in numbered]),
        tolerated=_choice([_tolerated(check) for check in checks.checks]),
    )


def insertion(
    into: str,
    deployment: str,
    table: str,
    query: str,
    named: Sequence[str],
    *,
    violations: str,
    rows: str = "CAST(NULL AS INT)",
    tolerated: str = "0",
) -> str:
    """Return the statement that inserts a row for each of the `named` checks of a table.

    `violations`, `rows` and `tolerated` are expressions over the only row of the query and the
    number of the check.
    """
    columns = ", ".join(map(identifier, CHECKS_COLUMNS))
    checks = "\n  UNION ALL SELECT ".join(f"{n}, {each}" for n, each in enumerate(named))
    names = f"({NUMBER}, CHECK_NAME, SEVERITY, ACKNOWLEDGED_UNTIL)"
    return (
        f"INSERT INTO {into} ({columns})\n"
        f"SELECT :RUN_ID, {literal(deployment)}, {literal(table)}, CHECK_NAME,\n"
        f"  CASE WHEN VIOLATIONS <= {tolerated} THEN 'pass' WHEN SEVERITY = 'error' THEN 'fail'\n"
        "    WHEN :AS_OF <= ACKNOWLEDGED_UNTIL THEN 'acknowledged' ELSE 'warn' END,\n"
        "  VIOLATIONS, ROW_COUNT, NULL\n"
        f"FROM (\n  SELECT N.*, {violations} AS VIOLATIONS, {rows} AS ROW_COUNT\n"
        f"  FROM (\n{indent(query, '    ')}\n  ) AS Q\n"
        f"  CROSS JOIN (\n  SELECT {checks}\n  ) AS N {names}\n) AS C"
    )


def named(name: str, severity: str = "error", until: object = None) -> str:
    """Return the values that name a check."""
    day = "CAST(NULL AS DATE)" if until is None else value(until)
    return f"{literal(name)}, {literal(severity)}, {day}"


def _choice(found: Sequence[str]) -> str:
    if len({*found}) == 1:
        return found[0]
    cases = " ".join(f"WHEN {n} THEN {each}" for n, each in enumerate(found))
    return f"CASE {NUMBER} {cases} END"


def _violations(number: int, check: ScheduledCheck) -> str:
    column = identifier(f"c{number}")
    if check.hours is not None:
        return _is_old(column, check.hours, check.zone)
    return f"COALESCE({column}, 0)"


def _is_old(newest: str, hours: float, zone: str | None) -> str:
    """Return 1 if a column's newest value is old at the moment of the run, or says nothing.

    That moment is now, or the end of the run's date if it is over.
    """
    at = f"CAST({newest} AS TIMESTAMP_NTZ)"
    if zone:
        at = f"CONVERT_TIMEZONE({literal(zone)}, 'UTC', {at})"
    now = "CONVERT_TIMEZONE('UTC', CURRENT_TIMESTAMP())::TIMESTAMP_NTZ"
    moment = f"LEAST({now}, CAST(DATEADD(DAY, 1, :AS_OF) AS TIMESTAMP_NTZ))"
    seconds = round(hours * 3600)
    return (
        f"CASE WHEN {newest} IS NULL OR {at} > DATEADD(DAY, 1, {now})"
        f" OR DATEDIFF(SECOND, {at}, {moment}) > {seconds} THEN 1 ELSE 0 END"
    )


def _rows(number: int, checks: ScheduledChecks) -> str:
    for name in (f"l{number}", ROWS):
        if name in checks.query.columns:
            return f"COALESCE({identifier(name)}, 0)"
    return "CAST(NULL AS INT)"


def _tolerated(check: ScheduledCheck) -> str:
    if check.percent is not None:
        return f"FLOOR({check.percent:f} * COALESCE(ROW_COUNT, 0) / 100)"
    return str(check.rows)
