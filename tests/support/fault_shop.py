"""A small package on the emulator in two versions, and what readers see of it all the while.

Each row says of which build it is. The second version has a new mart, an added column, another
comment, and a mart less, so that a run of it has every kind of statement.
"""

from __future__ import annotations

import json
import threading
import time
import tomllib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path
from typing import Any

from snowflake.connector.errors import Error

from backends.emulator.process import toml
from support.account import Account
from support.forked import Ended, Fork, fork
from support.processes import GUARD

OLD, NEW, OTHER = "old", "new", "other"
PACKAGE = "things"
TABLES = ("thing_items", "thing_totals", "thing_counts")
MARTS = (*TABLES, "thing_overview")
ADDED, GONE = "thing_ranks", "thing_gone"

FIRST = '''"""Things."""

from marts import int64, mart, source, string

things = source(
    "things",
    doc="Things.",
    grain="thing_id",
    columns=[string("thing_id"), string("build"), int64("amount")],
)


@mart(grain="thing_id", columns=[string("thing_id"), string("build"), int64("amount")])
def thing_items(things):
    """Things, by number."""
    return things
'''
TOTALS = '''"""Totals."""

from marts import int64, mart, string


@mart(grain="build", columns=[string("build"), int64("amount"){column}])
def thing_totals(thing_items):
    """The sum of amounts."""
    return thing_items.group_by("build").aggregate(
        amount=thing_items.amount.sum(), highest=thing_items.amount.max()
    )
'''
SIMPLE = '''"""One mart."""

from marts import int64, mart, string


@mart(grain="build", {more}columns=[string("build"), int64("n")])
def {name}({reads}):
    """How many things there are."""
    return {query}
'''
COUNTED = '{0}.group_by("build").aggregate(n={0}.count())'
JOINED = (
    'thing_counts.inner_join(thing_totals.select("build"), "build").inner_join('
    'thing_items.group_by("build").aggregate(items=thing_items.count()), "build"'
    ').select("build", "n")'
)
MISSING = (2003, 2043)
SAVED = "SAVED"
"""The schema that keeps what another is brought back to."""
TOOL = '"tool": "marts"'
"""In the query tag of each statement of a run."""
CONNECTION = "backends.snowflake_connection"
SESSION = "backends.snowflake_session"
QUIET = 50
"""How often it is looked for a new statement before readers read again without one."""
DETACHED = 0.3
"""Seconds for which the transaction of a session that is gone stays open."""
SHORT = {
    f"{CONNECTION}.LOGIN_SECONDS": 1,
    f"{CONNECTION}.ATTEMPT_SECONDS": 1,
    "backends.snowflake_driver.WAITS": (0.1,),
    f"{SESSION}.CANCEL_SECONDS": 1.0,
    f"{SESSION}.ASK_AGAIN_SECONDS": 0.2,
    f"{SESSION}.CLOSE_SECONDS": 1.0,
}
"""Waits of ours that only a dead line needs."""


def write_packages(folder: Path) -> None:
    """Write both versions of the package, and one with all marts, each to a folder of its own."""
    for build, last in {OLD: [GONE], NEW: [ADDED], OTHER: [ADDED, GONE]}.items():
        package = folder / build / PACKAGE
        package.mkdir(parents=True)
        (package / "__init__.py").touch()
        column = "" if build == OLD else ', int64("highest", null=True)'
        modules = {
            "thing_items": FIRST if build == OLD else FIRST.replace("by number", "one a row"),
            "thing_totals": TOTALS.format(column=column),
            "thing_counts": _simple("thing_counts", "thing_items"),
            "thing_overview": _simple(
                "thing_overview", *TABLES, query=JOINED, more='materialized="view", '
            ),
            **{name: _simple(name, "thing_items", "thing_counts") for name in last},
        }
        for name, text in modules.items():
            (package / f"{name}.py").write_text(text, "utf-8")


def _simple(name: str, *reads: str, query: str | None = None, more: str = "") -> str:
    return SIMPLE.format(
        name=name, reads=", ".join(reads), query=query or COUNTED.format(reads[0]), more=more
    )


@dataclass
class Seen:
    """What the polls of one statement saw of the old marts, and of the new one: how often."""

    polls: int = 0
    states: Counter[tuple[str, str]] = field(default_factory=Counter)

    def mixtures(self, *fine: tuple[str, str]) -> dict[tuple[str, str], int]:
        """Return what is not fine: no build looks like that."""
        return {state: count for state, count in self.states.items() if state not in fine}


