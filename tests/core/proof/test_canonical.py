"""The canonical form of a mart: it changes with whatever decides numbers, and with nothing else."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace

import pytest
from ibis.expr.types import Table

from backends.factory import Dialect, dialects, worlds_on_duckdb
from marts.core.authoring.expressions import FixedAsOf
from marts.core.errors import DefinitionError
from marts.core.plan.proofs import Canonical
from marts.core.plan.queries import Queries
from marts.core.plan.state import CompiledQuery, declared_state
from marts.core.project.graph import Graph, link
from marts.core.project.loading import load
from marts.core.proof.building import WorldBuilder
from marts.core.proof.canonical import DAYS, Canon, case_of
from marts.core.proof.corpora import worlds_of
from support.workshop import SHOP

Write = Callable[..., str]

SOURCES = """
from marts import date, int64, row_check, source, string, timestamp

rides = source(
    "rides",
    doc="Rides on hired bicycles.",
    grain="ride",
    columns=[
        string("ride"),
        string("bike", null=True),
        date("ridden_on"),
        timestamp("ended_at", zone="Europe/Berlin"),
        int64("km", at_least=0),
    ],
    checks=[row_check("short", offending=lambda t: t.km > 300)],
    source_name="RIDES",
)
bikes = source(
    "bikes", doc="Bicycles.", grain="bike", columns=[string("bike"), string("kind")],
)
repairs = source(
    "repairs", doc="Repairs.", grain="bike", columns=[string("bike")], optional=True,
)
"""
RECENT = '''
import ibis

from marts import AsOf, Table, date, mart, string, int64

START = "2020-01-01"


@mart(grain="ride", columns=[string("ride"), string("bike", null=True), int64("km")])
def recent(rides: Table, as_of: AsOf) -> Table:
    """The rides of 90 days."""
    first = as_of.minus(days=90)
    # A ride of today counts.
    return rides.filter(rides.ridden_on > first, rides.ridden_on <= as_of.date, rides.km > 1)
'''
LENGTHS = '''
from marts import AsOf, Table, float64, int64, mart, row_check, string, table_check


def stale(this: Table, rides: Table, as_of: AsOf) -> Table:
    """Return what nobody rode for a year."""
    return rides.filter(rides.ridden_on < as_of.minus(days=365))


@mart(
    grain="bike",
    columns=[string("bike"), int64("km", doc="All kilometres.", default=0), int64("repaired")],
    checks=[
        row_check("plausible", offending=lambda t: t.km > 100_000),
        table_check("no_stale", offending=stale, severity="warn"),
    ],
    tags=["lengths"],
)
def lengths(recent: Table, bikes: Table, repairs: Table) -> Table:
    """Kilometres of each bicycle."""
    ridden = recent.group_by("bike").aggregate(km=recent.km.sum())
    fixed = repairs.group_by("bike").aggregate(repaired=repairs.count())
    found = bikes.left_join(ridden, "bike").left_join(fixed, "bike", rname="{name}_of_repair")
    return found.mutate(repaired=found.repaired.fill_null(0))
'''
MODULES = {"sources": SOURCES, "recent": RECENT, "lengths": LENGTHS}


def canon_of(write: Write, **modules: str) -> Canon:
    package = write(**{**MODULES, **modules})
    return Canon(link(load(package)), dialects())


def edited(write: Write, module: str, old: str, new: str) -> Canon:
    assert old in MODULES[module]
    return canon_of(write, **{module: MODULES[module].replace(old, new)})


@pytest.fixture
def other(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Canonical:
    """Return the canonical form of `lengths` without an edit, in a package of another name."""
    root = tmp_path_factory.mktemp("other")
    monkeypatch.syspath_prepend(root)
    (root / "unedited").mkdir()
    (root / "unedited" / "__init__.py").touch()
    for name, text in MODULES.items():
        (root / "unedited" / f"{name}.py").write_text(text, "utf-8")
    return Canon(link(load("unedited")), dialects()).of("lengths")


@pytest.mark.parametrize(
    ("module", "old", "new"),
    [
        ("recent", "# A ride of today counts.", "# So it is."),
        ("recent", "    first = as_of.minus(days=90)", "\n\n    first = as_of.minus(days=90)"),
        ("recent", "The rides of 90 days.", "Rides."),
        ("recent", 'START = "2020-01-01"', ""),
        ("lengths", "All kilometres.", "Kilometres."),
        ("lengths", 'tags=["lengths"]', 'tags=["other"], group="nightly"'),
        ("sources", "Rides on hired bicycles.", "Rides."),
    ],
)
def test_a_comment_a_text_a_place_and_a_group_change_nothing(
    module: str, old: str, new: str, write_package: Write, other: Canonical
) -> None:
    found = edited(write_package, module, old, new).of("lengths")
    assert found == other
    assert found.digest == other.digest


@pytest.mark.parametrize(
    ("module", "old", "new", "parts"),
    [
        ("lengths", ".fill_null(0)", ".fill_null(1)", "sql"),
        ("lengths", "left_join(ridden", "inner_join(ridden", "sql"),
        ("lengths", "> 100_000", "> 200_000", "checks"),
        ("lengths", "days=365", "days=366", "checks"),
        ("lengths", 'severity="warn"', 'severity="error"', "checks"),
        ("lengths", 'severity="warn"', 'severity="warn", threshold=3', "checks"),
        ("lengths", 'int64("repaired")', 'int64("repaired", at_least=0)', "contract"),
        ("lengths", 'int64("repaired")', 'float64("repaired")', "checks contract sql"),
        ("lengths", 'tags=["lengths"]', 'materialized="temporary"', "contract"),
        ("recent", "days=90", "days=91", "marts"),
        ("recent", "rides.ridden_on <= as_of", "rides.ridden_on < as_of", "marts"),
        ("recent", 'int64("km")', 'int64("km", at_most=500)', "marts"),
        ("sources", "Europe/Berlin", "Europe/London", "marts"),
        ("sources", 'source_name="RIDES"', 'source_name="TRIPS"', "marts"),
        ("sources", "t.km > 300", "t.km > 400", "marts"),
        ("sources", 'string("kind")', 'string("kind", null=True)', "sources"),
        ("sources", "optional=True,", "", "sources sql"),
    ],
)
def test_what_decides_numbers_changes_the_digest(
    module: str, old: str, new: str, parts: str, write_package: Write, other: Canonical
) -> None:
    found = edited(write_package, module, old, new).of("lengths")
    assert found.digest != other.digest
    before, now = other.to_document(), found.to_document()
    assert {name for name in now if now[name] != before[name]} == set(parts.split())


def test_dates_that_derive_from_as_of_are_slots_and_no_others_are(write_package: Write) -> None:
    dated = edited(write_package, "recent", "rides.km > 1", "rides.ridden_on > ibis.date(START)")
    for dialect, make in (("duckdb", "MAKE_DATE"), ("snowflake", "DATE_FROM_PARTS")):
        text = dated.of("recent").sql[dialect][""]
        assert re.findall(r"\{.*?\}", text) == ["{as_of - 90}", "{as_of}"]
        assert f"{make}(2020, 1, 1)" in text
        assert str(DAYS[0].year) not in text


def test_each_set_of_optional_sources_that_may_be_absent_has_its_sql(other: Canonical) -> None:
    for texts in other.sql.values():
        assert list(texts) == ["", "without repairs"]
        assert texts[""] != texts["without repairs"]
        assert '"repairs"' not in texts["without repairs"]


def queries(graph: Graph, day: datetime.date, *absent: str) -> Queries:
    state = declared_state(graph.project, sources=graph.project.sources.keys() - {*absent})
    return Queries(graph.project, state, FixedAsOf(day))


@pytest.mark.parametrize("day", [datetime.date(2025, 2, 28), *DAYS])
@pytest.mark.parametrize("absent", [(), ("reviews",)])
def test_a_run_has_the_canonical_sql_as_of_its_day(
    day: datetime.date, absent: tuple[str, ...]
) -> None:
    canon, made = Canon(SHOP, dialects()), queries(SHOP, day, *absent)
    present = SHOP.project.sources.keys() - {*absent}
    for name, mart in SHOP.project.marts.items():
        for dialect in dialects():
            compiled = dialect.compile(made.of(mart))
            canon.refuse_other_sql(name, compiled, day, present)


def test_what_worlds_executed_is_not_compiled_again_and_no_other_dialects_sql_is_taken() -> None:
    compiled = list[str]()

    def counted(dialect: Dialect) -> Dialect:
        def compile_(query: Table) -> CompiledQuery:
            compiled.append(dialect.name)
            return dialect.compile(query)

        return replace(dialect, compile=compile_)

    with closing(worlds_on_duckdb()) as engine:
        builder = WorldBuilder(SHOP, engine)
        for world in worlds_of(builder, ()):
            builder.build(world)
    canon = Canon(SHOP, [counted(each) for each in dialects()], builder.known)
    expected = Canon(SHOP, dialects())
    for name in SHOP.order:
        assert canon.of(name) == expected.of(name)
    assert 0 < compiled.count("duckdb") <= compiled.count("snowflake") / 2


OTHERWISE = {
    "the number of its day": "rides.km > as_of.day.day",
    "its weekday": "rides.km > (1 if as_of.day.weekday() < 5 else 2)",
    "the first of its month": "rides.ridden_on >= ibis.date(as_of.day.replace(day=1))",
    "more operations": "rides.km > 0, *([rides.km < 9] if as_of.day.year > 2020 else [])",
}


@pytest.mark.parametrize("condition", OTHERWISE.values(), ids=OTHERWISE)
def test_sql_that_depends_on_the_date_in_another_way_is_refused(
    condition: str, write_package: Write
) -> None:
    canon = edited(write_package, "recent", "rides.km > 1", condition)
    with pytest.raises(
        DefinitionError, match=r"^mart recent depends on as_of in another"
    ) as caught:
        canon.of("lengths")
    assert "recent.py:9" in str(caught.value)


def test_what_two_dates_do_not_reveal_the_date_of_the_run_does(write_package: Write) -> None:
    rare = "rides.km > (1 if as_of.day.month < 12 else 2)"
    canon = edited(write_package, "recent", "rides.km > 1", rare)
    mart, sources = canon.graph.project.marts["recent"], canon.graph.project.sources
    usual, december = datetime.date(2025, 11, 30), datetime.date(2025, 12, 1)
    for dialect in dialects():
        query = dialect.compile(queries(canon.graph, usual).of(mart))
        canon.refuse_other_sql("recent", query, usual, sources)
        query = dialect.compile(queries(canon.graph, december).of(mart))
        with pytest.raises(DefinitionError, match=r"^mart recent depends on as_of in another way"):
            canon.refuse_other_sql("recent", query, december, sources)


def test_a_check_that_depends_on_the_date_in_another_way_is_refused(write_package: Write) -> None:
    canon = edited(write_package, "lengths", "as_of.minus(days=365)", "str(as_of.day)[:7] + '-01'")
    with pytest.raises(DefinitionError, match=r"^check no_stale of lengths depends on as_of"):
        canon.of("lengths")


def test_worlds_without_optional_sources_are_among_those_that_are_tried() -> None:
    engine = worlds_on_duckdb()
    try:
        worlds = worlds_of(WorldBuilder(SHOP, engine), ())
    finally:
        engine.close()
    tried = {case_of(SHOP, "customer_totals", world.tables) for world in worlds if world.rows}
    assert tried == {"", "without reviews"}
    assert {case_of(SHOP, "int_paid_orders", world.tables) for world in worlds} == {""}
