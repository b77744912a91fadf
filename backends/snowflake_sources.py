"""How Snowflake reads sources: contract columns of a table or view, by name, if all values fit.

Names are found in the catalog, whatever their case. In a query a source is its table's name, or, if
the table spells or types a column differently, a subquery that selects the contract's columns. If
types do not show that all values fit, one scan counts the values that do not.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import ibis
import ibis.expr.datatypes as dt
import sqlglot.expressions as sge

from backends.snowflake_catalog import source_version
from backends.snowflake_sql import Namespace
from backends.snowflake_types import (
    Physical,
    as_text,
    assumed,
    does_not_fit,
    physical,
    reading,
)
from backends.source_types import always_fits, is_name, misfit, values_that_do_not_fit
from marts.core.errors import SourceError
from marts.core.plan.state import TableState
from marts.core.run.backend import Contract

Row = Mapping[str, Any]
"""A row of INFORMATION_SCHEMA."""

ALIAS = "S"


@dataclass(frozen=True)
class Found:
    """A contract's column and the column in the catalog that it reads."""

    name: str
    expected: dt.DataType
    zone: str | None
    column: Physical

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

    def at(self, namespace: Namespace) -> sge.Table:
        """Return the table's qualified name, spelled as in the catalog."""
        return sge.table_(self.table, db=namespace.schema, catalog=namespace.database, quoted=True)

    def qualified(self, namespace: Namespace) -> sge.Table | sge.Subquery:
        """Return the table or subquery that reads the source in a query."""
        selected = [_selected(found) for found in self.columns]
        is_plain = all(isinstance(each, sge.Column) for each in selected)
        table = self.at(namespace)
        if is_plain and self.table == self.name.upper():
            return table
        return sge.Subquery(this=sge.select(*selected).from_(_aliased(table)))

    def count(self, namespace: Namespace) -> sge.Select | None:
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
        return sge.select(*found).from_(_aliased(self.at(namespace))) if found else None

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
                line = values_that_do_not_fit(each.column, each.expected, count, example)
                yield f"column {each.name}: {line}"

    @property
    def digest(self) -> str:
        """A digest of how it is read: with another contract, its version changes, too."""
        read = [(f.name, str(f.expected), f.zone, str(f.column)) for f in self.columns]
        return hashlib.sha256(repr((self.table, read)).encode()).hexdigest()


class SnowflakeSources:
    """The sources of a schema, inspected whenever they are described, or when first read.

    `tables` and `columns` read the schema's INFORMATION_SCHEMA; `row` runs a query of one row.
    """

    def __init__(
        self,
        namespace: Namespace,
        contracts: Mapping[str, Contract],
        *,
        tables: Callable[[], Mapping[str, Row]],
        columns: Callable[[], Sequence[Row]],
        row: Callable[[sge.Select, str], Sequence[Any]],
    ) -> None:
        self.namespace = namespace
        self.contracts = contracts
        self._tables = tables
        self._columns = columns
        self._row = row
        self._sources: dict[str, Source | None] = {}
        self._versions: dict[str, str | None] = {}
        """The versions of the sources when they were described."""
        self._lock = threading.Lock()

    def describe(self, names: Iterable[str]) -> dict[str, TableState]:
        """Return the state of the sources that exist."""
        tables, columns = self._tables(), self._columns()
        described = {}
        for name in names:
            contract = self.contracts[name]
            source = find_source(name, contract, tuple(tables), columns)
            if source and (query := source.count(self.namespace)):
                misfits = tuple(source.counted(self._row(query, name)))
                source = replace(source, misfits=misfits)
            self._sources[name] = source
            self._versions.pop(name, None)
            if source:
                table = tables[source.table]
                version = self._versions[name] = source_version(table)
                described[name] = TableState(
                    source.schema,
                    table["ROW_COUNT"],
                    version and f"{version} {source.digest}",
                    source.misfits,
                )
        return described

    def qualified(self, name: str) -> sge.Table | sge.Subquery:
        """Return the table or subquery that reads a source; its default name if it is absent.

        Raises SourceError if the source cannot be read as its contract says.
        """
        with self._lock:
            if name not in self._sources:
                self.describe([name])
        source = self._sources[name]
        if source is None:
            return self.namespace.qualified(name)
        if source.misfits:
            raise SourceError(f"source {name} does not fit its contract", *source.misfits)
        return source.qualified(self.namespace)

    def changed(self) -> list[str]:
        """Return the sources, except views, whose catalog entry changed or is gone."""
        if not any(self._versions.values()):
            return []
        tables = self._tables()
        return [
            f"source {name}: {self.namespace}.{source.table}"
            + (" changed" if source.table in tables else " is gone")
            for name, version in self._versions.items()
            if version is not None
            and (source := self._sources[name])
            and (source.table not in tables or source_version(tables[source.table]) != version)
        ]


def _selected(found: Found) -> sge.Expr:
    value, name = found.value, found.name.upper()
    read = reading(found.column, found.expected, found.zone, value)
    return value if read is value and value.name == name else sge.alias_(read, name, quoted=True)


def _aliased(table: sge.Table) -> sge.Table:
    table.set("alias", sge.TableAlias(this=sge.to_identifier(ALIAS, quoted=True)))
    return table


def assumed_source(name: str, contract: Contract) -> Source:
    """Return a source as its contract describes it, without inspecting it."""
    columns = (
        Found(column, kind, zone, assumed(column, kind, zone))
        for column, kind in contract.schema.items()
        for zone in [contract.zones.get(column)]
    )
    return Source(name, name.upper(), tuple(columns), contract.schema)


def find_source(
    name: str, contract: Contract, tables: Sequence[str], columns: Sequence[Row]
) -> Source | None:
    """Return a source from the names of a schema's tables and its rows of COLUMNS; None if absent.

    Two tables or columns that differ only in case are misfits.
    """
    spelled = sorted(table for table in tables if is_name(name, table))
    if len(spelled) > 1:
        return Source(name, spelled[0], (), contract.schema, (_twice("tables", spelled),))
    if not spelled:
        return None
    found, misfits, schema = list[Found](), list[str](), dict(contract.schema.items())
    there = [physical(row) for row in columns if row["TABLE_NAME"] == spelled[0]]
    for column, kind in contract.schema.items():
        zone = contract.zones.get(column)
        match [each for each in there if is_name(column, each.name)]:
            case []:
                del schema[column]
            case [one]:
                found.append(Found(column, kind, zone, one))
                if line := misfit(one, kind, zone):
                    misfits.append(f"column {column}: {line}")
            case several:
                names = sorted(each.name for each in several)
                misfits.append(f"column {column}: {_twice('columns', names)}")
    return Source(name, spelled[0], tuple(found), ibis.schema(schema), tuple(misfits))


def _twice(what: str, names: Sequence[str]) -> str:
    return f"found {' and '.join(names)}, {what} that differ only in case"
