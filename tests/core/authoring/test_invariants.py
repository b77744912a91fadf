"""Invariants: how they are declared, which marts they concern, and what they refuse."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from marts import Table, date, int64, invariant, mart, money, string
from marts.core.analysis.invariant_lineage import unreached as unreached_in
from marts.core.authoring.checks import TableCheck
from marts.core.authoring.invariants import Invariant
from marts.core.authoring.tables import Mart
from marts.core.catalog.manifest import describe_mart
from marts.core.errors import DefinitionError
from marts.core.plan.planner import exempted
from marts.core.plan.steps import SkippedCheck
from marts.core.project.graph import Graph, link
from marts.core.query.invariant_checks import invariant_checks, with_invariants
from marts.core.run.report import Report
from support.workshop import CUSTOMERS, ORDERS, SHOP, Workshop, checks_by_name


@invariant(changes="orders", varies_with={"sum": 2, "count": 2})
def orders_twice(orders: Table) -> Table:
    """Each order is there a second time."""
    return orders.union(orders.mutate(order_id=orders.order_id + "-again"))


@invariant(changes="customers", adds={"customer_id": 1})
def new_customers(customers: Table) -> Table:
    """For each customer there is another one."""
    return customers.union(customers.mutate(customer_id=customers.customer_id + "-new"))


def spend(*, counted: str | tuple[str, ...] = "count") -> Mart:
    """Return a mart of the shop's customers, whose count moves by the given words."""

    @mart(
        grain="customer_id",
        columns=[
            string("customer_id"),
            money("spent"),
            int64("bought", varies_with=counted),
            date("first_order", null=True),
        ],
    )
    def spend(customers: Table, orders: Table) -> Table:
        """What customers spent."""
        t = customers.select("customer_id").left_join(orders, "customer_id")
        return t.group_by("customer_id").aggregate(
            spent=t.amount.sum().fill_null(0),
            bought=t.order_id.count(),
            first_order=t.ordered_at.min(),
        )

    return spend


def related(*invariants: Invariant, marts: tuple[Mart, ...] = ()) -> Graph:
    """Return the shop with a mart of its own and some invariants."""
    declared = {each.name: each for each in marts or (spend(),)}
    project = replace(
        SHOP.project, marts=declared, invariants={each.name: each for each in invariants}
    )
    return link(project)


def names(graph: Graph) -> list[str]:
    return [check.name for check in invariant_checks(graph, graph.project.marts["spend"])]


def test_a_mart_obeys_the_relations_of_the_sources_it_reads() -> None:
    assert names(related(orders_twice, new_customers)) == [
        "orders_twice",
        "new_customers",
        "new_customers_rows",
    ]


def test_an_invariant_of_named_marts_concerns_no_other() -> None:
    assert names(related(replace(orders_twice, marts=("spend",)))) == ["orders_twice"]

    other = replace(spend(), name="other")
    graph = related(replace(orders_twice, marts=("other",)), marts=(spend(), other))
    assert names(graph) == []


def test_intermediate_marts_obey_through_their_readers() -> None:
    inner = replace(spend(), name="int_spend")
    graph = related(orders_twice, marts=(inner,))
    assert list(invariant_checks(graph, inner)) == []


def test_a_mart_can_be_exempt_from_an_invariant_by_name() -> None:
    graph = related(orders_twice, new_customers, marts=(exempt("orders_twice"),))
    assert names(graph) == ["new_customers", "new_customers_rows"]
    (skipped,) = exempted(graph, ["spend"])
    assert skipped == SkippedCheck("spend", "orders_twice", exempt="gifts are ordered twice")
    assert describe_mart(graph.project.marts["spend"])["exempt"] == {
        "orders_twice": "gifts are ordered twice"
    }


def exempt(*invariants: str, reason: str = "gifts are ordered twice") -> Mart:
    return replace(spend(), exempt=dict.fromkeys(invariants, reason))


