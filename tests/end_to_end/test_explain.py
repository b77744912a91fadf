"""`marts explain`: what it says of a number, on both engines, and how it ends."""

from __future__ import annotations

import json
import shutil
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import pytest

from support.account import Account
from support.processes import Marts, Result, call_marts, one_document

DONE, FAILED, ASKED_WRONGLY = 0, 1, 2
ONE = ("--key", "C000001")
AS_OF = ("--as-of", "2025-06-30")


def explained(called: Any, *words: object) -> dict[str, Any]:
    """Return the document of a number that is as published."""
    done: Result = called("explain", *words, "--json")
    assert done.returncode == DONE, done.stderr
    document: dict[str, Any] = one_document(done.stdout)
    return document


def fetched(folder: Path, sql: str) -> Any:
    """Return the first row of a query of the published marts."""
    with duckdb.connect(str(folder / "target/marts.duckdb"), read_only=True) as reader:
        return reader.execute(sql).fetchone()


@pytest.fixture
def ours(finished_run: Path) -> Any:
    """Return what calls `marts` where our marts are published."""
    return lambda *words: call_marts(*words, cwd=finished_run)


def test_the_rows_are_those_that_sql_finds(ours: Any, finished_run: Path) -> None:
    found = explained(ours, "metric_customer_ltv.lifetime_value", *ONE, "--rows", "--limit", "1000")
    (value,) = fetched(
        finished_run,
        "SELECT lifetime_value::DOUBLE FROM gold.metric_customer_ltv WHERE customer_id = 'C000001'",
    )
    payments = next(each for each in found["sources"] if each["table"] == "fct_transactions")
    amounts = [row["transaction_amount"] for row in payments["shown"]]
    assert (found["value"], found["recomputed"], found["is_same"]) == (value, value, True)
    assert sum(amounts) == pytest.approx(value)
    assert {row["status"] for row in payments["shown"]} == {"approved"}
    assert len(amounts) == payments["rows"] < payments["looked_at"]
    keys = [row["transaction_key"] for row in payments["shown"]]
    assert keys == sorted(keys)


def test_a_label_is_explained_by_its_conditions(ours: Any) -> None:
    found = explained(ours, "customer_360_profile.ltv_tier", *ONE)
    (taken,) = (each for each in found["branches"] if each["is_taken"])
    assert taken["result"] == found["value"]
    for each in (one for branch in found["branches"] for one in branch["comparisons"]):
        assert each["distance"] == pytest.approx(each["value"] - each["threshold"])
        assert each["holds"] == (each["distance"] < 0)
    (spent,) = found["inputs"]
    assert (spent["table"], spent["column"]) == ("metric_customer_ltv", "lifetime_value")


def test_inputs_are_shown_through_temporary_marts(ours: Any) -> None:
    found = explained(ours, "customer_segments.spend_change_pct", *ONE)
    inputs = {(each["table"], each["column"]): each for each in found["inputs"]}
    summary = "int_customer_transaction_summary"
    last, prior = (
        inputs[summary, f"spend_{which}_90_days"]["value"] for which in ("last", "prior")
    )
    assert found["value"] == pytest.approx(100 * (last - prior) / prior)
    (payments,) = (each for each in found["sources"] if each["table"] == "fct_transactions")
    assert inputs["fct_transactions", "transaction_amount"]["rows"] == payments["rows"]


def test_a_grain_of_several_columns_takes_each_by_name(ours: Any) -> None:
    key = ("--key", "month=2025-05-01", "--key", "customer_id=C000001")
    found = explained(ours, "metric_mom_spend_change.mom_change_pct", *key)
    assert found["key"] == {"customer_id": "C000001", "month": "2025-05-01"}
    assert found["is_same"] is True


def test_personal_data_are_masked(ours: Any) -> None:
    words = ("customer_360_profile.full_name", *ONE, "--rows")
    found = explained(ours, *words)
    assert (found["value"], found["recomputed"], found["is_same"]) == ("***", "***", True)
    text = ours("explain", *words).stdout
    for shown in (json.dumps(found), text):
        assert "Clayton" not in shown
        assert "***" in shown


def test_a_value_that_depends_on_all_rows_is_shown_alone(ours: Any, finished_run: Path) -> None:
    campaign, customer, rank = fetched(
        finished_run,
        "SELECT campaign, customer_id, priority_rank FROM gold.campaign_audiences LIMIT 1",
    )
    key = ("--key", f"campaign={campaign}", "--key", f"customer_id={customer}")
    found = explained(ours, "campaign_audiences.priority_rank", *key)
    assert found["value"] == rank
    assert "computes row number from 0 in order of " in found["untraced"]
    assert (found["recomputed"], found["is_same"], found["sources"]) == (None, None, [])


