"""Generic worlds fit any contracts: the checks that stop a run hold, those that warn are broken."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import ibis
import pytest

from backends.factory import worlds_on_duckdb
from marts import (
    Table,
    boolean,
    date,
    decimal,
    float64,
    int64,
    mart,
    relationship,
    row_check,
    source,
    string,
    table_check,
    timestamp,
    unique,
)
from marts.core.authoring.checks import Check
from marts.core.authoring.tables import Mart, Source
from marts.core.errors import MartsError
from marts.core.project.graph import Graph
from marts.core.proof.building import WorldBuilder
from marts.core.proof.corpus import generic_worlds
from marts.core.proof.equivalent_mutants import read_equivalents
from marts.core.proof.on_world import runs_on_worlds, surviving
from marts.core.proof.source_checks import SourceChecker
from marts.core.run.world_engine import WorldEngine
from support.engines import GRAPH
from support.paths import REPOSITORY
from support.workshop import SHOP, project_of


@pytest.fixture(scope="module")
def engine() -> Iterator[WorldEngine]:
    engine = worlds_on_duckdb()
    yield engine
    engine.close()


def counted(*sources: Source) -> Graph:
    """Return a project of sources, with a mart that reads all of them."""

    def rows(**tables: Table) -> Table:
        """Count rows."""
        counts = [t.count().as_scalar().name(name) for name, t in tables.items()]
        first = next(iter(tables.values()))
        return first.aggregate(counts).mutate(one=1)

    columns = [int64("one"), *(int64(each.name) for each in sources)]
    names = [each.name for each in sources]
    text = f"lambda {', '.join(names)}: rows({', '.join(f'{n}={n}' for n in names)})"
    define: Any = eval(text, {"rows": rows})  # noqa: S307  (its parameters are the sources' names)
    define.__name__, define.__doc__ = "counted_rows", "Count rows."
    made: Mart = mart(grain="one", columns=columns)(define)
    return project_of(*sources, made)


def people(*checks: Check, **keywords: Any) -> Source:
    columns = [
        string("person"),
        string("team"),
        string("boss", null=True),
        int64("rank", at_least=1, at_most=5),
        boolean("is_current"),
        date("since"),
        decimal("pay", 8, 2, null=True),
        float64("share", at_least=0, at_most=1),
        timestamp("seen_at", null=True),
    ]
    kinds = {"grain": "person", "columns": columns, "checks": checks}
    return source("people", doc="People.", **{**kinds, **keywords})


def one_current(this: Table) -> Table:
    counts = this.group_by("team").aggregate(current=this.is_current.sum())
    return counts.filter(counts.current != 1)


ODD: dict[str, tuple[Source, ...]] = {
    "no key": (people(grain=()),),
    "a composite key": (people(grain=("team", "rank")),),
    "a flag is a key": (people(grain=("team", "is_current")),),
    "a date is a key": (people(grain="since"),),
    "a float is a key": (people(grain="share"),),
    "one current row of each team": (people(table_check("one_current", offending=one_current)),),
    "unique among the current rows": (people(unique("team", where=lambda t: t.is_current)),),
    "its own parent": (people(relationship("boss", to="people.person")),),
    "its own parent, never null": (people(relationship("team", to="people.person")),),
    "a condition on a row": (
        people(row_check("paid", offending=lambda t: t.pay.isnull() & t.is_current)),
    ),
    "a condition on a tenth of the rows": (
        people(row_check("paid", offending=lambda t: t.pay.isnull(), threshold="1%")),
    ),
    "parents of each other": (
        people(relationship("team", to="teams.team")),
        source(
            "teams",
            doc="Teams.",
            grain="team",
            columns=[string("team"), string("lead")],
            checks=[relationship("lead", to="people.person", severity="warn")],
        ),
    ),
    "few values are there": (
        source(
            "sizes",
            doc="Sizes.",
            grain="size",
            columns=[string("size", values=["S", "M", "L"]), int64("width", at_least=40)],
        ),
    ),
    "a parent of some rows": (
        people(
            relationship("team", to="teams.team", to_where=lambda t: t.is_open),
            table_check("no_strays", offending=lambda this, teams: this.anti_join(teams, "team")),
        ),
        source("teams", doc="Teams.", grain="team", columns=[string("team"), boolean("is_open")]),
    ),
}


@pytest.mark.parametrize("sources", ODD.values(), ids=ODD)
def test_the_checks_that_stop_a_run_hold(sources: tuple[Source, ...], engine: WorldEngine) -> None:
    graph = counted(*sources)
    checker = SourceChecker(WorldBuilder(graph, engine))
    worlds = generic_worlds(graph, engine)
    assert all(table.num_rows for table in worlds[0].tables.values())
    assert [checker.broken_by(world) for world in worlds] == [()] * len(worlds)


@pytest.mark.parametrize("graph", [SHOP, GRAPH], ids=["shop", "ours"])
def test_they_hold_for_whole_projects(graph: Graph, engine: WorldEngine) -> None:
    checker = SourceChecker(WorldBuilder(graph, engine))
    assert [checker.broken_by(world) for world in generic_worlds(graph, engine)] == [()] * 3


def test_equal_projects_have_equal_worlds(engine: WorldEngine) -> None:
    assert generic_worlds(SHOP, engine) == generic_worlds(SHOP, engine)


def test_what_only_warns_is_broken(engine: WorldEngine) -> None:
    tables = generic_worlds(SHOP, engine)[0].tables
    known = set(tables["customers"]["customer_id"].to_pylist())
    asked = tables["orders"]["customer_id"].to_pylist()
    assert 0 < sum(each not in known for each in asked) < len(asked) / 5
    assert 0 < len(known - set(asked)) < len(known)


def test_a_check_that_no_rows_fulfil_is_named(engine: WorldEngine) -> None:
    graph = counted(people(row_check("paid", offending=lambda t: t.rank < 6)))
    with pytest.raises(MartsError, match="no generic rows of people fulfil its check") as error:
        generic_worlds(graph, engine)
    assert "@corpus" in str(error.value)


def test_a_check_of_a_whole_source_is_named(engine: WorldEngine) -> None:
    check = table_check("many", offending=lambda this: this.count() < 10**6)
    with pytest.raises(MartsError, match="fulfil its check many"):
        generic_worlds(counted(people(check)), engine)


VISITS = source(
    "visits",
    doc="Visits.",
    grain="visit",
    columns=[
        int64("visit"),
        string("visitor"),
        string("page"),
        int64("kind"),
        decimal("price", 12, 2),
        date("began_on"),
        date("ended_on"),
    ],
)


@mart(
    grain="visitor",
    columns=[string("visitor"), int64("bought"), int64("long"), float64("mean"), string("size")],
)
def visitors(visits: Table) -> Table:
    """Visitors of some pages: texts are searched, kinds refused, rows counted by the hundred."""
    is_shop = visits.page.startswith("/shop") | (visits.page.lower() == "home")
    t = visits.filter(is_shop, visits.kind != 3)
    groups = t.group_by("visitor").aggregate(
        visits=t.count(),
        bought=t.page.contains("cart").sum(),
        long=(t.ended_on.delta(t.began_on, unit="day") >= 30).sum(),
        mean=t.price.cast("float64").mean(),
    )
    size = ibis.cases((groups.visits >= 100, "large"), (groups.mean > 250, "rich"), else_="small")
    return groups.mutate(size=size)


def test_every_mutant_of_a_mart_over_one_source_is_killed(engine: WorldEngine) -> None:
    graph = project_of(VISITS, visitors)
    *_, last = runs_on_worlds(graph, visitors, engine, generic_worlds(graph, engine))
    assert surviving(last) == []


@pytest.mark.slow
def test_they_kill_nearly_every_mutant_of_ours(engine: WorldEngine) -> None:
    """Nobody tells them about customers; only those may survive that no data kill."""
    text = (REPOSITORY / "tests/equivalent_mutants.toml").read_text("utf-8")
    listed = read_equivalents(text, location="tests/equivalent_mutants.toml")
    allowed = {(each.mart, each.operator, each.before, each.after) for each in listed}
    worlds, mutants, alive = generic_worlds(GRAPH, engine), 0, set[tuple[str, str, str, str]]()
    for name in GRAPH.order:
        first, *more = runs_on_worlds(GRAPH, GRAPH.project.marts[name], engine, worlds)
        alive |= {each.key for each in surviving([first, *more][-1])}
        mutants += len(first.results)
    assert allowed <= alive
    assert len(alive - allowed) <= mutants * 0.02, alive - allowed


@pytest.mark.parametrize("name", SHOP.order)
def test_every_mutant_of_the_shop_is_killed(name: str, engine: WorldEngine) -> None:
    worlds = generic_worlds(SHOP, engine)
    *_, last = runs_on_worlds(SHOP, SHOP.project.marts[name], engine, worlds)
    assert surviving(last) == []
