"""DuckDB with a source of bikes and one of shops, and marts that are nothing but queries."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import ibis
import pyarrow as pa
import pyarrow.parquet as pq
import sqlglot
import sqlglot.expressions as sge

from backends.duckdb import DuckDBBackend
from backends.duckdb_connection import DuckDBOptions
from marts.core.plan.state import Publication
from marts.core.run.backend import Contract

AS_OF = datetime.date(2025, 6, 30)
BIKES = ibis.table({"bike": "string"}, name="bikes")
SHOPS = ibis.table({"shop": "string"}, name="shops")
SOURCES = {table.get_name(): Contract(table.schema()) for table in (BIKES, SHOPS)}


def write(path: Path, **columns: list[object]) -> None:
    """Write columns as a Parquet file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), path)


def opened(
    database: Path, fixtures: Path, *, read_only: bool = False, **options: object
) -> DuckDBBackend:
    """Return a backend on a database and a folder of data."""
    said = {"schema": "gold"} | options
    words = DuckDBOptions(database=database, data=fixtures, **said)  # type: ignore[arg-type]
    return DuckDBBackend(words, sources=SOURCES, read_only=read_only)


def select(sql: str) -> sge.Query:
    """Return a query of its text."""
    tree = sqlglot.parse_one(sql, dialect="duckdb")
    assert isinstance(tree, sge.Query)
    return tree


def build(backend: DuckDBBackend, name: str, sql: str, kind: str = "table") -> None:
    """Build a candidate by a query."""
    backend.build(name, select(sql), kind=kind, comment="A mart.", column_comments={})  # type: ignore[arg-type]


def publish(backend: DuckDBBackend, **marts: str) -> None:
    """Publish marts as tables of these queries."""
    backend.begin("run")
    for name, sql in marts.items():
        build(backend, name, sql)
    publish_all(backend)


def publish_all(backend: DuckDBBackend, run_id: str = "run", **more: Any) -> None:
    """Publish the candidates."""
    fingerprints = {"m": "made of this"}
    backend.publish(
        Publication(package="shop", as_of=AS_OF, run_id=run_id, fingerprints=fingerprints, **more)
    )
