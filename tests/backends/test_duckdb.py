"""DuckDB: sources are Parquet files, a run is one transaction, and every refusal says why."""

from __future__ import annotations

import datetime
import os
import signal
import threading
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from unittest.mock import ANY

import duckdb
import ibis
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from backends.duckdb import DuckDBBackend
from backends.duckdb_connection import translated
from backends.duckdb_locations import Files
from backends.duckdb_shown import shown
from backends.duckdb_sql import compile_query
from marts.core.errors import EngineError, SourceError, UsageError
from marts.core.plan.state import EARLIER_STATE_TABLE, STATE_TABLE, RecordedTable
from marts.core.run.backend import BATCH_ROWS
from support.bikes_on_duckdb import (
    AS_OF,
    BIKES,
    SHOPS,
    build,
    opened,
    publish,
    publish_all,
    select,
    write,
)
from support.processes import GUARD

# Sources


def test_a_source_is_described_by_columns_and_rows(backend: DuckDBBackend) -> None:
    found = backend.describe_sources(["bikes", "shops"])
    assert set(found) == {"bikes"}
    assert found["bikes"].types == ibis.schema({"bike": "string"})
    assert found["bikes"].rows == 1


def test_files_of_a_folder_are_one_source(folder: Path) -> None:
    for n, shops in enumerate([["a", "c"], ["b"], []]):
        table = pa.table({"shop": pa.array(shops, pa.string())})
        (folder / "shops").mkdir(exist_ok=True)
        pq.write_table(table, folder / f"shops/{n}.parquet")
    with closing(opened(folder / "x.duckdb", folder)) as backend:
        assert backend.describe_sources(["shops"])["shops"].rows == 3
        assert backend.fetch(SHOPS.aggregate(n=SHOPS.shop.max()), about="x") == [{"n": "c"}]


@pytest.mark.parametrize("content", [b"", b"PAR1", b"no Parquet at all" * 100])
def test_a_corrupt_file_is_named(content: bytes, tmp_path: Path, folder: Path) -> None:
    (folder / "shops.parquet").write_bytes(content)
    with (
        closing(opened(tmp_path / "x.duckdb", folder)) as backend,
        pytest.raises(SourceError) as caught,
    ):
        backend.describe_sources(["shops"])
    assert str(caught.value).splitlines()[0] == (
        "source shops: shops.parquet is not a readable Parquet file"
    )
    assert str(folder / "shops.parquet") in str(caught.value)


