"""How DuckDB reads sources: columns by name, wider types that fit, and counted refusals."""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import ibis
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from backends.duckdb import DuckDBBackend
from backends.duckdb_connection import DuckDBOptions
from backends.duckdb_sources import shortened
from backends.duckdb_sql import compiled
from marts.core.errors import EngineError, SourceError
from marts.core.plan.state import Publication, TableState
from marts.core.run.backend import Contract
from support.workshop import shop_in

D = Decimal
DAY = datetime.date(2025, 3, 30)


def moment(hour: int = 0, minute: int = 0, second: int = 0, us: int = 0) -> datetime.datetime:
    """Return a time of day without a zone."""
    return datetime.datetime(2025, 3, 30, hour, minute, second, us)  # noqa: DTZ001


def write(path: Path, columns: Mapping[str, pa.Array | Sequence[object]], **options: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    names, arrays = list(columns), [pa.array(values) for values in columns.values()]
    pq.write_table(pa.Table.from_arrays(arrays, names=names), path, **options)


class Source:
    """One source `s` in a folder, read by a contract."""

    def __init__(self, folder: Path, columns: Mapping[str, str], **zones: str) -> None:
        self.table = ibis.table(columns, name="s")
        options = DuckDBOptions(
            database=folder / "x.duckdb", fixtures=folder, schema="gold", threads=1
        )
        contract = Contract(self.table.schema(), zones)
        self.backend = DuckDBBackend(options, sources={"s": contract}, read_only=False)

    def describe(self) -> TableState:
        """Describe it."""
        return self.backend.describe_sources(["s"])["s"]

    def rows(self) -> list[tuple[Any, ...]]:
        """Return its rows, in order, as the contract's types."""
        described = self.describe()
        assert described.misfits == ()
        assert described.types == self.table.schema()
        rows = self.backend.fetch(self.table, about="s")
        types = self.backend._connection.execute(
            f"DESCRIBE {self.backend._executed(compiled(self.table), {})}"
        ).fetchall()
        assert len(types) == len(self.table.columns)
        for _, kind, *_ in types:
            assert kind in KINDS
        return sorted(tuple(row.values()) for row in rows)


KINDS = ("BIGINT", "DOUBLE", "VARCHAR", "TIMESTAMP", "DATE", "BOOLEAN", "DECIMAL(10,2)")


def arrow(values: Sequence[object], kind: pa.DataType) -> pa.Array:
    return pa.array(values, kind)


US = moment(3, 30, 0, 1)
READ = [
    # in the file, in the contract, values as they are read
    (arrow([1, None], pa.int32()), "int64", [1, None]),
    (arrow([2**63 - 1], pa.uint64()), "int64", [2**63 - 1]),
    (arrow([255], pa.uint8()), "int64", [255]),
    (arrow([D(7), None], pa.decimal128(38, 0)), "int64", [7, None]),
    (arrow([D("7.00")], pa.decimal128(38, 2)), "int64", [7]),
    (arrow([D(-(2**63))], pa.decimal128(19, 0)), "int64", [-(2**63)]),
    (arrow([D("1.25")], pa.decimal128(38, 2)), "decimal(10, 2)", [D("1.25")]),
    (arrow([D("1.2500")], pa.decimal128(38, 4)), "decimal(10, 2)", [D("1.25")]),
    (arrow([D("1.5")], pa.decimal128(4, 1)), "decimal(10, 2)", [D("1.50")]),
    (arrow([D("99999999.99")], pa.decimal128(30, 2)), "decimal(10, 2)", [D("99999999.99")]),
    (arrow([12, None], pa.int64()), "decimal(10, 2)", [D("12.00"), None]),
    (arrow([1.5], pa.float32()), "float64", [1.5]),
    (arrow([1.5], pa.float16()), "float64", [1.5]),
    (arrow([2**53], pa.int64()), "float64", [2.0**53]),
    (arrow([7], pa.uint32()), "float64", [7.0]),
    (arrow([DAY], pa.date64()), "date", [DAY]),
    (arrow([DAY], pa.date32()), "timestamp", [moment()]),
    (arrow([moment()], pa.timestamp("ns")), "date", [DAY]),
    (arrow([moment(1)], pa.timestamp("s")), "timestamp", [moment(1)]),
    (arrow([moment(1)], pa.timestamp("ms")), "timestamp", [moment(1)]),
    (arrow([US, None], pa.timestamp("ns")), "timestamp", [US, None]),
    (arrow(["x", None], pa.large_string()), "string", ["x", None]),
    (pa.array(["x", "y", "x"]).dictionary_encode(), "string", ["x", "y", "x"]),
    (arrow(["x"], pa.string_view()), "string", ["x"]),
    (arrow([True, None], pa.bool_()), "boolean", [True, None]),
    (pa.nulls(2), "int64", [None, None]),
    (pa.nulls(1), "string", [None]),
    (pa.nulls(1), "decimal(10, 2)", [None]),
]


@pytest.mark.parametrize(
    ("column", "kind", "values"), READ, ids=[f"{c.type} for {k}" for c, k, _ in READ]
)
@pytest.mark.parametrize("statistics", [True, False], ids=["known", "unknown"])
def test_a_type_is_read_where_every_value_fits(
    column: pa.Array, kind: str, values: list[object], statistics: bool, tmp_path: Path
) -> None:
    write(
        tmp_path / "s.parquet", {"A": column, "n": range(len(column))}, write_statistics=statistics
    )
    found = Source(tmp_path, {"n": "int64", "a": kind}).rows()
    assert [value for _, value in found] == values


DO_NOT_FIT = [
    (arrow([1, 2**63, 2**64 - 1], pa.uint64()), "int64", 2, "9223372036854775808"),
    (arrow([D(2**63)], pa.decimal128(38, 0)), "int64", 1, "9223372036854775808"),
    (arrow([D("7.5"), D(8)], pa.decimal128(38, 1)), "int64", 1, "7.5"),
    (arrow([D("1.255"), D("1.250")], pa.decimal128(38, 3)), "decimal(10, 2)", 1, "1.255"),
    (arrow([D("100000000.00")], pa.decimal128(38, 2)), "decimal(10, 2)", 1, "100000000.00"),
    (arrow([D("99999999.999")], pa.decimal128(11, 3)), "decimal(10, 2)", 1, "99999999.999"),
    (arrow([2**31, 10**8], pa.int64()), "decimal(10, 2)", 2, "100000000"),
    (arrow([D(10) ** 30], pa.decimal128(38, 0)), "decimal(30, 0)", 1, f"1{'0' * 30}"),
    (arrow([2**53 + 1, 1], pa.int64()), "float64", 1, "9007199254740993"),
    (arrow([2**63 - 1], pa.int64()), "float64", 1, "9223372036854775807"),
    (arrow([moment(1), moment()], pa.timestamp("us")), "date", 1, "2025-03-30 01:00:00"),
    (arrow([1_001, 1_000], pa.timestamp("ns")), "timestamp", 1, "1970-01-01 00:00:00.000001001"),
    (arrow([106_751_992, 0], pa.date32()), "timestamp", 1, "294247-01-11"),
]


@pytest.mark.parametrize(
    ("column", "kind", "count", "example"),
    DO_NOT_FIT,
    ids=[f"{c.type} for {k}" for c, k, *_ in DO_NOT_FIT],
)
@pytest.mark.parametrize("statistics", [True, False], ids=["known", "unknown"])
def test_values_that_do_not_fit_are_counted_and_one_is_named(
    column: pa.Array, kind: str, count: int, example: str, statistics: bool, tmp_path: Path
) -> None:
    write(tmp_path / "s.parquet", {"a": column}, write_statistics=statistics)
    source = Source(tmp_path, {"a": kind})
    (line,) = source.describe().misfits
    assert line.startswith(f"column a: expected {kind}, found ")
    values = "1 value that does" if count == 1 else f"{count} values that do"
    assert line.endswith(f" with {values} not fit, such as {example}")
    with pytest.raises(SourceError, match="does not fit its contract"):
        source.backend.fetch(source.table, about="s")


UNFIT = [
    (arrow([1.5], pa.float64()), "decimal(10, 2)", "float64"),
    (arrow([1.0], pa.float64()), "int64", "float64"),
    (arrow([D("1.5")], pa.decimal128(10, 2)), "float64", "decimal(10, 2)"),
    (arrow([D(1)], pa.decimal256(50, 0)), "int64", "decimal(50, 0), which DuckDB does not read"),
    (arrow(["2025-03-30"], pa.string()), "date", "string"),
    (arrow(["1"], pa.string()), "int64", "string"),
    (arrow([1], pa.int64()), "string", "int64"),
    (arrow([b"x"], pa.binary()), "string", "binary"),
    (arrow([b"xx"], pa.binary(2)), "string", "binary"),
    (arrow([True], pa.bool_()), "int64", "boolean"),
    (arrow([1], pa.int64()), "boolean", "int64"),
    (arrow([20250330], pa.int64()), "date", "int64"),
    (arrow([1], pa.time64("us")), "timestamp", "time"),
    (arrow([[1]], pa.list_(pa.int64())), "int64", "a nested type"),
    (arrow([{"x": 1}], pa.struct({"x": pa.int64()})), "string", "a nested type"),
    (arrow([US], pa.timestamp("us", "UTC")), "timestamp", "timestamp with a zone: declare whose"),
    (arrow([US], pa.timestamp("ns", "Asia/Tokyo")), "timestamp", "timestamp with a zone in ns: "),
    (arrow([US], pa.timestamp("us", "UTC")), "date", "timestamp with a zone"),
]


@pytest.mark.parametrize(
    ("column", "kind", "found"), UNFIT, ids=[f"{c.type} for {k}" for c, k, _ in UNFIT]
)
def test_a_type_of_another_kind_is_refused(
    column: pa.Array, kind: str, found: str, tmp_path: Path
) -> None:
    write(tmp_path / "s.parquet", {"a": column})
    (line,) = Source(tmp_path, {"a": kind}).describe().misfits
    assert line.startswith(f"column a: expected {kind}, found {found}")


# Zones

# Around the hour that Berlin leaves out, and the one it has twice.
UTC = [
    datetime.datetime(2025, 3, 30, 0, 59, 59, 999_999),  # noqa: DTZ001
    datetime.datetime(2025, 3, 30, 1),  # noqa: DTZ001
    datetime.datetime(2025, 10, 26, 0, 30),  # noqa: DTZ001
    datetime.datetime(2025, 10, 26, 1, 30),  # noqa: DTZ001
    datetime.datetime(1890, 1, 1),  # noqa: DTZ001
]
BERLIN = ["2025-03-30 01:59:59.999999", "2025-03-30 03:00:00", "2025-10-26 02:30:00"]
BERLIN += ["2025-10-26 02:30:00", "1890-01-01 00:53:28"]


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        (pa.timestamp("us", "UTC"), {}),
        (pa.timestamp("us", "America/New_York"), {}),
        (pa.timestamp("ns", "UTC"), {}),
        (pa.timestamp("ns"), {"use_deprecated_int96_timestamps": True}),
    ],
    ids=["UTC", "another", "ns", "INT96"],
)
def test_moments_are_the_time_of_day_in_the_declared_zone(
    kind: pa.DataType, options: dict[str, bool], tmp_path: Path
) -> None:
    moments = pa.array(UTC, pa.timestamp("us", "UTC")).cast(kind) if kind.tz else arrow(UTC, kind)
    write(tmp_path / "s.parquet", {"at": moments, "n": range(5)}, **options)
    found = Source(tmp_path, {"n": "int64", "at": "timestamp"}, at="Europe/Berlin").rows()
    assert [str(value) for _, value in found] == BERLIN


