"""Two versions of a mart on the same worlds: the smallest rows on which their answers differ."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from marts.core.authoring.columns import type_of
from marts.core.authoring.tables import Mart
from marts.core.errors import EngineError
from marts.core.proof.comparison import Differences, differences
from marts.core.proof.shrinking import Shrinker
from marts.core.proof.worlds import World
from marts.core.query.checks import free_name

NUMBER = "row"
"""What tells rows apart where the grain does not."""


@dataclass(frozen=True)
class Side:
    """One version of a mart: what builds it on a world, and the columns of sources it depends on.

    `build` returns None for a world that its sources' contracts do not allow. It raises EngineError
    if the engine refuses the world.
    """

    name: str
    mart: Mart
    build: Callable[[World], pa.Table | None] = field(repr=False)
    reads: Mapping[str, frozenset[str]] = field(repr=False)


@dataclass(frozen=True)
class Answer:
    """What a version says of a world: rows, or the error of an engine."""

    table: pa.Table | None
    error: str = ""


@dataclass(frozen=True)
class Contracts:
    """How the columns of two versions differ, whatever the rows."""

    only_was: tuple[str, ...]
    only_is: tuple[str, ...]
    retyped: tuple[tuple[str, str, str], ...]
    """Columns with the type that they had, and the one that they have."""
    grains: tuple[tuple[str, ...], tuple[str, ...]] | None
    """The grains, if they differ."""

    def __bool__(self) -> bool:
        return bool(self.only_was or self.only_is or self.retyped or self.grains)


@dataclass(frozen=True)
class Witness:
    """A world on which two versions differ, and what each says of it.

    `differences` has what was as `actual`, and what is as `expected`, in the columns that both
    have; it is None if one of them fails.
    """

    world: World
    was: Answer
    now: Answer
    differences: Differences | None


@dataclass(frozen=True)
class Comparison:
    """What was found: the smallest witness if there is any, and how many worlds were compared.

    `incomparable` counts other worlds: both versions fail on them, or the former contracts do not
    allow their values.
    """

    was: Side
    now: Side
    contracts: Contracts
    witness: Witness | None
    worlds: int
    incomparable: int = 0

    @property
    def differs(self) -> bool:
        """Whether readers would notice: other rows, or other columns."""
        return self.witness is not None or bool(self.contracts)


def compare_versions(
    was: Side,
    now: Side,
    worlds: Iterable[World],
    shrinker: Shrinker,
    *,
    watch: Callable[[World], None] = lambda _: None,
) -> Comparison:
    """Compare two versions on one world after another; make the first that differs small.

    `watch` is told each smaller world before it is tried.
    """
    tried = incomparable = 0
    found = None
    for world in worlds:
        witness = _witness(was, now, world)
        if witness is None:
            incomparable += 1
            continue
        tried += 1
        if _is_one(witness):
            found = _smallest(was, now, witness, shrinker, watch)
            break
    return Comparison(was, now, contracts_of(was.mart, now.mart), found, tried, incomparable)


def _smallest(
    was: Side,
    now: Side,
    witness: Witness,
    shrinker: Shrinker,
    watch: Callable[[World], None],
) -> Witness:
    def differs(world: World) -> bool:
        watch(world)
        found = _witness(was, now, world)
        return found is not None and _is_one(found)

    keys = _keys(witness.differences, now.mart) if witness.differences else ()
    smallest = shrinker(witness.world, differs, mart=now.mart.name, keys=keys)
    return _witness(was, now, smallest) or witness


def _keys(found: Differences, mart: Mart) -> Sequence[Sequence[object]]:
    """Return the values of the grain in rows that differ."""
    if found.grain[: len(mart.grain)] != mart.grain:
        return ()
    return tuple(dict.fromkeys(key[: len(mart.grain)] for key in found.keys))


def _is_one(witness: Witness) -> bool:
    """Tell whether the versions differ on a world."""
    return witness.differences is None or bool(witness.differences)


def _witness(was: Side, now: Side, world: World) -> Witness | None:
    """Return what both versions say of a world; None if it cannot be compared."""
    before, after = _answer(was, world), _answer(now, world)
    if before is None or after is None or (before.error and after.error):
        return None
    found = None
    if before.table is not None and after.table is not None:
        found = row_differences(was.mart, now.mart, before.table, after.table)
    return Witness(world, before, after, found)


def _answer(side: Side, world: World) -> Answer | None:
    try:
        table = side.build(world)
    except EngineError as error:
        return Answer(None, str(error))
    return None if table is None else Answer(table)


# Versions with other columns


def contracts_of(was: Mart, now: Mart) -> Contracts:
    """Return how the columns of two versions of a mart differ."""
    before = {column.name: column.type for column in was.columns}
    after = {column.name: column.type for column in now.columns}
    return Contracts(
        tuple(name for name in before if name not in after),
        tuple(name for name in after if name not in before),
        tuple(
            (name, before[name], kind)
            for name, kind in after.items()
            if name in before and type_of(before[name]) != type_of(kind)
        ),
        None if was.grain == now.grain else (was.grain, now.grain),
    )


def row_differences(was: Mart, now: Mart, before: pa.Table, after: pa.Table) -> Differences:
    """Compare two versions in the columns that both have, of whatever type.

    Rows are paired by grain; by all columns if the grains differ. Equal keys are numbered.
    """
    common = [name for name in after.column_names if name in before.column_names]
    before, after = before.select(common), after.select(common)
    for name in common:
        before, after = _of_one_type(before, after, name)
    grain = now.grain if now.grain == was.grain else tuple(common)
    if any(_repeats(table, grain) for table in (before, after)):
        number = free_name(NUMBER, common)
        before, after = (_numbered(table, grain, number) for table in (before, after))
        grain = (*grain, number)
    return differences(before, after, grain=grain)


def _of_one_type(before: pa.Table, after: pa.Table, name: str) -> tuple[pa.Table, pa.Table]:
    """Return both tables with a column of the type that it has now, else as text."""
    position, kind = after.column_names.index(name), after.column(name).type
    if before.column(name).type == kind:
        return before, after
    try:
        return before.set_column(position, name, before.column(name).cast(kind)), after
    except pa.ArrowInvalid:
        texts = (
            pa.array(map(_text, t.column(name).to_pylist()), pa.string()) for t in (before, after)
        )
        first, second = texts
        return before.set_column(position, name, first), after.set_column(position, name, second)


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _repeats(table: pa.Table, grain: Sequence[str]) -> bool:
    keys = [*zip(*(table.column(name).to_pylist() for name in grain), strict=True)]
    return len({*keys}) < (len(keys) if grain else table.num_rows)


def _numbered(table: pa.Table, grain: Sequence[str], number: str) -> pa.Table:
    """Return a table with the number of each row among those of its key, in order of all values."""
    counts: dict[tuple[Any, ...], int] = {}
    order = sorted(table.to_pylist(), key=lambda row: [_sorted_by(cell) for cell in row.values()])
    rows = []
    for row in order:
        key = tuple(row[name] for name in grain)
        counts[key] = counts.get(key, 0) + 1
        rows.append({**row, number: counts[key]})
    return pa.Table.from_pylist(rows, table.schema.append(pa.field(number, pa.int64())))


def _sorted_by(cell: Any) -> tuple[bool, Any]:
    return (cell is not None, "" if cell is None else cell)
