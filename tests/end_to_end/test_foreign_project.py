"""Somebody else's project, from the built wheel: another business, data and shape of repository.

The business is that of TPC-H. What its marts must contain is written below as SQL, from TPC-H's
description and not from the marts.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from marts.core.proof.comparison import assert_same_table
from support.account import Account
from support.installed import Installed
from support.paths import TESTS
from support.processes import Result

AS_OF = "1998-03-31"
LINES = """
    SELECT *, l_extendedprice * (1 - l_discount) AS earned
    FROM lineitem JOIN orders ON l_orderkey = o_orderkey
    WHERE o_orderdate <= DATE '1998-03-31'
"""
EXPECTED: Mapping[str, tuple[tuple[str, ...], str]] = {
    "pricing_summary": (
        ("return_flag", "line_status"),
        """
        SELECT
            l_returnflag AS return_flag,
            l_linestatus AS line_status,
            SUM(l_quantity)::DECIMAL(18, 2) AS quantity,
            SUM(l_extendedprice)::DECIMAL(18, 2) AS base_price,
            SUM(l_extendedprice * (1 - l_discount))::DECIMAL(20, 4) AS discounted_price,
            SUM(l_extendedprice * (1 - l_discount) * (1 + l_tax))::DECIMAL(22, 6) AS charge,
            AVG(l_quantity) AS average_quantity,
            AVG(l_extendedprice) AS average_price,
            AVG(l_discount) AS average_discount,
            COUNT(*) AS lines
        FROM lineitem
        -- 90 days before 31 March 1998
        WHERE l_shipdate <= DATE '1997-12-31'
        GROUP BY ALL
        """,
    ),
    "nation_revenue": (
        ("nation", "year"),
        f"""
        WITH revenue AS (
            SELECT n_regionkey, n_name, YEAR(o_orderdate) AS y, SUM(earned) AS r,
                COUNT(DISTINCT o_orderkey) AS n
            FROM ({LINES}) JOIN customer ON o_custkey = c_custkey
            JOIN nation ON c_nationkey = n_nationkey
            GROUP BY ALL
        )
        SELECT
            r_name AS region,
            this.n_name AS nation,
            this.y AS year,
            this.r::DECIMAL(20, 4) AS revenue,
            this.n AS orders,
            100 * this.r::DOUBLE / (
                SELECT SUM(r) FROM revenue AS o
                WHERE o.n_regionkey = this.n_regionkey AND o.y = this.y
            )::DOUBLE AS share_of_region,
            100 * (this.r::DOUBLE / former.r::DOUBLE - 1) AS growth
        FROM revenue AS this JOIN region ON this.n_regionkey = r_regionkey
        LEFT JOIN revenue AS former ON former.n_name = this.n_name AND former.y = this.y - 1
        """,
    ),
    "customer_revenue": (
        ("customer_id",),
        f"""
        WITH bought AS (
            SELECT o_custkey, COUNT(DISTINCT o_orderkey) AS n, ROUND(SUM(earned), 2) AS r,
                MIN(o_orderdate) AS first_day, MAX(o_orderdate) AS last_day
            FROM ({LINES}) GROUP BY ALL
        )
        SELECT
            c_custkey AS customer_id,
            c_name AS customer_name,
            c_mktsegment AS segment,
            n_name AS nation,
            c_acctbal::DECIMAL(18, 2) AS balance,
            CASE SIGN(c_acctbal) WHEN -1 THEN 'owes us' WHEN 0 THEN 'even' ELSE 'in credit'
                END AS standing,
            COALESCE(n, 0) AS orders,
            COALESCE(r, 0)::DECIMAL(18, 2) AS revenue,
            first_day AS first_order_on,
            last_day AS last_order_on,
            DATE '1998-03-31' - last_day AS days_since_last_order,
            CASE WHEN n IS NULL THEN 'prospect' WHEN r < 500000 THEN 'small'
                WHEN r < 2000000 THEN 'regular' ELSE 'key account' END AS tier
        FROM customer LEFT JOIN bought ON o_custkey = c_custkey, nation
        WHERE n_nationkey = c_nationkey
        """,
    ),
    "open_orders": (
        ("order_id",),
        """
        SELECT o_orderkey AS order_id, c_custkey AS customer_id, c_name AS customer_name,
            o_orderdate AS ordered_on, o_orderpriority AS priority,
            o_totalprice::DECIMAL(18, 2) AS total_price
        FROM orders JOIN customer ON o_custkey = c_custkey
        WHERE o_orderstatus <> 'F' AND o_orderdate < DATE '1998-04-01'
        """,
    ),
    "order_sizes": (
        ("size",),
        f"""
        WITH counted AS (SELECT o_orderkey, COUNT(*) AS n FROM ({LINES}) GROUP BY ALL)
        SELECT
            CASE WHEN n = 1 THEN 'single' WHEN n < 5 THEN 'small' ELSE 'large' END AS size,
            COUNT(*) AS orders,
            100 * COUNT(*) / (SELECT COUNT(*)::DOUBLE FROM counted) AS share
        FROM counted GROUP BY ALL
        """,
    ),
    "supplier_delays": (
        ("supplier_id",),
        """
        WITH delays AS (
            SELECT l_suppkey, l_receiptdate - l_commitdate AS days
            FROM lineitem WHERE l_receiptdate <= DATE '1998-03-31'
        ), counted AS (
            SELECT s_suppkey, s_name, s_nationkey, COUNT(days) AS n,
                COUNT(*) FILTER (days > 0) AS late,
                AVG(days) FILTER (days > 0) AS mean, MAX(days) FILTER (days > 0) AS worst
            FROM supplier LEFT JOIN delays ON l_suppkey = s_suppkey GROUP BY ALL
        )
        SELECT
            s_suppkey AS supplier_id,
            s_name AS supplier_name,
            n_name AS nation,
            n AS lines,
            late AS late_lines,
            100 * late::DOUBLE / NULLIF(n, 0) AS late_percent,
            mean AS average_delay,
            worst AS worst_delay,
            (
                SELECT 1 + COUNT(*) FROM counted AS o WHERE o.s_nationkey = this.s_nationkey AND (
                    o.late * this.n > this.late * o.n
                    OR (o.late * this.n = this.late * o.n AND o.s_suppkey < this.s_suppkey)
                )
            ) AS rank_in_nation
        FROM counted AS this JOIN nation ON s_nationkey = n_nationkey
        """,
    ),
    "part_margins": (
        ("part_id",),
        f"""
        WITH sold AS (
            SELECT p_partkey, p_name, p_brand, COALESCE(SUM(l_quantity), 0) AS q,
                COALESCE(SUM(earned), 0) AS r, COALESCE(SUM(l_quantity * ps_supplycost), 0) AS c
            FROM part LEFT JOIN (
                SELECT * FROM ({LINES}) JOIN partsupp
                ON (l_partkey, l_suppkey) = (ps_partkey, ps_suppkey)
            ) ON l_partkey = p_partkey
            GROUP BY ALL
        )
        SELECT
            p_partkey AS part_id,
            p_name AS part_name,
            p_brand AS brand,
            q::DECIMAL(18, 2) AS quantity,
            r::DECIMAL(20, 4) AS revenue,
            c::DECIMAL(20, 4) AS cost,
            (r - c)::DECIMAL(20, 4) AS margin,
            IF(r = 0, NULL, 100 * (1 - c::DOUBLE / r::DOUBLE)) AS margin_percent,
            (
                SELECT 1 + COUNT(*) FROM sold AS o WHERE o.p_brand = this.p_brand AND (
                    o.r - o.c > this.r - this.c
                    OR (o.r - o.c = this.r - this.c AND o.p_partkey < this.p_partkey)
                )
            ) AS rank_in_brand
        FROM sold AS this
        """,
    ),
}
"""The grain of each mart, and what it must contain."""


@dataclass(frozen=True)
class Desk:
    """The order desk's repository, and the environment that marts is installed in."""

    folder: Path
    installed: Installed

    def marts(self, *words: object, **variables: str) -> Result:
        """Run `marts …` in the repository."""
        return self.installed.call("marts", *words, cwd=self.folder, **variables)

    def done(self, *words: object, **variables: str) -> str:
        """Run `marts …`, which must succeed; return what it printed."""
        done = self.marts(*words, **variables)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory, installed_with_all: Installed) -> Desk:
    """Return the repository with its data and the sources that `marts init` has written."""
    folder = tmp_path_factory.mktemp("foreign") / "order-desk"
    shutil.copytree(TESTS / "foreign", folder, ignore=shutil.ignore_patterns("__pycache__"))
    tpchgen = Path(sys.executable).with_name("tpchgen-cli")
    words: list[str | Path] = [
        tpchgen,
        "parquet",
        "--scale-factor=0.01",
        f"--output-dir={folder / 'warehouse'}",
    ]
    subprocess.run(words, check=True, capture_output=True)
    (folder / "warehouse/dataset.json").write_text(json.dumps({"as_of": AS_OF}), "utf-8")
    desk = Desk(folder, installed_with_all)
    desk.done("init", "../draft", "--name", "order_desk", "--from", "warehouse")
    shutil.copy(folder / "../draft/order_desk/sources.py", folder / "src/order_desk")
    return desk


