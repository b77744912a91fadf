"""The wheel works by itself: in an environment that has what it declares, and nothing else."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
from importlib.metadata import distributions
from pathlib import Path
from types import ModuleType

import pyarrow as pa
import pyarrow.parquet as pq
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
    texts = ("marts/README.md", "marts/marketing/metric_customer_ltv.md")
    assert {"marts/py.typed", *texts, *(f"marts/core/_fixtures/{name}" for name in data)} <= files
    site = ("templates/table.html", "static/site.css", "static/site.js")
    assert {f"marts/core/catalog/{name}" for name in site} <= files


def test_a_wheel_from_the_sdist_is_the_same(installed: Installed, tmp_path: Path) -> None:
    def build(kind: str, folder: Path) -> Path:
        command = [sys.executable, "-m", "hatchling", "build", "-t", kind, "-d", str(tmp_path)]
        subprocess.run(command, cwd=folder, check=True, capture_output=True)
        (built,) = tmp_path.glob("*.tar.gz" if kind == "sdist" else "*.whl")
        return built

    with tarfile.open(build("sdist", REPOSITORY)) as archive:
        archive.extractall(tmp_path, filter="data")
    (unpacked,) = tmp_path.glob("marts-*/")
    assert build("wheel", unpacked).read_bytes() == installed.wheel.read_bytes()


def hook() -> ModuleType:
    """Return the build hook, which no package has."""
    file = REPOSITORY / ".ci/wheel.py"
    spec = importlib.util.spec_from_file_location("wheel_hook", file)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("from backends.sql import x", "from marts.core._backends.sql import x"),
        ("from backends import (\n    a,\n)", "from marts.core._backends import (\n    a,\n)"),
        ("def é():\n    from cli import main", "def é():\n    from marts.core._cli import main"),
        ('"""backends.sql has it."""', None),
        ("from ibis.backends.sql import x", None),
        ("from fixtures_of_ours import x; n = 'data/fixtures are'", None),
    ],
)
def test_the_build_rewrites_imports_and_nothing_else(code: str, expected: str | None) -> None:
    assert hook().rewritten(code, "a.py") == (expected or code)


@pytest.mark.parametrize(
    "line",
    [
        "import backends",
        "import os, fixtures.stars as stars",
        "from  backends import sql",
        "from .sql import x",
        "import_module('backends.sql')",
        "FOLDER = ROOT / 'fixtures'",
        "FILE = 'fixtures/people.json'",
        "NAMES = ('cli',)",
    ],
)
def test_the_build_refuses_what_it_cannot_rewrite(line: str) -> None:
    with pytest.raises(ValueError, match=r"^a\.py:2: .*write `from <module> import <name>`"):
        hook().rewritten(f'"""Text."""\n{line}', "a.py")


def test_the_wheel_builds_the_bundled_data(installed: Installed, tmp_path: Path) -> None:
    done = installed.call("marts", "run", "--package", "marts", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert str(installed.packages) in done.stdout
    assert re.search(r"^done  published \d+ marts; ", done.stdout, re.MULTILINE)


def test_python_loads_a_project_beside_packages_of_names_like_ours(
    installed: Installed, tmp_path: Path
) -> None:
    (tmp_path / "backends").mkdir()
    (tmp_path / "backends/__init__.py").write_text("MINE = True\n", "utf-8")
    script = """
import backends
from marts import Project

