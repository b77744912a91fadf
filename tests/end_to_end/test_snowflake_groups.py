"""Groups on Snowflake: each has a transaction, a lock and a state; sources are read once."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from support.account import Account, Row
from support.processes import Result

SOURCES, GOLD = "GROUPS_SHOP", "GROUPS_GOLD"
DONE, FAILED = 0, 1
PACKAGE = {
    "__init__": "",
    "sources": """
        from marts import int64, source, string
        sales = source(
            "sales", doc="Sales.", grain="id",
            columns=[string("id"), int64("amount", at_least=0)],
        )
        stock = source(
            "stock", doc="Stock.", grain="id",
            columns=[string("id"), int64("pieces", at_least=0)],
        )
        rates = source("rates", doc="Rates.", grain="id", columns=[string("id"), int64("rate")])
    """,
    "revenue": """
        from marts import int64, mart, string
        @mart(grain="id", columns=[string("id"), int64("amount")], group="finance")
        def revenue(sales, rates):
            \"\"\"Return sales at their rates.\"\"\"
            joined = sales.join(rates, "id")
            return joined.select("id", amount=joined.amount * joined.rate)
    """,
    "pieces": """
        from marts import int64, mart, string
        @mart(grain="id", columns=[string("id"), int64("pieces")], group="shops")
        def pieces(stock, rates):
            \"\"\"Return the stock.\"\"\"
            joined = stock.join(rates, "id")
            return joined.select("id", pieces=joined.pieces * joined.rate)
    """,
    "turnover": """
        from marts import int64, mart, string
        @mart(grain="id", columns=[string("id"), int64("amount")])
        def turnover(revenue, pieces):
            \"\"\"Return revenue and stock in one.\"\"\"
            joined = revenue.join(pieces, "id")
            return joined.select("id", amount=joined.amount + joined.pieces)
    """,
}
MARTS = {"revenue": "amount", "pieces": "pieces", "turnover": "amount"}


@pytest.fixture(scope="module")
def folder(emulated: Account, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the package and the sources; return the folder."""
    found = tmp_path_factory.mktemp("groups")
    written(found, "grouped_shop")
    database, schema = emulated.database, emulated.schema(SOURCES)
    sql = emulated.session.cursor().execute
    sql(f'CREATE SCHEMA "{database}"."{schema}"')
    fill(emulated, "kept", "RATE", 2)
    # Time Travel does not reach behind it, so that a run copies it.
    sql(
        f"CREATE SECURE VIEW {emulated.location(SOURCES, 'rates')} AS"
        f" SELECT * FROM {emulated.location(SOURCES, 'kept')}"
    )
    write(emulated, sales=10, stock=1)
    return found


def written(folder: Path, package: str, *, groups: bool = True) -> None:
    """Write the package, with its groups or without."""
    (folder / package).mkdir()
    for name, text in PACKAGE.items():
        code = dedent(text).lstrip()
        code = code if groups else re.sub(r', group="\w+"', "", code)
        (folder / package / f"{name}.py").write_text(code, "utf-8")


def write(account: Account, **values: int) -> None:
    """Write a row into sources."""
    column = {"sales": "AMOUNT", "stock": "PIECES"}
    for name, value in values.items():
        fill(account, name, column[name], value)


def fill(account: Account, name: str, column: str, value: int) -> None:
    """Create a table of one row."""
    sql, table = account.session.cursor().execute, account.location(SOURCES, name)
    sql(f"CREATE OR REPLACE TABLE {table} (ID VARCHAR, {column} NUMBER(38, 0))")
    sql(f"INSERT INTO {table} VALUES ('a', {value})")


def run(
    account: Account, folder: Path, *more: str, package: str = "grouped_shop", schema: str = GOLD
) -> Result:
    """Run a package's groups."""
    location = account.run_words(schema=schema, sources=SOURCES)
    words = ("run", "--package", package, "--as-of", "2025-06-30", *location, *more)
    return account.call(*words, cwd=folder)


def seen(account: Account) -> dict[str, int]:
    """Return the value of each mart."""
    return {
        name: account.rows(f"SELECT {column} FROM {account.location(GOLD, name)}")[0][0]
        for name, column in MARTS.items()
    }


def ended(folder: Path) -> dict[str, str]:
    """Return how each group of the last run ended."""
    results = json.loads((folder / "target/run_results.json").read_text("utf-8"))
    return {each["name"]: each["status"] for each in results["groups"]}


def state(account: Account, table: str, schema: str = GOLD) -> dict[str, str]:
    """Return the kinds of the rows in a group's state table, by name; a run's name is not one."""
    rows: list[Row] = account.rows(f"SELECT NAME, KIND FROM {account.location(schema, table)}")
    return {name: kind for name, kind in rows if kind != "publication"}


