"""A dbt project's declarations: what is taken over, and what is only named."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from marts.core.scaffold.dbt_project import DbtProject, dbt_project, spelled_location
from marts.core.scaffold.dbt_types import contract_type
from marts.core.scaffold.declarations import NewCheck, NewColumn, NewSource

Node = dict[str, Any]


def model(name: str, *columns: str, kind: str = "model", **more: Any) -> Node:
    """Return a node as dbt 1.11 writes it, as far as it is read."""
    return {
        "resource_type": kind,
        "unique_id": f"{kind}.shop.{name}",
        "name": name,
        "alias": name,
        "database": "DB",
        "schema": "MAIN",
        "relation_name": f"DB.MAIN.{name}",
        "description": "",
        "columns": {each: {"name": each, "description": f"The {each}."} for each in columns},
        "config": {"enabled": True, "materialized": "table"},
        **more,
    }


def in_catalog(node: Node, **types: str) -> Node:
    """Return a node's entry in the catalog."""
    return {
        "metadata": {"database": "DB", "schema": "MAIN", "name": node["alias"].upper()},
        "columns": {
            name: {"name": name, "type": kind, "index": number, "comment": None}
            for number, (name, kind) in enumerate(types.items())
        },
    }


def called(node: Node) -> str:
    """Return the call by which dbt 1.11 names the node of a test."""
    is_source = node["resource_type"] == "source"
    call = f"source('{node['source_name']}', '{node['name']}')" if is_source else "ref('x')"
    return f"{{{{ get_where_subquery({call}) }}}}"


def a_test(node: Node, name: str, column: str | None, *reads: Node, **more: Any) -> Node:
    """Return a generic test of a node."""
    config = {name: more.pop(name) for name in ("severity", "where", "error_if") if name in more}
    space, _, short = name.rpartition(".")
    # What is referred to by name comes first, whichever is tested.
    nodes = [each["unique_id"] for each in sorted((*reads, node), key=lambda n: n["unique_id"])]
    return {
        "resource_type": "test",
        "test_metadata": {
            "name": short,
            "namespace": space or None,
            "kwargs": {"column_name": column, "model": called(node), **more},
        },
        "attached_node": node["unique_id"] if node["resource_type"] != "source" else None,
        "column_name": column,
        "depends_on": {"nodes": nodes},
        "config": {"enabled": True, "severity": "ERROR", "error_if": "!= 0", **config},
    }


CUSTOMERS = model("customers", "customer_id", description="Customers\nof the shop.")
ORDERS = model("orders", "order_id", "status", alias="fct_orders")
LOG = model("log", kind="source", identifier="RawLog", source_name="erp")
VIEW = model("inline", config={"materialized": "ephemeral"})
UNBUILT = model("later", "id")
NODES = {each["unique_id"]: each for each in (CUSTOMERS, ORDERS, VIEW, UNBUILT)}
CATALOG: Mapping[str, Any] = {
    "nodes": {
        CUSTOMERS["unique_id"]: in_catalog(CUSTOMERS, CUSTOMER_ID="NUMBER", NAME="TEXT"),
        ORDERS["unique_id"]: in_catalog(
            ORDERS,
            ORDER_ID="NUMBER(38,0)",
            CUSTOMER_ID="NUMBER",
            STATUS="TEXT",
            AMOUNT="NUMBER",
            RAW="VARIANT",
            PAID_AT="TIMESTAMP_TZ",
        ),
    },
    "sources": {LOG["unique_id"]: in_catalog({"alias": "RawLog"}, line="TEXT")},
}


def project_of(*tests: Node) -> DbtProject:
    """Return the project with some tests."""
    named = {f"test.{number}": each for number, each in enumerate(tests)}
    manifest = {
        "metadata": {"adapter_type": "snowflake", "project_name": "shop"},
        "nodes": NODES | named,
        "sources": {LOG["unique_id"]: LOG},
    }
    return dbt_project(manifest, CATALOG)


def source_named(project: DbtProject, name: str) -> NewSource:
    (found,) = (each for each in project.sources if each.name == name)
    return found


