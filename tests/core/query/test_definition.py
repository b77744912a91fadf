"""Marts as queries: what a function may return, and whose line a slip of it names."""

from __future__ import annotations

import ibis
import ibis.expr.operations as ops
import pytest

from core.conftest import Write
from marts.core.authoring.expressions import FixedAsOf
from marts.core.errors import DefinitionError
from marts.core.plan.planner import plan_run
from marts.core.plan.state import declared_state
from marts.core.plan.steps import compiled
from marts.core.project.graph import Graph, link
from marts.core.project.loading import load
from marts.core.query.definition import inlined, logical_tables
from support.workshop import AS_OF, SHOP

MART = """\
from marts import *

bikes = source("bikes", doc="Bikes.", grain="bike", columns=[string("bike")])


@mart(grain="bike", columns=[string("bike"), int64("wheels")])
def wheels(bikes, as_of):
    "Wheels."
    {}
"""


def of_a_mart(write_package: Write, body: str) -> Graph:
    """Return the project of one mart with this body, whose first line is the ninth."""
    text = MART.format(body.replace("\n", "\n    "))
    return link(load(write_package(wheels=text)))


@pytest.mark.parametrize(
    ("body", "error", "line"),
    [
        (
            "t = bikes\nreturn t.select(t.bike, wheels=t.weels)",
            "AttributeError: 'Table' object has no attribute 'weels'",
            10,
        ),
        ("return wheel", "NameError: name 'wheel' is not defined", 9),
        ("return bikes.mutate(wheels=1 / 0)", "ZeroDivisionError: division by zero", 9),
        ("half = lambda t: t.bike / 2\nreturn bikes.mutate(wheels=half)", "TypeError: ", 9),
        ("return bikes.select(\n    bikes['bike'],\n    bikes['x'],\n)", "IbisTypeError: ", 11),
        (
            (
                "one, two = bikes.view(), bikes.view()\n"
                "joined = bikes.left_join(one, bikes.bike == one.bike)\n"
                "return joined.left_join(two, bikes.bike == two.bike)"
            ),
            "IntegrityError: Name collisions",
            6,
        ),
        (
            "other = bikes.filter(bikes.bike > 'a')\nreturn bikes.filter(other.bike > 'b')",
            "IntegrityError: Cannot add Greater to filter, they belong to another relation",
            10,
        ),
        (
            "return bikes.limit(bikes.bike)",
            "SignatureValidationError: Limit: n is string, not either None or an int",
            9,
        ),
    ],
    ids=[
        "unknown column",
        "unknown name",
        "arithmetic",
        "inside a lambda",
        "inside a call",
        "a join with two columns of a name",
        "a column of another table",
        "an argument of another type",
    ],
)
def test_an_exception_of_a_mart_is_reported_with_its_line(
    body: str, error: str, line: int, write_package: Write
) -> None:
    graph = of_a_mart(write_package, body)
    given = declared_state(graph.project, sources=["bikes"])
    with pytest.raises(DefinitionError) as caught:
        plan_run(graph, graph.order, given, FixedAsOf(AS_OF))
    message = str(caught.value).splitlines()
    assert message[0] == "mart wheels failed to build its expression"
    assert message[1].strip().startswith(error)
    assert message[2].endswith(f"{graph.project.package}/wheels.py:{line}")
    if "attribute" in error:
        assert message[3] == "hint: the columns are: bike"
    assert caught.value.__cause__ is not None


@pytest.mark.parametrize(
    ("body", "what", "hint"),
    [
        (
            (
                "import ibis\n"
                "@ibis.udf.scalar.python\n"
                "def length(text: str) -> int:\n"
                "    return len(text)\n"
                "return bikes.mutate(wheels=length(bikes.bike))"
            ),
            "calls length, a function in Python, which no SQL contains",
            "write it as an expression of Ibis, such as upper(), cases(…) or a join",
        ),
        (
            "import ibis\nreturn bikes.mutate(wheels=ibis.param('int64'))",
            "has an ibis.param, to which nothing gives a value",
            "write the value itself; the date of the run is the parameter as_of",
        ),
        (
            (
                "import ibis\n"
                "shops = ibis.table({'wheels': 'int64'}, name='shops')\n"
                "return bikes.cross_join(shops)"
            ),
            "reads shops, which is not among its parameters",
            "declare it as a source or a mart, and name it among the parameters",
        ),
    ],
    ids=["a function in Python", "a parameter of Ibis", "another table"],
)
def test_what_no_engine_could_carry_out_is_refused(
    body: str, what: str, hint: str, write_package: Write
) -> None:
    graph = of_a_mart(write_package, body)
    given = declared_state(graph.project, sources=["bikes"])
    with pytest.raises(DefinitionError) as caught:
        plan_run(graph, graph.order, given, FixedAsOf(AS_OF))
    assert caught.value.summary == f"mart wheels {what}"
    assert caught.value.facts[0].endswith(f"{graph.project.package}/wheels.py:6")
    assert caught.value.hint == hint


def test_an_operation_that_an_engine_lacks_names_its_mart(write_package: Write) -> None:
    graph = of_a_mart(write_package, "return bikes.mutate(wheels=bikes.rowid())")
    given = declared_state(graph.project, sources=["bikes"])
    plan = plan_run(graph, graph.order, given, FixedAsOf(AS_OF))
    with pytest.raises(DefinitionError, match="Compilation rule for 'RowID'") as caught:
        compiled(plan, lambda query: ibis.to_sql(query, dialect="snowflake"))
    assert caught.value.summary == "mart wheels has an expression that cannot be compiled"


@pytest.mark.parametrize(
    ("body", "what"),
    [
        ("pass", "expected a table, got NoneType"),
        ("return bikes.bike", "expected a table, got string"),
        ("return as_of.date", "expected a table, got date"),
        ("return bikes", "mart wheels returns no column wheels, which its contract declares"),
        (
            "return bikes.mutate(wheels=bikes.bike)",
            "mart wheels: column wheels is string, its contract says int64",
        ),
        (
            "return bikes.mutate(wheels=bikes.count().cast('float64'))",
            "mart wheels: column wheels is float64, its contract says int64",
        ),
    ],
)
def test_what_a_mart_returns_is_held_against_its_contract(
    body: str, what: str, write_package: Write
) -> None:
    graph = of_a_mart(write_package, body)
    given = declared_state(graph.project, sources=["bikes"])
    with pytest.raises(DefinitionError) as caught:
        plan_run(graph, graph.order, given, FixedAsOf(AS_OF))
    assert what in str(caught.value)
    assert f"{graph.project.package}/wheels.py:6" in str(caught.value)


def test_inlined_marts_read_the_sources_alone() -> None:
    project, given = SHOP.project, declared_state(SHOP.project, sources=SHOP.project.sources)
    declared = logical_tables(project, present=given.sources)
    sources = {name: declared[name] for name in project.sources}
    queries = inlined(SHOP, sources, FixedAsOf(AS_OF))
    for name in SHOP.order:
        read = {table.name for table in queries[name].op().find(ops.UnboundTable)}
        assert read
        assert read <= project.sources.keys()
        assert queries[name].columns == declared[name].columns
