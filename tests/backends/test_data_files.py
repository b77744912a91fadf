"""A directory of Parquet files: what a table consists of, what is refused, and its date."""

from __future__ import annotations

import datetime
import os
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from backends.data_files import changed, data_as_of, files_of, find_source, source_names
from marts.core.errors import SourceError, UsageError


def write(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix.lower() in (".csv", ".crc", ".txt", ".gz"):
            path.write_text("not Parquet", "ascii")
        else:
            pq.write_table(pa.table({"bike": ["a"]}), path)


def parts(folder: Path, name: str) -> list[str]:
    """Return the files of a table, relative to the folder of all tables."""
    table = find_source(folder, name)
    assert table is not None
    return [str(Path(file.path).relative_to(folder)) for file in files_of(table)]


@pytest.mark.parametrize(
    ("there", "read"),
    [
        (["bikes.parquet"], ["bikes.parquet"]),
        (["bikes.PARQUET"], ["bikes.PARQUET"]),
        (["BIKES.parq"], ["BIKES.parq"]),
        (["bikes/2.parquet", "bikes/1.Parquet", "bikes/3.pq"], None),
        (["bikes.parquet/part-0.snappy.parquet", "bikes.parquet/_SUCCESS"], ["bikes.parquet/part"]),
        (["bikes/1.parquet", "bikes/a/b/c/2.parquet", "bikes/y=2025/m=1/3.parquet"], None),
        (["bikes/1.parquet", "bikes/._1.parquet", "bikes/_tmp.parquet"], ["bikes/1.parquet"]),
        (["bikes/1.parquet", "bikes/.git/2.parquet", "bikes/_log/3.parquet"], ["bikes/1.parquet"]),
        (["bikes/1.parquet", "bikes/1.parquet.crc", "bikes/x.txt"], ["bikes/1.parquet"]),
        (["bikes.csv"], None),
        (["Bikes.CSV.gz"], None),
        (["bikes/1.csv", "bikes/y=2025/2.csv.gz", "bikes/3.tsv", "bikes/readme.txt"], None),
        (["bikes/part.parquet/1.parquet"], ["bikes/part.parquet/1.parquet"]),
        (["bikes/_year=2025/1.parquet", "bikes/_x/2.parquet"], ["bikes/_year=2025/1.parquet"]),
        (["bikes/1.parquet", "bikes/2.parquet.tmp", "bikes/1.PQ.bak"], ["bikes/1.parquet"]),
        (["bikes.parquet", "bikes.2024.parquet", "bikes.parquet.bak"], ["bikes.parquet"]),
        (["bikes.parquet", "bikes/readme.txt"], ["bikes.parquet"]),
        (["bikes.parquet", "_bikes/1.parquet", ".bikes.parquet"], ["bikes.parquet"]),
        (["bikes.parquet", "bikes_2.csv", "bikes_old/1.parquet"], ["bikes.parquet"]),
        (["bikes/ü [1] {a,b}*?.parquet"], ["bikes/ü [1] {a,b}*?.parquet"]),
    ],
)
def test_what_a_table_consists_of(there: list[str], read: list[str] | None, tmp_path: Path) -> None:
    write(*(tmp_path / name for name in there))
    found = parts(tmp_path, "bikes")
    expected = (
        [each for each in sorted(there) if not each.endswith("txt")] if read is None else read
    )
    assert len(found) == len(expected)
    assert all(map(str.startswith, found, expected))


@pytest.mark.parametrize(
    "there",
    [[], ["bikes/readme.txt"], ["bikes/_1.parquet"], ["bikes.txt"], ["bikes.parquet.bak"]],
)
def test_a_table_without_files_is_absent(there: list[str], tmp_path: Path) -> None:
    write(*(tmp_path / name for name in there))
    assert find_source(tmp_path, "bikes") is None


@pytest.mark.parametrize(
    "there",
    [
        ["bikes.parquet", "bikes/1.parquet"],
        ["bikes.parquet", "bikes.PARQUET"],
        ["bikes.parquet", "bikes.pq"],
        ["bikes.parquet", "Bikes.parquet"],
        ["bikes/1.parquet", "BIKES/1.parquet"],
        ["bikes/1.parquet", "bikes.parquet/1.parquet"],
        ["bikes.parquet", "bikes.csv"],
        ["bikes.csv", "bikes.csv.gz"],
        ["bikes/1.parquet", "bikes.tsv"],
    ],
)
def test_a_table_in_two_forms_is_refused_with_both(there: list[str], tmp_path: Path) -> None:
    write(*(tmp_path / name for name in there))
    with pytest.raises(SourceError) as caught:
        find_source(tmp_path, "bikes")
    places = sorted(str(tmp_path / name.removesuffix("/1.parquet")) for name in there)
    assert str(caught.value).splitlines() == [
        "bikes exists twice",
        *(f"  {place}" for place in places),
        "hint: remove one",
    ]


def _link(path: str, target: str) -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).symlink_to(target)

    return make


