"""Freshness: checked in every run, at a moment that no query and no fingerprint knows."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from backends.duckdb_sql import compiled as on_duckdb
from backends.snowflake_sql import compiled as on_snowflake
from marts import (
    Table,
    acknowledge,
    boolean,
    date,
    fresh,
    mart,
    source,
    string,
    timestamp,
)
from marts.core.analysis.reliance_errors import relied_on
from marts.core.authoring.expressions import FixedAsOf
from marts.core.authoring.tables import Source
from marts.core.errors import DefinitionError
from marts.core.plan.source_checks import SourceCheckOptions, source_checks
from marts.core.project.graph import Graph
from marts.core.query.checks import fused_query
from marts.core.query.definition import logical_tables
from marts.core.run.freshness import age, moment_of
from marts.core.run.report import Report
from support.updates import Updates
from support.workshop import Workshop, checks_by_name, project_of

UTC = datetime.UTC
END = datetime.datetime(2025, 7, 1, tzinfo=UTC)
"""The end of the date of the workshop's runs, which is over."""
LAST = datetime.datetime(9999, 12, 31, 23, 59)  # noqa: DTZ001
NOW = END + datetime.timedelta(hours=9)


def at(day: int, hour: int = 0, minute: int = 0, *, month: int = 6) -> datetime.datetime:
    """Return a time in 2025, as engines give it."""
    return datetime.datetime(2025, month, day, hour, minute)  # noqa: DTZ001


def a_source(**more: str) -> Source:
    """Return a source with a timestamp and a date."""
    columns = [string("bike"), timestamp("loaded_at", null=True, **more), date("day", null=True)]  # type: ignore[arg-type]
    return source("bikes", doc="Bikes.", grain="bike", columns=columns)


@pytest.mark.parametrize(
    ("day", "now", "moment"),
    [
        (30, datetime.datetime(2025, 6, 30, 9, tzinfo=UTC), "2025-06-30T09:00"),
        (29, datetime.datetime(2025, 6, 30, 9, tzinfo=UTC), "2025-06-30T00:00"),
        (30, datetime.datetime(2025, 6, 29, 9, tzinfo=UTC), "2025-06-29T09:00"),
    ],
)
def test_the_moment_is_now_or_the_end_of_the_date(
    day: int, now: datetime.datetime, moment: str
) -> None:
    found = moment_of(FixedAsOf(datetime.date(2025, 6, day)), now)
    assert found.isoformat(timespec="minutes") == f"{moment}+00:00"


@pytest.mark.parametrize(
    ("zone", "newest", "is_old", "words"),
    [
        (None, at(30), False, "is 2025-06-30 00:00 UTC, 24 h 0 min before 2025-07-01 00:00 UTC"),
        (None, at(29, 23, 59), True, "24 h 1 min before"),
        (None, at(1, 6, month=7), False, "6 h 0 min after 2025-07-01 00:00 UTC"),
        # The local time of Berlin is two hours ahead in summer, that of New York four behind.
        ("Europe/Berlin", at(30), True, "is 2025-06-29 22:00 UTC, 26 h 0 min before"),
        ("America/New_York", at(29, 20), False, "is 2025-06-30 00:00 UTC, 24 h 0 min before"),
        (None, at(2, 9, month=7), False, "33 h 0 min after 2025-07-01 00:00 UTC"),
        (None, at(2, 9, 1, month=7), True, "is 2025-07-02 09:01 UTC, 24 h 1 min in the future"),
        ("America/New_York", LAST, True, "is 9999-12-31 23:59 UTC, "),
        (None, "12000-01-01 00:00:00", True, "is 12000-01-01 00:00:00, not in the years 1 to 9999"),
        (None, None, True, "no row has a loaded_at"),
        (None, at(21, 3), True, "is 2025-06-21 03:00 UTC, 9 days before 2025-07-01 00:00 UTC; at"),
    ],
)
def test_a_value_is_as_old_as_its_zone_says(
    zone: str | None, newest: datetime.datetime | str | None, is_old: bool, words: str
) -> None:
    table = a_source(**{"zone": zone} if zone else {})
    found = age(newest, fresh(hours=24, by="loaded_at"), table, END, NOW)
    assert found[0] is is_old
    assert words in found[1]


def test_a_date_counts_from_its_first_hour_and_a_repeated_hour_from_the_first_time() -> None:
    check = fresh(hours=23, by="day")
    assert age(datetime.date(2025, 6, 30), check, a_source(), END, NOW)[0]
    assert not age(datetime.date(2025, 7, 1), check, a_source(), END, NOW)[0]
    berlin, check = a_source(zone="Europe/Berlin"), fresh(hours=1, by="loaded_at")
    moment = datetime.datetime(2025, 10, 26, 1, 45, tzinfo=UTC)
    is_old, words = age(at(26, 2, 30, month=10), check, berlin, moment, moment)
    assert is_old
    assert words.startswith("the newest loaded_at is 2025-10-26 00:30 UTC, 1 h 15 min before ")


@pytest.mark.parametrize(
    ("declare", "expected"),
    [
        (partial(fresh, hours=1, by="lodaed_at"), "no column lodaed_at; did you mean loaded_at?"),
        (partial(fresh, hours=1, by="flag"), "flag is boolean, not a date or timestamp"),
        (partial(fresh, hours=0, by="loaded_at"), "hours is 0, not a positive number"),
        (partial(fresh, hours=True, by="loaded_at"), "hours is True, not a positive number"),
    ],
)
def test_a_wrong_declaration_is_refused(declare: Callable[[], object], expected: str) -> None:
    columns = [string("bike"), timestamp("loaded_at"), boolean("flag")]
    with pytest.raises(DefinitionError) as refused:
        source("b", doc="B.", grain="bike", columns=columns, checks=[declare()])  # type: ignore[list-item]
    assert f": {expected}" in str(refused.value)


