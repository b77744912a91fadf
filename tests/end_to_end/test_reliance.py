"""What marts rely on, as a user meets it: refused packages, spoiled sources, settings."""

from __future__ import annotations

import datetime
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from support.processes import Marts

DONE, FAILED, ASKED_WRONGLY = 0, 1, 2

SOURCES = """
from marts import date, int64, money, relationship, source, string

trips = source(
    "trips",
    doc="Trips.",
    grain="trip",
    columns=[
        int64("trip"),
        string("line"),
        date("day"),
        string("kind", values=["bus", "tram"]),
        money("fare", at_least=0),
        string("card", null=True),
    ],
)
lines = source("lines", doc="Lines.", grain="line", columns=[string("line"), string("name")])
cards = source(
    "cards",
    doc="Cards, each in several versions.",
    grain=("card", "since"),
    columns=[string("card"), date("since"), string("holder")],
)
"""

MART = '''
import ibis
from marts import AsOf, Table, int64, mart, money, string


@mart(grain="trip", columns=[int64("trip"), string("name", null=True), money("fare")]{more})
def fares(trips: Table, lines: Table, cards: Table, as_of: AsOf) -> Table:
    """Fares of trips."""
    {body}
'''

BUSES = 'return trips.filter(trips.kind == "bus").left_join(lines, "line")'
CARDS = 'return trips.left_join(cards, "card").left_join(lines, "line")'

TRIPS: dict[str, list[Any]] = {
    "trip": [1, 2, 3, 4],
    "line": ["a", "a", "b", "b"],
    "day": [datetime.date(2025, 5, 1)] * 4,
    "kind": ["bus", "bus", "bus", "tram"],
    "fare": [Decimal("2.50")] * 4,
    "card": ["k1", "k2", None, "k1"],
}
OTHERS: dict[str, dict[str, list[Any]]] = {
    "lines": {"line": ["a", "b"], "name": ["Ring", "Port"]},
    "cards": {"card": ["k1"], "since": [datetime.date(2025, 1, 1)], "holder": ["h"]},
}


@pytest.fixture
def city(tmp_path: Path) -> Path:
    """Return a folder with a package `city`, its mart as in `BUSES`, and its data."""
    package = tmp_path / "city"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "sources.py").write_text(SOURCES, "utf-8")
    define(tmp_path, BUSES)
    write(tmp_path)
    return tmp_path


def define(folder: Path, body: str, more: str = "") -> None:
    text = MART.format(body=body, more=more)
    (folder / "city" / "fares.py").write_text(text, "utf-8")


def write(folder: Path, **changes: list[Any]) -> None:
    """Write the data, with other columns of trips."""
    (folder / "data").mkdir(exist_ok=True)
    rows = TRIPS | changes
    rows = {name: values[: len(rows["trip"])] for name, values in rows.items()}
    trips = pa.table(rows).cast(
        pa.schema(
            [
                ("trip", pa.int64()),
                *((name, pa.string()) for name in ("line",)),
                ("day", pa.date32()),
                ("kind", pa.string()),
                ("fare", pa.decimal128(18, 2)),
                ("card", pa.string()),
            ]
        )
    )
    for name, table in {"trips": trips, **{n: pa.table(t) for n, t in OTHERS.items()}}.items():
        pq.write_table(table, folder / "data" / f"{name}.parquet")


RUN = ("run", "--package", "city", "--data", "data", "--as-of", "2025-06-30")


def test_a_join_of_many_with_many_is_refused_by_every_command(city: Path, called: Marts) -> None:
    define(city, CARDS)
    for words in (RUN, ("ls", "--package", "city"), ("compile", "--package", "city")):
        done = called(*words)
        assert done.returncode == ASKED_WRONGLY, done.stdout
        assert "mart fares joins trips and cards by card" in done.stderr
        assert "keys of cards: card, since" in done.stderr
        assert f"{Path('city') / 'fares.py'}:9" in done.stderr
        assert '@mart(many_to_many="…")' in done.stderr
    reason = ', many_to_many="a trip counts for each version"'
    define(city, CARDS + '.select("trip", "name", "fare").distinct()', reason)
    done = called(*RUN)
    assert done.returncode == DONE, done.stdout + done.stderr


