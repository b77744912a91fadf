"""Environments on DuckDB: a developer builds what changed, and reads the rest in production."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pytest

from support.paths import TESTS
from support.processes import Result, call_marts
from support.workshop import CUSTOMERS, ORDERS, SHOP, Workshop, order

DONE, FAILED, ASKED_WRONGLY = 0, 1, 2
DAY = "2025-06-30"
SETTINGS = """
[tool.marts]
package = "toy"
data = "data"
env = "dev"
defer = "prod"

[tool.marts.environments.prod]
database = "prod.duckdb"

[tool.marts.environments.dev]
# The same schema in another file: a view of production must read its own tables nevertheless.
database = "dev.duckdb"

[tool.marts.environments.beside]
database = "prod.duckdb"
schema = "dev_me"

[tool.marts.environments.nothing]
database = "nothing.duckdb"
schema = "whole"
"""
SCHEMAS = {"prod": "gold", "dev": "gold", "beside": "dev_me", "nothing": "whole"}
FILES = {"prod": "prod", "dev": "dev", "beside": "prod", "nothing": "nothing"}
ASKED = ("customer_totals", "shop_overview")
SELECTED = ("-s", ",".join(ASKED))
UNCHECKED = (
    "UPDATE gold.marts_state"
    """ SET origin = replace(origin, 'is_unchecked": false', 'is_unchecked": true')"""
)
HOLD = """
import sys, duckdb
held = duckdb.connect(sys.argv[1])
print("held", flush=True)
sys.stdin.read()
"""


@dataclass(frozen=True)
class Firm:
    """The bicycle shop as a project of its own, whose code a test may change."""

    folder: Path

    def write(self, *more: Any) -> None:
        """Write the data, with more orders than usual."""
        shop = Workshop(self.folder, SHOP)
        shop.write(customers=CUSTOMERS, orders=[*ORDERS, *more])

    def edit(self, file: str, old: str, new: str) -> None:
        """Change the code of a mart."""
        path = self.folder / "toy" / file
        text = path.read_text("utf-8")
        assert text.count(old) == 1
        path.write_text(text.replace(old, new), "utf-8")
        shutil.rmtree(path.parent / "__pycache__", ignore_errors=True)

    def marts(self, *words: object) -> Result:
        """Run `marts …` there, as of the same day."""
        return call_marts(*words, cwd=self.folder, MARTS_PACKAGE="", MARTS_AS_OF=DAY)

    def done(self, *words: object) -> str:
        """Run `marts …` there, which must succeed; return what it prints."""
        result = self.marts(*words)
        assert result.returncode == DONE, result.stderr + result.stdout
        return result.stderr + result.stdout

    def refused(self, *words: object, code: int = ASKED_WRONGLY) -> str:
        """Run `marts …` there, which must refuse; return why."""
        result = self.marts(*words)
        assert result.returncode == code, result.stderr + result.stdout
        assert "Traceback" not in result.stderr
        return result.stderr

    def execute(self, env: str, sql: str) -> list[tuple[Any, ...]]:
        """Run a statement in the file of an environment."""
        with duckdb.connect(str(self.folder / f"{FILES[env]}.duckdb")) as connection:
            return connection.execute(sql).fetchall()

    def rows(self, env: str) -> dict[str, list[tuple[Any, ...]]]:
        """Return all rows of an environment's marts."""
        schema = SCHEMAS[env]
        names = self.execute(
            env,
            "SELECT table_name FROM information_schema.tables"
            f" WHERE table_schema = '{schema}' AND table_name NOT IN ('marts_state', 'marts_runs')",
        )
        return {n: self.execute(env, f"FROM {schema}.{n} ORDER BY ALL") for (n,) in names}

    def from_nothing(self) -> dict[str, list[tuple[Any, ...]]]:
        """Return the rows of all marts, built anew from the data and the code as they are."""
        (self.folder / "nothing.duckdb").unlink(missing_ok=True)
        self.done("run", "--env", "nothing")
        return self.rows("nothing")


@pytest.fixture
def firm(tmp_path: Path) -> Firm:
    """Return a project whose marts production has published."""
    shutil.copytree(TESTS / "toy_shop", tmp_path / "toy", ignore=shutil.ignore_patterns("__py*"))
    (tmp_path / "pyproject.toml").write_text(SETTINGS, "utf-8")
    found = Firm(tmp_path)
    found.write()
    assert "as of 2025-06-30 · prod · duckdb" in found.done("run", "--env", "prod")
    return found


@pytest.mark.parametrize("env", ["dev", "beside"])
def test_what_is_built_on_another_environment_is_what_is_built_from_nothing(
    env: str, firm: Firm
) -> None:
    words = ("run", "--env", env, *SELECTED)
    firm.edit("sales/customer_totals.py", '1000, "gold"', '40, "gold"')
    before = firm.rows("prod")
    planned = json.loads(firm.done(*words, "--dry-run", "--json"))
    assert list(planned["deferred"]) == ["int_paid_orders", "model_sales"]
    said = firm.done(*words)
    assert "read  int_paid_orders, model_sales: from prod, prod.duckdb, schema gold" in said
    results = json.loads((firm.folder / "target/run_results.json").read_text("utf-8"))
    assert (results["environment"], list(results["deferred"])) == (env, list(planned["deferred"]))
    whole = firm.from_nothing()
    assert whole["customer_totals"] != before["customer_totals"]
    assert firm.rows(env) == {name: whole[name] for name in ASKED}
    assert firm.rows("prod") == before
    runs = f"SELECT environment FROM {SCHEMAS[env]}.marts_runs"
    assert firm.execute(env, runs) == [(env,)]
    assert "nothing to do" in firm.done(*words)

    # Production publishes the same anew: it is not known to be the same.
    firm.done("run", "--env", "prod", "--force")
    assert "build customer_totals: int_paid_orders changed" in firm.done(*words)

    # The data change: production is not up to date until it has published them.
    firm.write(order("new", "c3", "777.00"))
    said = firm.refused(*words)
    assert (
        "error: the selection reads marts that are up to date neither here nor in prod\n"
        "  customer_totals reads int_paid_orders: not published here; source orders changed in prod"
    ) in said
    assert (
        "hint: build them together: marts run --defer prod -s int_paid_orders -s customer_totals"
        " -s model_sales -s shop_overview\n  or publish them there first, if prod reads the"
        " same data: marts run --env prod\n"
    ) in said
    firm.done("run", "--env", "prod")
    firm.done(*words)
    whole = firm.from_nothing()
    assert ("new", "c3") in {row[:2] for row in whole["int_paid_orders"]}
    assert firm.rows(env) == {name: whole[name] for name in ASKED}


