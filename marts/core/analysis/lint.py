"""Find what engines would compute differently: read a query's Ibis graph against the rules."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

import ibis.expr.operations as ops
import ibis.expr.types as ir

from marts.core.analysis.keys import Key, Keys, declared_keys, keys_of
from marts.core.analysis.rules import (
    DROPPED_CAST,
    NULLS,
    RULES,
    UNORDERED,
    Finding,
    Rule,
    is_misjudged,
)
from marts.core.analysis.trace import Trace, watched_casts
from marts.core.authoring.checks import Check
from marts.core.authoring.expressions import AsOf
from marts.core.authoring.signature import function_of, naming
from marts.core.authoring.tables import Mart, Source
from marts.core.project.loading import Project
from marts.core.query.checks import count_query, fused_query
from marts.core.query.definition import defined_table
from marts.core.query.nulls import Filled, declared_filled, may_be_null


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
    locations = trace.locations if trace else {}
    with naming(table.name, table.location):
        broken = [
            *_broken(query),
            *_unordered(query, keys or {}),
            *_skipping_nulls(query, filled or {}),
        ]
    found = [rule.finding(op, table, locations.get(op, table.location)) for op, rule in broken]
    if trace and isinstance(table, Mart):
        written = function_of(table.define)
        casts = [cast for cast in trace.dropped if written and written.__code__ in cast.within]
        found += [
            DROPPED_CAST.finding(cast.op, table, cast.location)
            for cast in casts
            if is_misjudged(cast.op)
        ]
    return tuple(dict.fromkeys(found))


@dataclass(frozen=True)
class Subject:
    """A query to lint: a mart's own, or that of some checks of a table, in one query or each."""

    table: Source | Mart
    query: ir.Table
    checks: tuple[Check, ...] = ()
    is_fused: bool = False

    def build(self, tables: Mapping[str, ir.Table], as_of: AsOf) -> None:
        """Call the authors' functions that make the query, for whoever watches them."""
        if not self.checks and isinstance(self.table, Mart):
            defined_table(self.table, tables, as_of)
        elif self.is_fused:
            fused_query(self.table, tables[self.table.name], self.checks)
        else:
            for check in self.checks:
                count_query(self.table, check, tables, as_of)


def lint_all(
    subjects: Collection[Subject],
    project: Project,
    tables: Mapping[str, ir.Table],
    as_of: AsOf,
) -> tuple[Finding, ...]:
    """Return what engines would compute differently in some marts and checks of a project.

    `tables` are those that their functions are given. Tracing takes twice as long as planning: so
    only where there is something to say are the authors' functions called once more, to learn the
    lines.
    """
    keys, filled = declared_keys(project), declared_filled(project)

    def found(trace: Trace | None = None) -> tuple[Finding, ...]:
        each = (lint(s.table, s.query, keys=keys, filled=filled, trace=trace) for s in subjects)
        return tuple(dict.fromkeys(finding for findings in each for finding in findings))

    with watched_casts() as dropped:
        for subject in subjects:
            if not subject.checks:
                subject.build(tables, as_of)
    if not any(map(is_misjudged, dropped)) and not found():
        return ()
    with Trace() as trace:
        for subject in subjects:
            subject.build(tables, as_of)
    return found(trace)


def views_of_sources(project: Project, marts: Iterable[Mart]) -> tuple[Finding, ...]:
    """Return the public views among marts over sources: nobody checks what they will show.

    An intermediate one is read by marts, which are built and checked.
    """
    return tuple(
        Finding(
            mart.name,
            "view_of_a_source",
            f"it is a view of {name}: it shows the source as it is when somebody looks, not as it"
            " was checked",
            mart.location,
            'materialized="table"',
        )
        for mart in marts
        if mart.materialized == "view" and not mart.is_intermediate
        for name in mart.inputs
        if name in project.sources
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