REFUSED = {
    "dangling file": (_link("bikes.parquet", "/nowhere/x"), "bikes.parquet", "dangling link"),
    "dangling folder": (_link("bikes", "/nowhere"), "bikes", "dangling link"),
    "dangling part": (_link("bikes/b.parquet", "gone"), "b.parquet", "dangling link"),
    "dangling folder of parts": (_link("bikes/2025", "gone"), "2025", "dangling link"),
    "link to itself": (_link("bikes.parquet", "bikes.parquet"), "bikes.parquet", "dangling link"),
    "link back": (_link("bikes/again", "."), "again", "link to a folder above"),
    "link far back": (_link("bikes/again", ".."), "again", "link to a folder above"),
    "one file twice": (_link("bikes/b.parquet", "a.parquet"), "b.parquet", "one file twice"),
    "one folder twice": (_link("bikes/c", "2024"), "c/x.parquet", "one file twice"),
    "no suffix": (lambda f: write(f / "bikes/000000_0"), "000000_0", "does not end in .parquet"),
    "another suffix": (
        lambda f: write(f / "bikes/000001_0.snappy"),
        "000001_0.snappy",
        "does not end in .parquet",
    ),
    "another format": (lambda f: (f / "bikes.ORC").touch(), "bikes.ORC", "not Parquet (.parquet,"),
    "packed": (lambda f: (f / "bikes.pq.gz").touch(), "bikes.pq.gz", "it is not Parquet (.pa"),
    "packed CSV": (lambda f: (f / "bikes.csv.bz2").touch(), "csv.bz2", "or CSV (.csv, .csv.gz,"),
    "CSV of another name": (lambda f: write(f / "bikes.1.csv"), "bikes.1.csv", "not bikes.csv"),
    "two formats": (
        lambda f: write(f / "bikes/a.parquet", f / "bikes/x.csv"),
        "x.csv",
        "bikes has Parquet and CSV files",
    ),
    "a copy": (lambda f: write(f / "bikes/a.parquet.1"), "a.parquet.1", "does not end"),
    "nothing but a copy": (lambda f: write(f / "bikes.snappy.pq"), "bikes.snappy.pq", "bikes.pq"),
    "table without suffix": (lambda f: write(f / "bikes"), "bikes", "does not end in .parquet"),
    "pipe": (lambda f: os.mkfifo(_made(f / "bikes") / "b.parquet"), "b.parquet", "is not a file"),
    "odd name": (
        lambda f: (_made(f / "bikes") / os.fsdecode(b"\xff.parquet")).touch(),
        "bikes/",
        "not UTF-8",
    ),
}