project = Project.load(package="marts")
project.run().raise_for_status()
print(project.show("customer_segments", limit=0).total, backends.MINE)
"""
    done = installed.call("python", "-c", script, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "2000 True\n"), done.stderr


def test_the_version_is_that_of_the_project(installed: Installed, tmp_path: Path) -> None:
    done = installed.call("marts", "--version", cwd=tmp_path)
    assert done.stdout.split()[-1] == PROJECT["version"]
    changes = (REPOSITORY / "CHANGELOG.md").read_text("utf-8")
    version = re.escape(PROJECT["version"])
    assert re.search(rf"^## \[?{version}\]? - \d{{4}}-\d\d-\d\d$", changes, re.MULTILINE)


CONNECTOR = "snowflake-connector-python"


@pytest.mark.parametrize(
    ("words", "extra", "needed"),
    [
        ("run --package marts --backend snowflake", "snowflake", CONNECTOR),
        ("load", "snowflake", CONNECTOR),
        ("emulator", "proof", "fakesnow[server]"),
        ("docs --package marts", "docs", "jinja2"),
    ],
)
def test_an_extra_that_is_missing_is_named(
    installed: Installed, tmp_path: Path, words: str, extra: str, needed: str
) -> None:
    done = installed.call("marts", *words.split(), cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: this command needs marts[{extra}]\n")
    hint = done.stderr.splitlines()[-1]
    assert re.match(rf"hint: pip install .*'{re.escape(needed)}[<>=]", hint)


def test_the_generator_names_its_extra(installed: Installed, tmp_path: Path) -> None:
    # Ibis brings numpy today; another Ibis may not.
    script = "import sys, _marts_entry; sys.modules['numpy'] = None; _marts_entry.main()"
    done = installed.call("python", "-c", script, "generate", "data", cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert done.stderr.endswith("\nhint: pip install 'numpy>=2'\n")
    assert installed.call("marts", "generate", "data", cwd=tmp_path).returncode == 0


# Beside a project's own modules

ALL_ORDERS = '''
from marts import decimal, mart, string

@mart(grain="order_id", columns=[string("order_id"), decimal("amount", 10, 2)])
def all_orders(orders):
    """Orders."""
    return orders
'''
BOTH = """
import cli
from backends import WHOSE

assert cli.WHOSE == WHOSE == "theirs"
"""
THEIRS = {
    "backends/__init__.py": "WHOSE = 'theirs'",
    "fixtures/__init__.py": "WHOSE = 'theirs'",
    "tests/__init__.py": "",
    "cli.py": "WHOSE = 'theirs'",
    # Of Python and of a library: nothing of the folder is imported instead.
    "queue.py": "raise SystemExit(7)",
    "duckdb.py": "raise SystemExit(7)",
    "pyproject.toml": '[tool.marts]\npackage = "shop_marts"\ndata = "data"\n',
    "src/shop_marts/__init__.py": "",
    "src/shop_marts/sources.py": """
from marts import decimal, source, string

orders = source(
    "orders", doc="Orders.", grain="order_id",
    columns=[string("order_id"), decimal("amount", 10, 2)],
)
""",
    "src/shop_marts/all_orders.py": f"{BOTH}{ALL_ORDERS}",
    "tests/test_both.py": """
import backends, cli, fixtures
from marts import mart
from marts.core._backends.sql import recorded

def test_both():
    assert {backends.WHOSE, cli.WHOSE, fixtures.WHOSE} == {"theirs"}
    assert "site-packages" in mart.__code__.co_filename
""",
}
EVERY_MODULE = """
import importlib, pkgutil, sys, marts
for found in pkgutil.walk_packages(marts.__path__, "marts."):
    importlib.import_module(found.name)