def test_sources_and_models_are_taken_over_as_the_catalog_spells_them() -> None:
    project = project_of()
    assert [each.name for each in project.sources] == ["customers", "log", "orders"]
    assert project.skipped == (
        "later: dbt does not know the types of its columns: build it, then run `dbt docs generate`",
    )
    assert spelled_location(project.locations["orders"], "snowflake") == "DB.MAIN.FCT_ORDERS"
    parts = ("DB", "main", 'Raw"Log')
    assert spelled_location(parts, "snowflake") == 'DB."main"."Raw""Log"'
    assert spelled_location(parts, "duckdb") == 'DB.main."Raw""Log"'
    orders = source_named(project, "orders")
    assert (orders.source_name, orders.grain) == ("fct_orders", ())
    assert source_named(project, "customers").doc == "Customers of the shop."
    assert orders.left_out == ("left out: RAW: VARIANT",)
    assert orders.column("order_id") == NewColumn(
        name="order_id", type="int64", null=True, doc="The order_id."
    )
    assert orders.column("paid_at").zone == "UTC"
    assert orders.column("amount").type == "decimal(38, 9)"
    assert "without digits" in orders.column("amount").notes[0]


def test_tests_that_say_the_same_are_declared() -> None:
    project = project_of(
        a_test(CUSTOMERS, "unique", "customer_id"),
        a_test(CUSTOMERS, "not_null", "customer_id"),
        a_test(ORDERS, "dbt_utils.unique_combination_of_columns", None, combination_of_columns=KEY),
        a_test(ORDERS, "not_null", "order_id"),
        a_test(ORDERS, "not_null", "STATUS"),
        a_test(ORDERS, "accepted_values", "status", values=["paid", "open"]),
        a_test(ORDERS, "dbt_utils.accepted_range", "amount", min_value=0, max_value=9),
        a_test(ORDERS, "relationships", "customer_id", CUSTOMERS, field="customer_id", to="…"),
        a_test(ORDERS, "unique", "customer_id", severity="warn"),
    )
    assert source_named(project, "customers").grain == ("customer_id",)
    orders = source_named(project, "orders")
    assert orders.grain == ("order_id", "status")
    assert orders.column("status").values == ("paid", "open")
    assert (orders.column("amount").at_least, orders.column("amount").at_most) == (0, 9)
    assert orders.checks == (
        NewCheck(columns=("customer_id",), to="customers.customer_id"),
        NewCheck(columns=("customer_id",), severity="warn"),
    )


KEY = ["order_id", "status"]
RANGE = "dbt_utils.accepted_range"


def test_a_test_of_a_source_is_the_sources_whatever_it_reads_besides() -> None:
    project = project_of(
        a_test(LOG, "relationships", "line", CUSTOMERS, field="customer_id"),
        a_test(LOG, "not_null", "line"),
    )
    log = source_named(project, "log")
    assert log.checks == (NewCheck(columns=("line",), to="customers.customer_id"),)
    assert not log.column("line").null
    assert source_named(project, "customers").checks == ()


@pytest.mark.parametrize(
    ("test", "line"),
    [
        (
            a_test(ORDERS, "not_null", "status", severity="warn"),
            "not_null of STATUS: it only warns",
        ),
        (a_test(ORDERS, "unique", "status", where="a > 1"), "unique of STATUS: where a > 1"),
        (a_test(ORDERS, "not_null", "status", error_if=">9"), "of STATUS: it tolerates some rows"),
        (a_test(ORDERS, "accepted_values", "amount", values=[1]), "its values are not texts"),
        (a_test(ORDERS, "expectations.between", "amount"), "expectations.between of AMOUNT: marts"),
        (a_test(ORDERS, "unique", "a || b"), "unique of a || b: it is about no column"),
        (a_test(ORDERS, RANGE, "amount", min_value=0.5), "accepted_range of AMOUNT: its bounds"),
        (a_test(ORDERS, RANGE, "amount", min_value=0, inclusive=False), "its bounds are not whole"),
        (a_test(ORDERS, "relationships", "status", VIEW, field="a"), "the other table is not here"),
    ],
)
def test_a_test_that_says_something_else_is_named(test: Node, line: str) -> None:
    orders = source_named(project_of(test), "orders")
    assert line in orders.left_out[-1]
    assert orders.left_out[-1].startswith("not taken over: dbt's test ")
    assert (orders.checks, orders.column("status").null) == ((), True)


@pytest.mark.parametrize(
    ("text", "adapter", "kind"),
    [
        ("character varying", "postgres", "string"),
        ("numeric(12,2)", "postgres", "decimal(12, 2)"),
        ("timestamp with time zone", "postgres", "timestamp"),
        ("INT64", "bigquery", "int64"),
        ("STRING", "bigquery", "string"),
        ("NUMBER(18,4)", "snowflake", "decimal(18, 4)"),
        ("FLOAT", "snowflake", "float64"),
        ("HUGEINT[]", "duckdb", ""),
        ("nonsense of a type", "unheard_of", ""),
        ("", "snowflake", ""),
    ],
)
def test_types_of_adapters(text: str, adapter: str, kind: str) -> None:
    assert contract_type(text, "a", adapter)[0] == kind
