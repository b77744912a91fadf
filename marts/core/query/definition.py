"""Marts as queries: what their functions return for the tables that they name."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import ibis
import ibis.expr.types as ir

from marts.core.authoring.expressions import AS_OF, AsOf
from marts.core.authoring.signature import TABLE, call, naming
from marts.core.authoring.slips import refuse_other_tables
from marts.core.authoring.tables import Mart
from marts.core.project.graph import Graph
from marts.core.project.loading import Declarations
from marts.core.query.contract import conform, empty_table, schema_of
from marts.core.query.nulls import NOTHING_DECLARED, NotNull, declared_not_null


def logical_tables(
    project: Declarations, *, present: Collection[str] | None = None
) -> dict[str, ir.Table]:
    """Return every table of a project by name.

    `present` names the sources that exist, by default all; an absent one is empty.
    """
    tables = {
        name: ibis.table(schema_of(source.columns), name=name)
        if present is None or name in present
        else empty_table(source.columns)
        for name, source in project.sources.items()
    }
    for name, mart in project.marts.items():
        tables[name] = ibis.table(schema_of(mart.columns), name=name)
    return tables


def defining_query(
    mart: Mart, tables: Mapping[str, ir.Table], as_of: AsOf, *, not_null: NotNull = NOTHING_DECLARED
) -> ir.Table:
    """Call a mart's function with its inputs; return what it returns, made to fit its contract.

    `not_null` are the columns of the inputs that are never null (see `declared_not_null`). Raises
    DefinitionError, with file and line, for any exception of the function.
    """
    table, what = defined_table(mart, tables, as_of), f"mart {mart.name}"
    with naming(what, mart.location):
        return conform(table, mart.columns, what=what, location=mart.location, not_null=not_null)


def defined_table(mart: Mart, tables: Mapping[str, ir.Table], as_of: AsOf) -> ir.Table:
    """Call a mart's function with its inputs; return its result unchanged."""
    given = [as_of if name == AS_OF else tables[name] for name in mart.parameters]
    what = f"mart {mart.name}"
    found: ir.Table = call(mart.define, *given, what=what, location=mart.location, expected=TABLE)
    refuse_other_tables(found, given, what=what, location=mart.location)
    return found


def inlined(graph: Graph, sources: Mapping[str, ir.Table], as_of: AsOf) -> dict[str, ir.Table]:
    """Return every mart as a query over the sources only, and the sources, by name."""
    tables, not_null = dict(sources), declared_not_null(graph.project)
    for name in graph.order:
        # An alias keeps apart the columns of an expression that is read twice; Ibis confuses them.
        query = defining_query(graph.project.marts[name], tables, as_of, not_null=not_null)
        tables[name] = query.alias(f"{name}_here")
    return tables
