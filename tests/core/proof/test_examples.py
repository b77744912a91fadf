"""Examples are read with lines, completed from contracts, compared, written and scored."""

from __future__ import annotations

import datetime
import itertools
from dataclasses import replace
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.duckdb_worlds import DuckDBWorlds
from marts import (
    Table,
    boolean,
    date,
    decimal,
    float64,
    int64,
    mart,
    relationship,
    source,
    string,
    timestamp,
    unique,
)
from marts.core.errors import DefinitionError, MartsError, UsageError
from marts.core.project.graph import Graph
from marts.core.project.settings import settings_of_file
from marts.core.proof.building import WorldBuilder
from marts.core.proof.example_files import example_text, write_example
from marts.core.proof.example_scores import score_examples
from marts.core.proof.examples import (
    Example,
    ExampleResult,
    examples_of,
    read_example,
    run_examples,
)
from marts.core.proof.worlds import World
from marts.core.query.contract import schema_of
from support.workshop import SHOP, project_of

PARAGRAPH = "1,200 is gold; what was cancelled does not count."
GOOD = f"""\
# A cancelled order is not paid

as_of: 2025-06-30

{PARAGRAPH}

## customers

| customer_id | name |
| ----------- | ---- |
| c1          | Ada  |

## orders

| customer_id | amount  | status    |
| ----------- | ------: | --------- |
| c1          | 1200.00 | paid      |
| c1          |    5    | cancelled |

## → customer_totals

| customer_id | orders_paid | spend   | tier | stars |
| ----------- | ----------: | ------- | ---- | ----- |
| c1          |           1 | 1200.00 | gold | null  |
"""


@pytest.fixture(scope="module")
def builder() -> WorldBuilder:
    return WorldBuilder(SHOP, DuckDBWorlds())


def read(text: str, folder: Path, graph: Graph = SHOP) -> Example:
    file = folder / "some.md"
    file.write_text(text, "utf-8")
    return read_example(file, graph.project)


def result_of(builder: WorldBuilder, example: Example) -> ExampleResult:
    (result,) = run_examples(builder, [example])
    return result


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


# A chain of tables that refer to each other.

region = source(
    "region", doc="Regions.", grain="region_id", columns=[int64("region_id"), string("name")]
)
shop = source(
    "shop",
    doc="Shops.",
    grain="shop_id",
    columns=[int64("shop_id", at_least=100), int64("region_id"), boolean("open")],
    checks=[relationship("region_id", to="region.region_id")],
)
sale = source(
    "sale",
    doc="Sales.",
    grain=("shop_id", "number"),
    columns=[
        int64("shop_id"),
        int64("number"),
        string("code", unique=True),
        string("kind", values=["retail", "online"]),
        decimal("price", 10, 2, at_least=1),
        float64("weight", at_most=-1),
        date("day"),
        timestamp("at"),
        string("note", null=True),
    ],
    checks=[relationship("shop_id", to="shop.shop_id"), unique("day", "at")],
)
rating = source(
    "rating",
    doc="Ratings, one of each shop.",
    grain="shop_id",
    columns=[int64("shop_id"), int64("stars", at_least=1, at_most=5)],
    checks=[relationship("shop_id", to="shop.shop_id", severity="warn")],
    optional=True,
)


@mart(grain=("shop_id", "number"), columns=[int64("shop_id"), int64("number")])
def sold(sale: Table, shop: Table, region: Table, rating: Table) -> Table:
    """Sales."""
    placed = sale.join(shop, "shop_id").join(region, "region_id")
    return placed.left_join(rating.select("shop_id", "stars"), "shop_id")


CHAIN = project_of(region, shop, sale, rating, sold)
END = "\n## → sold\n| number |\n| --- |\n"


def completed(tables: str, folder: Path) -> Example:
    return read(f"# T\n\nas_of: 2025-06-30\n{tables}{END}", folder, CHAIN)


def test_what_is_not_given_comes_from_the_contracts(tmp_path: Path) -> None:
    example = completed("\n## sale\n| price |\n| --- |\n| 7 |\n| 8 |\n", tmp_path)
    rows = example.world.tables["sale"].to_pylist()
    assert rows[1] == {
        "shop_id": 100,
        "number": 2,
        "code": "code_2",
        "kind": "retail",
        "price": Decimal("8.00"),
        "weight": -1.0,
        "day": datetime.date(2025, 6, 29),
        "at": datetime.datetime(2025, 6, 30),  # noqa: DTZ001
        "note": None,
    }
    assert example.world.tables["shop"].to_pylist() == [
        {"shop_id": 100, "region_id": 1, "open": True}
    ]
    assert example.world.tables["region"].to_pylist() == [{"region_id": 1, "name": "name_1"}]
    assert "rating" not in example.world.tables
    assert example.notes == (
        "region: 1 row for shop.region_id: region_id 1, name name_1",
        "shop: 1 row for sale.shop_id: shop_id 100, region_id 1, open true",
        (
            "sale: shop_id 100, number 1 … 2, code code_1 … code_2, kind retail, weight -1.0,"
            " day 2025-06-30 … 2025-06-29, at 2025-06-30 00:00:00, note null"
        ),
    )


