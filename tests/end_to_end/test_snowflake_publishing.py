"""All or nothing on Snowflake: toy marts, whose shape changes, or whose publication fails."""

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

DONE, FAILED, ASKED_WRONGLY, INTERRUPTED = 0, 1, 2, 130
TESTS = Path(__file__).parent.parent
MARTS = ["int_paid_orders", "customer_totals", "model_sales", "shop_overview"]
STATE = "MARTS_STATE"
OLD, NEW = "2025-06-30", "2025-07-31"
pytestmark = pytest.mark.usefixtures("sources")
NOTHING = "nothing was published; what was published before is unchanged"
REFUSED = {"errno": 3001, "sqlstate": "42501", "message": "Insufficient privileges"}
PUBLISHING_OVERVIEW = r"^INSERT OVERWRITE INTO \S*SHOP_OVERVIEW. "
RECORDING = "^MERGE "
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
        f"SELECT NAME, AS_OF FROM {account.location(schema, STATE)} WHERE KIND IN ('table', 'view')"
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


@pytest.mark.parametrize("at", [PUBLISHING_OVERVIEW, RECORDING, "^COMMIT"])
def test_publishing_that_fails_publishes_nothing_and_a_rerun_heals(
    at: str, emulated: Account, changing: str, before: dict[str, list[Row]], tmp_path: Path
) -> None:
    with emulated.told(fail={"pattern": at, **REFUSED}), emulated.recorded() as sent:
        broken = emulated.call(*words(emulated, changing), cwd=tmp_path)
    assert broken.returncode == FAILED
    assert_nothing_published(emulated, changing, before, broken)
    assert dates(emulated, changing) == dict.fromkeys(MARTS, OLD)
    assert "ROLLBACK" in [each["sql"] for each in sent]
    assert results(tmp_path)["status"] == "error"
    healed = emulated.call(*words(emulated, changing), cwd=tmp_path)
    assert healed.returncode == DONE, healed.stderr
    assert dates(emulated, changing) == dict.fromkeys(MARTS, NEW)
    assert overview_of(emulated, changing) == NEW


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
    candidates = f"{schema}_CANDIDATES"
    for name in (old, young, *strangers):
        account.rows(f"CREATE TABLE {account.location(candidates, name)} AS SELECT 1 AS A")
    account.rows(f"CREATE VIEW {account.location(candidates, view)} AS SELECT 1 AS A")
    for name in (old, young, view, *strangers[1:]):
        account.rows(
            f"INSERT INTO {state} (PACKAGE, NAME, KIND, RUN_ID)"
            f" SELECT '', '{name.lower()}', 'candidate', 'R'"
        )
    done = account.call(*words(account, schema, as_of=OLD), "--force", cwd=tmp_path)
    assert done.returncode == DONE, done.stderr
    assert account.tables(schema) == usual
    assert account.tables(candidates) == sorted([young, *strangers])
    left = account.rows(f"SELECT NAME FROM {state} WHERE KIND = 'candidate' ORDER BY NAME")
    assert left == [(name.lower(),) for name in (young, *sorted(strangers[1:]))]
    account.rows(f"DELETE FROM {state} WHERE KIND = 'candidate'")
    for name in (young, *strangers):
        account.rows(f"DROP TABLE {account.location(candidates, name)}")


KINDS = '''"""A mart as a {kind}."""

from marts import int64, mart, source, string

customers = source("customers", doc="C.", grain="customer_id", columns=[string("customer_id")])


@mart(grain="n", materialized="{kind}", columns=[int64("n")])
def changing(customers):
    """How many customers there are; it's a {kind}."""
    return customers.aggregate(n=customers.count())
'''


def test_a_mart_changes_from_view_to_table_and_back_on_request(
    account: Account, tmp_path: Path
) -> None:
    location = account.run_words(schema="KINDS", sources="SHOP")
    (tmp_path / "kinds").mkdir()
    (tmp_path / "kinds/__init__.py").touch()
    command = ("run", "--package", "kinds", *location)
    for before, kind in ((None, "view"), ("view", "table"), ("table", "view")):
        (tmp_path / "kinds/changing.py").write_text(KINDS.format(kind=kind), "utf-8")
        if before:
            refused = account.call(*command, cwd=tmp_path)
            assert refused.returncode == ASKED_WRONGLY
            assert f"changing: the {before} becomes a {kind}\n" in refused.stderr
        done = account.call(*command, "--reshape", "changing", cwd=tmp_path)
        assert done.returncode == DONE, done.stderr
        columns = ("TABLE_NAME", "TABLE_TYPE", "COMMENT", "RETENTION_TIME")
        found = account.catalog("tables", "KINDS", *columns)
        *described, retention = found[0]
        assert described == [
            "CHANGING",
            "VIEW" if kind == "view" else "BASE TABLE",
            f"How many customers there are; it's a {kind}.",
        ]
        assert kind == "view" or retention == 1
        assert account.contents("KINDS")["CHANGING"] == [(4,)]
    assert account.tables("KINDS") == ["CHANGING", STATE]


