"""`marts diff` and `marts run --diff`: what differs is said, and nothing is published by it."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from marts import Project
from support.account import Account
from support.paths import TESTS
from support.processes import Result, call_marts
from support.workshop import CUSTOMERS, ORDERS, SHOP, Workshop, order

DONE, FAILED, ASKED_WRONGLY = 0, 1, 2
MORE = order("new", "c3", "500.00")
SETTINGS = """
[tool.marts]
package = "toy"
data = "{data}"

[tool.marts.environments.here]
database = "here.duckdb"
backend = "duckdb"

[tool.marts.environments.there]
database = "there.duckdb"
backend = "duckdb"

[tool.marts.environments.prod]
backend = "snowflake"
{prod}
"""
Call = Callable[..., Result]


class Toy:
    """The shop's project in a folder, with its data and environments."""

    def __init__(self, folder: Path, prod: str = "", **environment: str) -> None:
        self.folder, self.environment = folder, environment
        self.shop = Workshop(folder, SHOP)
        self.write()
        shutil.copytree(TESTS / "toy_shop", folder / "toy", ignore=shutil.ignore_patterns("__py*"))
        settings = SETTINGS.format(data=self.shop.data, prod=prod)
        (folder / "pyproject.toml").write_text(settings, "utf-8")

    def write(self, *more: object) -> None:
        """Write the shop's data, with more orders than usual."""
        self.shop.write(customers=CUSTOMERS, orders=[*ORDERS, *more])

    def __call__(self, *words: object) -> Result:
        """Run `marts …` as of the day of the data."""
        variables = {"MARTS_PACKAGE": "", "MARTS_AS_OF": "2025-06-30", "MARTS_ENV": "here"}
        return call_marts(*words, cwd=self.folder, **{**variables, **self.environment})


@pytest.fixture
def toy(tmp_path: Path) -> Toy:
    return Toy(tmp_path)


def differing(done: Result) -> set[str]:
    document = json.loads(done.stdout)
    return {each["mart"] for each in document["marts"] if each["different"]}


def test_two_environments_and_a_database(toy: Toy) -> None:
    assert toy("run").returncode == toy("run", "--env", "there").returncode == DONE
    for against in ("there", "there.duckdb", "./there.duckdb", "env:there"):
        same = toy("diff", "--against", against)
        assert same.returncode == DONE, same.stderr
        assert "no difference in" in same.stdout
    toy.write(MORE)
    assert toy("run").returncode == DONE
    found = toy("diff", "--against", "there", "--json")
    assert found.returncode == FAILED
    (mart,) = (m for m in json.loads(found.stdout)["marts"] if m["mart"] == "customer_totals")
    spend = next(each for each in mart["columns"] if each["column"] == "spend")
    assert (mart["added"], mart["removed"], mart["changed"], spend["changed"]) == (0, 0, 1, 1)
    assert float(spend["sum"]["after"]) - float(spend["sum"]["before"]) == 500
    assert [each["key"] for each in spend["largest"]] == [{"customer_id": "c3"}]


def test_what_is_published_and_what_a_run_would_publish(toy: Toy) -> None:
    assert toy("run").returncode == DONE
    before = (toy.folder / "here.duckdb").read_bytes()
    toy.write(MORE)
    found = toy("diff", "--json")
    assert found.returncode == FAILED
    assert "customer_totals" in differing(found)
    assert (toy.folder / "here.duckdb").read_bytes() == before


def test_other_data_and_other_days(toy: Toy) -> None:
    shutil.copytree(toy.shop.data, toy.folder / "old")
    toy.write(MORE)
    assert "customer_totals" in differing(toy("diff", "--against", "old", "--json"))
    early = toy("diff", "--against", "2025-02-01", "--json")
    assert "customer_totals" in differing(early), early.stderr


def test_what_is_gone_from_the_package_is_not_left_out(toy: Toy) -> None:
    assert toy("run").returncode == toy("run", "--env", "there").returncode == DONE
    (toy.folder / "toy/shop_overview.py").unlink()
    assert toy("run", "--drop-orphans").returncode == DONE
    found = toy("diff", "--against", "there", "--json")
    assert differing(found) == {"shop_overview"}, found.stderr
    with duckdb.connect(str(toy.folder / "there.duckdb")) as connection:
        connection.execute("DELETE FROM gold.customer_totals")
    assert differing(toy("diff", "customer_totals", "--against", "there", "--json")) == {
        "customer_totals"
    }


def git(folder: Path, *words: str) -> None:
    name = ("-c", "user.name=me", "-c", "user.email=me@example.com")
    call = ["git", *name, *words]
    subprocess.run(call, cwd=folder, check=True, capture_output=True)


