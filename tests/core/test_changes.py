"""Nothing twice: what is up to date is not built, and skipping it gives the same tables."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory

import ibis
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marts import Table
from marts.core.changes import MadeBy, Origin, code_version, origins_of, plan_changes, sql_versions
from marts.core.graph import Graph
from marts.core.model import FixedAsOf, Mart
from marts.core.runner import Report, run, survey
from workshop import AS_OF, CUSTOMERS, ORDERS, SHOP, Observed, Row, Workshop, customer, order

PAID, TOTALS, MODELS, OVERVIEW = SHOP.order


@dataclass
class Updates:
    """A shop that is brought up to date, run after run."""

    shop: Workshop
    runs: int = 0
    code: str = "first"
    reasons: dict[str, str] = field(default_factory=dict)

    def update(
        self, *, as_of: datetime.date = AS_OF, selected: tuple[str, ...] = (), force: bool = False
    ) -> Report:
        """Build what is not up to date; remember why."""
        graph, chosen = self.shop.graph, selected or self.shop.graph.order
        self.runs += 1
        with self.shop.backend() as backend:
            facts = survey(graph, chosen, backend)
            made_by = MadeBy(self.code, backend.compile)
            plan = plan_changes(graph, chosen, facts, FixedAsOf(as_of), made_by, force=force)
            self.reasons = dict(plan.reasons)
            run_id = f"run {self.runs}"
            origins = origins_of(graph, plan, facts, made_by, run_id=run_id)
            return run(plan, backend, run_id=run_id, observer=Observed(), origins=origins)


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


def test_the_order_of_checks_is_no_change(shop: Workshop) -> None:
    plan = shop.plan(*SHOP.order)
    backwards = replace(plan, steps=tuple(reversed(plan.steps)))
    with shop.backend() as backend:
        assert sql_versions(plan, backend.compile) == sql_versions(backwards, backend.compile)


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


def test_other_code_of_the_same_sql_rebuilds_nothing(updates: Updates) -> None:
    updates.code = "second"
    assert updates.update().status == "unchanged"


def test_an_edited_mart_rebuilds_it_and_its_readers(updates: Updates) -> None:
    updates.code = "second"
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
    updates.code = "second"
    updates.shop = replace(updates.shop, graph=edited(SHOP, TOTALS, edit))
    updates.update()
    assert updates.reasons[TOTALS] == "code changed"


def test_a_mart_built_alone_makes_its_readers_stale(updates: Updates) -> None:
    updates.update(selected=(PAID,), force=True)
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


@pytest.mark.parametrize("text", [None, "", "{}", "[]", '{"code": "1"}', "none"])
def test_an_origin_that_cannot_be_read_is_none(text: str | None) -> None:
    assert Origin.from_text(text) is None


def test_an_origin_comes_back_from_its_text() -> None:
    origin = Origin("c", "s", {"orders": "1"}, {PAID: "run"})
    assert Origin.from_text(origin.to_text()) == origin


def test_the_code_of_a_package_changes_with_its_files(
    write_package: Callable[..., str], tmp_path: Path
) -> None:
    package = write_package(sales="LIMIT = 1")
    __import__(f"{package}.sales")
    before = code_version(package)
    assert code_version(package) == before
    (tmp_path / package / "sales.py").write_text("LIMIT = 2", "utf-8")
    assert code_version(package) != before


# Whatever happens to data, date and code: skipping gives what building from nothing gives.

Change = Callable[[Updates, list[Row]], None]


def append(_: Updates, orders: list[Row]) -> None:
    orders.append(order(f"n{len(orders)}", "c2", "12.34"))


def correct(_: Updates, orders: list[Row]) -> None:
    orders[0] = {**orders[0], "amount": Decimal(str(orders[0]["amount"])) + 1}


def delete(_: Updates, orders: list[Row]) -> None:
    if len(orders) > 2:
        orders.pop()


def edit_totals(updates: Updates, _: list[Row]) -> None:
    updates.code += "!"
    updates.shop = replace(updates.shop, graph=edited(updates.shop.graph, TOTALS, all_gold))


def undo_edits(updates: Updates, _: list[Row]) -> None:
    updates.code += "?"
    updates.shop = replace(updates.shop, graph=SHOP)


def add_a_customer(updates: Updates, orders: list[Row]) -> None:
    updates.shop.write(customers=[*CUSTOMERS, customer(f"c{len(orders) + 10}")])


def build_one_alone(updates: Updates, _: list[Row]) -> None:
    updates.update(selected=(PAID,))


CHANGES: tuple[Change, ...] = (
    append,
    correct,
    delete,
    edit_totals,
    undo_edits,
    add_a_customer,
    build_one_alone,
)


@settings(max_examples=10)
@given(
    steps=st.lists(
        st.tuples(st.lists(st.sampled_from(CHANGES), max_size=2), st.integers(0, 2)),
        min_size=1,
        max_size=4,
    )
)
def test_skipping_gives_what_building_from_nothing_gives(
    steps: list[tuple[list[Change], int]],
) -> None:
    with TemporaryDirectory() as here, TemporaryDirectory() as there:
        updates, orders = Updates(Workshop(Path(here), SHOP)), list(ORDERS)
        updates.shop.write(customers=CUSTOMERS, orders=orders)
        Path(there, "data").symlink_to(updates.shop.data)
        for changes, later in steps:
            before = list(orders)
            for change in changes:
                change(updates, orders)
            if orders != before:
                updates.shop.write(orders=orders)
            as_of = AS_OF + datetime.timedelta(days=later)
            assert updates.update(as_of=as_of).status in ("published", "unchanged")
            from_nothing = Workshop(Path(there), updates.shop.graph)
            from_nothing.database.unlink(missing_ok=True)
            assert from_nothing.run(as_of=as_of).status == "published"
            assert updates.shop.published() == from_nothing.published()
