"""Declarations of sources that are to be written, each with the words that say why it is so."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from marts.core.project.loading import RESERVED
from marts.core.query.folding import folded
from marts.core.run.profiling import ColumnFigures, FoundColumn
from marts.core.scaffold import naming
from marts.core.scaffold.measuring import ALMOST_ALL, Measured, Reference

ENOUGH_NUMBERS = 20
"""From how many values on their sign says something of those to come."""
WIDE_NUMBERS = range(-(2**63), 2**63)
"""What an int64 holds."""
LONGEST = 10**38
ZONE = "UTC"
THRESHOLD = "1%"


@dataclass(frozen=True, kw_only=True)
class NewColumn:
    """A column to declare; `notes` become comments above it."""

    name: str
    type: str
    source_name: str | None = None
    doc: str = ""
    null: bool = False
    unique: bool = False
    values: tuple[str, ...] = ()
    at_least: int | None = None
    at_most: int | None = None
    zone: str | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class NewCheck:
    """A check to declare: of columns that are unique, or of one that refers to `to`."""

    columns: tuple[str, ...]
    to: str | None = None
    severity: str | None = None
    threshold: str | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class NewSource:
    """A source to declare; `location` is what the settings say of where it is, if anything."""

    name: str
    doc: str
    columns: tuple[NewColumn, ...]
    source_name: str | None = None
    grain: tuple[str, ...] = ()
    checks: tuple[NewCheck, ...] = ()
    notes: tuple[str, ...] = ()
    grain_notes: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    rows: int | None = None
    optional: bool = False
    location: str = ""

    def column(self, name: str) -> NewColumn:
        """Return a column by its name."""
        return next(each for each in self.columns if each.name == name)


def count(number: int) -> str:
    """Return a whole number as people read it."""
    return f"{number:,}"


def counted(number: int, noun: str) -> str:
    """Return a number with its noun: 1 null, 1,234 rows."""
    return f"{count(number)} {noun}{'' if number == 1 else 's'}"


def declared(tables: Sequence[Measured], *, where: str) -> tuple[NewSource, ...]:
    """Return the declaration of each table that was measured, with figures as its notes.

    Everything that is declared holds for the rows that were measured.
    """
    names = naming.contract_names(
        [table.table.name for table in tables], otherwise="table", taken=RESERVED
    )
    columns = {
        table.table.name: naming.contract_names(
            [column.name for column in table.table.columns], otherwise="column"
        )
        for table in tables
    }
    found = (_source(table, names, columns, where=where) for table in tables)
    return tuple(source for source in found if source.columns)


def _source(
    table: Measured,
    names: Mapping[str, str],
    columns: Mapping[str, Mapping[str, str]],
    *,
    where: str,
) -> NewSource:
    found, own = table.table, columns[table.table.name]
    kept = [c for c in table.columns if not _refused(c, table.of(c.name))]
    left = [_left_out(c, table.figures.columns.get(c.name)) for c in found.columns if c not in kept]
    there = {column.name for column in kept}
    key = table.key if {*table.key} <= there else ()
    references = [each for each in table.references if each.column in there]
    return NewSource(
        name=names[found.name],
        source_name=_source_name(found.name, names),
        doc=f"Table {found.name} of {where}.",
        grain=tuple(own[name] for name in key),
        grain_notes=tuple(_grain_notes(table, key)),
        columns=tuple(
            replace(
                _column(column, table, own[column.name], key=key, references=references),
                source_name=_source_name(column.name, own),
            )
            for column in kept
        ),
        checks=tuple(_checks(references, own, names, columns)),
        notes=(_size(table.figures.rows),),
        left_out=(*left, *_weak(references, own, names, columns)),
        rows=table.figures.rows,
        optional=not table.figures.rows,
        location=found.location,
    )


def _source_name(found: str, names: Mapping[str, str]) -> str | None:
    """Return a name in the source if the contract's does not say which is meant, in any case."""
    alike = sum(each.lower() == found.lower() for each in names)
    return found if alike > 1 or names[found] != found.lower() else None


def _size(rows: int) -> str:
    if not rows:
        return (
            "no rows: nothing was measured. It is optional, because a run refuses other sources"
            " without rows"
        )
    return counted(rows, "row")


def _grain_notes(table: Measured, key: tuple[str, ...]) -> Iterator[str]:
    rows = count(table.figures.rows)
    if not table.figures.rows:
        yield "the key is a guess from its name" if key else "no key could be measured"
    elif key:
        yield f"unique in {rows} of {counted(table.figures.rows, 'row')}"
    else:
        yield (
            "no key found: no column without nulls is unique, and none of the"
            f" {counted(table.counted, 'combination')} of 2 or 3 columns that were counted"
        )


# Columns


def _is_too_wide(column: FoundColumn, of: ColumnFigures) -> bool:
    ends = (of.least, of.greatest)
    return column.type == "int64" and any(
        isinstance(end, int | Decimal) and int(end) not in WIDE_NUMBERS for end in ends
    )


UNFIT: Mapping[str, str] = {
    "float64": "NaN or infinite",
    "date": "infinite, or of a year outside 1 to 9999",
    "timestamp": "infinite, of a year outside 1 to 9999, or finer than a microsecond",
}
"""By type of a contract: which values of a column no contract takes."""


