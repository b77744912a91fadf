"""All or nothing: whatever ends a run, readers see the complete state before it, or after it."""

from __future__ import annotations

import datetime
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import pytest

from support.databases import STATE, Contents, contents
from support.paths import BUNDLED
from support.processes import Marts, call_marts, end, ignored, marts_environment, started

DONE, FAILED, INTERRUPTED = 0, 1, 130
NOTHING = "nothing was published; what was published before is unchanged"

# One thread: the order of a float sum, and with it the last bit, is the same in each run.
WORDS = ("run", "--threads", "1")


@pytest.fixture(scope="module")
def portfolio(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return larger data than what is published so far, of which no mart stays as it is."""
    folder = tmp_path_factory.mktemp("portfolio")
    size = ("--customers", "3000", "--transactions", "300000")
    assert call_marts("generate", "data", *size, cwd=folder).returncode == 0
    return folder / "data"


@pytest.fixture(scope="module")
def after(portfolio: Path, tmp_path_factory: pytest.TempPathFactory) -> Contents:
    """Return what a complete run on the portfolio publishes."""
    folder = tmp_path_factory.mktemp("after")
    done = call_marts(*WORDS, "--data", portfolio, cwd=folder)
    assert done.returncode == DONE, done.stderr
    return contents(folder / "target/marts.duckdb")


@pytest.fixture
def before(database: Path) -> Contents:
    """Return what is published when the test begins."""
    return contents(database)


SLOW = {
    "__init__": """
from marts import source, string

transactions = source(
    "fct_transactions",
    doc="Transactions.",
    grain="transaction_key",
    columns=[string("transaction_key")],
)
""",
    "quick": """
from marts import int64, mart

@mart(grain="longest", columns=[int64("longest")])
def quick(fct_transactions):
    '''The longest key.'''
    return fct_transactions.aggregate(longest=fct_transactions.transaction_key.length().max())
""",
    "slow": """
from marts import int64, mart

@mart(grain="longest", columns=[int64("longest")], many_to_many="it takes long")
def slow(quick, fct_transactions):
    '''The longest pair of keys.'''
    one = fct_transactions.select(one="transaction_key")
    other = fct_transactions.select(other="transaction_key")
    pairs = one.cross_join(other)
    return pairs.aggregate(longest=(pairs.one + pairs.other).length().max())
""",
}


@pytest.fixture
def slow_marts(tmp_path: Path) -> str:
    """Return the words that run a quick mart, then one whose one query takes minutes."""
    (tmp_path / "slow").mkdir()
    for name, code in SLOW.items():
        (tmp_path / f"slow/{name}.py").write_text(code, "utf-8")
    return "slow"


def read_until(process: subprocess.Popen[str], word: str) -> str:
    """Read what a process prints up to the first line with a word."""
    printed = ""
    for line in process.stdout:
        printed += line
        if word in line:
            return printed
    raise AssertionError(f"it never printed {word}:\n{printed}")


LAST = "ok    segment_summary"
"""What the line of the last mart begins with."""

# The line that a run has printed last, and the seconds that then pass: in the last three, the
# run is about to publish, or at it, or done.
MOMENTS = [
    ("as of", 0.0),
    ("metric_mom_spend_change", 0.02),
    (LAST, 0.0),
    (LAST, 0.01),
    (LAST, 0.03),
]


def test_a_killed_run_leaves_a_complete_state_and_the_next_one_works(
    database: Path, before: Contents, after: Contents, portfolio: Path, marts: Marts
) -> None:
    previous = database.with_name("previous.duckdb")
    shutil.copy(database, previous)
    for line, seconds in MOMENTS:
        with started(*WORDS, "--data", portfolio, cwd=database.parent.parent) as process:
            read_until(process, line)
            time.sleep(seconds)
            os.killpg(process.pid, signal.SIGKILL)
        left = contents(database)
        publishing = line == MOMENTS[-1][0]
        assert left in ([before, after] if publishing else [before]), (line, seconds)
        if left == after:
            database.with_name(f"{database.name}.wal").unlink(missing_ok=True)
            shutil.copy(previous, database)
    done = marts(*WORDS, "--data", portfolio)
    assert done.returncode == DONE, done.stderr
    assert contents(database) == after
    assert not list(database.parent.glob(".*")), "what a killed run left is gone"


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_within_a_query_ends_the_run(
    sent: signal.Signals, database: Path, before: Contents, slow_marts: str
) -> None:
    words = (*WORDS, "--package", slow_marts, "--data", BUNDLED)
    with started(*words, cwd=database.parent.parent) as process:
        read_until(process, "quick")
        time.sleep(0.5)
        printed = end(process, sent)
    assert process.returncode == INTERRUPTED, printed
    assert "Traceback" not in printed, printed
    assert f"interrupted: {NOTHING}" in printed, printed
    assert contents(database) == before
    results = (database.parent / "run_results.json").read_text("utf-8")
    assert '"status": "interrupted"' in results


def test_an_interrupt_before_the_first_mart_ends_a_run_that_was_to_ignore_it(
    database: Path, before: Contents, portfolio: Path
) -> None:
    run = started(*WORDS, "--data", portfolio, cwd=database.parent.parent)
    with ignored(signal.SIGINT), run as process:
        read_until(process, "as of")
        printed = end(process, signal.SIGINT)
    assert process.returncode == INTERRUPTED, printed
    assert "Traceback" not in printed, printed
    assert "interrupted" in printed, printed
    assert contents(database) == before


BY_NIGHT = [pytest.param(each, marks=pytest.mark.nightly) for each in (0.005, 0.015, 0.03)]
"""No machine meets the same moment twice, so half of them are enough by day."""


@pytest.mark.parametrize("seconds", [0.0, 0.01, 0.02, *BY_NIGHT])
def test_an_interrupt_while_publishing_is_reported_as_it_ended(
    seconds: float, database: Path, before: Contents, after: Contents, portfolio: Path
) -> None:
    with started(*WORDS, "--data", portfolio, cwd=database.parent.parent) as process:
        read_until(process, LAST)
        time.sleep(seconds)
        printed = end(process, signal.SIGINT)
    assert "Traceback" not in printed, printed
    left = contents(database)
    assert left in (before, after)
    # A signal that comes when all is said and done can still be what ends the process.
    assert process.returncode in (DONE, INTERRUPTED, -signal.SIGINT), printed
    assert (left == before) == (NOTHING in printed), printed


def test_a_check_that_fails_on_the_last_mart_publishes_none(
    database: Path, before: Contents, called: Marts, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    shutil.copytree(BUNDLED, data, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    with duckdb.connect() as connection:
        connection.execute(f"CREATE TABLE this AS FROM '{BUNDLED}/dim_customer.parquet'")
        connection.execute("UPDATE this SET age = 7 WHERE customer_id = 'C000100'")
        connection.execute(f"COPY this TO '{data}/dim_customer.parquet'")
    done = called(*WORDS, "--data", data, "--as-of", "2025-03-31")
    assert done.returncode == FAILED
    assert "ok    metric_customer_ltv" in done.stdout
    assert "FAIL  customer_360_profile.age_at_least_18: 1 violation" in done.stdout
    assert NOTHING in done.stdout
    assert contents(database) == before


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """Return how to give a small disk in memory another size, and where it is."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount, unmount = shutil.which("mount"), shutil.which("umount")
    small = ["-t", "tmpfs", "-o", "size=5m", "none", str(folder)]
    if mount is None or unmount is None or subprocess.run([mount, *small], check=False).returncode:
        pytest.skip("this user cannot mount a small disk in memory")

    def resize(size: str) -> Path:
        subprocess.run([mount, "-o", f"remount,size={size}", folder], check=True)
        return folder

    yield resize
    subprocess.run([unmount, folder], check=True)


def test_a_full_disk_ends_the_run_and_the_next_one_works(
    disk: Callable[[str], Path],
    database: Path,
    before: Contents,
    after: Contents,
    portfolio: Path,
    marts: Marts,
) -> None:
    on_disk = disk("5m") / "marts.duckdb"
    shutil.copy(database, on_disk)
    words = (*WORDS, "--data", portfolio, "--database", on_disk)
    full = marts(*words)
    assert full.returncode == FAILED, full.stdout
    assert full.stderr.startswith("error: DuckDB could not ")
    assert "No space left on device" in full.stderr
    assert "Traceback" not in full.stderr
    assert NOTHING in full.stdout
    assert contents(on_disk) == before
    disk("100m")
    assert marts(*words).returncode == DONE
    assert contents(on_disk) == after


def test_a_run_that_cannot_write_its_report_still_says_what_it_published(
    disk: Callable[[str], Path], database: Path, before: Contents, called: Marts
) -> None:
    target = disk("64k")
    (target / "full").write_bytes(bytes(64 * 1024))
    done = called(*WORDS, "--as-of", "2025-03-31", "--target", target)
    assert f"cannot write {target}/run_results.json" in done.stderr
    assert "No space left on device" in done.stderr
    assert contents(database) != before
    assert "done  published " in done.stdout + done.stderr


def test_a_limit_on_file_size_ends_the_run(
    database: Path, before: Contents, portfolio: Path, tmp_path: Path
) -> None:
    program = Path(sys.executable).with_name("marts")
    limited = subprocess.run(
        [
            "/bin/sh",
            "-c",
            'ulimit -f 8000; exec "$@"',
            "sh",
            program,
            *WORDS,
            "--data",
            portfolio,
        ],
        cwd=tmp_path,
        env=marts_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert limited.returncode == FAILED, limited.stdout
    assert limited.stderr.startswith("error: DuckDB could not ")
    assert "File too large" in limited.stderr
    assert "Traceback" not in limited.stderr
    assert NOTHING in limited.stdout
    assert contents(database) == before


def test_a_selection_publishes_only_what_it_names(
    database: Path, before: Contents, called: Marts
) -> None:
    done = called(*WORDS, "-s", "+metric_avg_transaction_value", "--as-of", "2025-03-31")
    assert done.returncode == DONE, done.stderr
    now = contents(database)
    selected = {"customer_segments", "metric_avg_transaction_value"}
    assert now.keys() == before.keys()
    changed = {name for name in now if now[name] != before[name]}
    assert changed == {STATE, *(f"gold.{mart}" for mart in selected)}
    day, earlier = datetime.date(2025, 6, 30), datetime.date(2025, 3, 31)
    assert dict(before[STATE]) == dict.fromkeys(dict(now[STATE]), day)
    assert {mart for mart, as_of in now[STATE] if as_of == earlier} == selected
