"""`marts init`: what it writes runs at once, holds on the data, and is as its checks want it."""

from __future__ import annotations

import datetime
import json
import os
import re
import runpy
import subprocess
import sys
import tomllib
from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml  # type: ignore[import-untyped]

from support.processes import GUARD, Marts, Result, call_marts
from support.workshop import CUSTOMERS, ORDERS, shop_in

Tables = Mapping[str, pa.Table]
DAY = datetime.date(2025, 6, 30)


def written(folder: Path, tables: Tables) -> Path:
    """Write tables as Parquet, and return their folder."""
    folder.mkdir(parents=True)
    for name, table in tables.items():
        pq.write_table(table, folder / f"{name}.parquet")
    return folder


def rows_of(number: int, **columns: Callable[[int], object]) -> pa.Table:
    """Return a table of some rows, each value a function of the row's number."""
    return pa.table({name: [f(n) for n in range(number)] for name, f in columns.items()})


def in_project(folder: Path) -> Marts:
    """Run `marts …` in a project's folder, with its own package."""
    (package,) = (file.parent.name for file in folder.glob("*/sources.py"))
    return partial(call_marts, cwd=folder, MARTS_PACKAGE=package)


def sources_of(folder: Path) -> str:
    """Return the declarations that were written."""
    (file,) = folder.glob("*/sources.py")
    return file.read_text("utf-8")


def assert_it_runs(folder: Path) -> None:
    """Assert that everything a new project's README names works at once, without a warning."""
    marts = in_project(folder)
    for words in ("run", "test", "test --sources", "test --invariants", "compile --strict", "ls"):
        done = marts(*words.split())
        assert done.returncode == 0, f"{words}\n{done.stdout}{done.stderr}"
        assert "warn" not in done.stdout + done.stderr, f"{words}\n{done.stdout}{done.stderr}"
        says_none = "skip  invariants: the package declares none" in done.stdout
        assert says_none == (words == "test --invariants"), done.stdout


def assert_it_is_tidy(folder: Path, *, types: bool = True) -> None:
    """Assert that linter, formatter and type checker have nothing to say."""
    for words in (
        ["ruff", "check", "."],
        ["ruff", "format", "--check", "--diff", "."],
        *([["mypy", "."]] if types else []),
    ):
        done = subprocess.run(
            [sys.executable, "-m", *words],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=GUARD,
        )
        assert done.returncode == 0, done.stdout + done.stderr


def initiated(called: Marts, *words: object) -> Result:
    """Return a call of `marts init` that worked."""
    done = called("init", *words)
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def test_the_toy_shop_becomes_a_project(called: Marts, tmp_path: Path) -> None:
    shop_in(tmp_path).write(customers=CUSTOMERS * 1, orders=ORDERS)
    done = initiated(called, "new", "--name", "bikes", "--from", "data")
    assert "marts show customer_orders" in done.stdout
    project = tmp_path / "new"
    assert 'relationship("customer_id", to="customers.customer_id")' in sources_of(project)
    assert "# unique in 5 of 5 rows" in sources_of(project)
    assert_it_runs(project)
    assert_it_is_tidy(project)


def nation(number: int) -> str:
    return ["de", "fr", "it"][number % 3]


def day(number: int) -> datetime.date:
    return DAY - datetime.timedelta(days=number % 9)


