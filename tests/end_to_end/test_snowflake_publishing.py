"""All or nothing on Snowflake, or an exact word on what is new: toy marts, broken at each point."""

from __future__ import annotations

import datetime
import json
import re
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from support.account import Account, Row
from support.processes import Result, end
from support.workshop import CUSTOMERS, ORDERS, SHOP, Workshop, order

DONE, FAILED, INTERRUPTED = 0, 1, 130
TESTS = Path(__file__).parent.parent
MARTS = ["int_paid_orders", "customer_totals", "model_sales", "shop_overview"]
STATE = "MARTS_STATE"
OLD, NEW = "2025-06-30", "2025-07-31"
pytestmark = pytest.mark.usefixtures("sources")
NOTHING = "nothing was published; what was published before is unchanged"
REFUSED = {"errno": 3001, "sqlstate": "42501", "message": "Insufficient privileges"}
PUBLISHING_MODEL_SALES = r"^CREATE OR REPLACE TRANSIENT TABLE \S*MODEL_SALES. CLONE"
RECORDING = r"^MERGE [\s\S]+ DATE_FROM_PARTS"
BUILDING_MODEL_SALES = r"^CREATE OR REPLACE TRANSIENT TABLE \S*MODEL_SALES__CANDIDATE"


@pytest.fixture(scope="module")
def sources(account: Account, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Load the bicycle shop: as it is, and with an order that no check lets pass."""
    for schema, orders in {
        "SHOP": ORDERS,
        "BAD_SHOP": (*ORDERS, order("bad", "c1", "-5000.00")),
    }.items():
        shop = Workshop(tmp_path_factory.mktemp(schema), SHOP)
        shop.write(customers=CUSTOMERS, orders=orders)
        words = (*account.load_words(schema), "--data", shop.data)
        assert account.call(*words, cwd=shop.folder).returncode == DONE


def words(account: Account, schema: str, *, as_of: str = NEW, sources: str = "SHOP") -> list[str]:
    """Return the words that run the bicycle shop's marts."""
    location = account.run_words(schema=schema, sources=sources)
    return ["run", "--package", "toy_shop", "--as-of", as_of, *location]


def published(account: Account, schema: str, folder: Path) -> str:
    """Publish the marts of an earlier date in a schema, and return its name."""
    done = account.call(*words(account, schema, as_of=OLD), cwd=folder)
    assert done.returncode == DONE, done.stderr
    return schema


@pytest.fixture(scope="module")
def schema(account: Account, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return a schema for tests that leave the marts as they are: those of an earlier date."""
    return published(account, "UNCHANGED", tmp_path_factory.mktemp("unchanged"))


@pytest.fixture
def changing(account: Account, own_schema: str, tmp_path: Path) -> str:
    """Return a schema of the test's own, with the marts of an earlier date."""
    return published(account, own_schema, tmp_path)


@pytest.fixture
def before(account: Account, request: pytest.FixtureRequest) -> dict[str, list[Row]]:
    """Return what is published when the test begins."""
    own = "changing" in request.fixturenames
    return account.contents(request.getfixturevalue("changing" if own else "schema"))


def dates(account: Account, schema: str) -> dict[str, str]:
    """Return the as-of date that each mart is recorded with."""
    rows = account.rows(
        f"SELECT NAME, AS_OF FROM {account.location(schema, STATE)} WHERE KIND <> 'source'"
    )
    return {mart: str(day) for mart, day in rows}


def overview_of(account: Account, schema: str) -> str:
    """Return the day for which the last mart was calculated."""
    ((day,),) = account.rows(f"SELECT CALCULATED_ON FROM {account.location(schema, MARTS[-1])}")
    return str(day)


def results(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "target/run_results.json").read_text("utf-8"))
    return found


def assert_nothing_published(
    account: Account, schema: str, before: dict[str, list[Row]], result: Result
) -> None:
    assert NOTHING in result.stdout
    assert "Traceback" not in result.stderr
    assert account.contents(schema) == before


def test_a_failing_check_publishes_nothing(
    account: Account, schema: str, before: dict[str, list[Row]], tmp_path: Path
) -> None:
    done = account.call(*words(account, schema, sources="BAD_SHOP"), cwd=tmp_path)
    assert done.returncode == FAILED
    assert "FAIL  orders.amount_at_least_0: 1 violation" in done.stdout
    assert_nothing_published(account, schema, before, done)
    assert results(tmp_path)["status"] == "failed"
    sample = tmp_path / "target/failures/orders.amount_at_least_0.csv"
    assert "-5000.00" in sample.read_text("utf-8")


def test_a_statement_that_is_refused_publishes_nothing(
    emulated: Account, schema: str, before: dict[str, list[Row]], tmp_path: Path
) -> None:
    with emulated.told(fail={"pattern": BUILDING_MODEL_SALES, **REFUSED}):
        done = emulated.call(*words(emulated, schema), cwd=tmp_path)
    assert done.returncode == FAILED
    assert "the role lacks a privilege" in done.stderr
    assert "build model_sales" in done.stderr
    assert_nothing_published(emulated, schema, before, done)
    assert results(tmp_path)["status"] == "error"


def test_a_refusal_cancels_what_other_threads_run(
    emulated: Account, schema: str, before: dict[str, list[Row]], tmp_path: Path
) -> None:
    refused = {"pattern": r"^CREATE OR REPLACE TRANSIENT TABLE \S*CUSTOMER_TOTALS__", **REFUSED}
    # Longer than a command may take.
    stalled = {"pattern": BUILDING_MODEL_SALES}
    command = [*words(emulated, schema), "--threads", "2"]
    with emulated.told(fail=refused, stall=stalled):
        done = emulated.process(*command, cwd=tmp_path, PYTHONPATH=str(TESTS))
    assert done.returncode == FAILED
    assert "build customer_totals" in done.stderr
    assert_nothing_published(emulated, schema, before, done)


def test_publishing_that_breaks_off_says_what_is_new_and_a_rerun_heals(
    emulated: Account, changing: str, before: dict[str, list[Row]], tmp_path: Path
) -> None:
    with emulated.told(fail={"pattern": PUBLISHING_MODEL_SALES, **REFUSED}):
        broken = emulated.call(*words(emulated, changing), cwd=tmp_path)
    assert broken.returncode == FAILED
    assert "publishing failed midway" in broken.stderr
    assert "  new: int_paid_orders, customer_totals\n" in broken.stderr
    assert "  old: model_sales, shop_overview\n" in broken.stderr
    assert "hint: run again" in broken.stderr
    assert NOTHING not in broken.stdout
    assert results(tmp_path)["status"] == "partly_published"
    now = emulated.contents(changing)
    assert now.keys() == before.keys()
    changed = {name.lower() for name in now if now[name] != before[name]}
    assert changed == {"int_paid_orders", "customer_totals"}
    healed = emulated.call(*words(emulated, changing), cwd=tmp_path)
    assert healed.returncode == DONE, healed.stderr
    assert dates(emulated, changing) == dict.fromkeys(MARTS, NEW)
    assert overview_of(emulated, changing) == NEW


def test_publishing_that_breaks_off_at_once_published_nothing(
    emulated: Account, schema: str, before: dict[str, list[Row]], tmp_path: Path
) -> None:
    with emulated.told(fail={"pattern": "^CREATE OR REPLACE VIEW .*INT_PAID_ORDERS. ", **REFUSED}):
        broken = emulated.call(*words(emulated, schema), cwd=tmp_path)
    assert broken.returncode == FAILED
    assert_nothing_published(emulated, schema, before, broken)


def test_marts_that_could_not_be_recorded_are_reported_as_new(
    emulated: Account, changing: str, before: dict[str, list[Row]], tmp_path: Path
) -> None:
    with emulated.told(fail={"pattern": RECORDING, **REFUSED}):
        broken = emulated.call(*words(emulated, changing), cwd=tmp_path)
    assert broken.returncode == FAILED
    assert f"  new: {', '.join(MARTS)}\n  old: none" in broken.stderr
    assert overview_of(emulated, changing) == NEW
    assert emulated.contents(changing).keys() == before.keys()
    assert dates(emulated, changing) == dict.fromkeys(MARTS, OLD)
    healed = emulated.call(*words(emulated, changing), cwd=tmp_path)
    assert healed.returncode == DONE, healed.stderr
    assert dates(emulated, changing) == dict.fromkeys(MARTS, NEW)


def test_only_old_candidates_of_ours_are_swept(
    account: Account, schema: str, tmp_path: Path
) -> None:
    now = datetime.datetime.now(datetime.UTC)
    young, old = (
        f"MODEL_SALES__CANDIDATE_{now - datetime.timedelta(hours=hours):%Y%m%dT%H%M%S}_0123ABCD"
        for hours in (23, 25)
    )
    view = "GONE__CANDIDATE_20240229T235959_FFFFFFFF"
    strangers = [
        # One of somebody else, who happens to name tables as we do.
        "MODEL_SALES__CANDIDATE_20240229T235959_EEEEEEEE",
        "STRANGER__CANDIDATE_OF_MINE",
        "STRANGER__CANDIDATE_20240229T235959_FFFFFFFF_COPY",
    ]
    usual, state = account.tables(schema), account.location(schema, STATE)
    for name in (old, young, *strangers):
        account.rows(f"CREATE TABLE {account.location(schema, name)} AS SELECT 1 AS A")
    account.rows(f"CREATE VIEW {account.location(schema, view)} AS SELECT 1 AS A")
    for name in (old, young, view, *strangers[1:]):
        account.rows(
            f"INSERT INTO {state} (PACKAGE, NAME, KIND, RUN_ID)"
            f" SELECT '', '{name.lower()}', 'candidate', 'R'"
        )
    done = account.call(*words(account, schema, as_of=OLD), "--force", cwd=tmp_path)
    assert done.returncode == DONE, done.stderr
    assert account.tables(schema) == sorted([*usual, young, *strangers])
    left = account.rows(f"SELECT NAME FROM {state} WHERE KIND = 'candidate' ORDER BY NAME")
    assert left == [(name.lower(),) for name in (young, *sorted(strangers[1:]))]
    account.rows(f"DELETE FROM {state} WHERE KIND = 'candidate'")
    for name in (young, *strangers):
        account.rows(f"DROP TABLE {account.location(schema, name)}")


KINDS = '''"""A mart as a {kind}."""

from marts import int64, mart, source, string

customers = source("customers", doc="C.", grain="customer_id", columns=[string("customer_id")])


@mart(grain="n", materialized="{kind}", columns=[int64("n")])
def changing(customers):
    """How many customers there are; it's a {kind}."""
    return customers.aggregate(n=customers.count())
'''


def test_a_mart_may_change_from_view_to_table_and_back(account: Account, tmp_path: Path) -> None:
    location = account.run_words(schema="KINDS", sources="SHOP")
    (tmp_path / "kinds").mkdir()
    (tmp_path / "kinds/__init__.py").touch()
    for kind in ("view", "table", "view"):
        (tmp_path / "kinds/changing.py").write_text(KINDS.format(kind=kind), "utf-8")
        done = account.process("run", "--package", "kinds", *location, cwd=tmp_path)
        assert done.returncode == DONE, done.stderr
        found = account.catalog("tables", "KINDS", "TABLE_NAME", "TABLE_TYPE", "COMMENT")
        assert found[0] == (
            "CHANGING",
            "VIEW" if kind == "view" else "BASE TABLE",
            f"How many customers there are; it's a {kind}.",
        )
        assert account.contents("KINDS")["CHANGING"] == [(4,)]
    assert account.tables("KINDS") == ["CHANGING", STATE]


def test_a_read_is_tried_again_when_the_network_fails(
    emulated: Account, schema: str, tmp_path: Path
) -> None:
    with (
        emulated.told(fail={"pattern": "^SELECT", "status": 503, "times": 1}),
        emulated.recorded() as sent,
    ):
        done = emulated.call(*words(emulated, schema, as_of=OLD), cwd=tmp_path)
    assert done.returncode == DONE, done.stderr
    selects = [each["sql"] for each in sent if each["sql"].startswith("SELECT")]
    assert selects[0] == selects[1]


def interrupted(
    account: Account, schema: str, at: str, sent: signal.Signals, folder: Path, *more: str
) -> tuple[int, str]:
    """Send a signal to a run within a statement; return its exit code and what it printed."""
    command = [*words(account, schema), *more]
    with account.told(stall={"pattern": at}) as emulator:
        known = len(emulator.statements())
        with account.started(*command, cwd=folder, PYTHONPATH=str(TESTS)) as process:
            while not any(re.search(at, sql) for sql in emulator.statements()[known:]):
                assert process.poll() is None, process.communicate()
                time.sleep(0.05)
            printed = end(process, sent)
            return process.returncode, printed


@pytest.mark.parametrize(("sent", "threads"), [(signal.SIGINT, 1), (signal.SIGTERM, 3)])
def test_an_interrupt_cancels_what_runs_and_publishes_nothing(
    sent: signal.Signals,
    threads: int,
    emulated: Account,
    schema: str,
    before: dict[str, list[Row]],
    tmp_path: Path,
) -> None:
    with emulated.recorded() as statements, emulated.recorded("abort") as aborts:
        code, printed = interrupted(
            emulated, schema, BUILDING_MODEL_SALES, sent, tmp_path, "--threads", str(threads)
        )
    assert code == INTERRUPTED, printed
    assert "Traceback" not in printed
    assert f"interrupted: {NOTHING}" in printed
    assert emulated.contents(schema) == before
    assert results(tmp_path)["status"] == "interrupted"
    running = {
        each["session"] for each in statements if re.search(BUILDING_MODEL_SALES, each["sql"])
    }
    assert running <= {each["session"] for each in aborts}


def test_an_interrupt_while_publishing_says_what_is_new(
    emulated: Account, changing: str, before: dict[str, list[Row]], tmp_path: Path
) -> None:
    code, printed = interrupted(emulated, changing, PUBLISHING_MODEL_SALES, signal.SIGINT, tmp_path)
    assert code == FAILED, printed
    assert "Traceback" not in printed
    assert "  new: int_paid_orders, customer_totals\n" in printed
    now = emulated.contents(changing)
    assert now.keys() == before.keys()
    changed = {name.lower() for name in now if now[name] != before[name]}
    assert changed == {"int_paid_orders", "customer_totals"}
