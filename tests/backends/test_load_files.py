"""Files to be loaded are compared with each other, and read, before anything is uploaded."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from backends.load_files import (
    EPOCH,
    Content,
    find_tables,
    keys_not_loaded,
    loaded_as,
    read_contents,
)
from marts.core.errors import SourceError


def write(folder: Path, tables: Mapping[str, pa.Table]) -> Path:
    """Write a Parquet file for each path in a folder."""
    for path, table in tables.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(table, file)
    return folder


def table(**columns: object) -> pa.Table:
    return pa.table({name: pa.array([], kind) for name, kind in columns.items()})


def refused(folder: Path) -> list[str]:
    """Return the facts of the refusal."""
    with pytest.raises(SourceError, match="these files cannot be loaded") as caught:
        find_tables(folder)
    return list(caught.value.facts)


A, B = "orders/a.parquet", "orders/b [1]*.parquet"
AMOUNT = table(id=pa.int64(), amount=pa.int64())


@pytest.mark.parametrize(
    ("other", "problems"),
    [
        (table(amount=pa.int64(), id=pa.int64()), []),
        (table(id=pa.int64()), [f"{B} has no column amount, which {A} has"]),
        (
            table(id=pa.int64(), amount=pa.int64(), more=pa.string()),
            [f"{A} has no column more, which {B} has"],
        ),
        (
            table(id=pa.int64(), amount=pa.string()),
            [f"column amount is int64 in {A}, string in {B}"],
        ),
        (table(id=pa.int64(), amount=pa.int32()), [f"column amount is int64 in {A}, int32 in {B}"]),
        (table(id=pa.int64(), Amount=pa.int64()), [f"column amount of {A} is Amount in {B}"]),
        (
            table(id=pa.int64(), amount=pa.int64(), AMOUNT=pa.int64()),
            [f"{B} has the columns amount and AMOUNT, which are one on Snowflake"],
        ),
        (
            pa.Table.from_arrays([pa.array([1])] * 3, names=["id", "amount", "id"]),
            [f"{B} has the columns id and id, which are one on Snowflake"],
        ),
        (pa.table({}), [f"{B} has no columns"]),
    ],
)
def test_columns_are_those_of_the_first_file(
    tmp_path: Path, other: pa.Table, problems: Sequence[str]
) -> None:
    write(tmp_path, {A: AMOUNT, B: other})
    if problems:
        assert refused(tmp_path) == [f"orders: {problem}" for problem in problems]
    else:
        (orders,) = find_tables(tmp_path)
        assert orders.schema.names == ("id", "amount")


@pytest.mark.parametrize(
    "same",
    [
        (pa.string(), pa.large_string(), pa.dictionary(pa.int32(), pa.string())),
        (pa.timestamp("us", "UTC"), pa.timestamp("us", "Europe/Berlin")),
        (pa.date32(), pa.date64()),
    ],
)
def test_types_that_parquet_stores_alike_are_the_same(
    tmp_path: Path, same: Sequence[object]
) -> None:
    write(tmp_path, {f"t/{number}.parquet": table(x=kind) for number, kind in enumerate(same)})
    (found,) = find_tables(tmp_path)
    assert len(found.files) == len(same)


@pytest.mark.parametrize(
    "kind",
    [
        *(pa.binary(), pa.binary(4), pa.null(), pa.time64("us"), pa.duration("us"), pa.float16()),
        *(pa.list_(pa.int64()), pa.struct([("a", pa.int64())]), pa.map_(pa.string(), pa.int64())),
        pa.decimal256(50, 2),
    ],
    ids=str,
)
def test_a_type_that_snowflake_would_read_otherwise_is_refused(
    tmp_path: Path, kind: pa.DataType
) -> None:
    write(tmp_path, {"t.parquet": table(x=pa.int64(), odd=kind)})
    (fact,) = refused(tmp_path)
    assert fact.startswith("t: t.parquet: column odd has the type ")
    assert fact.endswith(", which cannot be loaded")


def test_all_problems_of_all_tables_are_one_error(tmp_path: Path) -> None:
    write(tmp_path, {A: AMOUNT, B: table(amount=pa.date32()), "odd.parquet": table(x=pa.null())})
    write(tmp_path, {"twice.parquet": AMOUNT, "Twice.parquet": AMOUNT})
    (tmp_path / "empty.parquet").touch()
    (tmp_path / "text").mkdir()
    (tmp_path / "text/1.parquet").write_text("no Parquet", "utf-8")
    first, *rest = refused(tmp_path)
    assert first.startswith("empty: empty.parquet is not a readable Parquet file\n  ")
    assert rest[:3] == [
        "odd: odd.parquet: column x has the type null, which cannot be loaded",
        f"orders: {B} has no column id, which {A} has",
        f"orders: column amount is int64 in {A}, date32[day] in {B}",
    ]
    assert rest[3].startswith("text: text/1.parquet is not a readable Parquet file\n  ")
    assert rest[4].startswith("twice: twice exists twice\n  ")
    assert len(rest) == 5


def test_a_directory_without_tables(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no tables to load"):
        find_tables(tmp_path)


EARLY, LATE = datetime.datetime(1969, 12, 31, 23, 59, 59, 999_999), datetime.datetime(2024, 2, 29)  # noqa: DTZ001
CONTENTS = {
    "text": (pa.array(["b", None, "a"]), Content(2)),
    "words": (pa.array(["b", None, "a"]).dictionary_encode(), Content(2)),
    "flag": (pa.array([True, None, False]), Content(2)),
    "share": (pa.array([0.5, None, 1.5]), Content(2)),
    "nothing": (pa.array([None] * 3, pa.int64()), Content(0)),
    "large": (pa.array([2**64 - 1, None, 0], pa.uint64()), Content(2, 0, 2**64 - 1)),
    "money": (
        pa.array([Decimal("-1.50"), None, Decimal("2.00")], pa.decimal128(10, 2)),
        Content(2, Decimal("-1.50"), Decimal("2.00")),
    ),
    "day": (
        pa.array([datetime.date(2024, 2, 29), None, datetime.date(1970, 1, 1)]),
        Content(2, datetime.date(1970, 1, 1), datetime.date(2024, 2, 29)),
    ),
    "moment": (pa.array([LATE, None, EARLY], pa.timestamp("us")), Content(2, EARLY, LATE)),
    "exact": (
        pa.array([1, None, -1], pa.timestamp("ns", "Europe/Berlin")),
        Content(2, EARLY, EPOCH),
    ),
}


def test_contents_are_read_over_all_files(tmp_path: Path) -> None:
    rows = pa.table({name: values for name, (values, _) in CONTENTS.items()})
    write(tmp_path, {"t/1.parquet": rows[:1], "t/2.parquet": rows[:0], "t/3.parquet": rows[1:]})
    tables = find_tables(tmp_path)
    assert read_contents(tables) == {"t": {name: found for name, (_, found) in CONTENTS.items()}}
    assert tables[0].rows == 3
    assert str(loaded_as(tables[0].schema)["large"]) == "decimal(20, 0)"


def test_files_that_break_off_are_noticed(tmp_path: Path) -> None:
    write(tmp_path, {"a.parquet": pa.table({"x": [*range(10_000)]}), "b.parquet": AMOUNT})
    file = tmp_path / "a.parquet"
    content = bytearray(file.read_bytes())
    content[4:5_000] = bytes(4_996)
    file.write_bytes(content)
    tables = find_tables(tmp_path)
    with pytest.raises(SourceError, match="cannot be loaded") as caught:
        read_contents(tables)
    assert caught.value.facts[0].startswith("a: a.parquet is not a readable Parquet file\n  ")


def test_keys_in_folders_are_told(tmp_path: Path) -> None:
    write(tmp_path, {"t/Amount=1/year=2024/1.parquet": AMOUNT, "t/Amount=2/2.parquet": AMOUNT})
    (found,) = find_tables(tmp_path)
    assert keys_not_loaded(found) == ["year"]
