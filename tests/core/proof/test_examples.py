"""Examples are read with lines, and compared with what a mart gives."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest

from backends.duckdb_worlds import DuckDBWorlds
from marts.core.errors import DefinitionError, UsageError
from marts.core.project.settings import settings_of_file
from marts.core.proof.building import WorldBuilder
from marts.core.proof.examples import (
    Example,
    examples_of,
)
from support.examples import GOOD, PARAGRAPH, read, result_of
from support.workshop import SHOP


@pytest.fixture(scope="module")
def builder() -> WorldBuilder:
    return WorldBuilder(SHOP, DuckDBWorlds())


def test_an_example_holds_if_its_rows_are_the_marts_in_the_given_columns(
    tmp_path: Path, builder: WorldBuilder
) -> None:
    example = read(GOOD, tmp_path)
    assert (example.name, example.title) == ("some", "A cancelled order is not paid")
    assert example.world.as_of == datetime.date(2025, 6, 30)
    assert result_of(builder, example).holds
    wrong = result_of(builder, read(GOOD.replace("| gold |", "| plain |"), tmp_path))
    assert not wrong.holds
    assert wrong.differences is not None
    assert [str(cell) for cell in wrong.differences.cells] == [
        "('c1')  tier: actual 'gold', expected 'plain'"
    ]
    assert wrong.actual is not None
    assert wrong.actual.column_names == example.expected.column_names
    more = result_of(builder, read(GOOD.replace("Ada  |\n", "Ada  |\n| c2 | Bo |\n"), tmp_path))
    assert more.differences is not None
    assert more.differences.only_actual == (("c2",),)


def test_without_the_grain_all_rows_are_compared(tmp_path: Path, builder: WorldBuilder) -> None:
    text = GOOD[: GOOD.index("## →")].replace("Ada  |\n", "Ada  |\n| c2 | Bo |\n")
    tiers = "## -> customer_totals\n| tier |\n| --- |\n| plain |\n"
    assert result_of(builder, read(f"{text}{tiers}| gold |", tmp_path)).holds
    assert not result_of(builder, read(text + tiers, tmp_path)).holds
    assert not result_of(builder, read(f"{text}{tiers}| gold |\n| gold |", tmp_path)).holds


def test_nothing_may_be_expected(tmp_path: Path, builder: WorldBuilder) -> None:
    text = "# Nobody\n\nas_of: 2025-06-30\n\n## → customer_totals\n| customer_id |\n| --- |\n"
    assert result_of(builder, read(text, tmp_path)).holds


def test_rows_that_no_run_would_publish_are_an_error(tmp_path: Path, builder: WorldBuilder) -> None:
    twice = read(GOOD.replace("Ada  |\n", "Ada  |\n| c1 | Bo |\n"), tmp_path)
    result = result_of(builder, twice)
    assert not result.holds
    assert "customers: customer_id_unique" in str(result.error)
    assert "completed: customers: city null, joined_on 2025-06-30, active true" in str(result.error)


def edited(old: str, new: str) -> tuple[str, int]:
    """Return the good example with an edit, and the line of the edit."""
    assert GOOD.count(old) == 1, old
    return GOOD.replace(old, new), GOOD[: GOOD.index(old)].count("\n") + 1


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("# A cancelled order is not paid", "", "an example has no title"),
        ("as_of: 2025-06-30", "as_of: 30.6.", "as_of is 30.6., which is not a date"),
        ("## orders", "## order", "order is not a source~did you mean orders?"),
        ("## orders", "## int_paid_orders", "is a mart~write ## → int_paid_orders above"),
        ("## orders", "## customers", "customers is given twice~make one table of both"),
        ("## → customer_totals", "## → totals", "totals is not a mart~mean customer_totals?"),
        ("| customer_id | name |", "| customer_id | nam |", "no column nam~did you mean name?"),
        ("| customer_id | name |", "| name | name |", "column name of customers is there twice"),
        ("| ----------- | ---- |", "| c2 | Bo |", "customers has no line below it~| --- | --- |"),
        ("| c1          | Ada  |", "| c1 |", "a row of customers has 1 cells, its header 2"),
        ("| c1          | Ada  |", "| c1 | Ada ", "does not end~write a | at its end"),
        ("| c1          | Ada  |", "c1 | Ada |", "a line with bars does not begin with one"),
        ("| c1          | Ada  |", "| c1 |  |", 'customers.name is empty~or "" for an empty text'),
        ("| c1          | Ada  |", "| c1 | null |", "customers.name is null: ~declared not null"),
        ("| c1          | Ada  |", '| c1 | "Ada |', 'end it with a " as it begins'),
        ("5    |", "5.005 |", "orders.amount is 5.005: expected decimal(10, 2)~at most 2 digits"),
        ("5    |", "much |", "write a number, such as 10.00"),
        ("5    |", "-5 |", "orders.amount is -5~it is at least 0"),
        ("5    |", "123456789 |", "more than 8 digits before the point"),
        ("| cancelled |", "| canceled |", "orders.status is canceled~did you mean cancelled?"),
        ("|           1 |", "|         1.0 |", "expected int64~write a whole number, such as 12"),
        ("| gold | null", "| silver | null", "tier is silver: expected string~its values are"),
        (PARAGRAPH, "as_of: 2025-06-30", "as_of is there twice"),
        (PARAGRAPH, "| --- |", "a table stands before the first heading"),
    ],
)  # fmt: skip
def test_what_is_written_wrongly_is_refused_with_its_line(
    old: str, new: str, words: str, tmp_path: Path
) -> None:
    text, line = edited(old, new)
    with pytest.raises(DefinitionError) as refused:
        read(text, tmp_path)
    assert all(word in str(refused.value) for word in words.split("~"))
    located = int(refused.value.facts[-1].rpartition(":")[2])
    assert line - 1 <= located <= line


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("# T\n\n## → customer_totals\n| tier |\n| --- |", "an example has no date"),
        ("# T\nas_of: 2025-06-30\n", "says nothing of what is expected"),
        ("# T\nas_of: 2025-06-30\n## orders\n", "orders has no table"),
        (GOOD + "\n## → model_sales\n| sold |\n| --- |\n", "two tables of what is expected"),
        (GOOD + "\n| c2 | 1 | 1 | gold | null |\n", "a second table, or a row apart from its"),
    ],
)
def test_an_example_needs_its_parts(text: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(DefinitionError, match=words):
        read(text, tmp_path)


# The examples of a project


def of_project(folder: Path, setting: str | None = None) -> dict[str, tuple[Example, ...]]:
    table = {"examples": setting} if setting else {}
    return examples_of(SHOP, settings_of_file(table, folder / "pyproject.toml"))


def test_examples_are_found_by_mart_and_name(tmp_path: Path) -> None:
    assert of_project(tmp_path) == {}
    folder = tmp_path / "tests/examples"
    for name in ("b", "a"):
        (folder / "customer_totals").mkdir(parents=True, exist_ok=True)
        (folder / f"customer_totals/{name}.md").write_text(GOOD, "utf-8")
    (folder / "README.md").write_text("Nothing of examples.", "utf-8")
    found = of_project(tmp_path)
    assert {mart: [each.name for each in examples] for mart, examples in found.items()} == {
        "customer_totals": ["a", "b"]
    }
    assert of_project(tmp_path, "tests/examples").keys() == found.keys()
    (folder / "customer_totals").rename(folder / "customers")
    with pytest.raises(DefinitionError, match="in the folder customers\n") as refused:
        of_project(tmp_path)
    assert (refused.value.hint or "").endswith("examples/customer_totals/a.md")
    with pytest.raises(UsageError, match=r"tool\.marts\.examples in .* names .*/qa, which is not"):
        of_project(tmp_path, "qa")
