"""Find what engines would compute differently: check a query's Ibis operations by the rules."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

import ibis.expr.operations as ops
import ibis.expr.types as ir

from marts.core.analysis.declared_keys import DeclaredKeys, declared_keys
from marts.core.analysis.dependencies import Key
from marts.core.analysis.fan_out import repeated_sums
from marts.core.analysis.keys import keys_of
from marts.core.analysis.rules import (
    DROPPED_CAST,
    FAN_OUT,
    NULLS,
    RULES,
    UNORDERED,
    Finding,
    Rule,
    is_mistyped,
)
from marts.core.analysis.trace import Trace, watched_casts
from marts.core.authoring.checks import Check
from marts.core.authoring.expressions import AsOf
from marts.core.authoring.signature import function_of, naming
from marts.core.authoring.tables import Mart, Source
from marts.core.project.loading import Declarations
from marts.core.query.checks import count_query, fused_query
from marts.core.query.definition import defined_table
from marts.core.query.nulls import NotNull, declared_not_null, may_be_null


def lint(
    table: Source | Mart,
    query: ir.Table,
    *,
    keys: DeclaredKeys | None = None,
    not_null: NotNull | None = None,
    trace: Trace | None = None,
) -> tuple[Finding, ...]:
    """Return what engines would compute differently in a mart's query, or in one of its checks.

    `keys` (see `declared_keys`) decides which order is total; without it, or if the keys of a
    relation are unknown, any order passes. `not_null` (see `declared_not_null`) decides which
    columns may be null; without it, all may. A trace adds the author's lines, and the casts that
    Ibis dropped while the mart's function ran; without it, the location is the table's declaration.
    """
    locations = trace.locations if trace else {}
    with naming(table.name, table.location):
        broken = [
            *_broken_rules(query),
            *_unordered(query, keys or DeclaredKeys()),
            *_skipping_nulls(query, not_null or {}),
            *_repeated_sums(table, query, keys or DeclaredKeys()),
        ]
    found = [rule.finding(op, table, locations.get(op, table.location)) for op, rule in broken]
    if trace and isinstance(table, Mart):
        written = function_of(table.define)
        casts = [cast for cast in trace.dropped if written and written.__code__ in cast.within]
        found += [
            DROPPED_CAST.finding(cast.op, table, cast.location)
            for cast in casts
            if is_mistyped(cast.op)
        ]
    return tuple(dict.fromkeys(found))


@dataclass(frozen=True)
class Subject:
    """A query to lint: that of a mart, or one of a table's checks, fused or not."""

    table: Source | Mart
    query: ir.Table
    checks: tuple[Check, ...] = ()
    is_fused: bool = False

    def build(self, tables: Mapping[str, ir.Table], as_of: AsOf) -> None:
        """Call the authors' functions that make the query, so that a trace sees them run."""
        if not self.checks and isinstance(self.table, Mart):
            defined_table(self.table, tables, as_of)
        elif self.is_fused:
            fused_query(self.table, tables[self.table.name], self.checks)
        else:
            for check in self.checks:
                count_query(self.table, check, tables, as_of)


def lint_all(
    subjects: Collection[Subject],
    project: Declarations,
    tables: Mapping[str, ir.Table],
    as_of: AsOf,
) -> tuple[Finding, ...]:
    """Return what engines would compute differently in some marts and checks of a project.

    `tables` are the arguments of their functions. Tracing takes twice as long as planning, so it is
    used to find the authors' lines only if there is a finding.
    """
    keys, not_null = declared_keys(project), declared_not_null(project)

    def found(trace: Trace | None = None) -> tuple[Finding, ...]:
        each = (lint(s.table, s.query, keys=keys, not_null=not_null, trace=trace) for s in subjects)
        return tuple(dict.fromkeys(finding for findings in each for finding in findings))

    with watched_casts() as dropped:
        for subject in subjects:
            if not subject.checks:
                subject.build(tables, as_of)
    if not any(map(is_mistyped, dropped)) and not found():
        return ()
    with Trace() as trace:
        for subject in subjects:
            subject.build(tables, as_of)
    return found(trace)


def views_of_sources(project: Declarations, marts: Iterable[Mart]) -> tuple[Finding, ...]:
    """Return a finding for each public view that reads a source, whose later rows are not checked.

    An intermediate view is read only by marts, which are built and checked.
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


def _broken_rules(query: ir.Table) -> Iterator[tuple[ops.Node, Rule]]:
    for op in query.op().find(ops.Node):
        yield from ((op, r) for r in RULES if isinstance(op, r.applies_to) and r.is_wrong(op))


def _unordered(query: ir.Table, keys: DeclaredKeys) -> Iterator[tuple[ops.Node, Rule]]:
    windows = query.op().find(ops.WindowFunction)
    yield from ((w, UNORDERED) for w in windows if _lacks_total_order(w, keys))
    windowed = {window.func for window in windows}
    bare = (op for op in query.op().find(ops.Analytic) if op not in windowed)
    yield from ((op, UNORDERED) for op in bare)


# Tied rows get the same rank, so the order does not have to be total.
RANKS = (ops.MinRank, ops.DenseRank, ops.PercentRank, ops.CumeDist)


def _lacks_total_order(window: ops.WindowFunction, keys: DeclaredKeys) -> bool:
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


def _repeated_sums(
    table: Source | Mart, query: ir.Table, keys: DeclaredKeys
) -> Iterator[tuple[ops.Node, Rule]]:
    if isinstance(table, Mart) and not table.many_to_many:
        yield from ((total, FAN_OUT) for total in repeated_sums(query.op(), keys))


def _skipping_nulls(query: ir.Table, not_null: NotNull) -> Iterator[tuple[ops.Node, Rule]]:
    for op in query.op().find((ops.Greatest, ops.Least)):
        if len(op.arg) > 1 and any(may_be_null(each, not_null) for each in op.arg):
            yield op, NULLS