def test_a_zone_for_what_has_none_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "s.parquet", {"at": arrow([US], pa.timestamp("us"))})
    (line,) = Source(tmp_path, {"at": "timestamp"}, at="Europe/Berlin").describe().misfits
    assert "expected timestamp with a zone, to read in Europe/Berlin, found timestamp(6)" in line


def test_digits_of_a_moment_that_would_be_cut_are_counted(tmp_path: Path) -> None:
    write(tmp_path / "s/1.parquet", {"at": arrow([1_000, 1_001, None], pa.timestamp("ns", "UTC"))})
    write(tmp_path / "s/2.parquet", {"at": arrow([-1_001], pa.timestamp("ns", "UTC"))})
    (line,) = Source(tmp_path, {"at": "timestamp"}, at="UTC").describe().misfits
    assert "with 2 values that do not fit, such as 1969-12-31 23:59:59.999998999" in line


def test_digits_of_an_int96_that_would_be_cut_are_counted(tmp_path: Path) -> None:
    """Dates far away, which fit no number of nanoseconds, are not taken for such."""
    options = {"use_deprecated_int96_timestamps": True}
    write(tmp_path / "s/1.parquet", {"at": arrow([1_001, None], pa.timestamp("ns"))}, **options)
    far = arrow([datetime.datetime(year, 12, 31) for year in (1, 9999)], pa.timestamp("us"))  # noqa: DTZ001
    write(tmp_path / "s/2.parquet", {"at": far}, **options)
    (line,) = Source(tmp_path, {"at": "timestamp"}, at="UTC").describe().misfits
    assert "with 1 value that does not fit, such as 1970-01-01 00:00:00.000001001" in line
    (tmp_path / "s/1.parquet").unlink()
    found = Source(tmp_path, {"at": "timestamp"}, at="UTC").rows()
    assert [at.year for (at,) in found] == [1, 9999]


