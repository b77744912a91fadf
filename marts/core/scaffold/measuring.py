"""Measure tables: their keys and what refers to them, each found in all rows."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from math import prod

from marts.core.run.profiling import (
    ColumnFigures,
    FoundColumn,
    FoundTable,
    Names,
    Profiler,
    TableFigures,
)
from marts.core.scaffold import naming

MOST_VALUES = 12
"""How many different texts may be the accepted values of a column."""
ROWS_PER_VALUE = 10
"""How many rows a text must have on average, for a list of texts to be a list of labels."""
INEXACT = 2
"""An approximate count of different values may be wrong by this factor."""
QUESTIONS, SECONDS = 24, 20.0
"""How many combinations of columns are counted in all rows of a table, and for how long."""
WIDEST = 12
"""How many columns are combined."""
KEY_KINDS = ("int64", "string", "date", "timestamp")
REFERENCE_KINDS = ("int64", "string")
NEARLY_UNIQUE = 0.9
"""From this share of different values on, somebody may take a column for unique."""
ALMOST_ALL = 0.99
"""From this share of rows on, a reference is declared although some rows break it."""
SHARE_WITHOUT_NAME, TEXTS_WITHOUT_NAME = 0.2, 20
"""The share and number of a key's texts from which a column refers to it, whatever its name is."""


@dataclass(frozen=True, kw_only=True)
class Reference:
    """A column whose values are in the key of another table: in `found` of the `rows` with any."""

    column: str
    to_table: str
    to_column: str
    rows: int
    found: int

    @property
    def share(self) -> float:
        """The share of rows whose value is there."""
        return self.found / self.rows if self.rows else 0.0


@dataclass(frozen=True, kw_only=True)
class Measured:
    """A table with what was found in its rows.

    `key` identifies a row; it is empty if none was found in the combinations that were counted,
    of which there were `counted`. `unique` has the single columns without repetitions, nulls aside,
    and `repeated` those with a few, with the number of their different values.
    """

    table: FoundTable
    figures: TableFigures
    key: Names = ()
    unique: Names = ()
    repeated: Mapping[str, int] = field(default_factory=dict)
    counted: int = 0
    values: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    references: tuple[Reference, ...] = ()

    @property
    def columns(self) -> tuple[FoundColumn, ...]:
        """The columns that a contract can hold."""
        return tuple(c for c in self.table.columns if c.name in self.figures.columns)

    def of(self, column: str) -> ColumnFigures:
        """Return the figures of a column."""
        return self.figures.columns[column]


def measure(profiler: Profiler, *, doing: Callable[[str], None]) -> tuple[Measured, ...]:
    """Return every table with its figures, its key, its labels and what it refers to.

    `doing` is told what is being measured, before each table.
    """
    measured = []
    for found in profiler.tables():
        doing(f"reading {found.name}")
        measured.append(_measured(profiler, found))
    return _with_references(profiler, measured, doing)


def _measured(profiler: Profiler, table: FoundTable) -> Measured:
    figures = profiler.figures(table)
    filled = {name: figures.rows - of.nulls for name, of in figures.columns.items()}
    different = dict(_different(profiler, table, figures))
    unique = tuple(name for name, number in different.items() if number == filled[name])
    key, counted = _key(profiler, table, figures, unique)
    return Measured(
        table=table,
        figures=figures,
        key=key,
        unique=unique,
        repeated={
            name: number
            for name, number in different.items()
            if NEARLY_UNIQUE * filled[name] <= number < filled[name]
        },
        counted=counted,
        values=dict(_values(profiler, table, figures)),
    )


# Keys


def _different(
    profiler: Profiler, table: FoundTable, figures: TableFigures
) -> Iterator[tuple[str, int]]:
    """Yield the columns that may have no value twice, and how many different values they have."""
    for column in table.columns:
        of = figures.columns.get(column.name)
        if of is None or column.type not in KEY_KINDS or of.unfit:
            continue
        filled = figures.rows - of.nulls
        if filled and of.distinct * INEXACT >= filled:
            yield column.name, profiler.distinct(table, (column.name,))


