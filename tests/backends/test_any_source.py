"""Whatever rows and names: a CSV file, a Parquet file and a table of a DuckDB file are the same."""

from __future__ import annotations

import datetime
import gzip
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import example, given
from hypothesis import strategies as st

from backends.duckdb_ddl import literal, quoted
from support.effort import at_most
from support.parquet_source import Source

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)
KINDS: Mapping[str, tuple[pa.DataType, st.SearchStrategy[object]]] = {
    "string": (pa.string(), TEXT),
    "int64": (pa.int64(), st.integers(-(2**63), 2**63 - 1)),
    "decimal(10, 2)": (
        pa.decimal128(10, 2),
        st.integers(-(10**10) + 1, 10**10 - 1).map(lambda n: Decimal(n) / 100),
    ),
    "float64": (pa.float64(), st.floats(allow_nan=False, allow_infinity=False)),
    "date": (pa.date32(), st.dates()),
    "timestamp": (pa.timestamp("us"), st.datetimes()),
    "boolean": (pa.bool_(), st.booleans()),
}


@dataclass(frozen=True)
class Data:
    """A table: for each column its name in the source and its type; rows; how CSV is written."""

    columns: tuple[tuple[str, str], ...]
    rows: tuple[tuple[Any, ...], ...]
    delimiter: str
    line_end: str


@st.composite
def tables(draw: st.DrawFn) -> Data:
    """Draw a table."""
    # DuckDB counts the rows of some headers with line breaks wrongly, and they are refused.
    spelled = TEXT.filter(lambda name: name.lower() not in ("", "n") and not {*name} & {*"\r\n"})
    names = draw(st.lists(spelled, min_size=1, max_size=5, unique_by=str.lower))
    kinds = draw(st.lists(st.sampled_from(sorted(KINDS)), min_size=len(names), max_size=len(names)))
    values = [st.none() | KINDS[kind][1] for kind in kinds]
    rows = draw(st.lists(st.tuples(*values), max_size=6))
    delimiter = draw(st.sampled_from([",", ";", "\t", "|"]))
    line_end = draw(st.sampled_from(["\n", "\r\n"]))
    return Data((("n", "int64"), *zip(names, kinds, strict=True)), tuple(rows), delimiter, line_end)


def field(value: object) -> str:
    """Return a value as CSV: texts in quotes, so that an empty one is not null."""
    if value is None:
        return ""
    text = value.isoformat() if isinstance(value, datetime.date) else str(value)
    return '"' + text.replace('"', '""') + '"'


def written(data: Data, rows: Sequence[Sequence[object]]) -> str:
    """Return rows as CSV, below a header."""
    lines = [[name for name, _ in data.columns], *rows]
    return "".join(data.delimiter.join(map(field, line)) + data.line_end for line in lines)


def numbered(data: Data) -> list[tuple[Any, ...]]:
    return [(number, *row) for number, row in enumerate(data.rows)]


def write(folder: Path, data: Data) -> None:
    """Write the table in each format."""
    rows = numbered(data)
    (folder / "s.csv").write_bytes(written(data, rows).encode())
    (folder / "packed.csv.gz").write_bytes(gzip.compress(written(data, rows).encode()))
    arrays = [
        pa.array([row[number] for row in rows], KINDS[kind][0])
        for number, (_, kind) in enumerate(data.columns)
    ]
    table = pa.Table.from_arrays(arrays, names=[name for name, _ in data.columns])
    pq.write_table(table, folder / "s.parquet")
    with duckdb.connect(str(folder / "s.duckdb")) as connection:
        read = f"read_parquet({literal(str(folder / 's.parquet'))})"
        names = ", ".join(quoted(name) for name, _ in data.columns)
        connection.execute(f"CREATE TABLE s AS SELECT {names} FROM {read}")


# An example opens four engines.
@at_most(60)
@given(tables())
@example(Data((("n", "int64"), ("1st “Größe” in €\n", "float64")), ((0.1,), (1e300,)), ";", "\n"))
@example(Data((("n", "int64"), ('"', "string")), (("",), (None,), ("\r",), ("a\r\nb",)), ",", "\n"))
def test_every_format_has_the_same_rows(data: Data) -> None:
    columns = {f"c{number}": kind for number, (_, kind) in enumerate(data.columns)}
    names = {f"c{number}": name for number, (name, _) in enumerate(data.columns)}
    with TemporaryDirectory() as name:
        folder = Path(name).resolve()
        write(folder, data)
        for location in ("s.csv", "packed.csv.gz", "s.parquet", "s.duckdb"):
            source = Source(folder, columns, location=location, names=names)
            try:
                # The first column is unique: no others are compared.
                assert source.rows() == numbered(data), location
                assert source.describe().rows == len(data.rows)
            finally:
                source.backend.close()
