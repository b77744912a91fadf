"""The queries of a plan: of marts and of their checks, each made and compiled once."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from types import MappingProxyType
from typing import TypeVar

import ibis.expr.operations as ops
import ibis.expr.types as ir

from marts.core.authoring.checks import Check, is_fused
from marts.core.authoring.expressions import AS_OF, AsOf
from marts.core.authoring.signature import naming
from marts.core.authoring.tables import Mart, Source, checks_of
from marts.core.plan.state import CompiledQuery, EngineState
from marts.core.project.graph import Graph
from marts.core.project.loading import Declarations
from marts.core.query.checks import count_query, fused_query
from marts.core.query.definition import defining_query, logical_tables
from marts.core.query.example_queries import example_table
from marts.core.query.nulls import declared_not_null

Compile = Callable[[ir.Table], CompiledQuery]
"""Compiles a query for an engine."""
Compiled = TypeVar("Compiled")
NONE_KNOWN: Mapping[str, ops.Relation] = MappingProxyType({})


class Queries:
    """The queries of a project's marts and checks as of a date, over the sources that exist.

    Without `compile_`, no query is compiled. `known` are the queries of marts over all sources, for
    any date, where they were made before: those of marts that ask for no date are not made again.
    """

    def __init__(
        self,
        project: Declarations,
        state: EngineState,
        as_of: AsOf,
        compile_: Compile | None = None,
        known: Mapping[str, ops.Relation] = NONE_KNOWN,
    ) -> None:
        self.tables = logical_tables(project, present=state.sources)
        self.as_of = as_of
        self._not_null = declared_not_null(project)
        self._compile = compile_
        absent = project.sources.keys() - state.sources.keys()
        self._marts: dict[str, ir.Table] = {
            name: known[name].to_expr()
            for name, mart in project.marts.items()
            if name in known and absent.isdisjoint(mart.inputs) and AS_OF not in mart.parameters
        }
        self._compiled: dict[str, CompiledQuery] = {}
        self._checks: dict[tuple[str, str], ir.Table] = {}

    def of(self, mart: Mart) -> ir.Table:
        """Return the query that defines a mart."""
        if mart.name not in self._marts:
            self._marts[mart.name] = defining_query(
                mart, self.tables, self.as_of, not_null=self._not_null
            )
        return self._marts[mart.name]

    def compiled(self, mart: Mart) -> CompiledQuery | None:
        """Return the compiled query that defines a mart; None without `compile_`.

        Raises DefinitionError for an expression that is nested too deeply to compile.
        """
        if self._compile is None:
            return None
        if mart.name not in self._compiled:
            with naming(f"mart {mart.name}", mart.location):
                self._compiled[mart.name] = self._compile(self.of(mart))
        return self._compiled[mart.name]

    def fused(self, table: Source | Mart) -> ir.Table:
        """Return the query that makes all `fused_checks` of a table at once."""
        if (table.name, "") not in self._checks:
            query = fused_query(table, self.tables[table.name], fused_checks(table))
            self._checks[table.name, ""] = query
        return self._checks[table.name, ""]

    def of_check(self, table: Source | Mart, check: Check) -> ir.Table:
        """Return the query that makes a single check."""
        if (table.name, check.name) not in self._checks:
            query = count_query(table, check, self.tables, self.as_of)
            self._checks[table.name, check.name] = query
        return self._checks[table.name, check.name]


def compiled_examples(
    graph: Graph,
    as_of: AsOf,
    compile_: Callable[[ir.Table], Compiled],
    *,
    reading: Collection[str] | None = None,
) -> dict[str, Compiled]:
    """Compile the example queries of a project; with `reading`, those that read one of some marts.

    Raises DefinitionError for one that cannot be built, or is nested too deeply to compile.
    """
    found, tables = dict[str, Compiled](), logical_tables(graph.project)
    for name, query in graph.project.queries.items():
        if reading is None or not {*reading}.isdisjoint(query.inputs):
            with naming(f"example query {name}", query.location):
                found[name] = compile_(example_table(query, tables, as_of))
    return found


def fused_checks(table: Source | Mart) -> tuple[Check, ...]:
    """Return the checks of a table that one query can make together."""
    return tuple(check for check in checks_of(table) if is_fused(check))
