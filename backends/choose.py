"""Choose an engine by name; each is imported only when it is chosen."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import ibis.expr.types as ir

from backends.parquet import data_as_of, find_sources
from backends.protocol import Backend

if TYPE_CHECKING:
    from backends.snowflake import SnowflakeBackend

DEFAULT_DATABASE = "target/marts.duckdb"


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What a caller says of engines; None leaves the engine's default.

    `database` is DuckDB's file or Snowflake's database. An engine takes what concerns it.
    """

    backend: str
    fixtures: Path
    database: str | None = None
    schema: str = "gold"
    threads: int | None = None
    memory_limit: str | None = None
    connection: str | None = None
    source_database: str | None = None
    source_schema: str | None = None
    warehouse: str | None = None
    role: str | None = None
    version: str = "0"


@dataclass(frozen=True)
class Offline:
    """What can be said of an engine without it."""

    compile: Callable[[ir.Table], str]
    sources: Collection[str]
    data_as_of: datetime.date | None


def connect(settings: Settings, *, sources: Collection[str], read_only: bool) -> Backend:
    """Connect to the engine that the settings name; `sources` are the tables that are read."""
    if settings.backend == "snowflake":
        return snowflake(settings, sources=sources)
    from backends.duckdb import DuckDBBackend
    from backends.duckdb_connection import DuckDBOptions

    options = DuckDBOptions(
        database=Path(settings.database or DEFAULT_DATABASE),
        fixtures=settings.fixtures,
        schema=settings.schema,
        threads=settings.threads,
        memory_limit=settings.memory_limit,
    )
    return DuckDBBackend(options, read_only=read_only)


def snowflake(settings: Settings, *, sources: Collection[str]) -> SnowflakeBackend:
    """Connect to Snowflake."""
    from backends.snowflake import SnowflakeBackend
    from backends.snowflake_connection import SnowflakeOptions

    options = SnowflakeOptions(
        connection=settings.connection,
        database=settings.database,
        schema=settings.schema,
        source_database=settings.source_database,
        source_schema=settings.source_schema,
        warehouse=settings.warehouse,
        role=settings.role,
        threads=settings.threads or 1,
        version=settings.version,
    )
    return SnowflakeBackend(options, sources=sources)


def offline(settings: Settings, *, sources: Collection[str]) -> Offline:
    """Return how the engine that the settings name compiles, without a connection."""
    if settings.backend == "duckdb":
        from backends.duckdb import compile_query as compile_for_duckdb

        found = find_sources(settings.fixtures)
        return Offline(
            lambda query: compile_for_duckdb(query, sources=found, schema=settings.schema),
            found,
            data_as_of(settings.fixtures),
        )
    from backends.snowflake_sql import Namespace, compile_query

    namespace = Namespace(settings.schema, settings.database)
    source_namespace = Namespace(
        settings.source_schema or settings.schema, settings.source_database or settings.database
    )
    return Offline(
        lambda query: compile_query(
            query, sources=sources, source_namespace=source_namespace, namespace=namespace
        ),
        sources,
        None,
    )
