"""How the values of a mart's main columns are distributed: two statements for each mart, at most.

The main columns are those of declared labels and of flags, then numbers, then dates. Keys are not
among them, and never personal data. Of texts, only declared labels are read.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

import ibis
import ibis.expr.types as ir

from marts.core.analysis.column_lineage import Copies
from marts.core.analysis.lineage import Name
from marts.core.authoring.checks import RelationshipCheck
from marts.core.authoring.columns import Column, type_of
from marts.core.authoring.tables import Mart, Source, checks_of
from marts.core.catalog.pages import Bar, Distribution
from marts.core.catalog.scales import Scale, scale_of_months, scale_of_numbers
from marts.core.project.graph import Graph
from marts.core.query.contract import schema_of

MOST_COLUMNS = 12
"""Of how many columns of a mart the distribution is shown."""
MOST_LABELS = 20
LOW, HIGH = 0.01, 0.99
"""The share of rows below, and not above, the ranges: outliers would make these too wide."""
LEAST, GREATEST = -(2**63), 2**63 - 1
OTHERS = "other values"
ROWS = "rows"

Kind = Literal["labels", "numbers", "dates"]
Fetch = Callable[[ir.Table], Sequence[Mapping[str, Any]]]
"""Runs a query over the bare names of published marts."""


@dataclass(frozen=True)
class Counted:
    """The rows of a mart, and the distributions of its main columns."""

    rows: int
    distributions: tuple[Distribution, ...]


def key_columns(graph: Graph, copies: Mapping[str, Copies]) -> frozenset[Name]:
    """Return the columns that identify rows: keys, references to keys, and copies of either.

    `copies` are those of each mart's query.
    """
    project, found = graph.project, set[Name]()
    marts = [project.marts[name] for name in graph.order]
    tables: list[Source | Mart] = [*project.sources.values(), *marts]
    for table in tables:
        own = {(table.name, name) for name in _keys_of(table)}
        if table.name in project.marts:
            of_mart = copies[table.name]
            own |= {(table.name, name) for name in of_mart if of_mart[name] & found}
        found |= own
    return frozenset(found)


def _keys_of(table: Source | Mart) -> Iterator[str]:
    if len(table.grain) == 1:
        yield table.grain[0]
    yield from (column.name for column in table.columns if column.unique)
    for check in checks_of(table):
        if isinstance(check, RelationshipCheck):
            yield check.column


def main_columns(mart: Mart, keys: Collection[Name]) -> tuple[tuple[Column, Kind], ...]:
    """Return the columns of which the distribution is shown, and what each holds.

    The mart has the marks of personal data that its columns inherit.
    """
    found: dict[Kind, list[Column]] = {"labels": [], "numbers": [], "dates": []}
    for column in mart.columns:
        kind = _kind(column)
        is_key = (mart.name, column.name) in keys or column.name in mart.grain
        if kind and not is_key and not column.personal:
            found[kind].append(column)
    pairs = [(column, kind) for kind, columns in found.items() for column in columns]
    return tuple(pairs[:MOST_COLUMNS])


def _kind(column: Column) -> Kind | None:
    kind = type_of(column.type)
    if column.values or kind.is_boolean():
        return "labels"
    if kind.is_numeric():
        return "numbers"
    return "dates" if kind.is_date() or kind.is_timestamp() else None


def counted(mart: Mart, columns: Sequence[tuple[Column, Kind]], fetch: Fetch) -> Counted:
    """Count the rows of a published mart by the values of some columns.

    The second statement counts everything, so that bars and nulls add up to the rows.
    """
    table = ibis.table(schema_of(mart.columns), name=mart.name)
    if by := _label_of_rows(mart):
        return _amounts(table, by, [c for c, kind in columns if kind == "numbers"], fetch)
    scales = _scales(table, columns, fetch)
    bars = {
        column.name: _labels(table, column)
        if kind == "labels"
        else _ranges(_amount(table, column, kind), scales[column.name])
        for column, kind in columns
        if kind == "labels" or column.name in scales
    }
    (row,) = fetch(table.aggregate(**{ROWS: table.count()}, **_counts(table, bars)))
    kinds = {column.name: kind for column, kind in columns}
    found = [
        Distribution(
            column=name,
            kind=kinds[name],
            bars=_shown(these, [int(row[f"c{n}_{m}"]) for m, _ in enumerate(these)], kinds[name]),
            nulls=int(row[f"n{n}"]),
        )
        for n, (name, these) in enumerate(bars.items())
    ]
    return Counted(int(row[ROWS]), tuple(filter(_says_something, found)))


def _label_of_rows(mart: Mart) -> Column | None:
    """Return the column of labels of which each row of a mart has another, if it has one."""
    if len(mart.grain) != 1:
        return None
    (found,) = (column for column in mart.columns if column.name in mart.grain)
    return found if 0 < len(found.values) <= MOST_LABELS and not found.personal else None


def _amounts(table: ir.Table, by: Column, columns: Sequence[Column], fetch: Fetch) -> Counted:
    """Return the numbers of each label's row: there are too few rows for ranges."""
    amounts = {f"n{n}": table[c.name].cast("float64") for n, c in enumerate(columns)}
    labels = ibis.ifelse(table[by.name].isin(by.values), table[by.name], OTHERS)
    rows = fetch(table.select(label=labels, **amounts).order_by("label").limit(MOST_LABELS))
    found = [
        Distribution(
            column=column.name,
            kind="amounts",
            bars=tuple(
                Bar(label=str(row["label"]), rows=1, amount=value)
                for row in rows
                if (value := row[f"n{n}"]) is not None and math.isfinite(value)
            ),
            nulls=sum(row[f"n{n}"] is None for row in rows),
        )
        for n, column in enumerate(columns)
    ]
    return Counted(len(rows), tuple(each for each in found if each.bars))


