"""Record a run once more in a database file that nobody has written meanwhile.

It needs neither Ibis nor SQLGlot: a run that has nothing to do takes less time than to load them.
"""

from __future__ import annotations

import datetime
import hashlib
from pathlib import Path

import duckdb

from backends.duckdb_settings import CONFIG, settings_for
from backends.process_user import user_of_process

HEADERS = 3 * 4096
"""The length of a file's headers; each checkpoint counts up a number in one of them."""


def state_of(database: Path) -> str | None:
    """Return a digest of what each write to a database file changes.

    None if there is no such file, or if the last writes are in a log beside it.
    """
    try:
        found = database.stat()
        with database.open("rb") as file:
            headers = file.read(HEADERS)
        # The log is beside the file itself, wherever a link to it is.
        if Path(f"{database.resolve()}.wal").exists():
            return None
    except OSError:
        return None
    about = found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns
    return hashlib.sha256(f"{about}".encode() + headers).hexdigest()


def record_again(
    database: Path,
    state: str,
    *,
    version: str,
    table: tuple[str, str],
    earlier: str,
    run_id: str,
    started_at: datetime.datetime,
    host: str,
) -> str | None:
    """Record a run that has done what an earlier one did, and return the file's state after it.

    `table` is the schema and the name of the table of runs. Nothing is recorded, and None is
    returned, if the file is not in this `state`, if this is another version of DuckDB, or if the
    file cannot be opened, perhaps because of another run.
    """
    if duckdb.__version__ != version:
        return None
    runs = ".".join(_quoted(each) for each in table)
    seconds = (_now() - started_at).total_seconds()
    try:
        with duckdb.connect(str(database), config={**CONFIG}) as connection:
            # From now on, no other process can write to the file.
            if state_of(database) != state:
                return None
            for name, value in settings_for(version).items():
                connection.execute(f"SET {name} = {value}")
            # No parameters: binding one makes DuckDB import pandas.
            counted = connection.execute(
                f"INSERT INTO {runs} SELECT * REPLACE ("
                f"{_literal(run_id)} AS run_id, {_moment(started_at)} AS started_at,"
                f" {_moment(_now())} AS ended_at, {seconds:.3f} AS seconds,"
                f" {_literal(host)} AS host_name, {_literal(user_of_process())} AS user_name"
                f") FROM {runs} WHERE run_id = {_literal(earlier)}"
            ).fetchone()
            if counted != (1,):
                return None
            connection.execute("CHECKPOINT")
            return state_of(database)
    except duckdb.Error:
        return None


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


def _moment(value: datetime.datetime) -> str:
    """Return a moment in UTC, as the table of runs stores it: without a zone."""
    return f"TIMESTAMP {_literal(value.replace(tzinfo=None).isoformat(sep=' '))}"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
