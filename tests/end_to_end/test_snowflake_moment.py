"""Sources at one moment on Snowflake, though they change before every statement of a run."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from backends.snowflake_statements import Statements
from support.account import Account, Row
from support.processes import Result

DONE, FAILED, ASKED_WRONGLY = 0, 1, 2
NOTHING = "nothing was published; what was published before is unchanged"
ROWS = 400
"""Far more than a run has statements: one may be deleted before each."""

SOURCE = '''"""A source."""

from marts import int64, mart, source, string

visits = source("visits", doc="V.", grain="visit", columns=[string("visit"), string("city")])
'''
NUMBERS = '''"""The numbers of a source."""

from marts import int64, mart, string


@mart(grain="visits", columns=[int64("visits"), string("last_city")])
def {name}({inputs}):
    """How many visits there are, and the last city."""
    return visits.aggregate(visits=visits.count(), last_city=visits.city.max())
'''
ROWS_OF_IT = '''"""The rows of a source."""

from marts import mart, string


@mart(grain="visit", columns=[string("visit"), string("city")])
def all_visits(visits, one):
    """All visits."""
    return visits
'''
A_VIEW = '''"""The rows of a source, as they are at any time."""

from marts import mart, string, table_check


@mart(
    grain="visit",
    materialized="view",
    columns=[string("visit"), string("city")],
    checks=[
        table_check(
            "as_many", offending=lambda this, all_visits: this.count() != all_visits.count()
        )
    ],
)
def a_view(visits, all_visits):
    """All visits."""
    return visits
'''
PACKAGE = {
    "__init__": "",
    "sources": SOURCE,
    "one": NUMBERS.format(name="one", inputs="visits"),
    "all_visits": ROWS_OF_IT,
    "a_view": A_VIEW,
    "two": NUMBERS.format(name="two", inputs="visits, all_visits, a_view"),
}
"""Three tables and a view of one source, built one after the other."""
CHANGES = {
    "insert": "INSERT INTO {table} SELECT 'v{number}', 'z{number}'",
    "update": "UPDATE {table} SET {city} = 'c{number}'",
    "delete": "DELETE FROM {table} WHERE {visit} = 'v00{number}'",
    "overwrite": "INSERT OVERWRITE INTO {table} SELECT 'w{number}', 'c{number}'",
}


@dataclass
class Visits:
    """The source `visits` in a schema, under changing; what it contained before each statement."""

    account: Account
    schema: str
    folder: Path
    table: str = "VISITS"
    columns: tuple[str, str] = ("VISIT", "CITY")
    seen: dict[str, Row] = field(default_factory=dict)
    """By step of a run: what was there before its first statement."""

    @property
    def within(self) -> str:
        """The schema, qualified."""
        return f'"{self.account.database}"."{self.account.schema(self.schema)}"'

    @property
    def location(self) -> str:
        """The table, qualified."""
        return f'{self.within}."{self.table}"'

    def create(self) -> None:
        """Create the table, with some rows."""
        visit, city = self.columns
        self.account.rows(f"CREATE SCHEMA IF NOT EXISTS {self.within}")
        self.account.rows(f'CREATE TABLE {self.location} ("{visit}" VARCHAR, "{city}" VARCHAR)')
        rows = ", ".join(f"('v00{number}', 'a{number}')" for number in range(1, ROWS + 1))
        self.account.rows(f"INSERT INTO {self.location} VALUES {rows}")

    def is_said_to_be(self, **what: object) -> None:
        """Let the emulator's catalog say something of the table."""
        known = {"table_schema": self.account.schema(self.schema), "table_name": self.table, **what}
        self.account.rows(
            f'INSERT INTO "{self.account.database}"."_FS_INFORMATION_SCHEMA"."_OVERRIDES"'
            f" ({', '.join(known)}) SELECT {', '.join(map(repr, known.values()))}"
        )

    def hide_behind(self, kind: str) -> None:
        """Let the source be a view of a table of another name."""
        view, self.table = self.location, "ALL_VISITS"
        self.account.rows(f"CREATE TABLE {self.location} AS SELECT * FROM {view}")
        self.account.rows(f"DROP TABLE {view}")
        self.account.rows(f"CREATE {kind} {view} AS SELECT * FROM {self.location}")

    @property
    def where(self) -> str:
        """The table, as an error names it."""
        return self.location.replace('"', "")

    def numbers(self) -> Row:
        """Return what the marts `one` and `two` say of the table as it is now."""
        ((count, last),) = self.account.rows(
            f'SELECT COUNT(*), MAX("{self.columns[1]}") FROM {self.location}'
        )
        return count, last

    def run(self, *words: str, command: str = "run") -> Result:
        """Run a command on the marts of the source."""
        (self.folder / "visiting").mkdir(exist_ok=True)
        for name, text in PACKAGE.items():
            (self.folder / f"visiting/{name}.py").write_text(text, "utf-8")
        return self.account.call(command, *self.words(self.schema), *words, cwd=self.folder)

    def words(self, schema: str) -> list[str]:
        """Return the words that name the marts, the source's schema, and the marts' own."""
        location = self.account.run_words(schema=f"{schema}_GOLD", sources=schema)
        return ["--package", "visiting", "--as-of", "2026-06-30", *location]

    def published(self) -> Row:
        """Return the numbers of all marts, which must be the same."""
        one, two = (self.account.table(f"{self.schema}_GOLD", name) for name in ("one", "two"))
        rows = self.account.table(f"{self.schema}_GOLD", "all_visits")
        assert one.to_pylist() == two.to_pylist()
        (numbers,) = one.to_pylist()
        assert numbers["visits"] == rows.num_rows
        assert numbers["last_city"] == max(rows.column("city").to_pylist())
        return numbers["visits"], numbers["last_city"]

    def results(self) -> dict[str, Any]:
        """Return what the last run wrote."""
        text = (self.folder / "target/run_results.json").read_text("utf-8")
        found: dict[str, Any] = json.loads(text)
        return found

    @contextmanager
    def changing(
        self, sql: str, when: Callable[[list[str]], bool] = lambda _: True
    ) -> Iterator[None]:
        """Change the table before each statement of the backend, and remember what was there.

        `when` is asked with the steps so far, this one included, whether it changes now.
        """
        execute: Callable[..., Any] = Statements.execute
        visit, city = (f'"{name}"' for name in self.columns)
        steps: list[str] = []

        def change_and_execute(run: Statements, text: str, **words: Any) -> Any:
            steps.append(words["step"])
            if when(steps):
                number, table = len(steps), self.location
                change = sql.format(table=table, number=number, visit=visit, city=city)
                self.account.rows(change)
            self.seen.setdefault(words["step"], self.numbers())
            return execute(run, text, **words)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Statements, "execute", change_and_execute)
            yield


