"""What is written as an example is read as the same."""

from __future__ import annotations

import datetime
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from marts import (
    Table,
    boolean,
    date,
    decimal,
    float64,
    int64,
    mart,
    source,
    string,
    timestamp,
)
from marts.core.proof.example_files import example_text, write_example
from marts.core.proof.examples import (
    read_example,
)
from marts.core.proof.worlds import World
from marts.core.query.contract import schema_of
from support.examples import CHAIN, GOOD, completed, read, sold
from support.workshop import SHOP, project_of

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