# Names


def test_columns_are_found_by_name_whatever_case_order_and_company(tmp_path: Path) -> None:
    write(tmp_path / "s/1.parquet", {"N": [1], "extra": ["x"], "Label": ["a"]})
    write(tmp_path / "s/2.parquet", {"label": ["b"], "n": [2], "extra": [[1]], "": [0]})
    write(tmp_path / "s/3.parquet", {"EXTRA": [1.5], "LABEL": ["c"], "Extra": ["x"], "n": [3]})
    write(
        tmp_path / "s/4.parquet", {"label": pa.nulls(1), "n": arrow([D(4)], pa.decimal128(38, 0))}
    )
    write(tmp_path / "s/5.parquet", {"label": arrow([], pa.string()), "n": arrow([], pa.uint64())})
    source = Source(tmp_path, {"n": "int64", "label": "string"})
    assert source.rows() == [(1, "a"), (2, "b"), (3, "c"), (4, None)]
    assert source.describe().rows == 4


@pytest.mark.parametrize(
    "names", [("status", "STATUS"), ("Status", "sTATUS"), ("status", "status")]
)
def test_two_columns_that_match_are_refused(names: tuple[str, str], tmp_path: Path) -> None:
    pq.write_table(pa.Table.from_arrays([pa.array(["a"])] * 2, names=names), tmp_path / "s.parquet")
    (line,) = Source(tmp_path, {"status": "string"}).describe().misfits
    assert line == f"column status: found {names[0]} and {names[1]} in s.parquet"


