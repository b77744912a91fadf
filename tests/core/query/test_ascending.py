"""A key that is told to be unique by its order is unique, whatever is guessed of its values."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise, product
from pathlib import Path

import duckdb
import ibis
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from marts.core.plan.state import ColumnStatistics
from marts.core.plan.statistics import ROWS_TO_HALVE, middle_of
from marts.core.query.checks import ascending_query

GUESSES = (None, "B", "a", "", "~", "ä")


def sql(kind: str, middle: object) -> str:
    table = ibis.table({"key": kind}, name="t")
    guess = None if middle is None else ibis.literal(middle)
    return str(ibis.to_sql(ascending_query(table, "key", guess), "duckdb"))


def in_files(folder: Path, *files: Iterable[object], kind: pa.DataType) -> str:
    """Write files with two rows in a group; return what reads them in this order."""
    for number, keys in enumerate(files):
        table = pa.table({"key": pa.array(list(keys), kind)})
        pq.write_table(table, folder / f"{number}.parquet", row_group_size=2)
    return f"read_parquet('{folder}/*.parquet')"


def found(source: str, kind: str, middle: object) -> int:
    with duckdb.connect() as engine:
        engine.execute(f"CREATE VIEW t AS FROM {source}")
        ((count,),) = engine.execute(sql(kind, middle)).fetchall()
        return int(count)


def test_no_table_with_a_repeated_key_passes_and_each_that_ascends_does() -> None:
    queries = {guess: sql("string", guess) for guess in GUESSES}
    passed = set[tuple[object, ...]]()
    with duckdb.connect() as engine:
        engine.execute("CREATE TABLE t (key TEXT)")
        for size in range(4):
            # In the order of DuckDB, which compares bytes.
            for keys in product((None, "A", "B", "a", "ä"), repeat=size):
                engine.execute("DELETE FROM t")
                if keys:
                    engine.executemany("INSERT INTO t VALUES (?)", [(key,) for key in keys])
                known = [key for key in keys if key is not None]
                ascends = all(one < other for one, other in pairwise(known))
                for guess, query in queries.items():
                    ((count,),) = engine.execute(query).fetchall()
                    if not count:
                        assert len({*known}) == len(known), (keys, guess)
                        passed.add((*keys, guess))
                    if ascends and (guess is None or len(known) == len(keys)):
                        assert not count, (keys, guess)
    assert ("A", "a", "B", "B") in passed
    assert ("A", "a", "B", None) not in passed


REPEATED: dict[str, Sequence[Sequence[str]]] = {
    "in a group": [["a", "b", "c", "c", "d", "e"]],
    "across groups": [["a", "b", "b", "c", "d", "e"]],
    "across files": [["a", "b", "c"], ["c", "d", "e"]],
    "in files that overlap": [["a", "b", "d", "f"], ["c", "d", "e", "g"]],
    "in a copy of a file": [["a", "b", "c", "d"], ["a", "b", "c", "d"]],
    "at both ends": [["a", "b", "c"], ["d", "e", "a"]],
}


@pytest.mark.parametrize("guess", [None, "a", "b", "c", "d", "z"])
@pytest.mark.parametrize("files", REPEATED.values(), ids=REPEATED)
def test_a_key_that_repeats_anywhere_is_found(
    files: Sequence[Sequence[str]], guess: str | None, tmp_path: Path
) -> None:
    assert found(in_files(tmp_path, *files, kind=pa.string()), "string", guess) > 0


@pytest.mark.parametrize(
    ("kind", "name", "files", "guesses"),
    [
        (pa.string(), "string", [["A", "B", "a", "b"], ["c", "d"]], [None, "B", "a", "d", "~"]),
        (pa.string(), "string", [[]], [None, "a"]),
        (pa.int64(), "int64", [[-5, 1, 2], [10, 2**60]], [None, -5, 2, 2**60]),
        (pa.int16(), "int16", [[1, 2, 3, 4]], [None, 2, 4]),
    ],
)
def test_a_key_that_ascends_is_unique(
    kind: pa.DataType,
    name: str,
    files: Sequence[Sequence[object]],
    guesses: Sequence[object],
    tmp_path: Path,
) -> None:
    source = in_files(tmp_path, *files, kind=kind)
    assert [found(source, name, guess) for guess in guesses] == [0] * len(guesses)


def test_rows_that_wrong_statistics_hide_are_missed(tmp_path: Path) -> None:
    source = in_files(tmp_path, ["a1", "b2", "c3", "x4", "y5", "y5"], kind=pa.string())
    assert found(source, "string", "c3") == 1
    (file,) = tmp_path.iterdir()
    data = file.read_bytes()
    footer = len(data) - 8 - int.from_bytes(data[-8:-4], "little")
    # The last group seems to end before its first row.
    assert b"y5" in data[footer:]
    file.write_bytes(data[:footer] + data[footer:].replace(b"y5", b"b0"))
    with duckdb.connect() as engine:
        assert engine.execute(f"SELECT count(*) FROM {source} WHERE key > 'c3'").fetchall() == [
            (1,)
        ]
    assert found(source, "string", "c3") == 2


@pytest.mark.parametrize(
    ("kind", "nulls", "middle", "expected"),
    [
        ("string", 0, "b", "b"),
        ("string", 1, "b", None),
        ("string", None, "b", None),
        ("string", 0, None, None),
        ("int64", 0, "-12", -12),
        ("int64", 0, "1.5", None),
        ("int64", 0, "18446744073709551615", None),
        ("float64", 0, "1.5", None),
        ("decimal(10, 2)", 0, "1.50", None),
        ("date", 0, "2025-01-01", None),
    ],
)
def test_only_texts_and_whole_numbers_without_nulls_are_halved(
    kind: str, nulls: int | None, middle: str | None, expected: object
) -> None:
    known = ColumnStatistics(nulls, is_ascending=True, middle=middle)
    value = middle_of(ibis.dtype(kind), ROWS_TO_HALVE, known)
    assert (None if value is None else value.op().value) == expected
    for few in (ROWS_TO_HALVE - 1, None):
        assert middle_of(ibis.dtype(kind), few, known) is None
