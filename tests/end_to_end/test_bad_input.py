"""Bad input of every kind: the exit code, what the message says, and nothing that is published."""

from __future__ import annotations

import csv
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest

from support.paths import BUNDLED
from support.processes import Marts
from support.refusals import ASKED_WRONGLY, FAILED, Refused, assert_says

pytestmark = pytest.mark.usefixtures("left_alone")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Return a copy of the bundled Parquet files, to be spoiled."""
    folder = tmp_path / "data"
    folder.mkdir()
    for file in [*BUNDLED.glob("*.parquet"), BUNDLED / "dataset.json"]:
        shutil.copy(file, folder)
    return folder


def edit(data: Path, table: str, query: str) -> None:
    """Replace a table by a query on it, where it is called `this`."""
    file = data / f"{table}.parquet"
    with duckdb.connect() as connection:
        connection.execute(f"CREATE TABLE this AS FROM '{file}'")
        connection.execute(f"COPY ({query}) TO '{file}' (FORMAT parquet)")


def _twice(file: Path, name: str) -> None:
    table = pq.read_table(file)
    pq.write_table(table.append_column(name.upper(), table[name]), file)


UNFIT = {
    "missing file": (
        lambda data: (data / "dim_merchant_category.parquet").unlink(),
        ["source dim_merchant_category: found no such table", "looked in data/"],
    ),
    "missing column": (
        lambda data: edit(data, "fct_transactions", "SELECT * EXCLUDE (status) FROM this"),
        ["source fct_transactions, column status: expected string, found no such column"],
    ),
    "wrong type": (
        lambda data: edit(
            data,
            "fct_transactions",
            "SELECT * REPLACE (transaction_amount::DOUBLE AS transaction_amount) FROM this",
        ),
        [
            "source fct_transactions, column transaction_amount: ",
            "expected decimal(10, 2), found float64",
        ],
    ),
    "number too wide": (
        lambda data: edit(
            data,
            "dim_customer",
            "SELECT * REPLACE (credit_limit::DECIMAL(38, 2) + 1e8::DECIMAL(38, 2) AS credit_limit)"
            " FROM this",
        ),
        [
            "source dim_customer, column credit_limit: expected decimal(10, 2), found",
            "decimal(38, 2) with 2,",
            " values that do not fit, such as 1000",
        ],
    ),
    "zone that nobody declared": (
        lambda data: edit(
            data,
            "fct_transactions",
            "SELECT * REPLACE (transaction_date::TIMESTAMPTZ AS transaction_date) FROM this",
        ),
        [
            "source fct_transactions, column transaction_date: expected timestamp",
            "found timestamp with a zone: declare the zone of its calendar",
        ],
    ),
    "column twice": (
        lambda data: _twice(data / "fct_transactions.parquet", "status"),
        ["source fct_transactions, column status: found status and STATUS in fct_transactions."],
    ),
    "empty table": (
        lambda data: edit(data, "dim_customer", "FROM this LIMIT 0"),
        ["source dim_customer: the table has no rows"],
    ),
}


@pytest.mark.parametrize(("spoil", "facts"), UNFIT.values(), ids=UNFIT)
def test_sources_that_do_not_fit_are_refused(
    spoil: Callable[[Path], None], facts: list[str], data: Path, refused: Refused
) -> None:
    spoil(data)
    printed = refused("run", "--data", "data", code=ASKED_WRONGLY)
    assert_says(printed, "the sources do not fit their contracts; nothing was built", *facts)


def _truncate(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:10_000])


def _put_twice(data: Path) -> None:
    (data / "dim_customer").mkdir()
    shutil.copy(data / "dim_customer.parquet", data / "dim_customer/part.parquet")


UNREADABLE = {
    "corrupt Parquet": (
        lambda data: _truncate(data / "fct_transactions.parquet"),
        ["source fct_transactions: fct_transactions.parquet is not a readable Parquet file"],
    ),
    "table twice": (
        _put_twice,
        ["dim_customer exists twice", "dim_customer.parquet", "hint: remove one"],
    ),
    "dangling link": (
        lambda data: (data / "churn_predictions.parquet").symlink_to("/nowhere"),
        ["cannot read ", "churn_predictions.parquet", "it is a dangling link", "hint: "],
    ),
    "table without suffix": (
        lambda data: (data / "dim_customer.parquet").rename(data / "dim_customer"),
        ["cannot read ", "dim_customer", "its name does not end in .parquet"],
    ),
    "date is a folder": (
        lambda data: ((data / "dataset.json").unlink(), (data / "dataset.json").mkdir()),
        ["cannot read data/dataset.json", "Is a directory"],
    ),
    "date with a byte-order mark": (
        lambda data: (data / "dataset.json").write_text('{"as_of": "2025-06-30"}', "utf-8-sig"),
        ["data/dataset.json does not state the date of the data", "BOM", "hint: "],
    ),
    "no date": (
        lambda data: (data / "dataset.json").write_text("{}"),
        ["data/dataset.json does not state the date of the data", 'hint: write {"as_of": "'],
    ),
}


@pytest.mark.parametrize(("spoil", "facts"), UNREADABLE.values(), ids=UNREADABLE)
def test_data_that_cannot_be_read_is_refused(
    spoil: Callable[[Path], None], facts: list[str], data: Path, refused: Refused
) -> None:
    spoil(data)
    assert_says(refused("run", "--data", "data", code=ASKED_WRONGLY), *facts)


KEY = "(SELECT max(customer_key) FROM this WHERE is_current)"
OLD_KEY = "(SELECT max(customer_key) FROM this WHERE NOT is_current)"
VIOLATING = {
    "duplicated key": (
        f"SELECT * REPLACE (is_current OR customer_key = {OLD_KEY} AS is_current) FROM this",
        "dim_customer.one_current_version: 1 violation",
        "customer_id",
    ),
    "null customer_key": (
        f"SELECT * REPLACE (nullif(customer_key, {KEY}) AS customer_key) FROM this",
        "dim_customer.customer_key_not_null: 1 violation",
        "customer_key",
    ),
    "null customer_id": (
        f"SELECT * REPLACE (if(customer_key = {KEY}, null, customer_id) AS customer_id) FROM this",
        "dim_customer.customer_id_not_null: 1 violation",
        "customer_id",
    ),
}


@pytest.mark.parametrize(("query", "violation", "column"), VIOLATING.values(), ids=VIOLATING)
def test_a_failed_check_publishes_nothing_and_keeps_a_sample(
    query: str, violation: str, column: str, data: Path, refused: Refused, tmp_path: Path
) -> None:
    edit(data, "dim_customer", query)
    printed = refused("run", "--data", "data", code=FAILED)
    sample = f"target/failures/{violation.partition(':')[0]}.csv"
    assert_says(printed, f"FAIL  {violation} → {sample}", "stop  nothing was published")
    with (tmp_path / sample).open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 1
    assert column in rows[0]


def test_a_failed_check_of_a_source_builds_nothing(data: Path, refused: Refused) -> None:
    edit(data, "fct_transactions", "FROM this UNION ALL (FROM this LIMIT 3)")
    printed = refused("run", "--data", "data", code=FAILED)
    assert_says(printed, "FAIL  fct_transactions.transaction_key_unique: 3 violations")
    assert "metric_customer_ltv" not in printed


ASKED = {
    "missing fixture directory": (
        "run --data nowhere",
        ["there is no directory nowhere", "hint: pass --data DIR"],
    ),
    "unknown selection": (
        "run -s metric_customr_ltv",
        ["no mart matches metric_customr_ltv", "hint: did you mean metric_customer_ltv?"],
    ),
    "unpublished upstream": (
        "run -s metric_customer_ltv --database target/new.duckdb",
        [
            "metric_customer_ltv reads customer_segments, ",
            "which is not selected and is not published",
            "hint: select +metric_customer_ltv",
        ],
    ),
    "folder of the database": (
        "run --database wherehouse/marts.duckdb",
        ["there is no folder wherehouse for the database", "hint: correct --database"],
    ),
    "published as of another date": (
        "show customer_segments --as-of 2020-01-31",
        ["customer_segments is published as of 2025-06-30, not 2020-01-31", "hint: leave out"],
    ),
    "unknown package": ("run --package nowhere", ["there is no package nowhere"]),
    "module for a package": ("run --package csv", ["csv", "package"]),
    "unknown option": ("run --form csv", ["No such option", "--form"]),
    "bad date": (
        "run --as-of 31.12.2024",
        ["Invalid value for '--as-of'", "write it as 2024-12-31"],
    ),
    "bad memory limit": ("run --memory-limit plenty", ["DuckDB does not accept", "Memory"]),
    "unknown mart": (
        "show customer_360_profil",
        ["there is no mart customer_360_profil", "hint: did you mean customer_360_profile?"],
    ),
    "a mart of no such name": (
        "show nope",
        ["there is no mart nope", "hint: `marts ls` lists the marts"],
    ),
    "show before any run": (
        "show customer_segments --database target/none.duckdb",
        ["customer_segments is not published", "target/none.duckdb", "marts run"],
    ),
    "test before any run": (
        "test --database target/none.duckdb",
        ["not published: ", "customer_segments", "marts run"],
    ),
}


@pytest.mark.parametrize(("words", "facts"), ASKED.values(), ids=ASKED)
def test_what_is_asked_wrongly_is_said(words: str, facts: list[str], refused: Refused) -> None:
    assert_says(refused(*words.split(), code=ASKED_WRONGLY), *facts)


@pytest.mark.parametrize(
    ("condition", "fault"),
    [
        ("customer_id IN (SELECT customer_id FROM other)", "(SELECT customer_id FROM other)"),
        ("true; DROP TABLE gold.customer_segments", "one condition"),
    ],
    ids=["subquery", "second statement"],
)
def test_where_takes_no_more_than_a_condition(condition: str, fault: str, refused: Refused) -> None:
    printed = refused("show", "customer_segments", "--where", condition, code=ASKED_WRONGLY)
    assert_says(printed, "--where", fault)


# Tests may run as root, whom no permission stops: what lies below a file nobody can write.
UNWRITABLE = {
    "target": ("--target file/target", ["cannot write file/target", "Not a directory"]),
    "database": ("--database file/marts.duckdb", ["cannot open file/marts.duckdb"]),
    "no database": ("--database file", ["cannot open file", "not a valid DuckDB database"]),
}


@pytest.mark.parametrize(("words", "facts"), UNWRITABLE.values(), ids=UNWRITABLE)
def test_what_cannot_be_written_is_said(
    words: str, facts: list[str], refused: Refused, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("no folder, and no database")
    assert_says(refused("run", *words.split(), code=FAILED), *facts, "hint: ")
    assert (tmp_path / "file").read_text() == "no folder, and no database"


HOLD = """
import sys, duckdb
with duckdb.connect(sys.argv[1], read_only=sys.argv[2] == "reader"):
    print("open", flush=True)
    sys.stdin.read()
"""


@contextmanager
def held(database: Path, by: str) -> Iterator[int]:
    """Keep a database open in a second process, a reader or a writer; return its id."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, database, by],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout.readline() == "open\n"
        yield process.pid
        process.stdin.close()


@pytest.mark.parametrize(
    ("words", "by"), [("run", "writer"), ("run", "reader"), ("show customer_segments", "writer")]
)
def test_a_second_process_that_holds_the_database_is_named(
    words: str, by: str, database: Path, refused: Refused
) -> None:
    with held(database, by) as process:
        printed = refused(*words.split(), code=FAILED)
    # No run began.
    assert (database.parent / "run_results.json").read_text() == "run_results.json"
    assert (database.parent / "failures/a.csv").exists()
    assert_says(printed, "another process holds target/marts.duckdb", str(process), "hint: close")


@pytest.mark.parametrize("day", ["0001-01-01", "9999-12-31"])
def test_a_day_out_of_all_reason_is_the_callers_slip(day: str, marts: Marts) -> None:
    done = marts("run", "--as-of", day)
    assert done.returncode == 2
    assert f"{day} is not between the years 1900 and 2200" in done.stderr
