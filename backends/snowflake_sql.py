"""A query as Snowflake's SQL; needs no connection."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import TypeVar

import ibis.expr.types as ir
import sqlglot.expressions as sge
from ibis.backends.sql.compilers import SnowflakeCompiler

from backends.snowflake_ddl import DIALECT
from backends.sql import bare_names, relocate, tree_of


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
    place_of: Callable[[str], sge.Table | sge.Subquery] | None = None,
) -> str:
    """Return a query's SQL: sources in one namespace, every other name in another.

    `place_of` says what stands for a source, if not its name alone. `aliases` are the names that
    stand for others, as candidates do for their targets. Identifiers are upper-case, but those of
    sources that are not: Snowflake folds what its users type to upper case, so a name that is
    created in lower case would have to be quoted by every reader, for ever.
    """
    tree = tree_of(query, SnowflakeCompiler()).copy()
    for kind in tree.find_all(sge.DataType):
        # TIMESTAMP is whatever the account's or the session's TIMESTAMP_TYPE_MAPPING says.
        if kind.this == sge.DataType.Type.TIMESTAMP:
            kind.set("this", sge.DataType.Type.TIMESTAMPNTZ)
    aliases, place_of = aliases or {}, place_of or source_namespace.place
    places = {
        name.upper(): place_of(name)
        if name in sources
        else namespace.place(aliases.get(name, name))
        for name in bare_names(tree)
    }
    return relocate(_upper(tree), places).sql(DIALECT, pretty=True)


def compile_bare(query: ir.Table) -> str:
    """Return a query's SQL over bare names, as Ibis has it."""
    return tree_of(query, SnowflakeCompiler()).sql(DIALECT)


Node = TypeVar("Node", bound=sge.Expr)


def _upper(tree: Node) -> Node:
    for each in tree.find_all(sge.Identifier):
        each.set("this", each.name.upper())
    return tree