@dataclass(frozen=True)
class FaultShop:
    """The package in one account, with the sources of each build in a schema named after it."""

    account: Account
    folder: Path

    def prepare(self) -> None:
        """Write the packages, and create the sources."""
        write_packages(self.folder)
        for build in (OLD, NEW, OTHER):
            self.create_source(build, build)

    def create_source(self, schema: str, build: str) -> None:
        """Create the source of a build in a schema."""
        self.account.rows(f"CREATE SCHEMA IF NOT EXISTS {self._qualified(schema.upper())}")
        table = self.account.location(schema.upper(), "things")
        self.account.rows(
            f"CREATE OR REPLACE TABLE {table} (THING_ID VARCHAR, BUILD VARCHAR, AMOUNT NUMBER)"
        )
        values = ", ".join(f"('t{n}', '{build}', {n})" for n in range(1, 6))
        self.account.rows(f"INSERT INTO {table} VALUES {values}")

    def save(self, schema: str) -> None:
        """Keep what a schema has, to bring it back."""
        saved = self._qualified(SAVED)
        self.account.rows(f"CREATE SCHEMA {saved}")
        for name, kind in self.account.catalog("tables", schema, "TABLE_NAME", "TABLE_TYPE"):
            if kind == "BASE TABLE":
                there, here = (self.account.location(each, name) for each in (SAVED, schema))
                self.account.rows(f"CREATE TABLE {there} CLONE {here}")

    def drop(self, schema: str) -> None:
        """Drop a schema, and that of its candidates."""
        for each in (schema, f"{schema}_CANDIDATES"):
            self.account.rows(f"DROP SCHEMA IF EXISTS {self._qualified(each)}")

    def bring_back(self, schema: str, view: str) -> None:
        """Let a schema have what was saved, and a view that was created by a statement."""
        candidates = self._qualified(f"{schema}_CANDIDATES")
        self.drop(schema)
        self.account.rows(f"CREATE SCHEMA {self._qualified(schema)}")
        self.account.rows(f"CREATE TRANSIENT SCHEMA {candidates}")
        for (name,) in self.account.catalog("tables", SAVED, "TABLE_NAME"):
            there, here = (self.account.location(each, name) for each in (SAVED, schema))
            kind = "TABLE" if name.startswith("MARTS") else "TRANSIENT TABLE"
            self.account.rows(f"CREATE {kind} {here} CLONE {there}")
        self.account.rows(view)

    def _qualified(self, schema: str) -> str:
        return f'"{self.account.database}"."{self.account.schema(schema)}"'

    def start(
        self,
        schema: str,
        build: str,
        name: str,
        *more: str,
        sources: str | None = None,
        changes: Mapping[str, object] | None = None,
        patience: int | None = None,
    ) -> Fork:
        """Start a run of a build; its name is that of its folder.

        With `patience`, in seconds, a line that is silent for so long is taken for dead.
        """
        assert self.account.emulator
        emulator = self.account.emulator
        text = (emulator.folder / "connections.toml").read_text("utf-8")
        if patience:
            known = tomllib.loads(text)
            known["emulator"] |= {"socket_timeout": patience, "network_timeout": patience + 1}
            text = toml(known)
        location = self.account.run_words(schema=schema, sources=(sources or build).upper())
        return fork(
            *("run", "--package", PACKAGE, "--as-of", "2025-06-30"),
            *(*location, *more),
            project=self.folder / build,
            folder=self.folder / schema / name,
            changes={**SHORT, **(changes or {})},
            **emulator.environment | {"SNOWFLAKE_CONNECTIONS": text},
        )

    def run(self, schema: str, build: str, name: str, *more: str, **options: Any) -> Ended:
        """Run a build to its end."""
        return self.start(schema, build, name, *more, **options).wait()

    def poll(self, schema: str, cursor: Any) -> tuple[str, str]:
        """Read all marts in one statement: builds of those that both versions have, and the new."""
        for marts in ((*MARTS, ADDED), MARTS):
            sql = " UNION ALL ".join(
                f"SELECT '{mart}', MIN(BUILD), MAX(BUILD), COUNT(*)"
                f" FROM {self.account.location(schema, mart)}"
                for mart in marts
            )
            try:
                rows = {name: row for name, *row in cursor.execute(sql).fetchall()}
            except Error as error:
                if error.errno not in MISSING:
                    raise
                rows = {}
            else:
                break
        found = dict.fromkeys(MARTS, "") | {mart: _build(*row) for mart, row in rows.items()}
        common = {found[mart] for mart in MARTS}
        return "+".join(sorted(common)), found.get(ADDED, "")

    @contextmanager
    def polled(self, schema: str) -> Iterator[Seen]:
        """Poll all the while, in a session of its own."""
        assert self.account.emulator
        record = self.account.emulator.folder / "record.jsonl"
        seen, stop, errors = Seen(), threading.Event(), list[BaseException]()

        def poll() -> None:
            try:
                with reading.cursor() as cursor, closing(Tail(record)) as tail:
                    known, quiet = -1, 0
                    while not stop.wait(0.01):
                        # Nothing changes but by a statement.
                        changes = sum(each.changes for each in tail.read())
                        quiet = quiet + 1 if changes == known else 0
                        if quiet % QUIET == 0:
                            known = changes
                            seen.states[self.poll(schema, cursor)] += 1
                            seen.polls += 1
            except BaseException as error:  # noqa: BLE001  (raised below)
                errors.append(error)

        with self.account.emulator.connect() as reading:
            thread = threading.Thread(target=poll)
            thread.start()
            try:
                yield seen
            finally:
                stop.set()
                thread.join()
        if errors:
            raise errors[0]

    def read(self, schema: str) -> tuple[str, str]:
        """Read all marts once."""
        with self.account.session.cursor() as cursor:
            return self.poll(schema, cursor)

    def recorded(self, schema: str) -> dict[str, str]:
        """Return the run that each mart is recorded with as published."""
        rows = self.account.rows(
            f"SELECT NAME, RUN_ID FROM {self.account.location(schema, 'MARTS_STATE')}"
            " WHERE KIND IN ('table', 'view') AND AS_OF IS NOT NULL"
        )
        return {str(name): str(run) for name, run in rows}

    def runs(self, schema: str) -> dict[str, str]:
        """Return the status of each run in the table of runs."""
        rows = self.account.rows(
            f"SELECT RUN_ID, STATUS FROM {self.account.location(schema, 'MARTS_RUNS')}"
        )
        return {str(run): str(status) for run, status in rows}

    def publications(self, schema: str) -> set[str]:
        """Return the runs that have committed a publication."""
        rows = self.account.rows(
            f"SELECT NAME FROM {self.account.location(schema, 'MARTS_STATE')}"
            " WHERE KIND = 'publication'"
        )
        return {str(name) for (name,) in rows}

    def candidates(self, schema: str) -> tuple[set[str], set[str]]:
        """Return the candidates that exist, and those that are recorded, in lower case."""
        there = {name.lower() for name in self.account.tables(f"{schema}_CANDIDATES")}
        rows = self.account.rows(
            f"SELECT NAME FROM {self.account.location(schema, 'MARTS_STATE')}"
            " WHERE KIND = 'candidate'"
        )
        return there, {str(name) for (name,) in rows}

    def catalog(self, schema: str) -> dict[str, Any]:
        """Return what the catalog says: kinds, comments, columns and keys."""
        tables = self.account.catalog("tables", schema, "TABLE_NAME", "TABLE_TYPE", "COMMENT")
        columns = self.account.catalog(
            "columns", schema, "TABLE_NAME", "COLUMN_NAME", "DATA_TYPE", "COMMENT"
        )
        keys = self.account.rows(f"SHOW PRIMARY KEYS IN SCHEMA {self._qualified(schema)}")
        return {"tables": tables, "columns": columns, "keys": sorted(str(key[3:6]) for key in keys)}


