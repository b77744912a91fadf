"""Open a DuckDB database file, and translate DuckDB's errors."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import duckdb

from backends.duckdb_errors import said
from backends.duckdb_settings import CONFIG, settings_for
from marts.core.errors import EngineError, UsageError
from marts.core.run.backend import BATCH_ROWS, Batches
from marts.core.run.waiting import result_of

if TYPE_CHECKING:
    import pyarrow as pa

Result = TypeVar("Result")

TEXT_LITERAL = "'(?:[^']|'')*'"


@dataclass(frozen=True, kw_only=True)
class ElsewhereOptions:
    """Where another environment publishes its marts."""

    environment: str
    database: Path
    schema: str


@dataclass(frozen=True, kw_only=True)
class DuckDBOptions:
    """How to reach the engine; None leaves DuckDB's default."""

    database: Path
    data: Path | None
    schema: str
    sources: Mapping[str, str] = field(default_factory=dict)
    """Where sources are that are not in `data`, relative to `folder`."""
    folder: Path = Path()
    threads: int | None = None
    memory_limit: str | None = None
    elsewhere: ElsewhereOptions | None = None
    creates_folder: bool = False
    """Whether the database's folder is created: not one that may be misspelt."""


def connect(options: DuckDBOptions, *, read_only: bool) -> duckdb.DuckDBPyConnection:
    """Open the database; if it is only to be read and does not exist, an empty one in memory.

    Raises UsageError for options that DuckDB does not accept and for a folder that does not exist,
    EngineError if the file is open elsewhere or cannot be opened.
    """
    database = options.database
    if database.stem.lower() == options.schema.lower():
        raise UsageError(
            f"database {database} and schema {options.schema} have the same name,"
            " and DuckDB cannot tell which is meant",
            hint="pass another --database or --schema",
        )
    if read_only and not database.exists():
        # Nothing is published yet, and an empty database shows that.
        database = Path(":memory:")
    config: dict[str, str | bool | int | float | list[str]] = {**CONFIG}
    if options.threads is not None:
        config["threads"] = options.threads
    if options.memory_limit is not None:
        config["memory_limit"] = options.memory_limit
    if not read_only and not database.parent.exists() and not options.creates_folder:
        raise UsageError(
            f"there is no folder {database.parent} for the database {database}",
            hint=f"correct --database, or create the folder: mkdir -p {database.parent}",
        )
    try:
        if not read_only:
            database.parent.mkdir(parents=True, exist_ok=True)
        in_memory = str(database) == ":memory:"
        connection = duckdb.connect(
            str(database), read_only=read_only and not in_memory, config=config
        )
    except (duckdb.Error, OSError) as error:
        raise _unreachable(options.database, error) from error
    _set_up(connection)
    # No checkpoint at every candidate's commit: closing the database writes one.
    connection.execute("SET checkpoint_threshold = '10GB'")
    return connection


def _set_up(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute("SET enable_progress_bar = false")
    for name, value in settings_for(duckdb.__version__).items():
        connection.execute(f"SET {name} = {value}")


def interruptible(
    work: Callable[[], Result], connection: duckdb.DuckDBPyConnection, worker: Executor
) -> Result:
    """Run long work in a thread, so that Ctrl-C and SIGTERM are handled while it runs.

    DuckDB checks for signals between tasks, but leaves its own threads running when it stops.
    """
    running = worker.submit(work)
    try:
        return result_of(running)
    except KeyboardInterrupt:
        connection.interrupt()
        wait([running])
        raise


def streamed(
    connection: duckdb.DuckDBPyConnection, sql: str, worker: Executor, *, action: str
) -> Batches:
    """Run a query on a connection of its own, and yield its rows; raise EngineError if it fails.

    On the same connection another query would end the rows of this one, without any error.
    """
    with translated(action, sql), connection.cursor() as own:
        # It does not inherit the settings.
        _set_up(own)
        read = interruptible(lambda: own.execute(sql).to_arrow_reader(BATCH_ROWS), own, worker)
        rows = _batches(read, action)
        while (batch := interruptible(lambda: next(rows, None), own, worker)) is not None:
            yield batch


def fetched(
    connection: duckdb.DuckDBPyConnection, sql: str, worker: Executor, *, action: str
) -> Batches:
    """Run a query of temporary tables, which no other connection sees, and yield its rows.

    All are read before the first is given: the tables are in memory, too.
    """
    with translated(action, sql):
        found = interruptible(lambda: connection.execute(sql).to_arrow_table(), connection, worker)
    yield from found.to_batches(BATCH_ROWS)


def _batches(reader: pa.RecordBatchReader, action: str) -> Batches:
    """Yield batches; what fails halfway arrives as an error of the reader, not of DuckDB."""
    # A tenth of a second, for which only those who read rows need to wait.
    import pyarrow as pa

    try:
        yield from reader
    except (pa.ArrowException, OSError) as error:
        # A value may be quoted here as in DuckDB's own error of a value.
        message = said(duckdb.ConversionException(str(error)))
        raise EngineError(f"DuckDB could not {action}", message) from error


@contextmanager
def opening_another(database: Path, option: str) -> Iterator[None]:
    """Say why a database file that an option names cannot be attached."""
    try:
        yield
    except duckdb.Error as error:
        raise _unreachable(database, error, option) from error


def _unreachable(
    database: Path, error: Exception, option: str = "--database"
) -> EngineError | UsageError:
    message = _first_line(error)
    if "Could not set lock" in message:
        holder = re.search(r"held in (.+? \(PID \d+\))", message)
        return EngineError(
            f"another process holds {database}",
            *([f"held in {holder[1]}"] if holder else [message]),
            hint=f"close it, or wait until its run has ended, or pass another {option}",
        )
    if "different configuration" in message:
        return EngineError(
            f"this process has {database} open already",
            message,
            hint="close the other connection first",
        )
    if isinstance(error, duckdb.InvalidInputException | duckdb.ParserException):
        return UsageError(f"DuckDB does not accept these options for {database}", message)
    return EngineError(f"cannot open {database}", message, hint=f"pass a writable {option} FILE")


@contextmanager
def translated(action: str, sql: str | None = None) -> Iterator[None]:
    """Translate DuckDB's errors into EngineError."""
    try:
        yield
    except duckdb.Error as error:
        facts = [said(error)] + ([f"the statement:\n{shortened(sql)}"] if sql else [])
        raise EngineError(f"DuckDB could not {action}", *facts) from error
    except RuntimeError as error:
        # DuckDB wraps what a signal handler raises while a statement runs; DuckDB 2 drops it.
        if isinstance(error.__cause__, KeyboardInterrupt) or str(error) == "Query interrupted":
            raise KeyboardInterrupt from error
        raise


def may_be_caused_by_data(error: BaseException | None) -> bool:
    """Tell whether the contents of a file may be why a statement failed."""
    others = (
        duckdb.BinderException,
        duckdb.CatalogException,
        duckdb.FatalException,
        duckdb.InternalException,
        duckdb.InterruptException,
        duckdb.OutOfMemoryException,
        duckdb.ParserException,
    )
    return isinstance(error, duckdb.Error) and not isinstance(error, others)


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]


def shortened(sql: str) -> str:
    """Return a statement in which only the first of a long list of files is written out."""
    return re.sub(
        rf"(READ_PARQUET\(\s*\[\s*{TEXT_LITERAL})(,\s*{TEXT_LITERAL}){{3,}}", r"\1, …", sql
    )