def test_what_is_completed_passes_the_checks_of_sources(tmp_path: Path) -> None:
    given = (
        "\n## sale\n| price |\n| --- |\n| 7 |\n| 8 |\n",
        "\n## rating\n| stars |\n| --- |\n| 1 |\n| 2 |\n",
        "\n## shop\n| open |\n| --- |\n| true |\n| true |\n",
        "\n## sale\n| shop_id |\n| --- |\n| 300 |\n| 200 |\n| 300 |\n",
        "\n## shop\n| region_id |\n| --- |\n| 3 |\n\n## region\n| region_id |\n| --- |\n| 3 |\n",
    )
    builder = WorldBuilder(CHAIN, DuckDBWorlds())
    for number in range(1, 4):
        for tables in itertools.combinations(given, number):
            if len({table.split("|")[0] for table in tables}) < number:
                continue
            try:
                example = completed("".join(tables), tmp_path)
            except DefinitionError as error:
                assert "which is in no row of shop" in str(error)  # noqa: PT017
                continue
            result = result_of(builder, example)
            assert result.error is None, (tables, str(result.error))


def test_a_row_that_a_given_table_lacks_is_an_error_and_one_of_a_table_left_out_is_made(
    tmp_path: Path,
) -> None:
    sales = "\n## sale\n| shop_id |\n| --- |\n| 300 |\n"
    made = completed(sales, tmp_path).world.tables["shop"]
    assert made["shop_id"].to_pylist() == [300]
    with pytest.raises(DefinitionError) as refused:
        completed(f"{sales}\n## shop\n| shop_id |\n| --- |\n", tmp_path)
    assert "a row of sale has shop_id 300, which is in no row of shop" in str(refused.value)
    assert refused.value.facts == (f"{tmp_path / 'some.md'}:8",)
    # A relationship of which rows may lack what they refer to.
    rated = completed(
        "\n## rating\n| shop_id |\n| --- |\n| 7 |\n\n## shop\n| shop_id |\n| --- |\n", tmp_path
    )
    assert rated.world.tables["rating"]["shop_id"].to_pylist() == [7]


# Writing

KINDS = source(
    "kinds",
    doc="One column of each type.",
    grain="id",
    columns=[
        string("id"),
        string("text", null=True),
        int64("number", null=True),
        decimal("amount", 12, 3, null=True),
        float64("share", null=True),
        boolean("flag", null=True),
        date("day", null=True),
        timestamp("at", null=True),
    ],
)


@mart(grain="id", columns=KINDS.columns)
def copied(kinds: Table) -> Table:
    """All kinds."""
    return kinds


COPIES = project_of(KINDS, copied)
TEXTS = st.text(max_size=6) | st.sampled_from(
    [
        "",
        "null",
        " a",
        "a ",
        "a|b",
        "\\|",
        '"',
        '"a"',
        "\n",
        "名前",
        "e\u0301",
        "`a`",
        "---",
        "\u00a0",
    ]
)
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "id": TEXTS,
            "text": st.none() | TEXTS,
            "number": st.none() | st.integers(-(2**63), 2**63 - 1),
            "amount": st.none()
            | st.decimals(-(10**8), 10**8, places=3, allow_nan=False, allow_infinity=False),
            "share": st.none() | st.floats(allow_nan=False),
            "flag": st.none() | st.booleans(),
            "day": st.none() | st.dates(),
            "at": st.none() | st.datetimes(),
        }
    ),
    max_size=4,
)


@given(rows=ROWS, title=st.text(min_size=1).filter(str.strip))
def test_what_is_written_is_read_as_the_same(
    tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, Any]], title: str
) -> None:
    schema = schema_of(KINDS.columns).to_pyarrow()
    table = pa.Table.from_pylist(rows, schema)
    world = World({"kinds": table}, datetime.date(2025, 6, 30))
    folder = tmp_path_factory.getbasetemp() / "written"
    file = folder / "copied" / "some.md"
    write_example(file, world, copied, table, title, project=COPIES.project)
    example = read_example(file, COPIES.project)
    assert example.title == " ".join(title.split())
    assert example.world.tables == world.tables
    assert example.expected == table
    assert example.notes == ()


