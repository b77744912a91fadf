"""Labels by conditions: the contract, the text and the expression of one declaration."""

from __future__ import annotations

from typing import Any

import duckdb
import ibis
import pytest
from ibis import _

from backends.duckdb_sql import compile_query
from marts import labels
from marts.core.errors import DefinitionError

SIZE = labels(
    "size",
    (_.wheels.isnull(), "none & unknown"),
    ((_.wheels < 2) | (_.kind == "uni | mono"), "small"),
    (_.wheels < 4, "usual"),
    else_="large",
    doc="by its\n  wheels",
    varies_with="count",
)


def test_a_declaration_gives_accepted_values_and_text() -> None:
    assert SIZE.values == ("none & unknown", "small", "usual", "large")
    assert (SIZE.type, SIZE.null, SIZE.varies_with) == ("string", False, ("count",))
    assert SIZE.doc == (
        "by its wheels: none & unknown if wheels is null; small if wheels < 2 or"
        " kind == 'uni | mono'; usual if wheels < 4; else large"
    )


def test_the_first_condition_that_holds_decides_and_a_null_meets_none() -> None:
    table = ibis.table({"wheels": "int64", "kind": "string"}, name="bikes")
    query = compile_query(table.select("wheels", size=SIZE.of(table)), sources={}, schema="main")
    with duckdb.connect() as connection:
        connection.execute(
            "CREATE TABLE bikes AS FROM (VALUES (NULL, 'a'), (1, 'a'), (2, NULL),"
            " (3, 'uni | mono'), (4, 'a')) t (wheels, kind)"
        )
        found = connection.sql(query).fetchall()
    assert [size for _wheels, size in found] == [
        "none & unknown",
        "small",
        "usual",
        "small",
        "large",
    ]


def test_a_condition_that_is_a_function_is_refused_with_its_line() -> None:
    condition: Any = lambda t: t.wheels < 2  # noqa: E731
    with pytest.raises(DefinitionError) as caught:
        labels("size", (condition, "small"), else_="large")
    first, location, hint = str(caught.value).splitlines()
    assert first == "column size: the condition of 'small' is a function"
    assert "test_labels.py:" in location
    assert hint.startswith("hint: write it with `from ibis import _`")