def test_a_name_that_the_engine_would_give_away_is_refused(tmp_path: Path) -> None:
    """DuckDB calls the second of `a` and `A` `A_1`, and then `a_1` something else."""
    arrays = [pa.array([n]) for n in range(3)]
    pq.write_table(pa.Table.from_arrays(arrays, names=["a", "A", "a_1"]), tmp_path / "s.parquet")
    (line,) = Source(tmp_path, {"a_1": "int64"}).describe().misfits
    assert line == "column a_1: found a_1 and a and A in s.parquet"


def test_a_letter_that_only_looks_alike_is_another_column(tmp_path: Path) -> None:
    write(tmp_path / "s.parquet", {"\N{KELVIN SIGN}ey": [1], "n": [2]})
    described = Source(tmp_path, {"key": "int64", "n": "int64"}).describe()
    assert tuple(described.types) == ("n",)
    assert described.misfits == ()


def test_a_column_that_some_files_lack_is_refused_with_the_file(tmp_path: Path) -> None:
    write(tmp_path / "s/1.parquet", {"a": [1], "b": [1]})
    for number in (2, 3):
        write(tmp_path / f"s/{number}.parquet", {"a": [1]})
    (line,) = Source(tmp_path, {"a": "int64", "b": "int64"}).describe().misfits
    assert line == "column b: expected int64, found no such column in s/2.parquet and 1 more"


