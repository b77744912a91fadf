"""What an example does not give comes from the contracts."""

from __future__ import annotations

import datetime
import itertools
from decimal import Decimal
from pathlib import Path

import pytest

from backends.duckdb_worlds import DuckDBWorlds
from marts.core.errors import DefinitionError
from marts.core.proof.building import WorldBuilder
from support.examples import CHAIN, completed, result_of


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
