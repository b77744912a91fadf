"""A query as Snowflake's SQL; needs no connection."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TypeVar

import ibis.expr.types as ir
import sqlglot.expressions as sge
from ibis.backends.sql.compilers import SnowflakeCompiler

from backends.protocol import Contract, bare_names, relocate, tree_of
from backends.snowflake_ddl import DIALECT


@dataclass(frozen=True)
class Namespace:
    """Where relations are: a schema, in a database or in the connection's own."""

    schema: str
    database: str | None = None

    def place(self, name: str) -> sge.Table:
        """Return the qualified, upper-case name of a relation."""
        return _upper(sge.table_(name, db=self.schema, catalog=self.database, quoted=True))

    def __str__(self) -> str:
        return f"{self.database}.{self.schema}" if self.database else self.schema


def compile_query(
    query: ir.Table | sge.Query,
    *,
    sources: Collection[str],
    source_namespace: Namespace,
    namespace: Namespace,
    aliases: Mapping[str, str] | None = None,
    contracts: Mapping[str, Contract] | None = None,
) -> str:
    """Return a query's SQL: sources in one namespace, every other name in another.

    `contracts` say which timestamps of sources to read as the time of day in a zone. `aliases` are
    the names that stand for others, as candidates do for their targets. Identifiers are upper-case
    throughout: Snowflake folds what its users type to upper case, so a name that is created in
    lower case would have to be quoted by every reader, for ever.
    """
    tree = tree_of(query, SnowflakeCompiler())
    for kind in tree.find_all(sge.DataType):
        # TIMESTAMP is whatever the account's or the session's TIMESTAMP_TYPE_MAPPING says.
        if kind.this == sge.DataType.Type.TIMESTAMP:
            kind.set("this", sge.DataType.Type.TIMESTAMPNTZ)
    aliases = aliases or {}
    places: dict[str, sge.Table | sge.Subquery] = {
        name: source_namespace.place(name)
        if name in sources
        else namespace.place(aliases.get(name, name))
        for name in bare_names(tree)
    }
    for name, contract in (contracts or {}).items():
        if name in places and contract.zones:
            places[name] = _in_zones(places[name], contract)
    return _upper(relocate(tree, places)).sql(DIALECT, pretty=True)


def compile_bare(query: ir.Table) -> str:
    """Return a query's SQL over bare names, as Ibis has it."""
    return tree_of(query, SnowflakeCompiler()).sql(DIALECT)


def _in_zones(table: sge.Table | sge.Subquery, contract: Contract) -> sge.Subquery:
    """Return a table's contract columns, moments as the time of day in their zones."""
    selected: list[sge.Expr] = []
    for name in contract.schema:
        column = sge.column(name, quoted=True)
        if zone := contract.zones.get(name):
            there = sge.func("CONVERT_TIMEZONE", sge.Literal.string(zone), column, dialect=DIALECT)
            naive = sge.Cast(this=there, to=sge.DataType.build("TIMESTAMPNTZ", dialect=DIALECT))
            selected.append(sge.alias_(naive, name, quoted=True))
        else:
            selected.append(column)
    return sge.Subquery(this=sge.select(*selected).from_(table))


Node = TypeVar("Node", bound=sge.Expr)


def _upper(tree: Node) -> Node:
    for each in tree.find_all(sge.Identifier):
        each.set("this", each.name.upper())
    return tree
