"""Published marts as sources of a dbt project."""

from __future__ import annotations

from typing import Any

import yaml  # type: ignore[import-untyped]

from marts import int64, mart, money, relationship, row_check, string, timestamp, unique
from marts.core.authoring.tables import Mart
from marts.core.catalog.dbt import dbt_sources
from support.workshop import SHOP


def written(*marts: Mart, engine: str = "duckdb", database: str | None = "marts") -> Any:
    """Return what dbt reads of the marts."""
    text = dbt_sources(marts, package="shop", engine=engine, database=database, schema="gold")
    return yaml.safe_load(text)["sources"][0]


@mart(grain="a", columns=[string("a")])
def other(s: Any) -> Any:
    """Others."""
    return s


@mart(
    grain="a",
    columns=[
        string("a", doc='says "{{ hi }}": yes'),
        string("kind", values=["x", "it's"], null=True),
        int64("n", at_least=0),
        money("spend"),
        timestamp("at", null=True, unique=True),
    ],
    checks=[
        relationship("kind", to="other.a", severity="warn"),
        relationship("n", to="a_source.n"),
        unique("n", severity="warn", threshold=3),
        unique("spend", threshold="1%"),
        unique("a", "n"),
        row_check("odd", offending=lambda t: t.n > 1),
    ],
)
def things(s: Any) -> Any:
    """Things.

    With a second line.
    """
    return s


def test_columns_have_types_words_and_the_checks_that_dbt_knows() -> None:
    found = written(things, other)
    assert (found["name"], found["database"], found["schema"]) == ("shop", "marts", "gold")
    table, _ = found["tables"]
    assert (table["name"], table["description"]) == ("things", "Things. With a second line.")
    columns = {each.pop("name"): each for each in table["columns"]}
    assert columns == {
        "a": {
            "description": '{% raw %}says "{{ hi }}": yes{% endraw %}',
            "data_type": "varchar",
            "data_tests": ["not_null", "unique"],
        },
        "kind": {
            "data_type": "varchar",
            "data_tests": [
                {"accepted_values": {"arguments": {"values": ["x", "it's"]}}},
                {
                    "relationships": {
                        "arguments": {"to": "source('shop', 'other')", "field": "a"},
                        "config": {"severity": "warn"},
                    }
                },
            ],
        },
        "n": {
            "data_type": "bigint",
            "data_tests": [
                "not_null",
                {"unique": {"config": {"severity": "warn", "warn_if": ">3", "error_if": ">3"}}},
            ],
        },
        "spend": {"data_type": "decimal(18,2)", "data_tests": ["not_null"]},
        "at": {"data_type": "timestamp", "data_tests": ["unique"]},
    }


def test_checks_that_dbt_does_not_know_are_named() -> None:
    text = dbt_sources([things], package="shop", engine="duckdb", database=None, schema="gold")
    (line,) = (line for line in text.splitlines() if "checked by marts alone" in line)
    assert line.split(": ")[1].split(", ") == [
        *("n_at_least_0", "at_finite", "not_empty", "kind_in_other", "n_in_a_source"),
        *("spend_unique", "a_and_n_unique", "odd"),
    ]


def test_only_published_marts_are_there_with_the_types_of_the_engine() -> None:
    marts = [*SHOP.project.marts.values()]
    found = written(*marts, engine="snowflake", database=None)
    assert "database" not in found
    names = [table["name"] for table in found["tables"]]
    assert names == [name for name in SHOP.project.marts if name != "int_paid_orders"]
    types = {column["data_type"] for table in found["tables"] for column in table["columns"]}
    assert {"number(38,0)", "float", "decimal(18,2)", "date"} <= types


def test_nothing_is_a_list_without_tables() -> None:
    assert written()["tables"] == []
