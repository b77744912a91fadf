"""A query as DuckDB's SQL, and the names in it qualified; needs no connection."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import ibis.expr.types as ir
import sqlglot.expressions as sge

from backends import duckdb_ddl as ddl
from backends.sql import compiled_by, relocate
from marts.core.plan.state import CompiledQuery, Query


def compile_query(
    query: ir.Table | sge.Query, *, sources: Mapping[str, sge.Table], schema: str
) -> str:
    """Return a query's SQL: sources as people read them, every other name in `schema`.

    How the columns of a source are found and cast is not shown.
    """
    return qualified_sql(compiled(query), sources, schema)


def compiled(query: Query) -> CompiledQuery:
    """Return a query as DuckDB's SQL over bare names."""

    def compiler() -> Any:
        # Loads the compilers of all dialects, for which a run with nothing to do need not wait.
        from ibis.backends.sql.compilers import DuckDBCompiler

        return DuckDBCompiler()

    return compiled_by(compiler, query, ddl.DIALECT)


def qualified_sql(
    query: CompiledQuery, known: Mapping[str, sge.Table | sge.Subquery], schema: str
) -> str:
    """Return a query's SQL, in which every name that is not `known` is one in the schema."""
    names = {name: known.get(name) or ddl.qualified(schema, name) for name in query.names}
    return relocate(query.tree, names).sql(ddl.DIALECT, pretty=True)
