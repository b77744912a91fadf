"""Files of rows: what is read back from each format is the table that was written."""

from __future__ import annotations

import csv
import datetime
import io
import json
import weakref
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from marts import boolean, date, decimal, float64, int64, money, string, timestamp
from marts.core.errors import EngineError, UsageError
from marts.core.query.contract import schema_of
from marts.core.run.formats import cell, harmless, json_text
from marts.core.run.streaming import conformed
from marts.core.run.table_files import ROW_GROUP, format_of, write_csv, write_json, write_parquet

SCHEMA = schema_of(
    [
        *(
            string("name"),
            money("spend"),
            decimal("rate", 38, 20),
            int64("number"),
            float64("part"),
        ),
        *(date("day"), timestamp("moment"), boolean("is_new")),
    ]
)
HOSTILE = st.sampled_from(
    [
        *('"', 'say "a"', "a,b", "a\nb", "a\r\nb", "\r", "", " ", "\ufeffx", "null", "NaN", "007"),
        *(
            "=1+1",
            "+49 30",
            "-5",
            "@x",
            "\t=1",
            "\uff1d1",
            "'=1",
            "'",
            "\u2028",
            "\x00",
            "\\",
            "1e5",
        ),
    ]
)
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "name": st.none() | HOSTILE | st.text(),
            "spend": st.none()
            | st.decimals("-9999999999999999.99", "9999999999999999.99", places=2),
            "rate": st.none() | st.decimals(-1, 1, places=20) | st.just(Decimal("1E-20")),
            "number": st.none() | st.integers(-(2**63), 2**63 - 1),
            "part": st.none() | st.floats(),
            "day": st.none() | st.dates(),
            "moment": st.none() | st.datetimes() | st.just(datetime.datetime(1, 1, 1)),  # noqa: DTZ001
            "is_new": st.none() | st.booleans(),
        }
    ).map(lambda row: {name: row[name] for name in SCHEMA}),
    max_size=5,
)


def table_of(rows: list[dict[str, Any]]) -> pa.Table:
    return pa.Table.from_pylist(rows, SCHEMA.to_pyarrow())


def written(write: Any, table: pa.Table, *, batch: int = 2) -> bytes:
    file = io.BytesIO()
    write(file, table.schema, iter(table.to_batches(batch)))
    return file.getvalue()


def same(value: object, other: object) -> bool:
    """Tell whether two values are equal: NaN and itself, too, but not 0.0 and -0.0."""
    return repr(value) == repr(other) if isinstance(value, float) else value == other


@given(ROWS)
@example([dict.fromkeys(SCHEMA) | {"part": part} for part in (6.1e-05, -9.9e-05, 1e-4, 1e16)])
def test_csv_has_each_value_and_tells_null_from_the_empty_text(rows: list[dict[str, Any]]) -> None:
    text = written(write_csv, table_of(rows)).decode("utf-8-sig")
    header, *found = csv.reader(io.StringIO(text, newline=""))
    assert header == list(SCHEMA)
    assert found == [[cell(harmless(value)) for value in row.values()] for row in rows]
    # Texts are quoted, and nothing else is.
    cells = [["" if v is None else quoted(v) for v in row.values()] for row in rows]
    assert text == "".join(f"{','.join(line)}\n" for line in [list(SCHEMA), *cells])


def quoted(value: object) -> str:
    text = cell(harmless(value))
    doubled = text.replace('"', '""')
    return f'"{doubled}"' if isinstance(value, str) else text


@given(ROWS)
@example([dict.fromkeys(SCHEMA) | {"part": part} for part in (6.1e-05, -9.9e-05, 1e-4, 1e16)])
def test_json_has_each_value_with_all_its_digits(rows: list[dict[str, Any]]) -> None:
    text = written(write_json, table_of(rows)).decode()
    objects = ",\n".join(json_text(row, indent=0) for row in rows)
    assert text == (f"[\n{objects}\n]\n" if rows else "[]\n")
    read = json.loads(text, parse_float=Decimal)
    for found, row in zip(read, rows, strict=True):
        for name in ("spend", "rate"):
            assert (None if found[name] is None else Decimal(found[name])) == row[name]
        assert (found["name"], found["number"]) == (row["name"], row["number"])
        for name in ("day", "moment"):
            assert found[name] == (row[name] and row[name].isoformat())
        part = found["part"]
        assert same(None if part is None else float(part), row["part"])


@given(ROWS)
def test_parquet_has_the_types_and_values_of_the_contract(rows: list[dict[str, Any]]) -> None:
    read = pq.read_table(io.BytesIO(written(write_parquet, table_of(rows))))
    assert read.schema.equals(SCHEMA.to_pyarrow())
    for found, row in zip(read.to_pylist(), rows, strict=True):
        assert all(same(found[name], row[name]) for name in row)


def test_a_file_of_one_column_keeps_the_rows_whose_value_is_null() -> None:
    table = pa.table({"name": ["a", None, ""]})
    text = written(write_csv, table).decode("utf-8-sig")
    assert [*csv.reader(io.StringIO(text))] == [["name"], ["a"], [""], [""]]