def test_each_file_is_judged_by_itself(tmp_path: Path) -> None:
    write(tmp_path / "s/1.parquet", {"a": arrow([1], pa.int8())})
    write(tmp_path / "s/2.parquet", {"a": arrow([2**64 - 1], pa.uint64())})
    write(tmp_path / "s/3.parquet", {"a": arrow([3], pa.uint64())})
    (line,) = Source(tmp_path, {"a": "int64"}).describe().misfits
    assert "uint64 with 1 value that does not fit, such as 18446744073709551615" in line
    assert "3.parquet" not in line or "s/2.parquet and 1 more" in line


def test_columns_that_nobody_declared_are_never_looked_at(tmp_path: Path) -> None:
    geometry = {"encoding": "WKB", "geometry_types": [], "crs": "?"}
    crs = json.dumps({"version": "1.1.0", "primary_column": "g", "columns": {"g": geometry}})
    table = pa.table(
        {
            "g": [b"not a geometry"],
            "a b'\"; --": [1],
            "": [1],
            "nested": [{"a": [{"n": 5}]}],
            "map": pa.array([[("n", 6)]], pa.map_(pa.string(), pa.int64())),
            "wide": arrow([D(1)], pa.decimal256(70, 3)),
            "n": [1],
            "after": [[]],
        }
    )
    pq.write_table(table.replace_schema_metadata({"geo": crs}), tmp_path / "s.parquet")
    assert Source(tmp_path, {"n": "int64"}).rows() == [(1,)]


def test_a_variant_that_nobody_declared_is_not_looked_at(tmp_path: Path) -> None:
    with duckdb.connect() as connection:
        query = "SELECT {'n': 1}::VARIANT AS v, 2 AS n, 'POINT(1 1)'::GEOMETRY AS g"
        connection.execute(f"COPY ({query}) TO '{tmp_path}/s.parquet'")
    assert Source(tmp_path, {"n": "int64"}).rows() == [(2,)]


@pytest.mark.parametrize(
    "column",
    [
        arrow([2**62], pa.timestamp("ms")),
        arrow([-(2**63)], pa.timestamp("us")),
        arrow([-(2**63)], pa.timestamp("ns")),
    ],
    ids=lambda column: str(column.type),
)
def test_statistics_out_of_range_stop_nobody_who_needs_no_such_column(
    column: pa.Array, tmp_path: Path
) -> None:
    write(tmp_path / "s.parquet", {"a": arrow([1], pa.uint64()), "unneeded": column})
    assert Source(tmp_path, {"a": "int64"}).rows() == [(1,)]
    with pytest.raises((SourceError, EngineError)) as caught:
        Source(tmp_path, {"unneeded": "timestamp"}).rows()
    assert str(caught.value).startswith("source s: cannot read column unneeded of s.parquet\n")


# Folders


def test_folders_above_a_table_never_become_columns(tmp_path: Path) -> None:
    folder = tmp_path / "n=9/label=declined"
    write(folder / "s/1.parquet", {"n": [1], "label": ["a"]})
    assert Source(folder, {"n": "int64", "label": "string"}).rows() == [(1, "a")]
    (folder / "s/1.parquet").unlink()
    write(folder / "s/1.parquet", {"n": [1]})
    assert tuple(Source(folder, {"n": "int64", "label": "string"}).describe().types) == ("n",)


def test_folders_give_a_column_that_no_file_has(tmp_path: Path) -> None:
    folders = [
        "Day=2025-03-30/label=a%2Fb",
        "Day=2025-03-31/label=it's",
        "Day=2025-04-01/label=__HIVE_DEFAULT_PARTITION__",
    ]
    for number, folder in enumerate(folders):
        kind = pa.int64() if number else pa.uint64()
        write(tmp_path / f"s/{folder}/p.parquet", {"n": arrow([number, number], kind)})
    source = Source(tmp_path, {"label": "string", "n": "int64", "day": "date"})
    days = [DAY + datetime.timedelta(days=n) for n in range(3)]
    found = source.backend.fetch(source.table.distinct().order_by("n"), about="s")
    assert [tuple(row.values()) for row in found] == [
        ("a/b", 0, days[0]),
        ("it's", 1, days[1]),
        (None, 2, days[2]),
    ]


