"""`marts load`: a directory of Parquet as tables, all or none, and nothing by accident."""

from __future__ import annotations

import re
import signal
import time
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from reference.example import star
from support.account import Account, Row
from support.processes import Result, end

DONE, FAILED, ASKED_WRONGLY, INTERRUPTED = 0, 1, 2, 130
HISTORY = {"c1": [("2025-06-01", "12.50", "Travel"), ("2025-06-02", "3", "declined")]}


def write(folder: Path, tables: dict[str, pa.Table]) -> Path:
    """Write a file for each table."""
    folder.mkdir()
    for name, table in tables.items():
        pq.write_table(table, folder / f"{name}.parquet")
    return folder


def load(account: Account, schema: str, data: Path, *more: str) -> Result:
    words = (*account.load_words(schema), "--data", data, *more)
    return account.call(*words, cwd=data)


def test_part_files_and_an_optional_table(account: Account, tmp_path: Path) -> None:
    tables = star(HISTORY | {"c2": [("2025-06-03", "7")]}, churn={"c1": 12.5})
    facts = tables.pop("fct_transactions")
    data = write(tmp_path / "data", tables)
    for number in range(facts.num_rows):
        file = data / f"fct_transactions/{number % 2}/part {number // 2}.PARQUET"
        file.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(facts.slice(number, 1), file)
    done = load(account, "PARTS", data)
    assert done.returncode == DONE, done.stderr
    assert done.stdout.splitlines() == [
        "churn_predictions  1 rows",
        "dim_customer  2 rows",
        "dim_merchant_category  11 rows",
        "fct_transactions  3 rows",
    ]
    found = account.contents("PARTS")
    assert found["CHURN_PREDICTIONS"] == [("c1", 12.5)]
    assert [row[0] for row in found["FCT_TRANSACTIONS"]] == ["t0", "t1", "t2"]
    run = account.call(
        *("run", "-s", "+customer_360_profile", "--as-of", "2025-06-30"),
        *account.run_words(schema="PARTS_GOLD", sources="PARTS"),
        cwd=tmp_path,
    )
    assert run.returncode == DONE, run.stderr
    profile = account.table("PARTS_GOLD", "customer_360_profile").to_pylist()
    assert {row["customer_id"]: row["churn_risk_category"] for row in profile} == {
        "c1": "Low Risk",
        "c2": "Not Scored",
    }


EVERY_TYPE = pa.table(
    {
        "Text": pa.array(["it's ü\n", None]),
        "number": pa.array([-(2**63), None], pa.int64()),
        "small": pa.array([7, None], pa.int32()),
        "share": pa.array([0.1, None]),
        "money": pa.array([Decimal("-99999999.99"), None], pa.decimal128(10, 2)),
        "day": pa.array([date(2024, 2, 29), None]),
        "moment": pa.array([datetime(2024, 2, 29, 23, 59, 59, 999_999), None], pa.timestamp("us")),  # noqa: DTZ001
        "flag": pa.array([True, None]),
        "unsigned": pa.array([2**64 - 1, None], pa.uint64()),
        "exact": pa.array([1, None], pa.timestamp("ns")),
    }
)


def test_every_type_and_null_arrives_as_it_was(account: Account, tmp_path: Path) -> None:
    done = load(account, "TYPES", write(tmp_path / "data", {"things": EVERY_TYPE}))
    assert done.returncode == DONE, done.stderr
    times = {"exact": EVERY_TYPE["exact"].cast(pa.timestamp("us"), safe=False)}
    expected = pa.table({name: EVERY_TYPE[name] for name in EVERY_TYPE.column_names} | times)
    assert account.table("TYPES", "things").to_pylist() == [
        {name.lower(): value for name, value in row.items()} for row in expected.to_pylist()
    ]
    found = account.catalog("columns", "TYPES", "TABLE_NAME", "COLUMN_NAME", "DATA_TYPE")
    assert [row[1:] for row in found] == [
        ("TEXT", "TEXT"),
        ("NUMBER", "NUMBER"),
        ("SMALL", "NUMBER"),
        ("SHARE", "FLOAT"),
        ("MONEY", "NUMBER"),
        ("DAY", "DATE"),
        ("MOMENT", "TIMESTAMP_NTZ"),
        ("FLAG", "BOOLEAN"),
        ("UNSIGNED", "NUMBER"),
        ("EXACT", "TIMESTAMP_NTZ"),
    ]


