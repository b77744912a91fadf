"""Snowflake: the SQL that production runs, compiled without a connection or a driver."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TypeVar

import ibis.expr.types as ir
import sqlglot.expressions as sge
from ibis.backends.sql.compilers import SnowflakeCompiler

from backends.protocol import bare_names, relocate

DIALECT = "snowflake"


@dataclass(frozen=True)
class Namespace:
    """Where relations are: a schema, in a database or in the connection's own."""

    schema: str
    database: str | None = None

    def place(self, name: str) -> sge.Table:
        """Return the qualified, upper-case name of a relation."""
        table = sge.table_(name, db=self.schema, catalog=self.database, quoted=True)
        return _upper(table)


def compile_query(
    query: ir.Table | sge.Query,
    *,
    sources: Collection[str],
    source_namespace: Namespace,
    namespace: Namespace,
) -> str:
    """Return a query's SQL: sources in one namespace, every other name in another.

    Identifiers are upper-case throughout: Snowflake folds what its users type to upper case, so a
    name that is created in lower case would have to be quoted by every reader, for ever.
    """
    tree = query if isinstance(query, sge.Query) else SnowflakeCompiler().to_sqlglot(query)
    places = {
        name: (source_namespace if name in sources else namespace).place(name)
        for name in bare_names(tree)
    }
    return _upper(relocate(tree, places)).sql(DIALECT, pretty=True)


Node = TypeVar("Node", bound=sge.Expr)


def _upper(tree: Node) -> Node:
    for identifier in tree.find_all(sge.Identifier):
        identifier.set("this", identifier.name.upper())
    return tree