def test_a_column_of_the_files_wins_over_the_folders(tmp_path: Path) -> None:
    write(tmp_path / "s/n=9/p.parquet", {"n": [1]})
    assert Source(tmp_path, {"n": "int64"}).rows() == [(1,)]


VALUES = [
    ("int64", "007", 7),
    ("int64", "1.5", None),
    ("int64", "9223372036854775808", None),
    ("int64", "٣", None),
    ("decimal(10, 2)", "1.50", D("1.50")),
    ("decimal(10, 2)", "1.5000", D("1.50")),
    ("decimal(10, 2)", "1.505", None),
    ("decimal(10, 2)", "100000000", None),
    ("float64", "1e3", 1000.0),
    ("float64", "nan", None),
    ("float64", "1_0", None),
    ("float64", " 1", None),
    ("float64", "0.1", 0.1),
    ("float64", "9007199254740993", None),
    ("float64", "1e-400", None),
    ("date", "2025-03-30", DAY),
    ("date", "2025-13-30", None),
    ("date", "20250330", DAY),
    ("date", "2025-W13", None),
    ("timestamp", "2025-W13", None),
    ("timestamp", "2025-03-30 01%3A02%3A03", moment(1, 2, 3)),
    ("timestamp", "2025-03-30 01%3A02%3A03.1234567", None),
    ("timestamp", "2025-03-30 01%3A02%3A03+01%3A00", None),
    ("boolean", "True", True),
    ("boolean", "1", None),
    ("string", "", ""),
    ("string", "%C3%A9%zz", "é%zz"),
    ("string", "%FF", None),
]


@pytest.mark.parametrize(("kind", "text", "value"), VALUES)
def test_a_folders_value_has_the_contracts_type(
    kind: str, text: str, value: object, tmp_path: Path
) -> None:
    write(tmp_path / f"s/a={text}/p.parquet", {"n": [1]})
    source = Source(tmp_path, {"a": kind})
    if value is not None:
        assert source.rows() == [(value,)]
        return
    (line,) = source.describe().misfits
    assert line == f"column a: expected {kind}, found the folder s/a={text}"


@pytest.mark.parametrize("other", ["s/p.parquet", "s/b=1/p.parquet", "s/a=1/a=2/p.parquet"])
def test_a_file_that_is_not_in_one_such_folder_is_named(other: str, tmp_path: Path) -> None:
    write(tmp_path / "s/a=1/p.parquet", {"n": [1]})
    write(tmp_path / other.replace("p.", "q."), {"n": [1]})
    (line,) = Source(tmp_path, {"a": "int64"}).describe().misfits
    assert line == f"column a: not one folder a=… above {tmp_path}/{other.replace('p.', 'q.')}"


# Files


def test_the_files_are_fixed_when_the_source_is_described(tmp_path: Path) -> None:
    write(tmp_path / "s/1.parquet", {"n": [1]})
    source = Source(tmp_path, {"n": "int64"})
    assert source.rows() == [(1,)]
    write(tmp_path / "s/2.parquet", {"n": [2]})
    assert source.rows() == [(1,)]
    assert source.backend.changed_sources() == []
    (tmp_path / "s/1.parquet").unlink()
    assert source.backend.changed_sources() == [f"source s: {tmp_path}/s/1.parquet is gone"]
    with pytest.raises(EngineError):
        source.backend.fetch(source.table, about="s")


