"""Tables and views of DuckDB files as sources: types, names, versions, locks."""

from __future__ import annotations

import datetime
import math
import subprocess
import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from marts.core.errors import EngineError, SourceError, UsageError
from marts.core.plan.state import PlannedTable, Publication
from support.parquet_source import Source, moment

D = Decimal
DAY = datetime.date(2025, 3, 30)
FITS = [
    # in the table, in the contract, as it is read
    ("7::TINYINT", "int64", 7),
    ("7::HUGEINT", "int64", 7),
    ("7::UHUGEINT", "int64", 7),
    ("7::HUGEINT", "decimal(10, 2)", D("7.00")),
    ("7::HUGEINT", "float64", 7.0),
    ("'7.50'::DECIMAL(38, 3)", "decimal(10, 2)", D("7.50")),
    ("1.5::FLOAT", "float64", 1.5),
    ("'a'::ENUM('a', 'b')", "string", "a"),
    ("DATE '2025-03-30'", "timestamp", moment()),
    ("TIMESTAMP '2025-03-30'", "date", DAY),
    ("TIMESTAMP_S '2025-03-30 01:00:00'", "timestamp", moment(1)),
    ("TIMESTAMP_NS '2025-03-30 01:00:00.000001'", "timestamp", moment(1, 0, 0, 1)),
    ("true", "boolean", True),
]


def make(folder: Path, *statements: str, file: str = "crm.duckdb") -> Path:
    """Execute statements in a DuckDB file."""
    with duckdb.connect(str(folder / file)) as connection:
        for sql in statements:
            connection.execute(sql)
    return folder / file


@pytest.mark.parametrize(("value", "kind", "read"), FITS)
@pytest.mark.parametrize("what", ["TABLE", "VIEW"])
def test_a_type_is_read_where_every_value_fits(
    value: str, kind: str, read: object, what: str, tmp_path: Path
) -> None:
    make(tmp_path, f'CREATE {what} s AS SELECT 1 AS n, {value} AS "A" UNION ALL SELECT 2, NULL')
    found = Source(tmp_path, {"n": "int64", "a": kind}, data="crm.duckdb").rows()
    assert found == [(1, read), (2, None)]


REFUSED = [
    ("(2::HUGEINT ** 63)::HUGEINT", "int64", "hugeint with 1 value that does not fit, such as 922"),
    ("'1.255'::DECIMAL(38, 3)", "decimal(10, 2)", "decimal(38, 3) with 1 value that does not fit"),
    ("2::BIGINT ** 53 + 1", "int64", "float64"),
    ("9007199254740993", "float64", "int64 with 1 value that does not fit"),
    ("TIMESTAMP '2025-03-30 01:00:00'", "date", "timestamp(6) with 1 value that does not fit"),
    ("TIMESTAMP_NS '2025-03-30 01:00:00.000000001'", "timestamp", "timestamp(9) with 1 value"),
    (
        "TIMESTAMPTZ '2025-03-30 01:00:00+00'",
        "timestamp",
        "timestamp with a zone: declare the zone",
    ),
    ("uuid()", "string", "uuid"),
    ("[1]", "int64", "integer[]"),
    ("{'a': 1}", "string", "struct(a integer)"),
    ("INTERVAL 1 DAY", "int64", "interval"),
    ("'1'::BIT", "int64", "bit"),
    ("union_value(n := 1)", "int64", "union(n integer)"),
    ("'x'", "int64", "string"),
]


@pytest.mark.parametrize(("value", "kind", "reason"), REFUSED)
def test_other_types_and_values_are_refused(
    value: str, kind: str, reason: str, tmp_path: Path
) -> None:
    make(tmp_path, f"CREATE TABLE s AS SELECT {value} AS a")
    (line,) = Source(tmp_path, {"a": kind}, data="crm.duckdb").describe().misfits
    assert line.startswith(f"column a: expected {kind}, found {reason}")


def test_a_moment_is_the_time_of_day_in_its_zone(tmp_path: Path) -> None:
    make(tmp_path, "CREATE TABLE s AS SELECT TIMESTAMPTZ '2025-03-30 01:00:00+00' AS at")
    source = Source(tmp_path, {"at": "timestamp"}, data="crm.duckdb", at="Europe/Berlin")
    assert source.rows() == [(moment(3),)]


