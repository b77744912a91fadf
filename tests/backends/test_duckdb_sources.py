"""How DuckDB reads sources: columns by name, wider types that fit, and counted refusals."""

from __future__ import annotations

import datetime
import json
from decimal import Decimal
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from marts.core.errors import EngineError, SourceError
from support.parquet_source import Source, arrow, moment, write

D = Decimal
DAY = datetime.date(2025, 3, 30)
US = moment(3, 30, 0, 1)
# PyArrow writes them since version 21.
VIEWS = [pa.string_view()] if int(pa.__version__.partition(".")[0]) >= 21 else []
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
    (arrow([np.float16(1.5)], pa.float16()), "float64", [1.5]),
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
    *((arrow(["x"], kind), "string", ["x"]) for kind in VIEWS),
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
    (
        arrow([US], pa.timestamp("us", "UTC")),
        "timestamp",
        "timestamp with a zone: declare the zone",
    ),
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


def test_columns_are_read_under_their_own_names(tmp_path: Path) -> None:
    """DuckDB calls the second of `a` and `A` `A_1`, and then `a_1` something else."""
    arrays = [pa.array([n]) for n in range(3)]
    write_as = {"s/1.parquet": ["a", "A", "a_1"], "s/2.parquet": ["A", "a", "a_1"]}
    for file, names in write_as.items():
        (tmp_path / "s").mkdir(exist_ok=True)
        pq.write_table(pa.Table.from_arrays(arrays, names=names), tmp_path / file)
    assert Source(tmp_path, {"a_1": "int64"}).rows() == [(2,), (2,)]
    both = Source(tmp_path, {"one": "int64", "two": "int64"}, names={"one": "a", "two": "A"})
    assert both.rows() == [(0, 1), (1, 0)]


def test_a_column_that_is_another_one_in_one_file_is_not_taken_for_it_in_the_next(
    tmp_path: Path,
) -> None:
    write(tmp_path / "s/1.parquet", {"Amount": [119]})
    write(tmp_path / "s/2.parquet", {"AMOUNT": [238]})
    source = Source(tmp_path, {"gross": "int64"}, names={"gross": "Amount"})
    assert source.rows() == [(119,), (238,)]
    write(tmp_path / "s/3.parquet", {"Amount": [357], "AMOUNT": [300]})
    (line,) = Source(tmp_path, {"gross": "int64"}, names={"gross": "Amount"}).describe().misfits
    expected = "column gross, Amount in the source: expected int64, found no such column in s/2"
    assert line.startswith(expected)


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


UNTIL_DUCKDB_2 = pytest.mark.skipif(
    not duckdb.__version__.startswith("1."), reason="DuckDB 2 reads the value as it is"
)


@pytest.mark.parametrize(
    "column",
    [
        arrow([2**62], pa.timestamp("ms")),
        pytest.param(arrow([-(2**63)], pa.timestamp("us")), marks=UNTIL_DUCKDB_2),
        pytest.param(arrow([-(2**63)], pa.timestamp("ns")), marks=UNTIL_DUCKDB_2),
    ],
    ids=lambda column: str(column.type),
)
def test_statistics_out_of_range_matter_only_if_the_column_is_read(
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
