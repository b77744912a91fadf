"""The one comparer for tables in tests.

It owns row order, null and NaN, decimals and tolerance; when it fails it prints the
cells that differ, then both sides and the SQL.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import isclose, isfinite, isnan
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

SHOWN = 20
NEAR_ZERO = 1e-12
ROW = "row"
"""What stands for a grain where no columns name a row."""

Key = tuple[Any, ...]
Row = Mapping[str, Any]
Rows = dict[Key, Row]


@dataclass(frozen=True)
class _Difference:
    cells: Sequence[str] = field(default=())
    only_actual: Sequence[Key] = field(default=())
    only_expected: Sequence[Key] = field(default=())

    def __bool__(self) -> bool:
        return bool(self.cells or self.only_actual or self.only_expected)


def assert_same_table(
    actual: pa.Table,
    expected: pd.DataFrame | pa.Table,
    *,
    grain: tuple[str, ...],
    sql: str | None = None,
    tolerance: float = 1e-9,
) -> None:
    """Compare two tables cell by cell, rows paired by grain, whatever their order.

    Without a grain, all rows are sorted, and the n-th of one side meets the n-th of the other.

    Column names and their order must agree, and the kind of each value: a count is not
    a Decimal, a date not a timestamp. Decimals, integers, labels and dates are compared
    exactly, floats relative to `tolerance`; around 0 a difference of 1e-12 passes. Null
    equals null only, NaN equals NaN only, an infinity equals itself only.

    Raise AssertionError with the differing cells, the rows on one side only, both sides
    and the SQL; also where the grain is not unique.
    """
    _assert_same_columns(list(actual.column_names), _column_names(expected), sql)
    sides = {"actual": _rows(actual), "expected": _rows(expected)}
    if not grain:
        grain, sides = (ROW,), {side: _numbered(rows) for side, rows in sides.items()}
    for side, rows in sides.items():
        _assert_unique(side, rows, grain, sql)
    keyed = {side: _by_grain(rows, grain) for side, rows in sides.items()}
    difference = _compare(keyed["actual"], keyed["expected"], tolerance)
    if difference:
        raise AssertionError(_report(difference, keyed, grain, sql))


def same_value(actual: Any, expected: Any, *, tolerance: float = 1e-9) -> bool:
    """Tell whether two cells hold the same value, of the same kind."""
    if type(actual) is not type(expected):
        return False
    if not isinstance(actual, float):
        return bool(actual == expected)
    if isfinite(actual) and isfinite(expected):
        return isclose(actual, expected, rel_tol=tolerance, abs_tol=NEAR_ZERO)
    return actual == expected or (isnan(actual) and isnan(expected))


def _compare(actual: Rows, expected: Rows, tolerance: float) -> _Difference:
    cells = [
        f"{_text(key)}  {column}: actual {row[column]!r}, expected {other[column]!r}"
        for key, row in actual.items()
        if (other := expected.get(key)) is not None
        for column in row
        if not same_value(row[column], other[column], tolerance=tolerance)
    ]
    return _Difference(
        cells=cells,
        only_actual=[key for key in actual if key not in expected],
        only_expected=[key for key in expected if key not in actual],
    )


def _assert_same_columns(actual: list[str], expected: list[str], sql: str | None) -> None:
    if actual == expected:
        return
    lines = ["the columns differ"]
    lines += [f"  only actual: {name}" for name in actual if name not in expected]
    lines += [f"  only expected: {name}" for name in expected if name not in actual]
    lines += [f"  actual: {', '.join(actual)}", f"  expected: {', '.join(expected)}"]
    raise AssertionError("\n".join([*lines, *_sql_lines(sql)]))


def _assert_unique(side: str, rows: Sequence[Row], grain: tuple[str, ...], sql: str | None) -> None:
    counts = Counter(_key(row, grain) for row in rows)
    repeated = [key for key, count in counts.items() if count > 1]
    if not repeated:
        return
    lines = [f"the grain ({', '.join(grain)}) is not unique in {side}"]
    lines += [f"  {_text(key)}: {counts[key]} rows" for key in repeated[:SHOWN]]
    lines += _table_lines(side, [row for row in rows if _key(row, grain) in repeated])
    raise AssertionError("\n".join([*lines, *_sql_lines(sql)]))


def _column_names(table: pd.DataFrame | pa.Table) -> list[str]:
    if isinstance(table, pa.Table):
        return list(table.column_names)
    return [str(name) for name in table.columns]


def _rows(table: pd.DataFrame | pa.Table) -> list[Row]:
    if isinstance(table, pa.Table):
        return list(table.to_pylist())
    names = _column_names(table)
    columns = [[_plain(cell) for cell in table[name].tolist()] for name in names]
    return [dict(zip(names, cells, strict=True)) for cells in zip(*columns, strict=True)]


def _plain(cell: Any) -> Any:
    if cell is pd.NA or cell is pd.NaT:
        return None
    return cell.item() if isinstance(cell, np.generic) else cell


def _numbered(rows: Iterable[Row]) -> list[Row]:
    ordered = sorted(rows, key=lambda row: _order(tuple(row.values())))
    return [{ROW: number, **row} for number, row in enumerate(ordered)]


def _by_grain(rows: Iterable[Row], grain: tuple[str, ...]) -> Rows:
    keyed = {_key(row, grain): row for row in rows}
    return {key: keyed[key] for key in sorted(keyed, key=_order)}


def _key(row: Row, grain: tuple[str, ...]) -> Key:
    return tuple(row[column] for column in grain)


def _order(key: Key) -> list[tuple[str, Any]]:
    """Order by value within a kind, by kind otherwise, so that nulls are orderable."""
    return [("", 0) if cell is None else (type(cell).__name__, cell) for cell in key]


def _report(
    difference: _Difference,
    keyed: Mapping[str, Rows],
    grain: tuple[str, ...],
    sql: str | None,
) -> str:
    lines = [f"the tables differ (rows by {', '.join(grain)})"]
    lines += _listing("differing cells", difference.cells)
    lines += _listing("rows only in actual", map(_text, difference.only_actual))
    lines += _listing("rows only in expected", map(_text, difference.only_expected))
    for side, rows in keyed.items():
        lines += _table_lines(side, list(rows.values()))
    return "\n".join([*lines, *_sql_lines(sql)])


def _listing(title: str, entries: Iterable[str]) -> list[str]:
    entries = list(entries)
    if not entries:
        return []
    more = [f"  … {len(entries) - SHOWN} more"] if len(entries) > SHOWN else []
    shown = [f"  {entry}" for entry in entries[:SHOWN]]
    return [f"{title} ({len(entries)}):", *shown, *more]


def _table_lines(side: str, rows: Sequence[Row]) -> list[str]:
    shown = [", ".join(f"{name}={_cell(cell)}" for name, cell in row.items()) for row in rows]
    return _listing(f"{side}, rows", shown) or [f"{side}: no rows"]


def _sql_lines(sql: str | None) -> list[str]:
    return [] if sql is None else ["sql:", sql]


def _text(key: Key) -> str:
    return "(" + ", ".join(_cell(cell) for cell in key) + ")"


def _cell(cell: Any) -> str:
    return repr(cell) if isinstance(cell, str | float) else str(cell)
