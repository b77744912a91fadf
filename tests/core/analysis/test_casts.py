"""Casts: which keep every value, and which keep different values apart."""

from __future__ import annotations

import ibis.expr.datatypes as dt
import pytest

from marts.core.analysis.casts import is_injective, keeps_values

KEPT = [
    ("int32", "int64"),
    ("int64", "decimal(38, 0)"),
    ("decimal(10, 2)", "decimal(18, 4)"),
    ("decimal", "decimal"),
    ("float32", "float64"),
    ("string", "!string"),
    ("timestamp(3)", "timestamp"),
    ("timestamp('UTC')", "timestamp('UTC')"),
    ("array<int32>", "array<int64>"),
    ("map<string, int32>", "map<string, int64>"),
    ("struct<a: int32>", "struct<a: int64>"),
]
APART = [("int64", "string"), ("date", "timestamp"), ("date", "string")]
CHANGED = [
    ("decimal(10, 2)", "decimal(10, 1)"),
    ("decimal", "decimal(10, 2)"),
    ("float64", "float32"),
    ("float64", "int64"),
    # Local times repeat an hour in autumn.
    ("timestamp('UTC')", "timestamp"),
    ("timestamp", "timestamp('Europe/Berlin')"),
    ("timestamp('UTC')", "timestamp('Europe/Berlin')"),
    ("timestamp(9)", "timestamp"),
    ("timestamp", "timestamp(3)"),
    ("timestamp", "date"),
    ("array<float64>", "array<int64>"),
    ("array<int64>", "array<string>"),
    ("map<string, float64>", "map<string, int64>"),
    ("struct<a: float64>", "struct<a: int64>"),
    ("struct<a: int64, b: int64>", "struct<a: int64>"),
    ("interval('D')", "interval('M')"),
    ("string", "int64"),
]


@pytest.mark.parametrize(("found", "to"), [*KEPT, *APART, *CHANGED])
def test_a_cast_keeps_values_keeps_them_apart_or_changes_them(found: str, to: str) -> None:
    types = dt.dtype(found), dt.dtype(to)
    assert keeps_values(*types) == ((found, to) in KEPT)
    assert is_injective(*types) == ((found, to) not in CHANGED)