def test_texts_are_compared_by_their_characters_whatever_the_collation(tmp_path: Path) -> None:
    make(
        tmp_path,
        "CREATE TABLE s (a VARCHAR COLLATE NOCASE)",
        "INSERT INTO s VALUES ('Paid')",
        "CREATE VIEW v AS FROM s",
    )
    for name in ("s", "v"):
        source = Source(tmp_path, {"a": "string"}, location=f"crm.duckdb:{name}")
        query = source.table.filter(source.table.a == "paid")
        assert source.backend.fetch(query, about="s") == []
        assert source.rows() == [("Paid",)]


# Names and places

TABLES = [
    *("CREATE TABLE s AS SELECT 1 AS n", 'CREATE SCHEMA "raw.data"', "CREATE SCHEMA RAW"),
    'CREATE TABLE "raw.data"."Order ""Details""" AS SELECT 2 AS n',
    *("CREATE TABLE raw.s AS SELECT 3 AS n", 'CREATE VIEW raw."a:b" AS SELECT 4 AS n'),
]
PLACES: list[tuple[dict[str, Any], int]] = [
    ({"data": "crm.duckdb"}, 1),
    ({"location": "crm.duckdb"}, 1),
    ({"location": "crm.duckdb:s"}, 1),
    ({"location": "crm.duckdb:S"}, 1),
    ({"location": "crm.duckdb:main.s"}, 1),
    ({"location": "./crm.duckdb:raw.S"}, 3),
    ({"location": 'crm.duckdb:"raw.data"."Order ""Details"""'}, 2),
    ({"location": 'crm.duckdb:raw."a:b"'}, 4),
    ({"location": "crm.duckdb:raw.a:b"}, 4),
    ({"data": "crm.duckdb", "source_name": "S"}, 1),
    ({"location": "crm.duckdb", "source_name": "s"}, 1),
    ({"location": "crm.duckdb:raw.s", "source_name": "elsewhere"}, 3),
]


@pytest.mark.parametrize(("place", "value"), PLACES, ids=[str(place) for place, _ in PLACES])
def test_a_table_is_found_where_it_is_said_to_be(
    place: dict[str, Any], value: int, tmp_path: Path
) -> None:
    make(tmp_path, *TABLES)
    assert Source(tmp_path, {"n": "int64"}, **place).rows() == [(value,)]


WRONG: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"location": "crm.duckdb:t"}, SourceError, "crm.duckdb has no main.t\n  it has: RAW."),
    ({"location": "crm.duckdb:raw.t"}, SourceError, "hint: correct its location in ["),
    ({"location": "crm.duckdb:a.b.c"}, UsageError, "a.b.c is not a table, or schema.table"),
    ({"location": "crm.duckdb:"}, UsageError, "nothing is not a table, or schema.table"),
    ({"location": 'crm.duckdb:"s'}, UsageError, '"s is not a table, or schema.table'),
    ({"location": "none.duckdb:s"}, UsageError, "none.duckdb does not exist"),
    ({"location": "none.csv"}, UsageError, "none.csv does not exist"),
    ({"location": "raw/*.csv"}, UsageError, "name the folder: patterns are not read"),
    ({"location": "notes.txt"}, UsageError, "it is not Parquet (.parquet, .parq, .pq) or CSV"),
    ({"location": "empty"}, UsageError, "it has no file that is Parquet"),
    ({"location": "notes.txt:s"}, UsageError, "notes.txt is not a DuckDB file"),
    ({"data": "notes.txt"}, UsageError, "notes.txt is neither a folder nor a DuckDB file"),
    ({"data": "crm.duckdb", "source_name": "a:b"}, SourceError, 's = "{}/crm.duckdb:RAW."a:b""'),
    ({"location": "broken.duckdb"}, SourceError, "cannot open {}/broken.duckdb"),
    ({"location": "x.duckdb:gold.s"}, UsageError, "s is in schema gold of {}/x.duckdb, where the"),
]