def _key(
    profiler: Profiler, table: FoundTable, figures: TableFigures, unique: Collection[str]
) -> tuple[Names, int]:
    """Return the columns that identify a row, and how many combinations were counted for it."""
    whole = [name for name in unique if not figures.columns[name].nulls]
    if not figures.rows:
        named = [c.name for c in table.columns if c.type in KEY_KINDS]
        own = [name for name in named if _rank(name, table)[0] < len(naming.KEY_WORDS)]
        return tuple(own[:1]), 0
    best = min(whole, key=lambda name: _rank(name, table), default="")
    if best and naming.is_part_of_key(best):
        return (best,), 0
    columns = _candidates(table, figures)
    if best:
        # A comment may be unique, too: only columns whose names say so are a better key.
        columns = [name for name in columns if naming.is_part_of_key(name)]
    found, counted = _combination(profiler, table, figures, columns)
    return found or ((best,) if best else ()), counted


def _combination(
    profiler: Profiler, table: FoundTable, figures: TableFigures, columns: Sequence[str]
) -> tuple[Names, int]:
    """Return two or three columns that identify a row, and how many combinations were counted."""
    start, counted = time.monotonic(), 0
    for size in (2, 3):
        wanted = [
            names
            for names in combinations(columns, size)
            if prod(figures.columns[name].distinct for name in names) * INEXACT >= figures.rows
        ]
        possible = profiler.may_be_unique(table, wanted)
        for names in sorted(possible, key=lambda names: _slack(names, figures)):
            if counted >= QUESTIONS or time.monotonic() - start > SECONDS:
                return (), counted
            counted += 1
            if profiler.distinct(table, names) == figures.rows:
                return names, counted
    return (), counted


def _rank(name: str, table: FoundTable) -> tuple[int, int]:
    """Return how well a name suits a table's key: the less the better."""
    prefix = naming.prefix_of([c.name for c in table.columns])
    stem = naming.stem_of(name, prefix)
    entity = naming.entity_of(table.name)
    position = [c.name for c in table.columns].index(name)
    if stem in naming.KEY_WORDS or stem in [f"{entity}_{word}" for word in naming.KEY_WORDS]:
        return 0, position
    for rank, word in enumerate(naming.KEY_WORDS[1:], start=1):
        if naming.ends_in(stem, ("id",) if rank == 1 else (word,)) or naming.ends_in(stem, (word,)):
            return rank, position
    return len(naming.KEY_WORDS), position


def _candidates(table: FoundTable, figures: TableFigures) -> list[str]:
    """Return the columns that may be parts of a key, those first whose names say so."""
    names = [
        column.name
        for column in table.columns
        if column.type in KEY_KINDS
        and (of := figures.columns.get(column.name))
        and not of.nulls
        and not of.unfit
        and of.distinct > 1
    ]
    return sorted(names, key=lambda name: not naming.is_part_of_key(name))[:WIDEST]


def _slack(names: Names, figures: TableFigures) -> tuple[int, int]:
    """Return how likely it is that a combination is unique by accident: the less the better.

    A key has about as many possible values as there are rows; two columns that happen never to
    repeat have many more.
    """
    odd = sum(not naming.is_part_of_key(name) for name in names)
    return odd, prod(figures.columns[name].distinct for name in names)


# Labels


