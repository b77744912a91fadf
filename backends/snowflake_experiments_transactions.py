"""Experiments on transactions and locks: what publication by one transaction relies on."""

from __future__ import annotations

import time
from concurrent.futures import wait

from backends import snowflake_ddl as ddl
from backends.snowflake_errors import LOCK_WAIT, number_of
from backends.snowflake_scratch import Scratch, listed
from marts.core.run.diagnosis import Experiment, Finding, verdict_of

SECONDS = 3
"""LOCK_TIMEOUT in experiments."""
LONGEST = 60
"""LOCK_TIMEOUT where the wait is to end earlier."""
REPORT = "do not publish; report this with the evidence: marts relies on it"


def atomic(door: Scratch) -> Finding:
    """Overwrite two tables in a transaction, and read both in another session all the while."""
    names = ("ATOMIC_A", "ATOMIC_B")
    targets = [door.table(name, '"V" VARCHAR', "'old'") for name in names]
    candidates = [door.table(f"{name}_NEW", '"V" VARCHAR', "'new'") for name in names]
    overwrites = [
        ddl.overwrite(target, candidate, ["V"])
        for target, candidate in zip(targets, candidates, strict=True)
    ]
    read = f'SELECT (SELECT MIN("V") FROM {targets[0]}), (SELECT MIN("V") FROM {targets[1]})'
    seen = {}
    for end in (ddl.ROLLBACK, ddl.COMMIT):
        door.first.run(ddl.BEGIN)
        seen[f"before {end}, nothing overwritten"] = door.second.row(read)
        for number, overwrite in enumerate(overwrites, 1):
            door.first.run(overwrite)
            seen[f"before {end}, {number} overwritten"] = door.second.row(read)
        door.first.run(end)
        seen[f"after {end}"] = door.second.row(read)
    old, new = ("old", "old"), ("new", "new")
    problems = [
        f"{when} a reader saw {listed(rows)}"
        for when, rows in seen.items()
        if rows != (new if when == f"after {ddl.COMMIT}" else old)
    ]
    evidence = f"{len(seen)} reads of two tables, in one statement each"
    return verdict_of(problems, evidence, bad="FAIL", remedy=REPORT)


def rollback(door: Scratch) -> Finding:
    """Let a statement fail in a transaction, and find out what can be committed then."""
    table = door.table("FAILING", '"V" VARCHAR')
    door.first.run(ddl.BEGIN, f"INSERT INTO {table} VALUES ('x')")
    door.first.refusal(f"INSERT INTO {door.name('NOT_THERE')} VALUES ('x')")
    door.first.refusal(ddl.COMMIT)
    door.first.roll_back()
    left = door.second.value(f"SELECT COUNT(*) FROM {table}")
    problems = ["what ran before an error could be committed after it"] if left else []
    return verdict_of(
        problems,
        "a failed statement aborts the whole transaction",
        bad="warn",
        remedy=f"ALTER USER {door.user} SET TRANSACTION_ABORT_ON_ERROR = TRUE",
    )


def ddl_commits(door: Scratch) -> Finding:
    """Create a table in a transaction, and roll back."""
    table = door.table("COMMITTED", '"V" VARCHAR')
    door.first.run(ddl.BEGIN, f"INSERT INTO {table} VALUES ('x')")
    door.table("COMMITTING", '"V" VARCHAR')
    door.first.run(ddl.ROLLBACK)
    rows = door.second.value(f"SELECT COUNT(*) FROM {table}")
    problems = [] if rows else ["a row was rolled back although DDL came after it"]
    return verdict_of(
        problems,
        "a row before it was not rolled back",
        bad="warn",
        remedy="none: marts runs no DDL there",
    )


def _lock_table(door: Scratch, name: str) -> str:
    return door.table(name, '"RUN_ID" VARCHAR, "KIND" VARCHAR', "'nobody', 'lock'")


def _wait(door: Scratch, seconds: int = SECONDS) -> None:
    door.second.run(f"ALTER SESSION SET LOCK_TIMEOUT = {seconds}")


def lock_times_out(door: Scratch) -> Finding:
    """Update a row that another session's transaction has updated."""
    state = _lock_table(door, "LOCKED")
    _wait(door)
    door.first.run(ddl.BEGIN, ddl.lock(state, "first", kind="lock"))
    start = time.monotonic()
    error = door.second.refusal(ddl.lock(state, "second", kind="lock"))
    took = time.monotonic() - start
    door.first.run(ddl.COMMIT)
    holder = door.first.value(f'SELECT MAX("RUN_ID") FROM {state} WHERE "KIND" = \'lock\'')
    problems = []
    if error is None:
        problems.append("a second publisher did not wait for the first")
    elif number_of(error) != LOCK_WAIT:
        problems.append(f"a second publisher was refused with {number_of(error):06d}, not 000625")
    if holder != "first":
        problems.append(f"the lock's row has the run {holder}, not that of the first publisher")
    if error and took < SECONDS - 1:
        problems.append(f"it waited for {took:.1f} s, with LOCK_TIMEOUT = {SECONDS}")
    waited = f"000625 after {took:.1f} s, with LOCK_TIMEOUT = {SECONDS}"
    return verdict_of(problems, waited, bad="FAIL", remedy=REPORT)


