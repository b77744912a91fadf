"""Opening a DuckDB database: where it may be, and every error says why."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from unittest.mock import ANY

import duckdb
import pytest

from backends.duckdb_connection import DuckDBOptions, connect, translated
from marts.core.errors import EngineError, UsageError
from marts.core.plan.state import RecordedTable
from support.bikes_on_duckdb import (
    AS_OF,
    opened,
    publish,
    select,
)
from support.processes import GUARD


def test_the_folder_of_the_default_database_is_made(tmp_path: Path, folder: Path) -> None:
    database = tmp_path / "a/b/marts.duckdb"
    with closing(opened(database, folder, creates_folder=True)) as backend:
        publish(backend, m="SELECT 1 AS n")
    assert database.exists()


def test_reading_an_absent_database_finds_nothing_and_creates_nothing(
    tmp_path: Path, folder: Path
) -> None:
    database = tmp_path / "a/marts.duckdb"
    with closing(opened(database, folder, read_only=True)) as backend:
        assert backend.describe_published() == {}
        assert backend.state() == []
        assert backend.describe_sources(["bikes"])
    assert not database.parent.exists()


def test_a_database_opened_to_read_cannot_be_written(tmp_path: Path, folder: Path) -> None:
    with closing(opened(tmp_path / "x.duckdb", folder)) as backend:
        publish(backend, m="SELECT 1 AS n")
    with closing(opened(tmp_path / "x.duckdb", folder, read_only=True)) as backend:
        assert "m" in backend.describe_published()
        with pytest.raises(EngineError):
            publish(backend, m="SELECT 2 AS n")


@pytest.mark.parametrize("name", ["marts", "clock", "temp", "main", "it's", "a b"])
def test_a_database_may_have_any_name(name: str, tmp_path: Path, folder: Path) -> None:
    database = tmp_path / f"{name}.duckdb"
    for run in (1, 2):
        with closing(opened(database, folder)) as backend:
            publish(backend, m=f"SELECT {run} AS n")
    with closing(opened(database, folder, read_only=True)) as backend:
        assert backend.state() == [
            RecordedTable("shop", "m", "table", "run", AS_OF, ANY, "made of this")
        ]
        assert backend.fetch(select("SELECT n FROM m"), about="m") == [{"n": 2}]


def test_a_database_named_as_its_schema_is_refused(tmp_path: Path, folder: Path) -> None:
    for name in ("gold", "GOLD"):
        with pytest.raises(UsageError, match=rf"{name}\.duckdb and schema gold have the same name"):
            opened(tmp_path / f"{name}.duckdb", folder)


@pytest.mark.parametrize("name", ["broken.duckdb", "clock.duckdb"])
@pytest.mark.parametrize("read_only", [True, False])
def test_a_file_that_is_not_a_database_is_refused_and_unchanged(
    name: str, read_only: bool, tmp_path: Path, folder: Path
) -> None:
    content = b"some letter to a friend" * 1000
    (tmp_path / name).write_bytes(content)
    with pytest.raises(EngineError) as caught:
        opened(tmp_path / name, folder, read_only=read_only)
    summary, reason, hint = str(caught.value).splitlines()
    assert summary == f"cannot open {tmp_path / name}"
    assert "not a valid DuckDB database file" in reason
    assert hint == "hint: pass a writable --database FILE"
    assert (tmp_path / name).read_bytes() == content


def test_a_database_below_a_file_is_refused(tmp_path: Path, folder: Path) -> None:
    (tmp_path / "taken").touch()
    with pytest.raises(EngineError, match="cannot open"):
        opened(tmp_path / "taken/marts.duckdb", folder)


@pytest.fixture
def held(tmp_path: Path) -> Iterator[Path]:
    """Return a database that another process holds open."""
    database = tmp_path / "held.duckdb"
    script = (
        "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print('held', flush=True); input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(database)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield database
        process.communicate("\n", timeout=GUARD)


@pytest.mark.parametrize("read_only", [True, False])
def test_a_database_that_another_process_holds_is_refused_with_the_holder(
    read_only: bool, held: Path, folder: Path
) -> None:
    with pytest.raises(EngineError) as caught:
        opened(held, folder, read_only=read_only)
    summary, holder, hint = str(caught.value).splitlines()
    assert summary == f"another process holds {held}"
    assert holder.strip().startswith("held in ")
    assert "PID" in holder
    assert hint == "hint: close it, or wait until its run has ended, or pass another --database"


def test_options_that_the_engine_does_not_take_are_the_callers_slip(
    tmp_path: Path, folder: Path
) -> None:
    with pytest.raises(UsageError, match="DuckDB does not accept these options"):
        opened(tmp_path / "x.duckdb", folder, memory_limit="plenty")


def test_a_new_file_has_the_format_that_the_readme_promises(tmp_path: Path, folder: Path) -> None:
    opened(tmp_path / "x.duckdb", folder).close()
    with duckdb.connect(str(tmp_path / "x.duckdb"), read_only=True) as reader:
        [(tags,)] = reader.sql("SELECT tags FROM duckdb_databases() WHERE NOT internal").fetchall()
    assert tags == {"storage_version": "v1.3.0+"}


def test_options_reach_the_engine(tmp_path: Path, folder: Path) -> None:
    with closing(opened(tmp_path / "x.duckdb", folder, threads=2, memory_limit="1GB")) as backend:
        query = select(
            "SELECT current_setting('threads') AS t, current_setting('memory_limit') AS m,"
            " current_setting('autoinstall_known_extensions') AS e"
        )
        assert backend.fetch(query, about="x") == [{"t": 2, "m": "953.6 MiB", "e": False}]


@pytest.mark.parametrize("cause", [KeyboardInterrupt(), None], ids=["DuckDB 1", "DuckDB 2"])
def test_an_interrupt_that_duckdb_wraps_is_an_interrupt(cause: KeyboardInterrupt | None) -> None:
    with pytest.raises(KeyboardInterrupt), translated("build a mart"):
        raise RuntimeError("Query interrupted") from cause
    with pytest.raises(RuntimeError, match="another"), translated("build a mart"):
        raise RuntimeError("another")


@pytest.mark.parametrize("value", ["sqrt(-n)", "ln(n - 1)", "log10(-n)"])
def test_a_number_that_does_not_exist_is_an_error_and_not_nan(value: str, tmp_path: Path) -> None:
    options = DuckDBOptions(database=tmp_path / "x.duckdb", data=tmp_path, schema="gold")
    connection = connect(options, read_only=False)
    with closing(connection), pytest.raises(duckdb.OutOfRangeException):
        connection.execute(f"SELECT {value} FROM (VALUES (1.0::DOUBLE)) AS t(n)").fetchall()
