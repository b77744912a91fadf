"""Complete the tables of an example: rows and columns that are not given come from the contracts.

What is given stays. A column that is not given is null if it may be; else it refers to the first
row of the table that its relationship names, has the first of its values, or else 0, true, the
example's date, or its own name with the number of the row; of a key, each row has another value.
A source that is not given has the rows that others refer to, and is empty otherwise.
"""

from __future__ import annotations

import datetime
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pyarrow as pa

from marts.core.authoring.checks import RelationshipCheck, UniqueCheck
from marts.core.authoring.columns import Column
from marts.core.authoring.tables import Source
from marts.core.errors import DefinitionError
from marts.core.proof.example_cells import arrow_type, written
from marts.core.query.contract import schema_of

Row = dict[str, Any]


@dataclass(frozen=True)
class Given:
    """The rows of a source that are given, in some of its columns, and where each row is."""

    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    locations: tuple[str, ...] = ()


@dataclass(frozen=True)
class Completed:
    """The tables of all sources, and a line for each source of which something was completed."""

    tables: Mapping[str, pa.Table]
    notes: tuple[str, ...]


def completed(
    sources: Mapping[str, Source], given: Mapping[str, Given], as_of: datetime.date
) -> Completed:
    """Return the tables of an example; optional sources that nothing needs are absent.

    Raises DefinitionError for a given row that refers to a row which a given table lacks, and for
    a key of which there are too few values.
    """
    completion = _Completion(sources, given, as_of)
    for name in given:
        completion.complete(name)
    return Completed(completion.tables(), tuple(completion.notes()))


@dataclass
class _Completion:
    sources: Mapping[str, Source]
    given: Mapping[str, Given]
    as_of: datetime.date
    rows: dict[str, list[Row]] = field(default_factory=dict)
    """The complete rows of each source, as far as they are."""
    reasons: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    """Why a source that is not given has rows."""
    _begun: set[str] = field(default_factory=set)

    def tables(self) -> dict[str, pa.Table]:
        return {
            name: pa.Table.from_pylist(
                self.rows.get(name, []), schema_of(source.columns).to_pyarrow()
            )
            for name, source in self.sources.items()
            if name in self.rows or not source.optional
        }

    def complete(self, name: str) -> None:
        """Complete the given rows of a source, after those of the sources that it refers to."""
        if name in self._begun:
            return
        self._begun.add(name)
        for check in _relationships(self.sources[name], self.sources):
            if check.to_table in self.given:
                self.complete(check.to_table)
        given, done = self.given[name], self.rows.setdefault(name, [])
        for number, row in enumerate(given.rows):
            location = given.locations[number] if given.locations else ""
            self._refer(name, row, location)
            done.append(self._completed_row(name, row))

    def _refer(self, name: str, row: Row, location: str) -> None:
        """Let the rows exist that a row refers to."""
        for check in _relationships(self.sources[name], self.sources):
            value = row.get(check.column)
            if value is None or check.to_table == name:
                continue
            if check.to_table not in self.given:
                self._parent(check, name, value)
            elif _must_hold(check) and not self._has(check.to_table, check.to_column, value):
                raise DefinitionError(
                    f"a row of {name} has {check.column} {value},"
                    f" which is in no row of {check.to_table}",
                    *([location] if location else []),
                    hint=f"add a row with {check.to_column} {value} to {check.to_table},"
                    f" or leave the table {check.to_table} out, to have one made",
                )

    def _has(self, name: str, column: str, value: object) -> bool:
        """Tell whether a given source has a row; one that refers back is not complete yet."""
        given = self.given[name]
        if column in given.columns:
            return any(row[column] == value for row in given.rows)
        rows = self.rows.get(name, [])
        return len(rows) < len(given.rows) or any(row[column] == value for row in rows)

    def _parent(self, check: RelationshipCheck, child: str, value: object) -> Row:
        """Return the row that a value refers to in a source that is not given; make it if new."""
        name, key = check.to_table, check.to_column
        self.reasons[name].add(f"{child}.{check.column}")
        rows = self.rows.setdefault(name, [])
        for row in rows:
            if row[key] == value:
                return row
        partial = {key: value}
        self._refer(name, partial, "")
        made = self._completed_row(name, partial)
        rows.append(made)
        return made

    def _completed_row(self, name: str, given: Row) -> Row:
        source, row = self.sources[name], dict(given)
        counted = _numbered_columns(source, given, self.sources)
        for column in source.columns:
            if column.name not in row:
                row[column.name] = self._value(source, column, numbered=column.name in counted)
        return {column.name: row[column.name] for column in source.columns}

    def _value(self, source: Source, column: Column, *, numbered: bool) -> Any:
        if column.null:
            return None
        for check in _relationships(source, self.sources):
            if check.column == column.name and check.to_table != source.name:
                return self._reference(source, check, distinct=numbered)
        if not numbered:
            number = len(self.rows.get(source.name, ())) + 1
            return _plain_value(column, number, self.as_of)
        taken = {row[column.name] for row in self.rows.get(source.name, ())}
        given = self.given.get(source.name)
        taken |= {row[column.name] for row in given.rows if column.name in row} if given else set()
        for value in _values(column, self.as_of):
            if value not in taken:
                return value
        raise DefinitionError(
            f"{source.name}.{column.name} has too few values for the rows of an example",
            source.location,
            hint=f"give the column {column.name} in the table {source.name}",
        )

    def _reference(self, source: Source, check: RelationshipCheck, *, distinct: bool) -> Any:
        """Return a value of the row that a column refers to: the first, or one not referred to."""
        key, rows = check.to_column, self.rows.get(check.to_table, [])
        taken = {row[check.column] for row in self.rows.get(source.name, ())} if distinct else set()
        for row in rows:
            if row[key] not in taken:
                return row[key]
        if check.to_table in self.given:
            if _must_hold(check):
                raise DefinitionError(
                    f"a row of {source.name} needs a row of {check.to_table} to refer to",
                    hint=f"give {check.column} in the table {source.name},"
                    f" or add rows to {check.to_table}",
                )
            column = _column(source, check.column)
            return next(each for each in _values(column, self.as_of) if each not in taken)
        self.reasons[check.to_table].add(f"{source.name}.{check.column}")
        made = self._completed_row(check.to_table, {})
        self.rows.setdefault(check.to_table, []).append(made)
        return made[key]

    def notes(self) -> Iterator[str]:
        """Yield a line for each source of which rows or columns were completed."""
        for name, source in self.sources.items():
            rows, given = self.rows.get(name, []), self.given.get(name)
            why = ""
            if rows and given is None:
                count = "1 row" if len(rows) == 1 else f"{len(rows)} rows"
                why = f"{count} for {' and '.join(sorted(self.reasons[name]))}: "
            made = [
                f"{column.name} {_shown(column, rows)}"
                for column in source.columns
                if rows and (given is None or column.name not in given.columns)
            ]
            if made:
                yield f"{name}: {why}{', '.join(made)}"


