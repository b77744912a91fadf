"""Scheduled runs: the deployed script, executed on the emulator as tasks of Snowflake would."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import sqlglot.expressions as sge

from backends.snowflake_ddl import create_own
from backends.snowflake_task_checks import CHECKS_COLUMNS, recorded
from marts.core.plan.runs import RUNS_TABLE, results_of_text
from marts.core.plan.schedule import ScheduledCheck, ScheduledChecks
from marts.core.plan.state import CompiledQuery
from support.account import Account
from support.scheduled import Call, RaisedError, Rows, Script
from support.workshop import CUSTOMERS, ORDERS, SHOP, Workshop, order

DONE, USAGE = 0, 2
DAY = datetime.date(2025, 7, 31)
MARTS = ["int_paid_orders", "customer_totals", "model_sales", "shop_overview"]
REVIEWS = ({"customer_id": "c1", "stars": 4.5},)
NOT_SENT = ("CREATE OR REPLACE PROCEDURE", "CREATE OR REPLACE TASK", "ALTER TASK", "SELECT SYSTEM$")
WHEN = ("--schedule", "0 3 * * *", "--timezone", "America/New_York", "--warehouse", "WH")


@pytest.fixture(scope="module")
def folder(account: Account, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Load the bicycle shop, as it is and with an order that no check lets pass."""
    for schema, orders in {"TASKS": ORDERS, "BAD": (*ORDERS, order("o9", "c1", "-5.00"))}.items():
        shop = Workshop(tmp_path_factory.mktemp(schema), SHOP)
        shop.write(customers=CUSTOMERS, orders=orders, reviews=REVIEWS)
        words = (*account.load_words(schema), "--data", shop.data)
        assert account.call(*words, cwd=shop.folder).returncode == DONE
    return tmp_path_factory.mktemp("project")


@pytest.fixture
def rows(account: Account) -> Rows:
    return account.rows


def words(account: Account, schema: str, *, sources: str = "TASKS") -> list[str]:
    location = account.run_words(schema=schema, sources=sources)
    return ["deploy", "--package", "toy_shop", *location, *WHEN]


@pytest.fixture
def scheduled(account: Account, folder: Path, own_schema: str) -> Iterator[Callable[..., Script]]:
    """Return what creates all that a script does, except its procedures and tasks."""

    def create(sources: str = "TASKS") -> Script:
        done = account.call(*words(account, own_schema, sources=sources), "--dry-run", cwd=folder)
        assert done.returncode == DONE, done.stderr
        script = Script(done.stdout)
        for sql in script.statements:
            if not sql.startswith(NOT_SENT):
                account.rows(sql)
        return script

    with account.left_as_found():
        yield create


def last_run(account: Account, schema: str) -> dict[str, object]:
    names = ("STATUS", "AS_OF", "MARTS_PUBLISHED", "CHECKS_FAILED", "ERROR", "RESULTS", "HOST_NAME")
    (*_, row) = account.rows(
        f"SELECT {', '.join(names)} FROM {account.location(schema, RUNS_TABLE)} ORDER BY STARTED_AT"
    )
    return dict(zip(names, row, strict=True))


def status(account: Account, folder: Path, schema: str) -> list[str]:
    """Return what `marts status` prints below its head, with single spaces."""
    place = ("--backend", "snowflake", *account.words(schema=schema))
    done = account.call("status", "--package", "toy_shop", *place, cwd=folder)
    assert done.returncode == DONE, done.stderr
    return [" ".join(line.split()) for line in done.stdout.splitlines()[1:]]


def published(account: Account, schema: str) -> dict[str, list[object]]:
    found = account.contents(schema)
    return {name: found[name.upper()] for name in MARTS if name.upper() in found}  # type: ignore[misc]


def test_a_scheduled_run_publishes_what_a_run_does(
    account: Account, folder: Path, rows: Rows, own_schema: str, scheduled: Callable[..., Script]
) -> None:
    script = scheduled()
    assert script.run(rows, DAY, "graph-1") == {}
    run = ["run", "--package", "toy_shop", "--as-of", str(DAY)]
    location = account.run_words(schema="BY_RUN", sources="TASKS")
    assert account.call(*run, *location, cwd=folder).returncode == DONE
    assert published(account, own_schema) == published(account, "BY_RUN")
    found = last_run(account, own_schema)
    assert (found["STATUS"], found["AS_OF"], found["MARTS_PUBLISHED"]) == ("published", DAY, 4)
    results = results_of_text(str(found["RESULTS"]))
    assert results["customer_totals"].rows == 3
    assert results["orders"].checks["amount_at_least_0"] == ("pass", 0)
    # The text of a view is that of a run, so that the next run leaves it alone.
    texts = [
        rows(
            f"SELECT SPLIT_PART(VERSION, '#', 2) FROM {account.location(schema, 'MARTS_STATE')}"
            " WHERE KIND = 'view'"
        )
        for schema in (own_schema, "BY_RUN")
    ]
    assert texts[0] == texts[1]
    assert [n for n in account.tables(f"{own_schema}_CANDIDATES") if "__OF_" in n] == []


