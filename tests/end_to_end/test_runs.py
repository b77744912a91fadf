"""The table of runs: a row for every run, however it ends, on DuckDB and on Snowflake."""

from __future__ import annotations

import datetime
import json
import os
import pwd
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import pytest

from backends.snowflake import SnowflakeBackend
from backends.snowflake_connection import SnowflakeOptions
from backends.snowflake_runs import described
from marts.core.errors import EngineError, UnknownPublicationError
from marts.core.operations.wiring import version_of_marts
from marts.core.plan.runs import RUNS_COLUMNS, results_of_text
from support.account import Account
from support.paths import TESTS
from support.processes import GUARD, Result, call_marts, marts_environment
from support.workshop import CUSTOMERS, ORDERS, SHOP, Workshop, order

DONE, FAILED, USAGE_ERROR, INTERRUPTED, KILLED = 0, 1, 2, 130, -9
REFUSED = {"errno": 3001, "sqlstate": "42501", "message": "Insufficient privileges"}
GOOD, BAD = "SHOP_OF_RUNS", "BAD_SHOP_OF_RUNS"

SIGNALLED = """
import os, signal, sys
sys.argv[0] = "marts"
import cli
from marts.core.run import recording, runner

def signalled(function):
    def send(*words, **more):
        os.kill(os.getpid(), signal.{signal})
        return function(*words, **more)
    return send

{where}
cli.main()
"""
"""A program that sends itself a signal whenever a run calls one of some functions."""
BUILDING, PUBLISHING = "runner.build", "runner._Execution._publication"
ENDING = "recording.Recorder.ended"


@dataclass(frozen=True)
class Place:
    """Where the bicycle shop is built: an engine, and a schema of the test's own."""

    words: Callable[[str], list[object]]
    call: Callable[..., Result]
    environment: Mapping[str, str]
    query: Callable[[str], list[tuple[Any, ...]]]
    change: Callable[[str], object]
    schema: str
    published: list[object]
    """The options that say where the marts are."""

    def status(self) -> dict[str, Any]:
        """Return what `marts status` says."""
        words = ("status", "--package", "toy_shop", "--json", *self.published)
        done = self.call(*words)
        assert (done.returncode, done.stderr) == (DONE, "")
        return json.loads(done.stdout)  # type: ignore[no-any-return]

    def run(self, *words: str, data: str = GOOD) -> Result:
        """Run the marts in this process."""
        return self.call(*self._all(words, data))

    def signalled(self, signal: str, *where: str) -> subprocess.CompletedProcess[str]:
        """Run the marts in a process that sends itself a signal somewhere."""
        patches = "\n".join(f"{function} = signalled({function})" for function in where)
        program = SIGNALLED.format(signal=signal, where=patches)
        return subprocess.run(
            [sys.executable, "-c", program, *map(str, self._all((), GOOD))],
            env=marts_environment(**self.environment, PYTHONPATH=str(TESTS)),
            capture_output=True,
            text=True,
            check=False,
            timeout=GUARD,
        )

    def killed(self, where: str) -> int:
        """Run the marts in a process that is killed somewhere; return its exit code."""
        return self.signalled("SIGKILL", where).returncode

    def _all(self, words: tuple[str, ...], data: str) -> list[object]:
        run = ("run", "--package", "toy_shop", "--as-of", "2025-06-30")
        return [*run, *words, *self.words(data)]

    def runs(self) -> list[dict[str, Any]]:
        """Return the rows of the table of runs, in order."""
        names = ", ".join(RUNS_COLUMNS)
        rows = self.query(f"SELECT {names} FROM {self.schema}.marts_runs ORDER BY started_at")
        return [dict(zip(RUNS_COLUMNS, row, strict=True)) for row in rows]

    def marts(self) -> set[str]:
        """Return the marts that readers see."""
        tables = self.query(
            "SELECT table_name FROM information_schema.tables"
            f" WHERE table_schema = '{self.schema.rpartition('.')[2]}'"
        )
        return {name.lower() for (name,) in tables} & set(SHOP.project.marts)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return the bicycle shop's data as it is, and with an order that no check lets pass."""
    bad = (*ORDERS, order("bad", "c1", "-5000.00"))
    folders = {}
    for name, orders in {GOOD: ORDERS, BAD: bad}.items():
        shop = Workshop(tmp_path_factory.mktemp(name), SHOP)
        shop.write(customers=CUSTOMERS, orders=orders)
        folders[name] = shop.data
    return folders


