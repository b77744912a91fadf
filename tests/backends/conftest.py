"""Fixtures of the engines' tests: a folder of data, and DuckDB opened on it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from backends.duckdb import DuckDBBackend
from support.bikes_on_duckdb import opened, write


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder of Parquet files with one bike."""
    folder = tmp_path / "data"
    folder.mkdir()
    write(folder / "bikes.parquet", bike=["a"])
    return folder


@pytest.fixture
def backend(tmp_path: Path, folder: Path) -> Iterator[DuckDBBackend]:
    """Return a backend that can write, with nothing published."""
    with closing(opened(tmp_path / "marts.duckdb", folder)) as backend:
        yield backend