def test_no_query_asks_what_time_it_is() -> None:
    table = a_source()
    graph = project_of(table)
    check = fresh(hours=24, by="loaded_at")
    query = fused_query(table, logical_tables(graph.project)["bikes"], [check])
    assert on_duckdb(query).sql == (
        'SELECT COUNT(*) AS "rows", MAX("t0"."loaded_at") AS "c0" FROM "bikes" AS "t0"'
    )
    assert on_snowflake(query).sql == on_duckdb(query).sql


def test_a_mart_that_copies_local_times_is_not_taken_for_utc() -> None:
    @mart(
        grain="bike",
        columns=[string("bike"), timestamp("loaded_at", null=True)],
        checks=[fresh(hours=1, by="loaded_at")],
    )
    def loaded(bikes: Table) -> Table:
        """Bikes."""
        return bikes

    relied_on(project_of(a_source(zone="UTC"), loaded))
    with pytest.raises(DefinitionError, match="loaded_at is the local time of Europe/Berlin"):
        relied_on(project_of(a_source(zone="Europe/Berlin"), loaded))


# In runs


def shop_of(folder: Path, *, source_hours: float = 48, severity: str = "error") -> Workshop:
    """Return a shop whose source and mart must be fresh, the source by a column no mart reads."""
    bikes = source(
        "bikes",
        doc="Bikes.",
        grain="bike",
        columns=[string("bike"), timestamp("loaded_at"), date("sold_on")],
        checks=[fresh(hours=source_hours, by="loaded_at", severity=severity)],  # type: ignore[arg-type]
        acknowledged=[acknowledge("loaded_at_fresh", reason="summer", until="2025-12-31")]
        if severity == "warn"
        else [],
    )

    @mart(
        grain="bike",
        columns=[string("bike"), date("sold_on")],
        checks=[fresh(hours=72, by="sold_on")],
    )
    def sold(bikes: Table) -> Table:
        """Bikes."""
        return bikes

    workshop = Workshop(folder, project_of(bikes, sold))
    day = datetime.date(2025, 6, 29)
    workshop.write(bikes=[{"bike": "a", "loaded_at": at(29, 12), "sold_on": day}])
    return workshop


def updated(updates: Updates) -> Report:
    """Bring a shop up to date, its sources checked as `marts run` does."""
    graph: Graph = updates.shop.graph
    reliance = relied_on(graph)
    with updates.shop.backend() as backend:
        from marts.core.run.inspection import inspect_engine

        state = inspect_engine(graph, graph.order, backend, source_checks=True)
    checks = partial(source_checks, graph, reliance, state, SourceCheckOptions())
    return updates.update(source_checks=checks)


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Return what lets hours pass after the end of the runs' date."""

    def pass_(hours: int) -> None:
        moment = END + datetime.timedelta(hours=hours)
        monkeypatch.setattr("marts.core.run.runner.moment_of", lambda *_: moment)

    return pass_


def test_time_passes_though_nothing_changes(tmp_path: Path, later: Callable[[int], None]) -> None:
    updates = Updates(shop_of(tmp_path))
    report = updated(updates)
    assert report.status == "published"
    assert set(checks_by_name(report, "bikes")) >= {"bike_unique", "loaded_at_fresh"}
    state = "SELECT * FROM gold.marts_state ORDER BY ALL"
    before = updates.shop.query(state)

    later(12)
    report = updated(updates)
    assert (report.status, updates.reasons, report.unchanged) == ("checked", {}, ("sold",))
    made = {t.table.name: [c.check.name for c in t.checks] for t in report.tables}
    assert made == {"bikes": ["loaded_at_fresh"], "sold": ["sold_on_fresh"]}
    assert checks_by_name(report, "bikes")["loaded_at_fresh"].detail == (
        "the newest loaded_at is 2025-06-29 12:00 UTC, 48 h 0 min before 2025-07-01 12:00 UTC;"
        " at most 48 h are allowed"
    )

    for hours, failed in ((13, ["loaded_at_fresh"]), (25, ["loaded_at_fresh", "sold_on_fresh"])):
        later(hours)
        report = updated(updates)
        assert report.status == "failed"
        assert [made.check.name for _, made in report.failures] == failed
    assert updates.shop.query(state) == before


def test_a_warning_is_made_and_acknowledged_like_others(
    tmp_path: Path, later: Callable[[int], None]
) -> None:
    updates = Updates(shop_of(tmp_path, source_hours=0.5, severity="warn"))
    assert len(updated(updates).acknowledged) == 1
    report = updated(updates)
    assert (report.status, len(report.acknowledged)) == ("checked", 1)
    later(1)
    assert updated(updates).status == "checked"


def test_what_is_published_and_the_sources_are_tested_likewise(tmp_path: Path) -> None:
    shop = shop_of(tmp_path)
    shop.run()
    assert checks_by_name(shop.check("sold"), "sold")["sold_on_fresh"].outcome == "pass"
    for hours, outcome in ((36, "pass"), (35, "fail")):
        report = shop_of(tmp_path, source_hours=hours).check(source_checks=True)
        found = checks_by_name(report, "bikes")["loaded_at_fresh"]
        assert (found.outcome, found.sample) == (outcome, ())