def test_a_truncated_file_is_named(tmp_path: Path, folder: Path) -> None:
    whole = (folder / "bikes.parquet").read_bytes()
    (folder / "shops.parquet").write_bytes(whole[: len(whole) // 2])
    with (
        closing(opened(tmp_path / "x.duckdb", folder)) as backend,
        pytest.raises(SourceError, match=r"shops\.parquet is not a readable Parquet file"),
    ):
        backend.describe_sources(["shops"])


@pytest.mark.parametrize(
    "name", ["it's", 'a "quoted" name', "semi;colon", "per%cent", "star*", "[brackets]", "{a,b}"]
)
def test_a_folder_may_have_any_name(name: str, tmp_path: Path) -> None:
    folder = tmp_path / name
    write(folder / "bikes.parquet", bike=["a"])
    write(folder / f"shops/k={name}/{name}.parquet", shop=["s"])
    with closing(opened(folder / "marts.duckdb", folder)) as backend:
        for table in (BIKES, SHOPS):
            assert backend.describe_sources([table.get_name()])
            assert backend.fetch(table, about="x") != []


def test_data_says_its_date(backend: DuckDBBackend, folder: Path) -> None:
    assert backend.data_as_of() is None
    (folder / "dataset.json").write_text('{"as_of": "2025-06-30"}', "utf-8")
    assert backend.data_as_of() == AS_OF


# Compiled SQL


def test_sources_are_files_and_every_other_name_lies_in_the_schema() -> None:
    shops = ibis.table({"bike": "string"}, name="all_bikes")
    query = BIKES.join(shops, "bike").filter(BIKES.bike == "it's").select("bike")
    sources = {"bikes": shown(Files(Path("/data/it's/bikes.parquet")))}
    sql = compile_query(query, sources=sources, schema="my gold")
    assert "READ_PARQUET('/data/it''s/bikes.parquet')" in sql
    assert '"my gold"."all_bikes"' in sql


# Runs


def test_what_is_built_is_seen_by_the_run_alone_until_it_is_published(
    backend: DuckDBBackend,
) -> None:
    publish(backend, m="SELECT 1 AS n")
    backend.begin("second")
    build(backend, "m", "SELECT 2 AS n")
    build(backend, "reader", "SELECT n + 1 AS n FROM m", kind="view")
    other = backend._connection.cursor()
    query = ibis.table({"n": "int64"}, name="reader")
    assert backend.fetch(query, about="reader") == [{"n": 3}]
    assert other.execute("SELECT n FROM gold.m").fetchall() == [(1,)]
    publish_all(backend, "second")
    assert other.execute("SELECT n FROM gold.m").fetchall() == [(2,)]


def test_a_run_begins_without_the_candidates_of_the_last(backend: DuckDBBackend) -> None:
    publish(backend, m="SELECT 1 AS n")
    backend.begin("broken off")
    build(backend, "m", "SELECT 2 AS n", kind="view")
    build(backend, "k", "SELECT 2 AS n")
    backend.begin("next")
    assert set(backend.describe_published()) == {"m", STATE_TABLE}
    assert backend.fetch(select("SELECT n FROM m"), about="m") == [{"n": 1}]


def test_a_published_view_reads_what_is_published(backend: DuckDBBackend) -> None:
    for number in (1, 2):
        backend.begin(f"run {number}")
        build(backend, "m", f"SELECT {number} AS n")
        build(backend, "reader", "SELECT n + 1 AS n FROM m", kind="view")
        publish_all(backend)
        rows = backend.fetch(select("SELECT n FROM reader"), about="reader")
        assert rows == [{"n": number + 1}]
    publish(backend, m="SELECT 7 AS n")
    rows = backend.fetch(select("SELECT n FROM reader"), about="reader")
    assert rows == [{"n": 8}]


def test_publishing_that_fails_midway_changes_nothing(backend: DuckDBBackend) -> None:
    publish(backend, m="SELECT 1 AS n")
    backend.begin("second")
    build(backend, "m", "SELECT 2 AS n")
    build(backend, "k", "SELECT 2 AS n")
    backend._connection.execute("DROP TABLE temp.k")
    with pytest.raises(EngineError, match="could not publish"):
        publish_all(backend, "second")
    assert not backend.is_published()
    backend.discard()
    assert set(backend.describe_published()) == {"m", STATE_TABLE}
    assert backend.fetch(select("SELECT n FROM m"), about="m") == [{"n": 1}]


def test_discarding_leaves_what_was_published(backend: DuckDBBackend) -> None:
    publish(backend, m="SELECT 1 AS n")
    backend.begin("second")
    build(backend, "m", "SELECT 2 AS n", kind="view")
    build(backend, "k", "SELECT 2 AS n")
    backend.discard()
    assert set(backend.describe_published()) == {"m", STATE_TABLE}
    assert backend.fetch(select("SELECT n FROM m"), about="m") == [{"n": 1}]


def test_a_relation_may_change_its_kind_within_a_run_and_after_it(backend: DuckDBBackend) -> None:
    publish(backend, m="SELECT 1 AS n")
    backend.begin("second")
    for number, kind in enumerate(("view", "table", "view")):
        build(backend, "m", f"SELECT {number} AS n", kind=kind)
        rows = backend.fetch(select("SELECT n FROM m"), about="m")
        assert rows == [{"n": number}]
    backend.discard()
    backend.begin("third")
    build(backend, "m", "SELECT 7 AS n", kind="view")
    assert backend.fetch(select("SELECT n FROM m"), about="m") == [{"n": 7}]


def test_a_compiled_query_reads_what_stands_for_its_names_now(backend: DuckDBBackend) -> None:
    query = backend.compile(select("SELECT n FROM m"))
    assert query.sql == "SELECT n FROM m"
    publish(backend, m="SELECT 1 AS n")
    assert backend.fetch(query, about="m") == [{"n": 1}]
    backend.begin("second")
    build(backend, "m", "SELECT 2 AS n")
    assert backend.fetch(query, about="m") == [{"n": 2}]
    assert 'FROM "gold"."m"' in backend.to_sql(query)
    backend.discard()
    assert backend.fetch(query, about="m") == [{"n": 1}]


def test_discarding_without_a_run_does_nothing(backend: DuckDBBackend) -> None:
    backend.discard()
    publish(backend, m="SELECT 1 AS n")
    backend.discard()
    assert "m" in backend.describe_published()


def test_a_failed_run_does_not_hinder_the_next(backend: DuckDBBackend) -> None:
    backend.begin("first")
    with pytest.raises(EngineError, match="DuckDB could not build m"):
        build(backend, "m", "SELECT CAST('x' AS INTEGER) AS n")
    backend.discard()
    publish(backend, m="SELECT 1 AS n")
    assert "m" in backend.describe_published()


def test_closing_without_publishing_publishes_nothing(tmp_path: Path, folder: Path) -> None:
    with closing(opened(tmp_path / "x.duckdb", folder)) as backend:
        backend.begin("run")
        build(backend, "m", "SELECT 1 AS n")
    with closing(opened(tmp_path / "x.duckdb", folder, read_only=True)) as backend:
        assert backend.describe_published() == {}


def test_a_refused_statement_is_shown_with_its_reason(backend: DuckDBBackend) -> None:
    publish(backend, m="SELECT 1 AS n")
    with pytest.raises(EngineError) as caught:
        backend.fetch(select("SELECT * FROM no_such_table"), about="bikes")
    message = str(caught.value)
    assert message.startswith("DuckDB could not query bikes\n")
    assert "no_such_table does not exist" in message
    assert 'FROM "gold"."no_such_table"' in message


def test_published_relations_are_described_with_the_engines_types(backend: DuckDBBackend) -> None:
    publish(backend, m="SELECT 'a' AS k, CAST(1 AS DECIMAL(18, 2)) AS v, DATE '2025-01-01' AS d")
    assert backend.describe_published()["m"].types == ibis.schema(
        {"k": "string", "v": "decimal(18, 2)", "d": "date"}
    )
    assert backend.state() == [
        RecordedTable("shop", "m", "table", "run", AS_OF, ANY, "made of this")
    ]


def test_nothing_is_published_at_first(backend: DuckDBBackend) -> None:
    assert backend.describe_published() == {}
    assert backend.state() == []


def test_a_schema_may_have_any_name_and_others_are_left_alone(tmp_path: Path, folder: Path) -> None:
    with closing(opened(tmp_path / "x.duckdb", folder, schema='dev "of" Zoë')) as backend:
        publish(backend, m="SELECT 1 AS n")
        assert "m" in backend.describe_published()
    with closing(opened(tmp_path / "x.duckdb", folder)) as backend:
        assert backend.describe_published() == {}


def test_a_schema_is_found_in_any_case(tmp_path: Path, folder: Path) -> None:
    for run, schema in enumerate(("Gold", "GOLD", "gold")):
        with closing(opened(tmp_path / "x.duckdb", folder, schema=schema)) as backend:
            assert ("m" in backend.describe_published()) is (run > 0)
            publish(backend, m=f"SELECT {run} AS n")
            assert backend.fetch(select("SELECT n FROM m"), about="m") == [{"n": run}]


def test_an_instant_is_read_in_utc(backend: DuckDBBackend) -> None:
    found = backend.fetch(
        select("SELECT CAST(TIMESTAMPTZ '2025-01-01 00:30:00+02' AS TIMESTAMP) AS t"), about="x"
    )
    assert str(found[0]["t"]) == "2024-12-31 22:30:00"


def test_versions_name_engine_and_compiler(backend: DuckDBBackend) -> None:
    assert backend.versions() == {"duckdb": duckdb.__version__, "ibis": ibis.__version__}


def test_a_temporary_candidate_is_read_by_the_run_alone(backend: DuckDBBackend) -> None:
    backend.begin("run")
    build(backend, "helper", "SELECT 1 AS n", kind="temporary")
    build(backend, "m", "SELECT n + 1 AS n FROM helper")
    publish_all(backend)
    assert set(backend.describe_published()) == {"m", STATE_TABLE}
    assert [row.name for row in backend.state()] == ["m"]


def test_candidates_lie_in_a_file_that_ends_with_the_run(tmp_path: Path, folder: Path) -> None:
    database = tmp_path / "marts.duckdb"
    left = [tmp_path / f".marts.duckdb.dead.candidates{end}" for end in ("", ".wal")]
    other = tmp_path / ".other.duckdb.alive.candidates"
    for file in (*left, other):
        file.touch()
    with closing(opened(database, folder)) as backend:
        backend.begin("run", ["m", "v"])
        (file,) = tmp_path.glob(".marts.duckdb.*.candidates")
        assert not any(each.exists() for each in left)
        build(backend, "m", "SELECT 1 AS n")
        build(backend, "v", "SELECT n + 1 AS n FROM m", kind="view")
        assert backend.fetch(select("SELECT n FROM v"), about="v") == [{"n": 2}]
        publish_all(backend)
        assert backend.fetch(select("SELECT n FROM v"), about="v") == [{"n": 2}]
        assert file.exists()
    assert {each.name for each in tmp_path.iterdir()} == {"marts.duckdb", "data", other.name}


@pytest.mark.parametrize(
    "edit",
    [
        "DELETE FROM gold.m WHERE n = 1",
        "UPDATE gold.m SET n = 7 WHERE n = 1",
        "INSERT INTO gold.m VALUES (1, 'x')",
        "ALTER TABLE gold.m DROP COLUMN k",
        "ALTER TABLE gold.m RENAME COLUMN k TO j",
        "ALTER TABLE gold.m ALTER n TYPE INTEGER",
        "CREATE OR REPLACE TABLE gold.m AS SELECT 1 AS n",
        "DROP TABLE gold.m; CREATE VIEW gold.m AS SELECT * FROM gold.twin",
        "CREATE OR REPLACE VIEW gold.v AS SELECT n, k FROM gold.m WHERE n > 1",
    ],
)
def test_a_version_changes_with_whatever_is_done_by_hand(edit: str, backend: DuckDBBackend) -> None:
    rows = "SELECT * FROM (VALUES (1::BIGINT, 'x'), (2, 'y'), (2, 'y')) AS t(n, k)"
    backend.begin("run")
    for name in ("m", "twin"):
        build(backend, name, rows)
    build(backend, "v", "SELECT n, k FROM m", kind="view")
    publish_all(backend)
    recorded = {row.name: row.version for row in backend.state()}

    def found() -> dict[str, str | None]:
        return {n: d.version for n, d in backend.describe_published(recorded).items() if d.version}

    assert found() == recorded
    backend._connection.execute("CREATE TABLE other AS FROM gold.m; FORCE CHECKPOINT")
    assert found() == recorded
    backend._connection.execute(edit)
    changed = "v" if " gold.v " in edit else "m"
    assert {name for name in recorded if found()[name] != recorded[name]} == {changed}


TYPES = (
    "DECIMAL(18, 2)",
    "DOUBLE",
    "BIGINT",
    "TEXT",
    "DATE",
    "TIMESTAMP",
    "TIMESTAMPTZ",
    "BOOLEAN",
    "HUGEINT",
)
QUERIES = {
    "types": "SELECT "
    + ", ".join(f'CAST(NULL AS {kind}) AS "{kind}"' for kind in TYPES)
    + ", 'a  b' AS t, bike IS DISTINCT FROM ('CROSS' || bike) AS d FROM bikes",
    "joins": "SELECT a.bike FROM (SELECT bike FROM bikes UNION SELECT 'b') AS a"
    " JOIN bikes AS b ON a.bike = b.bike CROSS JOIN (SELECT 1 AS n) AS c"
    " LEFT JOIN bikes AS d ON d.bike = b.bike",
}


def test_a_version_stays_when_the_database_is_opened_again(tmp_path: Path, folder: Path) -> None:
    with closing(opened(tmp_path / "x.duckdb", folder)) as backend:
        backend.begin("run")
        for name, query in QUERIES.items():
            build(backend, name, query, kind="view")
        build(backend, "table", QUERIES["types"])
        publish_all(backend)
        recorded = {row.name: row.version for row in backend.state()}
    with closing(opened(tmp_path / "x.duckdb", folder, read_only=True)) as backend:
        found = backend.describe_published(recorded)
        assert {name: found[name].version for name in recorded} == recorded


def test_what_an_earlier_version_recorded_is_taken_over_name_by_name(
    backend: DuckDBBackend,
) -> None:
    backend._connection.execute(
        "CREATE SCHEMA gold; CREATE TABLE gold.int_published_marts (mart TEXT, as_of DATE,"
        " run_id TEXT, published_at TIMESTAMP); INSERT INTO gold.int_published_marts VALUES"
        " ('m', DATE '2025-01-01', 'old', now()), ('k', DATE '2025-01-01', 'old', now())"
    )
    earlier = RecordedTable(None, "k", "table", "old", datetime.date(2025, 1, 1))
    assert backend.state() == [replace(earlier, name="m"), earlier]
    publish(backend, m="SELECT 1 AS n")
    assert [(row.package, row.name) for row in backend.state()] == [("shop", "m"), (None, "k")]
    backend.begin("second")
    publish_all(backend, "second", drops=("k",))
    assert [(row.package, row.name) for row in backend.state()] == [("shop", "m")]
    assert EARLIER_STATE_TABLE not in backend.describe_published()


def test_a_table_of_state_that_is_somebody_elses_is_refused(backend: DuckDBBackend) -> None:
    backend._connection.execute(
        "CREATE SCHEMA gold; CREATE TABLE gold.marts_state AS SELECT 1 AS n"
    )
    with pytest.raises(UsageError, match="marts_state was not made by marts"):
        backend.state()


# 900 million square roots: no machine is done within the test.
HEAVY = """
    WITH numbers AS (SELECT unnest(range(1000000)) AS n)
    SELECT sum(sqrt(x.n * y.n)) AS n FROM numbers AS x, numbers AS y
"""


@pytest.mark.parametrize(
    "work",
    [
        lambda backend: backend.fetch(select(HEAVY), about="heavy"),
        lambda backend: build(backend, "heavy", HEAVY),
        lambda backend: backend._rows(HEAVY),
    ],
    ids=["fetch", "build", "read the catalog"],
)
def test_an_interrupt_stops_the_engine_at_once(
    work: Callable[[DuckDBBackend], None], backend: DuckDBBackend
) -> None:
    publish(backend, m="SELECT 1 AS n")
    backend.begin("second")
    build(backend, "m", "SELECT 2 AS n")
    threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
    # The query would run for an hour: this does not measure time, but ends a test that hangs.
    hangs = threading.Timer(GUARD, backend._connection.interrupt)
    hangs.start()
    with pytest.raises(KeyboardInterrupt):
        work(backend)
    assert hangs.is_alive()
    hangs.cancel()
    backend.discard()
    assert backend.fetch(select("SELECT n FROM m"), about="m") == [{"n": 1}]


def test_an_interrupt_within_a_short_statement_is_one() -> None:
    # DuckDB raises a RuntimeError where a signal's handler raised while it was at work.
    def interrupted() -> None:
        error = RuntimeError("Query interrupted")
        error.__cause__ = KeyboardInterrupt()
        raise error

    with pytest.raises(KeyboardInterrupt), translated("build m"):
        interrupted()
    with pytest.raises(RuntimeError, match="a bug"), translated("build m"):
        raise RuntimeError("a bug")


# Rows as they arrive


def test_rows_are_streamed_while_other_queries_run(backend: DuckDBBackend) -> None:
    publish(backend, numbers="SELECT UNNEST(RANGE(100000)) AS n")
    query = select("SELECT n FROM numbers ORDER BY n")
    first, second = (backend.stream(query, about="numbers") for _ in range(2))
    found = list[int]()
    for batch in first:
        assert batch.num_rows <= BATCH_ROWS
        found += batch.column("n").to_pylist()
        assert backend.fetch(select("SELECT 1 AS x"), about="x") == [{"x": 1}]
        assert next(second).num_rows <= BATCH_ROWS
    second.close()
    assert found == [*range(100_000)]


def test_candidates_are_streamed_wherever_they_are(
    backend: DuckDBBackend, tmp_path: Path, folder: Path
) -> None:
    with closing(opened(tmp_path / "x.duckdb", folder, read_only=True)) as in_memory:
        for each in (backend, in_memory):
            each.begin("run", ["numbers"])
            build(each, "numbers", "SELECT UNNEST(RANGE(100000)) AS n")
            rows = each.stream(select("SELECT n FROM numbers"), about="numbers")
            assert sum(batch.num_rows for batch in rows) == 100_000
            each.discard()


def test_what_fails_halfway_is_an_engines_error_without_values(backend: DuckDBBackend) -> None:
    publish(backend, texts="SELECT CASE n WHEN 90000 THEN 'secret' ELSE '1' END AS t"
            " FROM (SELECT UNNEST(RANGE(100000)) AS n)")  # fmt: skip
    rows = backend.stream(select("SELECT CAST(t AS INT) AS n FROM texts"), about="texts")
    with pytest.raises(EngineError, match="could not query texts") as caught:
        list(rows)
    assert "secret" not in str(caught.value)
    assert backend.fetch(select("SELECT 1 AS x"), about="x") == [{"x": 1}]


def test_local_times_are_streamed_as_they_are_fetched(backend: DuckDBBackend) -> None:
    query = select("SELECT CAST(CAST('2025-06-30 12:00:00+02' AS TIMESTAMPTZ) AS TIMESTAMP) AS t")
    (batch,) = backend.stream(query, about="x")
    assert batch.to_pylist() == backend.fetch(query, about="x")
