"""Create an engine by name; each is imported only when it is used."""

from __future__ import annotations

import datetime
import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ibis.expr.types as ir
import sqlglot.expressions as sge

from backends.data_files import SUFFIXES, data_as_of
from backends.installation import installation
from marts.core.errors import SourceError, UsageError
from marts.core.plan.state import CompiledQuery
from marts.core.project.settings import DUCKDB, SNOWFLAKE, Settings
from marts.core.run.backend import Backend, Contract, Protection
from marts.core.run.diagnosis import Doctor
from marts.core.run.profiling import Profiler
from marts.core.run.world_engine import WorldEngine

if TYPE_CHECKING:
    from backends.duckdb_connection import DuckDBOptions, ElsewhereOptions
    from backends.duckdb_locations import Location
    from backends.snowflake import SnowflakeBackend
    from backends.snowflake_connection import SnowflakeOptions
    from marts.core.plan.schedule import Schedule
    from marts.core.run.deployment import Deployer, Timing


@dataclass(frozen=True)
class OfflineCompiler:
    """How an engine compiles queries, known without a connection to it."""

    compile: Callable[[ir.Table], str]
    sources: Collection[str]
    data_as_of: datetime.date | None


@dataclass(frozen=True)
class Dialect:
    """How an engine's SQL is made and what its sessions set, known without a connection.

    `compile` returns a query over bare names; `parameters` are those that change results.
    """

    name: str
    compile: Callable[[ir.Table], CompiledQuery]
    parameters: Mapping[str, str]


def dialects() -> tuple[Dialect, ...]:
    """Return the dialects of both engines; this loads their compilers, but no driver."""
    from backends import duckdb_settings, duckdb_sql, snowflake_parameters, snowflake_sql

    of_duckdb = {**duckdb_settings.RESULTS, **duckdb_settings.FROM_VERSION_2}
    of_snowflake = {name: str(value) for name, value in snowflake_parameters.RESULTS.items()}
    return (
        Dialect(DUCKDB, duckdb_sql.compiled, of_duckdb),
        Dialect(SNOWFLAKE, snowflake_sql.compiled, of_snowflake),
    )


def connect(
    settings: Settings,
    *,
    data: Path | None,
    sources: Mapping[str, Contract],
    version: str,
    read_only: bool,
) -> Backend:
    """Connect to the engine that the settings name, with the contracts of its sources.

    `data` is where DuckDB finds the sources; `version` is the version of marts.
    """
    if settings.backend == SNOWFLAKE:
        return snowflake(settings, sources=sources, version=version)
    from backends.duckdb import DuckDBBackend

    return DuckDBBackend(_files(settings, data), sources=sources, read_only=read_only)


def settled(backend: Backend) -> str | None:
    """Return a digest of the file of a connection that can write, which each later write changes.

    Until the connection is closed, nobody else can write. None if there is no such file, or if
    files do not show every change of the sources.
    """
    from backends.duckdb import DuckDBBackend

    return backend.settled() if isinstance(backend, DuckDBBackend) else None


def _files(settings: Settings, data: Path | None) -> DuckDBOptions:
    from backends.duckdb_connection import DuckDBOptions

    return DuckDBOptions(
        database=settings.database_file or Path(":memory:"),
        data=data,
        schema=settings.schema,
        sources=settings.sources,
        folder=settings.folder,
        threads=settings.threads,
        memory_limit=settings.memory_limit,
        elsewhere=_other_files(settings),
        creates_folder=settings.database is None,
    )


def _other_files(settings: Settings) -> ElsewhereOptions | None:
    from backends.duckdb_connection import ElsewhereOptions

    there = _elsewhere(settings)
    if there is None:
        return None
    return ElsewhereOptions(
        environment=str(there.env),
        database=there.database_file or Path(":memory:"),
        schema=there.schema,
    )


