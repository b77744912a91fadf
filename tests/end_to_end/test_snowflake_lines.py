"""A dead line, or interrupts, in any phase of a run: it ends soon, and its report is true."""

from __future__ import annotations

import json
import os
import re
import signal
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from backends import snowflake_candidate_schema, snowflake_connection, snowflake_session
from support.account import Account
from support.processes import GUARD
from support.workshop import CUSTOMERS, ORDERS, SHOP, Workshop

DONE, FAILED = 0, 1
INTERRUPTED, INTERRUPTED_RUN = (130, "none"), (130, "interrupted")
TESTS = Path(__file__).parent.parent
OLD, NEW = "2025-06-30", "2025-07-31"
BUILDING = r"^CREATE OR REPLACE TRANSIENT TABLE \S*MODEL_SALES__CANDIDATE"
CHECKING = r"^SELECT[\s\S]* FROM \S*MODEL_SALES__CANDIDATE"
REFUSED = {"errno": 3001, "sqlstate": "42501", "message": "Insufficient privileges"}


@pytest.fixture(scope="module")
def sources(emulated: Account, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Load the bicycle shop."""
    shop = Workshop(tmp_path_factory.mktemp("shop"), SHOP)
    shop.write(customers=CUSTOMERS, orders=ORDERS)
    words = (*emulated.load_words("LINES_SHOP"), "--data", shop.data)
    assert emulated.call(*words, cwd=shop.folder).returncode == DONE


@pytest.fixture
def impatient(emulated: Account, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Wait for seconds where production waits for a minute; leave no line dead."""
    wait_for_a_request(monkeypatch, 3)
    monkeypatch.setattr(snowflake_connection, "LOGIN_SECONDS", 1)
    monkeypatch.setattr(snowflake_connection, "ATTEMPT_SECONDS", 1)
    monkeypatch.setattr(snowflake_session, "CANCEL_SECONDS", 1)
    monkeypatch.setattr(snowflake_candidate_schema, "CLEANING_SECONDS", 1)
    yield
    assert emulated.emulator
    emulated.emulator.control()


def wait_for_a_request(monkeypatch: pytest.MonkeyPatch, seconds: int) -> None:
    """Wait so long for the answer to a request, and for as long send it again."""
    timeouts = {"network_timeout": seconds, "socket_timeout": seconds}
    monkeypatch.setattr(snowflake_connection, "TIMEOUTS", timeouts)


def run(account: Account, schema: str, as_of: str, folder: Path) -> tuple[int, str, str]:
    """Run the bicycle shop's marts; return the exit code, what it printed and its status."""
    location = account.run_words(schema=schema, sources="LINES_SHOP")
    words = ("run", "--package", "toy_shop", "--as-of", as_of, *location)
    done = account.call(*words, cwd=folder)
    return done.returncode, done.stdout + done.stderr, status_in(folder)


def status_in(folder: Path) -> str:
    """Return the status in a folder's report; none if it has no report."""
    file = folder / "target/run_results.json"
    return str(json.loads(file.read_text("utf-8"))["status"]) if file.exists() else "none"


@pytest.fixture(scope="module")
def unchanged(
    emulated: Account,
    sources: None,  # noqa: ARG001
    tmp_path_factory: pytest.TempPathFactory,
) -> str:
    """Return a schema with the marts of an earlier date, in which nothing more is published."""
    assert run(emulated, "LINES", OLD, tmp_path_factory.mktemp("unchanged"))[0] == DONE
    return "LINES"


DEAD_PHASES: dict[str, tuple[dict[str, Any], str]] = {
    # what dies, and the status of the run
    "at login": ({"dead": {"pattern": "^nothing", "logins": True}}, "none"),
    "reading the catalog": ({"dead": {"pattern": "INFORMATION_SCHEMA"}}, "none"),
    "building": ({"dead": {"pattern": BUILDING}}, "error"),
    "checking": ({"dead": {"pattern": CHECKING}}, "error"),
    "writing": ({"dead": {"pattern": "^INSERT OVERWRITE"}}, "error"),
    "before the commit": ({"dead": {"pattern": "^COMMIT"}}, "error"),
    "cleaning up": (
        {"fail": {"pattern": CHECKING, **REFUSED}, "dead": {"pattern": "^DROP"}},
        "error",
    ),
}


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("phase", DEAD_PHASES)
def test_a_line_that_dies_ends_the_run(
    phase: str, emulated: Account, unchanged: str, tmp_path: Path
) -> None:
    told, status = DEAD_PHASES[phase]
    with alive_again(emulated, **told):
        code, printed, found = run(emulated, unchanged, NEW, tmp_path)
    assert (code, found) == (FAILED, status), printed
    assert "Traceback" not in printed
    assert overview_of(emulated, unchanged) == OLD


@pytest.mark.usefixtures("sources", "impatient")
@pytest.mark.parametrize(
    ("runs", "logins", "expected"),
    [(True, False, (DONE, "published")), (True, True, (FAILED, "unknown"))],
    ids=["then it lives", "for good"],
)
def test_a_commit_whose_answer_is_lost(
    runs: bool,
    logins: bool,
    expected: tuple[int, str],
    emulated: Account,
    own_schema: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wait_for_a_request(monkeypatch, 10)
    dead = {"pattern": "^COMMIT", "runs": runs}
    with alive_again(emulated, dead=dead):
        if logins:
            threading.Thread(target=kill_logins, args=[emulated, dead], daemon=True).start()
        code, printed, status = run(emulated, own_schema, NEW, tmp_path)
    assert (code, status) == expected, printed
    assert overview_of(emulated, own_schema) == NEW


@contextmanager
def alive_again(account: Account, **told: Any) -> Iterator[None]:
    """Let lines die; should a run wait for ever, they live again, and it ends otherwise."""
    assert account.emulator
    account.emulator.control(**told, detached=0.2)
    alive = threading.Timer(GUARD, account.emulator.control)
    alive.start()
    try:
        yield
    finally:
        alive.cancel()
        account.emulator.control()


def kill_logins(account: Account, dead: dict[str, Any]) -> None:
    """Let nobody log in once a commit has arrived."""
    assert account.emulator
    known = len(account.emulator.statements())
    while not any(sql.startswith("COMMIT") for sql in account.emulator.statements()[known:]):
        time.sleep(0.02)
    account.emulator.control(dead=dead | {"logins": True})


def overview_of(account: Account, schema: str) -> str:
    """Return the day for which the last mart was calculated."""
    table = account.location(schema, "SHOP_OVERVIEW")
    ((day,),) = account.rows(f"SELECT CALCULATED_ON FROM {table}")
    return str(day)


@pytest.mark.usefixtures("sources", "impatient")
def test_a_statement_that_takes_long_is_not_cut(
    emulated: Account, own_schema: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes longer than any request may, and Snowflake says meanwhile that it goes on."""
    wait_for_a_request(monkeypatch, 10)
    assert emulated.emulator
    emulated.emulator.control(stall={"pattern": BUILDING}, in_progress_after=1)
    threading.Timer(16, emulated.emulator.control).start()
    code, printed, status = run(emulated, own_schema, NEW, tmp_path)
    assert (code, status) == (DONE, "published"), printed


@dataclass(frozen=True)
class Moment:
    """Where a run is held, what it is sent there, how it must end, and what is published then."""

    told: Mapping[str, Any]
    sent: tuple[signal.Signals, ...]
    ends: tuple[int, str]
    published: str = OLD


INT, TERM = signal.SIGINT, signal.SIGTERM
MOMENTS = {
    "at login": Moment({"dead": {"pattern": "^", "logins": True}}, (INT,) * 2, INTERRUPTED),
    "planning": Moment({"stall": {"pattern": "INFORMATION_SCHEMA"}}, (INT,) * 4, INTERRUPTED),
    "building": Moment({"stall": {"pattern": BUILDING}}, (INT,), INTERRUPTED_RUN),
    "building, terminated": Moment({"stall": {"pattern": BUILDING}}, (TERM,), INTERRUPTED_RUN),
    "building, twice": Moment({"dead": {"pattern": BUILDING}}, (INT, TERM), INTERRUPTED_RUN),
    "checking, four times": Moment({"dead": {"pattern": CHECKING}}, (INT,) * 4, INTERRUPTED_RUN),
    "publishing": Moment({"stall": {"pattern": "^INSERT OVERWRITE"}}, (INT,) * 4, INTERRUPTED_RUN),
    "committing": Moment(
        {"stall": {"pattern": "^COMMIT", "after": True}}, (INT,) * 4, (0, "published"), NEW
    ),
    "cleaning up": Moment(
        {"fail": {"pattern": CHECKING, **REFUSED}, "stall": {"pattern": "^DROP"}},
        (INT, INT, TERM, INT),
        (FAILED, "error"),
    ),
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_interrupts_end_a_run_truly(
    moment: str, emulated: Account, own_schema: str, unchanged: str, tmp_path: Path
) -> None:
    case = MOMENTS[moment]
    schema = unchanged if case.published == OLD else own_schema
    location = emulated.run_words(schema=schema, sources="LINES_SHOP")
    words = ("run", "--package", "toy_shop", "--as-of", NEW, *location)
    kind = next(kind for kind in ("dead", "stall") if kind in case.told)
    with (
        alive_again(emulated, **case.told),
        emulated.started(*words, cwd=tmp_path, PYTHONPATH=str(TESTS)) as process,
    ):
        assert emulated.emulator
        arrives(
            emulated, "login" if moment == "at login" else "statement", case.told[kind]["pattern"]
        )
        for number in case.sent:
            os.killpg(process.pid, number)
            time.sleep(0.3)
        if moment == "committing":
            emulated.emulator.control()
        printed = process.communicate(timeout=GUARD)[0]
    code, status = case.ends
    assert process.returncode == code, printed
    assert "Traceback" not in printed
    assert status_in(tmp_path) == status, printed
    words_of = {"none": "interrupted", "interrupted": "interrupted: nothing was published"}
    assert words_of.get(status, status) in printed
    assert overview_of(emulated, schema) == case.published


def arrives(account: Account, kind: str, pattern: str) -> None:
    """Wait until something arrives from now on."""
    assert account.emulator
    deadline = time.monotonic() + GUARD
    known = len(account.emulator.events(kind))
    while not any(
        re.search(pattern, each.get("sql", "")) for each in account.emulator.events(kind)[known:]
    ):
        assert time.monotonic() < deadline
        time.sleep(0.05)
