"""A query as Snowflake's SQL, and the names in it qualified; needs no connection."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import ibis.expr.operations as ops
import ibis.expr.types as ir
import sqlglot.expressions as sge
from ibis.backends.sql.compilers import SnowflakeCompiler
from ibis.backends.sql.compilers.base import NULL

from backends.snowflake_ddl import DIALECT
from backends.sql import compiled_by, relocate
from marts.core.plan.state import CompiledQuery, Query


@dataclass(frozen=True)
class Namespace:
    """A schema, in a database or in the connection's own, as the catalog spells their names."""

    schema: str
    database: str | None = None

    def qualified(self, name: str) -> sge.Table:
        """Return the qualified name of a relation of ours, which is upper-case."""
        return sge.table_(name.upper(), db=self.schema, catalog=self.database, quoted=True)

    @property
    def sql(self) -> str:
        """The schema's qualified name, as SQL."""
        named = sge.table_(self.schema, db=self.database, quoted=True)
        return named.sql(DIALECT)

    def __str__(self) -> str:
        return f"{self.database}.{self.schema}" if self.database else self.schema


def compile_query(
    query: ir.Table | sge.Query,
    *,
    sources: Collection[str],
    source_namespace: Namespace,
    namespace: Namespace,
    source_of: Callable[[str], sge.Table | sge.Subquery] | None = None,
) -> str:
    """Return a query's SQL: sources in one namespace, every other name in another.

    `source_of` returns the table or subquery that reads a source; by default its table.
    """
    found = compiled(query)
    source_of = source_of or source_namespace.qualified
    known = {name: source_of(name) for name in found.names if name in sources}
    return qualified_sql(found, known, namespace)


class _Compiler(SnowflakeCompiler):  # type: ignore[misc]  # Ibis is not typed
    def visit_CountStar(  # noqa: N802  (Ibis finds it by the operation's name)
        self, op: ops.CountStar, *, arg: object, where: sge.Expression | None
    ) -> Any:
        """Count rows: by COUNT_IF, no such row would be null, as its manual says.

        https://docs.snowflake.com/en/sql-reference/functions/count_if
        """
        if where is None:
            return super().visit_CountStar(op, arg=arg, where=where)
        return self.f.count(self.if_(where, 1, NULL))


def compiled(query: Query) -> CompiledQuery:
    """Return a query as Snowflake's SQL over bare names, in the case that Ibis uses."""
    return compiled_by(_Compiler, query, DIALECT)


def qualified_sql(
    query: CompiledQuery, known: Mapping[str, sge.Table | sge.Subquery], namespace: Namespace
) -> str:
    """Return a query's SQL, in which every name that is not `known` is one in the namespace.

    Identifiers are upper-case, except those of sources in another case: Snowflake folds unquoted
    names to upper case, so every reader would have to quote a name that was created in lower case.
    """
    tree = query.tree.copy()
    for kind in tree.find_all(sge.DataType):
        # TIMESTAMP_TYPE_MAPPING of the account or session decides what a bare TIMESTAMP means.
        if kind.this == sge.DataType.Type.TIMESTAMP:
            kind.set("this", sge.DataType.Type.TIMESTAMPNTZ)
    names = {name.upper(): known.get(name) or namespace.qualified(name) for name in query.names}
    return relocate(upper(tree), names).sql(DIALECT, pretty=True)


Node = TypeVar("Node", bound=sge.Expr)


def upper(tree: Node) -> Node:
    """Return a tree after making all of its identifiers upper-case."""
    for each in tree.find_all(sge.Identifier):
        each.set("this", each.name.upper())
    return tree
