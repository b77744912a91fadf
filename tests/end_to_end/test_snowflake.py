"""Production as a user has it: load the bundled data, run, and find the marts on Snowflake."""

from __future__ import annotations

import datetime
import io
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sqlglot.expressions as sge

from backends.emulator.statements import parse
from backends.snowflake_parameters import FIXED
from marts.core.authoring.tables import Mart, column_comments
from marts.core.console.guide import page_of
from marts.core.proof.comparison import assert_same_table
from marts.core.query.contract import schema_of
from marts.core.run.table_files import write_csv, write_json
from support.account import Account
from support.engines import GRAPH, documented_graph
from support.pages import Reader
from support.processes import Marts, Result, call_marts

MARTS: Mapping[str, Mart] = {
    name: mart for name, mart in GRAPH.project.marts.items() if not mart.is_temporary
}
PUBLISHED = [name for name in GRAPH.order if name in MARTS]
SOURCES = ("DIM_CUSTOMER", "DIM_MERCHANT_CATEGORY", "FCT_TRANSACTIONS")
STATE = "MARTS_STATE"
BEFORE_THE_RUN = ("session", "catalog", "version", "moment", "probe", "source")
TEMPORARY_ROWS = {
    "int_customer_numbers": 2214,
    "int_customers": 2000,
    "int_approved_transactions": None,
    "int_customer_transaction_summary": 2000,
}
"""None of that which has no checks."""
AS_OF = ("--as-of", "2025-06-30")
# By the type of a contract: what INFORMATION_SCHEMA says, of numbers with precision and scale.
TYPES: Mapping[str, tuple[object, ...]] = {
    "string": ("TEXT",),
    "int64": ("NUMBER", 38, 0),
    "float64": ("FLOAT",),
    "date": ("DATE",),
    "boolean": ("BOOLEAN",),
    "timestamp": ("TIMESTAMP_NTZ",),
}
DECIMAL = re.compile(r"decimal\((\d+), (\d+)\)")


def catalog_type(kind: str) -> tuple[object, ...]:
    """Return what INFORMATION_SCHEMA says of a contract's type."""
    if found := DECIMAL.fullmatch(kind):
        return ("NUMBER", int(found[1]), int(found[2]))
    return TYPES[kind]


@dataclass(frozen=True)
class Finished:
    """A run that is over: what it printed, sent, wrote, and left for readers."""

    result: Result
    logins: list[dict[str, Any]]
    statements: list[dict[str, Any]]
    results: dict[str, Any]
    tables: Mapping[str, pa.Table]
    state: list[tuple[Any, ...]]