@pytest.fixture(scope="module")
def loaded(emulated: Account, data: Mapping[str, Path]) -> Account:
    """Return the account, with that data in it."""
    for name, folder in data.items():
        words = (*emulated.load_words(name), "--data", folder)
        assert emulated.call(*words, cwd=folder).returncode == DONE
    return emulated


@pytest.fixture
def on_duckdb(data: Mapping[str, Path], tmp_path: Path) -> Place:
    """Return a place on DuckDB."""
    database = tmp_path / "marts.duckdb"

    def query(sql: str) -> list[tuple[Any, ...]]:
        with duckdb.connect(str(database), read_only=True) as reader:
            return reader.execute(sql).fetchall()

    def change(sql: str) -> None:
        with duckdb.connect(str(database)) as writer:
            writer.execute(sql)

    return Place(
        lambda name: ["--data", data[name], "--database", database],
        partial(call_marts, cwd=tmp_path),
        {},
        query,
        change,
        "gold",
        ["--database", database],
    )


@pytest.fixture
def on_snowflake(loaded: Account, own_schema: str, tmp_path: Path) -> Place:
    """Return a place on Snowflake."""
    assert loaded.emulator
    return Place(
        lambda name: [*loaded.run_words(schema=own_schema, sources=name)],
        partial(loaded.call, cwd=tmp_path),
        loaded.emulator.environment,
        loaded.rows,
        loaded.rows,
        f"{loaded.database}.{loaded.schema(own_schema)}",
        ["--backend", "snowflake", *loaded.words(schema=own_schema)],
    )


