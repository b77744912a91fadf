"""Runs on DuckDB: all is published or nothing is, and the report says what happened."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from marts import AsOf, Table, date, int64, mart, row_check, source, string, table_check
from marts.core.errors import EngineError, SourceError, UsageError
from marts.core.run.inspection import inspect_engine
from marts.core.run.report import Report
from marts.core.run.runner import run
from support.workshop import (
    AS_OF,
    ORDERS,
    SHOP,
    Observed,
    Row,
    Workshop,
    customer,
    order,
    project_of,
    shop_in,
)

MARTS = ("int_paid_orders", "customer_totals", "model_sales", "shop_overview")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Workshop, Report]:
    """Return the shop after a run, and the run's report; tests only look at them."""
    shop = shop_in(tmp_path_factory.mktemp("finished"))
    return shop, shop.run()


def test_a_run_publishes_what_the_marts_say(finished: tuple[Workshop, Report]) -> None:
    shop, report = finished
    assert report.status == "published"
    assert shop.published() == {
        "int_paid_orders": [
            ("o1", "c1", datetime.datetime(2025, 2, 3, 12, 30), "gravel", Decimal("1200.00")),  # noqa: DTZ001
            ("o2", "c1", datetime.datetime(2025, 2, 3, 12, 30), "gravel", Decimal("80.55")),  # noqa: DTZ001
            ("o3", "c2", datetime.datetime(2025, 2, 3, 12, 30), "parts", Decimal("45.25")),  # noqa: DTZ001
        ],
        "customer_totals": [
            (
                *("c1", "Customer c1", "Köln", 2, Decimal("1280.55"), 640.275, None),
                *(datetime.date(2025, 2, 3), "gold"),
            ),
            (
                *("c2", "Customer c2", None, 1, Decimal("45.25"), 45.25, None),
                *(datetime.date(2025, 2, 3), "plain"),
            ),
            ("c3", "Customer c3", "Köln", 0, Decimal("0.00"), None, None, None, "plain"),
        ],
        "model_sales": [
            (datetime.date(2025, 2, 1), "gravel", 2, Decimal("1280.55")),
            (datetime.date(2025, 2, 1), "parts", 1, Decimal("45.25")),
        ],
        "shop_overview": [(AS_OF, "c1", 2, Decimal("1325.80"))],
    }


def test_the_catalog_has_the_contracts_types_and_order(finished: tuple[Workshop, Report]) -> None:
    shop, _ = finished
    for name, mart_of in SHOP.project.marts.items():
        columns = [column for column, *_ in shop.query(f"DESCRIBE gold.{name}")]
        assert columns == [column.name for column in mart_of.columns]
    described = dict(row[:2] for row in shop.query("DESCRIBE gold.customer_totals"))
    assert described["spend"] == "DECIMAL(18,2)"
    assert described["orders_paid"] == "BIGINT"
    assert described["average_order"] == "DOUBLE"
    assert described["last_order_on"] == "DATE"


def test_an_optional_source_counts_once_it_is_there(shop: Workshop) -> None:
    shop.write(reviews=[{"customer_id": "c3", "stars": 4.5}])
    shop.run()
    stars = shop.query("SELECT customer_id, stars FROM gold.customer_totals ORDER BY 1")
    assert stars == [("c1", None), ("c2", None), ("c3", 4.5)]


def test_the_catalog_has_the_docstrings(finished: tuple[Workshop, Report]) -> None:
    shop, _ = finished
    tables = shop.query(
        "SELECT table_name, comment FROM duckdb_tables() WHERE schema_name = 'gold'"
        " UNION SELECT view_name, comment FROM duckdb_views() WHERE schema_name = 'gold'"
    )
    comments = {name: mart_of.comment for name, mart_of in SHOP.project.marts.items()}
    assert {name: text for name, text in tables if name in comments} == comments
    columns = shop.query(
        "SELECT column_name, comment FROM duckdb_columns() WHERE schema_name = 'gold'"
        " AND table_name = 'customer_totals' AND comment IS NOT NULL ORDER BY 1"
    )
    assert columns == [
        ("last_order_on", "day of the last paid order; null where there is none"),
        ("tier", "gold if spend >= 1000; else plain"),
    ]


def test_the_state_says_which_run_made_what_as_of_when(shop: Workshop) -> None:
    shop.run()
    earlier = datetime.date(2025, 2, 28)
    shop.run("+model_sales", as_of=earlier)
    with shop.backend(read_only=True) as backend:
        assert {row.name: row.as_of for row in backend.state()} == {
            "int_paid_orders": earlier,
            "customer_totals": AS_OF,
            "model_sales": earlier,
            "shop_overview": AS_OF,
        }
    assert shop.query("SELECT count(*), min(run_id) FROM gold.marts_state") == [(4, "run")]


