"""Nothing twice: what is up to date is not built, and skipping it gives the same tables."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import ibis
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backends.duckdb import DuckDBBackend
from marts import Table, int64, mart, relationship
from marts.core.authoring.expressions import FixedAsOf
from marts.core.authoring.tables import Mart
from marts.core.errors import UsageError
from marts.core.plan.changes import plan_changes
from marts.core.plan.fingerprint import CurrentInputs, Fingerprint
from marts.core.plan.steps import SkippedCheck
from marts.core.project.graph import Graph, link
from marts.core.run.inspection import inspect_engine
from marts.core.run.report import Report
from marts.core.run.runner import run
from support.workshop import (
    AS_OF,
    CUSTOMERS,
    ORDERS,
    SHOP,
    Observed,
    Row,
    Workshop,
    customer,
    order,
    project_of,
)

PAID, TOTALS, MODELS, OVERVIEW = SHOP.order
ORDER_COLUMNS = SHOP.project.sources["orders"].columns


@dataclass
class Updates:
    """A shop that is brought up to date, run after run."""

    shop: Workshop
    runs: int = 0
    reasons: dict[str, str] = field(default_factory=dict)

    def update(
        self,
        *,
        as_of: datetime.date = AS_OF,
        selected: Collection[str] = (),
        checks_sources: bool = True,
        through: Callable[[DuckDBBackend], Any] = lambda backend: backend,
        **options: Any,
    ) -> Report:
        """Build what is not up to date; remember why."""
        graph = self.shop.graph
        chosen = tuple(name for name in graph.order if name in (selected or graph.order))
        self.runs += 1
        with self.shop.backend() as backend:
            state = inspect_engine(graph, chosen, backend)
            current = CurrentInputs(
                graph, state, FixedAsOf(as_of), backend.compile, checks_sources=checks_sources
            )
            run_id = f"run {self.runs}"
            plan = plan_changes(graph, chosen, current, run_id=run_id, **options)
            self.reasons = dict(plan.reasons)
            return run(plan, through(backend), run_id=run_id, observer=Observed())


@pytest.fixture
def updates(shop: Workshop) -> Updates:
    found = Updates(shop)
    assert found.update().status == "published"
    assert found.reasons == dict.fromkeys(SHOP.order, "not published")
    return found


def edited(graph: Graph, name: str, edit: Callable[[Mart], Mart]) -> Graph:
    """Return the graph with another definition of a mart."""
    marts = graph.project.marts | {name: edit(graph.project.marts[name])}
    return replace(graph, project=replace(graph.project, marts=marts))


def all_gold(mart: Mart) -> Mart:
    """Return the mart of totals with every customer in one tier."""

    def define(*inputs: Table) -> Table:
        return mart.define(*inputs).mutate(tier=ibis.literal("gold"))

    return replace(mart, define=define)


def test_a_second_run_has_nothing_to_do(updates: Updates) -> None:
    before = updates.shop.published()
    report = updates.update()
    assert (report.status, updates.reasons) == ("unchanged", {})
    assert report.unchanged == SHOP.order
    assert report.tables == ()
    assert updates.shop.published() == before


def test_force_builds_all_the_same(updates: Updates) -> None:
    assert updates.update(force=True).status == "published"
    assert updates.reasons == dict.fromkeys(SHOP.order, "forced")


def test_a_changed_source_rebuilds_what_reads_it(updates: Updates) -> None:
    updates.shop.write(orders=[*ORDERS, order("new", "c3", "3.00")])
    updates.update()
    assert updates.reasons == {
        PAID: "source orders changed",
        TOTALS: f"{PAID} changed",
        MODELS: f"{PAID} changed",
        OVERVIEW: f"{TOTALS} changed",
    }


def test_a_source_that_appears_or_goes_is_a_change(updates: Updates) -> None:
    updates.shop.write(reviews=[{"customer_id": "c1", "stars": 5.0}])
    updates.update()
    assert "source reviews changed" in updates.reasons.values()
    (updates.shop.data / "reviews.parquet").unlink()
    updates.update()
    assert "source reviews changed" in updates.reasons.values()


def test_the_same_bytes_written_again_are_built_again(updates: Updates) -> None:
    updates.shop.write(orders=ORDERS)
    updates.update()
    assert updates.reasons[PAID] == "source orders changed"


def test_another_day_rebuilds_all(updates: Updates) -> None:
    updates.update(as_of=AS_OF + datetime.timedelta(days=1))
    assert updates.reasons == dict.fromkeys(SHOP.order, f"as of {AS_OF} before")


def test_an_edited_mart_rebuilds_it_and_its_readers(updates: Updates) -> None:
    updates.shop = replace(updates.shop, graph=edited(SHOP, TOTALS, all_gold))
    updates.update()
    assert updates.reasons[TOTALS] == "code changed"
    assert updates.reasons[OVERVIEW] == f"{TOTALS} changed"
    assert PAID not in updates.reasons
    assert MODELS not in updates.reasons


@pytest.mark.parametrize(
    "edit",
    [
        lambda mart: replace(mart, comment="In other words."),
        lambda mart: replace(mart, checks=mart.checks[1:]),
        lambda mart: replace(mart, checks=(replace(mart.checks[0], threshold=7), *mart.checks[1:])),
    ],
    ids=["comment", "a check less", "a threshold"],
)
def test_whatever_a_mart_declares_counts_as_code(
    updates: Updates, edit: Callable[[Mart], Mart]
) -> None:
    updates.shop = replace(updates.shop, graph=edited(SHOP, TOTALS, edit))
    updates.update()
    assert updates.reasons[TOTALS] == "code changed"


def test_a_mart_built_alone_makes_its_readers_stale(updates: Updates) -> None:
    updates.update(selected=(PAID, MODELS), force=True)
    updates.update()
    assert updates.reasons[TOTALS] == f"{PAID} changed"
    assert PAID not in updates.reasons


def test_a_run_that_fails_records_nothing(updates: Updates) -> None:
    updates.shop.write(orders=[*ORDERS, order("o1", "c3", "3.00")])
    assert updates.update().status == "failed"
    assert updates.update().status == "failed"


def test_a_dropped_table_is_built_again(updates: Updates) -> None:
    with updates.shop.backend() as backend:
        backend._connection.execute(f"DROP TABLE gold.{MODELS}")
    updates.update()
    assert updates.reasons == {MODELS: "not published", OVERVIEW: f"{MODELS} changed"}


@pytest.mark.parametrize("text", [None, "", "{}", "[]", '{"sql": "1"}', "none"])
def test_an_origin_that_cannot_be_read_is_none(text: str | None) -> None:
    assert Fingerprint.from_text(text) is None


def test_an_origin_comes_back_from_its_text() -> None:
    origin = Fingerprint("s", {"orders": "1"}, {PAID: "run"})
    assert Fingerprint.from_text(origin.to_text()) == origin


def test_a_source_that_is_read_otherwise_is_a_change(updates: Updates) -> None:
    sources = dict(SHOP.project.sources)
    wider = tuple(replace(c, at_most=10**9) if c.name == "amount" else c for c in ORDER_COLUMNS)
    sources["orders"] = replace(sources["orders"], columns=wider)
    graph = replace(SHOP, project=replace(SHOP.project, sources=sources))
    updates.shop = replace(updates.shop, graph=graph)
    updates.update()
    assert updates.reasons[PAID] == "code changed"


# What is not selected is read as published, if it is up to date.


def test_a_mart_that_is_not_selected_must_be_of_the_same_data(updates: Updates) -> None:
    updates.shop.write(orders=[*ORDERS, order("new", "c3", "3.00")])
    before = updates.shop.published()
    with pytest.raises(UsageError) as caught:
        updates.update(selected=[OVERVIEW])
    assert str(caught.value).splitlines() == [
        "the selection reads marts that are published, but not up to date",
        f"  {OVERVIEW} reads {TOTALS}: {PAID} changed",
        f"  {OVERVIEW} reads {MODELS}: {PAID} changed",
        f"  {TOTALS} reads {PAID}: source orders changed",
        f"hint: build them together: marts run -s {PAID} -s {TOTALS} -s {MODELS} -s {OVERVIEW}",
    ]
    assert updates.shop.published() == before
    together = (PAID, TOTALS, MODELS, OVERVIEW)
    assert updates.update(selected=together).status == "published"


def test_a_mart_that_is_not_selected_must_be_made_from_checked_sources(updates: Updates) -> None:
    updates.update(as_of=AS_OF + datetime.timedelta(days=1), checks_sources=False)
    with pytest.raises(UsageError, match=f"{PAID}: its sources were not checked"):
        updates.update(as_of=AS_OF + datetime.timedelta(days=1), selected=[TOTALS])
    assert (
        updates.update(as_of=AS_OF + datetime.timedelta(days=1), checks_sources=False).status
        == "unchanged"
    )
    updates.update(as_of=AS_OF + datetime.timedelta(days=1))
    assert set(updates.reasons.values()) == {"its sources were not checked"}


def test_a_mart_that_is_not_selected_must_be_of_the_same_code(updates: Updates) -> None:
    updates.shop = replace(updates.shop, graph=edited(SHOP, TOTALS, all_gold))
    with pytest.raises(UsageError, match=f"{OVERVIEW} reads {TOTALS}: code changed"):
        updates.update(selected=[OVERVIEW], force=True)


def test_a_check_reads_nothing_that_is_not_up_to_date(updates: Updates) -> None:
    # The overview's check reads the totals, and would compare the new ones with an old overview.
    updates.shop = replace(updates.shop, graph=edited(SHOP, TOTALS, all_gold))
    report = updates.update(selected=[TOTALS])
    assert report.status == "published"
    assert report.skipped == (
        SkippedCheck(OVERVIEW, "best_customer_in_customer_totals", (OVERVIEW,)),
    )

    def with_a_check(mart: Mart) -> Mart:
        check = relationship("model", to="customer_totals.name")
        return replace(mart, checks=(*mart.checks, check))

    updates.shop.write(orders=[*ORDERS, order("new", "c3", "3.00")])
    updates.shop = replace(updates.shop, graph=edited(updates.shop.graph, MODELS, with_a_check))
    fact = f"the check {MODELS}.model_in_customer_totals reads {TOTALS}: {PAID} changed"
    with pytest.raises(UsageError, match=fact) as caught:
        updates.update(selected=[PAID, MODELS])
    assert f"marts run -s {PAID} -s {TOTALS} -s {MODELS}" in str(caught.value)


def as_table(mart: Mart) -> Mart:
    return replace(mart, materialized="table")


def as_view(mart: Mart) -> Mart:
    return replace(mart, materialized="view")


def as_temporary(mart: Mart) -> Mart:
    return replace(mart, materialized="temporary")


PAID_IS_A_TABLE = edited(edited(SHOP, PAID, as_table), MODELS, as_view)
PAID_IS_TEMPORARY = edited(SHOP, PAID, as_temporary)


def test_a_view_is_checked_with_the_table_behind_it(shop: Workshop) -> None:
    updates = Updates(replace(shop, graph=PAID_IS_A_TABLE))
    updates.update()
    before = shop.published()
    # A day of two models' sales in one row: the view's grain is not unique any more.
    updates.shop.write(orders=[*ORDERS, order("o9", "c1", "-5000.00")])
    report = updates.update(selected=[PAID, TOTALS, OVERVIEW])
    assert updates.reasons[MODELS] == f"{PAID} changed"
    assert report.status == "failed"
    assert f"{MODELS}.some_revenue" in [
        f"{t.table.name}.{c.check.name}" for t, c in report.failures
    ]
    assert shop.published() == before


def test_a_temporary_mart_is_built_with_its_readers_and_gone_after_them(shop: Workshop) -> None:
    updates = Updates(replace(shop, graph=PAID_IS_TEMPORARY))
    report = updates.update()
    assert [t.table.name for t in report.tables if t.sql] == [PAID, TOTALS, MODELS, OVERVIEW]
    assert set(shop.published()) == {TOTALS, MODELS, OVERVIEW}
    assert updates.update().status == "unchanged"
    report = updates.update(selected=[MODELS], force=True)
    assert [t.table.name for t in report.tables if t.sql] == [PAID, MODELS]
    report = updates.update(selected=[PAID])
    assert (report.status, [t.table.name for t in report.tables]) == ("checked", [PAID])
    assert set(shop.published()) == {TOTALS, MODELS, OVERVIEW}


def test_a_change_of_what_a_temporary_mart_reads_or_says_is_one_of_its_readers(
    shop: Workshop,
) -> None:
    updates = Updates(replace(shop, graph=PAID_IS_TEMPORARY))
    updates.update()
    updates.shop.write(orders=[*ORDERS, order("new", "c3", "3.00")])
    updates.update()
    assert updates.reasons[MODELS] == updates.reasons[TOTALS] == "source orders changed"

    def fewer(mart: Mart) -> Mart:
        return replace(
            mart, define=lambda *inputs: mart.define(*inputs).filter(lambda t: t.amount > 50)
        )

    updates.shop = replace(updates.shop, graph=edited(PAID_IS_TEMPORARY, PAID, fewer))
    updates.update()
    assert updates.reasons[MODELS] == updates.reasons[TOTALS] == "code changed"


def test_a_published_mart_that_becomes_temporary_is_dropped(updates: Updates) -> None:
    updates.shop = replace(updates.shop, graph=PAID_IS_TEMPORARY)
    updates.update()
    assert set(updates.shop.published()) == {TOTALS, MODELS, OVERVIEW}


# What a package made is recorded, and nothing else is replaced or dropped.


def test_a_table_that_is_not_recorded_is_never_replaced(shop: Workshop) -> None:
    updates = Updates(shop)
    with shop.backend() as backend:
        backend._connection.execute("CREATE SCHEMA gold; CREATE TABLE gold.model_sales AS SELECT 1")
    with pytest.raises(UsageError, match="model_sales: not made by toy_shop") as caught:
        updates.update()
    assert "--adopt model_sales" in str(caught.value)
    assert shop.published() == {"model_sales": [(1,)]}
    assert updates.update(adopt=["model_sales"]).status == "published"
    assert updates.update().status == "unchanged"


def test_two_packages_share_a_schema_and_keep_off_each_others_tables(updates: Updates) -> None:
    orders = replace(SHOP.project.sources["orders"], checks=())

    @mart(grain="n", columns=[int64("n")])
    def order_count(orders: Table) -> Table:
        """Orders."""
        return orders.aggregate(n=orders.count())

    @mart(grain="n", columns=[int64("n")])
    def model_sales(orders: Table) -> Table:
        """Orders."""
        return orders.aggregate(n=orders.count())

    before = updates.shop.published()
    other = Updates(replace(updates.shop, graph=project_of(orders, order_count)))
    assert other.update().status == "published"
    assert updates.update().status == "unchanged"
    assert updates.shop.published() == {**before, "order_count": [(len(ORDERS),)]}
    rival = Updates(replace(updates.shop, graph=project_of(orders, model_sales)))
    with pytest.raises(UsageError, match="model_sales was made by the package toy_shop"):
        rival.update()
    assert rival.update(adopt=["model_sales"]).status == "published"
    with pytest.raises(UsageError, match="model_sales was made by the package toy"):
        updates.update(force=True)


def test_a_mart_that_no_longer_exists_is_named_and_dropped_on_request(updates: Updates) -> None:
    less = {name: mart for name, mart in SHOP.project.marts.items() if name != OVERVIEW}
    updates.shop = replace(updates.shop, graph=link(replace(SHOP.project, marts=less)))
    assert updates.update().status == "unchanged"
    assert OVERVIEW in updates.shop.published()
    report = updates.update(drop_orphans=True)
    assert report.status == "published"
    assert set(updates.shop.published()) == {PAID, TOTALS, MODELS}


def test_a_lost_record_stops_the_run(updates: Updates) -> None:
    before = updates.shop.published()
    with updates.shop.backend() as backend:
        backend._connection.execute("DROP TABLE gold.marts_state")
    with pytest.raises(UsageError, match=f"{PAID}, {TOTALS}, {MODELS}, {OVERVIEW}: not made by"):
        updates.update()
    assert updates.shop.published() == before
    updates.update(adopt=SHOP.order)
    assert updates.shop.published() == before


def test_a_source_that_changes_or_goes_meanwhile_stops_the_run(shop: Workshop) -> None:
    updates = Updates(replace(shop, graph=PAID_IS_TEMPORARY))
    updates.update()
    file, before = shop.data / "orders.parquet", shop.published()
    for happen in (lambda: updates.shop.write(orders=ORDERS[:2]), file.unlink):
        for at in (1, 2, 5):
            updates.shop.write(orders=ORDERS)
            report = updates.update(force=True, through=Watched(at, happen).over)
            assert report.status == "error"
            said = str(report.error).splitlines()
            assert said[0] == "sources changed while the run read them; nothing was published"
            assert said[1].startswith(f"  source orders: {file} ")
            assert said[2] == "hint: run again"
            assert updates.shop.published() == before


def test_files_that_come_meanwhile_belong_to_the_next_run(shop: Workshop) -> None:
    (shop.data / "orders.parquet").rename(shop.data / "first.parquet")
    (shop.data / "orders").mkdir()
    (shop.data / "first.parquet").rename(shop.data / "orders/1.parquet")
    updates = Updates(shop)

    def come() -> None:
        rows = pq.read_table(shop.data / "orders/1.parquet").slice(0, 1).to_pylist()
        late = [{**rows[0], "order_id": "late"}]
        schema = pq.read_schema(shop.data / "orders/1.parquet")
        pq.write_table(pa.Table.from_pylist(late, schema), shop.data / "orders/2.parquet")

    assert updates.update(through=Watched(2, come).over).status == "published"
    before = shop.published()[TOTALS]
    assert updates.update().status == "published"
    assert updates.reasons[PAID] == "source orders changed"
    assert shop.published()[TOTALS] != before


# Whatever happens to data, date and code: what is published is right about the data it was made
# from. Runs of some marts, interrupted runs and hands in the database are part of it.

Change = Callable[["World"], None]
GRAPHS = (SHOP, PAID_IS_A_TABLE, PAID_IS_TEMPORARY)


@dataclass
class World:
    """A shop whose data, code and database change; and what readers must see of it."""

    updates: Updates
    other: Path
    orders: list[Row]
    graph: Graph = SHOP
    as_of: datetime.date = AS_OF
    must_see: dict[str, list[Any]] = field(default_factory=dict)

    def from_nothing(self) -> dict[str, list[Any]]:
        """Return what a build from nothing publishes of all that is there now."""
        workshop = Workshop(self.other, self.updates.shop.graph)
        workshop.database.unlink(missing_ok=True)
        assert workshop.run(as_of=self.as_of).status == "published"
        return workshop.published()

    def run(self, selected: Collection[str], at: int, meanwhile: Change) -> None:
        """Bring some marts up to date while something happens; see what readers see."""
        marts = self.updates.shop.graph.project.marts
        kept, fresh = self.seen(), self.from_nothing()
        watched = Watched(at, lambda: meanwhile(self))
        try:
            report = self.updates.update(as_of=self.as_of, selected=selected, through=watched.over)
        except UsageError:
            assert self.seen() == kept
            return
        seen = self.seen()
        if watched.has_happened:
            assert report.status == ("interrupted" if meanwhile is interrupt else "error")
            assert seen == kept
            return
        assert report.status in ("published", "unchanged", "checked"), report
        chosen = selected or marts.keys()
        for name, rows in seen.items():
            if name in chosen or name in self.updates.reasons:
                assert rows == fresh[name], (name, selected)
            else:
                assert rows == kept[name], (name, selected)
        expected = {name for name in chosen if not marts[name].is_temporary}
        assert expected - self.open_views() <= seen.keys()

    def seen(self) -> dict[str, list[Any]]:
        """Return what readers see of all but views of sources, which show these as they are."""
        shop = self.updates.shop
        published = shop.published() if shop.database.exists() else {}
        return {name: rows for name, rows in published.items() if name not in self.open_views()}

    def open_views(self) -> set[str]:
        """Return the views that were published over a source, by whichever code."""
        if not self.updates.shop.database.exists():
            return set()
        views = "SELECT view_name FROM duckdb_views() WHERE sql LIKE '%read_parquet%'"
        return {name for (name,) in self.updates.shop.query(views)}


@dataclass
class Watched:
    """A backend, and something that happens before the n-th thing that it does for a run."""

    at: int
    happen: Callable[[], None]
    done: int = 0

    @property
    def has_happened(self) -> bool:
        """Tell whether the run did so many things."""
        return 0 < self.at <= self.done

    def over(self, backend: DuckDBBackend) -> Watched:
        """Stand between a run and its engine."""
        self.inner = backend
        return self

    def __getattr__(self, name: str) -> Any:
        # Between the last look at the sources and publishing, nobody looks.
        if name in ("build", "fetch", "changed_sources"):
            self.done += 1
            if self.done == self.at:
                self.happen()
        return getattr(self.inner, name)


def write(world: World) -> None:
    world.updates.shop.write(orders=world.orders)


def append(world: World) -> None:
    world.orders.append(order(f"n{len(world.orders)}", "c2", "12.34"))
    write(world)


def correct(world: World) -> None:
    first = world.orders[0]
    world.orders[0] = {**first, "amount": Decimal(str(first["amount"])) + 1}
    write(world)


def delete(world: World) -> None:
    if len(world.orders) > 2:
        world.orders.pop()
    write(world)


def add_a_customer(world: World) -> None:
    number = len(world.orders) + 10
    world.updates.shop.write(customers=[*CUSTOMERS, customer(f"c{number}")])


def edit_totals(world: World) -> None:
    graph = edited(world.updates.shop.graph, TOTALS, all_gold)
    world.updates.shop = replace(world.updates.shop, graph=graph)


def use(graph: Graph) -> Change:
    def change(world: World) -> None:
        world.updates.shop = replace(world.updates.shop, graph=graph)

    return change


def interrupt(_: World) -> None:
    raise KeyboardInterrupt


def another_day(world: World) -> None:
    world.as_of += datetime.timedelta(days=1)


def by_hand(statement: str) -> Change:
    def change(world: World) -> None:
        with world.updates.shop.backend() as backend, suppress(duckdb.Error):
            backend._connection.execute(statement)

    return change


CHANGES: tuple[Change, ...] = (
    append,
    correct,
    delete,
    add_a_customer,
    edit_totals,
    *map(use, GRAPHS),
    another_day,
    by_hand(f"DELETE FROM gold.{TOTALS} WHERE customer_id = 'c1'"),
    by_hand(f"UPDATE gold.{TOTALS} SET spend = spend + 1"),
    by_hand(f"ALTER TABLE gold.{TOTALS} DROP COLUMN tier"),
    by_hand(f"DROP TABLE gold.{MODELS}"),
)
SELECTIONS = st.one_of(
    st.just(()), st.lists(st.sampled_from(SHOP.order), min_size=1, max_size=3, unique=True)
)


@settings(max_examples=15)
@given(
    steps=st.lists(
        st.tuples(
            st.lists(st.sampled_from(CHANGES), max_size=2),
            SELECTIONS,
            st.one_of(st.just(0), st.integers(1, 20)),
            st.sampled_from([interrupt, append]),
        ),
        min_size=1,
        max_size=5,
    )
)
def test_what_is_published_is_what_a_build_from_nothing_gives(
    steps: list[tuple[list[Change], list[str], int, Change]],
) -> None:
    with TemporaryDirectory() as here, TemporaryDirectory() as there:
        shop = Workshop(Path(here), SHOP)
        world = World(Updates(shop), Path(there), list(ORDERS))
        shop.write(customers=CUSTOMERS, orders=ORDERS)
        Path(there, "data").symlink_to(shop.data)
        for changes, selected, at, meanwhile in steps:
            for change in changes:
                change(world)
            world.run(selected, at, meanwhile)
        world.run((), 0, interrupt)
