"""Marts as queries: what their functions return, over the tables that they name."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import ibis
import ibis.expr.types as ir

from marts.core.authored import call, naming
from marts.core.contract import conform, empty_table, schema_of
from marts.core.errors import DefinitionError
from marts.core.graph import Graph
from marts.core.model import AS_OF, AsOf, Mart
from marts.core.project import Project
from marts.core.state import Facts, TableFacts


def declared_facts(project: Project, *, sources: Collection[str]) -> Facts:
    """Return the facts of an engine that holds just what is declared: to compile without one.

    `sources` are those that are there.
    """
    return Facts(
        sources={
            name: TableFacts(schema_of(source.columns))
            for name, source in project.sources.items()
            if name in sources
        },
        published={name: TableFacts(schema_of(m.columns)) for name, m in project.marts.items()},
    )


def logical_tables(project: Project, facts: Facts) -> dict[str, ir.Table]:
    """Return every table of a project by name; an absent source has its columns and no row."""
    tables = {
        name: ibis.table(schema_of(source.columns), name=name)
        if name in facts.sources
        else empty_table(source.columns)
        for name, source in project.sources.items()
    }
    for name, mart in project.marts.items():
        tables[name] = ibis.table(schema_of(mart.columns), name=name)
    return tables


def defining_query(mart: Mart, tables: Mapping[str, ir.Table], as_of: AsOf) -> ir.Table:
    """Call a mart's function with its inputs; return what it returns, cast to its contract.

    Raises DefinitionError, with file and line, for whatever the function raises.
    """
    table, what = defined_table(mart, tables, as_of), f"mart {mart.name}"
    with naming(what, mart.place):
        return conform(table, mart.columns, what=what, place=mart.place)


def defined_table(mart: Mart, tables: Mapping[str, ir.Table], as_of: AsOf) -> ir.Table:
    """Call a mart's function with its inputs; return what it returns, as the author left it."""
    given = [as_of if name == AS_OF else tables[name] for name in mart.parameters]
    columns = (name for each in mart.inputs for name in tables[each].columns)
    table = call(mart.define, *given, what=f"mart {mart.name}", place=mart.place, columns=columns)
    if not isinstance(table, ir.Table):
        raise DefinitionError(
            f"mart {mart.name} returns a {type(table).__name__}, not an Ibis table", mart.place
        )
    return table


def inlined(graph: Graph, sources: Mapping[str, ir.Table], as_of: AsOf) -> dict[str, ir.Table]:
    """Return every mart as a query over the sources alone, and the sources, by name."""
    tables = dict(sources)
    for name in graph.order:
        # A view of its own: Ibis would take columns of an expression read twice for one another's.
        tables[name] = defining_query(graph.project.marts[name], tables, as_of).alias(
            f"{name}_here"
        )
    return tables


def column_comments(mart: Mart, project: Project) -> dict[str, str]:
    """Return a comment for each documented column: the mart's own words, else its inputs'."""
    return inherited_comments(mart, project, {})


def inherited_comments(
    mart: Mart, project: Project, known: dict[str, dict[str, str]]
) -> dict[str, str]:
    """Return a mart's column comments; `known` are those found so far, of marts by name."""
    waiting = [mart]
    # A stack instead of recursion, and each mart once: a project may be deep and tangled.
    while waiting:
        reader = waiting[-1]
        inputs = [project.marts[name] for name in reader.inputs if name in project.marts]
        if missing := [each for each in inputs if each.name not in known]:
            waiting += missing
            continue
        words: dict[str, str] = {}
        for name in reversed(reader.inputs):
            words |= known[name] if name in known else project.sources[name].column_docs
        words |= reader.column_docs
        known[reader.name] = {c.name: words[c.name] for c in reader.columns if c.name in words}
        waiting.pop()
    return known[mart.name]