def test_what_is_published_as_of_another_day_is_not_built_upon(shop: Workshop) -> None:
    shop.run()
    before = shop.published()
    with pytest.raises(UsageError, match="not selected and published as of 2025-06-30") as caught:
        shop.run("model_sales", as_of=datetime.date(2025, 2, 28))
    assert caught.value.hint == "select +model_sales, or pass --as-of 2025-06-30"
    assert shop.published() == before


def test_a_rerun_publishes_the_same(once_run: Workshop) -> None:
    once_run.run()
    before = once_run.published()
    assert once_run.run().status == "published"
    assert once_run.published() == before


def test_a_mart_that_is_not_selected_stays(shop: Workshop) -> None:
    shop.run()
    before = shop.published()
    shop.write(orders=[*ORDERS, order("new", "c3", "10.00", model="city")])
    assert shop.run("model_sales").status == "published"
    after = shop.published()
    assert len(after["model_sales"]) == len(before["model_sales"]) + 1
    for name in ("customer_totals", "shop_overview"):
        assert after[name] == before[name]


# Tables and views


BIKES = source("bikes", doc="Bikes.", grain="bike", columns=[string("bike")])
TWO: list[Row] = [{"bike": "a"}, {"bike": "b"}]


@mart(grain="bike", columns=[string("bike")])
def sold(bikes: Table) -> Table:
    """Bikes."""
    return bikes


@mart(grain="counted_on", columns=[date("counted_on"), int64("n")])
def counted(sold: Table, as_of: AsOf) -> Table:
    """How many bikes."""
    return sold.aggregate(counted_on=as_of.date, n=sold.count())


@pytest.mark.parametrize("kinds", [("table", "view", "table"), ("view", "table", "view")])
def test_a_mart_may_change_between_table_and_view(kinds: Sequence[Any], tmp_path: Path) -> None:
    for kind in kinds:
        workshop = Workshop(tmp_path, project_of(BIKES, replace(sold, materialized=kind)))
        workshop.write(bikes=TWO)
        assert workshop.run().status == "published"
        found = workshop.query(
            "SELECT table_type FROM information_schema.tables WHERE table_name = 'sold'"
        )
        assert found == [("VIEW" if kind == "view" else "BASE TABLE",)]


def test_a_view_follows_what_it_reads(tmp_path: Path) -> None:
    graph = project_of(BIKES, sold, replace(counted, materialized="view"))
    workshop = Workshop(tmp_path, graph)
    workshop.write(bikes=[{"bike": "a"}])
    workshop.run()
    workshop.write(bikes=TWO)
    assert workshop.run("sold").status == "published"
    assert workshop.published()["counted"] == [(AS_OF, 2)]


# All or nothing


class Broken:
    """A backend that raises in place of one call, after the engine has done others."""

    def __init__(self, inner: Any, method: str, about: str, error: BaseException) -> None:
        self.inner = inner
        self.error = error
        self.about = about
        self.method = method
        self.discarded = 0

    def __getattr__(self, name: str) -> Any:
        call = getattr(self.inner, name)
        if name != self.method:
            return call

        def broken(*words: Any, **named: Any) -> Any:
            if self.about in (*words, *named.values()) or name == "publish":
                raise self.error
            return call(*words, **named)

        return broken

    def discard(self, *, goes_on: bool = False) -> None:
        """Count, and pass on."""
        self.discarded += 1
        self.inner.discard(goes_on=goes_on)


def broken(method: str, about: str, error: BaseException) -> Callable[[Any], Broken]:
    """Return what breaks a backend's method when it is about a table."""
    return lambda backend: Broken(backend, method, about, error)


OTHER_DAY = datetime.date(2025, 6, 29)


@pytest.fixture
def once_run(tmp_path: Path) -> Workshop:
    """Return two marts on one bike after a run, with a second bike to come."""
    workshop = Workshop(tmp_path, project_of(BIKES, sold, counted))
    workshop.write(bikes=[{"bike": "a"}])
    assert workshop.run().status == "published"
    workshop.write(bikes=TWO)
    return workshop


def nothing_changes(shop: Workshop, attempt: Callable[[], Report]) -> Report:
    """Make an attempt that must fail; readers see what they saw, and the next run works."""
    state = "SELECT * FROM gold.marts_state ORDER BY ALL"
    before = shop.published(), shop.query(state)
    assert before[0] == {"sold": [("a",)], "counted": [(AS_OF, 1)]}
    report = attempt()
    assert (shop.published(), shop.query(state)) == before
    shop.write(bikes=TWO)
    assert shop.run().status == "published"
    assert shop.published() == {"sold": [("a",), ("b",)], "counted": [(AS_OF, 2)]}
    return report