def test_moments_arrive_with_their_zone(account: Account, tmp_path: Path) -> None:
    berlin = pa.timestamp("us", "Europe/Berlin")
    moments = pa.array([datetime(2024, 6, 30, 22, tzinfo=UTC), None], berlin)
    data = write(tmp_path / "data", {"things": pa.table({"at": moments})})
    done = load(account, "ZONES", data)
    assert done.returncode == DONE, done.stderr
    ((kind,),) = account.catalog("columns", "ZONES", "DATA_TYPE")
    # DuckDB, behind the emulator, has one type for both.
    assert kind in ("TIMESTAMP_LTZ", "TIMESTAMP_TZ")
    values = account.table("ZONES", "things").column("at").to_pylist()
    assert values == [datetime(2024, 6, 30, 22), None]  # noqa: DTZ001


@pytest.fixture
def there(account: Account, own_schema: str, tmp_path: Path) -> str:
    """Return the name of a schema that has a star schema already."""
    done = load(account, own_schema, write(tmp_path / "before", star(HISTORY)))
    assert done.returncode == DONE, done.stderr
    return own_schema


@pytest.fixture
def before(account: Account, there: str) -> dict[str, list[Row]]:
    return account.contents(there)


@pytest.fixture
def newer(tmp_path: Path) -> Path:
    return write(tmp_path / "newer", star({"c9": [("2025-06-05", "1")]}, churn={"c9": 1.0}))


def test_tables_that_exist_are_not_replaced(
    account: Account, there: str, before: dict[str, list[Row]], newer: Path
) -> None:
    done = load(account, there, newer)
    assert done.returncode == ASKED_WRONGLY
    where = f"{account.database}.{account.schema(there)}"
    assert done.stderr == (
        f"error: {where} has dim_customer, dim_merchant_category, fct_transactions already\n"
        "hint: pass --overwrite to replace them\n"
    )
    assert account.contents(there) == before


def test_tables_that_exist_are_replaced_when_asked_for(
    account: Account, there: str, newer: Path
) -> None:
    done = load(account, there, newer, "--overwrite")
    assert done.returncode == DONE, done.stderr
    found = account.contents(there)
    assert [row[1] for row in found["DIM_CUSTOMER"]] == ["c9"]
    assert found["CHURN_PREDICTIONS"] == [("c9", 1.0)]
    assert len(found) == 4


ODD = (
    "it's [1]*.parquet",
    "it's 1.parquet",
    "a?b/part 0.parquet",
    "back\\slash.pq",
    "#%41;--é.parquet",
    "0.parquet",
)


def test_any_name_of_a_file_is_loaded(account: Account, tmp_path: Path) -> None:
    rows = pa.table({"number": [1]})
    data = write(tmp_path / "it's [data]*", {"none": rows[:0]})
    for number, name in enumerate(ODD):
        file = data / "orders" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.table({"number": [number]}), file)
    done = load(account, "ODD", data)
    assert done.returncode == DONE, done.stderr
    assert account.contents("ODD") == {
        "ORDERS": [(number,) for number in range(len(ODD))],
        "NONE": [],
    }


