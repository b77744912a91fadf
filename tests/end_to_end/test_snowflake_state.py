"""What a package made on Snowflake is recorded: it replaces nothing else, and leaves nothing."""

from __future__ import annotations

import json
import re
import shutil
import signal
import time
from pathlib import Path

import pytest

from support.account import Account
from support.processes import Result, end
from support.workshop import CUSTOMERS, ORDERS, SHOP, Workshop

DONE, FAILED, ASKED_WRONGLY, INTERRUPTED = 0, 1, 2, 130
STATE = "MARTS_STATE"
NOTHING = "nothing was published; what was published before is unchanged"
REFUSED = {"errno": 3001, "sqlstate": "42501", "message": "Insufficient privileges"}
pytestmark = pytest.mark.usefixtures("sources")

PACKAGE = '''"""Two marts, made from one that is gone afterwards."""

from marts import int64, mart, source, string

customers = source(
    "customers",
    doc="Customers.",
    grain="customer_id",
    columns=[string("customer_id"), string("city", null=True)],
)


@mart(grain="customer_id", materialized="temporary", columns=[string("customer_id")])
def int_of_{name}(customers):
    """Customers."""
    return customers


@mart(grain="n", columns=[int64("n", at_least={least})])
def {name}_count(int_of_{name}):
    """How many customers there are."""
    return int_of_{name}.aggregate(n=int_of_{name}.count())


@mart(grain="customer_id", columns=[string("customer_id")])
def {name}_list(int_of_{name}, {name}_count):
    """Who the customers are."""
    return int_of_{name}
'''
ALONE = '''

@mart(grain="n", columns=[int64("n")])
def {name}_alone(customers):
    """How many customers there are, by nothing but the source."""
    return customers.aggregate(n=customers.count())
'''
CUSTOMERS_THERE = len(CUSTOMERS)


def load(account: Account, schema: str, folder: Path) -> None:
    """Load the bicycle shop into a schema."""
    shop = Workshop(folder, SHOP)
    shop.write(customers=CUSTOMERS, orders=ORDERS)
    words = (*account.load_words(schema), "--data", shop.data, "--overwrite")
    assert account.call(*words, cwd=folder).returncode == DONE


@pytest.fixture(scope="module")
def sources(account: Account, tmp_path_factory: pytest.TempPathFactory) -> None:
    load(account, "STATE_SHOP", tmp_path_factory.mktemp("shop"))


def write(
    folder: Path, name: str, *, more: str = "", least: int = 0, listing: str = "{name}_list"
) -> None:
    """Write a package, of which calls read what is written last; a mart to a file."""
    shutil.rmtree(folder / name, ignore_errors=True)
    (folder / name).mkdir()
    (folder / name / "__init__.py").touch()
    text = (PACKAGE + more).replace("{name}_list", listing).format(name=name, least=least)
    head, *marts = text.split("\n\n\n@mart")
    for mart in marts:
        module = re.search(r"^def (\w+)", mart, re.MULTILINE)
        assert module
        imports = head.partition("\n\ncustomers")[0]
        start = head if module[1] == f"int_of_{name}" else imports
        text = f"{start}\n@mart{mart}"
        (folder / name / f"{module[1]}.py").write_text(text, "utf-8")


def words(account: Account, schema: str, package: str, sources: str = "STATE_SHOP") -> list[str]:
    location = account.run_words(schema=schema, sources=sources)
    return ["run", "--package", package, "--as-of", "2025-06-30", *location]


def run(account: Account, schema: str, package: str, *more: str, folder: Path) -> Result:
    """Run a package's marts, as they are written now."""
    return account.call(*words(account, schema, package), *more, cwd=folder)


def recorded(account: Account, schema: str) -> list[tuple[str, str, str]]:
    """Return package, name and kind of what is recorded."""
    rows = account.rows(
        f"SELECT PACKAGE, NAME, KIND FROM {account.location(schema, STATE)}"
        " WHERE KIND IN ('table', 'view', 'candidate') ORDER BY PACKAGE, NAME"
    )
    return [(str(package), str(name), str(kind)) for package, name, kind in rows]


def tables_of(package: str) -> list[tuple[str, str, str]]:
    return [(package, f"{package}_count", "table"), (package, f"{package}_list", "table")]