def test_how_many_texts_are_not_as_they_were_is_told() -> None:
    table = pa.table({"a": ["=1", "b", None, "'=1"], "b": ["-", "-", "x", "(1)"], "c": [-1] * 4})
    assert write_csv(io.BytesIO(), table.schema, iter(table.to_batches(2))) == 3


def test_types_of_other_contracts_are_written_as_text() -> None:
    table = pa.table({"list": [["=1", 'a"b'], None], "bytes": [b"\x00", b"a,b"]})
    text = written(write_csv, table).decode("utf-8-sig")
    found = [*csv.reader(io.StringIO(text))]
    assert found == [["list", "bytes"], ['["=1", "a\\"b"]', "00"], ["", "612c62"]]
    assert json.loads(written(write_json, table)) == [
        {"list": ["=1", 'a"b'], "bytes": "00"},
        {"list": None, "bytes": "612c62"},
    ]


def test_row_groups_of_parquet_are_neither_one_nor_many() -> None:
    table = pa.table({"number": range(ROW_GROUP + 5)})
    found = pq.ParquetFile(io.BytesIO(written(write_parquet, table, batch=1_000)))
    sizes = [found.metadata.row_group(n).num_rows for n in range(found.num_row_groups)]
    assert sum(sizes) == len(table)
    assert [ROW_GROUP <= size < ROW_GROUP + 1_000 for size in sizes] == [True, False][: len(sizes)]


@pytest.mark.parametrize("write", [write_csv, write_json, write_parquet])
def test_batches_are_not_kept(write: Any) -> None:
    """Otherwise memory would grow with the rows."""
    rows, alive = 1_000, list[weakref.ref[pa.RecordBatch]]()
    schema = pa.schema({"number": pa.int64(), "text": pa.string()})

    def batches() -> Iterator[pa.RecordBatch]:
        for _ in range(3 * ROW_GROUP // rows):
            batch = pa.RecordBatch.from_pydict(
                {"number": range(rows), "text": ["a"] * rows}, schema
            )
            alive[:] = [*(each for each in alive if each()), weakref.ref(batch)]
            assert len(alive) <= ROW_GROUP // rows + 2
            yield batch
            del batch

    write(io.BytesIO(), schema, batches())
    assert alive


@pytest.mark.parametrize(("name", "write"), [("a.CSV", write_csv), ("b.c.json", write_json)])
def test_the_suffix_says_which_format_is_meant(name: str, write: Any) -> None:
    assert format_of(Path(name)) is write


@pytest.mark.parametrize(
    ("name", "hint"),
    [("a.jsn", "mean .json"), ("a", "one of .csv, .parquet, .json"), ("a.csv.gz", "one of .csv")],
)
def test_another_suffix_is_refused(name: str, hint: str) -> None:
    with pytest.raises(UsageError, match=hint):
        format_of(Path(name))


# The types of a contract


@pytest.mark.parametrize(
    ("values", "column"),
    [
        (pa.array([1, None], pa.int8()), decimal("x", 18, 0)),
        (pa.array([2**53, None], pa.int64()), money("x")),
        (pa.array([Decimal("1.50"), None], pa.decimal128(38, 2)), money("x")),
        (pa.array([Decimal(7), None], pa.decimal128(38, 0)), int64("x")),
        (pa.array([datetime.datetime(9999, 12, 31), None], pa.timestamp("us")), timestamp("x")),  # noqa: DTZ001
        (pa.array([datetime.datetime(2025, 1, 1), None], pa.timestamp("ns")), timestamp("x")),  # noqa: DTZ001
        (pa.array(["a", None], pa.large_string()), string("x")),
    ],
)
def test_the_types_of_an_engine_become_those_of_the_contract(values: Any, column: Any) -> None:
    schema = schema_of([column])
    found = conformed(pa.RecordBatch.from_arrays([values], ["x"]), schema, about="t")
    assert found.schema.equals(schema.to_pyarrow())
    assert found.column("x").to_pylist() == values.to_pylist()


@pytest.mark.parametrize(
    ("values", "column"),
    [
        (pa.array([1], pa.timestamp("ns")), timestamp("x")),
        (pa.array([Decimal("1.505")], pa.decimal128(38, 3)), money("x")),
        (pa.array([Decimal("0.5")], pa.decimal128(38, 1)), int64("x")),
        (pa.array([Decimal(10**20)], pa.decimal128(38, 0)), int64("x")),
        (pa.array(["secret"]), money("x")),
    ],
)
def test_no_value_is_changed_for_a_type_and_none_is_quoted(values: Any, column: Any) -> None:
    batch = pa.RecordBatch.from_arrays([values], ["x"])
    with pytest.raises(EngineError, match=r"t\.x has a value that is not of its type") as raised:
        conformed(batch, schema_of([column]), about="t")
    assert "secret" not in str(raised.value)
