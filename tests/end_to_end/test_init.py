"""`marts init`: what it writes runs at once, holds on the data, and is as its checks want it."""

from __future__ import annotations

import datetime
import subprocess
import sys
from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from support.processes import GUARD, Marts, Result, call_marts
from support.workshop import CUSTOMERS, ORDERS, shop_in

Tables = Mapping[str, pa.Table]
DAY = datetime.date(2025, 6, 30)


def written(folder: Path, tables: Tables) -> Path:
    """Write tables as Parquet, and return their folder."""
    folder.mkdir()
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
    "# left out: fine: 3 values are finer than a microsecond",
    'decimal("huge", 38, 0)',
    'timestamp("when", zone="UTC")',
    '# nothing but nulls\n        string("none", null=True)',
    '# 167 nulls; 1 to 29\n        int64("staff_id", null=True)',
    "optional=True,",
]


def test_the_example_runs(called: Marts, tmp_path: Path) -> None:
    initiated(called, "shop")
    assert_it_runs(tmp_path / "shop")
    assert_it_is_tidy(tmp_path / "shop", types=False)


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