def test_a_revision_and_the_code_behind_each_column(toy: Toy) -> None:
    git(toy.folder, "init", "--quiet", "--initial-branch", "trunk")
    git(toy.folder, "add", "toy", "pyproject.toml")
    git(toy.folder, "commit", "--quiet", "--message", "Add the shop")
    file = toy.folder / "toy/sales/customer_totals.py"
    text = file.read_text("utf-8")
    assert "int_paid_orders.amount.sum()" in text
    file.write_text(
        text.replace("int_paid_orders.amount.sum()", "(int_paid_orders.amount * 2).sum()"), "utf-8"
    )
    found = toy("diff", "--against", "trunk", "--json")
    assert found.returncode == FAILED, found.stderr
    marts = {each["mart"]: each for each in json.loads(found.stdout)["marts"]}
    code = marts["customer_totals"]["code"]["columns"]["spend"]
    assert any(e["location"].startswith("toy/sales/customer_totals.py:") for e in code)
    assert any(e["location"].startswith("trunk:toy/sales/customer_totals.py:") for e in code)
    text = toy("diff", "--against", "rev:trunk", "--format", "markdown").stdout
    assert "<details><summary>customer_totals</summary>" in text
    called = Project.load(toy.folder, as_of="2025-06-30", env="here").diff("rev:trunk")
    assert {mart.mart for mart in called.marts if mart.is_different} == {
        name for name, each in marts.items() if each["different"]
    }


def test_another_packages_table_is_said_to_be_one(toy: Toy) -> None:
    assert toy("run").returncode == toy("run", "--env", "there").returncode == DONE
    with duckdb.connect(str(toy.folder / "there.duckdb")) as connection:
        connection.execute("UPDATE gold.marts_state SET package = 'other'")
    found = toy("diff", "customer_totals", "--against", "there")
    assert found.returncode == FAILED
    assert "in before, it was published by another package, other" in found.stdout


@pytest.mark.parametrize("against", ["here.duckdb", "there", "2025-06-30", "data"])
def test_a_build_is_not_compared_with_itself(against: str, toy: Toy) -> None:
    words = ["--database", toy.folder / "there.duckdb"] if against == "there" else []
    assert toy("run", *words).returncode == DONE
    against = str(toy.shop.data) if against == "data" else against
    done = toy("diff", "--against", against, *words)
    assert done.returncode == ASKED_WRONGLY, done.stdout
    assert "both sides are the same marts" in done.stderr


