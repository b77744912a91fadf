"""Values as text: exact in JSON, harmless in a spreadsheet, visible on a terminal."""

from __future__ import annotations

import csv
import datetime
import io
import json
import math
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marts.core.run.formats import ascii_json, cell, csv_lines, harmless, json_text, visible

DECIMALS = st.decimals(allow_nan=False, allow_infinity=False, places=4)
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


def exactly(text: str) -> Any:
    """Read JSON, its numbers with all their digits."""
    return json.loads(text, parse_float=Decimal, parse_int=Decimal)


@pytest.mark.parametrize(
    "number",
    ["9007199254740993.00", "0.10", "-12345678901234567890123456.78", "1E+3", "1E-10", "0.00"],
)
def test_money_keeps_all_its_digits_wherever_it_is(number: str) -> None:
    value = Decimal(number)
    for document in (value, [value], {"pay": [{"euro": value}]}):
        text = json_text(document)
        assert exactly(text) == document
        assert f"{value:f}" in text


@given(DECIMALS)
def test_any_decimal_is_read_back_as_it_was(value: Decimal) -> None:
    assert exactly(json_text([value])) == [value]
    assert Decimal(cell(value)) == value


def written(value: Any) -> Any:
    """Return a document with the floats that are too large for JSON as the texts they become."""
    match value:
        case dict():
            return {key: written(each) for key, each in value.items()}
        case list():
            return [written(each) for each in value]
        case float() if math.isinf(value):
            return "Infinity" if value > 0 else "-Infinity"
        case _:
            return value


@given(PLAIN)
def test_a_document_without_decimals_is_what_the_standard_library_reads(document: Any) -> None:
    for text in (json_text(document), json_text(document, indent=0)):
        assert json.loads(text) == written(document)
        assert json.loads(ascii_json(text)) == json.loads(text)
        assert ascii_json(text).isascii()
    assert "\n" not in json_text(document, indent=0)


def test_it_looks_as_the_standard_library_prints_it() -> None:
    document = {"a": [], "b": {}, "c": [1, [2, {"x": None}]], "d": "é", "e": 1.5, "f": True}
    assert json_text(document) == json.dumps(document, indent=2, ensure_ascii=False)
    assert json_text(document, indent=0) == json.dumps(document, ensure_ascii=False)


@pytest.mark.parametrize(
    ("value", "found", "in_a_cell"),
    [
        (float("nan"), "NaN", "nan"),
        (float("-inf"), "-Infinity", "-inf"),
        (Decimal("NaN"), "NaN", "NaN"),
        (datetime.date(2025, 6, 30), "2025-06-30", "2025-06-30"),
        (
            datetime.datetime(2025, 6, 30, 1, 2, 3),  # noqa: DTZ001
            "2025-06-30T01:02:03",
            "2025-06-30 01:02:03",
        ),
        (datetime.timedelta(days=-1, microseconds=-500_000), "-P1DT0.5S", "-P1DT0.5S"),
        (b"\x00\xff", "00ff", "00ff"),
        (UUID(int=1), str(UUID(int=1)), str(UUID(int=1))),
        (None, None, ""),
        (True, True, "true"),
        ([1, Decimal("1.10")], [1, 1.1], "[1, 1.10]"),
        ({"a": None, 1: (2,)}, {"a": None, "1": [2]}, '{"a": null, "1": [2]}'),
    ],
)
def test_what_json_and_a_cell_make_of_values(value: object, found: Any, in_a_cell: str) -> None:
    assert json.loads(json_text(value)) == found
    assert cell(value) == in_a_cell


HOSTILE = "\x00\x07\x1b\x7f\x85\x9b\u202e\u2066\u2028"


def test_json_escapes_what_a_terminal_obeys_and_loses_nothing() -> None:
    text = json_text({HOSTILE: [HOSTILE, "\udc80"]})
    assert not set(HOSTILE) & set(text)
    assert json.loads(text) == {HOSTILE: [HOSTILE, "\udc80"]}
    text.encode("utf-8")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("\x1b[2J", r"\x1b[2J"),
        ("\x1b]0;title\x07", r"\x1b]0;title\x07"),
        ("\x9b31m", r"\x9b31m"),
        ("a\x7f\x08b", r"a\x7f\x08b"),
        ("a\r\nb\tc", r"a\r\nb\tc"),
        ("user\u202eexe.txt", r"user\u202eexe.txt"),
        ("Zoë, 漢字, عربى, 🙂", "Zoë, 漢字, عربى, 🙂"),
    ],
)
def test_what_a_terminal_would_obey_is_written_out(text: str, found: str) -> None:
    assert visible(text) == found


def test_lines_of_a_message_stay() -> None:
    assert visible("one\ntwo\r", keep="\n\t") == "one\ntwo\\r"


@pytest.mark.parametrize(
    "text",
    [
        *("=1+1", "+1", "-1", "@SUM(1)", "\t=1", "\r=1", "\n=1", " =1", "\u00a0=1", "\ufeff=1"),
        *("＝1", "＋1", "－1", "＠x", "=cmd|' /C calc'!A0", "-2+3", "- none"),  # noqa: RUF001
    ],
)
def test_a_text_that_would_be_a_formula_is_none(text: str) -> None:
    assert harmless(text) == f"'{text}"


@pytest.mark.parametrize(
    "value",
    [-1, Decimal("-1.50"), -1.5, None, "", "a=1", "1-2", "'=1", "x@y.org", datetime.date.min],
)
def test_what_is_not_a_formula_stays(value: object) -> None:
    assert harmless(value) is value


@given(st.text())
def test_no_text_begins_a_cell_as_a_formula(text: str) -> None:
    lines = "".join(csv_lines([[text, "x"]], safe=True))
    (row,) = csv.reader(io.StringIO(lines, newline=""))
    assert row[0] in (text, f"'{text}")
    assert row[0].lstrip()[:1] not in tuple("=+-@＝＋－＠")  # noqa: RUF001


@given(st.lists(st.text(), min_size=1))
def test_csv_is_read_back_as_it_was(row: list[str]) -> None:
    lines = "".join(csv_lines([row, row], safe=False))
    assert list(csv.reader(io.StringIO(lines, newline=""))) == [row, row]