def lock_goes_on(door: Scratch) -> Finding:
    """Commit while another session waits, which must then see what was committed."""
    state = _lock_table(door, "WAITED_FOR")
    _wait(door, LONGEST)
    door.second.run(ddl.BEGIN)
    door.first.run(ddl.BEGIN, ddl.lock(state, "first", kind="lock"))
    waiting = door.second.meanwhile(ddl.lock(state, "second", kind="lock"))
    wait([waiting], timeout=1)
    early = waiting.done()
    door.first.run(f"INSERT INTO {state} VALUES ('first', 'table')", ddl.COMMIT)
    rows = waiting.result().rowcount
    seen = door.second.value(f"SELECT COUNT(*) FROM {state} WHERE \"KIND\" = 'table'")
    door.second.run(ddl.COMMIT)
    problems = []
    if early:
        problems.append("the second publisher did not wait for the first")
    if rows != 1:
        problems.append(f"it updated {rows} rows of one")
    if seen != 1:
        problems.append("it does not see what the first one committed while it waited")
    evidence = "the second went on when the first had committed, and saw its rows"
    return verdict_of(problems, evidence, bad="FAIL", remedy=REPORT)


def claim_does_not_wait(door: Scratch) -> Finding:
    """Record candidates while another run publishes."""
    state = _lock_table(door, "CLAIMED")
    _wait(door)
    door.first.run(ddl.BEGIN, ddl.lock(state, "first", kind="lock"))
    error = door.second.refusal(f"INSERT INTO {state} SELECT 'second', 'candidate'")
    door.first.run(ddl.COMMIT)
    problems = [] if error is None else [error.summary]
    return verdict_of(
        problems,
        "INSERT goes on while another session's UPDATE is open",
        bad="warn",
        remedy="none: a run that begins while another publishes waits for it",
    )


def row_hash(door: Scratch) -> Finding:
    """Compare hashes of equal and of different bags of rows."""

    def of(name: str, kind: str, *rows: str) -> object:
        door.table(name, f'"A" {kind}, "B" VARCHAR', *rows)
        sql = ddl.contents({name: door.name(name)}, {name: ["A", "B"]})
        return door.first.row(sql)[2]

    some = of("HASH_1", "NUMBER(10, 2)", "1.5, 'a'", "2, NULL", "2, NULL")
    equal = {
        "in another order": of("HASH_2", "NUMBER(10, 2)", "2, NULL", "1.5, 'a'", "2, NULL"),
        "as a wider NUMBER": of("HASH_3", "NUMBER(38, 2)", "1.5, 'a'", "2, NULL", "2, NULL"),
    }
    different = {
        "less a repeated row": of("HASH_4", "NUMBER(10, 2)", "1.5, 'a'", "2, NULL"),
        "with another value": of("HASH_5", "NUMBER(10, 2)", "1.5, 'a'", "2, NULL", "2, ''"),
    }
    unequal = [f"another hash for the same rows {how}" for how, it in equal.items() if it != some]
    same = [f"the same hash for the rows {how}" for how, it in different.items() if it == some]
    if same:
        return Finding("FAIL", (*same, *unequal), REPORT)
    remedy = "none: marts that have not changed are written again"
    return verdict_of(
        unequal, "equal for equal bags of rows, whatever the type", bad="warn", remedy=remedy
    )


def no_rows(door: Scratch) -> Finding:
    """Overwrite a table by no rows, and read its hash."""
    target = door.table("EMPTIED", '"V" VARCHAR', "'old'")
    candidate = door.table("EMPTIED_NEW", '"V" VARCHAR')
    door.first.run(ddl.BEGIN, ddl.overwrite(target, candidate, ["V"]))
    _, rows, digest = door.first.row(ddl.contents({"T": target}, {"T": ["V"]}))
    door.first.run(ddl.COMMIT)
    problems = [f"{rows} rows are left"] if rows else []
    evidence = f"no row is left; the hash of none is {digest}"
    return verdict_of(problems, evidence, bad="FAIL", remedy=REPORT)


EXPERIMENTS = (
    Experiment("atomic", "readers see all tables of a publication as new, or all as old", atomic),
    Experiment("empty_overwrite", "a mart without rows is overwritten, too", no_rows),
    Experiment("lock_times_out", "a second publisher waits, but not for ever", lock_times_out),
    Experiment("lock_goes_on", "a waiting publisher sees what was published", lock_goes_on),
    Experiment(
        "claim_does_not_wait", "a run can begin while another one publishes", claim_does_not_wait
    ),
    Experiment("abort_on_error", "an error aborts a transaction", rollback, refused="warn"),
    Experiment("ddl_commits", "DDL commits the transaction around it", ddl_commits, refused="warn"),
    Experiment("row_hash", "HASH_AGG tells which marts have changed", row_hash),
)
"""The experiments on transactions and locks."""
