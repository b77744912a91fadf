"""Environments on Snowflake: what is not selected is read as another schema has it."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from backends.snowflake import SnowflakeBackend
from support.account import Account
from support.paths import TESTS
from support.processes import Result
from support.workshop import CUSTOMERS, ORDERS, SHOP, Workshop, order

DONE, FAILED, ASKED_WRONGLY = 0, 1, 2
SETTINGS = """
[tool.marts]
package = "toy"
backend = "snowflake"
connection = "{account.name}"
database = "{account.database}"
source_schema = "{sources}"
defer = "prod"

[tool.marts.environments.prod]
schema = "{prod}"

[tool.marts.environments.dev]
schema = "{dev}"

[tool.marts.environments.other]
connection = "another"

[tool.marts.environments.empty]
schema = "{empty}"
"""
FRESH = 'fresh(hours=24, by="ordered_at")'
Call = Callable[..., Result]


@pytest.fixture
def load(account: Account, own_schema: str, tmp_path: Path) -> Callable[..., None]:
    """Return what loads the shop's data, with more orders than usual."""

    def load(*more: object) -> None:
        shop = Workshop(tmp_path, SHOP)
        shop.write(customers=CUSTOMERS, orders=[*ORDERS, *more])
        words = [*account.load_words(f"{own_schema}_S"), "--data", shop.data, "--overwrite"]
        assert account.call(*words, cwd=tmp_path).returncode == DONE

    return load


@pytest.fixture
def marts(account: Account, own_schema: str, tmp_path: Path, load: Callable[..., None]) -> Call:
    """Return what runs `marts …` in a project, whose marts production has published."""
    load()
    shutil.copytree(TESTS / "toy_shop", tmp_path / "toy", ignore=shutil.ignore_patterns("__py*"))
    file = tmp_path / "toy/sources.py"
    text = file.read_text("utf-8").replace("import boolean,", "import boolean, fresh,")
    file.write_text(text.replace("    checks=[", f"    checks=[{FRESH}, "), "utf-8")
    names = {name: account.schema(f"{own_schema}_{name[0].upper()}") for name in ("prod", "dev")}
    names |= {"sources": account.schema(f"{own_schema}_S"), "empty": f"{own_schema}_E"}
    settings = SETTINGS.format(account=account, **names)
    (tmp_path / "pyproject.toml").write_text(settings, "utf-8")

    def call(*words: object) -> Result:
        return account.call(*words, cwd=tmp_path, MARTS_PACKAGE="", MARTS_AS_OF="2025-06-30")

    done = call("run", "--env", "prod")
    assert done.returncode == DONE, done.stderr + done.stdout
    return call


def test_a_mart_is_built_on_those_of_another_schema(
    account: Account,
    own_schema: str,
    tmp_path: Path,
    marts: Call,
    load: Callable[..., None],
) -> None:
    words = ("run", "--env", "dev", "-s", "customer_totals,shop_overview")
    prod, dev = f"{own_schema}_P", f"{own_schema}_D"
    file = tmp_path / "toy/sales/customer_totals.py"
    file.write_text(file.read_text("utf-8").replace('1000, "gold"', '40, "gold"'), "utf-8")
    before = account.contents(prod)
    with account.recorded() as sent:
        done = marts(*words)
    assert done.returncode == DONE, done.stderr + done.stdout
    assert "read  int_paid_orders, model_sales: from prod, " in done.stdout + done.stderr
    # Nothing is sent there but queries.
    there = [each["sql"] for each in sent if re.search(rf'"{account.schema(prod)}"', each["sql"])]
    made = [sql.split("\n")[0] for sql in there if not sql.startswith("SELECT")]
    assert len(there) > len(made) == 2
    assert all(f'"{account.schema(dev)}_CANDIDATES"' in line for line in made)
    assert account.contents(prod) == before
    tiers = f"SELECT TIER FROM {account.location(dev, 'customer_totals')} WHERE CUSTOMER_ID = 'c2'"
    assert account.rows(tiers) == [("gold",)]
    assert account.tables(dev) == ["CUSTOMER_TOTALS", "MARTS_STATE", "SHOP_OVERVIEW"]
    assert "nothing to build; 1 of 1 check passed" in marts(*words).stdout

    load(order("new", "c3", "777.00"))
    done = marts(*words)
    assert done.returncode == ASKED_WRONGLY, done.stderr + done.stdout
    assert (
        "customer_totals reads int_paid_orders: not published here; source orders changed in"
        in (done.stderr)
    )
    assert marts("run", "--env", "prod").returncode == DONE
    assert "published 2 marts" in marts(*words).stdout
    assert account.table(dev, "customer_totals").sort_by("customer_id") == account.table(
        prod, "customer_totals"
    ).sort_by("customer_id")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (
            "--env dev --defer other",
            "--defer other: its connection is another, that of this run is",
        ),
        ("--env dev --schema {prod}", "prod publishes its marts where this run does"),
        ("--env dev --defer empty", "nothing is published in empty: "),
    ],
)
def test_a_schema_that_cannot_be_read_is_refused(
    words: str, expected: str, own_schema: str, account: Account, marts: Call
) -> None:
    done = marts("run", *words.format(prod=account.schema(f"{own_schema}_P")).split())
    assert done.returncode == ASKED_WRONGLY, done.stdout
    assert done.stderr.startswith(f"error: {expected}")


@pytest.mark.parametrize(
    ("mart", "change", "expected"),
    [
        (
            "shop_overview",
            "UPDATE {prod} SET RUN_ID = 'ANOTHER' WHERE NAME = 'model_sales'",
            "what the run read elsewhere was published again; nothing was published\n  model_sales",
        ),
        # A view there shows the source as it is, whenever it is read.
        (
            "customer_totals",
            "INSERT INTO {orders} SELECT 'o9', * EXCLUDE (ORDER_ID) FROM {orders} LIMIT 1",
            "sources changed while the run read them; nothing was published\n  source orders: ",
        ),
    ],
)
def test_nothing_is_published_if_what_is_read_there_changes_meanwhile(
    mart: str,
    change: str,
    expected: str,
    own_schema: str,
    account: Account,
    marts: Call,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    build = SnowflakeBackend.build
    places = {
        "prod": account.location(f"{own_schema}_P", "marts_state"),
        "orders": account.location(f"{own_schema}_S", "orders"),
    }

    def meanwhile(self: SnowflakeBackend, *given: object, **words: object) -> None:
        build(self, *given, **words)  # type: ignore[arg-type]
        account.rows(change.format(**places))

    monkeypatch.setattr(SnowflakeBackend, "build", meanwhile)
    done = marts("run", "--env", "dev", "-s", mart)
    assert done.returncode == FAILED
    assert f"error: {expected}" in done.stderr
    assert account.tables(f"{own_schema}_D") == ["MARTS_STATE"]


def test_the_newest_row_is_as_old_as_the_account_says(marts: Call, tmp_path: Path) -> None:
    done = marts("test", "--env", "prod", "--sources")
    assert done.returncode == DONE, done.stdout + done.stderr
    done = marts("test", "--env", "prod", "--sources", "--as-of", "2025-07-02")
    assert done.returncode == FAILED
    assert (
        "orders.ordered_at_fresh: does not hold; the newest ordered_at is 2025-07-01 00:00 UTC,"
        " 48 h 0 min before 2025-07-03 00:00 UTC; at most 24 h are allowed\n"
    ) in done.stdout
    results = (tmp_path / "target/run_results.json").read_text("utf-8")
    assert "the newest ordered_at is 2025-07-01 00:00 UTC" in results