def test_a_source_that_was_absent_stays_so(tmp_path: Path) -> None:
    source = Source(tmp_path, {"n": "int64"})
    assert source.backend.describe_sources(["s"]) == {}
    write(tmp_path / "s.parquet", {"n": [1]})
    assert source.backend.describe_sources(["s"]) == {}


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: write(folder / "s/2.parquet", {"n": [1]}),
        lambda folder: write(folder / "s/k=1/3.parquet", {"n": [1]}),
        lambda folder: (folder / "s/1.parquet").unlink(),
        lambda folder: write(folder / "s/1.parquet", {"n": [1]}),
        lambda folder: (folder / "s/1.parquet").rename(folder / "s/3.parquet"),
        lambda folder: (folder / "s").rename(folder / "s.parquet"),
    ],
    ids=["another file", "one deeper", "one less", "written", "renamed", "folder renamed"],
)
def test_a_version_changes_with_the_files(change: Any, tmp_path: Path) -> None:
    for number in range(2):
        write(tmp_path / f"s/{number}.parquet", {"n": [1]})
    before = Source(tmp_path, {"n": "int64"}).describe().version
    assert Source(tmp_path, {"n": "int64"}).describe().version == before
    change(tmp_path)
    assert Source(tmp_path, {"n": "int64"}).describe().version != before


def test_a_version_changes_with_how_the_files_are_read(tmp_path: Path) -> None:
    write(tmp_path / "s.parquet", {"at": arrow([US], pa.timestamp("us", "UTC"))})
    zones = [Source(tmp_path, {"at": "timestamp"}, at=zone) for zone in ("UTC", "Asia/Tokyo")]
    assert len({source.describe().version for source in zones}) == 2


def test_hundreds_of_files_are_one_short_name_for_people(tmp_path: Path) -> None:
    for number in range(300):
        write(tmp_path / f"s/{number % 7}/{number}.parquet", {"n": [number]})
    source = Source(tmp_path, {"n": "int64"})
    assert source.rows() == [(n,) for n in range(300)]
    sql = source.backend.to_sql(compiled(source.table))
    assert f"'{tmp_path}/s/**/*.parquet'" in sql
    assert sql.count(".parquet") == 1
    executed = source.backend._executed(compiled(source.table), {})
    assert executed.count(".parquet") == 300
    assert shortened(executed).count(".parquet") == 1


def test_a_view_over_a_source_reads_the_files_it_was_made_of(tmp_path: Path) -> None:
    write(tmp_path / "s/1.parquet", {"N": arrow([1], pa.uint64())})
    source = Source(tmp_path, {"n": "int64"})
    source.backend.begin("run")
    source.backend.build("v", source.table, kind="view", comment="", column_comments={})
    source.backend.publish(Publication(package="p", as_of=DAY, run_id="run"))
    write(tmp_path / "s/2.parquet", {"N": ["text"]})
    source.backend.close()
    with duckdb.connect(str(tmp_path / "x.duckdb"), read_only=True) as reader:
        assert reader.execute("FROM gold.v").fetchall() == [(1,)]


def test_a_filter_reaches_the_scan(tmp_path: Path) -> None:
    write(tmp_path / "s/1.parquet", {"N": [0, 5], "wide": arrow([D(1)] * 2, pa.decimal128(38, 0))})
    write(tmp_path / "s/2.parquet", {"N": [0, 5], "wide": [2, 2]})
    source = Source(tmp_path, {"n": "int64", "wide": "int64"})
    query = source.table.filter(source.table.n > 1).aggregate(x=source.table.wide.sum())
    sql = source.backend._executed(compiled(query), {})
    (plan,) = source.backend._connection.execute(f"EXPLAIN (FORMAT json) {sql}").fetchall()
    assert plan[1].count("N>1") == 2


def write_table(table: pa.Table, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path)


def _by_day(orders: pa.Table, folder: Path) -> None:
    for number, row in enumerate(orders.to_pylist()):
        part = pa.Table.from_pylist([row], orders.schema)
        write_table(part, folder / f"day={row['ordered_at']:%Y-%m-%d}/status=x/{number}.PARQUET")


def _wider(orders: pa.Table, folder: Path) -> None:
    wide = {"amount": pa.decimal128(38, 6), "ordered_at": pa.timestamp("ns")}
    fields = [field.with_type(wide.get(field.name, field.type)) for field in orders.schema]
    write_table(orders.cast(pa.schema(fields)), folder / "part-0.snappy.parquet")
    (folder / "_SUCCESS").touch()