def _made(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    return folder


@pytest.mark.parametrize(("spoil", "named", "reason"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_a_part_is_refused(
    spoil: Callable[[Path], None], named: str, reason: str, tmp_path: Path
) -> None:
    write(tmp_path / "others/1.parquet")
    if reason in ("link to a folder above", "one file twice") or named in (
        "b.parquet",
        "000000_0",
        "bikes/",
    ):
        write(tmp_path / "bikes/a.parquet", tmp_path / "bikes/2024/x.parquet")
    spoil(tmp_path)
    with pytest.raises(SourceError) as caught:
        parts(tmp_path, "bikes")
    assert reason in str(caught.value)
    assert named in str(caught.value)
    assert find_source(tmp_path, "others") == tmp_path / "others"


def test_links_to_files_and_folders_elsewhere_are_data(tmp_path: Path) -> None:
    write(tmp_path / "lake/2024/1.parquet", tmp_path / "lake/2.parquet")
    folder = _made(tmp_path / "data")
    _made(folder / "bikes")
    (folder / "bikes/a").symlink_to(tmp_path / "lake/2024")
    (folder / "bikes/b.parquet").symlink_to(tmp_path / "lake/2.parquet")
    (folder / "shops").symlink_to(tmp_path / "lake")
    assert parts(folder, "bikes") == ["bikes/a/1.parquet", "bikes/b.parquet"]
    assert parts(folder, "shops") == ["shops/2.parquet", "shops/2024/1.parquet"]


def test_all_tables_are_found_by_lower_case_name(tmp_path: Path) -> None:
    write(tmp_path / "data/Bikes.parquet", tmp_path / "data/orders/1.parquet")
    (tmp_path / "data/dataset.json").touch()
    (tmp_path / "data/empty").mkdir()
    found = {name: find_source(tmp_path / "data", name) for name in source_names(tmp_path / "data")}
    assert {name: path for name, path in found.items() if path} == {
        "bikes": tmp_path / "data/Bikes.parquet",
        "orders": tmp_path / "data/orders",
    }


def test_folders_of_values_belong_to_the_files_below_alone(tmp_path: Path) -> None:
    folder = tmp_path / "status=declined"
    write(folder / "bikes/y=2025/name=a%2Fb/at=__HIVE_DEFAULT_PARTITION__/=x/1.parquet")
    (file,) = files_of(folder / "bikes")
    assert file.keys == (("y", "2025"), ("name", "a/b"), ("at", None))


@pytest.mark.parametrize(
    "change",
    [
        write,
        lambda file: file.write_bytes(file.read_bytes()),
        lambda file: file.rename(file.with_suffix(".old")),
        lambda file: (file.rename(file.with_suffix(".old")), file.mkdir()),
        lambda file: (file.rename(file.with_suffix(".x")), file.symlink_to(file.with_suffix(".x"))),
    ],
    ids=["written", "same bytes", "gone", "a folder", "a link to it"],
)
def test_files_that_changed_are_named(change: Callable[[Path], None], tmp_path: Path) -> None:
    write(tmp_path / "bikes/1.parquet", tmp_path / "bikes/2.parquet")
    files = files_of(tmp_path / "bikes")
    assert not list(changed(files))
    write(tmp_path / "bikes/3.parquet")
    assert not list(changed(files))
    change(tmp_path / "bikes/2.parquet")
    (line,) = changed(files)
    assert line.startswith(f"{tmp_path}/bikes/2.parquet ")


@pytest.mark.parametrize("name", ["missing", "a_file"])
def test_what_is_not_a_directory_is_a_usage_error(name: str, tmp_path: Path) -> None:
    (tmp_path / "a_file").touch()
    with pytest.raises(UsageError, match=f"there is no directory .*{name}"):
        find_source(tmp_path / name, "bikes")


def test_data_may_say_its_date(tmp_path: Path) -> None:
    assert data_as_of(tmp_path) is None
    (tmp_path / "dataset.json").write_text('{"as_of": "2025-06-30", "seed": 42}', "utf-8")
    assert data_as_of(tmp_path) == datetime.date(2025, 6, 30)


@pytest.mark.parametrize(
    "text",
    [
        *("", "{", "[]", "{}", '"2025-06-30"', '{"as_of": null}', '{"as_of": "30.6.2025"}', "null"),
        "[" * 100_000,
        '{"as_of": "2025-W27"}',
    ],
)
def test_a_broken_date_is_refused_with_the_form(text: str, tmp_path: Path) -> None:
    (tmp_path / "dataset.json").write_text(text, "utf-8")
    with pytest.raises(
        SourceError, match=r"dataset\.json does not state the date of the data"
    ) as caught:
        data_as_of(tmp_path)
    assert caught.value.hint == 'write {"as_of": "2025-06-30"}'


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_date_in_another_encoding_is_refused(encoding: str, tmp_path: Path) -> None:
    (tmp_path / "dataset.json").write_bytes('{"as_of": "2025-06-30"}'.encode(encoding))
    with pytest.raises(SourceError, match="does not state the date of the data"):
        data_as_of(tmp_path)


@pytest.mark.parametrize("spoil", [Path.mkdir, lambda file: file.symlink_to("nowhere")])
def test_a_date_that_cannot_be_read_is_refused(
    spoil: Callable[[Path], None], tmp_path: Path
) -> None:
    spoil(tmp_path / "dataset.json")
    with pytest.raises(SourceError, match=r"cannot read .*dataset\.json"):
        data_as_of(tmp_path)
