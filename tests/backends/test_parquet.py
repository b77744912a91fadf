"""A directory of Parquet files: both layouts, and its date."""

from __future__ import annotations

import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from backends.parquet import data_as_of, files_of, find_sources
from marts.core.errors import SourceError, UsageError


def write(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.table({"bike": ["a"]}), path)


def test_a_table_is_a_file_or_a_folder_of_files(tmp_path: Path) -> None:
    write(tmp_path / "bikes.parquet", tmp_path / "orders/1.parquet", tmp_path / "orders/2.parquet")
    (tmp_path / "dataset.json").touch()
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes/readme.txt").touch()
    found = find_sources(tmp_path)
    assert set(found) == {"bikes", "orders"}
    assert files_of(found["bikes"]) == [tmp_path / "bikes.parquet"]
    assert files_of(found["orders"]) == [
        tmp_path / "orders/1.parquet",
        tmp_path / "orders/2.parquet",
    ]


def test_paths_are_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "data/bikes.parquet")
    monkeypatch.chdir(tmp_path)
    assert find_sources(Path("data")) == {"bikes": str(tmp_path / "data/bikes.parquet")}


def test_a_table_in_both_forms_is_refused_with_both(tmp_path: Path) -> None:
    write(tmp_path / "bikes.parquet", tmp_path / "bikes/1.parquet")
    with pytest.raises(SourceError) as caught:
        find_sources(tmp_path)
    assert str(caught.value).splitlines() == [
        "bikes is there twice",
        f"  {tmp_path}/bikes.parquet",
        f"  {tmp_path}/bikes/*.parquet",
        "hint: remove one",
    ]


@pytest.mark.parametrize("name", ["missing", "a_file"])
def test_what_is_no_directory_is_the_callers_slip(name: str, tmp_path: Path) -> None:
    (tmp_path / "a_file").touch()
    with pytest.raises(UsageError, match=f"there is no directory .*{name}"):
        find_sources(tmp_path / name)


def test_an_empty_directory_has_no_tables(tmp_path: Path) -> None:
    assert find_sources(tmp_path) == {}


def test_data_may_say_its_date(tmp_path: Path) -> None:
    assert data_as_of(tmp_path) is None
    (tmp_path / "dataset.json").write_text('{"as_of": "2025-06-30", "seed": 42}', "utf-8")
    assert data_as_of(tmp_path) == datetime.date(2025, 6, 30)


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "{}", '"2025-06-30"', '{"as_of": null}', '{"as_of": "30.6.2025"}', "null"],
)
def test_a_broken_date_is_refused_with_the_form(text: str, tmp_path: Path) -> None:
    (tmp_path / "dataset.json").write_text(text, "utf-8")
    with pytest.raises(SourceError, match=r"dataset\.json does not say the data's date") as caught:
        data_as_of(tmp_path)
    assert caught.value.hint == 'as {"as_of": "2025-06-30"}'


def test_a_date_in_another_encoding_is_refused(tmp_path: Path) -> None:
    (tmp_path / "dataset.json").write_bytes('{"as_of": "2025-06-30"}'.encode("utf-16"))
    with pytest.raises(SourceError, match="does not say the data's date"):
        data_as_of(tmp_path)
