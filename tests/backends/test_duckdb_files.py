"""Which files a source on DuckDB consists of, and what happens when they change or break."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from backends.duckdb_connection import shortened
from backends.duckdb_sql import compiled
from marts.core.errors import EngineError, SourceError
from marts.core.plan.state import Publication
from support.parquet_source import Source, arrow, moment, write
from support.workshop import shop_in

D = Decimal
DAY = datetime.date(2025, 3, 30)
US = moment(3, 30, 0, 1)


def test_the_files_are_fixed_when_the_source_is_described(tmp_path: Path) -> None:
    write(tmp_path / "s/1.parquet", {"n": [1]})
    source = Source(tmp_path, {"n": "int64"})
    assert source.rows() == [(1,)]
    write(tmp_path / "s/2.parquet", {"n": [2]})
    assert source.rows() == [(1,)]
    assert source.backend.changed_sources() == []
    (tmp_path / "s/1.parquet").unlink()
    assert source.backend.changed_sources() == [f"source s: {tmp_path}/s/1.parquet is gone"]
    with pytest.raises(EngineError):
        source.backend.fetch(source.table, about="s")


def test_a_source_that_was_absent_stays_so(tmp_path: Path) -> None:
    source = Source(tmp_path, {"n": "int64"})
    assert source.backend.describe_sources(["s"]) == {}
    write(tmp_path / "s.parquet", {"n": [1]})
    assert source.backend.describe_sources(["s"]) == {}


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: write(folder / "s/2.parquet", {"n": [1]}),
        lambda folder: write(folder / "s/k=1/3.parquet", {"n": [1]}),
        lambda folder: (folder / "s/1.parquet").unlink(),
        lambda folder: write(folder / "s/1.parquet", {"n": [1]}),
        lambda folder: (folder / "s/1.parquet").rename(folder / "s/3.parquet"),
        lambda folder: (folder / "s").rename(folder / "s.parquet"),
    ],
    ids=["another file", "one deeper", "one less", "written", "renamed", "folder renamed"],
)
def test_a_version_changes_with_the_files(change: Any, tmp_path: Path) -> None:
    for number in range(2):
        write(tmp_path / f"s/{number}.parquet", {"n": [1]})
    before = Source(tmp_path, {"n": "int64"}).describe().version
    assert Source(tmp_path, {"n": "int64"}).describe().version == before
    change(tmp_path)
    assert Source(tmp_path, {"n": "int64"}).describe().version != before


def test_a_version_changes_with_how_the_files_are_read(tmp_path: Path) -> None:
    write(tmp_path / "s.parquet", {"at": arrow([US], pa.timestamp("us", "UTC"))})
    zones = [Source(tmp_path, {"at": "timestamp"}, at=zone) for zone in ("UTC", "Asia/Tokyo")]
    assert len({source.describe().version for source in zones}) == 2


def test_hundreds_of_files_are_one_short_name_for_people(tmp_path: Path) -> None:
    for number in range(300):
        write(tmp_path / f"s/{number % 7}/{number}.parquet", {"n": [number]})
    source = Source(tmp_path, {"n": "int64"})
    assert source.rows() == [(n,) for n in range(300)]
    sql = source.backend.to_sql(compiled(source.table))
    assert f"'{tmp_path}/s/**/*.parquet'" in sql
    assert sql.count(".parquet") == 1
    executed = source.backend._executed(compiled(source.table), {})
    assert executed.count(".parquet") == 300
    assert shortened(executed).count(".parquet") == 1


def test_a_view_over_a_source_reads_the_files_it_was_made_of(tmp_path: Path) -> None:
    write(tmp_path / "s/1.parquet", {"N": arrow([1], pa.uint64())})
    source = Source(tmp_path, {"n": "int64"})
    source.backend.begin("run")
    source.backend.build("v", source.table, kind="view", comment="", column_comments={})
    source.backend.publish(Publication(package="p", as_of=DAY, run_id="run"))
    write(tmp_path / "s/2.parquet", {"N": ["text"]})
    source.backend.close()
    with duckdb.connect(str(tmp_path / "x.duckdb"), read_only=True) as reader:
        assert reader.execute("FROM gold.v").fetchall() == [(1,)]


def test_a_filter_reaches_the_scan(tmp_path: Path) -> None:
    write(tmp_path / "s/1.parquet", {"N": [0, 5], "wide": arrow([D(1)] * 2, pa.decimal128(38, 0))})
    write(tmp_path / "s/2.parquet", {"N": [0, 5], "wide": [2, 2]})
    source = Source(tmp_path, {"n": "int64", "wide": "int64"})
    query = source.table.filter(source.table.n > 1).aggregate(x=source.table.wide.sum())
    sql = source.backend._executed(compiled(query), {})
    (plan,) = source.backend._connection.execute(f"EXPLAIN (FORMAT json) {sql}").fetchall()
    assert len(re.findall("N ?> ?1", plan[1])) == 2


def write_table(table: pa.Table, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path)


def _by_day(orders: pa.Table, folder: Path) -> None:
    for number, row in enumerate(orders.to_pylist()):
        part = pa.Table.from_pylist([row], orders.schema)
        write_table(part, folder / f"day={row['ordered_at']:%Y-%m-%d}/status=x/{number}.PARQUET")


def _wider(orders: pa.Table, folder: Path) -> None:
    wide = {"amount": pa.decimal128(38, 6), "ordered_at": pa.timestamp("ns")}
    fields = [field.with_type(wide.get(field.name, field.type)) for field in orders.schema]
    write_table(orders.cast(pa.schema(fields)), folder / "part-0.snappy.parquet")
    (folder / "_SUCCESS").touch()


def _upper_case_backwards(orders: pa.Table, folder: Path) -> None:
    names = orders.column_names[::-1]
    turned = orders.select(names).rename_columns([name.upper() for name in names])
    write_table(turned, folder / "a/b/c.pq")


LAYOUTS: dict[str, Callable[[pa.Table, Path], None]] = {
    "orders": _by_day,
    "orders.parquet": _wider,
    "ORDERS": _upper_case_backwards,
}


@pytest.mark.parametrize(("name", "make"), LAYOUTS.items(), ids=LAYOUTS)
def test_the_same_rows_lying_otherwise_give_the_same_marts(
    name: str, make: Callable[[pa.Table, Path], None], tmp_path: Path
) -> None:
    folders = tmp_path / "1", tmp_path / "amount=9/2"
    for folder in folders:
        folder.mkdir(parents=True)
    first, other = map(shop_in, folders)
    # Unlike read_table, it does not take the names of folders for columns.
    with pq.ParquetFile(other.data / "orders.parquet") as file:
        orders = file.read()
    (other.data / "orders.parquet").unlink()
    make(orders, other.data / name)
    for shop in (first, other):
        report = shop.run(source_checks=True)
        assert report.status == "published", report.error
    assert other.published() == first.published()


def test_a_broken_table_that_nobody_needs_stops_nobody(tmp_path: Path) -> None:
    write(tmp_path / "s.parquet", {"n": [1]})
    (tmp_path / "other.parquet").write_bytes(b"")
    (tmp_path / "another.parquet").symlink_to("nowhere")
    (tmp_path / "S2").mkdir()
    assert Source(tmp_path, {"n": "int64"}).rows() == [(1,)]


@pytest.mark.parametrize("content", [b"", b"PAR1", b"PAR1" + b"x" * 100 + b"PAR1"])
def test_a_part_that_is_not_parquet_is_named(content: bytes, tmp_path: Path) -> None:
    write(tmp_path / "s/1.parquet", {"n": [1]})
    (tmp_path / "s/2.parquet").write_bytes(content)
    with pytest.raises(SourceError, match=r"source s: 2\.parquet is not a readable Parquet file"):
        Source(tmp_path, {"n": "int64"}).describe()


def spoil(path: Path, column: int = 0) -> None:
    """Overwrite the values of a column; the footer stays whole."""
    content, said = bytearray(path.read_bytes()), pq.read_metadata(path).row_group(0).column(column)
    first = said.dictionary_page_offset or said.data_page_offset
    content[first : first + said.total_compressed_size] = b"\xff" * said.total_compressed_size
    path.write_bytes(content)


SPOILT = [
    (pa.int64(), "int64", {}),
    (pa.uint64(), "int64", {}),
    (pa.timestamp("us"), "date", {}),
    (pa.timestamp("ns", "UTC"), "timestamp", {"a": "UTC"}),
]


@pytest.mark.parametrize(("kind", "wanted", "zones"), SPOILT, ids=[str(k) for k, *_ in SPOILT])
def test_a_part_whose_values_cannot_be_read_is_named_with_the_column(
    kind: pa.DataType, wanted: str, zones: dict[str, Any], tmp_path: Path
) -> None:
    for number in (1, 2, 3):
        columns = {"n": range(100), "A": arrow([number] * 100, pa.int64()).cast(kind)}
        write(tmp_path / f"s/{number}.parquet", columns, write_statistics=False)
    spoil(tmp_path / "s/2.parquet", column=1)
    with pytest.raises((SourceError, EngineError)) as caught:
        Source(tmp_path, {"n": "int64", "a": wanted}, **zones).rows()
    first, *_, last = str(caught.value).splitlines()
    assert first == "source s: cannot read column A of 2.parquet"
    assert last == f"  {tmp_path}/s/2.parquet"


def test_a_statement_that_fails_for_another_reason_blames_no_file(tmp_path: Path) -> None:
    write(tmp_path / "s.parquet", {"a": ["x"]})
    source = Source(tmp_path, {"a": "string"})
    with pytest.raises(EngineError, match="DuckDB could not query s"):
        source.backend.fetch(source.table.select(a=source.table.a.cast("int64")), about="s")