def _refused(column: FoundColumn, of: ColumnFigures) -> str | None:
    """Return why a contract cannot hold the values of a column, None if it can."""
    if of.unfit:
        return f"{_values(of.unfit)} {UNFIT[column.type]}"
    ends = (of.least, of.greatest)
    if column.type == "int64" and any(
        isinstance(end, int | Decimal) and abs(int(end)) >= LONGEST for end in ends
    ):
        return "some values have more than 38 digits"
    return None


def _values(number: int) -> str:
    return f"{counted(number, 'value')} {'is' if number == 1 else 'are'}"


def _left_out(column: FoundColumn, of: ColumnFigures | None) -> str:
    why = of and _refused(column, of)
    return f"left out: {column.name}: {why or column.found}"


def _column(
    column: FoundColumn,
    table: Measured,
    name: str,
    *,
    key: tuple[str, ...],
    references: Collection[Reference],
) -> NewColumn:
    of = table.of(column.name)
    is_key = column.name in key or any(each.column == column.name for each in references)
    is_unique = column.name in table.unique and key != (column.name,)
    kind = "decimal(38, 0)" if _is_too_wide(column, of) else column.type
    return NewColumn(
        name=name,
        type=kind,
        null=bool(of.nulls) or (not table.figures.rows and column.name not in key),
        unique=is_unique and naming.is_identifier(column.name),
        # A declared value is never taken for the slip of another one.
        values=() if _variants(table, column) else table.values.get(column.name, ()),
        at_least=None if is_key or not _never_below_zero(column, of, table) else 0,
        zone=ZONE if column.is_moment else None,
        notes=tuple(_notes(column, of, table, kind=kind)),
    )


def _variants(table: Measured, column: FoundColumn) -> list[str]:
    """Return the values of a column that differ from another one only in case, blanks or form."""
    values = table.values.get(column.name, ())
    counts = Counter(map(folded, values))
    return [value for value in values if counts[folded(value)] > 1]


def _never_below_zero(column: FoundColumn, of: ColumnFigures, table: Measured) -> bool:
    kind = column.type.partition("(")[0]
    return (
        kind in ("int64", "decimal", "float64")
        and table.figures.rows - of.nulls >= ENOUGH_NUMBERS
        and isinstance(of.least, int | float | Decimal)
        and of.least >= 0
        and column.name not in table.unique
        and not naming.is_part_of_key(column.name)
        and not naming.may_be_signed(column.name)
    )


def _notes(column: FoundColumn, of: ColumnFigures, table: Measured, *, kind: str) -> Iterator[str]:
    rows = table.figures.rows
    if not rows:
        return
    said = [counted(of.nulls, "null") if of.nulls else "no nulls"]
    if of.nulls == rows:
        said = ["nothing but nulls"]
    if column.name in table.unique:
        said.append("all different")
    if column.name in table.values:
        said.append(counted(len(table.values[column.name]), "value"))
    if different := table.repeated.get(column.name):
        filled = counted(rows - of.nulls, "row")
        others = f"the other {filled}" if of.nulls else filled
        said.append(f"{count(different)} different values in {others}: not unique")
    if variants := _variants(table, column):
        said.append(f"not declared, since some may be slips: {', '.join(map(repr, variants))}")
    if of.least is not None and of.greatest is not None:
        said.append(f"{_shown(of.least)} to {_shown(of.greatest)}")
    if column.found not in ("", kind, "text") and not column.is_moment:
        said.append(f"{column.found} in the data")
    yield "; ".join(said)
    if column.is_moment:
        yield f"points in time: read as the time in {ZONE}, unless you name another zone"


def _shown(value: object) -> str:
    if isinstance(value, float):
        return f"{value:,.6g}"
    return f"{value:,}" if isinstance(value, int | Decimal) else str(value)


# References


def _checks(
    references: Sequence[Reference],
    own: Mapping[str, str],
    names: Mapping[str, str],
    columns: Mapping[str, Mapping[str, str]],
) -> Iterator[NewCheck]:
    for each in references:
        if each.share < ALMOST_ALL:
            continue
        to = f"{names[each.to_table]}.{columns[each.to_table][each.to_column]}"
        check = NewCheck(
            columns=(own[each.column],),
            to=to,
            notes=(f"{count(each.found)} of {_values(each.rows)} there",),
        )
        is_whole = each.found == each.rows
        yield check if is_whole else replace(check, severity="warn", threshold=THRESHOLD)


def _weak(
    references: Sequence[Reference],
    own: Mapping[str, str],
    names: Mapping[str, str],
    columns: Mapping[str, Mapping[str, str]],
) -> Iterator[str]:
    """Yield a line for each reference that too many rows break, so that it is not declared."""
    for each in references:
        if ALMOST_ALL > each.share >= 0.5:
            to = f"{names[each.to_table]}.{columns[each.to_table][each.to_column]}"
            yield (
                f"not declared: {own[each.column]} refers to {to} in {count(each.found)} of"
                f" {count(each.rows)} rows only"
            )