@pytest.fixture(
    params=["on_duckdb", pytest.param("on_snowflake", marks=pytest.mark.emulator)],
)
def place(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Place:
    """Return a place where nothing is published yet."""
    found: Place = request.getfixturevalue(request.param)
    monkeypatch.chdir(request.getfixturevalue("tmp_path"))
    return found


def raising(error: BaseException) -> Callable[..., None]:
    """Return a function that raises an error."""

    def fail(*_words: object, **_more: object) -> None:
        raise error

    return fail


@dataclass(frozen=True)
class Way:
    """A way for a run to end: what is run, what is broken, and how the row then looks.

    `broken` functions of the runner raise an error; `killed` is one that never returns.
    """

    code: int
    row: Mapping[str, object]
    words: tuple[str, ...] = ()
    data: str = GOOD
    broken: Mapping[str, BaseException] = field(default_factory=dict)
    killed: str | None = None
    after_another: bool = False
    says: str = ""


NOTHING = {"marts_built": 0, "marts_published": 0, "rows_built": 0}
NO_CHECK = dict.fromkeys([name for name in RUNS_COLUMNS if name.startswith("checks_")], 0)
UNKNOWN = dict.fromkeys([*NO_CHECK, *NOTHING, "marts_unchanged", "query_ids", "results"])
NOT_ENDED = UNKNOWN | {"ended_at": None, "seconds": None, "error": None}
ALL_CHECKS = {"checks_warned": 0, "checks_acknowledged": 0, "checks_failed": 0}
REFUSAL = "model_sales reads int_paid_orders, which is not selected and is not published"
WAYS = {
    "published": Way(
        DONE,
        # Of rows, 3 + 3 + 2 + 1.
        {"marts_built": 4, "marts_published": 4, "marts_unchanged": 0, "rows_built": 9}
        | {"error": None, "selection": "", **ALL_CHECKS},
    ),
    "a selection": Way(
        DONE,
        {"status": "published", "marts_built": 2, "marts_published": 2}
        | {"selection": "+model_sales model_* --exclude customer_totals"},
        words=("+model_sales", "-s", "model_*", "--exclude", "customer_totals"),
    ),
    "unchanged": Way(
        DONE,
        NOTHING | NO_CHECK | {"marts_unchanged": 4, "error": None, "results": None},
        after_another=True,
    ),
    "failed": Way(
        FAILED,
        NOTHING
        | {"checks_failed": 1, "error": "checks that did not hold: orders.amount_at_least_0"},
        data=BAD,
    ),
    "error": Way(
        FAILED,
        NOTHING | {"error": "the disk is gone"},
        broken={BUILDING: EngineError("the disk\nis gone", "row 17: Jane Doe")},
    ),
    "interrupted": Way(
        INTERRUPTED, NOTHING | {"error": None}, broken={BUILDING: KeyboardInterrupt()}
    ),
    "a bug": Way(
        FAILED,
        UNKNOWN | {"status": "error", "error": "ZeroDivisionError"},
        broken={BUILDING: ZeroDivisionError("Jane Doe")},
    ),
    "refused": Way(
        USAGE_ERROR,
        UNKNOWN | {"error": REFUSAL},
        words=("model_sales",),
    ),
    "unknown": Way(
        FAILED,
        {"marts_built": 4, "marts_published": None}
        | {"error": "whether this run was published is not known"},
        broken={PUBLISHING: UnknownPublicationError(EngineError("the line is dead"))},
        says="stop  whether this run was published is not known: run again\n",
    ),
    "running": Way(KILLED, NOT_ENDED | {"publishing_since": None}, killed=BUILDING),
    "publishing": Way(KILLED, NOT_ENDED, killed=PUBLISHING),
}


@pytest.mark.parametrize("way", WAYS)
def test_every_run_leaves_a_row(
    way: str, place: Place, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    wanted = WAYS[way]
    if wanted.after_another:
        assert place.run().returncode == DONE
    for where, error in wanted.broken.items():
        monkeypatch.setattr(f"marts.core.run.{where}", raising(error))
    began = now()
    if wanted.killed:
        code = place.killed(wanted.killed)
    elif way == "a bug":
        with pytest.raises(ZeroDivisionError):
            place.run()
        code = FAILED
    else:
        done = place.run(*wanted.words, data=wanted.data)
        assert wanted.says in done.stdout
        assert "was not written" not in done.stderr
        code = done.returncode
    assert code == wanted.code
    row = place.runs()[-1]
    assert len(place.runs()) == 1 + wanted.after_another
    assert {"status": way, **wanted.row}.items() <= row.items()
    assert_consistent(row, began)
    is_snowflake = request.node.callspec.params["place"] == "on_snowflake"
    assert_signed(row, is_snowflake=is_snowflake)
    assert bool(place.marts()) == (
        wanted.row.get("marts_published") in (2, 4) or way == "unchanged"
    )
    shown, *_ = place.status()["runs"]
    assert {name: shown[name] for name in row.keys() & shown.keys()} == {
        name: as_json(row[name]) for name in row.keys() & shown.keys()
    }
    failed = [f"{each['table']}.{each['check']}" for each in shown["findings"]]
    assert failed == (["orders.amount_at_least_0"] if way == "failed" else [])
    # Only DuckDB's file says that nobody writes it any more.
    assert shown["is_over"] is (None if wanted.killed and is_snowflake else True)


def as_json(value: object) -> object:
    """Return a value of a row as a document has it: moments in UTC."""
    if isinstance(value, datetime.datetime):
        return value.replace(tzinfo=datetime.UTC).isoformat()
    return str(value) if isinstance(value, datetime.date) else value


def now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC).replace(tzinfo=None)


def assert_consistent(row: Mapping[str, Any], began: datetime.datetime) -> None:
    """Times are in order, and checks add up."""
    times = [began, row["started_at"], row["publishing_since"], row["ended_at"], now()]
    known = [time for time in times if time]
    assert known == sorted(known), times
    if row["ended_at"]:
        assert row["seconds"] == pytest.approx(
            (row["ended_at"] - row["started_at"]).total_seconds(), abs=0.001
        )
    made = [row[name] or 0 for name in NO_CHECK]
    assert made[0] == sum(made[1:])


def assert_signed(row: Mapping[str, Any], *, is_snowflake: bool) -> None:
    """The row says who ran what, where."""
    assert row["package"] == "toy_shop"
    assert row["as_of"] == datetime.date(2025, 6, 30)
    assert row["marts_version"] == version_of_marts()
    assert row["host_name"] == os.uname().nodename
    assert row["backend"] == ("snowflake" if is_snowflake else "duckdb")
    assert row["role_name"] == ("MARTS_ROLE" if is_snowflake else None)
    assert bool(row["sources_at"]) == is_snowflake
    assert row["user_name"] == ("MARTS" if is_snowflake else pwd.getpwuid(os.getuid()).pw_name)
    has_ids = is_snowflake and row["marts_built"] is not None
    assert bool(json.loads(row["query_ids"] or "[]")) == has_ids


def test_a_run_says_what_it_found_of_each_table(place: Place) -> None:
    """Also of the checks that were not made: they had held on the same rows."""
    assert [place.run().returncode, place.run("--force").returncode] == [DONE, DONE]
    assert place.run(data=BAD).returncode == FAILED
    first, again, failed = (results_of_text(row["results"]) for row in place.runs())
    assert {*first} >= {"orders", "customers", "customer_totals", "shop_overview"}
    totals, orders = first["customer_totals"], first["orders"]
    assert (totals.rows, totals.checks["has_stars"]) == (3, ("pass", 3))
    assert totals.seconds
    assert (orders.seconds, orders.checks["order_id_unique"]) == (None, ("pass", 0))
    assert again["orders"].checks == dict.fromkeys(orders.checks, ("held", None))
    assert again["customer_totals"].checks == totals.checks
    assert failed["orders"].checks["amount_at_least_0"] == ("fail", 1)
    assert "customer_totals" not in failed


@pytest.mark.parametrize("where", [(BUILDING,), (BUILDING, ENDING), (PUBLISHING, ENDING)])
def test_an_interrupt_is_recorded_also_if_another_follows(
    where: tuple[str, ...], place: Place
) -> None:
    done = place.signalled("SIGINT", *where)
    assert done.returncode == INTERRUPTED, done.stderr
    assert "stop  interrupted: nothing was published" in done.stdout
    (row,) = place.runs()
    assert (row["status"], row["marts_published"]) == ("interrupted", 0)
    assert bool(row["publishing_since"]) == (PUBLISHING in where)
    assert row["ended_at"]
    assert not place.marts()


def test_a_run_after_a_killed_one_works(place: Place) -> None:
    assert place.killed(PUBLISHING) == KILLED
    assert place.run().returncode == DONE
    assert [row["status"] for row in place.runs()] == ["publishing", "published"]
    assert place.marts() == set(SHOP.project.marts)
    shown = place.status()
    assert [run["shown"] for run in shown["runs"]] == [sorted(place.marts()), []]
    assert {mart["run_id"] for mart in shown["published"]} == {shown["runs"][0]["run_id"]}


def test_a_run_that_was_killed_after_its_commit_has_published(place: Place) -> None:
    assert place.killed(ENDING) == KILLED
    shown = place.status()
    (run,), published = shown["runs"], [mart["mart"] for mart in shown["published"]]
    assert (run["status"], run["shown"], published) == ("publishing", *[sorted(place.marts())] * 2)
    assert len(published) == 4


def test_only_a_run_writes_a_row(place: Place) -> None:
    assert place.run().returncode == DONE
    words = place.words(GOOD)
    for command in (
        ["run", "--dry-run", "--force"],
        ["test"],
        ["show", "shop_overview"],
    ):
        done = place.call(*command, "--package", "toy_shop", *words)
        assert done.returncode == DONE, done.stderr
    assert len(place.runs()) == 1


def test_a_table_of_an_earlier_version_gets_the_columns_that_it_lacks(place: Place) -> None:
    create_runs(place, "run_id VARCHAR, package VARCHAR, status VARCHAR, note VARCHAR")
    row = "'20250101T020304-R1', 'toy_shop', 'done', 'kept'"
    place.change(f"INSERT INTO {place.schema}.marts_runs VALUES ({row})")
    assert place.run().returncode == DONE
    later, earlier = place.runs()
    assert (earlier["status"], later["status"], later["marts_published"]) == (
        *("done", "published", 4),
    )
    *_, shown = place.status()["runs"]
    assert (shown["status"], shown["started_at"]) == ("done", "2025-01-01T02:03:04+00:00")
    assert place.query(f"SELECT note FROM {place.schema}.marts_runs ORDER BY 1")[0] == ("kept",)


def create_runs(place: Place, columns: str) -> None:
    """Create a schema with a table of the name, before marts does."""
    place.change(f"CREATE SCHEMA IF NOT EXISTS {place.schema}")
    place.change(f"CREATE TABLE {place.schema}.marts_runs ({columns})")


def test_a_row_that_cannot_be_written_is_a_warning(place: Place) -> None:
    create_runs(place, "mine VARCHAR")
    first = "warning: the row of this run in marts_runs was not written: the table marts_runs was"
    published, failed = place.run(), place.run("--force", data=BAD)
    assert (published.returncode, failed.returncode) == (DONE, FAILED)
    assert "done  published 4 marts" in published.stdout
    for done in (published, failed):
        assert done.stderr.startswith(f"{first} not made by marts: it has no column run_id\nhint: ")
        assert done.stderr.count("warning") == 1
    assert place.marts() == set(SHOP.project.marts)
    assert place.query(f"SELECT * FROM {place.schema}.marts_runs") == []


def test_the_account_may_refuse_the_row(on_snowflake: Place, loaded: Account) -> None:
    for pattern in ("^CREATE TABLE .*MARTS_RUNS", "^INSERT INTO .*MARTS_RUNS", "^UPDATE .*_RUNS"):
        with loaded.told(fail={"pattern": pattern, **REFUSED}):
            done = on_snowflake.run("--force")
        assert done.returncode == DONE, done.stderr
        assert "marts_runs was not written: the role lacks a privilege" in done.stderr
    # The last of these was begun, and could not say how it ended.
    assert [row["status"] for row in on_snowflake.runs()] == ["running"]
    with loaded.told(fail={"pattern": "^(CREATE|INSERT|UPDATE|DELETE|DROP|BEGIN)", **REFUSED}):
        (run,) = on_snowflake.status()["runs"]
    assert (run["status"], len(run["shown"]), run["is_over"]) == ("running", 4, None)


def backend(account: Account, schema: str, patch: pytest.MonkeyPatch) -> SnowflakeBackend:
    """Open the engine that publishes into a schema."""
    assert account.emulator
    file = account.emulator.folder / "connections.toml"
    patch.setenv("SNOWFLAKE_CONNECTIONS", file.read_text("utf-8"))
    for name, value in account.emulator.environment.items():
        patch.setenv(name, value)
    name = schema.rpartition(".")[2]
    options = SnowflakeOptions(connection=account.name, database=account.database, schema=name)
    return SnowflakeBackend(options, sources={})


def test_a_waiting_run_sees_who_is_publishing(
    on_snowflake: Place, loaded: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(2):
        assert on_snowflake.killed(PUBLISHING) == KILLED
    assert on_snowflake.run().returncode == DONE
    first, second, _ = on_snowflake.runs()
    with closing(backend(loaded, on_snowflake.schema, monkeypatch)) as opened:
        found = opened.publishing_runs()
    assert [run.run_id for run in found] == [second["run_id"], first["run_id"]]
    since = f"{second['publishing_since']:%Y-%m-%d %H:%M:%S} UTC"
    assert described(found[0]) == (
        f"run {second['run_id']} of user {second['user_name']} on {os.uname().nodename}"
        f" announced its publication at {since} (as of 2025-06-30)"
    )