@pytest.mark.parametrize(
    ("column", "options", "why"),
    [
        ("int_customers.age", (), "int_customers is temporary: it is never published"),
        (
            "customer_segments.lifetime_value",
            ("--as-of", "2025-05-31"),
            "customer_segments is published as of 2025-06-30",
        ),
    ],
)
def test_what_is_not_published_is_computed_now(
    column: str, options: tuple[str, ...], why: str, ours: Any
) -> None:
    found = explained(ours, column, *ONE, *options)
    assert (found["is_published"], found["unpublished"]) == (False, why)
    assert found["value"] == found["recomputed"] is not None
    assert found["is_same"] is None


def test_nothing_need_be_published(called: Marts) -> None:
    found = explained(called, "customer_segments.lifetime_value", *ONE)
    assert found["unpublished"].startswith("customer_segments is not published: ")
    assert found["value"] > 0


WRONG: dict[tuple[str, ...], tuple[int, str]] = {
    ("customer_segment.age", "--key", "c"): (
        ASKED_WRONGLY,
        "there is no mart customer_segment\nhint: did you mean customer_segments?",
    ),
    ("customer_360_profile.agee", "--key", "c"): (
        ASKED_WRONGLY,
        "customer_360_profile has no column agee\nhint: did you mean age?",
    ),
    ("customer_360_profile", "--key", "c"): (
        ASKED_WRONGLY,
        "customer_360_profile names no column\nhint: write customer_360_profile.COLUMN; its",
    ),
    ("int_approved_transactions.is_travel", "--key", "c"): (
        ASKED_WRONGLY,
        "int_approved_transactions declares no grain, so no key identifies a row of it",
    ),
    ("metric_mom_spend_change.month", "--key", "c"): (
        ASKED_WRONGLY,
        "--key c names no column: the grain of metric_mom_spend_change is customer_id, month",
    ),
    ("metric_mom_spend_change.month", "--key", "customer_id=c"): (
        ASKED_WRONGLY,
        "no value for month: the grain of metric_mom_spend_change is customer_id, month",
    ),
    ("metric_mom_spend_change.month", "--key", "months=c"): (
        ASKED_WRONGLY,
        "--key months: the grain of metric_mom_spend_change is customer_id, month",
    ),
    ("metric_mom_spend_change.month", "--key", "month=May", "--key", "customer_id=c"): (
        ASKED_WRONGLY,
        "--key May: month is date\nhint: write it as month=2025-06-01",
    ),
    ("customer_360_profile.age", "--key", "c", "--key", "d"): (
        ASKED_WRONGLY,
        "--key names customer_id twice",
    ),
    ("customer_360_profile.age", "--key", "c"): (
        FAILED,
        "customer_360_profile has no row with customer_id c, as of 2025-06-30",
    ),
    ("int_customers.age", "--key", "c"): (
        FAILED,
        "int_customers has no row with customer_id c, as of 2025-06-30",
    ),
}


@pytest.mark.parametrize("words", WRONG)
def test_what_is_asked_wrongly(words: tuple[str, ...], ours: Any) -> None:
    code, message = WRONG[words]
    done = ours("explain", *words)
    assert (done.returncode, done.stdout) == (code, "")
    assert done.stderr.startswith(f"error: {message}")


def test_another_value_than_the_published_one_is_an_error(
    finished_run: Path, called: Marts, tmp_path: Path
) -> None:
    database = tmp_path / "marts.duckdb"
    shutil.copy(finished_run / "target/marts.duckdb", database)
    with duckdb.connect(str(database)) as writer:
        writer.execute("UPDATE gold.metric_customer_ltv SET lifetime_value = 12.34")
    words = ("metric_customer_ltv.lifetime_value", *ONE, "--database", database)
    done = called("explain", *words)
    assert done.returncode == FAILED
    assert "value       12.34   published by run" in done.stdout
    assert "another value: altered since it was published" in done.stdout
    document = one_document(called("explain", *words, "--json").stdout)
    assert document["is_same"] is False
    assert document["recomputed"] > document["value"] == 12.34


# A project whose definitions change what they read

PYPROJECT = '[tool.marts]\npackage = "stall"\ndata = "data"\n'
STALL = """
import ibis
from marts import *

lines = source(
    "lines",
    doc="Lines.",
    grain="id",
    columns=[int64("id"), timestamp("at"), float64("amount"), int64("qty", null=True)],
)


@mart(
    grain="id",
    columns=[
        int64("id"),
        date("day"),
        int64("whole"),
        int64("filled"),
        int64("twice"),
        boolean("is_late"),
        boolean("is_recent"),
    ],
)
def sold(lines: Table, as_of: AsOf) -> Table:
    \"\"\"Lines.\"\"\"
    filled = lines.mutate(filled=lines.qty.fill_null(0), day=lines.at.cast("date"))
    return filled.select(
        "id",
        "filled",
        "day",
        whole=filled.amount.cast("int64"),
        twice=filled.filled * 2,
        is_late=filled.day >= ibis.date("2025-01-02"),
        is_recent=filled.day >= as_of.minus(days=30),
    )
"""
LINES = "id,at,amount,qty\n1,2025-01-01T13:45:00,10.7,\n2,2025-01-31T08:00:00,2.5,3\n"