@pytest.fixture
def visits(emulated: Account, own_schema: str, tmp_path: Path) -> Visits:
    found = Visits(emulated, own_schema, tmp_path)
    found.create()
    return found


@pytest.mark.parametrize("change", CHANGES)
def test_marts_are_of_one_moment_whenever_their_source_changes(change: str, visits: Visits) -> None:
    with visits.changing(CHANGES[change]):
        done = visits.run()
    assert done.returncode == DONE, done.stderr + done.stdout
    assert visits.published() == visits.seen["moment"]
    assert visits.numbers() != visits.seen["moment"]
    (read,) = visits.results()["sources_read"].values()
    assert re.fullmatch(r"pinned at \d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} UTC", read)
    assert f"read  sources {read}" in done.stdout
    again = visits.run()
    assert again.returncode == DONE, again.stderr
    assert visits.published() == visits.numbers()
    assert visits.run().stdout.endswith("done  nothing to do; --force builds everything anyway\n")


@pytest.mark.parametrize(
    "when",
    [
        pytest.param(lambda steps: steps[-1] == "moment", id="before"),
        pytest.param(lambda steps: steps[-2:-1] == ["moment"], id="after"),
    ],
)
def test_a_change_right_before_or_after_the_moment_is_in_this_run_or_the_next(
    when: Callable[[list[str]], bool], visits: Visits
) -> None:
    with visits.changing(CHANGES["update"], when):
        done = visits.run()
    assert done.returncode == DONE, done.stderr
    assert visits.published() == visits.seen["moment"]
    assert visits.run().returncode == DONE
    assert visits.published() == visits.numbers()


def without_time_travel(visits: Visits) -> None:
    visits.account.rows(f"ALTER TABLE {visits.location} SET DATA_RETENTION_TIME_IN_DAYS = 0")


@pytest.mark.parametrize("change", CHANGES)
def test_a_source_without_time_travel_that_changes_is_found_at_the_end(
    change: str, visits: Visits
) -> None:
    without_time_travel(visits)
    with visits.changing(CHANGES[change], lambda steps: steps.count("build") == len(PACKAGE) - 2):
        changed = visits.run()
    assert changed.returncode == FAILED
    assert changed.stderr == (
        "error: sources changed while the run read them; nothing was published\n"
        f"  source visits: {visits.where} changed\n"
        "hint: run again\n"
    )
    assert f"error: {NOTHING}" in changed.stdout
    done = visits.run()
    assert done.returncode == DONE, done.stderr
    assert "read  sources not pinned; compared again at the end" in done.stdout
    assert visits.published() == visits.numbers()