def test_a_second_run_replaces_the_first_and_a_run_of_marts_both(
    account: Account, folder: Path, rows: Rows, own_schema: str, scheduled: Callable[..., Script]
) -> None:
    script = scheduled()
    assert script.run(rows, datetime.date(2025, 6, 30), "graph-1") == {}
    assert script.run(rows, DAY, "graph-2") == {}
    by_task = published(account, own_schema)
    assert last_run(account, own_schema)["STATUS"] == "published"
    run = ["run", "--package", "toy_shop", "--as-of", str(DAY)]
    location = account.run_words(schema=own_schema, sources="TASKS")
    done = account.call(*run, *location, cwd=folder)
    assert done.returncode == DONE, done.stdout + done.stderr
    assert "published 4 marts" in done.stdout
    assert published(account, own_schema) == by_task
    assert script.run(rows, DAY, "graph-3") == {}
    assert published(account, own_schema) == by_task
    *runs, last = status(account, folder, own_schema)
    ran_by = ["MARTS on ", "task TOY_SHOP__BEGIN"]
    assert [[word in line for word in ran_by] for line in runs] == [
        *([False, True], [True, False], [False, True], [False, True]),
    ]
    assert all(line.startswith("ok 20") and " published as of 2025-0" in line for line in runs)
    assert last.startswith(f"done published as of {DAY} by run ")
    assert last.endswith(f": {', '.join(sorted(MARTS))}")


@pytest.mark.parametrize("suspended", ["SOURCES", "BUILD_MODEL_SALES"])
def test_a_suspended_task_publishes_nothing(
    account: Account,
    rows: Rows,
    own_schema: str,
    scheduled: Callable[..., Script],
    suspended: str,
) -> None:
    script = scheduled()
    assert script.run(rows, DAY, "graph-1") == {}
    before = published(account, own_schema)
    # The candidates of a run that was cut off are still there.
    failed = script.run(rows, datetime.date(2025, 6, 30), "graph-2", suspended=[suspended])
    assert "PUBLISH" in failed or "BUILD_SHOP_OVERVIEW" in failed
    assert published(account, own_schema) == before
    assert last_run(account, own_schema)["STATUS"] == "error"


def test_a_failing_check_publishes_nothing(
    account: Account, folder: Path, rows: Rows, own_schema: str, scheduled: Callable[..., Script]
) -> None:
    script = scheduled("BAD")
    failed = script.run(rows, DAY, "graph-1")
    assert failed == {"SOURCES": "'a check does not hold: the table of runs names it'"}
    found = last_run(account, own_schema)
    assert (found["STATUS"], found["MARTS_PUBLISHED"], found["CHECKS_FAILED"]) == ("failed", 0, 1)
    assert found["ERROR"] == "checks that did not hold: orders.amount_at_least_0"
    assert "FAIL orders.amount_at_least_0: 1 violation" in status(account, folder, own_schema)
    assert not any(published(account, own_schema).values())


def test_a_candidate_that_is_not_what_was_checked_is_not_published(
    account: Account, rows: Rows, own_schema: str, scheduled: Callable[..., Script]
) -> None:
    script = scheduled()
    begin, *middle, publish, _ = script.graph
    script.call(rows, begin, "graph-1", DAY)
    for task in middle:
        script.call(rows, task, "graph-1")
    candidate = account.location(f"{own_schema}_CANDIDATES", "MODEL_SALES__OF_TOY_SHOP")
    rows(f"UPDATE {candidate} SET SOLD = SOLD + 1")
    with pytest.raises(RaisedError, match="is not what was checked"):
        script.call(rows, publish, "graph-1")
    assert not any(published(account, own_schema).values())