def test_nothing_but_a_table_of_sources_is_replaced(
    account: Account, there: str, newer: Path
) -> None:
    words = ("run", "-s", "customer_segments", "--as-of", "2025-06-30")
    run = account.call(*words, *account.run_words(schema=there, sources=there), cwd=newer)
    assert run.returncode == DONE, run.stderr
    account.rows(f"CREATE VIEW {account.location(there, 'seen')} AS SELECT 1 AS X")
    mask, masked = account.location(there, "mask"), account.location(there, "dim_customer")
    account.rows(f"CREATE MASKING POLICY {mask} AS (V VARCHAR) RETURNS VARCHAR -> '***'")
    account.rows(f'ALTER TABLE {masked} MODIFY COLUMN "EMAIL" SET MASKING POLICY {mask}')
    before = account.contents(there)
    for name in ("customer_segments", "seen", "marts_state"):
        pq.write_table(pa.table({"x": [1]}), newer / f"{name}.parquet")
    done = load(account, there, newer, "--overwrite")
    assert done.returncode == ASKED_WRONGLY
    where = f"{account.database}.{account.schema(there)}"
    assert done.stderr == (
        f"error: not all of these may be replaced in {where}; nothing was uploaded\n"
        "  marts_state is reserved for marts' own table\n"
        "  customer_segments is a mart\n"
        "  dim_customer has policies or tags, which would be lost\n"
        "  seen is a view\n"
        "hint: rename the file, or use another --source-schema\n"
    )
    assert account.contents(there) == before


REFUSAL = {"errno": 3001, "sqlstate": "42501", "message": "Insufficient privileges"}


@pytest.mark.parametrize("pattern", ["^COPY INTO .*FCT_TRANSACTIONS", "^PUT .*fct_transactions"])
def test_a_load_that_breaks_off_leaves_what_was_there(
    pattern: str, emulated: Account, there: str, before: dict[str, list[Row]], newer: Path
) -> None:
    with emulated.told(fail={"pattern": pattern, **REFUSAL}):
        done = load(emulated, there, newer, "--overwrite")
    assert done.returncode == FAILED
    assert "the role lacks a privilege" in done.stderr
    assert emulated.contents(there) == before


def test_a_replacement_that_breaks_off_midway_says_what_is_new(
    emulated: Account, there: str, before: dict[str, list[Row]], newer: Path
) -> None:
    pattern = "^CREATE .*DIM_MERCHANT_CATEGORY. CLONE"
    with emulated.told(fail={"pattern": pattern, **REFUSAL}):
        done = load(emulated, there, newer, "--overwrite")
    assert done.returncode == FAILED
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    assert lines[:4] == [
        "error: loading failed midway",
        "  new: churn_predictions, dim_customer",
        "  as before: dim_merchant_category, fct_transactions",
        "  cause: the role lacks a privilege",
    ]
    assert lines[-1] == "hint: run again with --overwrite: it loads all of them"
    found = emulated.contents(there)
    assert [row[1] for row in found["DIM_CUSTOMER"]] == ["c9"]
    assert found["FCT_TRANSACTIONS"] == before["FCT_TRANSACTIONS"]
    assert found["DIM_MERCHANT_CATEGORY"] == before["DIM_MERCHANT_CATEGORY"]


def test_an_interrupted_load_leaves_nothing_behind(
    emulated: Account, there: str, before: dict[str, list[Row]], newer: Path
) -> None:
    words = (*emulated.load_words(there), "--data", newer, "--overwrite")
    with (
        emulated.told(stall={"pattern": "^COPY INTO .*FCT_TRANSACTIONS"}) as emulator,
        emulated.started(*words, cwd=newer) as process,
    ):
        while not re.match("COPY INTO .*FCT_TRANSACTIONS", emulator.statements()[-1]):
            assert process.poll() is None, process.communicate()
            time.sleep(0.05)
        printed = end(process, signal.SIGINT)
    assert process.returncode == INTERRUPTED, printed
    assert "Traceback" not in printed
    assert emulated.contents(there) == before


def test_a_file_that_is_not_parquet(
    account: Account, there: str, before: dict[str, list[Row]], newer: Path
) -> None:
    (newer / "fct_transactions.parquet").write_text("no Parquet", "utf-8")
    done = load(account, there, newer, "--overwrite")
    assert done.returncode == ASKED_WRONGLY
    assert "fct_transactions.parquet is not a readable Parquet file" in done.stderr
    assert account.contents(there) == before


def test_a_folder_that_is_not_there(account: Account, tmp_path: Path) -> None:
    done = account.call(*account.load_words("NONE"), "--data", "nowhere", cwd=tmp_path)
    assert done.returncode == ASKED_WRONGLY
    assert "there is no directory nowhere" in done.stderr