def test_a_failed_check_publishes_nothing(once_run: Workshop) -> None:
    once_run.write(bikes=[*TWO, *TWO, {"bike": "a"}])
    report = nothing_changes(once_run, lambda: once_run.run(as_of=OTHER_DAY))
    assert (report.status, report.error) == ("failed", None)
    ((table, made),) = report.failures
    assert (table.table.name, made.check.name, made.violations) == ("sold", "bike_unique", 3)
    assert made.sample == ({"bike": "a", "rows": 3}, {"bike": "b", "rows": 2})
    # All is built and checked, so that all that fails is told at once.
    assert [table.table.name for table in report.tables] == ["sold", "counted"]


def test_an_engine_error_in_the_middle_publishes_nothing(tmp_path: Path) -> None:
    texts = source("texts", doc="T.", grain="key", columns=[string("key"), string("wheels")])

    @mart(grain="key", columns=[string("key")])
    def keys(texts: Table) -> Table:
        """Keys."""
        return texts

    @mart(grain="key", columns=[string("key"), int64("wheels")])
    def numbers(texts: Table, keys: Table) -> Table:
        """Numbers, which are texts in the source."""
        return texts.join(keys, "key").mutate(wheels=texts.wheels.cast("int64"))

    workshop = Workshop(tmp_path, project_of(texts, keys, numbers))
    workshop.write(texts=[{"key": "a", "wheels": "2"}])
    assert workshop.run().status == "published"
    before = workshop.published()
    workshop.write(texts=[{"key": "a", "wheels": "2"}, {"key": "b", "wheels": "12x"}])
    report = workshop.run()
    assert report.status == "error"
    assert isinstance(report.error, EngineError)
    assert str(report.error).startswith("DuckDB could not build numbers")
    assert "Could not convert string … to INT64" in str(report.error)
    assert "12x" not in str(report.error)
    assert workshop.published() == before
    assert [table.table.name for table in report.tables] == ["keys", "numbers"]


@pytest.mark.parametrize(
    ("method", "about"), [("build", "sold"), ("build", "counted"), ("fetch", "counted")]
)
def test_an_interrupt_publishes_nothing(method: str, about: str, once_run: Workshop) -> None:
    through = broken(method, about, KeyboardInterrupt())
    report = nothing_changes(once_run, lambda: once_run.run(as_of=OTHER_DAY, through=through))
    assert (report.status, report.error) == ("interrupted", None)


def test_an_error_while_publishing_publishes_nothing(once_run: Workshop) -> None:
    full = EngineError("the disk is full")
    through = broken("publish", "", full)
    report = nothing_changes(once_run, lambda: once_run.run(as_of=OTHER_DAY, through=through))
    assert (report.status, report.error) == ("error", full)


@pytest.mark.parametrize("method", ["build", "fetch"])
def test_a_bug_is_raised_after_the_candidates_are_dropped(method: str, once_run: Workshop) -> None:
    backends: list[Broken] = []

    def through(backend: Any) -> Broken:
        backends.append(Broken(backend, method, "counted", RuntimeError("a bug")))
        return backends[0]

    def attempt() -> Any:
        with pytest.raises(RuntimeError, match="a bug"):
            once_run.run(as_of=OTHER_DAY, through=through)

    nothing_changes(once_run, attempt)
    assert backends[0].discarded == 1


def test_a_source_that_does_not_fit_is_refused_before_anything_is_built(
    once_run: Workshop,
) -> None:
    once_run.write(bikes=[])

    def attempt() -> Any:
        with pytest.raises(SourceError, match="source bikes: the table has no rows"):
            once_run.run()

    nothing_changes(once_run, attempt)


def test_sources_that_fail_their_checks_are_not_built_upon(once_run: Workshop) -> None:
    once_run.write(bikes=[*TWO, {"bike": "a"}])
    report = nothing_changes(once_run, lambda: once_run.run(source_checks=True))
    assert report.status == "failed"
    failed = [(table.table.name, made.check.name) for table, made in report.failures]
    assert failed == [("bikes", "bike_unique")]
    assert [table.table.name for table in report.tables] == ["bikes"]


def test_the_first_run_may_fail_too(tmp_path: Path) -> None:
    workshop = Workshop(tmp_path, project_of(BIKES, sold, counted))
    workshop.write(bikes=[*TWO, *TWO])
    assert workshop.run().status == "failed"
    assert workshop.published() == {}
    workshop.write(bikes=TWO)
    assert workshop.run().status == "published"


# The report


def test_a_report_says_what_happened_to_each_table(finished: tuple[Workshop, Report]) -> None:
    _, report = finished
    assert (report.run_id, report.error, report.skipped) == ("run", None, ())
    assert report.started_at.tzinfo is datetime.UTC
    assert [table.table.name for table in report.tables] == list(MARTS)
    assert [table.rows for table in report.tables] == [3, 3, 2, 1]
    assert all(table.sql and "SELECT" in table.sql for table in report.tables)
    assert all(table.build_seconds and table.check_seconds for table in report.tables)
    spent = sum(table.build_seconds + table.check_seconds for table in report.tables)
    assert spent <= report.seconds
    assert (report.failures, report.warnings) == ([], [])