def _elsewhere(settings: Settings) -> Settings | None:
    """Return the settings of the environment that is deferred to, if it can be read.

    Raises UsageError if it is on another engine, or reached by another connection.
    """
    there = settings.elsewhere
    if there is None:
        return None
    if there.backend != settings.backend:
        raise UsageError(
            f"--defer {there.env}: its marts are on {there.backend}, this run is on"
            f" {settings.backend}",
            hint=f"defer to an environment on {settings.backend}",
        )
    if settings.backend == SNOWFLAKE and there.connection != settings.connection:
        here, other = settings.connection or "the default", there.connection or "the default"
        raise UsageError(
            f"--defer {there.env}: its connection is {other}, that of this run is {here}",
            "a run reads one account, by one connection",
            hint="use the same connection in both environments",
        )
    return there


def snowflake(
    settings: Settings, *, sources: Mapping[str, Contract], version: str
) -> SnowflakeBackend:
    """Connect to Snowflake."""
    from backends.snowflake import SnowflakeBackend

    return SnowflakeBackend(_account(settings, version), sources=sources)


def _account(settings: Settings, version: str) -> SnowflakeOptions:
    from backends.snowflake_connection import ElsewhereOptions, SnowflakeOptions

    return SnowflakeOptions(
        connection=settings.connection,
        database=settings.database,
        schema=settings.schema,
        source_database=settings.source_database,
        source_schema=settings.source_schema,
        sources=settings.sources,
        warehouse=settings.warehouse,
        role=settings.role,
        threads=settings.threads or 1,
        lock_timeout=settings.lock_timeout,
        personal={kind: Protection(**each) for kind, each in settings.personal.items()},
        version=version,
        elsewhere=ElsewhereOptions(
            environment=str(there.env), database=there.database, schema=there.schema
        )
        if (there := _elsewhere(settings))
        else None,
    )


def doctor(
    settings: Settings,
    *,
    data: Path | None,
    sources: Mapping[str, Contract] | None,
    version: str,
    run_id: str,
) -> Doctor:
    """Return who examines the engine that the settings name.

    `sources` are the contracts of the project's sources, None if no package is named.
    """
    if settings.backend == SNOWFLAKE:
        from backends.snowflake_doctor import SnowflakeDoctor

        return SnowflakeDoctor(
            _account(settings, version),
            run_id=run_id,
            contracts=sources,
            installed=installation(version, extra=SNOWFLAKE),
        )
    from backends.duckdb_doctor import DuckDBDoctor

    return DuckDBDoctor(
        _files(settings, data),
        target=settings.target,
        contracts=sources,
        installed=installation(version),
    )


def profiler(settings: Settings, *, data: Path | None, version: str) -> Profiler:
    """Return who measures tables: in a folder or DuckDB file, else the sources on Snowflake.

    There, the settings name the sources' database and schema.
    """
    if data is not None:
        from backends.duckdb_profile import DuckDBProfiler

        return DuckDBProfiler(data)
    from backends.snowflake_profile import SnowflakeProfiler

    return SnowflakeProfiler(
        _account(settings, version),
        database=settings.source_database or "",
        schema=settings.source_schema or "",
    )


def worlds_on_duckdb(*, threads: int = 1) -> WorldEngine:
    """Open DuckDB in memory, for small data sets that it is handed."""
    from backends.duckdb_worlds import DuckDBWorlds

    return DuckDBWorlds(threads=threads)


def worlds_on_snowflake(
    settings: Settings,
    *,
    version: str,
    run_id: str,
    name: str = SNOWFLAKE,
    parameters: Mapping[str, Any] | None = None,
) -> WorldEngine:
    """Open a scratch schema on Snowflake, for small data sets that it is handed.

    `parameters` are those of a connection that is not in the connector's configuration.
    """
    from backends.snowflake_worlds import SnowflakeWorlds

    options = replace(_account(settings, version), parameters=parameters)
    return SnowflakeWorlds(options, name=name, run_id=run_id)


