"""The graph comes from names: every one exists, none reads itself, and words select from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from itertools import pairwise

import pytest

from marts import int64, relationship, row_check, source, string, table_check, unique
from marts.core.authoring.checks import Check
from marts.core.authoring.tables import Mart
from marts.core.errors import DefinitionError, UsageError
from marts.core.project.graph import Graph
from marts.core.project.reserved import RESERVED
from marts.core.project.selection import select
from support.workshop import SHOP, project_of

ORDERS = source(
    "orders", doc="Orders.", grain="order_id", columns=[string("order_id"), int64("wheels")]
)


def mart_of(name: str, *inputs: str, checks: Sequence[Check] = ()) -> Mart:
    """Return a mart that is declared in <name>.py."""
    return Mart(
        name=name,
        comment="A mart.",
        columns=(string("order_id"),),
        grain=("order_id",),
        checks=tuple(checks),
        tags=(),
        materialized="table",
        unchecked=False,
        define=lambda *tables: tables[0],
        parameters=inputs,
        module=f"toy.{name}",
        location=f"{name}.py:1",
    )


# Links


@pytest.mark.parametrize(
    ("name", "checks"),
    [
        ("odd", [row_check("odd", offending=lambda t: t.wheels < 1)] * 2),
        ("order_id_unique", [unique("order_id")]),
        ("order_id_not_null", [row_check("order_id_not_null", offending=lambda t: t.wheels < 1)]),
    ],
)
def test_two_checks_of_one_name_are_refused(name: str, checks: list[Check]) -> None:
    with pytest.raises(DefinitionError, match=f"m has 2 checks named {name}") as caught:
        project_of(ORDERS, mart_of("m", "orders", checks=checks))
    assert caught.value.facts == ("m.py:1",)


@pytest.mark.parametrize("name", RESERVED)
def test_the_names_of_our_own_tables_are_reserved(name: str) -> None:
    its_source = source(name, doc="Ours.", grain="order_id", columns=[string("order_id")])
    for kind, table in (("mart", mart_of(name, "orders")), ("source", its_source)):
        with pytest.raises(DefinitionError, match=f"^{name} is the table that records ") as caught:
            project_of(ORDERS, table)
        assert caught.value.hint == f"give the {kind} another name"


def test_the_order_puts_every_mart_behind_what_it_reads() -> None:
    position = {name: n for n, name in enumerate(SHOP.order)}
    assert set(position) == set(SHOP.project.marts)
    for name, mart in SHOP.project.marts.items():
        assert all(position[i] < position[name] for i in mart.inputs if i in position)


def test_the_order_does_not_depend_on_the_order_of_declarations() -> None:
    marts = [mart_of("b", "orders"), mart_of("a", "orders"), mart_of("c", "a", "b")]
    assert project_of(ORDERS, *marts).order == project_of(*reversed(marts), ORDERS).order


def test_both_ways_round_a_diamond() -> None:
    assert SHOP.upstream("shop_overview") == {"int_paid_orders", "customer_totals", "model_sales"}
    assert SHOP.upstream("int_paid_orders") == set()
    assert SHOP.downstream("int_paid_orders") == {"customer_totals", "model_sales", "shop_overview"}
    assert SHOP.downstream("shop_overview") == set()


def test_the_way_up_and_down_a_tangle(tangle: Graph) -> None:
    # Of more paths than anybody could walk, and more links than Python recurses.
    assert tangle.upstream("z1199") == tangle.project.marts.keys() - {"z1199", "b59", "c59"}
    assert tangle.downstream("c58") == {"a59", "b59", "c59", *(f"z{n}" for n in range(1_200))}
    assert set(select(tangle, ["+c1"])) == {"a0", "b0", "c0", "c1"}


def test_selecting_from_a_package_without_marts_is_refused() -> None:
    with pytest.raises(UsageError, match="package toy declares no marts") as caught:
        select(project_of(ORDERS), ["m"], exclude=["n"])
    assert "@mart" in str(caught.value.hint)


@pytest.mark.parametrize(
    "check",
    [
        table_check("odd", offending=lambda this, orders=1: this.limit(orders)),
        table_check("odd", offending=partial(lambda this, orders: this.limit(orders), orders=1)),
    ],
)
def test_an_input_with_a_default_would_not_be_given(check: Check) -> None:
    with pytest.raises(DefinitionError, match="check odd of m would not receive orders") as caught:
        project_of(ORDERS, mart_of("m", "orders", checks=[check]))
    assert caught.value.hint == "write orders alone, or rename the parameter"


def test_an_unknown_input_of_a_mart_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(DefinitionError) as caught:
        project_of(ORDERS, mart_of("totals", "order"))
    assert str(caught.value).splitlines() == [
        "mart totals reads order, which is neither a source nor a mart",
        "  totals.py:1",
        "hint: did you mean orders?",
    ]


def test_an_unknown_input_that_is_like_no_other_may_be_declared() -> None:
    with pytest.raises(DefinitionError, match="hint: declare xyzzy, or rename the parameter"):
        project_of(ORDERS, mart_of("totals", "xyzzy"))


@pytest.mark.parametrize(
    ("check", "reader"),
    [
        (relationship("order_id", to="order.order_id"), "check order_id_in_order of totals"),
        (table_check("odd", offending=lambda order: order), "check odd of totals"),
    ],
)
def test_an_unknown_input_of_a_check_is_refused_with_the_nearest_name(
    check: Check, reader: str
) -> None:
    with pytest.raises(DefinitionError) as caught:
        project_of(ORDERS, mart_of("totals", "orders", checks=[check]))
    assert str(caught.value).splitlines() == [
        f"{reader} reads order, which is neither a source nor a mart",
        "  totals.py:1",
        "hint: did you mean orders?",
    ]


def test_a_check_of_a_source_that_reads_a_mart_is_refused() -> None:
    check = relationship("order_id", to="totals.order_id")
    said = "check order_id_in_totals of orders reads the mart totals, but sources are checked"
    with pytest.raises(DefinitionError, match=said):
        project_of(replace(ORDERS, checks=(check,)), mart_of("totals", "orders"))


def test_a_relationship_to_an_unknown_column_is_refused_with_the_nearest_name() -> None:
    check = relationship("order_id", to="orders.ordr_id")
    with pytest.raises(DefinitionError, match="did you mean order_id"):
        project_of(ORDERS, mart_of("totals", "orders", checks=[check]))


def test_a_check_may_read_what_is_built_later() -> None:
    check = relationship("order_id", to="later.order_id")
    graph = project_of(
        ORDERS, mart_of("first", "orders", checks=[check]), mart_of("later", "first")
    )
    assert graph.order == ("first", "later")


def test_a_cycle_is_shown_as_a_path() -> None:
    inputs = {"a": ("orders", "b"), "b": ("c",), "c": ("a",), "d": ("a",)}
    with pytest.raises(DefinitionError) as caught:
        project_of(ORDERS, *(mart_of(name, *reads) for name, reads in inputs.items()))
    summary, *locations, hint = str(caught.value).splitlines()
    path = summary.removeprefix("the inputs form a cycle: ").split(" → ")
    assert path[0] == path[-1]
    assert set(path) == {"a", "b", "c"}
    assert all(read in inputs[reader] for reader, read in pairwise(path))
    assert sorted(location.strip() for location in locations) == ["a.py:1", "b.py:1", "c.py:1"]
    assert hint.startswith("hint: ")


def test_a_mart_that_reads_itself_is_a_cycle() -> None:
    with pytest.raises(DefinitionError, match="the inputs form a cycle: a → a"):
        project_of(mart_of("a", "a"))


# Selection

PAID, TOTALS, MODELS, OVERVIEW = (
    "int_paid_orders",
    "customer_totals",
    "model_sales",
    "shop_overview",
)


@pytest.mark.parametrize(
    ("selectors", "exclude", "expected"),
    [
        # names
        ([], [], {PAID, TOTALS, MODELS, OVERVIEW}),
        ([MODELS], [], {MODELS}),
        ([OVERVIEW, MODELS], [], {MODELS, OVERVIEW}),
        ([MODELS, MODELS], [], {MODELS}),
        # with what they read, or are read by
        ([f"+{MODELS}"], [], {PAID, MODELS}),
        ([f"{MODELS}+"], [], {MODELS, OVERVIEW}),
        ([f"+{MODELS}+"], [], {PAID, MODELS, OVERVIEW}),
        ([f"+{OVERVIEW}"], [], {PAID, TOTALS, MODELS, OVERVIEW}),
        ([f"{PAID}+"], [], {PAID, TOTALS, MODELS, OVERVIEW}),
        # patterns
        (["*"], [], {PAID, TOTALS, MODELS, OVERVIEW}),
        (["*_sales"], [], {MODELS}),
        (["int_*+"], [], {PAID, TOTALS, MODELS, OVERVIEW}),
        (["model_sale?"], [], {MODELS}),
        # tags and folders
        (["tag:sales"], [], {TOTALS, MODELS}),
        (["+tag:by_customer"], [], {PAID, TOTALS}),
        (["sales"], [], {TOTALS, MODELS}),
        (["toy_shop/sales"], [], {TOTALS, MODELS}),
        (["sales/"], ["intermediate/"], {TOTALS, MODELS}),
        (["+toy_shop/sales/"], [], {PAID, TOTALS, MODELS}),
        (["intermediate", OVERVIEW], [], {PAID, OVERVIEW}),
        # exclusion
        ([], ["intermediate"], {TOTALS, MODELS, OVERVIEW}),
        (["sales"], [TOTALS], {MODELS}),
        ([], [f"{MODELS}+"], {PAID, TOTALS}),
        ([f"+{OVERVIEW}"], ["tag:intermediate", OVERVIEW], {TOTALS, MODELS}),
    ],
)
def test_words_select_marts(selectors: list[str], exclude: list[str], expected: set[str]) -> None:
    chosen = select(SHOP, selectors, exclude=exclude)
    assert set(chosen) == expected
    assert chosen == tuple(name for name in SHOP.order if name in expected)


@pytest.mark.parametrize(
    ("word", "hint"),
    [
        ("model_sale", "did you mean model_sales?"),
        ("+model_sale", "did you mean model_sales?"),
        ("tag:sale", "did you mean tag:sales?"),
        ("toy_shop/sale", "did you mean toy_shop/sales?"),
        ("orders", "did you mean int_paid_orders?"),
        ("bike_*", "`marts ls` lists the marts"),
        ("", "`marts ls` lists the marts"),
        ("/", "`marts ls` lists the marts"),
    ],
)
def test_a_word_that_selects_nothing_is_refused(word: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        select(SHOP, [MODELS, word])
    assert str(caught.value).splitlines() == [f"no mart matches {word}", f"hint: {hint}"]
    with pytest.raises(UsageError, match="no mart matches"):
        select(SHOP, [], exclude=[word])


def test_a_selection_of_nothing_is_refused() -> None:
    with pytest.raises(UsageError, match="the selection is empty"):
        select(SHOP, ["sales"], exclude=["tag:sales"])