def test_a_run_that_published_meanwhile_is_not_replaced(
    account: Account,
    folder: Path,
    rows: Rows,
    own_schema: str,
    scheduled: Callable[..., Script],
) -> None:
    script = scheduled()
    begin, *middle, publish, _ = script.graph
    script.call(rows, begin, "graph-1", DAY)
    for task in middle:
        script.call(rows, task, "graph-1")
    run = ["run", "--package", "toy_shop", "--as-of", "2025-06-30"]
    location = account.run_words(schema=own_schema, sources="TASKS")
    done = account.call(*run, *location, cwd=folder)
    assert done.returncode == DONE, done.stdout + done.stderr
    before = published(account, own_schema)
    with pytest.raises(RaisedError, match="another run published meanwhile"):
        script.call(rows, publish, "graph-1")
    assert published(account, own_schema) == before


def test_what_another_package_has_taken_over_is_not_replaced(
    account: Account, rows: Rows, own_schema: str, scheduled: Callable[..., Script]
) -> None:
    script = scheduled()
    assert script.run(rows, DAY, "graph-1") == {}
    before, state = published(account, own_schema), account.location(own_schema, "MARTS_STATE")
    rows(f"UPDATE {state} SET PACKAGE = 'other' WHERE NAME = 'model_sales'")
    failed = script.run(rows, datetime.date(2025, 6, 30), "graph-2")
    assert "has taken over a mart" in failed["PUBLISH"]
    assert published(account, own_schema) == before


def test_a_run_without_a_date_does_not_begin(rows: Rows, scheduled: Callable[..., Script]) -> None:
    script = scheduled()
    with pytest.raises(RaisedError, match="no scheduled time"):
        script.call(rows, next(iter(script.graph)), "graph-1", None)


def test_a_source_with_other_columns_than_when_it_was_deployed_is_refused(
    account: Account, rows: Rows, own_schema: str, scheduled: Callable[..., Script]
) -> None:
    text = scheduled().text.replace("'ORDERS.AMOUNT NUMBER(10,2)'", "")
    script = Script(text.replace("AMOUNT NUMBER(10,2)", "AMOUNT NUMBER(9,2)"))
    failed = script.run(rows, DAY, "graph-1")
    assert "source orders has other columns" in failed["SOURCES"]
    assert not any(published(account, own_schema).values())


def test_deploying_again_changes_what_differs_and_only_what_is_ours(
    account: Account, folder: Path, own_schema: str
) -> None:
    def deploy(*more: str, status: int = DONE) -> str:
        location = account.run_words(schema=own_schema, sources="TASKS")
        done = account.call("deploy", "--package", "toy_shop", *location, *more, cwd=folder)
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout if status == DONE else done.stderr

    assert "no schedule is given" in deploy(status=USAGE)
    assert "16 of 16 objects changed" in deploy(*WHEN)
    with account.recorded() as events:
        assert deploy() == deploy(*WHEN)
    assert not [e for e in events if e["sql"].startswith(("CREATE OR REPLACE", "ALTER TASK"))]
    changed = deploy("--schedule", "0 4 * * *")
    assert changed.splitlines()[0] == "replace task TOY_SHOP__BEGIN"
    # A task that is replaced loses those after it.
    assert "8 of 16 objects changed" in changed
    root, place, child = (
        account.location(f"{own_schema}_CANDIDATES", f"TOY_SHOP__{name}")
        for name in ("BEGIN", "BUILD_GONE", "PUBLISH")
    )
    account.rows(f"ALTER TASK {root} SUSPEND")
    digest = '{"tool": "marts", "package": "toy_shop", "group": "default", "digest": "0"}'
    account.rows(
        f"CREATE OR REPLACE TASK {place}\nWAREHOUSE = \"WH\"\nCOMMENT = '{digest}'\n"
        f"AFTER {root}\nAS\nCALL X()"
    )
    account.rows(f"ALTER TASK {root} RESUME")
    other = account.location(f"{own_schema}_CANDIDATES", "OTHER")
    account.rows(f'CREATE OR REPLACE TASK {other}\nWAREHOUSE = "WH"\nAS\nCALL X()')
    assert "drop task TOY_SHOP__BUILD_GONE" in deploy()
    account.rows(f"ALTER TASK {root} SUSPEND")
    account.rows(f"ALTER TASK {child} SUSPEND")
    account.rows(f"ALTER TASK {root} RESUME")
    deploy()
    assert "suspended  TOY_SHOP__" not in deploy("--status")
    assert "started    TOY_SHOP__BEGIN  WH  USING CRON 0 4 * * * America/New_York" in deploy(
        "--status"
    )
    deploy("--suspend")
    assert "suspended  TOY_SHOP__BEGIN" in deploy("--status")
    assert "drop procedure TOY_SHOP__BEGIN" in deploy("--remove")
    assert deploy("--status") == "nothing is deployed\n"
    assert [
        name for (name, *_) in account.rows(f"SHOW TASKS IN SCHEMA {other.rpartition('.')[0]}")
    ] == ["OTHER"]
    own = account.location(f"{own_schema}_CANDIDATES", "TOY_SHOP__BEGIN")
    account.rows(f'CREATE OR REPLACE TASK {own}\nWAREHOUSE = "WH"\nAS\nCALL X()')
    assert "that marts did not make" in deploy(*WHEN, status=USAGE)