def test_relations_become_checks_beside_the_others() -> None:
    graph = with_invariants(related(orders_twice))
    (check,) = graph.project.marts["spend"].checks
    assert isinstance(check, TableCheck)
    assert check.name == "orders_twice"
    # Of the others, nothing is asked, so that they may be absent or wrong.
    assert set(check.inputs) == {"customers", "orders"} < set(SHOP.project.sources)


@pytest.mark.parametrize(
    ("graph", "violations"),
    [
        (related(orders_twice, new_customers), 0),
        (related(orders_twice, marts=(spend(counted=()),)), 2),
        (related(replace(orders_twice, varies_with={"sum": 3, "count": 2})), 2),
        (related(replace(orders_twice, varies_with={"sum": None, "count": 2})), 0),
        (related(orders_twice, replace(new_customers, adds={})), 4),
        (related(orders_twice, replace(new_customers, adds={("customer_id",): 2})), 1),
        (related(orders_twice, replace(new_customers, adds={("customer_id",): None})), 0),
        (related(replace(orders_twice, offending=lambda t: t.bought > 4)), 1),
    ],
    ids=[
        "both hold",
        "a word is missing",
        "a wrong factor",
        "free columns",
        "rows nobody expects",
        "too few rows",
        "any rows",
        "an offending answer",
    ],
)
def test_violations_are_the_rows_that_are_not_as_expected(
    graph: Graph, violations: int, tmp_path: Path
) -> None:
    report = checked(graph, tmp_path)
    made = checks_by_name(report, "spend")
    found = [made[check] for check in names(graph)]
    assert sum(each.violations for each in found) == violations


def test_a_sample_says_what_differs(tmp_path: Path) -> None:
    report = checked(related(orders_twice, marts=(spend(counted=()),)), tmp_path)
    sample = checks_by_name(report, "spend")["orders_twice"].sample
    assert list(sample) == [
        {"customer_id": "c1", "differs_in": "bought: 3 → 6"},
        {"customer_id": "c2", "differs_in": "bought: 2 → 4"},
    ]


def checked(graph: Graph, folder: Path) -> Report:
    """Publish the marts of the usual rows, and check them with their invariants."""
    shop = Workshop(folder, graph)
    shop.write(customers=CUSTOMERS, orders=ORDERS)
    assert shop.run().status == "published"
    return replace(shop, graph=with_invariants(graph)).check("spend")


@invariant(changes="customers")
def other_cities(customers: Table) -> Table:
    """Everybody has moved."""
    return customers.mutate(city=customers.city + "burg")


@invariant(changes="customers")
def nobody_in_a_city(customers: Table) -> Table:
    """Only those without a city are left."""
    return customers.filter(customers.city.isnull())


UNREACHED = {("spend", "other_cities")}


@pytest.mark.parametrize(
    ("declared", "unreached"),
    [
        (other_cities, UNREACHED),
        # It is about what the mart counts; or it asks for more than that nothing changes.
        (nobody_in_a_city, set[tuple[str, str]]()),
        (orders_twice, set[tuple[str, str]]()),
        (replace(other_cities, varies_with={"count": 2}), set[tuple[str, str]]()),
        (replace(other_cities, varies_with={"place": 2}), UNREACHED),
        (replace(other_cities, offending=lambda t: t.bought > 4), set[tuple[str, str]]()),
        (replace(other_cities, adds={("customer_id",): 1}), set[tuple[str, str]]()),
    ],
)
def test_an_invariant_is_not_tested_on_a_mart_that_it_does_not_reach(
    declared: Invariant, unreached: set[tuple[str, str]]
) -> None:
    words = tuple(word for word in ("count",) if word in declared.varies_with)
    graph = related(declared, marts=(spend(counted=words),))
    assert unreached_in(graph) == unreached
    made = with_invariants(graph, without=unreached).project.marts["spend"].checks
    assert (not made) == bool(unreached)
    skipped = list(exempted(graph, ["spend"], unreached))
    assert [each.check for each in skipped] == [name for _, name in unreached]


# What is refused


def refusal(*invariants: Invariant, marts: tuple[Mart, ...] = ()) -> str:
    with pytest.raises(DefinitionError) as refused:
        related(*invariants, marts=marts)
    return str(refused.value)