def test_what_is_written_is_aligned_and_leaves_out_what_is_not_asked_for(tmp_path: Path) -> None:
    example = read(GOOD, tmp_path)
    text = example_text(
        example.world,
        example.mart,
        example.expected,
        "Some orders",
        project=SHOP.project,
        columns={"orders": {"customer_id", "amount", "status"}, "customers": ()},
    )
    assert text == (
        "# Some orders\n"
        "\n"
        "as_of: 2025-06-30\n"
        "\n"
        "## customers\n"
        "\n"
        "| customer_id |\n"
        "| ----------- |\n"
        "| c1          |\n"
        "\n"
        "## orders\n"
        "\n"
        "| order_id   | customer_id |  amount | status    |\n"
        "| ---------- | ----------- | ------: | --------- |\n"
        "| order_id_1 | c1          | 1200.00 | paid      |\n"
        "| order_id_2 | c1          |    5.00 | cancelled |\n"
        "\n"
        "## → customer_totals\n"
        "\n"
        "| customer_id | orders_paid |   spend | tier | stars |\n"
        "| ----------- | ----------: | ------: | ---- | ----: |\n"
        "| c1          |           1 | 1200.00 | gold |  null |\n"
    )
    without = example_text(
        example.world,
        example.mart,
        example.expected,
        "Some orders",
        project=SHOP.project,
        columns={"orders": {"customer_id"}},
    )
    assert "## customers" not in without
    again = read(text, tmp_path)
    assert again.expected == example.expected
    assert again.world.tables["orders"] == example.world.tables["orders"]


def test_a_table_without_rows_stays_without_rows(tmp_path: Path) -> None:
    """Also if a table that is not written refers to it."""
    example = completed(
        "\n## rating\n| shop_id |\n| --- |\n| 7 |\n"
        "\n## shop\n| shop_id |\n| --- |\n"
        "\n## region\n| region_id |\n| --- |\n",
        tmp_path,
    )
    assert not example.world.tables["region"].num_rows
    file = tmp_path / "again.md"
    write = partial(
        write_example, file, example.world, sold, example.expected, "Again", project=CHAIN.project
    )
    write()
    assert read_example(file, CHAIN.project).world.tables == example.world.tables
    write(columns={"rating": ["shop_id"], "region": ["name"]})
    assert not read_example(file, CHAIN.project).world.tables["region"].num_rows


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


# Scores


def test_examples_are_scored_by_what_they_would_notice(
    tmp_path: Path, builder: WorldBuilder
) -> None:
    gold = replace(read(GOOD, tmp_path), name="gold")
    edge = GOOD.replace("1200.00", "1000.00")
    results = list(
        run_examples(
            builder,
            [
                gold,
                replace(gold, name="gold_again"),
                replace(read(edge, tmp_path), name="edge"),
                replace(read(GOOD.replace("| gold |", "| plain |"), tmp_path), name="fails"),
            ],
        )
    )
    scores = score_examples(builder, gold.mart, results)
    killed = {
        name: {(each.before, each.after) for each in mutants}
        for name, mutants in scores.killed.items()
    }
    bound = ("spend >= 1000", "spend > 1000")
    assert list(killed) == ["gold", "gold_again", "edge"]
    assert ("'gold' if spend >= 1000", "'gold?' if spend >= 1000") in killed["gold"]
    assert bound not in killed["gold"]
    assert killed["gold_again"] == set()
    assert bound in killed["edge"]
    assert scores.mutants == sum(map(len, killed.values())) + len(scores.surviving)
    assert "mean(cast(amount, float64))" in {each.before for each in scores.surviving}
    without = score_examples(builder, gold.mart, results[3:])
    assert (without.killed, without.surviving) == ({}, ())


def test_a_score_is_what_running_each_mutant_as_the_mart_gives(
    tmp_path: Path, builder: WorldBuilder
) -> None:
    example = read(GOOD, tmp_path)
    scores = score_examples(builder, example.mart, [result_of(builder, example)])
    for is_killed, mutants in ((True, scores.killed["some"]), (False, scores.surviving)):
        for mutant in mutants:
            builder.build(example.world, ["int_paid_orders"])
            builder.engine.show(example.world.tables)
            try:
                rows = builder.engine.rows(builder.engine.compile(mutant.query))
            except MartsError:
                assert is_killed
                continue
            seen = rows.select(example.expected.column_names).sort_by("customer_id")
            assert (seen.to_pylist() != example.expected.to_pylist()) == is_killed, mutant