def test_what_tasks_cannot_do_is_refused_when_it_is_deployed(
    account: Account, folder: Path, own_schema: str
) -> None:
    def refused(sources: str, *more: str) -> str:
        location = account.run_words(schema=own_schema, sources=sources)
        done = account.call("deploy", "--package", "toy_shop", *location, *WHEN, *more, cwd=folder)
        assert done.returncode == USAGE, done.stdout + done.stderr
        return done.stderr

    assert "4 marts are not proven" in refused("TASKS", "--require-proof")
    rows = account.rows
    rows(f'CREATE SCHEMA "{account.database}"."{account.schema(own_schema)}"')
    rows(f"CREATE TABLE {account.location(own_schema, 'MODEL_SALES')} (A INT)")
    assert "model_sales: a table or view that marts did not make" in refused("TASKS")
    rows(f'CREATE SCHEMA "{account.database}"."{account.schema("SHOWN")}"')
    for table in ("CUSTOMERS", "ORDERS"):
        here, there = (account.location(schema, table) for schema in ("SHOWN", "TASKS"))
        rows(f"CREATE SECURE VIEW {here} AS SELECT * FROM {there}")
    assert "some have no past" in refused("SHOWN")


NEWEST = "TIMESTAMP_NTZ_FROM_PARTS(2025, 7, 30, 12, 0, 0, 0)"
ACKNOWLEDGED, BEFORE = datetime.date(2025, 7, 31), datetime.date(2025, 7, 30)
SELECTED = 'SELECT 200 AS "ROWS", {} AS "C0"'
DECIDED: dict[str, tuple[str, dict[str, Any], str]] = {
    "within its rate": ("2", {"severity": "error", "percent": Decimal(1)}, "pass"),
    "beyond its rate": ("3", {"severity": "error", "percent": Decimal(1)}, "fail"),
    "within its rows": ("5", {"severity": "error", "rows": 5}, "pass"),
    "over no rows": ("NULL", {"severity": "error"}, "pass"),
    "a warning": ("1", {"severity": "warn"}, "warn"),
    "known today": ("1", {"severity": "warn", "acknowledged_until": ACKNOWLEDGED}, "acknowledged"),
    "known before": (
        "1",
        {"severity": "warn", "acknowledged_until": BEFORE},
        "warn",
    ),
    "fresh": (NEWEST, {"severity": "error", "hours": 36.0}, "pass"),
    "not fresh": (NEWEST, {"severity": "error", "hours": 35.9}, "fail"),
    "fresh in its zone": (
        NEWEST,
        {"severity": "error", "hours": 32.0, "zone": "America/New_York"},
        "pass",
    ),
    "nothing new": ("CAST(NULL AS TIMESTAMP_NTZ)", {"severity": "error", "hours": 1.0}, "fail"),
}


def test_outcomes_are_those_of_a_run(rows: Rows, account: Account, own_schema: str) -> None:
    account.rows(f'CREATE SCHEMA "{account.database}"."{account.schema(own_schema)}"')
    into = account.location(own_schema, "CHECKS")
    rows(create_own(into, CHECKS_COLUMNS))
    for name, (found, how, _) in DECIDED.items():
        compiled = CompiledQuery(sge.select("1"), ("rows", "c0"), frozenset(), "snowflake")
        check = ScheduledCheck(name=name, **how)
        sql = recorded(ScheduledChecks("t", (check,), compiled), SELECTED.format(found), into, "d")
        rows(Call(rows, {"RUN_ID": "r", "AS_OF": DAY}).bound(sql))
    made = [tuple(row) for row in rows(f"SELECT CHECK_NAME, OUTCOME FROM {into}")]
    assert sorted(made) == sorted((name, outcome) for name, (_, _, outcome) in DECIDED.items())