def finished(account: Account, marts: Marts, folder: Path, *words: str) -> Finished:
    """Run all marts of the bundled data."""
    logins = len(account.emulator.events("login")) if account.emulator else 0
    sent = len(account.emulator.events("statement")) if account.emulator else 0
    location = account.run_words(schema="GOLD", sources="RAW")
    result = marts("run", *location, *AS_OF, *words, cwd=folder)
    assert result.returncode == 0, result.stderr + result.stdout
    return Finished(
        result,
        account.emulator.events("login")[logins:] if account.emulator else [],
        account.emulator.events("statement")[sent:] if account.emulator else [],
        json.loads((folder / "target/run_results.json").read_text("utf-8")),
        {name: account.table("GOLD", name) for name in MARTS},
        account.rows(
            "SELECT PACKAGE, NAME, KIND, RUN_ID, AS_OF, VERSION IS NULL, ORIGIN IS NULL"
            f" FROM {account.location('GOLD', STATE)} WHERE KIND = 'table' ORDER BY NAME"
        ),
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("production")


@pytest.fixture(scope="module")
def loaded(account: Account, folder: Path) -> Result:
    return account.process(*account.load_words("RAW"), cwd=folder)


@pytest.fixture(scope="module")
def first(account: Account, folder: Path, loaded: Result) -> Finished:
    assert loaded.returncode == 0, loaded.stderr
    return finished(account, account.process, folder)


@pytest.fixture(scope="module")
def again(account: Account, folder: Path, first: Finished) -> Finished:
    """Return the same run once more, over what is published, three marts at once."""
    assert first.state
    return finished(account, account.call, folder, "--force", "--threads", "3")


def test_load_uploads_the_bundled_tables(account: Account, loaded: Result) -> None:
    assert loaded.returncode == 0, loaded.stderr
    assert loaded.stdout.splitlines() == [
        "dim_customer  2,214 rows",
        "dim_merchant_category  11 rows",
        "fct_transactions  60,000 rows",
    ]
    assert tuple(account.tables("RAW")) == SOURCES


@pytest.mark.parametrize("mart", MARTS)
def test_marts_built_over_published_ones_side_by_side_are_the_same(
    mart: str, first: Finished, again: Finished
) -> None:
    assert_same_table(again.tables[mart], first.tables[mart], grain=MARTS[mart].grain)


def test_rows_are_exported_with_the_types_of_the_contract(
    account: Account, first: Finished, tmp_path: Path
) -> None:
    profile = MARTS["customer_360_profile"]
    words = ("--include-personal", *account.run_words(schema="GOLD", sources="RAW"))
    for form in ("parquet", "csv", "json"):
        ordering = ("--order-by", "customer_id")
        done = account.call(
            "export", profile.name, "--output", f"all.{form}", *ordering, *words, cwd=tmp_path
        )
        assert done.returncode == 0, done.stdout + done.stderr
        last = f"done  2,000 rows of {profile.name} as of 2025-06-30 → all.{form}\n"
        assert done.stdout == last
    table = pq.read_table(tmp_path / "all.parquet")
    assert table.schema.equals(schema_of(profile.columns).to_pyarrow())
    assert_same_table(table, first.tables[profile.name], grain=profile.grain)
    for form, write in (("csv", write_csv), ("json", write_json)):
        expected = io.BytesIO()
        write(expected, table.schema, iter(table.to_batches()))
        assert (tmp_path / f"all.{form}").read_bytes() == expected.getvalue()
    done = account.call(
        *("export", "int_customers", "--output", "few.json", "--limit", "3", *words), cwd=tmp_path
    )
    assert done.returncode == 0, done.stdout + done.stderr
    few = json.loads((tmp_path / "few.json").read_text("utf-8"))
    assert [row["customer_id"] for row in few] == ["C000001", "C000002", "C000003"]
    words = ("--where", "age > 1000", *words)
    done = account.call("export", profile.name, "--output", "none.csv", *words, cwd=tmp_path)
    assert done.stdout.startswith("done  0 rows of"), done.stdout + done.stderr
    assert {each.name for each in tmp_path.iterdir()} == {
        *("all.parquet", "all.csv", "all.json", "few.json", "none.csv")
    }


def test_the_lists_and_figures_of_the_guide_are_the_same_here(
    account: Account, first: Finished, tmp_path: Path
) -> None:
    assert first.state
    _, _, page = page_of("export").partition("## The card portfolio")
    section, _, _ = page.partition("\n## ")
    building = "$ marts run\n…\ndone  published 8 marts; …\n"
    assert building in section
    where = {
        "MARTS_BACKEND": "snowflake",
        "MARTS_CONNECTION": account.name,
        "MARTS_DATABASE": account.database,
        "MARTS_SCHEMA": account.schema("GOLD"),
        "MARTS_SOURCE_SCHEMA": account.schema("RAW"),
    }
    (tmp_path / "here").mkdir()
    reader = Reader(tmp_path / "here", account.environment() | where)
    reader.follow(section.replace(building, ""))


def test_columns_types_and_order_are_those_of_the_contracts(
    account: Account, first: Finished
) -> None:
    assert first.tables
    found = account.catalog(
        "columns",
        "GOLD",
        *("TABLE_NAME", "COLUMN_NAME", "DATA_TYPE", "NUMERIC_PRECISION", "NUMERIC_SCALE"),
    )
    for name, mart in MARTS.items():
        expected = [(column.name.upper(), *catalog_type(column.type)) for column in mart.columns]
        columns = [row[1:] for row in found if row[0] == name.upper()]
        assert [row if row[1] == "NUMBER" else row[:2] for row in columns] == expected, name


def test_the_schema_holds_the_marts_and_their_state_alone(
    account: Account, first: Finished, again: Finished
) -> None:
    assert first.tables.keys() == again.tables.keys()
    assert_nothing_is_left(account)


def test_tables_and_columns_carry_the_comments_of_the_docstrings(
    account: Account, first: Finished
) -> None:
    assert first.tables
    found: dict[str, str] = dict(account.catalog("tables", "GOLD", "TABLE_NAME", "COMMENT"))
    assert {name: found[name.upper()] for name in MARTS} == {
        name: mart.comment for name, mart in MARTS.items()
    }
    columns = account.catalog("columns", "GOLD", "TABLE_NAME", "COLUMN_NAME", "COMMENT")
    documented = documented_graph().project.marts
    for name in MARTS:
        texts = {column: text for table, column, text in columns if table == name.upper() and text}
        expected = column_comments(documented[name])
        assert texts == {column.upper(): text for column, text in expected.items()}, name


def test_the_table_of_state_names_date_and_run_of_each_mart(
    first: Finished, again: Finished
) -> None:
    for run in (first, again):
        made = ("table", run.results["run_id"], datetime.date(2025, 6, 30), False, False)
        assert run.state == [("marts", name, *made) for name in sorted(MARTS)]
    assert first.results["run_id"] != again.results["run_id"]


def test_the_report_has_each_statement_with_its_query_id_and_seconds(first: Finished) -> None:
    results = first.results
    assert results["status"] == "published"
    assert results["backend"] == "snowflake"
    assert {"marts", "snowflake", "snowflake-connector-python"} <= results["versions"].keys()
    built = [table for table in results["tables"] if table["kind"] != "source"]
    assert {table["name"]: table["rows"] for table in built} == {
        name: first.tables[name].num_rows for name in MARTS
    } | TEMPORARY_ROWS
    of_sources = [table["name"] for table in results["tables"] if table not in built]
    assert set(of_sources) == {"fct_transactions", "dim_customer", "dim_merchant_category"}
    assert len({each["query_id"] for each in results["statements"]}) == len(results["statements"])
    assert all(each["seconds"] >= 0 for each in results["statements"])
    for step, names in {"build": list(GRAPH.order), "publish": PUBLISHED}.items():
        done = [each["about"] for each in results["statements"] if each["step"] == step]
        assert [name for name in done if name] == names


def test_show_prints_rows_of_a_published_mart(
    account: Account, first: Finished, tmp_path: Path
) -> None:
    location = account.run_words(schema="GOLD", sources="RAW")
    shown = account.call(
        *("show", "metric_customer_ltv", *location, "--where", "lifetime_value > 1000"),
        *("--columns", "customer_id,lifetime_value,last_transaction_date"),
        *("--order-by", "lifetime_value desc,customer_id", "--limit", "3", "--format", "json"),
        cwd=tmp_path,
    )
    assert shown.returncode == 0, shown.stderr
    rows = first.tables["metric_customer_ltv"].sort_by(
        [("lifetime_value", "descending"), ("customer_id", "ascending")]
    )
    assert json.loads(shown.stdout) == [
        {
            "customer_id": row["customer_id"],
            "lifetime_value": float(row["lifetime_value"]),
            "last_transaction_date": str(row["last_transaction_date"]),
        }
        for row in rows.slice(0, 3).to_pylist()
    ]


ORDER_OF_TEMPORARIES = {
    "int_customer_numbers": "customer_key",
    "int_customers": "customer_id",
    "int_approved_transactions": "customer_number,transaction_date,transaction_amount",
    "int_customer_transaction_summary": "customer_id",
}


@pytest.mark.parametrize("mart", ORDER_OF_TEMPORARIES)
def test_show_builds_a_temporary_mart_as_duckdb_does_and_leaves_nothing(
    mart: str, account: Account, first: Finished, finished_run: Path, tmp_path: Path
) -> None:
    assert first.state
    location = account.run_words(schema="GOLD", sources="RAW")
    order = ORDER_OF_TEMPORARIES[mart]
    words = ("show", mart, "--order-by", order, "--limit", "100", "--format", "json")
    shown = account.call(*words, *location, *AS_OF, cwd=tmp_path)
    assert shown.returncode == 0, shown.stderr
    on_duckdb = call_marts(*words, cwd=finished_run)
    assert json.loads(shown.stdout) == json.loads(on_duckdb.stdout)
    assert len(json.loads(shown.stdout)) == 100
    assert_nothing_is_left(account)


def test_test_builds_a_temporary_mart_for_its_checks(
    account: Account, first: Finished, tmp_path: Path
) -> None:
    assert first.state
    location = account.run_words(schema="GOLD", sources="RAW")
    done = account.call("test", "-s", "int_customers", *location, *AS_OF, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "ok    int_customers                           2,000 rows   17 checks" in done.stdout
    assert "no check failed; 21 of 21 checks passed" in done.stdout
    assert_nothing_is_left(account)


def assert_nothing_is_left(account: Account) -> None:
    """Assert that the schema holds the marts and what is recorded of them alone."""
    assert account.tables("GOLD") == sorted([STATE, *map(str.upper, MARTS)])
    kinds = account.rows(
        f"SELECT DISTINCT KIND FROM {account.location('GOLD', STATE)} ORDER BY KIND"
    )
    assert kinds == [("lock",), ("publication",), ("source",), ("table",)]
    assert not account.tables("GOLD_CANDIDATES")


def test_test_checks_what_is_published(account: Account, first: Finished, tmp_path: Path) -> None:
    assert first.state
    location = account.run_words(schema="GOLD", sources="RAW")
    done = account.call("test", "-s", "metric_customer_ltv", *location, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "as of 2025-06-30" in done.stdout
    assert "ok    metric_customer_ltv                     2,000 rows   24 checks" in done.stdout
    assert "no check failed; 25 of 25 checks passed" in done.stdout


def test_a_dry_run_says_what_would_be_done_and_does_nothing(
    account: Account, first: Finished, tmp_path: Path
) -> None:
    assert first.state
    before = account.catalog("tables", "GOLD", "TABLE_NAME", "CREATED")
    location = account.run_words(schema="GOLD", sources="RAW")
    said = account.call("run", "--dry-run", "--force", *location, *AS_OF, cwd=tmp_path)
    assert said.returncode == 0, said.stderr
    head, read, *steps = said.stdout.splitlines()
    assert head == "as of 2025-06-30; nothing is done:"
    assert read.startswith("  read     sources ")
    assert steps[0].startswith("  build    int_customer")
    assert said.stdout.endswith(f"publish  {len(PUBLISHED)} marts at once\n")
    assert account.catalog("tables", "GOLD", "TABLE_NAME", "CREATED") == before
    assert list(tmp_path.iterdir()) == []


def test_a_dry_run_only_reads(emulated: Account, first: Finished, tmp_path: Path) -> None:
    assert first.state
    location = emulated.run_words(schema="NOWHERE", sources="RAW")
    with emulated.recorded() as sent:
        said = emulated.call("run", "--dry-run", *location, *AS_OF, cwd=tmp_path)
    assert said.returncode == 0, said.stderr
    assert {each["sql"].split()[0] for each in sent} == {"SHOW", "SELECT"}


def test_a_developers_schema_reads_the_shared_sources_and_leaves_gold_alone(
    account: Account, first: Finished, tmp_path: Path
) -> None:
    gold = account.catalog("tables", "GOLD", "TABLE_NAME", "CREATED")
    location = account.run_words(schema="DEV_ME", sources="RAW")
    done = account.call("run", "-s", "customer_segments", *location, *AS_OF, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert account.tables("DEV_ME") == ["CUSTOMER_SEGMENTS", STATE]
    assert_same_table(
        account.table("DEV_ME", "customer_segments"),
        first.tables["customer_segments"],
        grain=MARTS["customer_segments"].grain,
    )
    assert account.catalog("tables", "GOLD", "TABLE_NAME", "CREATED") == gold
    assert tuple(account.tables("RAW")) == SOURCES


@pytest.mark.usefixtures("emulated")
def test_every_statement_of_a_run_is_tagged_with_what_it_is_for(first: Finished) -> None:
    tags = [json.loads(each["tag"]) for each in first.statements]
    assert all(set(tag) == {"tool", "version", "run", "mart", "step"} for tag in tags)
    assert {tag["tool"] for tag in tags} == {"marts"}
    assert {tag["version"] for tag in tags} == {first.results["versions"]["marts"]}
    within_run = [tag for tag in tags if tag["step"] not in BEFORE_THE_RUN]
    assert {tag["run"] for tag in within_run} == {first.results["run_id"]}
    built = [tag["mart"] for tag in tags if tag["step"] == "build"]
    assert built == list(GRAPH.order)


@pytest.mark.usefixtures("emulated")
def test_a_session_begins_with_our_parameters(first: Finished) -> None:
    assert len(first.logins) == 1
    parameters = first.logins[0]["session_parameters"]
    assert {name: parameters.get(name) for name in FIXED} == FIXED


@pytest.mark.usefixtures("emulated")
def test_no_date_is_sent_as_text(first: Finished) -> None:
    """What a date as text means is up to the session's formats."""
    sent = [each["sql"] for each in first.statements]
    assert any("DATE_FROM_PARTS" in sql for sql in sent)
    as_text = re.compile(r"'\d+-\d+-\d+[^']*' AS (DATE|TIME)|\b(DATE|TIME\w*) *'\d", re.IGNORECASE)
    assert [sql for sql in sent if as_text.search(sql)] == []


@pytest.mark.usefixtures("emulated")
def test_threads_have_sessions_of_their_own(again: Finished) -> None:
    sessions = {each["session"] for each in again.statements if '"step": "build"' in each["tag"]}
    assert len(sessions) >= 2
    assert len(again.logins) <= 4  # the main thread's, and three


def test_every_name_sent_is_upper_case(emulated: Account, first: Finished, again: Finished) -> None:
    # Those of other tests have sources and policies of other spellings.
    ours = f'"{emulated.schema("GOLD")}"'
    sent = {each["sql"] for each in (*first.statements, *again.statements) if each["tag"]}
    assert sent
    wrong = {
        name.name: sql
        for sql in sent
        if ours in sql
        for name in parse(sql).find_all(sge.Identifier)
        if name.name != name.name.upper()
    }
    assert wrong == {}