@pytest.mark.parametrize(("place", "kind", "reason"), WRONG, ids=[str(each[0]) for each in WRONG])
def test_a_wrong_location_is_refused(
    place: dict[str, Any], kind: type[Exception], reason: str, tmp_path: Path
) -> None:
    make(tmp_path, *TABLES)
    make(tmp_path, file="x.duckdb")
    (tmp_path / "notes.txt").write_text("a note")
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken.duckdb").write_bytes(b"12345678DUCK" + b"x" * 5000)
    with pytest.raises(kind) as caught:
        Source(tmp_path, {"n": "int64"}, **place).describe()
    assert reason.format(tmp_path) in str(caught.value).replace("\n  hint", "\nhint")


def test_an_absent_table_of_the_data_is_absent(tmp_path: Path) -> None:
    make(tmp_path, "CREATE TABLE t AS SELECT 1 AS n")
    source = Source(tmp_path, {"n": "int64"}, data="crm.duckdb")
    assert source.backend.describe_sources(["s"]) == {}
    assert source.backend.source_location == f"schema main of {tmp_path}/crm.duckdb"


# Versions

S_AND_V = ("CREATE TABLE s AS SELECT 1 AS n", "CREATE VIEW v AS FROM s")
CHANGES: dict[str, Callable[[Path], object]] = {
    "a row": lambda folder: make(folder, "INSERT INTO s VALUES (2)"),
    "a value": lambda folder: make(folder, "UPDATE s SET n = 5"),
    "a log": lambda folder: killed(folder, "INSERT INTO s VALUES (2)"),
    "another file": lambda folder: make(folder, *S_AND_V, file="other.duckdb").replace(
        folder / "crm.duckdb"
    ),
}


def killed(folder: Path, sql: str) -> None:
    """Execute a statement in a process that dies before the file has what it changed."""
    code = f"""
import duckdb, os
connection = duckdb.connect({str(folder / "crm.duckdb")!r})
connection.execute({sql!r})
os._exit(0)
"""
    subprocess.run([sys.executable, "-c", code], check=True)
    assert (folder / "crm.duckdb.wal").exists()


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
@pytest.mark.parametrize("what", ["TABLE", "VIEW"])
def test_a_version_changes_with_the_rows(
    change: Callable[[Path], object], what: str, tmp_path: Path
) -> None:
    make(tmp_path, *S_AND_V)
    place = "crm.duckdb:s" if what == "TABLE" else "crm.duckdb:v"

    def version() -> str | None:
        source = Source(tmp_path, {"n": "int64"}, location=place)
        found = source.describe().version
        assert source.backend.changed_sources() == []
        source.backend.close()
        return found

    before = version()
    assert version() == before
    change(tmp_path)
    is_same = what == "VIEW" and change is CHANGES["another file"]
    assert (version() == before) is is_same