def an_external_table(visits: Visits) -> None:
    visits.is_said_to_be(table_type="EXTERNAL TABLE")


def a_secure_view(visits: Visits) -> None:
    visits.hide_behind("SECURE VIEW")


def a_view_of_a_table_without_time_travel(visits: Visits) -> None:
    visits.hide_behind("VIEW")
    without_time_travel(visits)


@pytest.mark.parametrize(
    "become", [an_external_table, a_secure_view, a_view_of_a_table_without_time_travel]
)
def test_a_source_that_can_neither_be_pinned_nor_compared_is_copied(
    become: Callable[[Visits], None], visits: Visits
) -> None:
    become(visits)
    planned = visits.run("--dry-run")
    assert "  read     sources not pinned; a run that builds copies it\n" in planned.stdout
    with visits.changing(CHANGES["insert"]):
        done = visits.run()
    assert done.returncode == DONE, done.stderr + done.stdout
    count, _ = visits.published()
    assert visits.seen["copy"][0] <= count < visits.numbers()[0]
    (read,) = visits.results()["sources_read"].values()
    assert read.startswith("copied at ")
    assert visits.account.tables(f"{visits.schema}_GOLD_CANDIDATES") == []
    with visits.account.recorded() as sent:
        tested = visits.run("--select", "one", command="test")
    assert tested.returncode == DONE, tested.stderr
    assert not [each["sql"] for each in sent if each["sql"].startswith("CREATE")]


def test_a_pinned_view_is_of_one_moment_too(visits: Visits) -> None:
    visits.hide_behind("VIEW")
    with visits.changing(CHANGES["insert"]):
        done = visits.run()
    assert done.returncode == DONE, done.stderr + done.stdout
    assert visits.published() == visits.seen["moment"]


@pytest.mark.parametrize(
    ("builds", "step", "said"),
    [
        (2, "build", "a source cannot be read any more as it was when the run began"),
        (4, "catalog", "source visits: {} was replaced or altered"),
    ],
)
def test_a_source_that_is_replaced_during_a_run_is_refused(
    builds: int, step: str, said: str, visits: Visits
) -> None:
    def after_builds(steps: list[str]) -> bool:
        return steps.count("build") == builds and steps[-1] == step

    replace = "CREATE OR REPLACE TABLE {table} AS SELECT * FROM {table}"
    with visits.changing(replace, after_builds):
        changed = visits.run()
    assert changed.returncode == FAILED
    assert said.format(visits.where) in changed.stderr
    assert f"error: {NOTHING}" in changed.stdout


@pytest.mark.parametrize("become", [lambda _: None, an_external_table], ids=["pinned", "copied"])
def test_schemas_tables_and_columns_are_spelled_as_they_are(
    become: Callable[[Visits], None], emulated: Account, own_schema: str, tmp_path: Path
) -> None:
    schema = f"{own_schema.lower()} Raw"
    visits = Visits(emulated, schema, tmp_path, "visits", ("visit", "City"))
    visits.create()
    become(visits)
    gold = f"{emulated.schema(schema)}_GOLD"
    emulated.rows(f'CREATE SCHEMA "{emulated.database}"."{gold}"')
    with emulated.recorded() as sent:
        done = visits.run()
    assert done.returncode == DONE, done.stderr + done.stdout
    assert f"{emulated.database}.{visits.schema} → {emulated.database}.{gold}" in done.stdout
    assert visits.published() == visits.numbers()
    assert not [each["sql"] for each in sent if f'"{schema.upper()}' in each["sql"]]
    found = emulated.call("show", "two", *visits.words(schema.upper()), cwd=tmp_path)
    assert found.returncode == DONE, found.stderr


def test_a_stream_is_refused(visits: Visits) -> None:
    visits.account.rows(f"ALTER TABLE {visits.location} RENAME TO {visits.within}.ALL_VISITS")
    visits.account.rows(f"CREATE STREAM {visits.location} ON TABLE {visits.within}.ALL_VISITS")
    refused = visits.run()
    assert refused.returncode == ASKED_WRONGLY
    assert (
        "source visits, found a stream; a run that reads it would consume its changes"
        in refused.stderr
    )