def _values(
    profiler: Profiler, table: FoundTable, figures: TableFigures
) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield each text column with few different texts, and these in order."""
    for column in table.columns:
        of = figures.columns.get(column.name)
        if of is None or column.type != "string" or naming.is_identifier(column.name):
            continue
        filled = figures.rows - of.nulls
        if not 0 < of.distinct <= MOST_VALUES * INEXACT:
            continue
        if filled < ROWS_PER_VALUE * of.distinct / INEXACT:
            continue
        values = profiler.values(table, column.name, limit=MOST_VALUES + 1)
        if len(values) <= MOST_VALUES and filled >= ROWS_PER_VALUE * len(values):
            yield column.name, tuple(sorted(values))


# References


@dataclass(frozen=True)
class _Key:
    """A single unique column of a table, to which others may refer."""

    owner: Measured
    column: FoundColumn

    @property
    def names(self) -> set[str]:
        """The names by which others may refer to it."""
        prefix = naming.prefix_of([c.name for c in self.owner.table.columns])
        stem = naming.stem_of(self.column.name, prefix)
        entity = naming.entity_of(self.owner.table.name)
        generic = {*naming.IDENTIFIERS, "name"}
        names = {f"{entity}_{stem}", stem, *self._short(entity)}
        return {name for name in names if name not in generic}

    def _short(self, entity: str) -> set[str]:
        """Return the table's own name, by which a column may refer to its one key."""
        return {entity} if self.owner.key == (self.column.name,) else set()


def _with_references(
    profiler: Profiler, tables: Sequence[Measured], doing: Callable[[str], None]
) -> tuple[Measured, ...]:
    keys = [
        _Key(table, column)
        for table in tables
        for column in table.columns
        if column.name in table.unique
        and column.type in REFERENCE_KINDS
        and not table.of(column.name).nulls
        and (naming.is_identifier(column.name) or table.key == (column.name,))
    ]
    found = []
    for table in tables:
        doing(f"comparing {table.table.name} with other tables")
        references = [
            best
            for column in table.columns
            if column.type in REFERENCE_KINDS
            if (best := _reference(profiler, table, column, keys))
        ]
        found.append(replace(table, references=tuple(references)))
    return tuple(found)


def _reference(
    profiler: Profiler, table: Measured, column: FoundColumn, keys: Sequence[_Key]
) -> Reference | None:
    """Return to which key a column refers, of those that it may mean; None if to none."""
    of = table.of(column.name)
    if of.nulls == table.figures.rows:
        return None
    best: tuple[tuple[bool, float, int, int], Reference] | None = None
    for key in keys:
        if key.owner is table or key.column.type != column.type:
            continue
        affinity = _affinity(table, column, key)
        if not affinity and not _may_be_the_same_texts(of, column, key):
            continue
        rows, there = profiler.contained(table.table, column.name, key.owner.table, key.column.name)
        reference = Reference(
            column=column.name,
            to_table=key.owner.table.name,
            to_column=key.column.name,
            rows=rows,
            found=there,
        )
        if not affinity and reference.share < 1:
            continue
        is_grain = key.owner.key == (key.column.name,)
        score = (reference.share >= ALMOST_ALL, float(affinity), is_grain, -key.owner.figures.rows)
        if best is None or score > best[0]:
            best = score, reference
    return best[1] if best and best[1].found else None


def _affinity(table: Measured, column: FoundColumn, key: _Key) -> int:
    """Return how well a column's name names a key: 0 not at all, 2 also its table.

    A table's own key refers to no other table, unless it bears that table's name.
    """
    prefix = naming.prefix_of([c.name for c in table.table.columns])
    stem = naming.stem_of(column.name, prefix)
    named = any(stem == name or stem.endswith(f"_{name}") for name in key.names)
    if not named:
        return 0
    entity, own = naming.entity_of(key.owner.table.name), naming.entity_of(table.table.name)
    names_its_table = entity in stem and entity != own
    if (column.name,) == table.key and (not names_its_table or own in stem):
        return 0
    return 1 + names_its_table


def _may_be_the_same_texts(of: ColumnFigures, column: FoundColumn, key: _Key) -> bool:
    """Tell whether a column of another name has enough different texts to be compared with a key.

    Small numbers are in every numeric key, so that they show nothing.
    """
    if column.type != "string" or column.name in key.owner.unique:
        return False
    known = key.owner.figures.rows
    return of.distinct >= TEXTS_WITHOUT_NAME and of.distinct >= SHARE_WITHOUT_NAME * known
