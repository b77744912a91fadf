"""CSV files as sources: texts that are values of a contract, and rows that are refused by line."""

from __future__ import annotations

import datetime
import gzip
from decimal import Decimal
from pathlib import Path

import pytest

from marts.core.errors import SourceError
from support.parquet_source import Source, moment

D = Decimal
DAY = datetime.date(2025, 3, 30)
FITS = [
    # in the contract, in the file, as it is read
    ("int64", "12", 12),
    ("int64", "-7", -7),
    ("int64", "+007", 7),
    ("int64", " 12 ", 12),
    ("int64", "12.00", 12),
    ("int64", str(2**63 - 1), 2**63 - 1),
    ("int64", f"{2**63 - 1}.0", 2**63 - 1),
    ("decimal(10, 2)", "1.5", D("1.50")),
    ("decimal(10, 2)", "-1.5000", D("-1.50")),
    ("decimal(10, 2)", ".5", D("0.50")),
    ("decimal(10, 2)", "7.", D("7.00")),
    ("decimal(10, 2)", "99999999.99", D("99999999.99")),
    ("float64", "0.1", 0.1),
    ("float64", "0.30000000000000004", 0.1 + 0.2),
    ("float64", "1.10", 1.1),
    ("float64", "-2.50e-3", -0.0025),
    ("float64", "1E22", 1e22),
    ("float64", "0", 0.0),
    ("float64", "9007199254740992", 2.0**53),
    ("date", "2025-03-30", DAY),
    ("date", "2025-03-30 00:00:00", DAY),
    ("date", "2025-03-30T00:00:00.000", DAY),
    ("timestamp", "2025-03-30", moment()),
    ("timestamp", "2025-03-30 01:02:03", moment(1, 2, 3)),
    ("timestamp", "2025-03-30T01:02:03.000001", moment(1, 2, 3, 1)),
    ("timestamp", "2025-03-30 01:02:03.000001000", moment(1, 2, 3, 1)),
    ("boolean", "true", True),
    ("boolean", "F", False),
    ("boolean", "1", True),
    ("boolean", "FALSE", False),
    ("string", " a,b ", " a,b "),
    ("string", "NULL", "NULL"),
    ("string", "007", "007"),
    ("string", 'say "it\'s"', 'say "it\'s"'),
    ("string", "two\nlines", "two\nlines"),
    ("string", "Grüße\t€", "Grüße\t€"),
    ("string", "\\", "\\"),
    ("string", "#no comment", "#no comment"),
]


def as_field(text: str) -> str:
    quoted = text.replace('"', '""')
    return f'"{quoted}"'


@pytest.mark.parametrize(("kind", "text", "value"), FITS)
def test_a_text_that_is_a_value_is_read(
    kind: str, text: str, value: object, tmp_path: Path
) -> None:
    (tmp_path / "s.csv").write_text(f"n,A\n1,{as_field(text)}\n2,\n", "utf-8")
    assert Source(tmp_path, {"n": "int64", "a": kind}).rows() == [(1, value), (2, None)]


DOES_NOT_FIT = [
    ("int64", "1.5"),
    ("int64", "1e3"),
    ("int64", str(2**63)),
    ("int64", "1_000"),
    ("int64", "1,000"),
    ("int64", "0x10"),
    ("int64", "٣"),
    ("int64", "n/a"),
    ("decimal(10, 2)", "1.255"),
    ("decimal(10, 2)", "1.000001"),
    ("decimal(10, 2)", "100000000"),
    ("decimal(10, 2)", "99999999.999"),
    ("decimal(10, 2)", "1,50"),
    ("decimal(10, 2)", "1e2"),
    ("decimal(10, 2)", "."),
    ("decimal(38, 0)", "1" + "0" * 38),
    ("float64", "3.141592653589793238"),
    ("float64", "9007199254740993"),
    ("float64", "1e400"),
    ("float64", "1e-400"),
    ("float64", "nan"),
    ("float64", "inf"),
    ("float64", "1,5"),
    ("date", "2025-02-30"),
    ("date", "30.03.2025"),
    ("date", "03/30/2025"),
    ("date", "20250330"),
    ("date", "2025-03-30 01:00:00"),
    ("timestamp", "2025-03-30 01:02:03.1234567"),
    ("timestamp", "2025-03-30 24:00:00"),
    ("timestamp", "2025-03-30 01:02:03+01"),
    ("timestamp", "2025-03-30 01:02:03Z"),
    ("timestamp", "infinity"),
    ("boolean", "yes"),
    ("boolean", "2"),
]