def test_a_table_that_is_not_recorded_is_replaced_on_request_alone(
    account: Account, own_schema: str, tmp_path: Path
) -> None:
    write(tmp_path, "shop")
    stranger = account.location(own_schema, "SHOP_LIST")
    account.rows(f'CREATE SCHEMA "{account.database}"."{account.schema(own_schema)}"')
    account.rows(f"CREATE TABLE {stranger} AS SELECT 1 AS A")
    refused = run(account, own_schema, "shop", folder=tmp_path)
    assert refused.returncode == ASKED_WRONGLY
    assert "error: shop_list: not recorded as made by shop;" in refused.stderr
    assert "--adopt shop_list" in refused.stderr
    assert account.contents(own_schema) == {"SHOP_LIST": [(1,)]}
    adopted = run(account, own_schema, "shop", "--adopt", "shop_list", folder=tmp_path)
    assert adopted.returncode == DONE, adopted.stderr
    assert len(account.contents(own_schema)["SHOP_LIST"]) == CUSTOMERS_THERE
    again = run(account, own_schema, "shop", folder=tmp_path)
    assert "nothing to do" in again.stdout
    assert recorded(account, own_schema) == tables_of("shop")


def test_two_packages_share_a_schema_and_keep_off_each_others_tables(
    account: Account, own_schema: str, tmp_path: Path
) -> None:
    for package in ("one", "two"):
        write(tmp_path, package)
        done = run(account, own_schema, package, folder=tmp_path)
        assert done.returncode == DONE, done.stderr
        assert "no longer a mart" not in done.stdout
    assert recorded(account, own_schema) == [*tables_of("one"), *tables_of("two")]
    assert "nothing to do" in run(account, own_schema, "one", folder=tmp_path).stdout
    before = account.contents(own_schema)
    write(tmp_path, "two", listing="one_list")
    refused = run(account, own_schema, "two", folder=tmp_path)
    assert refused.returncode == ASKED_WRONGLY
    assert "one_list was made by the package one" in refused.stderr
    assert account.contents(own_schema) == before
    taken = run(account, own_schema, "two", "--adopt", "one_list", folder=tmp_path)
    assert taken.returncode == DONE, taken.stderr
    owners = {name: package for package, name, _ in recorded(account, own_schema)}
    assert owners == {
        "one_count": "one",
        **dict.fromkeys(["one_list", "two_count", "two_list"], "two"),
    }
    refused = run(account, own_schema, "one", "--force", folder=tmp_path)
    assert "one_list was made by the package two" in refused.stderr


def test_what_an_earlier_version_recorded_is_taken_over(
    account: Account, own_schema: str, tmp_path: Path
) -> None:
    write(tmp_path, "shop")
    account.rows(f'CREATE SCHEMA "{account.database}"."{account.schema(own_schema)}"')
    earlier = account.location(own_schema, "INT_PUBLISHED_MARTS")
    account.rows(f"CREATE TABLE {earlier} (MART VARCHAR, AS_OF DATE, RUN_ID VARCHAR)")
    for name in ("shop_count", "shop_list", "int_of_shop"):
        columns = "'c' AS CUSTOMER_ID" if name == "shop_list" else "CAST(1 AS BIGINT) AS N"
        account.rows(f"CREATE TABLE {account.location(own_schema, name)} AS SELECT {columns}")
        account.rows(f"INSERT INTO {earlier} SELECT '{name}', DATE '2025-05-31', 'old'")
    one = run(account, own_schema, "shop", "-s", "shop_count", folder=tmp_path)
    assert one.returncode == DONE, one.stderr
    assert account.rows(f"SELECT MART FROM {earlier}") == [("shop_list",)]
    rest = run(account, own_schema, "shop", folder=tmp_path)
    assert rest.returncode == DONE, rest.stderr
    assert recorded(account, own_schema) == tables_of("shop")
    assert account.tables(own_schema) == [STATE, "SHOP_COUNT", "SHOP_LIST"]