@pytest.fixture(scope="module")
def first(emulated: Account, folder: Path) -> list[dict[str, Any]]:
    """Publish all groups; return the tags of what was sent."""
    with emulated.recorded() as sent:
        done = run(emulated, folder)
    assert done.returncode == DONE, done.stderr + done.stdout
    return [json.loads(each["tag"]) for each in sent]


def test_groups_share_sources_and_nothing_else(
    first: list[dict[str, Any]], emulated: Account, folder: Path
) -> None:
    assert ended(folder) == dict.fromkeys(("finance", "shops", "default"), "published")
    assert seen(emulated) == {"revenue": 20, "pieces": 2, "turnover": 22}
    steps = [tag["step"] for tag in first]
    assert [tag["mart"] for tag in first if tag["step"] == "copy"] == ["rates"]
    assert steps.count("moment") == 2, "one for what is pinned, one for the copy"
    sources = {"rates": "source", "lock": "lock"}
    assert state(emulated, "marts_state__finance") == (
        sources | {"sales": "source", "revenue": "table"}
    )
    assert state(emulated, "marts_state__shops") == (
        sources | {"stock": "source", "pieces": "table"}
    )
    assert emulated.tables(f"{GOLD}_CANDIDATES") == []


@contextmanager
def locked(account: Account, table: str, schema: str = GOLD) -> Iterator[None]:
    """Hold the lock of a group, as another run that publishes it does."""
    assert account.emulator
    with account.emulator.connect() as other:
        other.cursor().execute("BEGIN TRANSACTION")
        other.cursor().execute(
            f"UPDATE {account.location(schema, table)} SET RUN_ID = 'x' WHERE KIND = 'lock'"
        )
        try:
            yield
        finally:
            other.cursor().execute("ROLLBACK")


@pytest.mark.usefixtures("first")
def test_what_publishes_one_group_keeps_only_that_one_waiting(
    emulated: Account, folder: Path
) -> None:
    before = seen(emulated)
    write(emulated, sales=20, stock=2)
    with locked(emulated, "marts_state__finance"):
        done = run(emulated, folder, "--lock-timeout", "1")
    assert done.returncode == FAILED, done.stderr
    assert "group finance: another run is publishing the group finance" in done.stderr
    assert ended(folder) == {"finance": "error", "shops": "published", "default": "left"}
    assert seen(emulated) == before | {"pieces": 4}
    assert run(emulated, folder).returncode == DONE
    assert seen(emulated) == {"revenue": 40, "pieces": 4, "turnover": 44}


@pytest.mark.usefixtures("first")
def test_a_group_that_fails_leaves_those_that_read_it(emulated: Account, folder: Path) -> None:
    run(emulated, folder)
    before = seen(emulated)
    write(emulated, sales=30, stock=-1)
    done = run(emulated, folder)
    assert done.returncode == FAILED, done.stderr
    assert ended(folder) == {"finance": "published", "shops": "failed", "default": "left"}
    assert seen(emulated) == before | {"revenue": 60}
    assert emulated.tables(f"{GOLD}_CANDIDATES") == []
    ((status, published, error),) = emulated.rows(
        f"SELECT STATUS, MARTS_PUBLISHED, ERROR FROM {emulated.location(GOLD, 'marts_runs')}"
        " ORDER BY STARTED_AT DESC LIMIT 1"
    )
    assert (status, published) == ("failed", 1)
    assert error == (
        "group shops: failed: checks that did not hold: stock.pieces_at_least_0;"
        " group default: left: reads shops, which was not published"
    )
    write(emulated, stock=3)
    assert run(emulated, folder).returncode == DONE
    assert seen(emulated) == {"revenue": 60, "pieces": 6, "turnover": 66}


@pytest.mark.usefixtures("folder")
def test_a_mart_that_gets_a_group_waits_for_both_locks_and_is_recorded_there_alone(
    emulated: Account, tmp_path: Path, own_schema: str
) -> None:
    written(tmp_path, "regrouped_shop", groups=False)
    words = ("--threads", "2", "--lock-timeout", "1")

    def regrouped(*more: str) -> Result:
        return run(emulated, tmp_path, *words, *more, package="regrouped_shop", schema=own_schema)

    write(emulated, sales=1, stock=1)
    assert regrouped().returncode == DONE
    shutil.rmtree(tmp_path / "regrouped_shop")
    written(tmp_path, "regrouped_shop")
    with locked(emulated, "marts_state", own_schema):
        # As a version without groups holds it while it publishes.
        done = regrouped("-s", "group:finance")
    assert done.returncode == FAILED
    assert "another run is publishing into this schema" in done.stderr
    done = regrouped()
    assert done.returncode == DONE, done.stderr + done.stdout
    assert "group finance: revenue: in group default before" in done.stdout
    assert state(emulated, "marts_state__finance", own_schema)["revenue"] == "table"
    own = state(emulated, "marts_state", own_schema)
    assert {name for name, kind in own.items() if kind == "table"} == {"turnover"}
    assert emulated.tables(f"{own_schema}_CANDIDATES") == []
