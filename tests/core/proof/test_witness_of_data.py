"""A witness in somebody's data: which sources it needs, and how many rows are too many."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from marts.core.errors import SourceError, UsageError
from marts.core.operations import witness
from marts.core.operations.witness import WitnessOptions, find_witness
from marts.core.project.settings import Settings

SOURCES = """
from marts import int64, source, string

orders = source("orders", doc="Orders.", grain="n", columns=[int64("n"), int64("cents")])
visits = source("visits", doc="Visits.", grain="n", columns=[int64("n"), string("page")])
"""
LARGE = '''
from marts import Table, int64, mart


@mart(grain="n", columns=[int64("n"), int64("cents")])
def large(orders: Table) -> Table:
    """Large orders."""
    return orders.filter(orders.cents >= {least})
'''


@pytest.fixture
def settings(write_package: Callable[..., str], tmp_path: Path) -> Settings:
    """Return the settings of a project with data of one of its sources."""
    package = write_package(sources=SOURCES, large=LARGE.format(least=500))
    (tmp_path / "before.py").write_text(LARGE.format(least=501), "utf-8")
    (tmp_path / "data").mkdir()
    rows = [{"n": n, "cents": 100 * n} for n in range(10)]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "data/orders.parquet")
    return Settings(
        package=package,
        folder=tmp_path,
        data=tmp_path / "data",
        given=frozenset({"data"}),
    )


def options(settings: Settings) -> WitnessOptions:
    return WitnessOptions(against=str(settings.folder / "before.py"), seconds=60)


def test_a_source_that_the_mart_does_not_read_may_be_absent(settings: Settings) -> None:
    found = find_witness(settings, "large", options(settings)).comparison.witness
    assert found is not None
    assert found.world.origin == str(settings.data)
    assert {n: t.to_pylist() for n, t in found.world.tables.items()} == {
        "orders": [{"n": 1, "cents": 500}]
    }


def test_data_that_do_not_fit_are_refused(settings: Settings) -> None:
    assert settings.data is not None
    (settings.data / "orders.parquet").unlink()
    pq.write_table(pa.table({"n": [1], "page": ["/"]}), settings.data / "visits.parquet")
    with pytest.raises(SourceError, match="the sources do not fit their contracts"):
        find_witness(settings, "large", options(settings))


def test_more_rows_than_fit_are_refused(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(witness, "MOST_ROWS", 9)
    with pytest.raises(UsageError, match="data has 10 rows; a witness is looked for in at most 9"):
        find_witness(settings, "large", options(settings))