def _shown(column: Column, rows: Sequence[Row]) -> str:
    """Return the values of a column: the one, or the first and the last."""
    kind = arrow_type(column)
    texts = list(dict.fromkeys(written(row[column.name], kind) for row in rows))
    return texts[0] if len(texts) == 1 else f"{texts[0]} … {texts[-1]}"


def _relationships(source: Source, sources: Mapping[str, Source]) -> list[RelationshipCheck]:
    return [
        check
        for check in source.checks
        if isinstance(check, RelationshipCheck) and check.to_table in sources
    ]


def _must_hold(check: RelationshipCheck) -> bool:
    """Tell whether no row may lack what it refers to."""
    is_of_all = check.where is None and check.to_where is None
    return is_of_all and (check.severity, check.threshold) == ("error", 0)


def _column(source: Source, name: str) -> Column:
    return next(column for column in source.columns if column.name == name)


def _numbered_columns(
    source: Source, given: Mapping[str, object], sources: Mapping[str, Source]
) -> set[str]:
    """Return the columns that are not given of which each row needs another value.

    For each key these are none, if all of it is given, or one: rather not one that refers to
    another table.
    """
    references = {check.column for check in _relationships(source, sources)}
    found = set[str]()
    for key in _keys(source):
        missing = [name for name in key if name not in given]
        if missing and not found & set(missing):
            found.add(min(missing, key=lambda name: name in references))
    return found


def _keys(source: Source) -> Iterator[Sequence[str]]:
    yield from ((column.name,) for column in source.columns if column.unique)
    yield source.grain
    for check in source.checks:
        if isinstance(check, UniqueCheck) and check.severity == "error":
            yield check.columns


def _plain_value(column: Column, number: int, as_of: datetime.date) -> Any:
    """Return the value of a column about which nothing is said, in the row of a number."""
    kind = column.type.partition("(")[0]
    if kind == "string":
        return column.values[0] if column.values else f"{column.name}_{number}"
    if kind in ("int64", "float64", "decimal"):
        return _number(column, _within(column, 0))
    return {
        "boolean": True,
        "date": as_of,
        "timestamp": datetime.datetime.combine(as_of, datetime.time()),
    }[kind]


def _values(column: Column, as_of: datetime.date) -> Iterator[Any]:
    """Yield values of a key, each another one."""
    kind = column.type.partition("(")[0]
    if column.values:
        yield from column.values
        return
    if kind == "boolean":
        yield from (True, False)
        return
    first = _within(column, 1)
    last = column.at_most if column.at_most is not None else first + 10_000
    for number in range(first, last + 1):
        match kind:
            case "string":
                yield f"{column.name}_{number}"
            case "date":
                yield as_of - datetime.timedelta(days=number - 1)
            case "timestamp":
                midnight = datetime.datetime.combine(as_of, datetime.time())
                yield midnight + datetime.timedelta(seconds=number - 1)
            case _:
                yield _number(column, number)


def _within(column: Column, number: int) -> int:
    """Return the number within a column's bounds that is nearest to another."""
    low = number if column.at_least is None else max(number, column.at_least)
    return low if column.at_most is None else min(low, column.at_most)


def _number(column: Column, number: int) -> Any:
    kind = arrow_type(column)
    if pa.types.is_decimal(kind):
        return Decimal(number).quantize(Decimal(1).scaleb(-kind.scale))
    return float(number) if pa.types.is_floating(kind) else number
