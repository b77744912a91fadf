"""How Snowflake reads one source: contract columns of a table or view, by name, if all values fit.

Names are found in the catalog, whatever their case. In a query a source is its table's name, or, if
the table spells or types a column differently, a subquery that selects the contract's columns. If
types do not show that all values fit, one scan counts the values that do not. Pure functions.
"""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import ibis
import ibis.expr.datatypes as dt
import sqlglot.expressions as sge

from backends.snowflake_catalog import Row
from backends.snowflake_pinning import pinned
from backends.snowflake_sql import Namespace
from backends.snowflake_types import (
    Physical,
    as_text,
    assumed,
    does_not_fit,
    physical,
    reading,
)
from backends.source_types import (
    always_fits,
    columns_named,
    is_name,
    label,
    misfit,
    read_twice,
    values_that_do_not_fit,
)
from marts.core.run.backend import Contract

ALIAS = "S"
Moment: TypeAlias = datetime.datetime | sge.Placeholder
"""When a source is read: a time, or a variable that has it as text."""


@dataclass(frozen=True)
class Found:
    """A contract's column and the column in the catalog that it reads."""

    name: str
    expected: dt.DataType
    zone: str | None
    column: Physical
    label: str = ""
    """Its name in messages."""
    is_personal: bool = False

    @property
    def value(self) -> sge.Column:
        """The column, spelled as in the table."""
        return sge.column(self.column.name, table=ALIAS, quoted=True)

    @property
    def always_fits(self) -> bool:
        """Tell whether every value fits, by its type alone."""
        return always_fits(self.column, self.expected, self.zone)


@dataclass(frozen=True)
class Source:
    """A source as the catalog has it: its table's name, and the columns that are unambiguous.

    `schema` has the contract's columns that exist, with the contract's types.
    """

    name: str
    table: str
    columns: tuple[Found, ...]
    schema: ibis.Schema
    misfits: tuple[str, ...] = ()

    def at(self, namespace: Namespace, moment: Moment | None = None) -> sge.Table:
        """Return the table's qualified name, spelled as in the catalog, as it was at a moment."""
        table = sge.table_(self.table, db=namespace.schema, catalog=namespace.database, quoted=True)
        return pinned(table, moment) if moment else table

    def as_it_is(self, namespace: Namespace) -> sge.Select:
        """Return the query of the contract's columns, spelled and typed as in the table."""
        values = [found.value for found in self.columns]
        return sge.select(*values).from_(_aliased(self.at(namespace)))

    def qualified(
        self, namespace: Namespace, moment: Moment | None = None
    ) -> sge.Table | sge.Subquery:
        """Return the table or subquery that reads the source in a query, as it was at a moment."""
        selected = [_selected(found) for found in self.columns]
        is_plain = all(isinstance(each, sge.Column) for each in selected)
        table = self.at(namespace, moment)
        if is_plain and self.table == self.name.upper():
            return table
        return sge.Subquery(this=sge.select(*selected).from_(_aliased(table)))

    def count(self, namespace: Namespace, moment: Moment | None = None) -> sge.Select | None:
        """Return the query that counts each column's values that do not fit, if any may not."""
        found = list[sge.Expr]()
        for number, each in enumerate(self.doubtful()):
            condition = does_not_fit(each.column, each.expected, each.value)
            one, value = (
                sge.Case(ifs=[sge.If(this=condition.copy(), true=this)])
                for this in (sge.Literal.number(1), each.value)
            )
            example = as_text(each.column, sge.Min(this=value))
            found.append(sge.alias_(sge.Count(this=one), f"N{number}", quoted=True))
            found.append(sge.alias_(example, f"V{number}", quoted=True))
        return sge.select(*found).from_(_aliased(self.at(namespace, moment))) if found else None

    def doubtful(self) -> list[Found]:
        """Return the columns whose types do not show that every value fits."""
        return [each for each in self.columns if not self.misfits and not each.always_fits]

    def counted(self, row: Sequence[Any]) -> Iterator[str]:
        """Yield a line for each column with values that do not fit, from the row of `count`."""
        for number, each in enumerate(self.doubtful()):
            count, example = row[2 * number : 2 * number + 2]
            if count:
                if each.column.kind in ("timestamp", "moment") and "." in example:
                    example = example.rstrip("0").rstrip(".")
                line = values_that_do_not_fit(
                    each.column, each.expected, count, example, is_personal=each.is_personal
                )
                yield f"{each.label}: {line}"

    @property
    def digest(self) -> str:
        """A digest of how it is read: with another contract, its version changes, too."""
        read = [(f.name, str(f.expected), f.zone, str(f.column)) for f in self.columns]
        return hashlib.sha256(repr((self.table, read)).encode()).hexdigest()


def _selected(found: Found) -> sge.Expr:
    value, name = found.value, found.name.upper()
    read = reading(found.column, found.expected, found.zone, value)
    return value if read is value and value.name == name else sge.alias_(read, name, quoted=True)


def _aliased(table: sge.Table) -> sge.Table:
    table.set("alias", sge.TableAlias(this=sge.to_identifier(ALIAS, quoted=True)))
    return table


def assumed_source(name: str, contract: Contract, table: str | None = None) -> Source:
    """Return a source as its contract describes it, without inspecting it."""
    columns = (
        Found(column, kind, zone, assumed(spelled, kind, zone), label(contract, column))
        for column, kind in contract.schema.items()
        for zone in [contract.zones.get(column)]
        for spelled in [contract.names.get(column, column.upper())]
    )
    return Source(name, table or name.upper(), tuple(columns), contract.schema)


def find_source(
    name: str,
    contract: Contract,
    tables: Sequence[str],
    columns: Sequence[Row],
    *,
    spelled: Sequence[str] | None = None,
) -> Source | None:
    """Return a source from the names of a schema's tables and its rows of COLUMNS; None if absent.

    `spelled` are the tables that may be meant, by default those of its name. Two tables or columns
    that differ only in case are misfits.
    """
    if spelled is None:
        spelled = sorted(table for table in tables if is_name(name, table))
    if len(spelled) > 1:
        return Source(name, spelled[0], (), contract.schema, (_twice("tables", spelled),))
    if not spelled:
        return None
    found, misfits, schema = list[Found](), list[str](), dict(contract.schema.items())
    there = [physical(row) for row in columns if row["TABLE_NAME"] == spelled[0]]
    for column, kind in contract.schema.items():
        zone = contract.zones.get(column)
        what = label(contract, column)
        match columns_named(contract, column, there):
            case ():
                del schema[column]
            case (one,):
                is_personal = column in contract.personal
                found.append(Found(column, kind, zone, one, what, is_personal))
                if line := misfit(one, kind, zone):
                    misfits.append(f"{what}: {line}")
            case several:
                names = sorted(each.name for each in several)
                misfits.append(f"{what}: {_twice('columns', names)}")
    misfits += read_twice([(f.name, f.column.name, (f.expected, f.zone)) for f in found])
    return Source(name, spelled[0], tuple(found), ibis.schema(schema), tuple(misfits))


def _twice(what: str, names: Sequence[str]) -> str:
    return f"found {' and '.join(names)}, {what} that differ only in case"
