"""Rows as a file of CSV, JSON or Parquet, written as they arrive."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from marts.core.errors import UsageError, did_you_mean
from marts.core.run.column_texts import csv_texts, json_texts
from marts.core.run.formats import json_text

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
ROW_GROUP = 131_072
"""The rows of a row group of Parquet: many enough to compress well, few enough for memory."""

Batches = Iterable[pa.RecordBatch]
Write = Callable[[BinaryIO, pa.Schema, Batches], int]
"""Writes a table, and returns how many of its values are not written as they are."""


def format_of(path: Path) -> Write:
    """Return what writes files of a path's suffix; raise UsageError for an unknown one."""
    suffix = path.suffix.lower()
    if suffix not in FORMATS:
        hint = did_you_mean(suffix, FORMATS) or f"end its name with one of {', '.join(FORMATS)}"
        raise UsageError(f"cannot tell from {path.name} which format is meant", hint=hint)
    return FORMATS[suffix]


def write_csv(file: BinaryIO, schema: pa.Schema, batches: Batches) -> int:
    """Write CSV in UTF-8, with a header, that spreadsheet programs open without running anything.

    It begins with a byte-order mark, or some would take it for another encoding. Texts are quoted,
    whatever they are; numbers, dates and flags never are. Null is nothing between two commas. In a
    file of one column it is `""`, as the empty text is: readers skip empty lines.
    """
    changed = 0
    file.write(BYTE_ORDER_MARK + ",".join(schema.names).encode() + b"\n")
    null = '""' if len(schema.names) == 1 else ""
    for batch in batches:
        columns = []
        for values in batch.columns:
            texts, count = csv_texts(values)
            columns.append(pc.fill_null(texts, null))
            changed += count
        _write_lines(file, pc.binary_join_element_wise(*columns, ","), end="\n")
    return changed


def write_json(file: BinaryIO, schema: pa.Schema, batches: Batches) -> int:
    """Write one JSON document in UTF-8: an array of objects, each in a line.

    Decimals and whole numbers are numbers with all their digits. Dates and timestamps are texts in
    the form of ISO 8601, and so are the numbers that JSON does not have: "NaN", "Infinity".
    """
    names = [f"{json_text(name)}: " for name in schema.names]
    between = "[\n"
    for batch in batches:
        pairs = [
            pc.binary_join_element_wise(name, json_texts(values), "")
            for name, values in zip(names, batch.columns, strict=True)
        ]
        objects = pc.binary_join_element_wise(*pairs, ", ")
        if len(objects):
            file.write(between.encode())
            _write_lines(file, pc.binary_join_element_wise("{", objects, "}", ""), between=",\n")
            between = ",\n"
    file.write(b"[]\n" if between == "[\n" else b"\n]\n")
    return 0


def _write_lines(file: BinaryIO, lines: pa.Array, *, between: str = "\n", end: str = "") -> None:
    if len(lines):
        offsets = pa.array([0, len(lines)], pa.int32())
        (joined,) = pc.binary_join(pa.ListArray.from_arrays(offsets, lines), between)
        file.write(joined.as_buffer())
        file.write(end.encode())


def write_parquet(file: BinaryIO, schema: pa.Schema, batches: Batches) -> int:
    """Write Parquet with the types of the schema."""
    with pq.ParquetWriter(file, schema) as writer:
        waiting: list[pa.RecordBatch] = []
        for batch in batches:
            waiting.append(batch)
            if sum(each.num_rows for each in waiting) >= ROW_GROUP:
                _write_group(writer, schema, waiting)
                waiting = []
        _write_group(writer, schema, waiting)
    return 0


def _write_group(
    writer: pq.ParquetWriter, schema: pa.Schema, batches: Sequence[pa.RecordBatch]
) -> None:
    if batches:
        writer.write_table(pa.Table.from_batches(batches, schema))


FORMATS: Mapping[str, Write] = {".csv": write_csv, ".parquet": write_parquet, ".json": write_json}
