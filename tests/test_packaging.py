"""The wheel works by itself: in an environment that has what it declares, and nothing else."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from importlib.metadata import distributions
from pathlib import Path

import pytest

import marts as front_door
from support.installed import Installed
from support.paths import REPOSITORY

PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))["project"]


def test_the_wheel_holds_what_is_named_and_nothing_else(installed: Installed) -> None:
    (ours,) = distributions(name="marts", path=[str(installed.packages)])
    files = {str(file) for file in ours.files or ()}
    tops = {name.partition("/")[0] for name in files if "dist-info" not in name}
    assert tops - {".."} == {"_marts_entry.py", "marts"}
    data = ("people.json", "dataset.json", "fct_transactions.parquet")
    assert {"marts/py.typed", *(f"marts/core/_fixtures/{name}" for name in data)} <= files


def test_the_wheel_builds_the_bundled_data(installed: Installed, tmp_path: Path) -> None:
    done = installed.call("marts", "run", "--package", "marts", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert str(installed.packages) in done.stdout
    assert re.search(r"^done  published \d+ marts; ", done.stdout, re.MULTILINE)


def test_the_version_is_that_of_the_project(installed: Installed, tmp_path: Path) -> None:
    done = installed.call("marts", "--version", cwd=tmp_path)
    assert done.stdout.split()[-1] == PROJECT["version"]
    changes = (REPOSITORY / "CHANGELOG.md").read_text("utf-8")
    version = re.escape(PROJECT["version"])
    assert re.search(rf"^## \[?{version}\]? - \d{{4}}-\d\d-\d\d$", changes, re.MULTILINE)


@pytest.mark.parametrize("words", ["run --package marts --backend snowflake", "load"])
def test_an_extra_that_is_missing_is_named(
    installed: Installed, tmp_path: Path, words: str
) -> None:
    done = installed.call("marts", *words.split(), cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("error: this command needs marts[snowflake]\n")
    assert done.stderr.endswith("\nhint: pip install 'snowflake-connector-python<5,>=4.8'\n")


def test_the_generator_names_its_extra(installed: Installed, tmp_path: Path) -> None:
    # Ibis brings numpy today; another Ibis may not.
    script = "import sys, _marts_entry; sys.modules['numpy'] = None; _marts_entry.main()"
    done = installed.call("python", "-c", script, "generate", "data", cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert done.stderr.endswith("\nhint: pip install 'numpy>=2'\n")
    assert installed.call("marts", "generate", "data", cwd=tmp_path).returncode == 0


# What an author's type checker says

AUTHORED = '''
"""Marts of a package that somebody else wrote, with every name of the front door."""

from marts import (
    AsOf,
    Table,
    acknowledge,
    boolean,
    date,
    decimal,
    float64,
    int64,
    invariant,
    labels,
    mart,
    money,
    percent,
    ratio,
    relationship,
    row_check,
    sample_stddev,
    source,
    string,
    table_check,
    timestamp,
    unique,
)

orders = source(
    "orders",
    doc="Orders.",
    grain="order_id",
    columns=[
        string("order_id"),
        string("customer_id", null=True),
        timestamp("ordered_at", zone="Europe/Berlin"),
        decimal("amount", 10, 2, at_least=0),
        boolean("paid"),
    ],
    checks=[relationship("customer_id", to="customers.customer_id", severity="warn")],
    acknowledged=[acknowledge("customer_id_in_customers", reason="guests", until="2027-06-30")],
)


@invariant(changes="orders", varies_with={"count": 2, "sum": 2})
def every_order_twice(orders: Table) -> Table:
    """Every order occurs twice."""
    return orders.union(orders.mutate(order_id=orders.order_id + "-again"))


@mart(
    grain=("customer_id", "month"),
    tags=["sales"],
    columns=[
        string("customer_id"),
        date("month"),
        int64("orders", at_least=1, varies_with="count"),
        money("spend", at_least=0),
        float64("average", null=True),
        float64("share", null=True, at_most=100),
    ],
    checks=[
        unique("customer_id", "month", where=lambda t: t.orders > 1),
        row_check("spends", offending=lambda t: t.spend <= 0, severity="warn", threshold="1%"),
        table_check("no_day_to_come", offending=lambda this, as_of: this.month.max() > as_of.date),
    ],
)
def monthly_orders(orders: Table, as_of: AsOf) -> Table:
    """Orders of a customer and a month."""
    known = orders.filter(orders.paid, orders.ordered_at.date() <= as_of.minus(days=0))
    rows = known.group_by("customer_id", month=known.ordered_at.truncate("month")).aggregate(
        orders=known.count(), spend=known.amount.sum()
    )
    return rows.mutate(
        average=ratio(rows.spend, rows.orders), share=percent(rows.spend, rows.spend.sum())
    )
'''
UNTYPED_IBIS = 'shop.py:2: error: Skipping analyzing "ibis": module is installed'


def strictly(installed: Installed, folder: Path, code: str) -> str:
    """Return what `mypy --strict` says of an author's module, without any settings."""
    (folder / "shop.py").write_text(code, "utf-8")
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file=", "shop.py"]
    command += ["--python-executable", str(installed.folder / "bin/python")]
    # What the front door imports is the same for every author.
    command += ["--cache-dir", str(installed.folder / "types")]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


def test_an_authors_package_is_strictly_typed(installed: Installed, tmp_path: Path) -> None:
    unused = [name for name in front_door.__all__ if not re.search(rf"\b{name}\b", AUTHORED)]
    assert not unused, "the author's package lacks names of the front door"
    assert strictly(installed, tmp_path, AUTHORED).startswith("Success: no issues found")


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        ('"warn", threshold', '"warning", threshold', 'Argument "severity" to "row_check"'),
        ('int64("orders", at_least=1', 'int64("orders", at_leats=1', 'keyword argument "at_leats"'),
        ("minus(days=0)", "minus(0)", 'Too many positional arguments for "minus" of "AsOf"'),
    ],
)
def test_an_authors_slip_is_found(
    installed: Installed, tmp_path: Path, right: str, wrong: str, said: str
) -> None:
    code = AUTHORED.replace(right, wrong)
    assert code != AUTHORED
    assert said in strictly(installed, tmp_path, code)


def test_ibis_alone_has_no_types(installed: Installed, tmp_path: Path) -> None:
    # README says what to set; an Ibis with types makes that line of it wrong.
    first, *further = strictly(installed, tmp_path, f"\nimport ibis{AUTHORED}").splitlines()
    assert first.startswith(UNTYPED_IBIS)
    assert not [line for line in further if ": error: " in line]
