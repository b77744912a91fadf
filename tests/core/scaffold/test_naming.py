"""Names of contracts for any names, and what names say."""

from __future__ import annotations

import pytest

from marts.core.scaffold import naming


@pytest.mark.parametrize(
    ("found", "name"),
    [
        ("order_id", "order_id"),
        ("CustomerID", "customer_id"),
        ("ORDER_ID", "order_id"),
        ("orderDate", "order_date"),
        ("HTTPStatus", "http_status"),
        ("Order Details", "order_details"),
        ("Straße (alt)", "strasse_alt"),
        ("Überweisung", "ueberweisung"),
        ("prénom", "prenom"),
        ("class", "class_"),
        ("2024 sales", "column_2024_sales"),
        ("日本", "column"),
        ("a.b-c", "a_b_c"),
    ],
)
def test_any_name_becomes_a_name_of_a_contract(found: str, name: str) -> None:
    assert naming.contract_name(found, otherwise="column") == name


def test_names_stay_apart_and_a_contracts_own_name_stays() -> None:
    found = ["Customer ID", "CustomerId", "customer_id", "日本", "中国", "as_of"]
    assert naming.contract_names(found, otherwise="column", taken=["as_of"]) == {
        "Customer ID": "customer_id_2",
        "CustomerId": "customer_id_3",
        "customer_id": "customer_id",
        "日本": "column",
        "中国": "column_2",
        "as_of": "as_of_2",
    }


@pytest.mark.parametrize(
    ("table", "entity"),
    [
        ("customers", "customer"),
        ("dim_customer", "customer"),
        ("order_lines", "order_line"),
        ("categories", "category"),
        ("addresses", "address"),
        ("status", "status"),
        ("Order", "order"),
        ("people", "person"),
    ],
)
def test_a_table_is_named_after_what_its_rows_are(table: str, entity: str) -> None:
    assert naming.entity_of(table) == entity


def test_a_short_word_that_all_columns_share_is_a_prefix() -> None:
    assert naming.prefix_of(["l_orderkey", "l_tax"]) == "l"
    assert naming.prefix_of(["id", "id_of_order"]) == ""
    assert naming.prefix_of(["customer_id", "customer_name"]) == ""
    assert naming.stem_of("l_orderkey", "l") == "orderkey"