def _upper_case_backwards(orders: pa.Table, folder: Path) -> None:
    names = orders.column_names[::-1]
    turned = orders.select(names).rename_columns([name.upper() for name in names])
    write_table(turned, folder / "a/b/c.pq")


LAYOUTS: dict[str, Callable[[pa.Table, Path], None]] = {
    "orders": _by_day,
    "orders.parquet": _wider,
    "ORDERS": _upper_case_backwards,
}


@pytest.mark.parametrize(("name", "make"), LAYOUTS.items(), ids=LAYOUTS)
def test_the_same_rows_lying_otherwise_give_the_same_marts(
    name: str, make: Callable[[pa.Table, Path], None], tmp_path: Path
) -> None:
    folders = tmp_path / "1", tmp_path / "amount=9/2"
    for folder in folders:
        folder.mkdir(parents=True)
    first, other = map(shop_in, folders)
    orders = pq.read_table(other.data / "orders.parquet")
    (other.data / "orders.parquet").unlink()
    make(orders, other.data / name)
    for shop in (first, other):
        report = shop.run(source_checks=True)
        assert report.status == "published", report.error
    assert other.published() == first.published()


def test_a_broken_table_that_nobody_needs_stops_nobody(tmp_path: Path) -> None:
    write(tmp_path / "s.parquet", {"n": [1]})
    (tmp_path / "other.parquet").write_bytes(b"")
    (tmp_path / "another.parquet").symlink_to("nowhere")
    (tmp_path / "S2").mkdir()
    assert Source(tmp_path, {"n": "int64"}).rows() == [(1,)]


@pytest.mark.parametrize("content", [b"", b"PAR1", b"PAR1" + b"x" * 100 + b"PAR1"])
def test_a_part_that_is_not_parquet_is_named(content: bytes, tmp_path: Path) -> None:
    write(tmp_path / "s/1.parquet", {"n": [1]})
    (tmp_path / "s/2.parquet").write_bytes(content)
    with pytest.raises(SourceError, match=r"source s: 2\.parquet is not a readable Parquet file"):
        Source(tmp_path, {"n": "int64"}).describe()


def spoil(path: Path, column: int = 0) -> None:
    """Overwrite the values of a column; the footer stays whole."""
    content, said = bytearray(path.read_bytes()), pq.read_metadata(path).row_group(0).column(column)
    first = said.dictionary_page_offset or said.data_page_offset
    content[first : first + said.total_compressed_size] = b"\xff" * said.total_compressed_size
    path.write_bytes(content)


SPOILT = [
    (pa.int64(), "int64", {}),
    (pa.uint64(), "int64", {}),
    (pa.timestamp("us"), "date", {}),
    (pa.timestamp("ns", "UTC"), "timestamp", {"a": "UTC"}),
]


@pytest.mark.parametrize(("kind", "wanted", "zones"), SPOILT, ids=[str(k) for k, *_ in SPOILT])
def test_a_part_whose_values_cannot_be_read_is_named_with_the_column(
    kind: pa.DataType, wanted: str, zones: dict[str, str], tmp_path: Path
) -> None:
    for number in (1, 2, 3):
        columns = {"n": range(100), "A": arrow([number] * 100, pa.int64()).cast(kind)}
        write(tmp_path / f"s/{number}.parquet", columns, write_statistics=False)
    spoil(tmp_path / "s/2.parquet", column=1)
    with pytest.raises((SourceError, EngineError)) as caught:
        Source(tmp_path, {"n": "int64", "a": wanted}, **zones).rows()
    first, *_, last = str(caught.value).splitlines()
    assert first == "source s: cannot read column A of 2.parquet"
    assert last == f"  {tmp_path}/s/2.parquet"


def test_a_statement_that_fails_for_another_reason_accuses_no_file(tmp_path: Path) -> None:
    write(tmp_path / "s.parquet", {"a": ["x"]})
    source = Source(tmp_path, {"a": "string"})
    with pytest.raises(EngineError, match="DuckDB could not query s"):
        source.backend.fetch(source.table.select(a=source.table.a.cast("int64")), about="s")