def test_init_writes_a_project_that_runs(desk: Desk) -> None:
    done = desk.installed.call("marts", "run", cwd=desk.folder.parent / "draft")
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"^done  published 1 mart; ", done.stdout, re.MULTILINE), done.stdout


@pytest.fixture(scope="module")
def published(desk: Desk) -> Desk:
    """Return the repository after `marts run`."""
    output = desk.done("run")
    assert re.search(rf"^done  published {len(EXPECTED)} marts; ", output, re.MULTILINE), output
    return desk


@pytest.fixture(scope="module")
def expected(desk: Desk) -> Iterator[Mapping[str, pa.Table]]:
    """Return what each mart must contain."""
    with duckdb.connect() as connection:
        for file in (desk.folder / "warehouse").glob("*.parquet"):
            connection.execute(f"CREATE VIEW {file.stem} AS FROM '{file}'")
        yield {name: connection.sql(sql).to_arrow_table() for name, (_, sql) in EXPECTED.items()}


@pytest.mark.parametrize("mart", EXPECTED)
def test_duckdb_computes_what_the_business_means(
    mart: str, published: Desk, expected: Mapping[str, pa.Table]
) -> None:
    grain, sql = EXPECTED[mart]
    database = published.folder / "target/marts.duckdb"
    with duckdb.connect(str(database), read_only=True) as reader:
        actual = reader.sql(f"FROM gold.{mart}").to_arrow_table()
    assert_same_table(actual, expected[mart], grain=grain, sql=sql)


