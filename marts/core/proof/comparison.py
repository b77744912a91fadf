"""The one comparer of tables: of two engines, or of an engine and a reference.

It owns row order, null and NaN, decimals and tolerance; when tables differ it shows the cells that
differ, then both sides and the SQL. Arrow tables need no pandas.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import isclose, isfinite, isnan
from typing import TYPE_CHECKING, Any, TypeAlias

import pyarrow as pa

from marts.core.authoring.tables import Mart
from marts.core.query.difference import ABSOLUTE, RELATIVE

if TYPE_CHECKING:
    import pandas as pd

SHOWN = 20
ROW = "row"
"""What stands for a grain where no columns name a row."""

Key: TypeAlias = tuple[Any, ...]
Row: TypeAlias = Mapping[str, Any]
Rows: TypeAlias = dict[Key, Row]
AnyTable: TypeAlias = "pa.Table | pd.DataFrame"


@dataclass(frozen=True)
class Cell:
    """A cell in which two tables differ; `key` has the values of the grain."""

    key: Key
    column: str
    actual: Any
    expected: Any

    def __str__(self) -> str:
        return (
            f"{_text(self.key)}  {self.column}: actual {self.actual!r}, expected {self.expected!r}"
        )


@dataclass(frozen=True)
class Differences:
    """What distinguishes two tables with the same columns: nothing, if it is false.

    `actual` and `expected` have their rows by the values of `grain`, in the order of these; where
    nothing differs, rows may be left out.
    """

    grain: tuple[str, ...]
    actual: Rows
    expected: Rows
    cells: tuple[Cell, ...] = ()

    @property
    def only_actual(self) -> tuple[Key, ...]:
        """The keys of rows that are missing on the other side."""
        return tuple(key for key in self.actual if key not in self.expected)

    @property
    def only_expected(self) -> tuple[Key, ...]:
        """The keys of rows that are missing on this side."""
        return tuple(key for key in self.expected if key not in self.actual)

    @property
    def keys(self) -> tuple[Key, ...]:
        """The keys of all rows that differ, each once."""
        return tuple(
            dict.fromkeys(
                [each.key for each in self.cells] + [*self.only_actual, *self.only_expected]
            )
        )

    def __bool__(self) -> bool:
        return bool(self.cells or self.only_actual or self.only_expected)


class NotComparableError(ValueError):
    """Two tables have different columns, or rows that the grain does not tell apart."""


def differences(
    actual: AnyTable,
    expected: AnyTable,
    *,
    grain: tuple[str, ...],
    tolerance: float = RELATIVE,
) -> Differences:
    """Compare two tables cell by cell, rows paired by grain, whatever their order.

    Without a grain, all rows are sorted, and the n-th of one side meets the n-th of the other.

    The kind of each value counts: a count is not a Decimal, a date not a timestamp. Decimals,
    integers, labels and dates are compared exactly, floats relative to `tolerance`; around 0 a
    difference of 1e-12 passes. Null equals null only, NaN equals NaN only, an infinity equals
    itself only.

    Raises NotComparableError if column names or their order differ, or the grain is not unique.
    """
    _refuse_other_columns(_column_names(actual), _column_names(expected))
    sides = {"actual": _rows(actual), "expected": _rows(expected)}
    if not grain:
        grain, sides = (ROW,), {side: _numbered(rows) for side, rows in sides.items()}
    for side, rows in sides.items():
        _refuse_repeated(side, rows, grain)
    left, right = (_by_grain(rows, grain) for rows in sides.values())
    cells = tuple(
        Cell(key, column, row[column], other[column])
        for key, row in left.items()
        if (other := right.get(key)) is not None
        for column in row
        if not same_value(row[column], other[column], tolerance=tolerance)
    )
    return Differences(grain, left, right, cells)


def compared_rows(mart: Mart, actual: AnyTable, expected: AnyTable) -> Differences:
    """Compare all rows in the same columns: by the mart's grain if these have it, else sorted.

    They are sorted, too, if the grain does not tell rows apart. Where two tables match as a whole,
    no single cell is looked at.
    """
    if _match(actual, expected, mart.grain):
        return Differences(mart.grain, {}, {}, ())
    has_grain = bool(mart.grain) and set(mart.grain) <= set(_column_names(expected))
    try:
        return differences(actual, expected, grain=mart.grain if has_grain else ())
    except NotComparableError:
        return differences(actual, expected, grain=())


def _match(actual: AnyTable, expected: AnyTable, grain: tuple[str, ...]) -> bool:
    """Tell whether two Arrow tables match, rows paired by a grain; False if in doubt."""
    if not (isinstance(actual, pa.Table) and isinstance(expected, pa.Table) and grain):
        return False
    columns = [[(each.name, each.type) for each in side.schema] for side in (actual, expected)]
    if columns[0] != columns[1] or not {*grain} <= {*actual.column_names}:
        return False
    if len(actual.group_by(grain).aggregate([])) != actual.num_rows:
        return False
    order = [(name, "ascending") for name in grain]
    left, right = (side.sort_by(order) for side in (actual, expected))
    return left.select(grain).equals(right.select(grain)) and all(
        map(_matches, left.columns, right.columns)
    )


def _matches(left: pa.ChunkedArray, right: pa.ChunkedArray) -> bool:
    is_float = pa.types.is_floating(left.type)
    return left.equals(right) or (
        is_float and all(map(same_value, left.to_pylist(), right.to_pylist()))
    )


def assert_same_table(
    actual: AnyTable,
    expected: AnyTable,
    *,
    grain: tuple[str, ...],
    sql: str | None = None,
    tolerance: float = RELATIVE,
) -> None:
    """Compare two tables as `differences` does; both may be Arrow tables or DataFrames.

    Raises AssertionError with the differing cells, the rows on one side only, both sides and the
    SQL; also where the columns differ, or the grain is not unique.
    """
    # Of pytest: it shows the test's own line.
    __tracebackhide__ = True
    try:
        found = differences(actual, expected, grain=grain, tolerance=tolerance)
    except NotComparableError as error:
        raise AssertionError("\n".join([str(error), *_sql_lines(sql)])) from None
    if found:
        raise AssertionError("\n".join([report(found), *_sql_lines(sql)]))


def same_value(actual: Any, expected: Any, *, tolerance: float = RELATIVE) -> bool:
    """Tell whether two cells hold the same value, of the same kind."""
    if type(actual) is not type(expected):
        return False
    if not isinstance(actual, float):
        return bool(actual == expected)
    if isfinite(actual) and isfinite(expected):
        return isclose(actual, expected, rel_tol=tolerance, abs_tol=ABSOLUTE)
    return actual == expected or (isnan(actual) and isnan(expected))


def report(found: Differences) -> str:
    """Return differences as text: the cells, the rows on one side only, and both sides."""
    lines = [f"the tables differ (rows by {', '.join(found.grain)})"]
    lines += _listing("differing cells", map(str, found.cells))
    lines += _listing("rows only in actual", map(_text, found.only_actual))
    lines += _listing("rows only in expected", map(_text, found.only_expected))
    for side, rows in (("actual", found.actual), ("expected", found.expected)):
        lines += _table_lines(side, list(rows.values()))
    return "\n".join(lines)


def _refuse_other_columns(actual: list[str], expected: list[str]) -> None:
    if actual == expected:
        return
    lines = ["the columns differ"]
    lines += [f"  only actual: {name}" for name in actual if name not in expected]
    lines += [f"  only expected: {name}" for name in expected if name not in actual]
    lines += [f"  actual: {', '.join(actual)}", f"  expected: {', '.join(expected)}"]
    raise NotComparableError("\n".join(lines))


def _refuse_repeated(side: str, rows: Sequence[Row], grain: tuple[str, ...]) -> None:
    counts = Counter(_key(row, grain) for row in rows)
    repeated = [key for key, count in counts.items() if count > 1]
    if not repeated:
        return
    lines = [f"the grain ({', '.join(grain)}) is not unique in {side}"]
    lines += [f"  {_text(key)}: {counts[key]} rows" for key in repeated[:SHOWN]]
    lines += _table_lines(side, [row for row in rows if _key(row, grain) in repeated])
    raise NotComparableError("\n".join(lines))


def _column_names(table: AnyTable) -> list[str]:
    if isinstance(table, pa.Table):
        return list(table.column_names)
    return [str(name) for name in table.columns]


def _rows(table: AnyTable) -> list[Row]:
    if isinstance(table, pa.Table):
        return list(table.to_pylist())
    import pandas as pd

    def plain(cell: Any) -> Any:
        if cell is pd.NA or cell is pd.NaT:
            return None
        # NumPy's numbers.
        return cell.item() if type(cell).__module__ == "numpy" else cell

    names = _column_names(table)
    columns = [[plain(cell) for cell in table[name].tolist()] for name in names]
    return [dict(zip(names, cells, strict=True)) for cells in zip(*columns, strict=True)]


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
