"""Timestamps whose digits DuckDB truncates as it reads them, read by pyarrow instead."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from backends.duckdb_types import Physical

if TYPE_CHECKING:
    import pyarrow as pa


def cut_digits(files: Iterable[str], column: Physical) -> tuple[int, object]:
    """Return how many timestamps have digits finer than a microsecond, and one of these.

    Raises OSError or ValueError if the column cannot be read.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    count, example = 0, None
    for file in files:
        for fine, coarse in _in_two_units(file, column.name):
            # Nanoseconds of an INT96 far from 1970 overflow, and so does this product, alike.
            digits = pc.subtract(fine.cast(pa.int64()), pc.multiply(coarse.cast(pa.int64()), 1_000))
            is_cut = pc.not_equal(digits, 0)
            if found := pc.sum(is_cut).as_py():
                count += found
                first = coarse.filter(is_cut)[0].cast(pa.timestamp("us")).cast(pa.string())
                example = f"{first}{digits.filter(is_cut)[0].as_py():03d}"
    return count, example


def _in_two_units(file: str, column: str) -> Iterator[tuple[pa.Array, pa.Array]]:
    """Yield batches of a column in nanoseconds, and in microseconds rounded down."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    fine, coarse = (
        pq.ParquetFile(file, coerce_int96_timestamp_unit=unit).iter_batches(columns=[column])
        for unit in ("ns", "us")
    )
    for one, other in zip(fine, coarse, strict=True):
        nanoseconds, found = one.column(0), other.column(0)
        if found.type.unit == "ns":
            # Not of type INT96.
            ticks = nanoseconds.cast(pa.int64())
            rest = pc.subtract(ticks, pc.multiply(pc.divide(ticks, 1_000), 1_000))
            down = pc.divide(ticks, 1_000)
            down = pc.if_else(pc.less(rest, 0), pc.subtract(down, 1), down)
            found = down.cast(pa.timestamp("us"))
        yield nanoseconds, found