def test_a_constant_that_no_declared_value_equals_is_refused(city: Path, called: Marts) -> None:
    define(city, BUSES.replace('"bus"', '"Bus"'))
    done = called(*RUN)
    assert done.returncode == ASKED_WRONGLY
    assert "mart fares compares trips.kind with 'Bus'" in done.stderr
    assert "hint: did you mean bus?" in done.stderr


def test_what_is_spelt_otherwise_publishes_nothing_and_names_both(
    city: Path, called: Marts
) -> None:
    assert called(*RUN).returncode == DONE
    write(city, kind=["bus", "Bus", "bus", "tram"])
    done = called(*RUN)
    assert done.returncode == FAILED
    assert "FAIL  trips.kind_spelling: 1 violation; 'Bus' for 'bus' in 1 row" in done.stdout
    assert "nothing was published" in done.stdout
    sample = city / "target/failures/trips.kind_spelling.csv"
    assert sample.read_text("utf-8").splitlines() == ["kind,rows", "Bus,1"]


def test_rows_that_find_nothing_are_counted_and_can_be_acknowledged(
    city: Path, called: Marts
) -> None:
    write(city, line=["a", "x", "x", "b"])
    done = called(*RUN, "--force")
    assert done.returncode == DONE
    assert "warn  trips.line_in_lines: 2 violations" in done.stdout
    entry = {
        "table": "trips",
        "check": "line_in_lines",
        "reason": "new lines",
        "until": "2026-01-01",
    }
    lines = [f'{key} = "{value}"' for key, value in entry.items()]
    settings = city / "pyproject.toml"
    settings.write_text("\n".join(["[[tool.marts.acknowledge]]", *lines]), "utf-8")
    again = called(*RUN, "--force")
    assert "line_in_lines" not in again.stdout, "no more than twice the share of the last run"
    done = called(*RUN, "--database", "new.duckdb", "--json")
    assert done.returncode == DONE
    assert "1 acknowledged" in done.stderr
    assert "line_in_lines" not in done.stderr
    (trips,) = [each for each in json.loads(done.stdout)["tables"] if each["name"] == "trips"]
    outcomes = {check["name"]: check["outcome"] for check in trips["checks"]}
    assert outcomes["line_in_lines"] == "acknowledged"
    settings.write_text(settings.read_text("utf-8").replace("line_in", "lin_in"), "utf-8")
    done = called(*RUN)
    assert done.returncode == ASKED_WRONGLY
    assert "it has no check lin_in_lines; did you mean line_in_lines?" in done.stderr
    settings.write_text("[[tool.marts", "utf-8")
    done = called(*RUN)
    assert done.returncode == ASKED_WRONGLY
    assert "cannot read the settings in pyproject.toml" in done.stderr


def test_checks_of_sources_are_planned_and_can_be_left_out(city: Path, called: Marts) -> None:
    write(city, trip=[1, 1, 3, 4])
    done = called(*RUN, "--dry-run")
    assert done.stdout.index("check    trips: ") < done.stdout.index("build    fares")
    done = called(*RUN)
    assert done.returncode == FAILED
    assert "FAIL  trips.trip_unique: 1 violation" in done.stdout
    done = called(*RUN, "--no-source-checks", "--json")
    assert done.returncode == FAILED, "the mart's own check finds it"
    assert "the sources were not checked, as --no-source-checks says" in done.stderr
    assert json.loads(done.stdout)["source_checks_left_out"] is True


def test_what_was_published_unchecked_is_checked_by_the_next_run(city: Path, called: Marts) -> None:
    write(city, kind=["bus", "Bus", "bus", "tram"])
    for _ in range(2):
        assert called(*RUN, "--no-source-checks").returncode == DONE
    assert "keep  fares: unchanged" in called(*RUN, "--no-source-checks").stdout
    done = called(*RUN)
    assert done.returncode == FAILED, "the number that is published is wrong"
    assert "build fares: its sources were not checked" in done.stdout
    assert "FAIL  trips.kind_spelling" in done.stdout
    write(city)
    assert called(*RUN).returncode == DONE
    assert "keep  fares: unchanged" in called(*RUN).stdout


def test_a_mart_without_rows_is_a_warning(city: Path, called: Marts) -> None:
    write(city, kind=["tram"] * 4)
    done = called(*RUN)
    assert done.returncode == DONE
    assert "warn  fares.not_empty: does not hold; 0 rows" in done.stdout
    assert "fares: kind == 'bus', and no row has 'bus'" in done.stdout