@dataclass(frozen=True)
class _Asked:
    """A bar before it is counted: its label, and which rows it has.

    One that is `outside` the labels or ranges is shown only if it has rows.
    """

    label: str
    rows: ir.BooleanValue
    is_outside: bool = False


Bars = Sequence[_Asked]


def _counts(table: ir.Table, bars: Mapping[str, Bars]) -> dict[str, ir.Scalar]:
    counts: dict[str, ir.Scalar] = {}
    for n, (name, these) in enumerate(bars.items()):
        counts[f"n{n}"] = table.count(where=table[name].isnull())
        counts |= {f"c{n}_{m}": table.count(where=bar.rows) for m, bar in enumerate(these)}
    return counts


def _scales(
    table: ir.Table, columns: Sequence[tuple[Column, Kind]], fetch: Fetch
) -> dict[str, Scale]:
    """Return the ranges of numbers and dates; none for a column without finite values."""
    amounts = {c.name: _amount(table, c, kind) for c, kind in columns if kind != "labels"}
    if not amounts:
        return {}
    bounds = {
        f"{word}{n}": amount.cast("float64").approx_quantile(share)
        for n, amount in enumerate(amounts.values())
        for word, share in (("low", LOW), ("high", HIGH))
    }
    (row,) = fetch(table.aggregate(**bounds))
    kinds = {column.name: (kind, type_of(column.type)) for column, kind in columns}
    found = {}
    for n, name in enumerate(amounts):
        low, high = row[f"low{n}"], row[f"high{n}"]
        if low is None or high is None or not (math.isfinite(low) and math.isfinite(high)):
            continue
        kind, of_type = kinds[name]
        found[name] = (
            scale_of_months(low, high)
            if kind == "dates"
            else scale_of_numbers(low, high, is_whole=of_type.is_integer())
        )
    return found


def _amount(table: ir.Table, column: Column, kind: Kind) -> ir.NumericValue:
    value = table[column.name]
    if kind == "dates":
        return value.year() * 12 + (value.month() - 1)
    # Engines compare decimals of many digits with floats in different ways.
    return value if type_of(column.type).is_integer() else value.cast("float64")


def _labels(table: ir.Table, column: Column) -> Bars:
    value = table[column.name]
    if not column.values:
        return [_Asked("true", value), _Asked("false", ~value)]
    others = _Asked(OTHERS, value.notnull() & value.notin(column.values), is_outside=True)
    return [*(_Asked(label, value == label) for label in column.values), others]


def _ranges(amount: ir.NumericValue, scale: Scale) -> Bars:
    is_whole = amount.type().is_integer()
    # The last range may end beyond the greatest number of the type.
    bounds = [
        max(LEAST, min(GREATEST, int(bound))) if is_whole else float(bound)
        for bound in scale.bounds
    ]
    ranges = [(amount >= low) & (amount < high) for low, high in pairwise(bounds)]
    return [
        _Asked(scale.below, amount < bounds[0], is_outside=True),
        *map(_Asked, scale.labels, ranges),
        _Asked(scale.above, amount >= bounds[-1], is_outside=True),
    ]


def _shown(asked: Bars, rows: Sequence[int], kind: Kind) -> tuple[Bar, ...]:
    """Return the bars, without empty ones for outliers, and with the most frequent labels."""
    bars = [(Bar(label=each.label, rows=n), each) for each, n in zip(asked, rows, strict=True)]
    labels = [bar for bar, each in bars if not each.is_outside]
    if kind != "labels" or len(labels) <= MOST_LABELS:
        return tuple(bar for bar, each in bars if bar.rows or not each.is_outside)
    labels.sort(key=lambda bar: -bar.rows)
    shown = labels[:MOST_LABELS]
    others = sum(rows) - sum(bar.rows for bar in shown)
    return (*shown, *([Bar(label=OTHERS, rows=others)] if others else []))


def _says_something(found: Distribution) -> bool:
    return found.kind == "labels" or len([bar for bar in found.bars if bar.rows]) > 1
