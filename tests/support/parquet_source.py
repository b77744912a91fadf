"""One source as DuckDB reads it by a contract: files in a folder, or a table."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import ibis
import pyarrow as pa
import pyarrow.parquet as pq

from backends.duckdb import DuckDBBackend
from backends.duckdb_connection import DuckDBOptions
from backends.duckdb_sql import compiled
from marts.core.plan.state import TableState
from marts.core.run.backend import Contract

KINDS = ("BIGINT", "DOUBLE", "VARCHAR", "TIMESTAMP", "DATE", "BOOLEAN", "DECIMAL(10,2)")


def moment(hour: int = 0, minute: int = 0, second: int = 0, us: int = 0) -> datetime.datetime:
    """Return a time of day without a zone."""
    return datetime.datetime(2025, 3, 30, hour, minute, second, us)  # noqa: DTZ001


def write(path: Path, columns: Mapping[str, pa.Array | Sequence[object]], **options: Any) -> None:
    """Write columns as a Parquet file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    names, arrays = list(columns), [pa.array(values) for values in columns.values()]
    pq.write_table(pa.Table.from_arrays(arrays, names=names), path, **options)


class Source:
    """One source `s` in a folder, or at a location relative to it, read by a contract."""

    def __init__(
        self,
        folder: Path,
        columns: Mapping[str, str],
        *,
        data: str = "",
        location: str | None = None,
        names: Mapping[str, str] | None = None,
        source_name: str | None = None,
        **zones: str,
    ) -> None:
        self.table = ibis.table(columns, name="s")
        options = DuckDBOptions(
            database=folder / "x.duckdb",
            data=folder / data,
            schema="gold",
            threads=1,
            sources={"s": location} if location else {},
            folder=folder,
        )
        contract = Contract(self.table.schema(), zones, False, names or {}, source_name)
        self.backend = DuckDBBackend(options, sources={"s": contract}, read_only=False)

    def describe(self) -> TableState:
        """Describe it."""
        return self.backend.describe_sources(["s"])["s"]

    def rows(self) -> list[tuple[Any, ...]]:
        """Return its rows, in order, as the contract's types."""
        described = self.describe()
        assert described.misfits == ()
        assert described.types == self.table.schema()
        rows = self.backend.fetch(self.table, about="s")
        types = self.backend._connection.execute(
            f"DESCRIBE {self.backend._executed(compiled(self.table), {})}"
        ).fetchall()
        assert len(types) == len(self.table.columns)
        for _, kind, *_ in types:
            assert kind in KINDS
        return sorted(tuple(row.values()) for row in rows)


def arrow(values: Sequence[object], kind: pa.DataType) -> pa.Array:
    """Return values of a type."""
    return pa.array(values, kind)