def _build(low: str | None, high: str | None, rows: int) -> str:
    if low is None:
        return ""
    return str(low) if low == high else f"{low}|{high} of {rows}"


class Tail:
    """Reads the statements of runs that arrive at an emulator from now on."""

    def __init__(self, file: Path) -> None:
        self._file = file.open("r", encoding="utf-8")
        self._file.seek(0, 2)
        self._rest = ""
        self.found: list[Sent] = []
        self.aborts = 0
        """How many statements somebody asked to cancel."""

    def read(self) -> list[Sent]:
        """Return all statements of runs that have arrived."""
        self._rest += self._file.read()
        *lines, self._rest = self._rest.split("\n")
        for event in map(json.loads, lines):
            self.aborts += event["kind"] == "abort"
            if event["kind"] == "statement" and TOOL in (event["tag"] or ""):
                tag = json.loads(event["tag"])
                self.found.append(Sent(event["sql"], tag["step"], tag["mart"], tag["run"]))
        return self.found

    def wait(self, count: int, is_over: Callable[[], bool] = lambda: False) -> bool:
        """Wait until so many statements have arrived, or all is over; tell whether they have."""
        self.until(lambda: len(self.found) >= count or is_over())
        return len(self.read()) >= count

    def until(self, is_so: Callable[[], object]) -> None:
        """Read until something is so."""
        deadline = time.monotonic() + GUARD
        self.read()
        while not is_so():
            assert time.monotonic() < deadline
            time.sleep(0.01)
            self.read()

    def close(self) -> None:
        """Read no more."""
        self._file.close()


@dataclass(frozen=True)
class Sent:
    """A statement of a run, and what its query tag says."""

    sql: str
    step: str
    mart: str
    run: str

    @property
    def kind(self) -> str:
        """The step, and the words with which the statement begins."""
        words = takewhile(lambda word: word.isalpha() and word.isupper(), self.sql.split())
        return f"{self.step}: {' '.join(words)}"

    @property
    def changes(self) -> bool:
        """Tell whether the statement is more than a reading."""
        return self.sql.split()[0] not in ("SELECT", "SHOW")

    @property
    def is_cancelled_by_an_interrupt(self) -> bool:
        """Tell whether an interrupt does not wait for the statement's end."""
        return self.sql not in ("COMMIT", "ROLLBACK")

    def __str__(self) -> str:
        return f"{self.step} {self.mart}: {' '.join(self.sql.replace(chr(34), '').split())[:90]}"