def test_rows_of_a_view_may_come_from_anywhere(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("n\n1\n")
    make(tmp_path, f"CREATE VIEW s AS FROM '{tmp_path}/rows.csv'")
    source = Source(tmp_path, {"n": "int64"}, data="crm.duckdb")
    assert source.rows() == [(1,)]
    assert source.backend.changed_sources() == []
    (tmp_path / "rows.csv").write_text("n\n2\n")
    assert source.backend.changed_sources() == ["source s: s changed"]
    (tmp_path / "rows.csv").unlink()
    with pytest.raises(SourceError, match="source s: cannot read s of"):
        Source(tmp_path, {"n": "int64"}, data="crm.duckdb").describe()


def test_nan_is_found_in_the_file_behind_a_view(tmp_path: Path) -> None:
    pq.write_table(pa.table({"n": [1.0, math.nan]}), tmp_path / "rows.parquet")
    make(tmp_path, f"CREATE VIEW s AS FROM '{tmp_path}/rows.parquet'")
    source = Source(tmp_path, {"n": "float64"}, data="crm.duckdb")
    found = source.table.filter(source.table.n.isnan())
    assert len(source.backend.fetch(found, about="s")) == 1


def test_a_version_is_the_same_from_any_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(tmp_path, "CREATE TABLE s AS SELECT 1 AS n")
    versions = set()
    for cwd, folder in ((tmp_path, "."), (tmp_path.parent, tmp_path.name)):
        monkeypatch.chdir(cwd)
        source = Source(Path(folder), {"n": "int64"}, data="crm.duckdb")
        versions.add(source.describe().version)
        source.backend.close()
    assert len(versions) == 1


def test_a_file_that_is_replaced_meanwhile_is_named(tmp_path: Path) -> None:
    make(tmp_path, "CREATE TABLE s AS SELECT 1 AS n")
    source = Source(tmp_path, {"n": "int64"}, data="crm.duckdb")
    assert source.rows() == [(1,)]
    make(tmp_path, "CREATE TABLE s AS SELECT 2 AS n", file="other.duckdb")
    (tmp_path / "other.duckdb").replace(tmp_path / "crm.duckdb")
    assert source.rows() == [(1,)]
    assert source.backend.changed_sources() == [f"source s: {tmp_path}/crm.duckdb changed"]
    (tmp_path / "crm.duckdb").unlink()
    assert source.backend.changed_sources() == [f"source s: {tmp_path}/crm.duckdb is gone"]


def test_a_file_that_is_being_written_is_refused_and_one_that_is_read_is_not(
    tmp_path: Path,
) -> None:
    file = make(tmp_path, "CREATE TABLE s AS SELECT 1 AS n")
    for read_only in (False, True):
        code = f"c = duckdb.connect({str(file)!r}, read_only={read_only}); print(1, flush=True)"
        with subprocess.Popen(
            [sys.executable, "-c", f"import duckdb; {code}; input()"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as holder:
            assert holder.stdout
            assert holder.stdout.readline()
            source = Source(tmp_path, {"n": "int64"}, data="crm.duckdb")
            if read_only:
                assert source.rows() == [(1,)]
            else:
                with pytest.raises(EngineError) as caught:
                    source.describe()
                assert f"another process has {file} open for writing" in str(caught.value)
                assert f"(PID {holder.pid})" in str(caught.value)
            assert holder.stdin
            holder.stdin.close()


# The file of the marts


def test_a_table_beside_the_marts_has_the_version_of_its_rows(tmp_path: Path) -> None:
    make(tmp_path, "CREATE TABLE s AS SELECT 1 AS n", file="x.duckdb")
    source = Source(tmp_path, {"n": "int64"}, location="x.duckdb:s")
    version = source.describe().version
    source.backend.begin("run", ["v"])
    source.backend.build("v", source.table, kind="view", comment="", column_comments={})
    source.backend.publish(Publication(package="p", as_of=DAY, run_id="run"))
    assert source.backend.changed_sources() == []
    source.backend.close()
    again = Source(tmp_path, {"n": "int64"}, location="x.duckdb:s")
    assert again.describe().version == version
    again.backend.close()
    # Another environment, whose marts are elsewhere, has the same version.
    (tmp_path / "there").mkdir()
    other = Source(tmp_path / "there", {"n": "int64"}, data="..", location="../x.duckdb:s")
    assert other.describe().version == version
    other.backend.close()
    make(tmp_path, "INSERT INTO s VALUES (2)", file="x.duckdb")
    changed = Source(tmp_path, {"n": "int64"}, location="x.duckdb:s")
    assert changed.describe().version != version
    changed.backend.close()
    with duckdb.connect(str(tmp_path / "x.duckdb")) as connection:
        assert connection.execute("SELECT sum(n) FROM gold.v").fetchone() == (3,)


def test_a_view_over_a_table_of_another_file_is_refused(tmp_path: Path) -> None:
    make(tmp_path, "CREATE TABLE s AS SELECT 1 AS n")
    source = Source(tmp_path, {"n": "int64"}, data="crm.duckdb")
    query = source.backend.compile(source.table)
    for kind in ("table", "view"):
        planned = PlannedTable("v", kind, source.table.schema(), query)
        if kind == "table":
            assert source.backend.shape_changes([planned], acknowledged=()) == ()
        else:
            with pytest.raises(UsageError, match="v is a view, and reads s of another DuckDB file"):
                source.backend.shape_changes([planned], acknowledged=())
    assert source.backend.to_sql(query).endswith('"crm"."main"."s" AS s')
