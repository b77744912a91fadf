"""Tables for people: numbers to the right, floats with the digits that matter, what is left out."""

from __future__ import annotations

from decimal import Decimal

import pytest

from marts.core.console.terminal import numbers_in, rows_note, shown, table_text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.1 + 0.2, "0.3"),
        (100 / 3, "33.33333333"),
        (-2 / 3, "-0.6666666667"),
        (1e-9 / 3, "3.333333333e-10"),
        (12_345_678_901.256, "12345678901.26"),
        (1e300, "1e+300"),
        (0.0, "0.0"),
        (float("nan"), "nan"),
        (float("-inf"), "-inf"),
        (Decimal("0.1000000000000000000000001"), "0.1000000000000000000000001"),
        (None, ""),
        (True, "true"),
    ],
)
def test_a_float_is_shown_with_ten_digits_and_other_values_whole(value: object, text: str) -> None:
    assert shown(value) == text


def test_columns_of_numbers_are_found_by_their_values() -> None:
    rows: list[dict[str, object]] = [
        {"n": 1, "x": None, "d": Decimal(1), "t": "1", "b": True, "empty": None},
        {"n": None, "x": 0.5, "d": Decimal(2), "t": "2", "b": False, "empty": None},
    ]
    assert numbers_in(rows) == {0, 1, 2}
    assert numbers_in([]) == set()


def test_numbers_are_aligned_to_the_right() -> None:
    lines = table_text(["name", "n"], [["a", "5"], ["b", "1000"]], numbers={1}).splitlines()
    assert [line[-4:] for line in lines if "─" not in line] == ["   n", "   5", "1000"]


@pytest.mark.parametrize(
    ("count", "total", "note"),
    [(20, 1_990, "20 of 1,990 rows"), (0, 1, "0 of 1 row"), (3, 3, None), (0, 0, None)],
)
def test_rows_that_are_left_out_are_counted(count: int, total: int, note: str | None) -> None:
    assert rows_note(count, total) == note