def test_python_imports_marts_and_the_modules_of_the_same_names(published: Desk) -> None:
    words = ("-m", "pytest", "-q", "-p", "no:cacheprovider", "tests")
    done = published.installed.call("python", *words, cwd=published.folder)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_second_run_has_nothing_to_do(published: Desk) -> None:
    assert "done  nothing to do" in published.done("run")


def test_checks_and_invariants_hold(published: Desk) -> None:
    assert "done  no check failed" in published.done("test")
    output = published.done("test", "--invariants")
    assert "skip  order_sizes.every_line_twice: exempt: an order with twice the lines" in output
    assert re.search(
        r"^done  no check failed; (\d+) of \1 checks passed, 1 exempt,", output, re.MULTILINE
    )


@pytest.mark.parametrize("dialect", ["duckdb", "snowflake"])
def test_compile_prints_every_mart_and_finds_nothing_that_differs(dialect: str, desk: Desk) -> None:
    output = desk.done("compile", "--dialect", dialect, "--strict")
    names = re.findall(r"^-- (\w+), as of", output, re.MULTILINE)
    assert {*names} == {*EXPECTED, "int_order_lines"}


def test_show_prints_rows(published: Desk) -> None:
    words = ("show", "customer_revenue", "--where", "customer_id = 1", "--format", "json")
    (row,) = json.loads(published.done(*words))
    assert row["customer_name"] == "Customer#000000001"


def test_explain_computes_a_value_again_from_the_rows_behind_it(published: Desk) -> None:
    key = ("--key", "nation=FRANCE", "--key", "year=1995")
    found = json.loads(published.done("explain", "nation_revenue.growth", *key, "--json"))
    assert found["is_same"] is True
    tables = {each["table"] for each in found["sources"]}
    assert tables == {"customer", "lineitem", "nation", "orders", "region"}