def test_the_sql_of_the_report_is_what_was_run(finished: tuple[Workshop, Report]) -> None:
    shop, report = finished
    (models,) = (table for table in report.tables if table.table.name == "model_sales")
    assert models.sql is not None
    published = shop.published()["model_sales"]
    assert sorted(shop.query(models.sql)) == published


def test_a_warning_does_not_stop_publishing(tmp_path: Path) -> None:
    odd = row_check("b_is_odd", offending=lambda t: t.bike == "b", severity="warn")
    workshop = Workshop(tmp_path, project_of(BIKES, replace(sold, checks=(odd,))))
    workshop.write(bikes=TWO)
    report = workshop.run()
    assert report.status == "published"
    assert [made.check.name for _, made in report.warnings] == ["b_is_odd"]
    assert report.warnings[0][1].sample == ({"bike": "b"},)


def test_a_mart_without_rows_passes_its_row_checks(tmp_path: Path) -> None:
    @mart(grain="bike", columns=[string("bike"), int64("n", at_least=1), date("day")])
    def none(bikes: Table) -> Table:
        """No bikes."""
        return bikes.mutate(n=bikes.bike.length(), day=bikes.bike.cast("date")).filter(
            bikes.bike == "no such"
        )

    workshop = Workshop(tmp_path, project_of(BIKES, none))
    workshop.write(bikes=[{"bike": "a"}])
    report = workshop.run()
    assert report.status == "published"
    assert report.tables[0].rows == 0
    violated = [made.check.name for made in report.tables[0].checks if made.violations]
    assert violated == ["not_empty"]
    assert report.tables[0].outcomes("warn")


def test_the_observer_is_notified_of_each_step(shop: Workshop) -> None:
    plan = shop.plan("+model_sales")
    observer = Observed()
    with shop.backend() as backend:
        run(plan, backend, run_id="r", observer=observer)
    steps = [*["int_paid_orders"] * 2, *["model_sales"] * 5]
    told = [f"{word} {name}" for name in steps for word in ("started", "finished")]
    assert observer.told == [*told, "publishing"]


def test_a_failed_run_reports_the_statements_of_its_backend_too(shop: Workshop) -> None:
    report = shop.run(through=broken("build", "model_sales", EngineError("no")))
    assert report.statements == ()
    assert [table.table.name for table in report.tables][-1] == "model_sales"
    assert report.tables[-1].checks == []


# Checks of what is published


def test_checks_alone_change_nothing_and_find_what_went_bad(shop: Workshop) -> None:
    shop.run()
    report = shop.check(*MARTS)
    assert report.status == "checked"
    assert report.tables[0].sql is None
    shop.write(customers=[customer("c1"), customer("c2"), customer("c9")])
    report = shop.check(*MARTS)
    assert report.status == "failed"
    assert {made.check.name: made.violations for _, made in report.failures} == {
        "customer_id_in_customers": 1,
        "every_active_customer": 1,
    }


def test_checks_alone_discard_nothing(shop: Workshop) -> None:
    shop.run()
    backends: list[Broken] = []

    def through(backend: Any) -> Broken:
        backends.append(Broken(backend, "fetch", "model_sales", EngineError("gone")))
        return backends[0]

    report = shop.check(*MARTS, through=through)
    assert (report.status, backends[0].discarded) == ("error", 0)


def test_checks_of_what_was_never_published_are_refused(shop: Workshop) -> None:
    with pytest.raises(UsageError, match="not published: model_sales"):
        shop.check("model_sales")


def test_a_survey_asks_only_for_what_is_needed(shop: Workshop) -> None:
    (shop.data / "customers.parquet").write_text("broken", "utf-8")
    with shop.backend() as backend:
        found = inspect_engine(SHOP, ["int_paid_orders"], backend)
        assert set(found.sources) == {"orders"}
        assert found.sources["orders"].rows == len(ORDERS)
        with pytest.raises(SourceError, match=r"customers\.parquet is not a readable Parquet file"):
            inspect_engine(SHOP, ["customer_totals"], backend)


def test_two_table_checks_of_one_mart_are_both_reported(tmp_path: Path) -> None:
    checks = (
        table_check("many", offending=lambda this: this.count() > 1),
        table_check("few", offending=lambda this: this.count() < 3),
    )
    workshop = Workshop(tmp_path, project_of(BIKES, replace(sold, checks=checks)))
    workshop.write(bikes=TWO)
    report = workshop.run()
    assert [made.check.name for _, made in report.failures] == ["many", "few"]
    assert [made.sample for _, made in report.failures] == [(), ()]