@pytest.mark.parametrize(("kind", "text"), DOES_NOT_FIT)
def test_a_text_that_is_no_value_is_refused_with_its_line(
    kind: str, text: str, tmp_path: Path
) -> None:
    (tmp_path / "s.csv").write_text(f'x,A\n"1\n\n2",\n\n3,{as_field(text)}\n', "utf-8")
    source = Source(tmp_path, {"a": kind})
    (line,) = source.describe().misfits
    assert line == (
        f"column a: expected {kind}, found text with 1 value that does not fit,"
        f" such as {text} on line 6 of {tmp_path}/s.csv"
    )
    with pytest.raises(SourceError, match="does not fit its contract"):
        source.backend.fetch(source.table, about="s")


MOMENTS = [
    ("2025-03-30T01:30:00Z", "2025-03-30 03:30:00"),
    ("2025-03-30 00:59:59.999999+00:00", "2025-03-30 01:59:59.999999"),
    ("2025-10-26 02:30:00+01", "2025-10-26 02:30:00"),
    ("2025-10-26 02:30:00 +01", None),
    ("2025-10-26 03:30:00+0200", "2025-10-26 02:30:00"),
    ("2025-10-26 03:30:00+99", None),
    ("2025-10-26 03:30:00+01:60", None),
    ("2025-10-26 03:30:00", None),
    ("2025-10-26", None),
]


@pytest.mark.parametrize(("text", "value"), MOMENTS)
def test_moments_need_an_offset_and_are_local_time_in_the_zone(
    text: str, value: str | None, tmp_path: Path
) -> None:
    (tmp_path / "s.csv").write_text(f"at\n{text}\n", "utf-8")
    source = Source(tmp_path, {"at": "timestamp"}, at="Europe/Berlin")
    if value is None:
        assert "with 1 value that does not fit" in source.describe().misfits[0]
    else:
        assert [str(at) for (at,) in source.rows()] == [value]


def test_an_empty_field_is_null_and_an_empty_text_in_quotes_is_one(tmp_path: Path) -> None:
    (tmp_path / "s.csv").write_text('n,a,b\n1,,\n2,"",""\n3,x, \n', "utf-8")
    source = Source(tmp_path, {"n": "int64", "a": "string", "b": "int64"})
    assert source.rows() == [(1, None, None), (2, "", None), (3, "x", None)]


