"""Experiments on the session: who one is, which parameters hold, and what two sessions see."""

from __future__ import annotations

import datetime
import time
from concurrent.futures import wait

from backends.installation import versions_found
from backends.snowflake_ddl import value
from backends.snowflake_errors import MISSING, number_of
from backends.snowflake_parameters import (
    FIXED,
    SHOW_SESSION,
    of_schema,
    refuse_others,
    schema_warnings,
)
from backends.snowflake_scratch import Scratch
from marts.core.errors import EngineError
from marts.core.run.diagnosis import Experiment, Finding, ok, skip, verdict_of

SKEWED, WRONG = datetime.timedelta(minutes=1), datetime.timedelta(hours=12)
"""Differences of clocks from which one should look, and from which candidates may be swept."""
CANCELLED = 604
TABLES = 5
"""How many tables are looked for right after their creation."""
FORMATS = {
    "DATE_INPUT_FORMAT": "DD/MM/YYYY",
    "TIMESTAMP_INPUT_FORMAT": "DD/MM/YYYY HH24:MI",
    "DATE_OUTPUT_FORMAT": "DD/MM/YYYY",
    "TIMESTAMP_NTZ_OUTPUT_FORMAT": "DD/MM/YYYY HH24:MI",
}
"""Formats that another session may have."""


def versions(door: Scratch) -> Finding:
    """Compare what is installed with what marts asks for, and return the account's version."""
    return versions_found(
        door.installed, f"Snowflake {door.first.value('SELECT CURRENT_VERSION()')}"
    )


def identity(door: Scratch) -> Finding:
    """Return user, role, warehouse and database of the session."""
    words = ("user", "role", "warehouse", "database")
    functions = ", ".join(f"CURRENT_{word.upper()}()" for word in words)
    found = dict(zip(words, door.first.row(f"SELECT {functions}"), strict=True))
    evidence = ", ".join(f"{word} {name or 'none'}" for word, name in found.items())
    if not found["role"]:
        return Finding("FAIL", (evidence,), "pass --role, or set role in connections.toml")
    return ok(evidence)


def clock(door: Scratch) -> Finding:
    """Compare the account's clock with that of this machine."""
    before = datetime.datetime.now(datetime.UTC)
    there = door.first.value("SELECT SYSDATE()").replace(tzinfo=datetime.UTC)
    after = datetime.datetime.now(datetime.UTC)
    skew = abs(there - (before + (after - before) / 2))
    line = f"{skew.total_seconds():.1f} s apart, measured to {(after - before).total_seconds():.1f}"
    bad: Finding = Finding(
        "FAIL" if skew > WRONG else "warn",
        (f"{line} s",),
        "set this machine's clock: names of candidates have its time, and old ones are dropped",
    )
    return bad if skew > max(SKEWED, after - before) else ok(f"{line} s")


def parameters(door: Scratch) -> Finding:
    """Compare the session's parameters with what marts sets at login."""
    rows = door.first.rows(SHOW_SESSION)
    refuse_others(FIXED, rows)
    shown = FIXED.keys() & {str(row[0]) for row in rows}
    return ok(f"{len(shown)} of {len(FIXED)} parameters are shown, and are as marts sets them")


def schema_parameters(door: Scratch) -> Finding:
    """Read the parameters of the marts' schema, or of a new one, that change new tables."""
    namespace = door.marts if door.catalog.has_schema(door.marts) else door.schema
    rows = [row for sql in of_schema(namespace.sql) for row in door.first.rows(sql)]
    problems = list(schema_warnings(rows))
    names = [line.partition(" ")[0] for line in problems]
    remedy = "; ".join(f"ALTER SCHEMA {namespace.sql} UNSET {name}" for name in names)
    return verdict_of(problems, "new tables are as usual", bad="warn", remedy=remedy)


def dates(door: Scratch) -> Finding:
    """Write a date and a time where the session's formats are others."""
    table = door.table("DATES", '"D" DATE, "T" TIMESTAMP_NTZ')
    day, at = datetime.date(2025, 3, 4), datetime.datetime(2025, 3, 4, 5, 6, 7)  # noqa: DTZ001
    door.second.run(*(f"ALTER SESSION SET {name} = '{text}'" for name, text in FORMATS.items()))
    problems = []
    if refused := door.second.refusal(f"INSERT INTO {table} SELECT {value(day)}, {value(at)}"):
        problems = [refused.summary, *refused.facts]
    elif (found := door.first.row(f"SELECT * FROM {table}")) != (day, at):
        problems = [f"{day} and {at} became {found[0]} and {found[1]}"]
    door.second.run(*(f"ALTER SESSION UNSET {name}" for name in FORMATS))
    remedy = f"ALTER USER {door.user} UNSET DATE_INPUT_FORMAT, TIMESTAMP_INPUT_FORMAT"
    return verdict_of(problems, "the same with DD/MM/YYYY", bad="FAIL", remedy=remedy)


def read_consistency(door: Scratch) -> Finding:
    """Look for tables in one session that the other has just created."""
    door.second.value("SELECT 1")
    late = []
    for number in range(TABLES):
        table = door.table(f"SEEN_{number}", '"V" VARCHAR')
        try:
            door.second.execute(f"SELECT * FROM {table}", retry=False)
        except EngineError as error:
            if number_of(error) not in MISSING:
                raise
            start = time.monotonic()
            door.second.execute(f"SELECT * FROM {table}")
            late.append(f"{time.monotonic() - start:.1f} s")
    if late:
        seen = f"{len(late)} of {TABLES} tables were not seen at once, but after {', '.join(late)}"
        remedy = "ALTER ACCOUNT SET READ_CONSISTENCY_MODE = 'GLOBAL', or --threads 1"
        return Finding("warn", (seen,), remedy)
    return ok(f"{TABLES} of {TABLES} tables were seen at once")


def cancel(door: Scratch) -> Finding:
    """Cancel a statement that runs in the other session."""
    door.second.value("SELECT 1")
    waiting = door.second.meanwhile("SELECT SYSTEM$WAIT(30)")
    wait([waiting], timeout=2)
    if waiting.done():
        error = waiting.exception()
        return skip("there is no statement that waits", *([str(error)] if error else []))
    start = time.monotonic()
    door.second.session.cancel()
    took = time.monotonic() - start
    found = waiting.exception()
    number = number_of(found) if isinstance(found, EngineError) else None
    problems = [] if number == CANCELLED else [f"it ended after {took:.1f} s with: {found}"]
    remedy = "after Ctrl-C, look for statements that still run: SHOW TRANSACTIONS"
    return verdict_of(problems, f"it ended after {took:.1f} s", bad="warn", remedy=remedy)


EXPERIMENTS = (
    Experiment("versions", "what is installed is what marts asks for", versions),
    Experiment("identity", "who asks", identity),
    Experiment("clock", "the clocks agree", clock),
    Experiment("parameters", "the session's parameters are those that marts sets", parameters),
)
"""The experiments that need no scratch schema."""

IN_SCRATCH = (
    Experiment(
        "schema_parameters", "new tables are ordinary ones", schema_parameters, refused="warn"
    ),
    Experiment("dates", "dates do not depend on the session's formats", dates),
    Experiment(
        "read_consistency",
        "a session sees at once what another has created",
        read_consistency,
        refused="warn",
    ),
    Experiment("cancel", "Ctrl-C ends what runs", cancel, refused="warn"),
)
"""The experiments that need one."""
