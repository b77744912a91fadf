"""Example queries: how they are declared, what they may read, and what is refused."""

from __future__ import annotations

from textwrap import dedent
from typing import cast

import ibis
import pytest

from core.conftest import Write
from marts import example_query
from marts.core.authoring.expressions import FixedAsOf
from marts.core.catalog.manifest import manifest
from marts.core.errors import DefinitionError
from marts.core.plan.queries import compiled_examples
from marts.core.project.graph import Graph, link
from marts.core.project.loading import load
from marts.core.query.definition import logical_tables
from marts.core.query.example_queries import example_table
from support.workshop import AS_OF

SOURCES = """\
from marts import *

orders = source("orders", doc="O.", grain="id", columns=[string("id"), int64("n"), date("day")])
"""
MART = '''\
from marts import *


@mart(grain="id", columns=[string("id"), int64("n"), date("day")], materialized="{kind}")
def {name}(orders):
    """Orders."""
    return orders
'''
MARTS = {"sales": "table", "recent": "view", "int_orders": "table", "ids": "temporary"}
LARGE = """
    @example_query("Which orders are large?")
    def large_orders(sales, as_of):
        return sales.filter(sales.n > 3, sales.day >= as_of.minus(days=7)).select("id")
"""


def linked(write_package: Write, query: str) -> Graph:
    """Return the project of a package with an example query in the module `asked`."""
    marts = {name: MART.format(name=name, kind=kind) for name, kind in MARTS.items()}
    asked = "from marts import *\n\n" + dedent(query)
    return link(load(write_package(sources=SOURCES, asked=asked, **marts)))


def test_an_example_query_is_a_table_over_marts(write_package: Write) -> None:
    graph = linked(write_package, LARGE)
    query = graph.project.queries["large_orders"]
    assert (query.question, query.inputs) == ("Which orders are large?", ("sales",))
    table = example_table(query, logical_tables(graph.project), FixedAsOf(AS_OF))
    assert table.columns == ("id",)
    compiled = compiled_examples(graph, FixedAsOf(AS_OF), ibis.to_sql)
    assert str(AS_OF.year) in compiled["large_orders"]
    assert compiled_examples(graph, FixedAsOf(AS_OF), ibis.to_sql, reading=["recent"]) == {}


def test_the_manifest_has_the_questions(write_package: Write) -> None:
    graph = linked(write_package, LARGE)
    document = cast("dict[str, list[dict[str, object]]]", manifest(graph.project))
    (described,) = document["queries"]
    assert described["question"] == "Which orders are large?"
    assert described["inputs"] == ["sales"]
    assert str(described["declared_at"]).endswith("asked.py:4")


@pytest.mark.parametrize(
    ("query", "error", "hint"),
    [
        (
            """
            @example_query("Which?")
            def which(sale): return sale
            """,
            "example query which reads sale, which is not a mart",
            "did you mean sales?",
        ),
        (
            """
            @example_query("Which?")
            def which(orders): return orders
            """,
            "example query which reads orders, which is a source: ",
            "published: ",
        ),
        (
            """
            @example_query("Which?")
            def which(ids): return ids
            """,
            "example query which reads ids, which is a temporary mart, ",
            "published: ",
        ),
        (
            """
            @example_query("Which?")
            def which(int_orders): return int_orders
            """,
            "example query which reads int_orders, which is an intermediate mart, ",
            "published: ",
        ),
        (
            """
            @example_query("Which?")
            def recent(sales): return sales
            """,
            "recent is both an example query and a mart",
            "rename the function",
        ),
        (
            """
            @example_query("Which?")
            def which(sales, recent=None): return sales
            """,
            "example query which would not receive recent: its parameter has a default",
            "write recent alone",
        ),
        (
            """
            @example_query("Which?")
            def which(): return 1
            """,
            "example query which is declared wrongly\n  it reads no mart",
            "",
        ),
        (
            """
            @example_query(" ")
            def which(sales): return sales
            """,
            "example query which is declared wrongly\n  its question is ' ', not a line of text",
            "",
        ),
        (
            """
            @example_query
            def which(sales): return sales
            """,
            "an example query has no question",
            "ask what it answers",
        ),
        (
            """
            least = 1
            @example_query("Which?")
            def which(sales): return sales.filter(sales.n > least)
            least = 2
            """,
            "example query which sees least = 2",
            "bind it",
        ),
    ],
)
def test_a_wrong_example_query_is_refused_with_file_and_line(
    query: str, error: str, hint: str, write_package: Write
) -> None:
    with pytest.raises(DefinitionError) as caught:
        linked(write_package, query)
    assert str(caught.value).startswith(error)
    assert hint in str(caught.value)
    assert "asked.py:" in str(caught.value)


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ("sales.nn", "AttributeError: "),
        ("sales.n.sum()", "expected a table, got int64"),
        ("ibis.table({'x': 'int64'}, name='t')", "reads t"),
    ],
)
def test_an_example_query_that_cannot_be_built_says_where(
    body: str, error: str, write_package: Write
) -> None:
    query = f"""
        import ibis
        @example_query("Which?")
        def which(sales): return {body}
    """
    graph = linked(write_package, query)
    with pytest.raises(DefinitionError, match=r"(?s)^example query which .*asked\.py:\d") as caught:
        compiled_examples(graph, FixedAsOf(AS_OF), ibis.to_sql)
    assert error in str(caught.value)


def test_two_example_queries_of_one_name_are_refused(write_package: Write) -> None:
    with pytest.raises(DefinitionError, match=r"^large_orders is defined twice"):
        linked(write_package, LARGE + LARGE)


def test_an_example_query_has_a_name() -> None:
    with pytest.raises(DefinitionError, match="it is not a function with a name"):
        example_query("Who?")(lambda sales: sales)
