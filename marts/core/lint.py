"""Find what engines would compute differently: read a query's Ibis graph against the rules."""

from __future__ import annotations

from collections.abc import Iterator

import ibis.expr.operations as ops
import ibis.expr.types as ir

from marts.core.authored import function_of, naming
from marts.core.checks import count_query, fused_query
from marts.core.definition import defined_table
from marts.core.graph import Graph
from marts.core.keys import Key, Keys, declared_keys, keys_of
from marts.core.model import Mart, Source
from marts.core.nulls import Filled, declared_filled, may_be_null
from marts.core.plan import (
    Build,
    CheckAcross,
    CheckRows,
    Plan,
)
from marts.core.rules import DROPPED_CAST, NULLS, RULES, UNORDERED, Finding, Rule, is_misjudged
from marts.core.trace import Trace, watched_casts


def lint(
    table: Source | Mart,
    query: ir.Table,
    *,
    keys: Keys | None = None,
    filled: Filled | None = None,
    trace: Trace | None = None,
) -> tuple[Finding, ...]:
    """Return what engines would compute differently in a mart's query, or in one of its checks.

    `keys` (see `declared_keys`) tells which order is total; without it, or where a row's key cannot
    be derived, any order passes. `filled` (see `declared_filled`) tells which columns are not null;
    without it any may be. A trace adds the author's lines, and the casts that Ibis dropped
    while it watched the mart's function. Without one the place is where the table is declared.
    """
    places = trace.places if trace else {}
    with naming(table.name, table.place):
        broken = [
            *_broken(query),
            *_unordered(query, keys or {}),
            *_skipping_nulls(query, filled or {}),
        ]
    found = [rule.finding(op, table, places.get(op, table.place)) for op, rule in broken]
    if trace and isinstance(table, Mart):
        written = function_of(table.define)
        casts = [cast for cast in trace.dropped if written and written.__code__ in cast.within]
        found += [
            DROPPED_CAST.finding(cast.op, table, cast.place)
            for cast in casts
            if is_misjudged(cast.op)
        ]
    return tuple(dict.fromkeys(found))


def lint_plan(
    plan: Plan,
    *,
    keys: Keys | None = None,
    filled: Filled | None = None,
    trace: Trace | None = None,
) -> tuple[Finding, ...]:
    """Return the findings of the marts that a plan builds, and of the checks that it makes."""
    found: list[Finding] = []
    for step in plan.steps:
        match step:
            case Build(mart, query):
                found += lint(mart, query, keys=keys, filled=filled, trace=trace)
            case CheckRows(table, _, query) | CheckAcross(table, _, query):
                found += lint(table, query, keys=keys, filled=filled, trace=trace)
    return tuple(dict.fromkeys(found))


def lint_run(graph: Graph, plan: Plan) -> tuple[Finding, ...]:
    """Return what `marts compile` would warn of in the marts that a plan builds, and its checks.

    Tracing takes twice as long as planning: so only where there is something to say are the
    authors' functions called once more, to learn the lines.
    """
    keys, filled = declared_keys(graph.project), declared_filled(graph.project)
    with watched_casts() as dropped:
        for step in plan.steps:
            if isinstance(step, Build):
                defined_table(step.mart, plan.tables, plan.as_of)
    if not any(map(is_misjudged, dropped)) and not lint_plan(plan, keys=keys, filled=filled):
        return ()
    with Trace() as trace:
        for step in plan.steps:
            match step:
                case Build(mart):
                    defined_table(mart, plan.tables, plan.as_of)
                case CheckRows(table, checks):
                    fused_query(table, plan.tables[table.name], checks)
                case CheckAcross(table, check):
                    count_query(table, check, plan.tables, plan.as_of)
    return lint_plan(plan, keys=keys, filled=filled, trace=trace)


def views_of_sources(graph: Graph, plan: Plan) -> tuple[Finding, ...]:
    """Return the public views that a plan builds over sources: nobody checks what they will show.

    An intermediate one is read by marts, which are built and checked.
    """
    built = [step.mart for step in plan.steps if isinstance(step, Build)]
    return tuple(
        Finding(
            mart.name,
            "view_of_a_source",
            f"it is a view of {name}: it shows the source as it is when somebody looks, not as it"
            " was checked",
            mart.place,
            'materialized="table"',
        )
        for mart in built
        if mart.materialized == "view" and not mart.is_intermediate
        for name in mart.inputs
        if name in graph.project.sources
    )


def _broken(query: ir.Table) -> Iterator[tuple[ops.Node, Rule]]:
    for op in query.op().find(ops.Node):
        yield from ((op, r) for r in RULES if isinstance(op, r.looks_at) and r.is_wrong(op))


def _unordered(query: ir.Table, keys: Keys) -> Iterator[tuple[ops.Node, Rule]]:
    windows = query.op().find(ops.WindowFunction)
    yield from ((w, UNORDERED) for w in windows if _lacks_total_order(w, keys))
    windowed = {window.func for window in windows}
    bare = (op for op in query.op().find(ops.Analytic) if op not in windowed)
    yield from ((op, UNORDERED) for op in bare)


# Rows that tie get the same number, so an order is enough; it need not be total.
RANKS = (ops.MinRank, ops.DenseRank, ops.PercentRank, ops.CumeDist)


def _lacks_total_order(window: ops.WindowFunction, keys: Keys) -> bool:
    if isinstance(window.func, ops.Reduction):
        is_framed = window.how == "rows" and (window.start is not None or window.end is not None)
        if not is_framed:
            return False
    if not window.order_by or isinstance(window.func, RANKS):
        return not window.order_by
    columns = [*window.group_by, *(key.arg for key in window.order_by)]
    fields = [column for column in columns if isinstance(column, ops.Field)]
    relations = {rel for column in columns for rel in column.relations}
    possible = set[Key]().union(*(keys_of(rel, keys) for rel in relations))
    names = {column.name for column in fields}
    return bool(possible) and not any(key <= names for key in possible)


def _skipping_nulls(query: ir.Table, filled: Filled) -> Iterator[tuple[ops.Node, Rule]]:
    for op in query.op().find((ops.Greatest, ops.Least)):
        if len(op.arg) > 1 and any(may_be_null(each, filled) for each in op.arg):
            yield op, NULLS