@pytest.fixture(scope="module")
def stall(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder in which its mart is published."""
    folder = tmp_path_factory.mktemp("stall")
    files = {"pyproject.toml": PYPROJECT, "stall/sold.py": STALL, "data/lines.csv": LINES}
    files["stall/__init__.py"] = ""
    for name, text in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text, "utf-8")
    done = call_marts("run", "--as-of", "2025-01-31", cwd=folder, MARTS_PACKAGE="stall")
    assert done.returncode == DONE, done.stderr + done.stdout
    return folder


@pytest.mark.parametrize(
    ("column", "value", "read", "own"),
    [
        ("day", "2025-01-01", "at", "2025-01-01T13:45:00"),
        ("whole", 11, "amount", 10.7),
        ("filled", 0, "qty", None),
        ("twice", 0, "qty", None),
    ],
)
def test_a_column_of_a_source_has_its_own_value(
    column: str, value: object, read: str, own: object, stall: Path
) -> None:
    call = partial(call_marts, cwd=stall, MARTS_PACKAGE="stall")
    found = explained(call, f"sold.{column}", "--key", "1")
    inputs = {(each["table"], each["column"]): each["value"] for each in found["inputs"]}
    assert (found["value"], inputs["lines", read]) == (value, own)


@pytest.mark.parametrize(
    ("column", "day"), [("is_late", "'2025-01-02'"), ("is_recent", "as_of - 30 days")]
)
def test_a_day_is_written_as_in_the_definition(column: str, day: str, stall: Path) -> None:
    call = partial(call_marts, cwd=stall, MARTS_PACKAGE="stall")
    found = explained(call, f"sold.{column}", "--key", "1")
    (branch,) = found["branches"]
    assert found["definition"].endswith(f">= {day}")
    assert branch["condition"].endswith(f">= {day}")


def test_a_row_that_the_sources_no_longer_give_is_said_to_be_gone(
    stall: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(stall, tmp_path / "stall")
    (folder / "data/lines.csv").write_text(LINES.replace("\n1,", "\n3,"), "utf-8")
    call = partial(call_marts, cwd=folder, MARTS_PACKAGE="stall")
    done = call("explain", "sold.filled", "--key", "1")
    assert done.returncode == FAILED
    assert "recomputed  the sources no longer give this row: source lines changed" in done.stdout
    document = one_document(call("explain", "sold.filled", "--key", "1", "--json").stdout)
    assert document["missing"] == "the sources no longer give this row"
    assert (document["is_same"], document["recomputed"], document["inputs"]) == (False, None, [])


# Snowflake


@pytest.fixture(scope="module")
def there(account: Account, tmp_path_factory: pytest.TempPathFactory) -> tuple[Account, Path]:
    """Return an account in which our marts are published, and a folder."""
    folder = tmp_path_factory.mktemp("explained")
    for words in (
        account.load_words("EXPLAINED_RAW"),
        ["run", *account.run_words(schema="EXPLAINED", sources="EXPLAINED_RAW"), *AS_OF],
    ):
        done = account.call(*words, cwd=folder)
        assert done.returncode == DONE, done.stderr
    return account, folder


@pytest.mark.parametrize(
    ("column", "key"),
    [
        ("customer_360_profile.customer_segment", ONE),
        ("customer_segments.customer_segment", ONE),
        ("customer_segments.travel_spend_pct", ONE),
        ("metric_avg_transaction_value.transaction_value_stddev", ONE),
        (
            "metric_mom_spend_change.mom_change_pct",
            ("--key", "customer_id=C000001", "--key", "month=2025-05-01"),
        ),
    ],
)
def test_both_engines_explain_alike(
    column: str, key: tuple[str, ...], ours: Any, there: tuple[Account, Path]
) -> None:
    account, folder = there
    engine = account.run_words(schema="EXPLAINED", sources="EXPLAINED_RAW")

    def on_snowflake(*words: object) -> Result:
        return account.call(*words, *engine, cwd=folder)

    words = (column, *key, "--rows", "--limit", "1000")
    here, elsewhere = explained(ours, *words), explained(on_snowflake, *words)
    assert elsewhere["is_same"] is True
    assert elsewhere.pop("value") == pytest.approx(here.pop("value"))
    for document in (here, elsewhere):
        document.pop("run_id")
    assert elsewhere == here