def test_docs_writes_a_page_for_each_table(published: Desk) -> None:
    assert "wrote the pages of 16 tables to target/docs" in published.done("docs")
    pages = {file.stem: file for file in (published.folder / "target/docs/tables").iterdir()}
    assert len(pages) == 16
    text = pages["customer_revenue"].read_text("utf-8")
    # Read from what is published, in a chart.
    assert 'id="values"' in text
    assert "<svg" in text


def test_the_guide_is_installed(desk: Desk) -> None:
    assert desk.done("help", "checks").startswith("# Checks: ")


def test_ls_lists_by_tag(desk: Desk) -> None:
    listed = json.loads(desk.done("ls", "tag:operations", "--json"))
    assert {mart["name"] for mart in listed} == {"open_orders", "order_sizes", "supplier_delays"}


def test_mutate_kills_what_the_data_reveal(desk: Desk) -> None:
    output = desk.done("mutate", "-s", "order_sizes")
    assert re.search(r"^ok +order_sizes +(\d+) mutants +\1 killed", output, re.MULTILINE), output


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        pytest.param("sales/pricing_summary", "days=90", "days=91", id="a window off by a day"),
        pytest.param(
            "sales/open_orders", ", orders.o_orderdate <= as_of.date)", ")", id="a filter"
        ),
        pytest.param(
            "sales/customer_revenue", "placed.left_join", "placed.inner_join", id="a join"
        ),
        pytest.param(
            "supply/part_margins",
            "            int_order_lines.supplier_id == partsupp.ps_suppkey,\n",
            "",
            id="half a join",
        ),
    ],
)
def test_a_planted_bug_shows_on_at_most_ten_rows(
    file: str, old: str, new: str, desk: Desk, tmp_path: Path
) -> None:
    right = (desk.folder / f"src/order_desk/{file}.py").read_text("utf-8")
    wrong = tmp_path / "wrong.py"
    wrong.write_text(right.replace(old, new), "utf-8")
    assert right != wrong.read_text("utf-8")
    words = ("--against", wrong, "--json", "--seconds", "60")
    done = desk.marts("witness", file.rpartition("/")[2], *words)
    assert done.returncode == 1, done.stderr
    found = json.loads(done.stdout)["witness"]
    assert 1 <= sum(len(each["rows"]) for each in found["sources"].values()) <= 10
    assert found["cells"] or found["only_was"] or found["only_is"]


def test_generic_worlds_kill_nearly_every_mutant(desk: Desk) -> None:
    folder = desk.folder.parent / "without_data"
    shutil.copytree(desk.folder, folder, ignore=shutil.ignore_patterns("warehouse", "target"))
    project = folder / "pyproject.toml"
    project.write_text(project.read_text("utf-8").replace('data = "warehouse"\n', ""), "utf-8")
    done = desk.installed.call("marts", "mutate", "--json", cwd=folder)
    reports = json.loads(done.stdout)["marts"]
    alive = [(each["mart"], mutant["after"]) for each in reports for mutant in each["surviving"]]
    # No data kill these: a default beside a `fill_null`, and joins that lose no row.
    assert len(alive) <= 8, alive
    assert sum(each["mutants"] for each in reports) >= 160


@pytest.fixture(scope="module")
def on_snowflake(desk: Desk, account: Account) -> Account:
    """Return the account in which the wheel has loaded the data and built the marts."""
    found = account.emulator.environment if account.emulator else {}
    desk.done(*account.load_words("ORDERS"), "--data", "warehouse", **found)
    location = account.words(schema="DESK", sources="ORDERS")
    words = ("--backend", "snowflake", *location, "--as-of", AS_OF)
    desk.done("run", *words, "--target", "target/snowflake", **found)
    return account


@pytest.mark.parametrize("mart", EXPECTED)
def test_snowflake_computes_what_the_business_means(
    mart: str, on_snowflake: Account, expected: Mapping[str, pa.Table]
) -> None:
    grain, sql = EXPECTED[mart]
    assert_same_table(on_snowflake.table("DESK", mart), expected[mart], grain=grain, sql=sql)
