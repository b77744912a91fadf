"""What Snowflake reports and has is compared with the files, and a replacement is told truly."""

from __future__ import annotations

import datetime
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from backends import snowflake_load
from backends.load_files import find_tables
from backends.snowflake_errors import LostAnswerError
from backends.snowflake_sql import Namespace
from marts.core.errors import EngineError, MartsError, SourceError, UsageError

RUN = "20250630T120000-0123ABCD"
RAW, BASE_TABLE = Namespace("RAW", "DB1"), {"TABLE_TYPE": "BASE TABLE"}
COPIED = ("file", "status", "rows_parsed", "rows_loaded")
LOADED = (
    ("marts_load_x/0_t/0_1.parquet", "LOADED", 2, 2),
    ("marts_load_x/0_t/1_2.parquet", "LOADED", 1, 1),
)
AT = datetime.datetime(2024, 2, 29, 12, tzinfo=datetime.UTC)
FOUND = (3, 2, 1, 7, 2, AT, AT)
"""Rows; values of `number`, least and greatest; those of `at`; in the order of the columns."""


@dataclass
class Account:
    """Answers statements as a Snowflake that we make up; the target `t` exists, `u` does not."""

    copied: Sequence[tuple[Any, ...]] = LOADED
    columns: Sequence[str] = COPIED
    found: tuple[Any, ...] = FOUND
    before: Callable[[str], object] = str
    sent: list[str] = field(default_factory=list)
    namespace: Namespace = RAW
    table: Mapping[str, str] = field(default_factory=lambda: {"TABLE_NAME": "T"} | BASE_TABLE)
    interrupts: list[bool] = field(default_factory=lambda: [False, False])

    def __post_init__(self) -> None:
        self.catalog = SimpleNamespace(tables=lambda _: {"T": self.table})
        self.sessions = SimpleNamespace(take_interrupt=self.interrupts.pop)
        self.schema = SimpleNamespace(qualified=lambda name: f'"RAW"."{name.upper()}"')

    def state(self) -> list[Any]:
        """Return no marts."""
        return []

    def begin(self, run_id: str) -> None:
        """Be told the run."""
        assert run_id == RUN

    def discard(self) -> None:
        """Note it."""
        self.sent.append("discard")

    def records(self, sql: str, about: str) -> list[dict[str, Any]]:
        """Say that nothing but an owner has grants."""
        assert about == "T"
        return [{"ddl": "CREATE TABLE T"}] if "GET_DDL" in sql else []

    def execute(
        self, sql: str, *, about: str = "", step: str, uninterruptible: bool = False
    ) -> Any:
        """Note a statement, and answer it."""
        self.before(sql)
        self.sent.append(f"{step} {about} {sql}")
        columns, rows = (self.columns, self.copied) if sql[:4] == "COPY" else ((), [self.found])
        assert uninterruptible == (" CLONE " in sql)
        records = [dict(zip(columns, row, strict=True)) for row in rows] if columns else []
        return SimpleNamespace(records=lambda: records, fetchall=lambda: rows)

    def replaced(self) -> list[str]:
        """Return what replaced a table."""
        return [sql for sql in self.sent if " CLONE " in sql]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with a table of two files."""
    times = pa.array([AT, None, AT], pa.timestamp("us", "UTC"))
    rows = pa.table({"number": pa.array([7, 1, None]), "at": times})
    (tmp_path / "data/t").mkdir(parents=True)
    pq.write_table(rows[:2], tmp_path / "data/t/1.parquet")
    pq.write_table(rows[2:], tmp_path / "data/t/2.parquet")
    return tmp_path / "data"


def load(account: Account, folder: Path) -> None:
    backend: Any = account
    snowflake_load.load(backend, find_tables(folder), run_id=RUN, overwrite=True)


def refused(account: Account, folder: Path, kind: type[MartsError] = EngineError) -> list[str]:
    """Return the facts of a refusal, after which nothing is replaced, and all discarded."""
    with pytest.raises(kind, match="nothing was replaced") as caught:
        load(account, folder)
    assert account.replaced() == []
    assert account.sent[-1] == "discard"
    return list(caught.value.facts)


def test_what_arrived_as_it_was_is_published(folder: Path) -> None:
    account = Account()
    load(account, folder)
    (replaced,) = account.replaced()
    target, source = replaced.split(" CLONE ")
    assert target == 'publish t CREATE OR REPLACE TRANSIENT TABLE "RAW"."T"'
    assert source == '"RAW"."T__LOAD_20250630T120000_0123ABCD" COPY GRANTS'
    assert "discard" not in account.sent
    puts = [sql for sql in account.sent if " PUT " in sql]
    stage_path = '\'@"RAW"."MARTS_LOAD_20250630T120000_0123ABCD"/0_t/\''
    assert len(puts) == 2
    assert all(stage_path in sql for sql in puts)


@pytest.mark.parametrize(
    ("copied", "columns", "problem"),
    [
        (
            [LOADED[0], (LOADED[1][0], "PARTIALLY_LOADED", 1, 0)],
            COPIED,
            "t: t/2.parquet has 1 rows; Snowflake reports 0 loaded, status PARTIALLY_LOADED",
        ),
        (
            LOADED[:1],
            COPIED,
            "t: t/2.parquet has 1 rows; Snowflake reports 0 loaded, status not mentioned",
        ),
        (
            [(LOADED[0][0], "LOADED", 3, 3), LOADED[1]],
            COPIED,
            "t: t/1.parquet has 2 rows; Snowflake reports 3 loaded, status LOADED",
        ),
    ],
)
def test_each_files_rows_are_compared_with_what_is_reported(
    folder: Path, copied: Sequence[tuple[Any, ...]], columns: Sequence[str], problem: str
) -> None:
    assert refused(Account(copied=copied, columns=columns), folder) == [problem]


def test_a_copy_that_finds_no_file_is_refused(folder: Path) -> None:
    nothing = [("Copy executed with 0 files processed.",)]
    assert len(refused(Account(copied=nothing, columns=["status"]), folder)) == 2


NEAR, FAR = AT + datetime.timedelta(microseconds=1), AT + datetime.timedelta(milliseconds=2)


@pytest.mark.parametrize(
    ("found", "problem"),
    [
        ((2, *FOUND[1:]), "t has 3 rows in its files, 2 loaded"),
        ((3, 0, None, None, *FOUND[4:]), "t: column number has 2 values in the files, 0 loaded"),
        ((3, 2, 1, 8, *FOUND[4:]), "t: column number has other values than its files"),
        ((*FOUND[:-1], NEAR), None),
        ((*FOUND[:-1], FAR), "t: column at has other values than its files"),
    ],
)
def test_each_columns_values_are_compared(
    folder: Path, found: tuple[Any, ...], problem: str | None
) -> None:
    if problem:
        assert refused(Account(found=found), folder) == [problem]
    else:
        load(Account(found=found), folder)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"TABLE_TYPE": "VIEW"}, "t is a view"),
        ({"TABLE_TYPE": "EXTERNAL TABLE"}, "t is an external table"),
        ({"TABLE_TYPE": "BASE TABLE", "IS_DYNAMIC": "YES"}, "t is a dynamic table"),
    ],
)
def test_what_is_no_plain_table_is_not_replaced(
    folder: Path, row: Mapping[str, str], reason: str
) -> None:
    account = Account(table={"TABLE_NAME": "T", **row})
    with pytest.raises(UsageError, match="nothing was uploaded") as caught:
        load(account, folder)
    assert list(caught.value.facts) == [reason]
    assert account.sent == []


def test_a_file_that_changes_meanwhile_is_refused(folder: Path) -> None:
    def change(sql: str) -> None:
        if sql[:4] == "COPY":
            (folder / "t/1.parquet").touch()

    (fact,) = refused(Account(before=change), folder, SourceError)
    assert fact.endswith("t/1.parquet changed")


def breaking(sql: str, error: EngineError) -> Callable[[str], None]:
    """Return what raises an error before a statement."""

    def raise_before(sent: str) -> None:
        if sent.startswith(sql):
            raise error

    return raise_before


NEW = 'CREATE TRANSIENT TABLE "RAW"."U"'
OLD = "CREATE OR REPLACE TRANSIENT TABLE"


REFUSED, LOST = EngineError("no privilege"), LostAnswerError("the connection is lost")


@pytest.fixture
def two_tables(folder: Path) -> Path:
    """Return the folder with another table, which does not exist yet."""
    shutil.copytree(folder / "t", folder / "u")
    return folder


@pytest.mark.parametrize(
    ("sql", "error", "facts"),
    [
        (NEW, REFUSED, ["new: t", "as before: u", "cause: no privilege"]),
        (NEW, LOST, ["new: t", "new or as before: u", "as before: none", f"cause: {LOST}"]),
        (OLD, LOST, ["new: none", "new or as before: t", "as before: u", f"cause: {LOST}"]),
    ],
)
def test_a_replacement_that_breaks_off_is_told_truly(
    two_tables: Path, sql: str, error: EngineError, facts: list[str]
) -> None:
    account = Account(before=breaking(sql, error))
    with pytest.raises(EngineError, match="loading failed midway") as caught:
        load(account, two_tables)
    assert account.sent[-1] == "discard"
    assert list(caught.value.facts) == facts


def test_a_replacement_that_is_refused_at_once_is_just_that(two_tables: Path) -> None:
    with pytest.raises(EngineError, match="no privilege") as caught:
        load(Account(before=breaking(OLD, REFUSED)), two_tables)
    assert caught.value is REFUSED


def test_an_interrupt_stops_between_two_tables_but_not_after_the_last(two_tables: Path) -> None:
    with pytest.raises(EngineError, match="loading failed midway") as caught:
        load(Account(interrupts=[False, True]), two_tables)
    assert list(caught.value.facts) == ["new: t", "as before: u", "cause: interrupted"]
    account = Account(interrupts=[True, False])
    load(account, two_tables)
    assert "discard" not in account.sent
