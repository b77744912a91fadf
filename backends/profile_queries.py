"""What is asked of a table to profile it, as SQL trees that DuckDB and Snowflake both take."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

import sqlglot.expressions as sge

from marts.core.run.profiling import ColumnFigures, FoundColumn, Names, TableFigures

NUMBERS = ("int64", "float64", "decimal")
TIMES = ("date", "timestamp")
UNFIT_FLOAT = 1e308
"""Beyond it are infinity and NaN, which sorts last on both engines."""
PER_COLUMN = 5
SOME_ROWS = 20_000
"""Enough rows to see that most combinations of columns are no key."""


def column(name: str) -> sge.Column:
    """Return a column as it is spelled."""
    return sge.column(name, quoted=True)


def is_number(kind: str) -> bool:
    """Tell whether a contract's type is a number."""
    return kind.partition("(")[0] in NUMBERS


def figures_query(
    table: sge.Table, columns: Iterable[FoundColumn], unfit: Mapping[str, sge.Expr]
) -> sge.Select:
    """Return one query of a table's rows and of five figures for each of its columns.

    `unfit` has the condition that holds for values that no contract takes, by column.
    """
    asked: list[sge.Expr] = [sge.Count(this=sge.Star())]
    for each in columns:
        asked += _figures(each, unfit.get(each.name))
    named = [sge.alias_(value, f"F{number}", quoted=True) for number, value in enumerate(asked)]
    return sge.select(*named).from_(table)


def _figures(found: FoundColumn, unfit: sge.Expr | None) -> list[sge.Expr]:
    value = column(found.name)
    is_ordered = is_number(found.type) or found.type in TIMES
    ends: list[sge.Expr] = [sge.Null(), sge.Null()]
    if is_ordered:
        ends = [sge.Min(this=value.copy()), sge.Max(this=value.copy())]
    if found.type in TIMES:
        ends = [sge.cast(end, "VARCHAR") for end in ends]
    bad: sge.Expr = sge.Literal.number(0)
    if found.type == "float64" and unfit is None:
        bound = sge.Literal.number(repr(UNFIT_FLOAT))
        unfit = sge.or_(
            sge.GT(this=value.copy(), expression=bound),
            sge.LT(this=value.copy(), expression=sge.Neg(this=bound.copy())),
        )
    if unfit is not None:
        bad = sge.Count(this=sge.Case(ifs=[sge.If(this=unfit, true=sge.Literal.number(1))]))
    return [
        sge.Count(this=value.copy()),
        sge.ApproxDistinct(this=value.copy()),
        *ends,
        bad,
    ]


def figures_of(row: Sequence[Any], columns: Iterable[FoundColumn]) -> TableFigures:
    """Return the figures from the one row of `figures_query`."""
    rows, found = int(row[0]), {}
    for number, each in enumerate(columns):
        first = 1 + number * PER_COLUMN
        filled, distinct, least, greatest, unfit = row[first : first + PER_COLUMN]
        found[each.name] = ColumnFigures(
            nulls=rows - int(filled),
            distinct=int(distinct or 0),
            least=_end(least, each),
            greatest=_end(greatest, each),
            unfit=int(unfit or 0),
        )
    return TableFigures(rows=rows, columns=found)


def _end(value: Any, column: FoundColumn) -> Any:
    """Return an end of a column's range; Snowflake answers whole numbers as decimals."""
    is_whole = column.type == "int64" and isinstance(value, int | Decimal)
    return int(value) if is_whole else value


def filled(columns: Names) -> sge.Expr:
    """Return the condition that none of the columns is null."""
    return sge.and_(*(sge.Not(this=sge.Is(this=column(n), expression=sge.Null())) for n in columns))


def distinct_query(table: sge.Table, columns: Names) -> sge.Select:
    """Return a query of how many different combinations of values some columns have."""
    rows = sge.select(*map(column, columns)).distinct().from_(table).where(filled(columns))
    return sge.select(sge.Count(this=sge.Star())).from_(rows.subquery("D"))


def sample_query(table: sge.Table, combinations: Collection[Names]) -> sge.Select:
    """Return a query of some rows: how many, and how many values each combination has in them.

    No column may have nulls. A combination that repeats in any rows is not a key.
    """
    names = dict.fromkeys(name for names in combinations for name in names)
    some = sge.select(*map(column, names)).from_(table).limit(SOME_ROWS).subquery("S")
    counts = [
        sge.Count(this=sge.Distinct(expressions=[column(name) for name in names]))
        for names in combinations
    ]
    asked = [sge.Count(this=sge.Star()), *counts]
    named = [sge.alias_(value, f"F{number}", quoted=True) for number, value in enumerate(asked)]
    return sge.select(*named).from_(some)


def unrepeated(row: Sequence[Any], combinations: Collection[Names]) -> list[Names]:
    """Return the combinations that do not repeat, from the one row of `sample_query`."""
    total, *counts = row
    return [names for names, count in zip(combinations, counts, strict=True) if count == total]


def values_query(table: sge.Table, name: str, limit: int) -> sge.Select:
    """Return a query of some different values of a column."""
    return sge.select(column(name)).distinct().from_(table).where(filled((name,))).limit(limit)


def contained_query(table: sge.Table, name: str, other: sge.Table, key: str) -> sge.Select:
    """Return a query of how many rows have a value, and of how many it is in a unique key."""
    v, n, k = (sge.to_identifier(each, quoted=True) for each in ("V", "N", "K"))
    counted = (
        sge.select(sge.alias_(column(name), v), sge.alias_(sge.Count(this=sge.Star()), n))
        .from_(table)
        .where(filled((name,)))
        .group_by(column(name))
        .subquery("A")
    )
    keys = sge.select(sge.alias_(column(key), k)).from_(other).subquery("B")
    rows = sge.column(n.copy(), table="A")
    is_there = sge.Not(this=sge.Is(this=sge.column(k.copy(), table="B"), expression=sge.Null()))
    there = sge.Case(ifs=[sge.If(this=is_there, true=rows.copy())], default=sge.Literal.number(0))
    same = sge.EQ(this=sge.column(v.copy(), table="A"), expression=sge.column(k.copy(), table="B"))
    return (
        sge.select(sge.Sum(this=rows), sge.Sum(this=there))
        .from_(counted)
        .join(keys, on=same, join_type="left")
    )