@pytest.mark.parametrize(
    ("words", "damage", "reason"),
    [
        ((), "UPDATE gold.model_sales SET sold = sold + 1", "altered since it was published"),
        (("--as-of", "2025-06-29"), "SELECT 1", "as of 2025-06-30 before"),
        ((), "DROP TABLE gold.model_sales", "not published"),
        ((), "UPDATE gold.marts_state SET package = 'x' WHERE kind = 'table'", "not published"),
        ((), UNCHECKED, "its sources were not checked"),
    ],
)
def test_what_is_not_up_to_date_there_is_not_read(
    words: tuple[str, ...], damage: str, reason: str, firm: Firm
) -> None:
    firm.execute("prod", damage)
    said = firm.refused("run", "-s", "shop_overview", *words)
    assert f"shop_overview reads model_sales: not published here; {reason} in prod\n" in said
    assert not (firm.folder / "dev.duckdb").exists() or firm.rows("dev") == {}


def test_the_commands_that_a_refusal_names_work(firm: Firm) -> None:
    firm.edit("sales/model_sales.py", "sold=t.count()", "sold=t.count() + 0 * t.count()")
    said = firm.refused("run", "-s", "shop_overview")
    command = said.partition("hint: build them together: marts ")[2].partition("\n")[0]
    assert command == "run --defer prod -s model_sales -s shop_overview"
    assert "published 2 marts" in firm.done(*command.split())


def test_a_view_there_reads_its_own_tables_and_a_view_here_reads_none_there(firm: Firm) -> None:
    firm.edit("intermediate/int_paid_orders.py", 'materialized="view"', 'materialized="table"')
    firm.edit("sales/model_sales.py", 'tags=["sales"]', 'tags=["sales"], materialized="view"')
    assert "published 4" in firm.done("run")
    firm.write(order("new", "c3", "777.00"))
    firm.done("run", "--env", "prod")
    # Both files have a table gold.int_paid_orders; the one of dev is older.
    said = firm.done("run", "-s", "shop_overview")
    assert "read  customer_totals, model_sales: from prod" in said
    whole = firm.from_nothing()
    assert firm.rows("dev")["shop_overview"] == whole["shop_overview"]

    said = firm.refused("run", "-s", "model_sales")
    assert "the view model_sales reads int_paid_orders in prod\nhint: build them together" in said
    command = said.partition("together: marts ")[2].strip()
    assert command == "run --defer prod -s int_paid_orders -s model_sales"
    firm.done(*command.split())
    assert firm.rows("dev") == whole | {"customer_totals": firm.rows("dev")["customer_totals"]}


def test_what_is_up_to_date_here_is_read_here(firm: Firm) -> None:
    firm.done("run", "-s", "model_sales")
    said = firm.done("run", "-s", "shop_overview")
    assert "read  customer_totals: from prod, prod.duckdb, schema gold\n" in said
    # Without the other environment, nothing that was read there is assumed.
    said = firm.refused("run", "-s", "shop_overview", "--env", "nothing", "--defer", "dev")
    assert "reads customer_totals: not published here; not published in dev" in said


def test_checks_of_what_is_published_here_read_the_rest_there(firm: Firm) -> None:
    firm.done("run", "-s", "model_sales")
    words = ("test", "-s", "model_sales")
    # It reads int_paid_orders, which is only there.
    assert "read  int_paid_orders: from prod" in firm.done(*words)
    # Without a selection, what is published here is tested.
    said = firm.done("test")
    assert "model_sales  " in said
    assert "customer_totals  " not in said


@pytest.mark.parametrize(
    ("words", "code", "expected"),
    [
        ("--defer dev", ASKED_WRONGLY, "--defer dev: this is the environment of the run itself"),
        ("--defer prd", ASKED_WRONGLY, "--defer prd: there is no such environment"),
        ("--defer nothing", ASKED_WRONGLY, "nothing is published in nothing: there is no noth"),
        ("--database prod.duckdb", ASKED_WRONGLY, "prod publishes its marts where this run does"),
        ("--database prod.duckdb --schema GOLD", ASKED_WRONGLY, "where this run does"),
        ("--backend snowflake", ASKED_WRONGLY, "its marts are on duckdb, this run is on snowfl"),
    ],
)
def test_an_environment_that_cannot_be_read_is_refused(
    words: str, code: int, expected: str, firm: Firm
) -> None:
    assert expected in firm.refused("run", *words.split(), code=code)


def test_a_file_that_another_process_writes_to_is_not_read(firm: Firm) -> None:
    held = firm.folder / "prod.duckdb"
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, held], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout
        other.stdout.readline()
        said = firm.refused("run", "-s", "shop_overview", code=FAILED)
        other.communicate(b"")
    assert "error: another process holds prod.duckdb\n  held in " in said
    assert "hint: close it, or wait until its run has ended, or pass another --defer" in said