@contextmanager
def emulated_connection() -> Iterator[Mapping[str, Any]]:
    """Run the local stand-in for Snowflake, and give the parameters of a connection to it.

    Raises ModuleNotFoundError if what it needs is not installed.
    """
    from backends.emulator.process import emulator

    with (
        tempfile.TemporaryDirectory(prefix="marts_emulator_") as folder,
        emulator(Path(folder), "MARTS") as running,
    ):
        yield running.parameters()


def offline_compiler(
    settings: Settings, *, data: Path | None, sources: Mapping[str, Contract]
) -> OfflineCompiler:
    """Return the compiler of the engine that the settings name; it needs no connection or data.

    Without data for DuckDB, each source is assumed to be `<source>.parquet`.
    """
    if settings.backend == DUCKDB:
        return _offline_duckdb(settings, data, sources)
    from backends.snowflake_locations import Places, assumed
    from backends.snowflake_source import assumed_source
    from backends.snowflake_sql import compile_query

    namespace = assumed(settings.schema, settings.database)
    source_database = settings.source_database or settings.database
    source_namespace = assumed(settings.source_schema or settings.schema, source_database)
    places = Places(
        lambda: source_namespace,
        settings.sources,
        assumed,
        source_database or "",
    )

    def source_of(name: str) -> sge.Table | sge.Subquery:
        place = places.of(name, sources[name])
        return assumed_source(name, sources[name], place.assumed).qualified(place.namespace)

    return OfflineCompiler(
        lambda query: compile_query(
            query,
            sources=sources,
            source_namespace=source_namespace,
            namespace=namespace,
            source_of=source_of,
        ),
        sources,
        None,
    )


def _offline_duckdb(
    settings: Settings, data: Path | None, sources: Mapping[str, Contract]
) -> OfflineCompiler:
    from backends.duckdb_locations import Files, Locations
    from backends.duckdb_shown import shown
    from backends.duckdb_sql import compile_query

    folder = data.resolve() if data else None
    locations = Locations(folder, settings.sources, settings.folder)

    def found(name: str) -> Location | None:
        """Return where a source is; None also if that is wrong, which a run reports."""
        try:
            return locations.find(name, sources[name])
        except (SourceError, UsageError):
            return None

    places = {name: place for name in sources if (place := found(name)) is not None}
    tables = {
        name: shown(
            places.get(name)
            or Files((folder or Path()) / f"{contract.source_name or name}{SUFFIXES[0]}")
        )
        for name, contract in sources.items()
        if name in places or not places or not contract.optional
    }
    return OfflineCompiler(
        lambda query: compile_query(query, sources=tables, schema=settings.schema),
        tables,
        data_as_of(data) if data else None,
    )


def schedule_script(
    settings: Settings,
    schedules: Sequence[Schedule],
    timing: Timing,
    *,
    sources: Mapping[str, Contract],
    version: str,
) -> str:
    """Return the script that deploys schedules into an empty schema; connect to nothing."""
    from backends.snowflake_locations import Places, assumed
    from backends.snowflake_task_script import offline_place, script, text_of
    from backends.snowflake_task_steps import Who

    database = settings.source_database or settings.database
    there = assumed(settings.source_schema or settings.schema, database)
    places = Places(lambda: there, settings.sources, assumed, database or "")
    here = assumed(settings.schema, settings.database)
    who = Who(version, settings.env)
    return "".join(
        text_of(script(offline_place(each, here, places, sources), who, timing))
        for each in schedules
    )


def deployer(settings: Settings, backend: Backend, *, version: str) -> Deployer:
    """Return what deploys schedules into the account that a backend is connected to."""
    from backends.snowflake import SnowflakeBackend
    from backends.snowflake_deployer import SnowflakeDeployer
    from backends.snowflake_task_steps import Who

    if not isinstance(backend, SnowflakeBackend):
        raise UsageError(f"{backend.name} runs no tasks")
    who = Who(version, settings.env)
    return SnowflakeDeployer(backend, who, acknowledged=settings.reshape)
