"""What must change about a published table or view before it can show what a run has built.

Pure functions over the catalog's columns. Rows are written by a list of columns, so that the order
of columns never matters. An *additive* change leaves readers every column with its type; anything
else is a *reshape*, which the caller must have acknowledged.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import ibis
import ibis.expr.datatypes as dt
from ibis.backends.sql.datatypes import SnowflakeType

from backends import snowflake_ddl as ddl
from marts.core.plan.state import Materialized, ShapeChange


@dataclass(frozen=True)
class Column:
    """A column as the catalog has it; `word` is its DATA_TYPE, None stands for what is unknown."""

    name: str
    word: str
    length: int | None = None
    precision: int | None = None
    scale: int | None = None
    is_nullable: bool = True

    @property
    def type(self) -> str:
        """Return the type as SQL."""
        if self.word == "NUMBER":
            return f"NUMBER({self.precision}, {self.scale})"
        if self.word == "TEXT":
            return f"VARCHAR({self.length})" if self.length else "VARCHAR"
        return self.word

    def takes(self, other: Column) -> bool:
        """Tell whether every value of another column fits unchanged."""
        if self.word == "NUMBER" == other.word:
            return self.scale == other.scale and (self.precision or 0) >= (other.precision or 0)
        if self.word == "TEXT" == other.word:
            return not (self.length and other.length) or self.length >= other.length
        return self.word == other.word

    def can_widen_to(self, other: Column) -> bool:
        """Tell whether the type can be changed in place to one that takes every value of both."""
        return self.word == other.word in ("NUMBER", "TEXT") and self.scale == other.scale


@dataclass(frozen=True)
class Shape:
    """The kind and the columns of a table or view; `text` is a digest of a view's definition.

    `columns` are by name, in the catalog's order; `text` is None if it is not known.
    """

    kind: Materialized
    columns: Mapping[str, Column]
    text: str | None = None


@dataclass(frozen=True)
class Changes:
    """What publishing changes about a target, besides its rows; nothing if all is empty.

    A `missing` target is created; `redefined` says why a view is created anew. `replaced` says
    in words why a target cannot be changed in place.
    """

    missing: bool = False
    added: tuple[Column, ...] = ()
    widened: tuple[Column, ...] = ()
    nullable: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()
    redefined: str | None = None
    replaced: str | None = None

    def described(self, name: str, *, reads: bool = False) -> Iterator[ShapeChange]:
        """Yield a line for each change of a mart; `reads` if it reads others that are published.

        The definition of a view changes in a statement of its own, after the tables that it reads.
        """
        if self.missing:
            yield ShapeChange(name, "is created")
        for column in self.added:
            yield ShapeChange(name, f"column {column.name.lower()} is added")
        for column in self.widened:
            yield ShapeChange(name, f"column {column.name.lower()} becomes {column.type}")
        for column_name in self.nullable:
            yield ShapeChange(name, f"column {column_name.lower()} may be null")
        for column_name in self.dropped:
            yield ShapeChange(name, f"column {column_name.lower()} is dropped", is_reshape=True)
        if self.redefined:
            yield ShapeChange(name, self.redefined, is_reshape=reads)
        if self.replaced:
            yield ShapeChange(name, self.replaced, is_reshape=True)


def changes(target: Shape | None, new: Shape, *, key: Collection[str] = ()) -> Changes:
    """Return what changes about a target that is to show the rows of a new table or view.

    The columns of `key` stay NOT NULL: they are checked in each run.
    """
    if target is None:
        return Changes(missing=True)
    if target.kind != new.kind:
        return Changes(replaced=f"the {target.kind} becomes a {new.kind}")
    if new.kind == "view":
        if target.text == new.text and target.columns.keys() == new.columns.keys():
            return Changes()
        known = "the view's definition changes"
        return Changes(redefined=known if target.text else "the view's definition is not recorded")
    return _changes_of_columns(target.columns, new.columns, {name.upper() for name in key})


def _changes_of_columns(
    old: Mapping[str, Column], new: Mapping[str, Column], key: Collection[str]
) -> Changes:
    narrow = [new[name] for name in new if name in old and not old[name].takes(new[name])]
    retyped = [each for each in narrow if not old[each.name].can_widen_to(each)]
    words = ", ".join(
        f"column {each.name.lower()} changes from {old[each.name].type} to {each.type}"
        for each in retyped
    )
    if words:
        gone = [f"column {name.lower()} is dropped" for name in old if name not in new]
        return Changes(replaced=", ".join([words, *gone]))
    return Changes(
        added=tuple(new[name] for name in new if name not in old),
        widened=tuple(_widened(old[each.name], each) for each in narrow),
        nullable=tuple(
            name
            for name, each in old.items()
            if not each.is_nullable
            and name not in key
            and (name not in new or new[name].is_nullable)
        ),
        dropped=tuple(name for name in old if name not in new),
    )


def _widened(old: Column, new: Column) -> Column:
    return Column(
        new.name,
        new.word,
        max(old.length or 0, new.length or 0) or None,
        max(old.precision or 0, new.precision or 0) or None,
        new.scale,
    )


def shapes(
    tables: Mapping[str, Materialized], rows: Iterable[Mapping[str, Any]]
) -> dict[str, Shape]:
    """Return the shape of each relation of a schema, from its rows of COLUMNS; by upper-case name.

    The definitions of views are unknown.
    """
    columns: dict[str, dict[str, Column]] = {name: {} for name in tables}
    for row in rows:
        if row["TABLE_NAME"] in columns:
            columns[row["TABLE_NAME"]][row["COLUMN_NAME"]] = _column(row)
    return {name: Shape(tables[name], found) for name, found in columns.items()}


def _column(row: Mapping[str, Any]) -> Column:
    word, is_text = row["DATA_TYPE"], row["DATA_TYPE"] == "TEXT"
    return Column(
        row["COLUMN_NAME"],
        word,
        row["CHARACTER_MAXIMUM_LENGTH"] if is_text else None,
        row["NUMERIC_PRECISION"] if word == "NUMBER" else None,
        row["NUMERIC_SCALE"] if word == "NUMBER" else None,
        row["IS_NULLABLE"] != "NO",
    )


WORDS = {"VARCHAR": "TEXT", "DOUBLE": "FLOAT", "TIMESTAMP": "TIMESTAMP_NTZ"}
"""The catalog's words for types that Ibis spells otherwise."""


def declared(kind: Materialized, schema: ibis.Schema, *, text: str | None = None) -> Shape:
    """Return the shape that a query's result has once it is built."""
    columns = (_declared(name.upper(), each) for name, each in schema.items())
    return Shape(kind, {column.name: column for column in columns}, text)


def _declared(name: str, kind: dt.DataType) -> Column:
    if kind.is_integer():
        return Column(name, "NUMBER", precision=38, scale=0)
    if isinstance(kind, dt.Decimal):
        return Column(name, "NUMBER", precision=kind.precision, scale=kind.scale)
    if kind.is_timestamp():
        return Column(name, "TIMESTAMP_NTZ")
    word = str(SnowflakeType.to_string(kind))
    return Column(name, WORDS.get(word, word))


def additive_statements(target: str, found: Changes) -> Iterator[str]:
    """Yield the statements that make a table ready for new rows; readers lose nothing by them."""
    for column in found.added:
        yield ddl.add_column(target, column.name, column.type)
    for column in found.widened:
        yield ddl.widen_column(target, column.name, column.type)
    for name in found.nullable:
        yield ddl.drop_not_null(target, name)