def test_what_is_no_longer_a_mart_is_dropped_last_and_on_request(
    emulated: Account, own_schema: str, tmp_path: Path
) -> None:
    write(tmp_path, "shop", more=ALONE)
    assert run(emulated, own_schema, "shop", folder=tmp_path).returncode == DONE
    write(tmp_path, "shop")
    kept = run(emulated, own_schema, "shop", folder=tmp_path)
    assert "keep  shop_alone: published, but no longer a mart" in kept.stdout
    assert "SHOP_ALONE" in emulated.tables(own_schema)
    words = ("--drop-orphans", "--force")
    with emulated.told(fail={"pattern": "^DROP TABLE .*SHOP_ALONE", **REFUSED}):
        broken = run(emulated, own_schema, "shop", *words, folder=tmp_path)
    assert broken.returncode == DONE, broken.stderr
    assert "left to the next run: shop_alone: the role lacks a privilege" in broken.stdout
    assert "SHOP_ALONE" in emulated.tables(own_schema)
    done = run(emulated, own_schema, "shop", *words, folder=tmp_path)
    assert done.returncode == DONE, done.stderr
    assert recorded(emulated, own_schema) == tables_of("shop")
    assert emulated.tables(own_schema) == [STATE, "SHOP_COUNT", "SHOP_LIST"]


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE {} ADD COLUMN EXTRA VARCHAR",
        "INSERT INTO {} SELECT 7",
        "CREATE OR REPLACE TABLE {} AS SELECT CAST(7 AS BIGINT) AS N",
        "DROP TABLE {}",
    ],
)
def test_a_table_that_somebody_altered_is_built_anew(
    statement: str, account: Account, own_schema: str, tmp_path: Path
) -> None:
    write(tmp_path, "shop")
    assert run(account, own_schema, "shop", folder=tmp_path).returncode == DONE
    account.rows(statement.format(account.location(own_schema, "SHOP_COUNT")))
    if "ADD COLUMN" in statement:
        refused = run(account, own_schema, "shop", folder=tmp_path)
        assert refused.returncode == ASKED_WRONGLY
        assert "shop_count: column extra is dropped" in refused.stderr
    more = ("-s", "shop_count", "--reshape", "shop_count")
    done = run(account, own_schema, "shop", *more, folder=tmp_path)
    reason = "not published" if "DROP TABLE" in statement else "altered since it was published"
    assert f"build shop_count: {reason}" in done.stdout
    assert account.contents(own_schema)["SHOP_COUNT"] == [(CUSTOMERS_THERE,)]


# What a run makes for itself goes with it.


def assert_nothing_is_left(account: Account, schema: str, *published: str) -> None:
    """Assert that no candidate exists or is recorded."""
    assert account.tables(schema) == sorted([STATE, *map(str.upper, published)])
    assert not account.tables(f"{schema}_CANDIDATES")
    assert {kind for _, _, kind in recorded(account, schema)} <= {"table"}


def test_temporary_marts_and_candidates_are_gone_after_a_run(
    account: Account, own_schema: str, tmp_path: Path
) -> None:
    write(tmp_path, "shop")
    temporary = run(account, own_schema, "shop", "-s", "int_of_shop", folder=tmp_path)
    assert temporary.returncode == DONE, temporary.stderr
    assert "no check failed" in temporary.stdout
    assert_nothing_is_left(account, own_schema)
    assert run(account, own_schema, "shop", folder=tmp_path).returncode == DONE
    assert_nothing_is_left(account, own_schema, "shop_count", "shop_list")
    results = json.loads((tmp_path / "target/run_results.json").read_text("utf-8"))
    kinds = {t["name"]: t["kind"] for t in results["tables"] if t["kind"] != "source"}
    assert kinds == {"int_of_shop": "temporary", "shop_count": "table", "shop_list": "table"}


def test_they_are_gone_after_a_check_that_fails(
    account: Account, own_schema: str, tmp_path: Path
) -> None:
    write(tmp_path, "shop", least=CUSTOMERS_THERE + 1)
    failed = run(account, own_schema, "shop", folder=tmp_path)
    assert failed.returncode == FAILED
    assert "FAIL  shop_count.n_at_least_5: 1 violation" in failed.stdout
    assert_nothing_is_left(account, own_schema)
    assert recorded(account, own_schema) == []


def test_they_are_gone_after_an_interrupt(
    emulated: Account, own_schema: str, tmp_path: Path
) -> None:
    write(tmp_path, "shop")
    at = r"^CREATE OR REPLACE TRANSIENT TABLE \S*SHOP_LIST__CANDIDATE"
    with emulated.told(stall={"pattern": at}) as emulator:
        known = len(emulator.statements())
        with emulated.started(*words(emulated, own_schema, "shop"), cwd=tmp_path) as process:
            while not any(re.search(at, sql) for sql in emulator.statements()[known:]):
                assert process.poll() is None, process.communicate()
                time.sleep(0.05)
            assert emulated.tables(f"{own_schema}_CANDIDATES")
            printed = end(process, signal.SIGINT)
    assert process.returncode == INTERRUPTED, printed
    assert f"interrupted: {NOTHING}" in printed
    assert_nothing_is_left(emulated, own_schema)
    assert recorded(emulated, own_schema) == []
