"""`marts run` builds what is not up to date, and says why: on DuckDB and on Snowflake."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fixtures.generate import Portfolio, generate
from support.account import Account
from support.databases import contents
from support.engines import GRAPH
from support.paths import BUNDLED
from support.processes import Marts, call_marts

PUBLIC = [name for name in GRAPH.order if not GRAPH.project.marts[name].is_temporary]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    generate(folder, Portfolio(customers=60, transactions=600))
    return folder


def test_a_second_run_has_nothing_to_do_unless_forced_or_of_another_day(
    called: Marts, data: Path, tmp_path: Path
) -> None:
    first = called("run", "--data", data)
    assert (first.returncode, "fct_transactions" in first.stdout) == (0, True)
    database = tmp_path / "target/marts.duckdb"
    before = contents(database)
    again = called("run", "--data", data)
    assert again.returncode == 0, again.stderr
    assert f"keep  {len(PUBLIC)} marts: unchanged" in again.stdout
    assert again.stdout.endswith("done  nothing to do; --force builds everything anyway\n")
    assert "fct_transactions" not in again.stdout, "sources are checked again"
    assert contents(database) == before
    results = json.loads((tmp_path / "target/run_results.json").read_text("utf-8"))
    assert results["status"] == "unchanged"
    assert results["unchanged"] == PUBLIC
    forced = called("run", "--data", data, "--force")
    assert f"build {len(PUBLIC)} marts: forced" in forced.stdout
    earlier = called("run", "--data", data, "--as-of", "2025-06-01")
    assert f"build {len(PUBLIC)} marts: as of 2025-06-30 before" in earlier.stdout


def test_a_changed_file_is_reported_and_built_from(called: Marts, data: Path) -> None:
    assert called("run", "--data", data).returncode == 0
    file = data / "fct_transactions.parquet"
    facts = pq.read_table(file)
    pq.write_table(facts.slice(0, 500), file)
    planned = called("run", "--data", data, "--dry-run")
    reason = "source fct_transactions changed"
    assert "  build    int_approved_transactions (temporary)\n" in planned.stdout
    assert f"  build    customer_segments (table): {reason}\n" in planned.stdout
    alone = called("run", "--data", data, "-s", "metric_customer_ltv")
    assert alone.returncode == 2
    together = alone.stderr.partition("hint: build them together: marts run ")[2].split()
    assert together[-2:] == ["-s", "metric_customer_ltv"]
    done = called("run", "--data", data, *together)
    built = "metric_mom_spend_change, customer_segments, metric_customer_ltv"
    assert f"build {built}: {reason}\n" in done.stdout
    assert "published 3 marts" in done.stdout
    rest = called("run", "--data", data)
    assert f"keep  {built}: unchanged\n" in rest.stdout
    assert "published 5 marts" in rest.stdout


THINGS = '''
from marts import int64, mart, row_check, source

things = source(
    "things", doc="T.", grain="n", columns=[int64("n")], checks=[{check}]
)


@mart(grain="n", columns=[int64("n")])
def kept(things):
    """Things."""
    return things
'''


def test_a_new_check_of_a_source_is_made_though_nothing_is_built(
    called: Marts, tmp_path: Path
) -> None:
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop/__init__.py").touch()
    (tmp_path / "data").mkdir()
    pq.write_table(pa.table({"n": [1, 2]}), tmp_path / "data/things.parquet")
    words = ("run", "--package", "shop", "--data", "data")
    checks = {
        "": "done  published 1 mart; ",
        'row_check("few", offending=lambda t: t.n > 9)': "done  nothing to build; ",
        'row_check("none", offending=lambda t: t.n > 1)': "FAIL  things.none: 1 violation",
    }
    for check, said in checks.items():
        (tmp_path / "shop/kept.py").write_text(THINGS.format(check=check), "utf-8")
        planned = called(*words, "--dry-run").stdout
        assert ("record   which checks of sources held" in planned) == bool(check)
        done = called(*words)
        assert said in done.stdout
        assert done.returncode == ("FAIL" in said)
        again = called(*words)
        assert again.returncode == done.returncode
        assert ("nothing to do" in again.stdout) == ("FAIL" not in said)


def test_snowflake_keeps_what_its_catalog_says_is_unchanged(
    account: Account, tmp_path: Path
) -> None:
    location, loads = account.words(schema="UP_TO_DATE"), account.load_words("UP_TO_DATE")
    words = ("run", "--backend", "snowflake", *location, "--as-of", "2025-06-30")
    for seed in (1, 2):
        data = tmp_path / f"data {seed}"
        generate(data, Portfolio(customers=30, transactions=300, seed=seed))
        loaded = account.call(*loads, "--data", data, "--overwrite", cwd=tmp_path)
        assert loaded.returncode == 0, loaded.stderr
        first = account.call(*words, cwd=tmp_path)
        assert first.returncode == 0, first.stderr
        assert f"published {len(PUBLIC)} marts" in first.stdout
        again = account.call(*words, cwd=tmp_path)
        assert f"keep  {len(PUBLIC)} marts: unchanged" in again.stdout
        assert again.returncode == 0, again.stderr
    assert "source dim_customer changed" in first.stdout


EARLIER = """
    CREATE TABLE gold.int_customers AS SELECT 1 AS customer_number;
    CREATE TABLE gold.int_published_marts AS
        SELECT name AS mart, as_of, run_id, published_at, NULL::TEXT AS origin
        FROM gold.marts_state WHERE kind <> 'source';
    INSERT INTO gold.int_published_marts
        SELECT 'int_customers', as_of, run_id, published_at, NULL FROM gold.marts_state LIMIT 1;
    DROP TABLE gold.marts_state
"""
"""Makes a database that of an earlier version, which published intermediate marts as well."""


def test_a_database_of_an_earlier_version_is_built_anew(finished_run: Path, tmp_path: Path) -> None:
    shutil.copytree(finished_run / "target", tmp_path / "target")
    with duckdb.connect(str(tmp_path / "target/marts.duckdb")) as database:
        database.execute(EARLIER)
    words = ("run", "--data", BUNDLED)
    segments = call_marts(*words, "-s", "customer_segments", cwd=tmp_path)
    assert "build customer_segments: not known what it was made from" in segments.stdout
    assert "keep  customer_segments: unchanged" in call_marts(*words, cwd=tmp_path).stdout
    assert f"keep  {len(PUBLIC)} marts: unchanged" in call_marts(*words, cwd=tmp_path).stdout
    with duckdb.connect(str(tmp_path / "target/marts.duckdb")) as database:
        tables = {
            name
            for (name,) in database.execute("SELECT table_name FROM duckdb_tables()").fetchall()
        }
    assert tables == {*PUBLIC, "marts_state", "marts_runs"}