FORMS: dict[str, bytes] = {
    "plain": b"a,b\n1,x\n2,y\n",
    "no line end": b"a,b\n1,x\n2,y",
    "CRLF": b"a,b\r\n1,x\r\n2,y\r\n",
    "byte-order mark": b"\xef\xbb\xbfa,b\n1,x\n2,y\n",
    "semicolons": b"a;b\n1;x\n2;y\n",
    "tabs": b"a\tb\n1\tx\n2\ty\n",
    "bars": b"a|b|c,d\n1|x|1,2,3\n2|y|;\n",
    "order, case, company": b'"c,d",B,A\n"1\n2",x,1\n,y,2\n',
    "blank lines": b"a,b\n\n1,x\n\n2,y\n\n",
    "quotes": b'"a","b"\n"1","x"\n"2","y"\n',
    "another column, twice": b"a,b,c,c\n1,x,,\n2,y,,\n",
    "Latin-1 elsewhere": b"a,b,c\n1,x,\xe4\n2,y,\n",
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("is_packed", [False, True], ids=["", "gz"])
def test_files_of_every_form_are_read(form: str, is_packed: bool, tmp_path: Path) -> None:
    if is_packed:
        (tmp_path / "s.csv.gz").write_bytes(gzip.compress(FORMS[form]))
    else:
        (tmp_path / "s.csv").write_bytes(FORMS[form])
    source = Source(tmp_path, {"a": "int64", "b": "string"})
    assert source.rows() == [(1, "x"), (2, "y")]
    assert source.describe().rows == 2


RAGGED: dict[str, tuple[bytes, str]] = {
    "short": (b'a,b\n"1\n",x\n2\n', "line 4 has 1 field, and the header 2"),
    "long": (b"a,b\n1,x\n2,y,z\n", "line 3 has 3 fields, and the header 2"),
    "a delimiter too many": (b"a,b\n1,x\n2,y,\n", "line 3 has 3 fields, and the header 2"),
    "a bare delimiter": (b"b,a\nx,1\nSmith, John,2\n", "line 3 has 3 fields, and the header 2"),
    "open quotes": (b'a,b\n1,x\n2,"y\n3,z\n', "line 3"),
    "text after quotes": (b'a,b\n1,"x"y\n', "line 2"),
    "Latin-1": (b"a,b\n1,x\n2,\xe4\n", "line 3 is not UTF-8"),
    "UTF-16": ("a,b\n1,x\n".encode("utf-16"), "line 1 is not UTF-8"),
    "nothing": (b"", "it has no header"),
    "blank lines": (b"\n\n", "it has no header"),
}


@pytest.mark.parametrize("form", RAGGED)
def test_a_file_that_is_not_a_table_is_refused_with_its_line(form: str, tmp_path: Path) -> None:
    text, reason = RAGGED[form]
    (tmp_path / "s.csv").write_bytes(text)
    with pytest.raises(SourceError) as caught:
        Source(tmp_path, {"a": "int64", "b": "string"}).describe()
    assert reason in str(caught.value)
    assert f"{tmp_path}/s.csv" in str(caught.value)


def test_a_blank_line_may_be_a_null_where_there_is_one_column(tmp_path: Path) -> None:
    (tmp_path / "s.csv").write_text("a\n1\n\n2\n")
    with pytest.raises(SourceError, match="2 rows, or 3: that is ambiguous"):
        Source(tmp_path, {"a": "int64"}).describe()


def test_no_file_is_read_without_the_columns(tmp_path: Path) -> None:
    (tmp_path / "s.csv").write_text("1,x\n2,y\n")
    described = Source(tmp_path, {"a": "int64", "b": "string"}).describe()
    assert tuple(described.types) == ()


def test_a_folder_of_files_that_differ(tmp_path: Path) -> None:
    folder = tmp_path / "s"
    (folder / "Region=north").mkdir(parents=True)
    (folder / "Region=south").mkdir()
    (folder / "Region=north/1.csv").write_text("a,b\n1,x\n")
    (folder / "Region=north/2.csv").write_text("more,B;A\n")
    (folder / "Region=south/3.tsv").write_text("b\tmore\tA\ny\t\t3\n")
    (folder / "Region=north/2.csv").write_text("more;B;A\n;z,z;2\n")
    source = Source(
        tmp_path, {"a": "int64", "b": "string", "where": "string"}, names={"where": "Region"}
    )
    assert source.rows() == [(1, "x", "north"), (2, "z,z", "north"), (3, "y", "south")]
    version = source.describe().version
    assert source.backend.changed_sources() == []
    (folder / "Region=south/3.tsv").write_text("b\tmore\tA\ny\t\t4\n")
    (line,) = source.backend.changed_sources()
    assert line == f"source s: {folder}/Region=south/3.tsv changed"
    again = Source(
        tmp_path, {"a": "int64", "b": "string", "where": "string"}, names={"where": "Region"}
    )
    assert again.describe().version != version


def test_many_rows_are_read_on_all_threads_as_they_are(tmp_path: Path) -> None:
    """Files of several of the parsers' blocks, with line breaks in texts."""
    with (tmp_path / "s.csv").open("w") as file:
        file.write("n,text\n")
        for number in range(400_000):
            file.write(f'{number},"{"x" * 80}\n,""{number}"""\n')
    source = Source(tmp_path, {"n": "int64", "text": "string"})
    source.backend._connection.execute("SET threads = 4")
    assert source.describe().rows == 400_000
    found = source.backend.fetch(source.table.aggregate(n=source.table.n.sum()), about="s")
    assert found == [{"n": sum(range(400_000))}]
