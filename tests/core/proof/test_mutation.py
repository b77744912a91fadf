"""Mutants of the bicycle shop: what kills one depends on the rows that it runs on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import ibis
import pytest

from marts import Table, float64, int64, mart, money, string
from marts.core.authoring.expressions import FixedAsOf
from marts.core.errors import EngineError, MartsError, SourceError
from marts.core.plan.steps import Build
from marts.core.proof.mutants import Mutant
from marts.core.proof.mutation import MutantResult, MutationRun, rebuilt_and_observed, run_mutants
from marts.core.query.difference import difference
from support.workshop import AS_OF, ORDERS, SHOP, Workshop, order, project_of, shop_in
from toy_shop.intermediate.int_paid_orders import int_paid_orders
from toy_shop.sources import customers, orders


def run(shop: Workshop, name: str) -> MutationRun:
    with shop.backend() as backend:
        return run_mutants(shop.graph, shop.graph.project.marts[name], backend, FixedAsOf(AS_OF))


def of(done: MutationRun, operator: str, before: str, after: str) -> MutantResult:
    """Return the result of one mutant."""
    key = (operator, before, after)
    (found,) = [
        result
        for result in done.results
        if (result.mutant.operator, result.mutant.before, result.mutant.after) == key
    ]
    return found


BOUND = ("comparison", "spend >= 1000", "spend > 1000")


@pytest.fixture
def shop(tmp_path: Path) -> Workshop:
    return shop_in(tmp_path)


def test_a_gap_in_the_data_lets_a_mutant_survive_and_a_richer_row_kills_it(shop: Workshop) -> None:
    assert of(run(shop, "customer_totals"), *BOUND).killed_by is None
    shop.write(orders=[*ORDERS, order("edge", "c3", "1000.00")])
    result = of(run(shop, "customer_totals"), *BOUND)
    assert result.killed_by == "rows"
    assert result.evidence == "customer_totals, c3: tier: gold → plain"


@pytest.mark.parametrize(
    ("personal", "evidence"),
    [
        ({"customer_id"}, "customer_totals, ***: tier: gold → plain"),
        ({"tier"}, "customer_totals, c3: ***"),
        ({"customer_id", "tier"}, "customer_totals, ***: ***"),
    ],
)
def test_the_evidence_of_a_mutant_has_masks(
    shop: Workshop, personal: set[str], evidence: str
) -> None:
    mart = SHOP.project.marts["customer_totals"]
    columns = tuple(
        replace(column, personal="name") if column.name in personal else column
        for column in mart.columns
    )
    marts = {**SHOP.project.marts, mart.name: replace(mart, columns=columns)}
    graph = replace(SHOP, project=replace(SHOP.project, marts=marts))
    shop.write(orders=[*ORDERS, order("edge", "c3", "1000.00")])
    assert of(run(replace(shop, graph=graph), mart.name), *BOUND).evidence == evidence


def test_a_key_that_is_there_twice_is_masked(shop: Workshop) -> None:
    @mart(grain="customer_id", columns=[string("customer_id", personal="name")])
    def buyers(orders: Table) -> Table:
        """A customer for each order."""
        return orders

    with pytest.raises(MartsError) as refused:
        run(Workshop(shop.folder, project_of(orders, customers, buyers)), "buyers")
    assert any(fact.startswith("customer_id = ***: ") for fact in refused.value.facts)


def test_rows_that_are_lost_or_multiplied_are_counted(shop: Workshop) -> None:
    lost = of(
        run(shop, "customer_totals"),
        *("condition dropped", "filter(active)", "every row"),
    )
    assert (lost.killed_by, lost.evidence) == ("rows", "customer_totals: 3 rows → 4")


def test_an_internal_mart_is_seen_in_the_nearest_public_ones(shop: Workshop) -> None:
    done = run(shop, "int_paid_orders")
    paid = of(done, "label", "status == 'paid'", "status == 'paid?'")
    assert paid.killed_by == "rows"
    assert paid.evidence.startswith("customer_totals, c")
    # Only the sales of models show the name of something that is not a model.
    parts = of(done, "fallback removed", "coalesce(model, 'parts')", "model")
    assert parts.killed_by == "rows"
    assert parts.evidence.startswith("model_sales, 2025-02-01, ")


@mart(grain="customer_id", columns=[string("customer_id"), float64("amount")])
def averaged(orders: Table) -> Table:
    """The average amount of a customer."""
    mean = orders.amount.cast("float64").mean()
    return orders.group_by("customer_id").aggregate(amount=mean)


def test_the_linter_notices_what_rows_do_not_show(shop: Workshop) -> None:
    shop.write(orders=ORDERS[:1])
    done = run(Workshop(shop.folder, project_of(orders, customers, averaged)), "averaged")
    cast = of(done, "cast dropped", "mean(cast(amount, float64))", "mean(amount)")
    assert (cast.killed_by, cast.evidence) == ("compile", "statistic")
    assert {result.killed_by for result in done.results} == {"compile", None}


@mart(grain="order_id", columns=[string("order_id"), float64("root"), string("size")])
def rooted(orders: Table) -> Table:
    """The root of an amount above 100, and whether it is large."""
    root = (orders.amount.cast("float64") - 100).sqrt()
    large = orders.filter(orders.amount >= 100).mutate(root=root)
    return large.mutate(size=(large.root > 5).ifelse("large", "small"))


def test_a_mutant_that_the_engine_refuses_is_noticed_and_the_next_ones_are_tried(
    shop: Workshop,
) -> None:
    done = run(Workshop(shop.folder, project_of(orders, customers, rooted)), "rooted")
    refused = [result for result in done.results if result.killed_by == "engine"]
    assert [result.mutant.operator for result in refused] == ["operands exchanged"]
    assert "DuckDB could not query rooted" in refused[0].evidence
    # All those behind are seen by rows, or would not be but for a bound that no order meets.
    assert of(done, "label", "'large' if root > 5", "'large?' if root > 5").killed_by == "rows"
    assert of(done, "comparison", "root > 5", "root >= 5").killed_by is None


@mart(grain="order_id", columns=[string("order_id"), money("amount")])
def int_large(int_paid_orders: Table) -> Table:
    """Large orders."""
    return int_paid_orders.filter(int_paid_orders.amount > 50)


@mart(grain="customer_id", columns=[string("customer_id"), money("most")])
def largest(int_large: Table, orders: Table) -> Table:
    """The largest order of each customer."""
    t = int_large.join(orders.select("order_id", "customer_id"), "order_id")
    return t.group_by("customer_id").aggregate(most=t.amount.max())


@mart(grain="order_id", columns=[string("order_id")])
def int_unread(orders: Table) -> Table:
    """Orders that nobody reads."""
    return orders.filter(orders.status == "cancelled")


CHAIN = project_of(*SHOP.project.sources.values(), int_paid_orders, int_large, largest, int_unread)


def test_internal_marts_between_are_rebuilt(shop: Workshop) -> None:
    assert rebuilt_and_observed(CHAIN, int_paid_orders) == (("int_large",), ("largest",))
    assert rebuilt_and_observed(CHAIN, int_large) == ((), ("largest",))
    assert rebuilt_and_observed(CHAIN, largest) == ((), ("largest",))
    done = run(Workshop(shop.folder, CHAIN), "int_paid_orders")
    status = of(done, "condition dropped", "filter(status == 'paid')", "every row")
    assert (status.killed_by, status.evidence) == ("rows", "largest, c2: missing on the left")
    # Nothing downstream reads the model.
    assert of(done, "fallback removed", "coalesce(model, 'parts')", "model").killed_by is None


def test_an_internal_mart_that_nobody_reads_is_seen_in_itself(shop: Workshop) -> None:
    assert rebuilt_and_observed(CHAIN, int_unread) == ((), ("int_unread",))
    done = run(Workshop(shop.folder, CHAIN), "int_unread")
    assert {result.killed_by for result in done.results} == {"rows"}


def test_the_order_that_a_limit_relies_on_is_kept(shop: Workshop) -> None:
    shop.write(orders=[*ORDERS, order("o9", "c3", "5000.00")])
    done = run(shop, "shop_overview")
    turned = of(
        done, "order reversed", "order by spend desc, customer_id", "order by spend, customer_id"
    )
    assert turned.killed_by == "rows"
    # Of several best customers the contract lets one row through.
    assert of(done, "literal", "limit 1", "limit 2").evidence == "shop_overview: 1 rows → 2"


def is_seen(shop: Workshop, mutant: Mutant) -> bool:
    """Build a mutant as a whole, and tell whether the engine refuses it or its rows are others."""
    plan = shop.plan(f"+{mutant.mart.name}")
    name = f"{mutant.mart.name}_whole"
    whole = ibis.table(mutant.query.schema(), name=name)
    differing = difference(plan.tables[mutant.mart.name], whole, mutant.mart.grain)
    words: dict[str, Any] = {"kind": "table", "comment": "", "column_comments": {}}
    with shop.backend() as backend:
        backend.begin("run")
        try:
            for step in plan.steps:
                if isinstance(step, Build):
                    backend.build(step.mart.name, step.query, **words)
            backend.build(name, mutant.query, **words)
            return bool(backend.fetch(differing, about=name))
        except EngineError:
            return True
        finally:
            backend.discard()


@pytest.mark.parametrize("name", ["customer_totals", "model_sales", "shop_overview"])
def test_what_is_seen_of_a_part_is_what_is_seen_of_the_whole(name: str, shop: Workshop) -> None:
    for result in run(shop, name).results:
        assert (result.killed_by in ("rows", "engine")) == is_seen(shop, result.mutant), result


def test_nothing_is_published(shop: Workshop) -> None:
    shop.run()
    before = shop.published()
    run(shop, "customer_totals")
    assert shop.published() == before


def test_it_tells_of_each_mutant_before_it_is_tried_and_may_be_stopped(shop: Workshop) -> None:
    told: list[tuple[str, int, int]] = []

    def watch(mutant: Mutant, number: int, total: int) -> None:
        told.append((mutant.mart.name, number, total))
        if number == 2:
            raise KeyboardInterrupt

    shop.run()
    before = shop.published()
    totals = shop.graph.project.marts["customer_totals"]
    with shop.backend() as backend, pytest.raises(KeyboardInterrupt):
        run_mutants(shop.graph, totals, backend, FixedAsOf(AS_OF), watch=watch)
    assert [number for _, number, _ in told] == [0, 1, 2]
    assert {(name, total) for name, _, total in told} == {("customer_totals", told[0][2])}
    assert shop.published() == before


def test_an_unfit_source_raises_before_anything_is_built(shop: Workshop) -> None:
    (shop.data / "orders.parquet").unlink()
    with pytest.raises(SourceError, match="orders: found no such table"):
        run(shop, "model_sales")


@mart(grain="order_id", columns=[string("order_id"), int64("number")])
def broken(orders: Table) -> Table:
    """No number at all."""
    return orders.mutate(number=orders.order_id.cast("int64"))


def test_an_original_that_the_engine_refuses_raises(shop: Workshop) -> None:
    with pytest.raises(EngineError, match="could not build broken"):
        run(Workshop(shop.folder, project_of(orders, customers, broken)), "broken")
