"""What depends on a column, by brute force: change its values, build again, and compare.

Lineage is sound if nothing changes that it does not name, and exact if each column that it names
changes in some world.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cache
from random import Random
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from marts.core.analysis.column_lineage import Name
from marts.core.authoring.columns import Column
from marts.core.authoring.tables import Source

Hashes = npt.NDArray[np.uint64]
Tables = Mapping[str, pa.Table]
CENT = Decimal("0.01")
FEW = 12
"""Of so many different values, each is tried for all rows."""
SOME = 0.2
"""The share of rows that a change of some rows changes."""


@dataclass(frozen=True)
class Watched:
    """A table that is built: its columns, the keys that must be unique in it, and what it reads."""

    columns: tuple[str, ...]
    keys: tuple[tuple[str, ...], ...] = ()
    reads: frozenset[str] = frozenset()


@dataclass
class Observations:
    """What changed with what: pairs of a changed column and a column that is built."""

    unnamed: dict[tuple[Name, Name], str] = field(default_factory=dict)
    """What changed, but is not named, each with the change that showed it."""
    seen: set[tuple[Name, Name]] = field(default_factory=set)
    """What is named, and did change."""


@dataclass(frozen=True)
class Oracle:
    """Compares what is built before and after a change; `named` says what may change with it.

    `show` takes the tables, and `build` makes one of the `watched` of them, each after those that
    it reads.
    """

    show: Callable[[Tables], None]
    build: Callable[[str], pa.Table]
    watched: Mapping[str, Watched]
    named: Callable[[Name], Collection[Name]]
    observed: Observations = field(default_factory=Observations)

    def watch(self, tables: Tables, sources: Mapping[str, Source], seed: int = 0) -> None:
        """Change one column after another of some tables, in several ways, and compare."""
        before = self._hashed(tables)
        for name, table in tables.items():
            for column in sources[name].columns:
                rng = Random(f"{seed} {name} {column.name}")
                for how, values in changes(table, sources[name], column, rng):
                    changed = {**tables, name: _with(table, column.name, values)}
                    after = self._hashed(changed)
                    self._compare((name, column.name), how, before, after)

    def _hashed(self, tables: Tables) -> dict[str, dict[str, Hashes]]:
        """Build from some tables, and return hashes of what is built.

        What breaks a key is left out with what reads it: a run would publish nothing.
        """
        self.show(tables)
        found: dict[str, dict[str, Hashes]] = {}
        for name, watched in self.watched.items():
            if watched.reads & self.watched.keys() <= found.keys():
                hashes = hashes_of(self.build(name))
                if all(_is_unique(hashes, key) for key in watched.keys):
                    found[name] = hashes
        return found

    def _compare(
        self,
        changed: Name,
        how: str,
        before: Mapping[str, Mapping[str, Hashes]],
        after: Mapping[str, Mapping[str, Hashes]],
    ) -> None:
        named = set(self.named(changed))
        for table in before.keys() & after.keys():
            was, now, watched = before[table], after[table], self.watched[table]
            others = [name for name in watched.columns if (table, name) not in named]
            if _differ(was, now, others):
                guilty = [name for name in others if _differ(was, now, [name])] or others
                for name in guilty:
                    self.observed.unnamed[changed, (table, name)] = how
            for name in {*watched.columns} - {*others}:
                if _differ(was, now, [*others, name]) or _differ_by_key(was, now, watched, name):
                    self.observed.seen.add((changed, (table, name)))


@cache
def connection() -> duckdb.DuckDBPyConnection:
    """Return what hashes values: opening it takes longer than its work."""
    return duckdb.connect(config={"threads": 1})


def hashes_of(table: pa.Table) -> dict[str, Hashes]:
    """Return the hashes of a table's values, by column; of floats, those of seven digits.

    The last digits of a mean depend on the order in which a join happens to give its rows.
    """
    names = [f'hash({_rounded(field)}) AS "{field.name}"' for field in table.schema]
    found = connection().from_arrow(table).project(", ".join(names)).fetchnumpy()
    return {name: np.asarray(values, np.uint64) for name, values in found.items()}


def _rounded(field: pa.Field) -> str:
    return f'"{field.name}"::FLOAT' if pa.types.is_floating(field.type) else f'"{field.name}"'


def _rows(hashes: Mapping[str, Hashes], names: Sequence[str]) -> Hashes:
    """Return a hash of each row, of some of its columns."""
    rows = np.zeros(len(next(iter(hashes.values()))), np.uint64)
    for name in names:
        rows = (rows ^ hashes[name]) * np.uint64(0x9E3779B97F4A7C15)
        rows ^= rows >> np.uint64(32)
    return rows


def _differ(was: Mapping[str, Hashes], now: Mapping[str, Hashes], names: Sequence[str]) -> bool:
    """Tell whether the rows differ in some columns, whatever their order."""
    one, other = np.sort(_rows(was, names)), np.sort(_rows(now, names))
    return bool(names) and not np.array_equal(one, other)


def _differ_by_key(
    was: Mapping[str, Hashes], now: Mapping[str, Hashes], watched: Watched, name: str
) -> bool:
    """Tell whether a row of some key has another value."""
    for key in watched.keys:
        _, one, other = np.intersect1d(_rows(was, key), _rows(now, key), return_indices=True)
        if not np.array_equal(was[name][one], now[name][other]):
            return True
    return False


def _is_unique(hashes: Mapping[str, Hashes], key: Sequence[str]) -> bool:
    rows = _rows(hashes, key)
    return len(np.unique(rows)) == len(rows)


def _with(table: pa.Table, column: str, values: Sequence[Any]) -> pa.Table:
    position = table.column_names.index(column)
    kind = table.schema.field(column)
    return table.set_column(position, kind, pa.array(values, kind.type))


def changes(
    table: pa.Table, source: Source, column: Column, rng: Random
) -> Iterator[tuple[str, Sequence[Any]]]:
    """Yield ways to change a column's values, in words, and the new values.

    They are of the column's type and among its declared values, null only where they may be, and
    leave the keys of the source unique.
    """
    values = table.column(column.name).to_pylist()
    if not values:
        return
    keys = [key for key in keys_of(source) if column.name in key]
    for how, made in _made(values, column, rng):
        try:
            changed = _with(table, column.name, made)
        except (pa.ArrowInvalid, OverflowError):
            continue
        hashes = hashes_of(changed)
        if made != values and all(_is_unique(hashes, key) for key in keys):
            yield how, made


def keys_of(source: Source) -> list[tuple[str, ...]]:
    """Return the keys that a source declares."""
    return [source.grain, *((each.name,) for each in source.columns if each.unique)]


def _made(values: list[Any], column: Column, rng: Random) -> Iterator[tuple[str, list[Any]]]:
    shuffled = rng.sample(values, len(values))
    known = sorted({value for value in values if value is not None})
    some = [rng.random() < SOME for _ in values]
    yield "all shuffled", shuffled
    after = dict(zip(known, [*known[1:], *known[:1]], strict=True))
    yield "each the next one", [after.get(value) for value in values]
    yield "some another one", _where(some, shuffled, values)
    for value in known if len(known) <= FEW else rng.sample(known, 2):
        yield f"all {value}", [value] * len(values)
    if column.null:
        yield "all null", [None] * len(values)
        yield "some null", _where(some, [None] * len(values), values)
    if not column.values:
        for step in _steps(next(iter(known), None)):
            made = [None if value is None else value + step for value in values]
            yield f"all + {step}", made
            yield f"some + {step}", _where(some, made, values)


def _where(some: Sequence[bool], new: Sequence[Any], old: Sequence[Any]) -> list[Any]:
    return [one if is_new else other for is_new, one, other in zip(some, new, old, strict=True)]


def _steps(value: Any) -> Sequence[Any]:
    """Return what is added to values like this one, to make values that are perhaps not there."""
    match value:
        case None | bool():
            return ()
        case int():
            return (1, 1_000_000)
        case float():
            return (0.05, 0.5)
        case Decimal():
            return (CENT, 1_000 * CENT)
        case datetime.date():
            return [datetime.timedelta(days) for days in (1, -40, -400, 4_000)]
        case _:
            return ("~",)