print(*sorted({"backends", "cli", "fixtures"} & sys.modules.keys()), "imported")
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return a project in a layout of its own, with modules that have the names of ours."""
    for name, text in THEIRS.items():
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8")
    (tmp_path / "data").mkdir()
    rows = {"order_id": ["a", "b"], "amount": pa.array([1, 2], pa.decimal128(10, 2))}
    pq.write_table(pa.table(rows), tmp_path / "data/orders.parquet")
    return tmp_path


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("marts", "run"), "published 1 mart; "),
        (("python", "-m", "marts", "run"), "published 1 mart; "),
        (("python", "-m", "marts", "ls"), "all_orders"),
        (("python", "-m", "pytest", "-q", "tests"), "1 passed"),
        (("python", "-c", EVERY_MODULE), "\nimported\n"),
    ],
    ids=lambda words: words[-1].strip()[:6] if isinstance(words, tuple) else "",
)
def test_a_project_with_modules_of_our_names_works(
    words: tuple[str, ...], expected: str, installed_with_all: Installed, project: Path
) -> None:
    if "-c" in words or "pytest" in words:
        for name in ("queue.py", "duckdb.py"):
            (project / name).unlink()
    done = installed_with_all.call(*words, cwd=project)
    assert done.returncode == 0, done.stdout + done.stderr
    assert expected in f"\n{done.stdout}"


@pytest.mark.parametrize("name", ["backends", "tests"])
def test_a_package_of_marts_may_have_a_name_of_ours(
    name: str, installed: Installed, project: Path
) -> None:
    shutil.rmtree(project / name)
    (project / "src/shop_marts").rename(project / name)
    (project / name / "all_orders.py").write_text(ALL_ORDERS, "utf-8")
    done = installed.call("marts", "run", "--package", name, cwd=project)
    assert "published 1 mart; " in done.stdout, done.stderr


@pytest.mark.parametrize("file", ["marts.py", "marts/__init__.py", "backends/__init__.py"])
def test_the_script_runs_marts_whatever_pythonpath_holds(
    file: str, installed: Installed, tmp_path: Path
) -> None:
    (tmp_path / file).parent.mkdir(exist_ok=True)
    (tmp_path / file).write_text("raise SystemExit(7)")
    done = installed.call("marts", "ls", cwd=tmp_path, PYTHONPATH=".", MARTS_PACKAGE="marts")
    # The package of marts is not guessed where there is another one.
    code, text = (2, "another one here") if "marts" in file else (0, "customer_segments")
    assert (done.returncode, text in done.stdout + done.stderr) == (code, True), done.stderr


# What an author's type checker says

AUTHORED = '''
"""Marts of a package that somebody else wrote, with every name of the front door."""

from typing import Any

from marts import (
    AsOf,
    MartsBuilder,
    Project,
    SnowflakeEmulator,
    Table,
    acknowledge,
    assert_proven,
    assert_same_table,
    boolean,
    build,
    corpus,
    date,
    decimal,
    example_query,
    float64,
    fresh,
    int64,
    invariant,
    labels,
    mart,
    mean,
    money,
    percent,
    ratio,
    relationship,
    row_check,
    sample_stddev,
    source,
    strategy,
    string,
    table_check,
    timestamp,
    twin,
    unique,
    worlds,
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
    checks=[
        relationship("customer_id", to="customers.customer_id", severity="warn"),
        fresh(hours=24, by="ordered_at"),
    ],
    acknowledged=[acknowledge("customer_id_in_customers", reason="guests", until="2027-06-30")],
)


def project() -> Project:
    """Return the project of this folder."""
    return Project.load()


@example_query("Which customers have ordered often?")
def often(monthly_orders: Table, as_of: AsOf) -> Table:
    """Return those of the last days."""
    t = monthly_orders
    return t.filter(t.orders > 10, t.month >= as_of.minus(days=45))


@example_query("What is the mean share?")
def mean_share(monthly_orders: Table) -> Table:
    """Return it for each month."""
    t = monthly_orders
    return t.group_by("month").aggregate(share=mean(t.share))


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


@twin("monthly_orders")
def monthly_orders_in_pandas(orders: Any) -> Any:
    """Calculate the same in pandas."""
    return orders


@corpus
def january() -> dict[str, Any]:
    """Return orders of the first month."""
    return {"orders": [{"order_id": "o1"}]}


@strategy("orders")
def of_orders() -> object:
    """Return what draws orders."""
    return None


def test_monthly_orders(duckdb_marts: MartsBuilder) -> None:
    """Prove the mart, and build it from rows of this test, and from drawn ones."""
    rows = {"orders": [{"order_id": "o1", "amount": 12, "paid": True}]}
    built = duckdb_marts.build(rows, "2024-06-30", marts="monthly_orders")["monthly_orders"]
    again = build(project(), rows, "2024-06-30")["monthly_orders"]
    assert_same_table(built, again, grain=("customer_id", "month"))
    assert_proven(project(), "monthly_orders")
    print(worlds(project(), dates=["2024-06-30"]))


def test_on_the_emulator(snowflake_emulator: SnowflakeEmulator) -> None:
    """Read what arrived there."""
    assert snowflake_emulator.statements() == []
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
