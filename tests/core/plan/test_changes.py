"""Nothing twice: what is up to date is not built, and skipping it gives the same tables."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from ibis.backends.sql.compilers.base import SQLGlotCompiler

from backends.duckdb import DuckDBBackend
from marts import Table, int64, mart, relationship
from marts.core.authoring.tables import Mart
from marts.core.errors import UsageError
from marts.core.plan.fingerprint import Fingerprint
from marts.core.plan.steps import SkippedCheck
from marts.core.project.graph import link
from support.updates import (
    PAID_IS_A_TABLE,
    PAID_IS_TEMPORARY,
    Updates,
    Watched,
    all_gold,
    edited,
)
from support.workshop import (
    AS_OF,
    ORDERS,
    SHOP,
    Counting,
    Workshop,
    order,
    project_of,
    shop_in,
)

PAID, TOTALS, MODELS, OVERVIEW = SHOP.order
ORDER_COLUMNS = SHOP.project.sources["orders"].columns


@pytest.fixture
def updates(shop: Workshop) -> Updates:
    found = Updates(shop)
    assert found.update().status == "published"
    assert found.reasons == dict.fromkeys(SHOP.order, "not published")
    return found


def test_a_second_run_has_nothing_to_do(updates: Updates) -> None:
    before = updates.shop.published()
    report = updates.update()
    assert (report.status, updates.reasons) == ("unchanged", {})
    assert report.unchanged == SHOP.order
    assert report.tables == ()
    assert updates.shop.published() == before


@pytest.mark.parametrize("is_published", [False, True])
def test_every_mart_and_every_check_is_compiled_once_in_a_run(
    is_published: bool, shop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    updates = Updates(shop)
    if is_published:
        updates.update()
    compiled: list[Table] = []
    compile_ = SQLGlotCompiler.to_sqlglot

    def to_sqlglot(self: SQLGlotCompiler, query: Table, **words: Any) -> Any:
        compiled.append(query)
        return compile_(self, query, **words)

    monkeypatch.setattr(SQLGlotCompiler, "to_sqlglot", to_sqlglot)
    counting: list[Counting] = []

    def through(backend: DuckDBBackend) -> Counting:
        counting.append(Counting(backend))
        return counting[0]

    report = updates.update(force=True, through=through)
    assert report.status == "published"
    built = [table for table in report.tables if table.sql]
    assert len(compiled) == len(built) + len(counting[0].queries)


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
        "the selection reads published marts that are not up to date",
        f"  {OVERVIEW} reads {TOTALS}: {PAID} changed",
        f"  {OVERVIEW} reads {MODELS}: {PAID} changed",
        f"  {TOTALS} reads {PAID}: source orders changed",
        f"hint: build them together: marts run -s {PAID} -s {TOTALS} -s {MODELS} -s {OVERVIEW}",
    ]
    assert updates.shop.published() == before
    together = (PAID, TOTALS, MODELS, OVERVIEW)
    assert updates.update(selected=together).status == "published"


def test_the_command_that_builds_together_has_the_date_if_others_are_published(
    updates: Updates,
) -> None:
    day = AS_OF - datetime.timedelta(days=1)
    with pytest.raises(UsageError, match=f"reads {PAID}: as of {AS_OF} before") as caught:
        updates.update(selected=[TOTALS], as_of=day)
    hint = f"hint: build them together: marts run --as-of {day} -s {PAID} -s {TOTALS}"
    assert str(caught.value).splitlines()[-1] == hint


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


def test_a_view_is_built_over_a_mart_that_is_published(shop: Workshop, tmp_path: Path) -> None:
    updates = Updates(replace(shop, graph=PAID_IS_A_TABLE))
    updates.update(selected=[PAID])
    assert updates.update().status == "published"
    assert updates.reasons.keys() == {TOTALS, MODELS, OVERVIEW}
    (tmp_path / "other").mkdir()
    at_once = replace(shop_in(tmp_path / "other"), graph=PAID_IS_A_TABLE)
    assert at_once.run().status == "published"
    assert updates.shop.published() == at_once.published()


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
    with pytest.raises(UsageError, match="model_sales: not recorded as made by toy_shop") as caught:
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
    with pytest.raises(
        UsageError, match=f"{PAID}, {TOTALS}, {MODELS}, {OVERVIEW}: not recorded as made by"
    ):
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