SHOP = {
    "Order Lines": rows_of(
        400,
        OrderNo=lambda n: n // 4,
        Pos=lambda n: n % 4,
        price=lambda n: Decimal(n) / 4,
        count=lambda n: n % 7,
    ),
    "Order": rows_of(
        100, OrderNo=lambda n: n, **{"Straße": nation, "class": nation, "2nd": nation, "day": day}
    ),
    "sales": rows_of(
        500,
        sale_id=lambda n: f"s{n}",
        shop_id=lambda n: f"p{n % 20 if n > 2 else 77}",
        staff_id=lambda n: n % 30 if n % 3 else None,
        day=day,
    ),
    "shops": rows_of(20, shop_id=lambda n: f"p{n}", opened=day),
    "staff": rows_of(25, id=lambda n: n, boss_id=lambda n: n // 2),
    "date": pa.table({"id": pa.array([], pa.int64()), "day": pa.array([], pa.date32())}),
    "things": pa.table(
        {
            "id": [1, 2, 3],
            "tags": [["a"], [], None],
            "place": [{"x": 1}] * 3,
            "photo": [b"1", b"2", None],
            "at": [datetime.time(1, 2)] * 3,
            "ratio": [1.0, float("nan"), 2.0],
            "fine": pa.array([1, 2, 3], pa.timestamp("ns")),
            "ends": pa.array([0, 2**31 - 1, None], pa.int32()).cast(pa.date32()),
            "huge": pa.array([Decimal("1" * 38)] * 3, pa.decimal128(38, 0)),
            "when": pa.array([0, 1, 2], pa.timestamp("us", "Europe/Berlin")),
            "none": pa.nulls(3),
            "never": pa.nulls(3, pa.float64()),
        }
    ),
}
"""A shop as somebody may have it: names of any kind, and types and values of many kinds."""
DECLARED = [
    # names
    'order_lines = source(\n    "order_lines",\n    source_name="Order Lines",',
    'int64("order_no", source_name="OrderNo")',
    'string("strasse", source_name="Straße", values=["de", "fr", "it"])',
    'string("class_", source_name="class"',
    'string("column_2nd", source_name="2nd"',
    'date_ = source(\n    "date",',
    # keys and references
    '# unique in 400 of 400 rows\n    grain=("order_no", "pos")',
    '# 400 of 400 values are there\n        relationship("order_no", to="order.order_no"),',
    "# 497 of 500 values are there",
    'relationship("shop_id", to="shops.shop_id", severity="warn", threshold="1%")',
    "# not declared: staff_id refers to staff.id in 269 of 333 rows only",
    # types and values
    "# left out: tags: a nested type",
    "# left out: photo: ",
    "# left out: at: time",
    "# left out: ratio: 1 value is NaN or infinite",
    "# left out: fine: 3 values are infinite, of a year outside 1 to 9999, or finer than a\n",
    "# left out: ends: 1 value is infinite, or of a year outside 1 to 9999",
    'decimal("huge", 38, 0)',
    'timestamp("when", zone="UTC")',
    '# nothing but nulls\n        string("none", null=True)',
    '# 167 nulls; 1 to 29\n        int64("staff_id", null=True)',
    "optional=True,",
]


def test_the_example_runs_and_its_own_tests_pass(called: Marts, tmp_path: Path) -> None:
    initiated(called, "shop")
    assert_it_runs(tmp_path / "shop")
    assert_it_is_tidy(tmp_path / "shop", types=False)
    workflow = yaml.safe_load((tmp_path / "shop/.github/workflows/ci.yml").read_text("utf-8"))
    *_, install, tidy, test = (step.get("run") for step in workflow["jobs"]["marts"]["steps"])
    assert install == 'pip install "$MARTS" pytest ruff mypy'
    assert tidy == "ruff check . && ruff format --check . && mypy ."
    done = subprocess.run(
        [sys.executable, "-m", test, "-q"],
        cwd=tmp_path / "shop",
        env={name: value for name, value in os.environ.items() if name[:6] != "MARTS_"},
        capture_output=True,
        text=True,
        check=False,
        timeout=GUARD,
    )
    assert "2 passed" in done.stdout, done.stdout + done.stderr


def test_what_is_declared_holds_at_once(called: Marts, tmp_path: Path) -> None:
    written(tmp_path / "data", SHOP)
    initiated(called, "--name", "shop", "--from", "data")
    assert [each for each in DECLARED if each not in sources_of(tmp_path)] == []
    assert_it_runs(tmp_path)
    assert_it_is_tidy(tmp_path)


FEW: Mapping[str, Tables] = {
    "number_of_log": {"log": rows_of(60, text=nation, amount=lambda n: float(n % 4))},
    "log_count": {"log": rows_of(1, amount=lambda _: Decimal("1.50"))},
    "orders_count": {"orders": SHOP["date"]},
}


@pytest.mark.parametrize("case", FEW)
def test_a_first_mart_is_found_for_any_data(case: str, called: Marts, tmp_path: Path) -> None:
    written(tmp_path / "data", FEW[case])
    initiated(called, "--name", "shop", "--from", "data")
    assert case in "".join(file.read_text("utf-8") for file in tmp_path.glob("shop/*.py"))
    assert_it_runs(tmp_path)
    assert_it_is_tidy(tmp_path, types=False)


CUSTOMERS_CSV = """\
Customer ID;Zip;Joined;Last seen;Score;Big;Active;Note
1;01067;2025-01-31;2025-06-01T10:00:00Z;1.5;12345678901234567890;true;""
2;89073;2025-02-28;2025-06-02T11:30:00+02:00;2e-3;1;false;"a;b"
3;;2025-03-01;;;2;true;
"""
READ_FROM_TEXT = [
    'int64("customer_id", source_name="Customer ID")',
    'string("zip", null=True)',
    'date("joined")',
    'timestamp("last_seen", source_name="Last seen", null=True, zone="UTC")',
    'float64("score", null=True)',
    'decimal("big", 38, 0)',
    'boolean("active")',
    'string("note", null=True)',
    "# left out: a: a file has several columns of this name, whatever their case",
    "# left out: B: a file has several columns of this name, whatever their case",
    # from the names of folders
    'int64("year")',
    'date("day")',
]


def test_texts_get_the_narrowest_type_that_all_fit(called: Marts, tmp_path: Path) -> None:
    data = tmp_path / "data"
    for folder in ("sales/year=2024/day=2024-12-31", "sales/year=2025/day=2025-01-01"):
        written(data / folder, {"part": rows_of(3, amount=float)})
    (data / "Customers.csv").write_text(CUSTOMERS_CSV, "utf-8")
    (data / "twice.csv").write_text("id,a,A,\n1,2,3,4\n", "utf-8")
    spelled = pa.table([[1], [2], [3]], names=["id", "B", "b"])
    written(data / "halves", {"one": rows_of(2, ID=lambda n: n), "two": spelled})
    initiated(called, "--name", "shop", "--from", "data")
    assert [each for each in READ_FROM_TEXT if each not in sources_of(tmp_path)] == []
    assert_it_runs(tmp_path)


def test_a_row_that_does_not_fit_its_header_is_named(called: Marts, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data/a.csv").write_text("x,y\n1,2\n1,2,3\n", "utf-8")
    done = called("init", "new", "--from", "data")
    assert done.returncode == 2
    assert "line 3 has 3 fields, and the header 2" in done.stderr
    assert not (tmp_path / "new").exists()


def test_a_duckdb_file_is_read_where_it_is(called: Marts, tmp_path: Path) -> None:
    with duckdb.connect(str(tmp_path / "crm.duckdb")) as connection:
        for sql in (
            "CREATE TABLE people (id INTEGER, kind ENUM ('a', 'b'), wide HUGEINT, u UUID)",
            "INSERT INTO people SELECT i, 'a', i, gen_random_uuid() FROM range(30) t(i)",
            "CREATE SCHEMA erp",
            'CREATE TABLE erp."Visits" AS FROM range(90) t(visit_id)',
            'ALTER TABLE erp."Visits" ADD COLUMN person_id INTEGER',
            'UPDATE erp."Visits" SET person_id = visit_id % 30',
            "CREATE VIEW recent AS SELECT id, DATE '2025-01-01' AS day FROM people",
        ):
            connection.execute(sql)
    assert called("init", "none", "--from", ".").stderr.count("marts init --from crm.duckdb") == 1
    initiated(called, "new", "--from", "crm.duckdb")
    settings = tomllib.loads((tmp_path / "new/pyproject.toml").read_text("utf-8"))
    assert settings["tool"]["marts"]["data"] == "../crm.duckdb"
    assert settings["tool"]["marts"]["sources"] == {"visits": "../crm.duckdb:erp.Visits"}
    assert 'relationship("person_id", to="people.id")' in sources_of(tmp_path / "new")
    assert "# left out: u: uuid" in sources_of(tmp_path / "new")
    assert_it_runs(tmp_path / "new")


def test_tpch_becomes_a_project(called: Marts, tmp_path: Path) -> None:
    tpchgen = Path(sys.executable).with_name("tpchgen-cli")
    words = ["parquet", "--scale-factor=0.01", f"--output-dir={tmp_path / 'tpch'}"]
    subprocess.run([tpchgen, *words], check=True, capture_output=True)
    initiated(called, "new", "--from", "tpch")
    code = sources_of(tmp_path / "new")
    assert re.findall(r"grain=(.*),\n", code) == [
        '"c_custkey"',
        '("l_orderkey", "l_linenumber")',
        '"n_nationkey"',
        '"o_orderkey"',
        '"p_partkey"',
        '("ps_partkey", "ps_suppkey")',
        '"r_regionkey"',
        '"s_suppkey"',
    ]
    assert re.findall(r'relationship\("(\w+)", to="([.\w]+)"\)', code) == [
        ("c_nationkey", "nation.n_nationkey"),
        ("l_orderkey", "orders.o_orderkey"),
        ("l_partkey", "part.p_partkey"),
        ("l_suppkey", "supplier.s_suppkey"),
        ("n_regionkey", "region.r_regionkey"),
        ("o_custkey", "customer.c_custkey"),
        ("ps_partkey", "part.p_partkey"),
        ("ps_suppkey", "supplier.s_suppkey"),
        ("s_nationkey", "nation.n_nationkey"),
    ]
    assert 'decimal("o_totalprice", 15, 2, at_least=0)' in code
    assert 'decimal("c_acctbal", 15, 2),' in code
    assert_it_runs(tmp_path / "new")
    assert_it_is_tidy(tmp_path / "new", types=False)


def dbt_artifacts(folder: Path, adapter: str, schema: str, database: str) -> None:
    """Write what `dbt docs generate` writes of a project with two models."""
    (folder / "target").mkdir(parents=True)
    spelled = str.upper if adapter == "snowflake" else str
    models: dict[str, Any] = {}
    catalog: dict[str, Any] = {}
    for name, columns in {
        "people": {"person_id": "INTEGER", "name": "VARCHAR"},
        "visits": {"visit_id": "INTEGER", "person_id": "INTEGER", "day": "DATE"},
    }.items():
        place = {"database": database, "schema": schema, "name": name}
        models[f"model.crm.{name}"] = {
            "resource_type": "model",
            "unique_id": f"model.crm.{name}",
            "columns": {},
            "config": {"materialized": "table"},
            **place,
        }
        catalog[f"model.crm.{name}"] = {
            "metadata": {**place, "name": spelled(name)},
            "columns": {n: {"name": spelled(n), "type": kind} for n, kind in columns.items()},
        }
    tests = [
        *(("people", "person_id", test, {}) for test in ("unique", "not_null")),
        *(("visits", "visit_id", test, {}) for test in ("unique", "not_null")),
        ("visits", "person_id", "not_null", {}),
        ("visits", "day", "not_null", {}),
        ("visits", "person_id", "relationships", {"field": "person_id"}),
    ]
    for number, (model, column, test, arguments) in enumerate(tests):
        models[f"test.crm.{number}"] = {
            "resource_type": "test",
            "test_metadata": {"name": test, "kwargs": arguments},
            "attached_node": f"model.crm.{model}",
            "column_name": column,
            "depends_on": {"nodes": ["model.crm.people", f"model.crm.{model}"]},
            "config": {"severity": "ERROR"},
        }
    metadata = {"adapter_type": adapter, "project_name": "crm"}
    for file, nodes in (("manifest", models), ("catalog", catalog)):
        text = json.dumps({"metadata": metadata, "nodes": nodes, "sources": {}})
        (folder / f"target/{file}.json").write_text(text)


DBT_ROWS = (
    "CREATE TABLE {0}people (person_id INTEGER, name VARCHAR)",
    "INSERT INTO {0}people VALUES (1, 'Ann'), (2, NULL)",
    "CREATE TABLE {0}visits (visit_id INTEGER, person_id INTEGER, day DATE)",
    "INSERT INTO {0}visits VALUES (1, 1, '2025-01-01'), (2, 1, '2025-01-02')",
)
"""The rows of these models."""


def test_a_dbt_project_on_duckdb_is_read_where_dbt_builds_it(called: Marts, tmp_path: Path) -> None:
    dbt_artifacts(tmp_path / "crm", "duckdb", "gold", "dev")
    with duckdb.connect(str(tmp_path / "crm/dev.duckdb")) as connection:
        connection.execute("CREATE SCHEMA gold")
        for sql in DBT_ROWS:
            connection.execute(sql.format("gold."))
    initiated(called, "new", "--from", "dbt:crm")
    settings = tomllib.loads((tmp_path / "new/pyproject.toml").read_text("utf-8"))
    assert settings["tool"]["marts"]["sources"] == {
        "people": "../crm/dev.duckdb:gold.people",
        "visits": "../crm/dev.duckdb:gold.visits",
    }
    assert "nothing was measured" in " ".join(sources_of(tmp_path / "new").split())
    assert_it_runs(tmp_path / "new")
    assert_it_is_tidy(tmp_path / "new", types=False)
    # Its test needs the file that has the sources, and no folder of data.
    assert missing_for_the_test(tmp_path / "new") == []
    (tmp_path / "crm/dev.duckdb").unlink()
    (missing,) = missing_for_the_test(tmp_path / "new")
    assert missing.endswith("new/../crm/dev.duckdb")


def missing_for_the_test(folder: Path) -> list[str]:
    """Return the data that the test of a new project has not found, so that it is skipped."""
    found: list[str] = runpy.run_path(str(folder / f"tests/test_{folder.name}_marts.py"))["MISSING"]
    return found


# What is refused


MINE = """\
[project]
name = "mine"  # a comment
version = "1"
"""


def test_a_project_joins_a_repository_and_overwrites_nothing(called: Marts, tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(MINE)
    (tmp_path / "README.md").write_text("mine")
    done = initiated(called, "--name", "shop")
    assert "the settings were added to pyproject.toml\n" in done.stdout
    assert "kept as they were: README.md\n" in done.stdout
    assert (tmp_path / "README.md").read_text() == "mine"
    assert (tmp_path / "pyproject.toml").read_text() == MINE + (
        '\n[tool.marts]\npackage = "shop"\ndata = "data"\n'
    )
    before = {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}
    for words, said in {
        (): "would be overwritten\n  pyproject.toml\n  shop/__init__.py\n",
        ("--force",): "has [tool.marts] besides other settings, which would be lost\nhint: remove",
    }.items():
        refused = called("init", "--name", "shop", *words)
        assert refused.returncode == 2
        assert said in refused.stderr
    assert {file: file.read_bytes() for file in before} == before
    (tmp_path / "pyproject.toml").write_text(MINE)
    initiated(called, "--name", "shop", "--force")
    assert (tmp_path / "README.md").read_text() != "mine"
    assert (tmp_path / "pyproject.toml").read_text().startswith(MINE)
    assert_it_runs(tmp_path)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--name Shop", "--name Shop is not a name for a package"),
        ("--name class", "--name class is not a name for a package"),
        ("--name json", "--name json: Python has a module of this name"),
        ("--name marts", "--name marts: marts itself has a package of this name"),
        ("--name ibis", "--name ibis: an installed package has a module of this name"),
        ("--name tests", "--name tests: it is the folder of the project's tests"),
        ("--from nowhere", "there is no file or folder nowhere"),
        ("--from snowflake:DB", "--from snowflake:DB does not name a schema"),
        ("--from dbt:nowhere", "cannot read nowhere/target/manifest.json"),
        ("--from empty", "there are no tables in empty"),
        ("--from a.txt", "a.txt is neither a folder nor a DuckDB file"),
        ("a.txt", "a.txt is a file"),
    ],
)
def test_what_cannot_be_is_refused(words: str, said: str, called: Marts, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "a.txt").write_text("a")
    folder = [] if words == "a.txt" else ["new"]
    done = called("init", *folder, *words.split())
    assert (done.returncode, done.stderr.startswith(f"error: {said}")) == (2, True), done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.txt", "empty"]


def test_an_interrupt_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("marts.core.console.project_writer._move", interrupted)
    assert call_marts("init", "new", cwd=tmp_path).returncode == 130
    monkeypatch.setattr("marts.core.console.new_project.measure", interrupted)
    assert call_marts("init", "new", cwd=tmp_path).returncode == 130
    assert list(tmp_path.iterdir()) == []