def test_an_invariant_of_an_unknown_source_is_refused() -> None:
    message = refusal(replace(orders_twice, source="order"))
    assert "invariant orders_twice names order, which is not a source" in message
    assert "did you mean orders?" in message


def test_an_invariant_of_an_unknown_mart_is_refused() -> None:
    message = refusal(replace(orders_twice, marts=("spent",)))
    assert "invariant orders_twice names spent, which is not a mart" in message
    assert "did you mean spend?" in message


def test_a_word_that_no_invariant_knows_is_refused() -> None:
    message = refusal(orders_twice, marts=(spend(counted="counted"),))
    assert "spend: column bought varies with 'counted', which no invariant defines" in message
    assert "did you mean count?" in message


def test_an_exemption_from_an_unknown_invariant_is_refused() -> None:
    message = refusal(orders_twice, marts=(exempt("order_twice"),))
    assert "mart spend is exempt from order_twice, which is not an invariant" in message
    assert "did you mean orders_twice?" in message


def test_an_exemption_from_an_invariant_of_other_marts_is_refused() -> None:
    of_other = replace(orders_twice, marts=("other",))
    marts = (exempt("orders_twice"), replace(spend(), name="other"))
    message = refusal(of_other, marts=marts)
    assert "mart spend is exempt from the invariant orders_twice, which does not concern" in message
    assert "hint: leave the exemption out" in message


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"orders_twice": " "}, "it is exempt from the invariant orders_twice without a reason"),
        ({"orders_twice": None}, "it is exempt from the invariant orders_twice without a reason"),
        (["orders_twice"], 'exempt is [\'orders_twice\'], not {"invariant": "reason"}'),
    ],
)
def test_an_exemption_without_a_reason_is_refused(given: Any, said: str) -> None:
    def spend(orders: Table) -> Table:
        """What customers spent."""
        return orders

    with pytest.raises(DefinitionError) as refused:
        mart(grain="customer_id", columns=[string("customer_id")], exempt=given)(spend)
    assert said in str(refused.value)


def test_a_slip_in_a_change_names_the_invariant_and_its_line(tmp_path: Path) -> None:
    @invariant(changes="orders")
    def slipped(orders: Table) -> Table:
        """Look for a column that is not there."""
        return orders.mutate(amount=orders.amonut)

    with pytest.raises(DefinitionError) as refused:
        checked(related(orders_twice, slipped), tmp_path)
    message = str(refused.value)
    assert "invariant slipped failed to build its expression" in message
    assert "test_invariants.py:" in message
    assert "did you mean amount?" in message


@pytest.mark.parametrize("slip", ["keeps", "offending"])
@pytest.mark.parametrize(
    ("function", "said"),
    [
        (lambda t: t.baught > 1, "did you mean bought?"),
        (lambda t: t.bought, "expected a boolean for each row, got int64"),
        (lambda _: True, "expected a boolean for each row, got bool"),
    ],
)
def test_a_slip_in_a_predicate_names_the_invariant_and_its_line(
    slip: str, function: Any, said: str, tmp_path: Path
) -> None:
    with pytest.raises(DefinitionError) as refused:
        checked(related(replace(orders_twice, **{slip: function})), tmp_path)
    message = str(refused.value)
    assert message.startswith("invariant orders_twice failed to build its expression")
    assert "test_invariants.py:" in message
    assert said in message


def test_an_invariant_without_a_docstring_is_refused() -> None:
    def change(orders: Table) -> Table:
        return orders

    with pytest.raises(DefinitionError, match="invariant change has no docstring"):
        invariant(changes="orders")(change)


def test_an_invariant_must_return_the_contract_of_its_source(tmp_path: Path) -> None:
    @invariant(changes="orders")
    def narrowed(orders: Table) -> Table:
        """Forget the amounts."""
        return orders.drop("amount")

    with pytest.raises(DefinitionError, match="invariant narrowed returns no column amount"):
        checked(related(orders_twice, narrowed), tmp_path)
