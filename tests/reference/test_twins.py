"""The twins do what their cases on paper say, and share nothing with the marts."""

import ast
import doctest
import importlib
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from marts.core.authoring.proofs import Twin
from reference.example import answer, star
from reference.history import customers
from support.twins import GRAINS, REFERENCES, TWINS

HERE = Path(__file__).parent
MODULES = sorted(path.stem for path in HERE.glob("*.py") if path.stem != "test_twins")
FORBIDDEN = {"backends", "ibis", "duckdb", "sqlglot", "snowflake"}

ROWS_OF_NOBODY = {"executive_summary": 1}
"""The marts that have rows without any customer."""

BEFORE_ALL = date(2020, 1, 1)
AFTER_ALL = date(2025, 6, 30)


@pytest.mark.parametrize("name", MODULES)
def test_doctests_hold(name: str) -> None:
    module = importlib.import_module(f"reference.{name}")
    assert doctest.testmod(module).failed == 0


@pytest.mark.parametrize("name", sorted(TWINS))
def test_each_mart_has_eight_cases(name: str) -> None:
    module = importlib.import_module(f"reference.{name}")
    cases = [
        example.want
        for doc in doctest.DocTestFinder().find(module)
        for example in doc.examples
        if example.want
    ]
    assert len(cases) >= 8
    assert doctest.testmod(module).attempted >= 8


def twin_of(name: str) -> Twin:
    found = getattr(importlib.import_module(f"reference.{name}"), name)
    assert isinstance(found, Twin)
    return found


@pytest.mark.parametrize("path", sorted(HERE.glob("*.py")), ids=lambda path: path.name)
def test_imports_nothing_that_it_checks(path: Path) -> None:
    imported = set()
    for node in ast.walk(ast.parse(path.read_text())):
        match node:
            case ast.Import(names=names):
                imported |= {alias.name.partition(".")[0] for alias in names}
            case ast.ImportFrom(module="marts", names=[ast.alias(name="twin")]):
                pass
            case ast.ImportFrom(module=str(module)):
                imported.add(module.partition(".")[0])
    # The data that they are tried on are made from the marts' constants.
    own = {"marts"} if path.name in (Path(__file__).name, "corpora.py") else set()
    assert not imported & {"marts", *FORBIDDEN} - own


@pytest.mark.parametrize("name", sorted(TWINS))
def test_each_twin_is_in_a_file_of_its_name(name: str) -> None:
    assert Path(REFERENCES[name].twin.location.rpartition(":")[0]).stem == name
    assert twin_of(name).mart == name


@pytest.mark.parametrize("name", sorted(TWINS))
def test_an_empty_star_gives_an_empty_table_with_all_columns(name: str) -> None:
    module = importlib.import_module(f"reference.{name}")
    table = answer(twin_of(name), star({}), BEFORE_ALL)
    assert len(table) == ROWS_OF_NOBODY.get(name, 0)
    assert tuple(table.columns) == module.COLUMNS
    assert set(GRAINS[name]) <= set(module.COLUMNS)


@pytest.mark.parametrize("name", sorted(TWINS))
def test_cells_are_plain_python_values(name: str) -> None:
    sources = star({"c1": [("2025-05-01", "3"), ("2025-06-01", "4")], "c2": []})
    table = answer(twin_of(name), sources, AFTER_ALL)
    kinds = {type(cell) for column in table for cell in table[column].tolist()}
    assert kinds <= {str, int, float, bool, date, Decimal, type(None)}
    assert {str(dtype) for dtype in table.dtypes} == {"object"}


def test_customers_are_read_again_where_anything_differs() -> None:
    tables = star({"c1": [("2025-05-01", "3")]}).values()
    facts, dimension, categories = (table.to_pandas() for table in list(tables)[:3])
    known = customers(dimension, facts, categories, AFTER_ALL)
    assert customers(dimension.copy(), facts, categories, AFTER_ALL)[0] is known[0]
    assert customers(dimension, facts, categories, BEFORE_ALL) != known
    customers(dimension, facts, categories, AFTER_ALL)
    facts["transaction_amount"] = Decimal("4.00")
    (changed,) = customers(dimension, facts, categories, AFTER_ALL)
    assert changed.amounts == [Decimal("4.00")]
    assert known[0].amounts == [Decimal("3.00")]