SHAPES = '''"""A mart of some shape."""

from marts import decimal, float64, int64, mart, source, string

customers = source("customers", doc="C.", grain="customer_id", columns=[string("customer_id")])


@mart(grain="customer_id", columns=[{columns}])
def shaped(customers):
    """Customers."""
    return customers.mutate(
        n=customers.count(), price=customers.count().cast("{price}"), new=customers.count()
    )
'''
ID, N, NEW_ONE = 'string("customer_id")', 'int64("n")', 'int64("new")'


def test_columns_may_come_widen_and_move_but_go_only_on_request(
    account: Account, tmp_path: Path
) -> None:
    location = account.run_words(schema="SHAPES", sources="SHOP")
    (tmp_path / "shapes").mkdir()
    (tmp_path / "shapes/__init__.py").touch()
    shaped = account.location("SHAPES", "SHAPED")

    def run(*columns: str, more: tuple[str, ...] = ()) -> Result:
        price = "float64" if 'float64("price")' in columns else "decimal(18, 2)"
        text = SHAPES.format(columns=", ".join(columns), price=price)
        (tmp_path / "shapes/shaped.py").write_text(text, "utf-8")
        command = ("run", "--package", "shapes", *location, *more)
        return account.call(*command, cwd=tmp_path)

    def columns() -> list[Row]:
        there = account.catalog("columns", "SHAPES", "TABLE_NAME", "COLUMN_NAME", "DATA_TYPE")
        return [(name, kind) for table, name, kind in there if table == "SHAPED"]

    assert run(ID, 'decimal("price", 8, 2)').returncode == DONE
    account.rows(f"ALTER TABLE {shaped} ALTER COLUMN CUSTOMER_ID SET NOT NULL")
    created = account.rows(f"SELECT 1 FROM {shaped}")
    done = run(NEW_ONE, 'decimal("price", 18, 2)', ID)
    assert done.returncode == DONE, done.stderr
    assert "alter shaped: column new is added" in done.stdout
    assert "alter shaped: column price becomes NUMBER(18, 2)" in done.stdout
    assert [name for name, _ in columns()] == ["CUSTOMER_ID", "PRICE", "NEW"]
    assert sorted(account.rows(f"SELECT NEW, PRICE FROM {shaped}")) == [(4, 4)] * len(created)
    for wrong, words in (
        ((NEW_ONE, ID), "shaped: column price is dropped"),
        ((NEW_ONE, ID, 'float64("price")'), "shaped: column price changes from NUMBER(18, 2) to "),
    ):
        refused = run(*wrong)
        assert refused.returncode == ASKED_WRONGLY
        assert words in refused.stderr
        assert "--reshape shaped" in refused.stderr
        kept = run(NEW_ONE, 'decimal("price", 18, 2)', ID)
        assert "nothing to do" in kept.stdout
        reshaped = run(*wrong, more=("--reshape", "shaped"))
        assert reshaped.returncode == DONE, reshaped.stderr
        assert words in reshaped.stdout
        assert "nothing to do" in run(*wrong).stdout
        again = run(NEW_ONE, 'decimal("price", 18, 2)', ID, more=("--reshape", "shaped"))
        assert again.returncode == DONE, again.stderr


def test_a_mart_whose_rows_are_the_same_is_left_alone(
    emulated: Account, changing: str, before: dict[str, list[Row]], tmp_path: Path
) -> None:
    with emulated.recorded() as sent:
        again = emulated.call(*words(emulated, changing, as_of=OLD), "--force", cwd=tmp_path)
        emulated.rows(f"UPDATE {emulated.location(changing, 'model_sales')} SET REVENUE = 0")
        mended = emulated.call(*words(emulated, changing, as_of=OLD), "--force", cwd=tmp_path)
    assert (again.returncode, mended.returncode) == (DONE, DONE), mended.stderr
    assert re.findall(r'INSERT OVERWRITE INTO \S+"(\w+)" ', str(sent)) == ["MODEL_SALES"]
    assert emulated.contents(changing) | {STATE: []} == before | {STATE: []}


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


@pytest.mark.parametrize("at", [PUBLISHING_OVERVIEW, RECORDING])
def test_an_interrupt_while_publishing_publishes_nothing(
    at: str, emulated: Account, schema: str, before: dict[str, list[Row]], tmp_path: Path
) -> None:
    code, printed = interrupted(emulated, schema, at, signal.SIGINT, tmp_path)
    assert code == INTERRUPTED, printed
    assert "Traceback" not in printed
    assert f"interrupted: {NOTHING}" in printed
    assert emulated.contents(schema) == before