WRONG = {
    "nothing of the kind": (["--against", "nowhere"], "no such environment, file, folder or git"),
    "a misspelt environment": (["--against", "ther"], "did you mean there?"),
    "several things": (["--against", "there"], "may mean several things"),
    "itself": (["--against", "here"], "the environment of the call itself"),
    "another file": (["--against", "pyproject.toml"], "is not a DuckDB database"),
    "no name": (["--against", "rev:"], "--against rev: has no name"),
    "no such day": (["--against", "2025-02-30"], "there is no such day"),
    "a temporary mart": (["int_paid_orders"], "temporary"),
    "an unknown mart": (["totals_of_all"], "no mart matches totals_of_all"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_meant_is_not_guessed(case: str, toy: Toy) -> None:
    words, said = WRONG[case]
    if case == "several things":
        (toy.folder / "there").mkdir()
    if case == "a temporary mart":
        file = toy.folder / "toy/intermediate/int_paid_orders.py"
        text = file.read_text("utf-8").replace('"view"', '"temporary"')
        file.write_text(text, "utf-8")
    done = toy("diff", *words)
    assert done.returncode == ASKED_WRONGLY, done.stdout
    assert said in done.stderr


def test_what_is_published_is_compared_without_data(toy: Toy) -> None:
    assert toy("run").returncode == toy("run", "--env", "there").returncode == DONE
    file = toy.folder / "pyproject.toml"
    lines = file.read_text("utf-8").splitlines(keepends=True)
    file.write_text("".join(line for line in lines if not line.startswith("data =")), "utf-8")
    shutil.rmtree(toy.shop.data)
    for against in ("there", "there.duckdb"):
        # A view would read the data.
        done = toy("diff", "customer_totals", "model_sales", "--against", against)
        assert done.returncode == DONE, done.stderr


def test_marts_that_nobody_has_published_are_no_agreement(toy: Toy) -> None:
    done = toy("diff", "--against", "there")
    assert done.returncode == ASKED_WRONGLY
    assert "none of the selected marts is published" in done.stderr


def over_the_limit(toy: Toy, *words: str) -> Result:
    assert toy("run", *words).returncode == DONE
    assert toy("run", "--force", "--max-change", "0%", *words).returncode == DONE
    toy.write(MORE)
    return toy("run", "--max-change", "5%", *words)


def test_a_run_that_changes_too_much_publishes_nothing(toy: Toy) -> None:
    stopped = over_the_limit(toy)
    assert stopped.returncode == FAILED
    assert "the run would change more than 5%; nothing was published" in stopped.stderr
    assert "customer_totals: the sum of spend" in stopped.stderr
    with duckdb.connect(str(toy.folder / "here.duckdb")) as connection:
        (spend,) = connection.execute("SELECT sum(spend) FROM gold.customer_totals").fetchall()[0]
        runs = connection.execute(
            "SELECT status FROM gold.marts_runs ORDER BY started_at"
        ).fetchall()
    assert float(spend) == 1325.8
    assert [status for (status,) in runs][-1] == "error"
    later = toy("run", "--as-of", "2025-07-01", "--diff", "--json")
    assert later.returncode == DONE, later.stderr
    document = json.loads(later.stdout)
    assert {each["mart"] for each in document["differences"]} >= {"customer_totals"}
    assert "diff  customer_totals" in later.stderr


def test_a_limit_lets_no_mart_be_dropped(toy: Toy) -> None:
    assert toy("run").returncode == DONE
    (toy.folder / "toy/shop_overview.py").unlink()
    stopped = toy("run", "--drop-orphans", "--max-change", "1000%")
    assert (stopped.returncode, "shop_overview: it is dropped" in stopped.stderr) == (FAILED, True)
    done = toy("run", "--drop-orphans", "--diff")
    assert done.returncode == DONE, done.stderr
    assert "diff  shop_overview: only before, 1 row" in done.stdout


def test_a_renamed_column_is_within_no_limit(toy: Toy) -> None:
    assert toy("run").returncode == DONE
    file = toy.folder / "toy/sales/customer_totals.py"
    file.write_text(file.read_text("utf-8").replace("last_order_on", "last_paid_on"), "utf-8")
    stopped = toy("run", "--max-change", "100%")
    assert stopped.returncode == FAILED
    assert "customer_totals: column last_order_on is only in before" in stopped.stderr
    assert toy("run", "--diff").returncode == DONE


def test_a_column_of_the_date_is_compared_as_of_the_same_date(toy: Toy) -> None:
    assert toy("run").returncode == DONE
    file = toy.folder / "toy/shop_overview.py"
    file.write_text(file.read_text("utf-8").replace("as_of.date", "as_of.minus(days=1)"), "utf-8")
    stopped = toy("run", "--max-change", "5%")
    assert stopped.returncode == FAILED
    assert "shop_overview: 2 of 1 rows" in stopped.stderr
    later = toy("run", "--max-change", "5%", "--as-of", "2025-07-01")
    assert "shop_overview: 2 of 1 rows" not in later.stderr


def test_a_limit_is_a_percentage_and_needs_a_run(toy: Toy) -> None:
    for words, said in (
        (["--max-change", "much"], "is not a percentage"),
        (["--max-change", "-5%"], "is not a percentage"),
        (["--dry-run", "--diff"], "a dry run builds nothing"),
    ):
        done = toy("run", *words)
        assert (done.returncode, said in done.stderr) == (ASKED_WRONGLY, True)


def test_snowflake_and_duckdb_and_two_builds_in_an_account(
    account: Account, own_schema: str, tmp_path: Path
) -> None:
    names = {name: account.schema(f"{own_schema}_{name[0].upper()}") for name in ("marts", "raw")}
    prod = f'''connection = "{account.name}"
database = "{account.database}"
schema = "{names["marts"]}"
source_schema = "{names["raw"]}"'''
    toy = Toy(tmp_path, prod, **account.environment())
    load = [*account.load_words(f"{own_schema}_R"), "--data", toy.shop.data, "--overwrite"]
    assert account.call(*load, cwd=tmp_path).returncode == DONE
    assert toy("run").returncode == toy("run", "--env", "prod").returncode == DONE
    same = toy("diff", "--against", "prod")
    assert same.returncode == DONE, same.stdout + same.stderr
    assert "no difference in" in same.stdout
    assert "no difference in" in toy("diff", "--env", "prod").stdout
    toy.write(MORE)
    assert toy("run").returncode == DONE
    assert "customer_totals" in differing(toy("diff", "--against", "prod", "--json"))
    assert account.call(*load, cwd=tmp_path).returncode == DONE
    stopped = toy("run", "--env", "prod", "--max-change", "5%")
    assert stopped.returncode == FAILED
    assert "customer_totals: the sum of spend" in stopped.stderr
    preview = toy("diff", "--env", "prod", "--json")
    assert "customer_totals" in differing(preview), preview.stderr
    days = toy("diff", "--env", "prod", "--against", "2025-02-01", "--json")
    assert "customer_totals" in differing(days), days.stderr
